// Starts Python in the kernel's worker. The kernel believes that this is Pyodide, and calls loadPyodide as it always does.
// It may be started already: early_worker.js loads this file before the kernel does, so nothing here is a const.
//
// Left alone, it would install two dozen wheels on every visit and compile what they hold, half a minute of work. Here
// everything comes in two archives, compiled, and is laid into Pyodide's file system as it is.

var SITE = "/lib/python3.12/site-packages/";
var page = new BroadcastChannel("backprop_lab start"); // loading_notice.js listens

var say = (state, text) => page.postMessage({ state, text });
var megabytes = (bytes) => (bytes / 1e6).toFixed(1);

self.loadPyodide = (options) => (self.started ??= startPython(options));

async function startPython({ packagesURL, courseURL, packages, ...options }) {
  // `packages` names what the kernel need not install. It is all in the archives.
  try {
    const site = new URL("../..", new URL(options.indexURL, location.href)).href; // where links to the lab lead
    const fetched = fetchAll([packagesURL, courseURL]);
    importScripts(`${options.indexURL}pyodide.js`); // puts the real loadPyodide in the place of this one
    const [archives, pyodide] = await Promise.all([fetched, self.loadPyodide({ env: { BACKPROP_LAB_SITE: site }, ...options })]);
    for (const archive of archives) unpack(archive, pyodide);
    say("loading", "Loading NumPy, Matplotlib and the labs");
    // All this would be imported anyway. It goes faster now: once the kernel has made the learner's files its working
    // folder, each import would first be looked for there, and every look is a message to the page.
    // Not the terminal's shell, though: IPython imports it for a function that is of no use here, and it takes a quarter of
    // the time of all these imports.
    pyodide.runPython(`
import sys, types
sys.modules["IPython.terminal.embed"] = types.SimpleNamespace(embed=None)
import pyodide_kernel, piplite.piplite, backprop_lab.ui.standalone
for package in (backprop_lab, backprop_lab.ui):
    for name in package.__all__:
        getattr(package, name)
del sys.modules["IPython.terminal.embed"]`);
    say("ready", "Python is ready");
    return pyodide;
  } catch (error) {
    say("failed", `Python did not start: ${error.message}. Reload the page to try again.`);
    throw error;
  }
}

// Fetches archives at the same time; each is a tar, gzipped.
async function fetchAll(urls) {
  say("loading", "Fetching Python");
  const responses = await Promise.all(urls.map((url) => fetch(url)));
  for (const { ok, url, status } of responses) if (!ok) throw new Error(`${url} answered ${status}`);
  let fetched = 0;
  const total = responses.reduce((sum, { headers }) => sum + Number(headers.get("content-length")), 0);
  const archives = await Promise.all(
    responses.map(({ body }) => {
      const counted = new TransformStream({
        transform(chunk, next) {
          fetched += chunk.byteLength;
          say("loading", `Fetching Python and its packages: ${megabytes(fetched)} of ${megabytes(total)} MB`);
          next.enqueue(chunk);
        },
      });
      return new Response(body.pipeThrough(counted).pipeThrough(new DecompressionStream("gzip"))).arrayBuffer();
    }),
  );
  say("loading", "Starting Python");
  return archives.map((archive) => new Uint8Array(archive));
}

// Lays the files of a tar into site-packages. They stay where they are in memory: nothing is copied.
function unpack(tar, { FS, loadedPackages }) {
  const text = (start, length) => new TextDecoder().decode(tar.subarray(start, start + length)).split("\0")[0];
  const folders = new Set();
  for (let at = 0; tar[at]; ) {
    const prefix = text(at + 345, 155);
    const path = SITE + (prefix ? `${prefix}/` : "") + text(at, 100);
    const size = parseInt(text(at + 124, 12), 8);
    at += 512;
    const folder = path.slice(0, path.lastIndexOf("/"));
    if (!folders.has(folder)) FS.mkdirTree(folder);
    folders.add(folder);
    FS.writeFile(path, tar.subarray(at, at + size), { canOwn: true });
    at += 512 * Math.ceil(size / 512);
    // Pyodide fetches what a cell imports, unless it knows that it is there.
    const distribution = path.match(/([^/]+)-[^/-]+\.dist-info\/METADATA$/)?.[1];
    if (distribution) loadedPackages[distribution.replace(/[-_.]+/g, "-").toLowerCase()] = "default channel";
  }
}
