"""For the hub of a class: nobody gets in through a door that stands open to everybody.

A separate piece of configuration, for The Littlest JupyterHub and for Kubernetes alike; README.md says where it goes.
Each time somebody logs in, it looks at the final configuration, whether set by this or any other file.
"""


def open_to_everybody(authenticator):
    """Why everybody could come in, in a sentence; or an empty string.

    Where a login of the school's own decides who comes in, it is right to let in everyone it knows. Then say so:
    c.Classroom.open_to_all = True
    """
    kinds = {kind.__name__ for kind in type(authenticator).__mro__}
    if "DummyAuthenticator" in kinds and not authenticator.password:
        return "DummyAuthenticator has no password, so that anybody could come in as anybody."
    if authenticator.allow_all and authenticator.config.Classroom.get("open_to_all") is not True:
        return (
            "allow_all lets in everybody who has a login, and c.Classroom.open_to_all does not say that this is meant."
        )
    return ""


def keep_closed(authenticator, handler, authentication):
    """Let in those the hub has admitted, unless it admits everybody."""
    if reason := open_to_everybody(authenticator):
        from tornado.web import Finish  # a test reads this file where there is no hub

        sentence = f"Nobody can log in, since the door of this hub stands open. {reason}"
        authenticator.log.error(sentence)
        handler.set_status(403)
        handler.set_header("Content-Type", "text/plain; charset=UTF-8")
        raise Finish(sentence)  # an HTTPError is shown as an empty page by NativeAuthenticator
    return authentication


# Both have `c` ready; get_config() would be another function on Kubernetes.
c.Authenticator.post_auth_hook = keep_closed  # noqa: F821
