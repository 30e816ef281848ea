"""The lab in JupyterLab and in Notebook 7, as a learner has them who installed the wheel of `make wheel`."""

from clean_room import ROOT, clean_room, require
from first_move import see_the_lab

wheels = sorted((ROOT / "dist").glob("*.whl"))
require(len(wheels) == 1, "dist/ holds one wheel; `make wheel` puts it there")
with clean_room() as room:
    commands = room.new_environment("learner", f"{wheels[0]}[lab]", "notebook>=7.2", *room.pins())
    course = room.folder / "course"
    room.run(commands / "backprop-lab", course, "--copy-only")
    lab, notebook_7 = (commands / "backprop-lab", course, "--"), (commands / "jupyter-notebook", "--allow-root")
    see_the_lab("JupyterLab", room, lab, "lab/tree/02_step_through.ipynb?", quiet=True)
    see_the_lab("Notebook 7", room, notebook_7, "notebooks/02_step_through.ipynb?", cwd=course)
