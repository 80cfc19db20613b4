"""The door: every request is held against the table of `edge.web.access` before any route sees it.

Who asks is looked up for each request, so a role that was lowered, an account that was retired and a sign-in that was ended
hold at once. A write by a browser must carry the page's own token besides (`csrf` in a form, `X-CSRF-Token` in a header).
"""

from __future__ import annotations

import hmac
from dataclasses import replace
from urllib.parse import parse_qs

import anyio.to_thread
import structlog
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from edge.errors import EdgeError, StoreError
from edge.store.sqlite import sqlite3
from edge.survey.people import Role
from edge.survey.people_desk import PeopleDesk
from edge.web.access import Door, Need, need_of
from edge.web.appliance import Appliance
from edge.web.callers import Caller, Entrance, identify, is_local
from edge.web.errors import Problem, answer, sign_in_first, wants_json
from edge.web.security import SAFE_METHODS

log = structlog.get_logger()

SIGN_IN_PATH = "/sign-in"  # the one open page that looks who comes
CSRF_FIELD = "csrf"
CSRF_HEADER = "x-csrf-token"
LIVE_HEADER = "x-live"  # a page that keeps itself up to date: nobody's doing
_FORM = "application/x-www-form-urlencoded"

_SIGN_IN = Problem(
    code="sign_in_needed",
    message="You are signed out: the sign-in of this browser has ended.",
    advice="Sign in with POST /api/sign-in.",
)
_SIGN_IN_AGAIN = replace(_SIGN_IN, advice="Sign in again: the link at the top of the page leads to it and back.")
_STALE = Problem(
    code="csrf_refused",
    message="This page was opened before somebody else signed in here, or the request is not from a page of the appliance.",
    advice="Go back, load the page again and repeat it; a program sends the csrf_token of its sign-in as X-CSRF-Token.",
)
_NOTHING = Problem(
    code="not_found", message="There is nothing at this address.", advice="Check the address, or go on from the navigation at the top."
)


class AccessGuard:
    """Lets through who may, answers the others why not."""

    def __init__(self, app: ASGIApp, *, appliance: Appliance, entrance: Entrance, is_free: bool) -> None:
        """`is_free`: there was no account when the application was made."""
        self._app = app
        self._appliance = appliance
        self._entrance = entrance
        self._was_free = is_free

    @property
    def _desk(self) -> PeopleDesk:
        return self._appliance.people

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Find out who asks, then pass the request on or refuse it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        need = need_of(scope["method"], scope["path"])
        try:
            caller = await self._identify(need, scope["path"], headers)
        except (EdgeError, sqlite3.Error) as error:
            await _unavailable(scope, error)(scope, receive, send)
            return
        scope.setdefault("state", {})["caller"] = caller
        refusal = self._refuse(scope, need, caller)
        if refusal is None and caller.signed_in is not None and need is not Door.OPEN and scope["method"] not in SAFE_METHODS:
            is_ours, receive = await self._carries_token(caller, headers, receive)
            refusal = None if is_ours else answer(Request(scope), 403, _STALE)
        if refusal is not None:
            await refusal(scope, receive, send)
            return
        await self._note(scope, headers, caller)
        await self._app(scope, receive, send)

    async def _identify(self, need: Need | None, path: str, headers: Headers) -> Caller:
        """Whoever asks; while the database does not answer, what needs no role and what was open stays so."""
        if need is Door.OPEN and path != SIGN_IN_PATH:
            return Caller(is_free=self._was_free)
        try:
            caller = await anyio.to_thread.run_sync(identify, self._desk, self._entrance, headers)
        except (EdgeError, sqlite3.Error):
            if need is Door.OPEN or self._was_free:
                return Caller(is_free=self._was_free)
            raise
        self._was_free = caller.is_free
        return caller

    def _refuse(self, scope: Scope, need: Need | None, caller: Caller) -> Response | None:
        if caller.is_free or need is Door.OPEN or (need is Door.LOCAL and is_local(scope)):
            return None
        if caller.person is None:
            return _to_sign_in(scope)
        if need is None:
            return None if caller.person.role is Role.ADMINISTER else answer(Request(scope), 404, _NOTHING)
        role = Role.VIEW if isinstance(need, Door) else need
        if not caller.person.may(role):
            message = f"This needs the role {role}; {caller.person.name} has the role {caller.person.role}."
            advice = "Ask an administrator for the role, or somebody who has it to do this."
            return answer(Request(scope), 403, Problem(code="role_needed", message=message, advice=advice))
        return None

    async def _carries_token(self, caller: Caller, headers: Headers, receive: Receive) -> tuple[bool, Receive]:
        """Whether a write carries the page's token; where that stands in a form, the body is read and given on."""
        assert caller.person is not None
        wanted = self._entrance.csrf_token(caller.person)
        sent = headers.get(CSRF_HEADER)
        if sent is None and headers.get("content-type", "").partition(";")[0].strip().lower() == _FORM:
            body, receive = await _read(receive)
            sent = parse_qs(body.decode("utf-8", errors="replace"), max_num_fields=20_000).get(CSRF_FIELD, [""])[0]
        return hmac.compare_digest((sent or "").encode("utf-8", "replace"), wanted.encode()), receive

    async def _note(self, scope: Scope, headers: Headers, caller: Caller) -> None:
        """The idle time begins anew at what a person does, not at what an open page does by itself."""
        if caller.signed_in is None or LIVE_HEADER in headers or scope["path"] == "/api/events":
            return
        if headers.get("sec-fetch-dest", "document") not in {"document", "empty"}:
            return
        try:
            await anyio.to_thread.run_sync(self._desk.saw, caller.signed_in)
        except EdgeError as error:
            log.warning("sign_in_not_noted", error=str(error))  # a full disk must not keep anybody from reading


