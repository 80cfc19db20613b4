"""Talk to the appliance that already runs on a home folder, over its own JSON API.

Who may read the home folder's `keys` is its administrator: the running appliance leaves a token there, which the commands
send. With TLS they send it only to whoever has the very certificate that the appliance noted down.
"""

from __future__ import annotations

import hashlib
import http.client
import json
import os
import ssl
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from edge.errors import AccessError, BusyError, EdgeError, InputError, ModelError, Reason, SettingsError, StoreError, TransportError

ADDRESS_NAME = "service.json"
TOKEN_NAME = "keys/local.token"  # noqa: S105 (where it lies, not what it is)
_TIMEOUT_S = 600


def write_address(home: Path, url: str, *, sha256: str = "") -> None:
    """Note where the pages are and which certificate they have, for the commands of the same home folder."""
    path = home / ADDRESS_NAME
    temporary = path.with_suffix(".tmp")
    temporary.write_text(json.dumps({"url": url, "pid": os.getpid(), "sha256": sha256}))
    temporary.replace(path)


def remove_address(home: Path) -> None:
    """The pages are no longer served."""
    (home / ADDRESS_NAME).unlink(missing_ok=True)
    (home / TOKEN_NAME).unlink(missing_ok=True)


def read_address(home: Path) -> str | None:
    """Where the pages of this home folder are, as far as is noted."""
    return _noted(home).get("url")


def ask(home: Path, method: str, path: str, body: dict[str, object], *, instead_of: BusyError) -> Any:
    """One request to the running appliance.

    Raises:
        BusyError: its address is not known or it does not answer.
        AccessError: somebody else answers at its address.
        EdgeError: it refused; of the family that it named, with its message and advice.
    """
    noted = _noted(home)
    if "url" not in noted:
        raise instead_of
    try:
        connection = _connect(noted["url"], noted.get("sha256", ""))
    except OSError as error:
        raise instead_of from error
    try:
        connection.request(method, path, body=json.dumps(body).encode(), headers=_headers(home))
        answer = connection.getresponse()
        text = answer.read()
    except (OSError, http.client.HTTPException) as error:
        raise instead_of from error
    finally:
        connection.close()
    if answer.status >= 300:
        raise _refused(answer.status, text)
    return json.loads(text)


def _noted(home: Path) -> dict[str, str]:
    try:
        noted = json.loads((home / ADDRESS_NAME).read_text())
    except (OSError, ValueError):
        return {}
    return {name: value for name, value in noted.items() if isinstance(value, str)} if isinstance(noted, dict) else {}


def _headers(home: Path) -> dict[str, str]:
    headers = {"Content-Type": "application/json"}
    with suppress(OSError, ValueError):  # where it cannot be read the appliance says what is missing
        headers["Authorization"] = f"Bearer {(home / TOKEN_NAME).read_text(encoding='ascii').strip()}"
    return headers


def _connect(url: str, sha256: str) -> http.client.HTTPConnection:
    """A connection to our own address; no proxy, and with TLS nobody but the certificate that was noted.

    Raises:
        AccessError: it has another certificate.
        OSError: nobody answers.
    """
    parts = urlsplit(url)
    assert parts.hostname is not None  # we wrote it
    if parts.scheme != "https":
        return http.client.HTTPConnection(parts.hostname, parts.port, timeout=_TIMEOUT_S)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False  # the certificate itself is compared below, which is stricter
    context.verify_mode = ssl.CERT_NONE
    connection = http.client.HTTPSConnection(parts.hostname, parts.port, timeout=_TIMEOUT_S, context=context)
    connection.connect()
    found = connection.sock.getpeercert(binary_form=True)
    if not sha256 or hashlib.sha256(found or b"").digest() != bytes.fromhex(sha256.replace(":", "")):
        connection.close()
        advice = "Is something else served on its port? Nothing was sent. Start the appliance again."
        raise AccessError(f"whoever answers at {url} has another certificate than the appliance", advice=advice)
    return connection


def _refused(status: int, text: bytes) -> EdgeError:
    try:
        told = json.loads(text)
        kind = family_of(told["code"])
        if kind is InputError:  # the reason of a file is not told apart from the message
            return InputError(Reason.CORRUPT, told["message"], advice=told["advice"])
        return kind(told["message"], advice=told["advice"])
    except (ValueError, KeyError, TypeError):
        return EdgeError(f"the running appliance answered {status}")


def family_of(code: str) -> type[EdgeError]:
    """The kind of error that a refusal names; a code that this program does not know is the root's."""
    if code in {"sign_in_needed", "role_needed", "csrf_refused", "person_needed"}:
        return AccessError
    for family in (SettingsError, StoreError, InputError, ModelError, TransportError, BusyError, AccessError):
        kinds: list[type[EdgeError]] = [family, *family.__subclasses__()]
        for kind in kinds:
            if kind.code == code and code != "locked_out":  # which needs more than a message
                return kind
    return EdgeError
