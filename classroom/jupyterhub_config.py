"""The hub of a trusted room, on one machine: for The Littlest JupyterHub. README.md has the commands around it."""

c = get_config()  # noqa: F821

# Who comes in: whose name is on the list (`tljh-config add-item users.allowed NAME`). At first they choose a password, on
# the page Sign up; nobody is asked to approve it, so let the teacher sign up before the address is on the blackboard.
c.JupyterHub.authenticator_class = "nativeauthenticator.NativeAuthenticator"
c.NativeAuthenticator.open_signup = False
c.NativeAuthenticator.minimum_password_length = 8
c.NativeAuthenticator.check_common_password = True
c.NativeAuthenticator.allowed_failed_logins = 10
c.Authenticator.allow_all = False

# The student's server, without a checker of international addresses that nobody calls here: to load it takes longer than
# all the rest together.
SERVER = "import sys; sys.modules['rfc3987_syntax'] = None; from jupyterhub.singleuser import main; main()"
c.Spawner.cmd = ["python3", "-c", SERVER]
c.Spawner.default_url = "/lab/tree/backprop_lab_notebooks/00_start_here.ipynb"

# What a student may take at most; measured.json says how much that is. All notebooks of the course, left open at once, fit.
c.Spawner.mem_limit = "1G"
c.Spawner.cpu_limit = 1.0

# Every student has an account of the system. What programs put into /tmp is the student's own, too.
c.SystemdSpawner.isolate_tmp = True
c.SystemdSpawner.isolate_devices = True