async def still_welcome(request: Request) -> bool:
    """Whether whoever opened a stream may still read it: signed in, with the role that it needs."""
    desk: PeopleDesk = request.app.state.appliance.people
    entrance: Entrance = request.app.state.entrance
    need = need_of(request.method, request.url.path)
    try:
        caller = await anyio.to_thread.run_sync(identify, desk, entrance, request.headers)
    except (EdgeError, sqlite3.Error):
        return True  # the stream tells no more than that something moved
    return caller.is_free or (caller.person is not None and isinstance(need, Role) and caller.person.may(need))


async def _read(receive: Receive) -> tuple[bytes, Receive]:
    """The whole body, which `WriteGuard` has bounded, and a `receive` that tells it again."""
    parts: list[bytes] = []
    more = True
    while more:
        message = await receive()
        if message["type"] != "http.request":
            break
        parts.append(message.get("body", b""))
        more = message.get("more_body", False)
    body, told = b"".join(parts), False

    async def again() -> Message:
        nonlocal told
        if told:
            return await receive()
        told = True
        return {"type": "http.request", "body": body, "more_body": False}

    return body, again


def _to_sign_in(scope: Scope) -> Response:
    """JSON for programs; a page leads to the sign-in and back."""
    request = Request(scope)
    if wants_json(request) or scope["method"] not in {"GET", "HEAD"}:
        is_page = "sec-fetch-mode" in request.headers  # the script of a page, or a form that came too late; programs send none
        return answer(request, 401, _SIGN_IN_AGAIN if is_page else _SIGN_IN)
    return sign_in_first(request)


def _unavailable(scope: Scope, error: Exception) -> Response:
    log.error("sign_in_unreadable", error=str(error))
    advice = error.advice() if isinstance(error, EdgeError) else StoreError.default_advice
    code = error.code if isinstance(error, EdgeError) else StoreError.code
    return answer(Request(scope), 503, Problem(code=code, message=f"the database did not answer: {error}", advice=advice))
