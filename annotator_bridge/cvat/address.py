"""The address of a CVAT server: https, or plain http on the machine itself, unless a setting says otherwise."""

from __future__ import annotations

from urllib.parse import urlsplit

from edge.errors import SettingsError
from edge.zooscan.ecotaxa.address import is_own_machine

NO_SERVER = "no CVAT server is set"
_ADVICE = "Set `cvat_url`, such as http://localhost:8080: the address under which people open CVAT, without a path."


def checked_address(address: str, *, plain_allowed: bool = False) -> str:
    """The address of a server without a slash at its end.

    Raises:
        SettingsError: none is set, it is no address, or plain http to another machine.
    """
    if not address.strip():
        raise SettingsError(NO_SERVER, advice=_ADVICE)
    try:
        parts = urlsplit(address.strip())
        port_is_one = parts.port is None or parts.port > 0
    except ValueError as error:
        raise SettingsError(f"{address!r} is no address of a CVAT server: {error}", advice=_ADVICE) from error
    is_one = parts.scheme in ("https", "http") and parts.hostname and port_is_one
    if not is_one or parts.username or parts.query or parts.fragment or parts.path not in ("", "/"):
        raise SettingsError(f"{address!r} is no address of a CVAT server", advice=_ADVICE)
    if parts.scheme == "http" and not plain_allowed and not is_own_machine(parts.hostname or ""):
        raise SettingsError(
            f"{address} is plain http: the password could be read on its way",
            advice="Use https, or set `cvat_plain_http` if the server is on a network of your own.",
        )
    return address.strip().rstrip("/")
