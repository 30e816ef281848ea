"""Who gets in: whom the class's hub refuses, and that a hub which was left open refuses everybody."""

import secrets

from hub import CLASSROOM, TestHub
from jupyterhub.app import JupyterHub
from jupyterhub.auth import Authenticator
from jupyterhub.spawner import Spawner
from nativeauthenticator import NativeAuthenticator
from student import Student
from systemdspawner import SystemdSpawner
from traitlets.config import PyFileConfigLoader

PASSWORD = secrets.token_urlsafe()
OPEN = "c.Authenticator.allow_all = True\nc.NativeAuthenticator.open_signup = True\n"
OPEN_HUBS = (  # who everybody is let in by, the setting, and whether they come in
    ("DummyAuthenticator", 'c.JupyterHub.authenticator_class = "dummy"', False),
    ("allow_all", OPEN, False),
    ("allow_all, and c.Classroom.open_to_all says that this is meant", f"{OPEN}c.Classroom.open_to_all = True", True),
)


async def to_the_class(checks, hub):
    listed = hub.names[0]  # who has signed up already
    for what, name, password, signs_up in (
        ("a name that is not on the list", "nobody_we_know", PASSWORD, True),
        ("a password that is not the one", listed, PASSWORD, False),
        ("signing up under a name that is taken", listed, PASSWORD, True),
        ("signing up with a password of 5 letters", "teacher", "short", True),
    ):
        await checks.answered(what, _enter(hub, name, password, signs_up), 302, 403)  # 302: to the login again
    await checks.answered("a name on the list, and its password", _enter(hub, "teacher", PASSWORD, signs_up=True), 200)


async def to_hubs_left_open(checks, folder):
    for number, (by, more, let_in) in enumerate(OPEN_HUBS):
        home = folder / f"open_{number}"
        home.mkdir(0o755)
        async with TestHub(home, ["ana"], more=more) as hub:
            coming = _enter(hub, "ana", PASSWORD, signs_up="dummy" not in more)
            answer, because = (200, "") if let_in else (403, "stands open")
            await checks.answered(f"everybody is let in by {by}", coming, answer, because=because)


def every_option_is_known(checks):
    """Whether the classes that the hub's configuration names have the options that it sets."""
    config = PyFileConfigLoader("jupyterhub_config.py", path=str(CLASSROOM)).load_config()
    kinds = (JupyterHub, Spawner, Authenticator, NativeAuthenticator, SystemdSpawner)
    known = {f"{kind.__name__}.{option}" for kind in kinds for option in kind.class_trait_names(config=True)}
    set_here = {f"{name}.{option}" for name, section in config.items() for option in section}
    checks.note(f"the {len(set_here)} options of jupyterhub_config.py exist", set_here <= known)


async def _enter(hub, name, password, signs_up):
    async with Student(hub.url, name, password) as student:
        if signs_up:
            await student.sign_up()
        await student.log_in()
