"""Who we are to EcoTaxa: a token, and a password only if a person wants it kept, in a file that nobody else may read.

Neither is ever in the database, in the log, in an answer or in settings. Without a kept password `IMAGINE_EDGE_ECOTAXA_USER` and
`IMAGINE_EDGE_ECOTAXA_PASSWORD` of the environment renew a token that has expired (EcoTaxa's live for 31 days); without those a person
signs in again.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from pathlib import Path

from edge.errors import StoreError
from edge.store.keys import write_private

LOGIN_NAME = "keys/ecotaxa.json"
USER_VARIABLE = "IMAGINE_EDGE_ECOTAXA_USER"
PASSWORD_VARIABLE = "IMAGINE_EDGE_ECOTAXA_PASSWORD"  # noqa: S105 (where it stands, not what it is)


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """An account of a server.

    Attributes:
        server: its address; the token is for no other.
        username: the account's e-mail address.
        token: what requests carry; None before the first one.
        password: None if a person did not want it kept.
    """

    server: str
    username: str
    token: str | None = field(default=None, repr=False)
    password: str | None = field(default=None, repr=False)


def read_login(home: Path) -> Login | None:
    """What is kept; None if nothing is.

    Raises:
        StoreError: it cannot be read, or others can read it too.
    """
    path = home / LOGIN_NAME
    advice = f"Delete {path} and run `imagine-edge zooscan login` again."
    try:
        if os.name != "nt" and path.stat().st_mode & 0o077:
            raise StoreError(f"others than the appliance's account can read {path}", advice=f"Change the password. {advice}")
        kept = json.loads(path.read_text(encoding="utf-8"))
        return Login(server=kept["server"], username=kept["username"], token=kept["token"], password=kept["password"])
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise StoreError(f"{path} cannot be used", advice=advice) from error


def login_of_environment(server: str) -> Login | None:
    """Name and password of the environment; None if it has not both."""
    username, password = os.environ.get(USER_VARIABLE), os.environ.get(PASSWORD_VARIABLE)
    return Login(server=server, username=username, password=password) if username and password else None


def keep_login(home: Path, login: Login) -> None:
    """Keep it, whole or not at all.

    Raises:
        StoreError: the folder cannot be written.
    """
    kept = {"server": login.server, "username": login.username, "token": login.token, "password": login.password}
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
