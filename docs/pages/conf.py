"""What Sphinx needs to know to make the pages to read; docs/build.py lays the notebooks beside them, in course/.

Formulas become MathML, which browsers show without a script. Where a notebook shows the lab, its page has a recording,
made by running the notebook up to there, that steps without Python.
"""

import ast
import json
import os
from contextlib import chdir, redirect_stdout
from html import escape

from docutils.nodes import SkipNode
from latex2mathml.converter import convert
from sphinx.util.logging import getLogger

import backprop_lab

project = "backprop_lab"
author = "backprop_lab developers"
copyright = author  # noqa: A001
release = backprop_lab.__version__
extensions = ["myst_nb", "sphinx.ext.autodoc"]
templates_path = ["_templates"]

nb_execution_mode = "off"  # the notebooks are saved as they were run
myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 3
suppress_warnings = ["myst.header"]  # in 02_step_through, a part of the introduction is two levels down

default_role = "code"  # `dW1` in a docstring
autodoc_member_order = "bysource"
autodoc_preserve_defaults = True  # `loss=SumSquaredError()`, as it is written
autodoc_typehints = "none"

html_theme = "furo"
html_title = "backprop_lab"
pygments_dark_style = "github-dark"
html_favicon = "_static/icon.svg"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_math_renderer = "mathml"
html_copy_source = False
html_use_index = False
html_domain_indices = False


def visit_math(translator, node, block=False):
    mathml = convert(node.astext(), display="block" if block else "inline")
    if "\\" in mathml:  # it leaves a command that it does not know as it is
        getLogger(__name__).warning("a formula that cannot be made MathML: %s", node.astext(), location=node)
    translator.body.append(f'<div class="math" tabindex="0">{mathml}</div>' if block else mathml)
    raise SkipNode


def visit_math_block(translator, node):
    visit_math(translator, node, block=True)


def name_the_notebook(app, pagename, templatename, context, doctree):
    """For the template: the notebook that this page has one click away, running."""
    is_notebook = (app.srcdir / f"{pagename}.ipynb").is_file()
    name = pagename.removeprefix("course/") if is_notebook else "00_start_here"
    context |= {"notebook": f"{name}.ipynb", "is_notebook": is_notebook}


WALK = '<iframe class="walk" src="{}" title="{}, to step through" loading="lazy"></iframe>'


def record_labs(app, docname, source):
    """Put a walk in the place of the picture of each lab, or below the mistake lab's, which shows more."""
    if not (app.srcdir / f"{docname}.ipynb").is_file():
        return
    notebook, folder = json.loads(source[0]), (app.srcdir / docname).parent
    cells = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    shown = {k: output["data"] for k, cell in enumerate(cells) for output in cell["outputs"] if lab_of(output)}
    names = {"__name__": "__main__"}
    for k, cell in enumerate(cells[: max(shown, default=-1) + 1]):
        with chdir(folder), open(os.devnull, "w") as nowhere, redirect_stdout(nowhere):
            result = value_of("".join(cell["source"]), names)
        if k in shown:
            lab, name = getattr(result, "lab", result), f"{docname}-lab-{k}.html"
            (app.outdir / name).parent.mkdir(parents=True, exist_ok=True)
            lab.save(app.outdir / name)
            picture = f'<img src="data:image/png;base64,{shown[k]["image/png"]}" alt="{{}}">'
            still = "" if lab is result else picture.format(escape(lab_of({"data": shown[k]})))
            shown[k]["text/html"] = still + WALK.format(os.path.basename(name), escape(lab.call()))
    source[0] = json.dumps(notebook)


def value_of(code, names):
    """Run the code of a cell. The value of its last line, if it has one."""
    lines = ast.parse(code)
    last = lines.body.pop() if isinstance(lines.body[-1], ast.Expr) else None
    exec(compile(lines, "<cell>", "exec"), names)
    return eval(compile(ast.Expression(last.value), "<cell>", "eval"), names) if last else None


def lab_of(output):
    """The call of the lab that an output shows, "" for any other."""
    call = "".join(output.get("data", {}).get("text/plain", ""))
    return call if call.startswith(("StepThrough(", "MistakeLab(")) else ""


def setup(app):
    app.connect("source-read", record_labs)
    app.add_html_math_renderer("mathml", (visit_math, None), (visit_math_block, None))
    app.connect("html-page-context", name_the_notebook)
