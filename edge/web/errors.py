"""Errors as answers: JSON for programs, a page that says what to do for people, and never a stack trace."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from http import HTTPStatus
from urllib.parse import urlencode, urlsplit

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, RedirectResponse, Response
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from edge.errors import (
    AccessError,
    AccountError,
    BusyError,
    DiskFullError,
    EdgeError,
    LockedOutError,
    SignInRefusedError,
    StoreError,
    TransportError,
)
from edge.store.sqlite import sqlite3
from edge.web.pages import render

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """Why a request was not answered. `code` is stable, `advice` says what to do next."""

    code: str
    message: str
    advice: str


class RequestError(Exception):
    """A request that cannot be answered, with its HTTP status."""

    def __init__(self, status: int, problem: Problem) -> None:
        super().__init__(problem.message)
        self.status = status
        self.problem = problem


def no_such(what: str, value: object) -> RequestError:
    """404: the thing that was asked for is not there."""
    advice = "It may belong to another database. Look for it on the Files page, or list it with GET /api/files."
    return RequestError(404, Problem(code="not_found", message=f"there is no {what} {value}", advice=advice))


def invalid(message: str, advice: str) -> RequestError:
    """422: the request says something that cannot be."""
    return RequestError(422, Problem(code="invalid_request", message=message, advice=advice))


def add_error_handlers(app: FastAPI) -> None:
    """Let every error leave the appliance as a `Problem`."""
    app.add_exception_handler(RequestError, _on_request_error)
    app.add_exception_handler(EdgeError, _on_edge_error)
    app.add_exception_handler(sqlite3.Error, _on_sqlite_error)
    app.add_exception_handler(RequestValidationError, _on_invalid)
    app.add_exception_handler(HTTPException, _on_http_exception)


def answer(request: Request, status: int, problem: Problem) -> Response:
    """The problem as JSON under /api, /metrics and /healthz, else as a page."""
    if wants_json(request):
        return JSONResponse(asdict(problem), status_code=status)
    return render(
        request,
        "problem.html",
        status=status,
        problem=problem,
        status_code=status,
        status_words=HTTPStatus(status).phrase,
        sign_in=_sign_in_and_back(request) if status == HTTPStatus.UNAUTHORIZED else "",
    )


def edge_status(error: EdgeError) -> int:
    """The HTTP status of an error of the appliance: 503 if waiting may help, 401, 403 and 429 by who asked, else 409."""
    if isinstance(error, AccessError):
        return 429 if isinstance(error, LockedOutError) else 401 if isinstance(error, SignInRefusedError) else 403
    if isinstance(error, AccountError):
        return 422
    return 503 if isinstance(error, StoreError | DiskFullError | TransportError | BusyError) else 409


def sign_in_first(request: Request) -> Response:
    """Lead a page to the sign-in, and back to where one was."""
    return RedirectResponse(_sign_in_address(request.url.path, request.url.query), status_code=303)


def _sign_in_and_back(request: Request) -> str:
    """The sign-in for a form that came too late; it leads back to the page that the form stands on."""
    page = urlsplit(request.headers.get("referer", ""))
    is_ours = page.netloc.lower() == request.headers.get("host", "").lower()
    return _sign_in_address(page.path if is_ours and page.path else "/", page.query if is_ours else "")


def _sign_in_address(path: str, query: str) -> str:
    here = f"{path}?{query}" if query else path
    return "/sign-in" if here == "/" else f"/sign-in?{urlencode({'next': here})}"


def wants_json(request: Request) -> bool:
    """Whether a program asks, as far as the address tells."""
    return request.url.path.startswith(("/api/", "/metrics", "/healthz"))


async def _on_request_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestError)  # registered for this type only
    if error.status == 401 and request.method == "GET" and not wants_json(request):
        return sign_in_first(request)
    return answer(request, error.status, error.problem)


async def _on_edge_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, EdgeError)  # registered for this type only
    log.warning("request_refused", path=request.url.path, code=error.code, error=str(error))
    response = answer(request, edge_status(error), Problem(code=error.code, message=str(error), advice=error.advice()))
    if isinstance(error, LockedOutError):
        response.headers["retry-after"] = str(error.left_s)
    return response


async def _on_sqlite_error(request: Request, error: Exception) -> Response:
    log.error("read_failed", path=request.url.path, error=str(error))
    problem = Problem(code=StoreError.code, message=f"the database did not answer: {error}", advice=StoreError.default_advice)
    return answer(request, 503, problem)


async def _on_invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # registered for this type only
    faults = "; ".join(f"{'.'.join(map(str, fault['loc'][1:])) or 'body'}: {fault['msg']}" for fault in error.errors())
    advice = "Correct the named value; the API page lists what each accepts."
    return answer(request, 422, Problem(code="invalid_request", message=faults, advice=advice))


async def _on_http_exception(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # registered for this type only
    if error.status_code == 404:
        advice = "Check the address, or go on from the navigation at the top; the API page lists every address."
        problem = Problem(code="not_found", message="There is nothing at this address.", advice=advice)
    else:
        problem = Problem(
            code=f"http_{error.status_code}", message=str(error.detail), advice="The API page lists how each address is called."
        )
    response = answer(request, error.status_code, problem)
    response.headers.update(error.headers or {})
    return response


class BugGuard:
    """The request border: an error that nobody foresaw is logged, counted and answered, and the connection lives on."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on; answer 500 if it fails before its answer has begun."""
        has_begun = False

        async def watched_send(message: Message) -> None:
            nonlocal has_begun
            has_begun = True
            await send(message)

        try:
            await self._app(scope, receive, watched_send)
        except Exception:
            log.exception("request_failed", path=scope.get("path"), method=scope.get("method"))
            scope["app"].state.failed_requests += 1
            if scope["type"] != "http" or has_begun:
                raise
            await _bug(Request(scope))(scope, receive, send)


def _bug(request: Request) -> Response:
    advice = "Processing goes on. Try again; if it stays, save the log from the home folder and report its last lines."
    return answer(request, 500, Problem(code="internal_error", message="The page could not be made.", advice=advice))
