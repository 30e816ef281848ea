// Compiles the Python files of a folder with the Python that will run them: `node compile.mjs PYODIDE FOLDER INSTALLED_AS`.
//
// Each .py becomes a .pyc in its place. Those of this project keep their source beside it, for `??` and tracebacks.

import { resolve } from "node:path";
import { pathToFileURL } from "node:url";

const [pyodideFolder, folder, installedAs] = process.argv.slice(2);
const { loadPyodide } = await import(pathToFileURL(resolve(pyodideFolder, "pyodide.mjs")));
const pyodide = await loadPyodide({ indexURL: `${resolve(pyodideFolder)}/` });
pyodide.FS.mkdirTree("/folder");
pyodide.FS.mount(pyodide.FS.filesystems.NODEFS, { root: resolve(folder) }, "/folder");
pyodide.globals.set("installed_as", installedAs);
pyodide.runPython(`
import importlib.util, pathlib, py_compile, warnings

warnings.simplefilter("ignore", SyntaxWarning)  # of other people's strings
for source in sorted(pathlib.Path("/folder").rglob("*.py")):
    path = source.relative_to("/folder")
    own = path.parts[0] == "backprop_lab"
    bare = path.parts[0] == "matplotlib"  # it writes its docstrings while it is imported, which takes a third of that time
    py_compile.compile(
        str(source),
        cfile=importlib.util.cache_from_source(str(source)) if own else f"{source}c",
        dfile=f"{installed_as}/{path}",
        doraise=True,
        optimize=2 if bare else -1,
        invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH,  # files in an archive have no time
    )
    if not own:
        source.unlink()
`);
