"""Sign in at CVAT: by name and password, of which only the token stays, or with a token that somebody made there."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from annotator_bridge.cvat.link import Wait
from annotator_bridge.cvat.login import Login, checked_token, keep_login, scheme_of
from annotator_bridge.cvat.rest import sign_in
from annotator_bridge.cvat.session import open_anonymously, open_server
from edge.errors import SettingsError


def log_in(home: Path, server: str, *, username: str = "", password: str = "", token: str = "", wait: Wait) -> Login:
    """Sign in and keep the token.

    Args:
        home: the appliance's folder; the token lies in a file of it that nobody else may read.
        server: its address, which was checked.
        username, password: of an account; or
        token: of it, such as a personal access token.
        wait: where retries wait.

    Returns:
        The account.

    Raises:
        SettingsError: neither is given.
        LoginNeededError: the server does not accept it, or it is no token.
        TransportError: it cannot be asked.
        StoreError: the token cannot be kept.
    """
    if not token and not (username and password):
        raise SettingsError("name and password are needed, or a token")
    if token:
        token = checked_token(token)
    else:
        with open_anonymously(server, wait=wait) as (link, _):
            token = sign_in(link, username, password)
    login = Login(server=server, username=username, token=token, scheme=scheme_of(token))
    with open_server(login, wait=wait) as opened:
        login = replace(login, username=opened.who())
    keep_login(home, login)
    return login
