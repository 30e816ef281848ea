"""What a hub of a class is configured with: its door stays closed, its limits and tables are as measured."""

import importlib
import json
import os
import re
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml
from jupyter_server.services.kernels.kernelmanager import MappingKernelManager
from tornado.web import Finish
from traitlets.config import Config, PyFileConfigLoader

import backprop_lab
from classroom import report

ROOT = Path(__file__).parents[1]
CLASSROOM = ROOT / "classroom"
MEASURED = json.loads((CLASSROOM / "measured.json").read_text(encoding="utf-8"))
KUBERNETES = yaml.safe_load((CLASSROOM / "kubernetes.yaml").read_text(encoding="utf-8"))


def load(name):
    return PyFileConfigLoader(name, path=str(CLASSROOM)).load_config()


class DummyAuthenticator(SimpleNamespace):
    allow_all, password = False, ""


OPEN = {"open_to_all": True}
DOORS = {
    "a closed hub lets in whom it admits": (SimpleNamespace(allow_all=False), {}, ""),
    "nobody comes in where no password is asked for": (DummyAuthenticator(allow_all=True), OPEN, "no password"),
    "nobody where everybody would": (SimpleNamespace(allow_all=True), {}, "stands open"),
    "nor where that is a slip": (SimpleNamespace(allow_all=True), {"open_to_all": "false"}, "stands open"),
    "everybody where that is meant": (SimpleNamespace(allow_all=True), OPEN, ""),
}


@pytest.mark.parametrize(("authenticator", "choice", "refusal"), DOORS.values(), ids=DOORS)
def test_who_comes_in_through_the_door(authenticator, choice, refusal):
    config, said = Config(), []
    exec((CLASSROOM / "require_closed_signup.py").read_text(encoding="utf-8"), {"c": config})  # as Kubernetes does
    authenticator.config, authenticator.log = Config({"Classroom": choice}), SimpleNamespace(error=said.append)
    handler = SimpleNamespace(set_status=said.append, set_header=lambda *_: None)
    with pytest.raises(Finish, match=refusal) if refusal else nullcontext():
        assert config.Authenticator.post_auth_hook(authenticator, handler, {"name": "ana"}) == {"name": "ana"}
    assert (403 in said) is bool(refusal)


def test_a_room_and_kubernetes_ask_for_the_same_and_start_the_same_server():
    room, cluster = load("jupyterhub_config.py"), KUBERNETES["hub"]["config"]
    assert room.JupyterHub.authenticator_class.endswith("NativeAuthenticator")
    assert cluster["JupyterHub"] == {"authenticator_class": "native"}
    for let_in in ("allow_all", "allow_existing_users"):
        assert room.Authenticator[let_in] is cluster["Authenticator"][let_in] is False
    assert cluster["NativeAuthenticator"] == dict(room.NativeAuthenticator)
    assert room.NativeAuthenticator.open_signup is False
    server, user = room.Spawner, KUBERNETES["singleuser"]
    assert (user["cmd"], user["defaultUrl"]) == (server.cmd, server.default_url)
    assert (user["memory"]["limit"], user["cpu"]["limit"]) == (server.mem_limit, server.cpu_limit)
    assert user["image"]["tag"] == backprop_lab.__version__


