"""Who may call the models, and how much a call may carry: before anything of it is read."""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

import structlog
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

log = structlog.get_logger()


def networks_of(texts: Sequence[str]) -> tuple[IPv4Network | IPv6Network, ...]:
    """The networks of `cvat_allowed_from`.

    Raises:
        ValueError: one of them is none.
    """
    return tuple(ip_network(text, strict=False) for text in texts)


def may_call(address: str, networks: Sequence[IPv4Network | IPv6Network]) -> bool:
    """Whether an address lies in one of the networks; what is no address never does."""
    try:
        found = ip_address(address)
    except ValueError:
        return False
    if isinstance(found, IPv6Address) and found.ipv4_mapped is not None:
        found = found.ipv4_mapped
    return any(found in network for network in networks)


class CallerGuard:
    """Refuses callers from elsewhere (403), and bodies that are too large (413), before and while they are read."""

    def __init__(self, app: ASGIApp, *, networks: Sequence[str], max_body_bytes: int) -> None:
        self._app = app
        self._networks = networks_of(networks)
        self._max_body_bytes = max_body_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse, or pass the request on with its body counted."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        address = (scope.get("client") or ("", 0))[0]
        if not may_call(address, self._networks):
            log.warning("caller_refused", address=address)
            message = f"calls from {address} are not taken; the setting cvat_allowed_from says from where they are"
            await JSONResponse({"message": message}, status_code=403)(scope, receive, send)
            return
        length = next((value for name, value in scope["headers"] if name == b"content-length"), b"0")
        if length.isdigit() and int(length) > self._max_body_bytes:
            await self._too_large()(scope, receive, send)
            return
        await self._counted(scope, receive, send)

    async def _counted(self, scope: Scope, receive: Receive, send: Send) -> None:
        received_bytes = 0
        has_begun = False

        async def counting() -> Message:
            nonlocal received_bytes
            message = await receive()
            received_bytes += len(message.get("body", b""))
            if received_bytes > self._max_body_bytes:
                raise _TooLargeError
            return message

        async def noting(message: Message) -> None:
            nonlocal has_begun
            has_begun = True
            await send(message)

        try:
            await self._app(scope, counting, noting)
        except _TooLargeError:
            if has_begun:
                raise
            await self._too_large()(scope, receive, send)

    def _too_large(self) -> JSONResponse:
        message = f"the body is larger than {self._max_body_bytes} bytes; the setting cvat_body_mb allows more"
        return JSONResponse({"message": message}, status_code=413, headers={"connection": "close"})


class _TooLargeError(Exception):
    """More bytes came than are taken."""
