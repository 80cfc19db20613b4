"""Who may call: networks of the peer's address, and a token as the first part of the path.

The token may be followed by a colon and digits: CVAT makes its addresses as scheme, host and port put together, and the only place for a
token is behind the host (`CVAT_NUCLIO_HOST=172.17.0.1:8070/TOKEN`), so that the port comes to stand behind the token.
"""

from __future__ import annotations

import hmac
import ipaddress
import re
from collections.abc import Iterable

from edge.errors import SettingsError

_TOKEN = re.compile(r"[A-Za-z0-9_-]+")
_FIRST_PART = re.compile(r"/([^/]*)(/.*)?", re.DOTALL)
_PORT_BEHIND = re.compile(r":\d{1,5}$")


class Doorman:
    """Lets callers in, or not."""

    def __init__(self, networks: Iterable[str], token: str) -> None:
        """Take `cvat_allowed_from` and `cvat_token`.

        Raises:
            SettingsError: a network is none, or the token cannot stand in a path.
        """
        self._networks = [_network(text) for text in networks]
        if token and not _TOKEN.fullmatch(token):
            raise SettingsError("cvat_token: only letters, digits, - and _ can stand in it")
        self._token = token

    @property
    def wants_token(self) -> bool:
        """Whether calls have to carry one."""
        return bool(self._token)

    def allows(self, address: str) -> bool:
        """Whether a peer's address lies in one of the networks."""
        try:
            found = ipaddress.ip_address(address.partition("%")[0])
        except ValueError:
            return False
        if isinstance(found, ipaddress.IPv6Address) and found.ipv4_mapped is not None:
            found = found.ipv4_mapped
        return any(found.version == network.version and found in network for network in self._networks)

    def inner_path(self, path: str) -> str | None:
        """The path without the token; None where it had to carry one and does not."""
        if not self._token:
            return path
        match = _FIRST_PART.fullmatch(path)
        if match is None:
            return None
        given = _PORT_BEHIND.sub("", match[1])
        return (match[2] or "/") if hmac.compare_digest(given.encode(), self._token.encode()) else None


def _network(text: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    try:
        return ipaddress.ip_network(text.strip(), strict=False)
    except ValueError as error:
        advice = "Write networks such as 172.16.0.0/12, or single addresses such as 192.168.1.20."
        raise SettingsError(f"cvat_allowed_from: {text!r} is no network", advice=advice) from error
