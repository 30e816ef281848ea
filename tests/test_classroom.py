"""What a hub of a class is configured with: it keeps its door closed, and its limits follow what was measured.

All this needs no hub. `make classroom` tries the same configuration on a real one.
"""

import json
import os
import re
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml
from jupyter_server.serverapp import ServerApp
from jupyter_server.services.kernels.kernelmanager import MappingKernelManager
from jupyterlab.labapp import LabApp
from tornado.web import Finish
from traitlets.config import Config, PyFileConfigLoader

import backprop_lab

ROOT = Path(__file__).parents[1]
CLASSROOM = ROOT / "classroom"
sys.path.insert(0, str(CLASSROOM / "proof"))
import report  # noqa: E402

MEASURED = json.loads((CLASSROOM / "measured.json").read_text())
KUBERNETES = yaml.safe_load((CLASSROOM / "kubernetes.yaml").read_text())
README = (CLASSROOM / "README.md").read_text()


def load(name):
    return PyFileConfigLoader(name, path=str(CLASSROOM)).load_config()


@pytest.fixture
def hub():
    return load("jupyterhub_config.py")


@pytest.fixture
def server(monkeypatch, tmp_path):
    """The configuration of a student's server; reading it copies the notebooks to a home and sets variables."""
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"):
        monkeypatch.setenv(name, os.environ.get(name, "2"))
    return load("jupyter_server_config.py")


# The door


@pytest.fixture
def knock():
    """A function: someone the authenticator admitted meets require_closed_signup.py, read as Kubernetes reads it."""
    config = Config()

    def get_config(key, default=None):
        raise AssertionError("on Kubernetes this gives values of the chart")

    exec((CLASSROOM / "require_closed_signup.py").read_text(), {"c": config, "get_config": get_config})
    said = []
    log = SimpleNamespace(error=said.append)

    def knock(authenticator):
        authenticator.log = log
        authenticator.config = getattr(authenticator, "config", Config())
        handler = SimpleNamespace(set_status=said.append, set_header=lambda *_: None)
        return config.Authenticator.post_auth_hook(authenticator, handler, {"name": "ana"})

    return knock


class Authenticator(SimpleNamespace):
    allow_all = False


class DummyAuthenticator(Authenticator):
    password = ""


class TheirOwn(DummyAuthenticator):
    """What a teacher might derive from it."""


def test_whom_a_closed_hub_admits_comes_in(knock):
    assert knock(Authenticator()) == {"name": "ana"}


@pytest.mark.parametrize("kind", [DummyAuthenticator, TheirOwn])
def test_nobody_comes_in_where_nobody_is_asked_for_a_password(knock, kind):
    with pytest.raises(Finish, match="no password"):
        knock(kind())
    assert knock(kind(password="chosen")) == {"name": "ana"}


def test_a_choice_to_let_everybody_in_does_not_spare_the_password(knock):
    with pytest.raises(Finish, match="no password"):
        knock(DummyAuthenticator(allow_all=True, config=Config({"Classroom": {"open_to_all": True}})))


@pytest.mark.parametrize("choice", [{}, {"open_to_all": False}, {"open_to_all": "false"}])
def test_nobody_comes_in_where_everybody_would_and_nobody_chose_that(knock, choice):
    with pytest.raises(Finish, match="stands open"):
        knock(Authenticator(allow_all=True, config=Config({"Classroom": choice})))


def test_everybody_comes_in_where_that_was_chosen(knock):
    assert knock(Authenticator(allow_all=True, config=Config({"Classroom": {"open_to_all": True}})))


def test_the_hub_of_a_room_asks_for_a_name_on_the_list_and_a_password(hub):
    assert hub.JupyterHub.authenticator_class.endswith("NativeAuthenticator")
    assert hub.Authenticator.allow_all is False
    assert hub.NativeAuthenticator.open_signup is False
    assert hub.NativeAuthenticator.minimum_password_length >= 8


def test_the_hub_on_kubernetes_does_so_too(hub):
    config = KUBERNETES["hub"]["config"]
    assert config["JupyterHub"] == {"authenticator_class": "native"}
    assert config["NativeAuthenticator"] == dict(hub.NativeAuthenticator)
    assert config["Authenticator"]["allow_all"] is False
    assert "Classroom" not in config


# The student's server


def test_every_option_of_a_students_server_exists(server):
    classes = {kind.__name__: kind for kind in (ServerApp, LabApp, MappingKernelManager)}
    options = [(name, option) for name, section in server.items() for option in section]
    assert options
    assert [(name, option) for name, option in options if not classes[name].class_traits(config=True).get(option)] == []


def test_a_students_server_brings_the_notebooks_and_no_solutions(server, tmp_path):
    brought = {path.name for path in (tmp_path / "backprop_lab_notebooks").iterdir()}
    assert {path.name for path in (ROOT / "notebooks").glob("*.ipynb")} <= brought
    assert "solutions" not in brought


