"""The lab in JupyterLab and in Notebook 7, as a learner has them who installed the wheel: part of `make release-check`.

It takes the wheel of `dist/`, so `make wheel` goes first, and a Python that has playwright, such as that of .venv.
"""

from urllib.parse import quote

from clean_room import ROOT, clean_room, require
from first_move import first_move, new_page, try_the_lab

NOTEBOOK = "02_step_through.ipynb"


def main() -> None:
    wheels = sorted((ROOT / "dist").glob("*.whl"))
    require(len(wheels) == 1, "dist/ holds one wheel; `make wheel` puts it there")
    with clean_room() as room:
        commands = room.new_environment("learner", f"{wheels[0]}[lab]", "notebook>=7.2", *room.pins())
        course = room.folder / "course"
        room.run(commands / "backprop-lab", course, "--copy-only")
        notebook_7 = (commands / "jupyter-notebook", f"--ServerApp.root_dir={course}", "--allow-root")
        for name, command, path in (
            ("JupyterLab", (commands / "backprop-lab", course, "--"), "lab/tree"),
            ("Notebook 7", notebook_7, "notebooks"),
        ):
            with room.serve(*command) as server, new_page() as page:
                move = first_move(page, f"{server.url}/{path}/{quote(NOTEBOOK)}?token={server.token}")
                try_the_lab(page)
                print(f"{name}: server after {server.seconds:.1f} s, then {move}", flush=True)


if __name__ == "__main__":
    main()
