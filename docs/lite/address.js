// The address names the notebook that is shown, so that it can be copied, kept and loaded again: JupyterLite takes it away,
// and puts that into the history, where the browser's Back would then lead from the notebook to itself.

history.pushState = history.replaceState;

(async () => {
  while (!window.jupyterapp) await new Promise((done) => setTimeout(done, 50));
  await window.jupyterapp.restored;
  const { shell } = window.jupyterapp;
  const name = () => {
    const path = shell.currentWidget?.context?.path;
    if (!path?.endsWith(".ipynb") || new URLSearchParams(location.search).get("path") === path) return;
    history.replaceState(history.state, "", `${location.pathname}?path=${encodeURIComponent(path)}`);
  };
  shell.currentChanged.connect(name);
  for (let late = 0; late < 30; late += 1) await new Promise((done) => setTimeout(done, 500)).then(name);
})();
