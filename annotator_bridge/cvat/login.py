"""Who we are to CVAT: a token, in a file that nobody else may read; never a password.

CVAT gives an account one token for its name and password (`Token`), and since 2.48 people make personal access tokens in the settings of
their account (`Bearer`), which can be taken back one by one. Neither ends by itself unless somebody says so there. Neither is ever in the
database, in the log, in an answer or in settings.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from edge.errors import LoginNeededError, StoreError
from edge.store.keys import write_private

LOGIN_NAME = "keys/cvat.json"
TOKEN_VARIABLE = "IMAGINE_EDGE_CVAT_TOKEN"  # noqa: S105 (where it stands, not what it is)
LOGIN_ADVICE = (
    "Run `imagine-edge cvat login`, or sign in on the Annotate page; what waits goes on by itself. Signing out in CVAT ends the token of "
    "that account: give the appliance one of its own."
)

Scheme = Literal["Token", "Bearer"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """An account of a server.

    Attributes:
        server: its address; the token is for no other.
        username: the account's name there.
        token: what requests carry.
        scheme: what kind of token it is.
    """

    server: str
    username: str
    token: str = field(repr=False)
    scheme: Scheme = "Token"

    @property
    def authorization(self) -> str:
        """The header of that name."""
        return f"{self.scheme} {self.token}"


def read_login(home: Path, server: str) -> Login | None:
    """What is kept for a server, or its token of the environment; None if there is none.

    Raises:
        LoginNeededError: the token of the environment is none.
        StoreError: the file cannot be read, or others can read it too.
    """
    kept = _kept(home)
    if kept is not None and kept.server == server:
        return kept
    given = os.environ.get(TOKEN_VARIABLE)
    if not given:
        return None
    token = checked_token(given)
    return Login(server=server, username="", token=token, scheme=scheme_of(token))


def known_login(home: Path, server: str) -> Login | None:
    """As `read_login`, for what is shown: None also where it cannot be used, which whoever needs it is told."""
    try:
        return read_login(home, server)
    except (LoginNeededError, StoreError):
        return None


def needed_login(home: Path, server: str) -> Login:
    """As `read_login`.

    Raises:
        LoginNeededError: nothing is kept for the server, or no token.
        StoreError: as `read_login` says.
    """
    login = read_login(home, server)
    if login is None:
        raise LoginNeededError(f"nobody is signed in at {server}", advice=LOGIN_ADVICE)
    return login


def checked_token(token: str) -> str:
    """A token without what stands around it, such as the end of its line in a file.

    Raises:
        LoginNeededError: no header can carry it. What it is stands in no message: whoever refuses a header would quote it.
    """
    bare = token.strip()
    if not bare or not all("!" <= letter <= "~" for letter in bare):
        advice = "It is one line of letters, digits and signs: copy it from CVAT again, whole and without anything around it."
        raise LoginNeededError("what was given is no token of CVAT", advice=advice)
    return bare


def scheme_of(token: str) -> Scheme:
    """A personal access token has a point in it; the older kind is forty hexadecimal digits."""
    return "Token" if len(token) == 40 and all(one in "0123456789abcdef" for one in token) else "Bearer"


def keep_login(home: Path, login: Login) -> None:
    """Keep it, whole or not at all.

    Raises:
        StoreError: the folder cannot be written.
    """
    kept = {"server": login.server, "username": login.username, "token": login.token, "scheme": login.scheme}
    try:
        write_private(home / LOGIN_NAME, json.dumps(kept).encode())
    except OSError as error:
        raise StoreError(f"{home / LOGIN_NAME} cannot be written: {error.strerror}") from error


def forget_login(home: Path) -> bool:
    """Keep nothing any more. Returns whether anything was kept."""
    path = home / LOGIN_NAME
    had = path.exists()
    path.unlink(missing_ok=True)
    return had


def _kept(home: Path) -> Login | None:
    path = home / LOGIN_NAME
    advice = f"Delete {path} and run `imagine-edge cvat login` again."
    try:
        if os.name != "nt" and path.stat().st_mode & 0o077:
            raise StoreError(f"others than the appliance's account can read {path}", advice=f"Change the password. {advice}")
        kept = json.loads(path.read_text(encoding="utf-8"))
        scheme: Scheme = "Bearer" if kept["scheme"] == "Bearer" else "Token"
        return Login(server=kept["server"], username=kept["username"], token=checked_token(kept["token"]), scheme=scheme)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError, AttributeError, LoginNeededError) as error:
        raise StoreError(f"{path} cannot be used", advice=advice) from error
