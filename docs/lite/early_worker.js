// The kernel's worker, before there is a kernel: Python starts here, and the kernel that moves in finds it started.

onmessage = ({ data: { options, kernel } }) => {
  if (options) {
    importScripts("start_pyodide.js");
    loadPyodide(options).catch(() => {}); // the kernel will hear of it
  } else {
    onmessage = null;
    importScripts(kernel);
  }
};
