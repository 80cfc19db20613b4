"""The address of a server: https, or plain http on the machine itself, unless a setting says otherwise."""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit

from edge.errors import SettingsError


def checked_server(address: str, *, plain_allowed: bool = False) -> str:
    """The address of a server without a slash at its end.

    Raises:
        SettingsError: it is no address, or plain http to another machine.
    """
    advice = "The setting is such as https://ecotaxa.obs-vlfr.fr/api."
    try:
        parts = urlsplit(address.strip())
        port_is_one = parts.port is None or parts.port > 0
    except ValueError as error:
        raise SettingsError(f"{address!r} is no address of an EcoTaxa server: {error}", advice=advice) from error
    if parts.scheme not in ("https", "http") or not parts.hostname or not port_is_one or parts.username or parts.query or parts.fragment:
        raise SettingsError(f"{address!r} is no address of an EcoTaxa server", advice=advice)
    if parts.scheme == "http" and not plain_allowed and not is_own_machine(parts.hostname):
        raise SettingsError(
            f"{address} is plain http: the password could be read on its way",
            advice="Use https, or set `ecotaxa_plain_http` if the server is on a network of your own.",
        )
    return address.strip().rstrip("/")


def is_own_machine(host: str) -> bool:
    """Whether a name or an address is this machine's own, whatever the network."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
