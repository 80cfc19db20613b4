"""The address that CVAT takes for Nuclio's dashboard: its three requests, answered from this machine's model packs.

    GET  /api/functions               an object of functions
    GET  /api/functions/ID            one of them, or 404
    POST /api/function_invocations    `x-nuclio-function-name` says which; the body is the call

CVAT needs neither Nuclio nor a container for this: CVAT_NUCLIO_HOST, CVAT_NUCLIO_PORT and CVAT_NUCLIO_INVOKE_METHOD=dashboard point
here (docs/cvat.md). A plain ASGI application: nothing is parsed here but the path, and no image library is loaded.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from typing import Any

from annotator_bridge.facade.access import Doorman
from annotator_bridge.facade.bodies import GoneError, Receive, TooLargeError, TooSlowError, discard_body, read_body, waits_s
from annotator_bridge.facade.record import Recorder
from annotator_bridge.facade.turns import Answer, Call
from annotator_bridge.facade.wire import function_document, list_document
from annotator_bridge.facade.worker import Worker
from annotator_bridge.functions.catalogue import Catalogue, CatalogueReader, Entry
from annotator_bridge.functions.function import BadCallError, UnknownFunctionError
from edge.units import s_to_ms

Scope = MutableMapping[str, Any]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

FUNCTIONS_PATH, INVOKE_PATH = "/api/functions", "/api/function_invocations"
FUNCTION_HEADER, WAIT_HEADER = b"x-nuclio-function-name", b"x-nuclio-invoke-timeout"
_BODIES_AT_ONCE = 4  # largest bodies that are held in memory together
_DISCARDED_BODIES = 8
_RETRY_AFTER_S = 5
_MARGIN_S = 0.5  # the answer leaves so long before its caller gives up
_DIRECT_ADVICE = "set CVAT_NUCLIO_INVOKE_METHOD=dashboard on cvat_server and on cvat_worker_annotation"


@dataclass(frozen=True, slots=True, kw_only=True)
class FacadeParts:
    """What the application stands on. `port` is the one that it is reached at; `body_bytes` the largest body."""

    catalogue: CatalogueReader
    worker: Worker
    doorman: Doorman
    recorder: Recorder
    port: int
    body_bytes: int


class Facade:
    """The ASGI application."""

    def __init__(self, parts: FacadeParts) -> None:
        self._parts = parts
        self._held_bytes = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http":
            return
        caller = scope["client"][0] if scope.get("client") else ""
        path = self._parts.doorman.inner_path(scope["path"])
        refused = self._refused(scope, caller, path)
        if refused is not None:
            await discard_body(receive, most_bytes=self._parts.body_bytes)
            await self._fail(send, refused, "", caller)
            return
        assert path is not None, "a path without its token is refused"
        if scope["method"] == "POST":
            await self._invoke(scope, receive, send, caller)
        else:
            await self._tell(path, send, caller)

    def _refused(self, scope: Scope, caller: str, path: str | None) -> Answer | None:
        """Why a request is not even looked at."""
        if not self._parts.doorman.allows(caller):
            reason = f"{caller or 'the caller'} is in none of the networks of cvat_allowed_from"
            return Answer(status=403, code="caller_refused", reason=reason)
        if path is None:
            return Answer(status=403, code="token_refused", reason="the call does not carry the token of cvat_token in its path")
        is_invoke = path == INVOKE_PATH
        if scope["method"] == "POST" and path == "/":
            return Answer(status=404, code="invoked_directly", reason=f"CVAT called a function by its port: {_DIRECT_ADVICE}")
        if not is_invoke and path != FUNCTIONS_PATH and not path.startswith(f"{FUNCTIONS_PATH}/"):
            return Answer(status=404, code="unknown_path", reason=f"{scope['method']} {path[:80]} is no request of CVAT")
        if scope["method"] not in ({"POST"} if is_invoke else {"GET", "HEAD"}):
            return Answer(status=405, code="unknown_path", reason=f"{scope['method']} {path[:80]} is no request of CVAT")
        return None

    async def _tell(self, path: str, send: Send, caller: str) -> None:
        """The list of functions, or one of them."""
        catalogue = await self._catalogue()
        if path == FUNCTIONS_PATH:
            await _send_json(send, 200, list_document((entry.info for entry in catalogue.entries.values()), port=self._parts.port))
            return
        name = path.removeprefix(f"{FUNCTIONS_PATH}/")
        try:
            await _send_json(send, 200, function_document(catalogue.find(name).info, port=self._parts.port))
        except UnknownFunctionError as error:
            await self._fail(send, Answer(status=404, code=error.code, reason=str(error)), name, caller)

    async def _invoke(self, scope: Scope, receive: Receive, send: Send, caller: str) -> None:
        """A call of a function: in, to the child, and back."""
        begun_s = time.monotonic()
        name, wait, length = _headers(scope)
        try:
            entry = _named(await self._catalogue(), name)
        except (BadCallError, UnknownFunctionError) as error:
            await discard_body(receive, most_bytes=_DISCARDED_BODIES * self._parts.body_bytes)
            status = 404 if isinstance(error, UnknownFunctionError) else 400
            await self._fail(send, Answer(status=status, code=error.code, reason=str(error)), name, caller)
            return
        claimed = length if length >= 0 else self._parts.body_bytes
        answer = await self._room_for(claimed, receive)
        if answer is None:
            self._held_bytes += claimed
            try:
                answer = await self._answered(entry, receive, end_s=begun_s + waits_s(wait) - _MARGIN_S)
            finally:
                self._held_bytes -= claimed
        if answer is None:
            gone = Answer(status=499, code="caller_gone", reason="the caller went away before its answer was ready")
            self._parts.recorder.failed(name, gone.status, gone.code, gone.reason, caller=caller)
        elif answer.status == 200:
            self._parts.recorder.answered(name, s_to_ms(time.monotonic() - begun_s) - answer.loaded_ms)
            await _send(send, 200, answer.body)
        else:
            await self._fail(send, answer, name, caller)

    async def _room_for(self, length: int, receive: Receive) -> Answer | None:
        """None where a body of that length may come."""
        most = self._parts.body_bytes
        if length > most:
            await discard_body(receive, most_bytes=_DISCARDED_BODIES * most)
            return _too_large(length, most)
        if self._held_bytes + length > _BODIES_AT_ONCE * most:
            await discard_body(receive, most_bytes=most)
            return _busy("the bodies of other calls fill the memory that is set aside for them")
        return None

    async def _answered(self, entry: Entry, receive: Receive, *, end_s: float) -> Answer | None:
        """What became of a call; None if its caller went away."""
        most = self._parts.body_bytes
        try:
            body = await read_body(receive, most_bytes=most)
        except TooLargeError:
            await discard_body(receive, most_bytes=_DISCARDED_BODIES * most)
            return _too_large(None, most)
        except TooSlowError:
            return Answer(status=408, code="body_too_slow", reason="the body of the call did not come in time")
        except GoneError:
            return None
        loop = asyncio.get_running_loop()
        call = Call(function_id=entry.info.id, kind=entry.info.kind, mark=entry.mark, body=body, loop=loop, answer=loop.create_future())
        if not self._parts.worker.submit(call):
            return _busy("too many calls wait already")
        return await self._waited(call, receive, end_s)

    async def _waited(self, call: Call, receive: Receive, end_s: float) -> Answer | None:
        """The answer of the child, unless the caller goes first or its time is over."""
        gone = asyncio.ensure_future(_gone(receive))
        try:
            either: set[asyncio.Future[Any]] = {call.answer, gone}
            await asyncio.wait(either, timeout=max(0.0, end_s - time.monotonic()), return_when=asyncio.FIRST_COMPLETED)
        finally:
            gone.cancel()
        if call.answer.done():
            return call.answer.result()
        was_waiting = call.state == "waiting"
        self._parts.worker.give_up(call)
        if gone.done() and not gone.cancelled():
            return None
        if was_waiting:
            return _busy("the call's turn did not come before its caller stops waiting")
        return Answer(status=504, code="timed_out", reason="the function gave no answer before its caller stops waiting")

    async def _catalogue(self) -> Catalogue:
        catalogue = self._parts.catalogue.fresh
        if catalogue is not None:
            return catalogue
        catalogue = await asyncio.get_running_loop().run_in_executor(None, self._parts.catalogue.read)
        self._parts.recorder.leave_out([(one.name, one.reason) for one in catalogue.left_out])
        return catalogue

    async def _fail(self, send: Send, answer: Answer, function: str, caller: str) -> None:
        """Tell a failure: CVAT shows its users the status only, the record keeps the reason."""
        self._parts.recorder.failed(function, answer.status, answer.code, answer.reason, caller=caller)
        headers = [] if answer.retry_after_s is None else [(b"retry-after", str(answer.retry_after_s).encode())]
        await _send_json(send, answer.status, {"error": {"code": answer.code, "message": answer.reason}}, headers)


def _named(catalogue: Catalogue, name: str) -> Entry:
    if not name:
        raise BadCallError("the call names no function in x-nuclio-function-name")
    return catalogue.find(name)


def _headers(scope: Scope) -> tuple[str, str | None, int]:
    """Function, patience and length (-1 if it is not told) of a call."""
    found = dict(scope["headers"])
    length = found.get(b"content-length", b"")
    wait = found.get(WAIT_HEADER)
    return (
        found.get(FUNCTION_HEADER, b"").decode("latin-1").strip(),
        None if wait is None else wait.decode("latin-1"),
        int(length) if length.isdigit() else -1,
    )


def _too_large(length: int | None, most: int) -> Answer:
    told = "a body" if length is None else f"a body of {length >> 20} MiB"
    return Answer(status=413, code="body_too_large", reason=f"{told} is more than the {most >> 20} MiB of cvat_body_mb")


def _busy(reason: str) -> Answer:
    return Answer(status=503, code="busy", reason=reason, retry_after_s=_RETRY_AFTER_S)


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _send_json(send: Send, status: int, document: dict[str, Any], headers: list[tuple[bytes, bytes]] | None = None) -> None:
    await _send(send, status, json.dumps(document, ensure_ascii=False).encode(), headers)


async def _send(send: Send, status: int, body: bytes, headers: list[tuple[bytes, bytes]] | None = None) -> None:
    told = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode()), *(headers or [])]
    await send({"type": "http.response.start", "status": status, "headers": told})
    await send({"type": "http.response.body", "body": body})
