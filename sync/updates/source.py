"""Where updates come from: a web server that the settings name, or a folder that somebody brought."""

from __future__ import annotations

import ipaddress
from pathlib import Path
from urllib.parse import urlsplit

from edge.errors import SettingsError


def checked_source(given: str) -> str | Path:
    """An address with a slash at its end, or a folder.

    Plain http is taken on the machine's own and on private networks only. What comes is signed, so nobody on the way can change it or
    bring an old copy unseen; but everybody on the way can see what this ship fetches, and keep it from coming.

    Raises:
        SettingsError: it is neither, or plain http to somewhere else.
    """
    advice = "The setting `updates_url` is such as https://models.example.org/imagine/, and --from names a folder."
    if not given.strip():
        raise SettingsError("no place is set from which updates come", advice=advice)
    if "://" not in given:
        return Path(given).expanduser().absolute()
    try:
        parts = urlsplit(given.strip())
        port_is_one = parts.port is None or parts.port > 0
    except ValueError as error:
        raise SettingsError(f"{given!r} is no address of a web server: {error}", advice=advice) from error
    if parts.scheme not in {"https", "http"} or not parts.hostname or not port_is_one or parts.username or parts.query or parts.fragment:
        raise SettingsError(f"{given!r} is no address of a web server", advice=advice)
    if parts.scheme == "http" and not is_own_network(parts.hostname):
        raise SettingsError(
            f"{given} is plain http across other people's networks",
            advice="Use https; plain http is for 127.0.0.1 and for private addresses.",
        )
    return given.strip().rstrip("/") + "/"


def is_own_network(host: str) -> bool:
    """Whether a name or an address is this machine's own or of a private network, without asking a name server."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host == "localhost"
    return address.is_loopback or (address.is_private and not address.is_unspecified)