@pytest.mark.skipif(os.name == "nt", reason="the rehearsal takes Linux")
def test_the_hub_of_the_rehearsal_reads_no_file_of_the_checkout(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "tests" / "classroom"))
    monkeypatch.setitem(sys.modules, "aiohttp", SimpleNamespace())
    for name in ("hub", "processes"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    hub, read = importlib.import_module("hub"), []
    monkeypatch.setattr(hub, "SERVER_CONFIG", tmp_path / "prefix" / "jupyter_server_config.py")
    (room := tmp_path / "room").mkdir()
    hub.TestHub(room, ["ana"])
    around = {"get_config": Config, "load_subconfig": lambda path: read.append(Path(path))}
    exec((room / "around.py").read_text(encoding="utf-8"), around)
    assert [path.name for path in read] == ["require_closed_signup.py", "jupyterhub_config.py"]
    for path in read:
        assert path.parent == room
        assert path.read_bytes() == (CLASSROOM / path.name).read_bytes()


def test_a_students_server_brings_no_solutions_and_no_neighbour_hears_it(tmp_path, monkeypatch):
    for name, value in {"HOME": str(tmp_path), "OPENBLAS_NUM_THREADS": "2", "OMP_NUM_THREADS": "2"}.items():
        monkeypatch.setenv(name, value)
    server, notebooks = load("jupyter_server_config.py"), tmp_path / "backprop_lab_notebooks"
    brought = {path.name for path in notebooks.iterdir()}
    assert {path.name for path in (ROOT / "notebooks").glob("*.ipynb")} <= brought
    assert "solutions" not in brought
    notebooks.rename(tmp_path / "elsewhere")
    notebooks.write_text("a file where the folder should be", encoding="utf-8")
    assert load("jupyter_server_config.py").keys() == server.keys()
    assert "debugpy" in server.ServerApp.kernel_spec_manager_class().get_kernel_spec("python3").argv[2]
    assert server.MappingKernelManager.transport_encryption == "required"
    monkeypatch.setattr(MappingKernelManager, "class_trait_names", classmethod(lambda *_, **__: []))
    with pytest.raises(RuntimeError, match="listen"):
        load("jupyter_server_config.py")


# What is known of TLJH's command: a value of digits becomes a number, which its schema refuses.
TLJH_CONFIG = f"""#!{sys.executable}
import json, pathlib, re, sys, yaml
names = json.loads((file := pathlib.Path("names.json")).read_text())
if sys.argv[1] == "show":
    print(yaml.dump({{"users": {{"admin": ["teacher"], "allowed": names}}}}), end="")
if sys.argv[1] == "add-item":
    if re.match(r"^[0-9]+([.][0-9]*)?$", sys.argv[3]):
        sys.exit("users.allowed: a number is not of type 'string'")
    file.write_text(json.dumps([*names, sys.argv[3]]))
"""


@pytest.mark.skipif(os.name == "nt", reason="The Littlest JupyterHub runs on Ubuntu")
def test_the_commands_for_the_class_list_add_each_name_once(tmp_path):
    readme = (CLASSROOM / "README.md").read_text(encoding="utf-8")
    (commands,) = re.findall(r"^(    for name in .*class\.txt(?:.*\n)+?    done\n)", readme, re.MULTILINE)
    for name, text in (("tljh-config", TLJH_CONFIG), ("sudo", '#!/bin/sh\nexec "$@"\n')):
        (tmp_path / name).write_text(text, encoding="utf-8")
        (tmp_path / name).chmod(0o755)
    (tmp_path / "names.json").write_text('["julee"]', encoding="utf-8")
    listed = "Ana@example.org\r\nj.lee@example.org\r\n12345\n3.14\n\n1e5\nteacher\n"
    (tmp_path / "class.txt").write_text(listed, encoding="utf-8", newline="")
    for _ in range(2):
        environment = os.environ | {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
        subprocess.run(["bash", "-ec", commands], cwd=tmp_path, env=environment, check=True)
    names = json.loads((tmp_path / "names.json").read_text(encoding="utf-8"))
    assert names == ["julee", "ana", "j.lee", "s12345", "s3.14", "1e5"]
    assert "a name of digits only gets an s before it" in " ".join(readme.split())


def test_the_limits_hold_what_was_measured_and_the_readme_has_it():
    checks = dict(report.limits(MEASURED))
    assert (len(checks), set(checks.values())) == (3, {True})
    more = json.loads(json.dumps(MEASURED), parse_float=lambda number: 10 * float(number))
    assert set(dict(report.limits(more)).values()) == {False}
    guaranteed = KUBERNETES["singleuser"]
    memory = max(lesson["memory a student"]["p99"] for lesson in MEASURED["lessons"])
    assert report.megabytes(guaranteed["memory"]["guarantee"]) < 2 * memory
    cores = max(lesson["core ms a move"] for lesson in MEASURED["lessons"]) / 1000
    assert cores <= guaranteed["cpu"]["guarantee"] < 3 * cores
    readme = (CLASSROOM / "README.md").read_text(encoding="utf-8")
    assert report.filled_in(readme, MEASURED) == readme, "run `python tests/classroom/report.py`"
