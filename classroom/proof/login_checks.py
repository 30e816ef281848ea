"""Who gets in: whom the class's hub refuses, and that a hub which was left open refuses everybody."""

import secrets
from pathlib import Path

from jupyterhub.app import JupyterHub
from jupyterhub.auth import Authenticator
from jupyterhub.spawner import Spawner
from nativeauthenticator import NativeAuthenticator
from report import Found
from room import CLASSROOM, TestHub
from student import RefusedError, Student
from systemdspawner import SystemdSpawner
from traitlets.config import PyFileConfigLoader

PASSWORD = secrets.token_urlsafe()
OPEN = "c.Authenticator.allow_all = True\nc.NativeAuthenticator.open_signup = True\n"
ROOMS = {
    "everybody is let in by DummyAuthenticator": ('c.JupyterHub.authenticator_class = "dummy"', False),
    "everybody is let in by allow_all": (OPEN, False),
    "everybody is let in, and c.Classroom.open_to_all says that this is meant": (
        OPEN + "c.Classroom.open_to_all = True",
        True,
    ),
}


async def of_the_class(room: TestHub) -> list[Found]:
    """At the hub of a class: a name that is on its list, and what must not suffice."""
    listed = room.students[0]
    found = [
        await _enter(
            room, "nobody_we_know", PASSWORD, sign_up=True, expected=False, what="a name that is not on the list"
        )
    ]
    found.append(
        await _enter(room, listed, PASSWORD, sign_up=False, expected=False, what="a password that is not the one")
    )
    found.append(
        await _enter(room, listed, PASSWORD, sign_up=True, expected=False, what="signing up under a name that is taken")
    )
    found.append(
        await _enter(
            room, "teacher", "short", sign_up=True, expected=False, what="signing up with a password of 5 letters"
        )
    )
    found.append(
        await _enter(
            room, "teacher", PASSWORD, sign_up=True, expected=True, what="a name on the list, and its password"
        )
    )
    return found


async def left_open(folder: Path, proxy_command: str) -> list[Found]:
    """At hubs that are configured to let in everybody."""
    found = []
    for number, (what, (more, expected)) in enumerate(ROOMS.items()):
        home = folder / f"open_{number}"
        home.mkdir()
        home.chmod(0o755)
        async with TestHub(home, proxy_command, ["ana"], more=more) as room:
            found.append(await _enter(room, "ana", PASSWORD, sign_up="dummy" not in more, expected=expected, what=what,
                                      because="" if expected else "stands open"))  # fmt: skip
    return found


def every_option_is_known() -> list[Found]:
    """Whether the classes that the hub's configuration names have the options that it sets."""
    loader = PyFileConfigLoader("jupyterhub_config.py", path=str(CLASSROOM))
    classes = {
        kind.__name__: kind for kind in (JupyterHub, Spawner, Authenticator, NativeAuthenticator, SystemdSpawner)
    }
    options = [(name, option) for name, section in loader.load_config().items() for option in section]
    unknown = [
        f"{name}.{option}" for name, option in options if option not in classes[name].class_trait_names(config=True)
    ]
    return [Found(f"the {len(options)} options of jupyterhub_config.py exist", not unknown, ", ".join(unknown))]


async def _enter(
    room: TestHub, name: str, password: str, *, sign_up: bool, expected: bool, what: str, because: str = ""
) -> Found:
    async with Student(room.url, name, password) as student:
        if sign_up:
            await student.sign_up()
        try:
            await student.log_in()
        except RefusedError as error:
            as_expected = (
                not expected and error.status in (302, 403) and because in str(error)
            )  # 302: to the login again
            return Found(what, as_expected, f"refused, {error.status}")
    return Found(what, expected, "let in")