def test_a_full_disk_does_not_keep_the_server_from_starting(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "backprop_lab_notebooks").write_text("a file where the folder should be")
    assert load("jupyter_server_config.py").ServerApp


def test_the_kernel_is_python_without_its_debugger(server):
    argv = server.ServerApp.kernel_spec_manager_class().get_kernel_spec("python3").argv
    assert argv[1] == "-c"
    assert "debugpy" in argv[2]
    compile(argv[2], "kernel", "exec")
    assert "{connection_file}" in argv


def test_a_kernel_that_neighbours_could_listen_to_is_not_started(server, monkeypatch, tmp_path):
    assert server.MappingKernelManager.transport_encryption == "required"
    monkeypatch.setattr(MappingKernelManager, "class_trait_names", classmethod(lambda *_, **__: []))
    with pytest.raises(RuntimeError, match="listen"):
        load("jupyter_server_config.py")


def test_a_message_to_the_page_is_sent_at_once(server):
    kind, calls = server.ServerApp.kernel_websocket_connection_class, []
    connection = SimpleNamespace(websocket_handler=SimpleNamespace(set_nodelay=calls.append))
    with pytest.raises(TypeError):  # goes on to the real one, which this is not
        kind.connect(connection)
    assert calls == [True]


# A room and Kubernetes


def test_a_room_and_kubernetes_start_the_same_server_on_the_same_notebook(hub):
    singleuser = KUBERNETES["singleuser"]
    assert singleuser["cmd"] == hub.Spawner.cmd
    assert singleuser["defaultUrl"] == hub.Spawner.default_url
    assert (ROOT / "notebooks" / Path(hub.Spawner.default_url).name).is_file()


def test_the_command_holds_nothing_that_a_spawner_would_replace(hub):
    compile(hub.Spawner.cmd[-1], "command", "exec")
    for part in hub.Spawner.cmd:
        assert part.format(USERNAME="ana", USERID=1) == part
        assert not set("$%") & set(part)


def test_the_image_is_of_this_version():
    assert KUBERNETES["singleuser"]["image"]["tag"] == backprop_lab.__version__


def test_placeholders_make_way():
    assert KUBERNETES["scheduling"]["podPriority"]["enabled"] is True
    assert KUBERNETES["scheduling"]["userPlaceholder"]["replicas"] > 0


# The limits and what was measured


def test_a_room_and_kubernetes_have_the_same_limits(hub):
    assert KUBERNETES["singleuser"]["memory"]["limit"] == hub.Spawner.mem_limit
    assert KUBERNETES["singleuser"]["cpu"]["limit"] == hub.Spawner.cpu_limit


def test_the_limits_of_memory_hold_what_was_measured():
    assert "course" in MEASURED
    checks = report.limits(MEASURED)
    assert len(checks) == 3
    assert [check.what for check in checks if not check.good] == []


def test_a_student_who_needed_more_would_be_noticed():
    more = json.loads(json.dumps(MEASURED))
    more["lessons"][0]["memory a student"]["p99"] = more["lessons"][0]["peak of a student"] = 2000
    more["course"]["all notebooks open"] = 2000
    assert not any(check.good for check in report.limits(more))


def test_the_guarantee_is_not_twice_what_is_needed():
    needed = max(lesson["memory a student"]["p99"] for lesson in MEASURED["lessons"])
    assert report.megabytes(KUBERNETES["singleuser"]["memory"]["guarantee"]) < 2 * needed


def test_the_cores_guaranteed_are_enough_for_a_slider_a_second():
    needed = max(lesson["core ms a move"] for lesson in MEASURED["lessons"]) / 1000
    assert needed <= KUBERNETES["singleuser"]["cpu"]["guarantee"] < 3 * needed


def test_the_tables_in_the_readme_are_what_was_measured():
    assert [lesson["students"] for lesson in MEASURED["lessons"]] == [1, 5, 10, 20]
    assert report.table(report.LESSON_HEAD, report.lesson_rows(MEASURED)) in README
    assert report.table(report.NEEDS_HEAD, report.needs_rows(MEASURED)) in README


def test_the_front_page_says_what_a_large_class_needs():
    (row,) = [line for line in (ROOT / "README.md").read_text().splitlines() if line.startswith("| [JupyterHub]")]
    need, first, last = report.needs(MEASURED, 300), MEASURED["lessons"][0], MEASURED["lessons"][-1]
    assert f"{need['memory GB']:.0f} GB and {need['cores']} cores" in row
    assert f"{first['start']['p50']:.0f} alone, {last['start']['p50']:.0f} when {last['students']} start" in row


# The files


def test_every_file_that_the_readme_names_is_here():
    named = set(re.findall(r"classroom/[\w./]*\w", README)) | {
        f"classroom/{name}" for name in re.findall(r"`(\w+\.(?:py|yaml|json|txt))`", README)
    }
    assert len(named) >= 5
    assert [name for name in sorted(named) if not (ROOT / name).exists()] == []
