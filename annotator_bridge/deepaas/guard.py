"""Who may call the models, and how much a call may carry: before anything of it is read."""

from __future__ import annotations

import structlog
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from annotator_bridge.facade.access import Doorman
from annotator_bridge.facade.bodies import discard_body

log = structlog.get_logger()

_DISCARDED_BODIES = 8  # read for nothing: whoever still sends when the connection is closed never reads the answer


class CallerGuard:
    """Refuses callers from elsewhere (403), and bodies that are too large (413), before and while they are read."""

    def __init__(self, app: ASGIApp, *, doorman: Doorman, max_body_bytes: int) -> None:
        self._app = app
        self._doorman = doorman
        self._max_body_bytes = max_body_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse, or pass the request on with its body counted."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        address = (scope.get("client") or ("", 0))[0]
        if not self._doorman.allows(address):
            log.warning("caller_refused", address=address)
            message = f"calls from {address} are not taken; the setting cvat_allowed_from says from where they are"
            await JSONResponse({"message": message}, status_code=403)(scope, receive, send)
            return
        length = next((value for name, value in scope["headers"] if name == b"content-length"), b"0")
        if length.isdigit() and int(length) > self._max_body_bytes:
            await discard_body(receive, most_bytes=_DISCARDED_BODIES * self._max_body_bytes)
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
            await discard_body(receive, most_bytes=_DISCARDED_BODIES * self._max_body_bytes)
            await self._too_large()(scope, receive, send)

    def _too_large(self) -> JSONResponse:
        message = f"the body is larger than {self._max_body_bytes} bytes; the setting cvat_body_mb allows more"
        return JSONResponse({"message": message}, status_code=413, headers={"connection": "close"})


class _TooLargeError(Exception):
    """More bytes came than are taken."""
