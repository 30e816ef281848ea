"""The hub of a trusted room, on one machine: for The Littlest JupyterHub. README.md has the commands around it."""

c = get_config()  # noqa: F821

# Only those whose name is on the list can log in (`tljh-config add-item users.allowed NAME`). They first choose a
# password, on the page Sign up; nobody has to approve it, so the teacher should sign up before giving out the address.
c.JupyterHub.authenticator_class = "nativeauthenticator.NativeAuthenticator"
c.NativeAuthenticator.open_signup = False
c.NativeAuthenticator.minimum_password_length = 8
c.NativeAuthenticator.check_common_password = True
c.NativeAuthenticator.allowed_failed_logins = 10
c.Authenticator.allow_all = False
c.Authenticator.allow_existing_users = False  # or a name taken off the list would still get in

# The student's server, without a checker of international addresses that is never used here: loading it takes longer
# than everything else together.
SERVER = "import sys; sys.modules['rfc3987_syntax'] = None; from jupyterhub.singleuser import main; main()"
c.Spawner.cmd = ["python3", "-c", SERVER]
c.Spawner.default_url = "/lab/tree/backprop_lab_notebooks/00_start_here.ipynb"

# The most a student may use; measured.json says how much is needed. All notebooks of the course, open at once, fit.
c.Spawner.mem_limit = "1.5G"
c.Spawner.cpu_limit = 1.0

# Every student has an account of the system. What programs put into /tmp is the student's own, too.
c.SystemdSpawner.isolate_tmp = True
c.SystemdSpawner.isolate_devices = True
