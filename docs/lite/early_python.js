// Starts Python while JupyterLab still loads, in a worker of which the kernel then makes its own. Once the reader has seen
// a recording, where there is one.

const KERNEL = "@jupyterlite/pyodide-kernel-extension";

async function startPython() {
  const run = new URL("..", location.href);
  const settings = (await (await fetch(new URL("jupyter-lite.json", run))).json())["jupyter-config-data"].litePluginSettings;
  const options = Object.entries(settings[`${KERNEL}:kernel`].loadPyodideOptions);
  const absolute = ([name, value]) => [name, name.endsWith("URL") ? new URL(value, run).href : value];
  const early = new Worker(new URL("python/early_worker.js", run)), Usual = Worker;
  early.postMessage({ options: Object.fromEntries(options.map(absolute)) });
  window.Worker = new Proxy(Usual, {
    construct(_, [url, how]) {
      if (!String(url).includes(KERNEL)) return new Usual(url, how);
      window.Worker = Usual; // a further kernel starts its own
      early.postMessage({ kernel: String(url) });
      return early;
    },
  });
}

Promise.resolve(window.recorded).then(startPython).catch(() => {}); // then the kernel starts it as it would without this
