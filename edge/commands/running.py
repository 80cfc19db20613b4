"""Talk to the appliance that already runs on a home folder, over its own JSON API on loopback."""

from __future__ import annotations

import json
import os
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from edge.errors import BusyError, EdgeError, ModelError, SettingsError, StoreError

ADDRESS_NAME = "service.json"


def write_address(home: Path, url: str) -> None:
    """Note where the pages are, for the commands of the same home folder."""
    path = home / ADDRESS_NAME
    temporary = path.with_suffix(".tmp")
    temporary.write_text(json.dumps({"url": url, "pid": os.getpid()}))
    temporary.replace(path)


def remove_address(home: Path) -> None:
    """The pages are no longer served."""
    (home / ADDRESS_NAME).unlink(missing_ok=True)


def read_address(home: Path) -> str | None:
    """Where the pages of this home folder are, as far as is noted."""
    try:
        url = json.loads((home / ADDRESS_NAME).read_text())["url"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return str(url)


def ask(home: Path, method: str, path: str, body: dict[str, object], *, instead_of: BusyError) -> Any:
    """One request to the running appliance.

    Raises:
        BusyError: its address is not known or it does not answer.
        EdgeError: it refused; of the family that it named, with its message and advice.
    """
    url = read_address(home)
    if url is None:
        raise instead_of
    request = urllib.request.Request(  # noqa: S310 (our own loopback address)
        f"{url}{path}", method=method, data=json.dumps(body).encode(), headers={"Content-Type": "application/json"}
    )
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=600) as response:
            return json.load(response)
    except urllib.error.HTTPError as error:
        raise _refused(error) from error
    except OSError as error:
        raise instead_of from error


def _refused(error: urllib.error.HTTPError) -> EdgeError:
    try:
        told = json.load(error)
        return family_of(told["code"])(told["message"], advice=told["advice"])
    except (ValueError, KeyError, TypeError):
        return EdgeError(f"the running appliance answered {error.code}")


def family_of(code: str) -> type[EdgeError]:
    """The kind of error that a refusal names; a code that this program does not know is the root's."""
    for family in (SettingsError, StoreError, ModelError, BusyError):
        kinds: list[type[EdgeError]] = [family, *family.__subclasses__()]
        for kind in kinds:
            if kind.code == code:
                return kind
    return EdgeError
