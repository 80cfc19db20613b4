"""The application: DEEPaaS' V2 routes, its redirects and its statuses, over the packs of this appliance.

    GET /                               versions                  GET /swagger.json   the description (Swagger 2.0)
    GET /v2/                            this version              GET /api            the same for people;  /ui leads there
    GET /v2/models/, /v2/models/NAME/   what there is             GET /v2/debug/      204
    POST /v2/models/NAME/predict/       {"status": "OK", "predictions": ...}, or a picture
    .../train/, .../train/UUID          402: models are trained ashore

A path without its last slash, or with a slash too many, is redirected (308), as DEEPaaS does. Errors are `{"message": ...}`, wrong
arguments 422 and `{"argument": ["message"]}`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import anyio
import structlog
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from annotator_bridge.deepaas.arguments import ArgumentsError
from annotator_bridge.deepaas.call import Call, answer, read_call
from annotator_bridge.deepaas.guard import CallerGuard
from annotator_bridge.deepaas.models import ServedModels, metadata
from annotator_bridge.deepaas.page import page
from annotator_bridge.deepaas.swagger import document
from annotator_bridge.facade.access import Doorman
from edge import __version__
from edge.errors import EdgeError
from edge.settings import Settings
from edge.units import mib_to_bytes
from models.pack import Pack

log = structlog.get_logger()

_VERSION = {"version": "stable", "id": "v2", "links": [{"rel": "self", "type": "application/json", "href": "/v2/"}]}
_LINKS = [
    {"rel": "help", "type": "text/html", "href": "/api"},
    {"rel": "describedby", "type": "application/json", "href": "/swagger.json"},
]
_ENDS_WITH_SLASH = re.compile(r"/v2(/models(/[^/]+(/(predict|train))?)?|/debug)?")
_NOT_TRAINED_HERE = "models are trained ashore and come aboard as packs: `imagine-edge models import` and the workshop do that"
_POLICY = {"content-security-policy": "default-src 'none'; frame-ancestors 'none'", "x-content-type-options": "nosniff"}


def create_app(models: ServedModels, settings: Settings, *, allowed_hosts: Sequence[str], threads: int) -> Starlette:
    """The application.

    Args:
        models: what can be asked.
        settings: who may call (`cvat_allowed_from`), how much may be sent (`cvat_body_mb`), how large an image may be (`max_pixels`).
        allowed_hosts: names under which it may be called; an IPv6 address stands in brackets.
        threads: predictions that run at once; further calls wait.

    Raises:
        SettingsError: a network of `cvat_allowed_from` is none.
    """
    app = Starlette(
        routes=[
            Route("/", _versions),
            Route("/v2/", _version),
            Route("/v2/debug/", _debug),
            Route("/v2/models/", _models),
            Route("/v2/models/{name}/", _model),
            Route("/v2/models/{name}/predict/", _predict, methods=["POST"]),
            Route("/v2/models/{name}/train/", _not_enabled, methods=["GET", "POST"]),
            Route("/v2/models/{name}/train/{uuid}", _not_enabled, methods=["GET", "DELETE"]),
            Route("/swagger.json", _swagger),
            Route("/api", _page),
            Route("/ui", _to_page),
        ],
        middleware=[
            Middleware(
                CallerGuard, doorman=Doorman(settings.cvat_allowed_from, token=""), max_body_bytes=mib_to_bytes(settings.cvat_body_mb)
            ),
            Middleware(TrustedHostMiddleware, allowed_hosts=list(allowed_hosts), www_redirect=False),
            Middleware(_OneSlash),
        ],
        exception_handlers={HTTPException: _refused, ArgumentsError: _bad_arguments, EdgeError: _failed, Exception: _broken},
    )
    app.router.redirect_slashes = False
    app.state.models = models
    app.state.max_pixels = settings.max_pixels
    app.state.max_body_bytes = mib_to_bytes(settings.cvat_body_mb)
    app.state.threads = threads
    return app


async def _versions(_request: Request) -> Response:
    return JSONResponse({"versions": [_VERSION], "links": _LINKS})


async def _version(_request: Request) -> Response:
    return JSONResponse(_VERSION)


async def _debug(_request: Request) -> Response:
    return Response(status_code=204)


async def _models(request: Request) -> Response:
    packs = await anyio.to_thread.run_sync(_served(request).all)
    return JSONResponse({"models": [metadata(pack) for pack in packs]})


async def _model(request: Request) -> Response:
    return JSONResponse(metadata(await _pack(request)))


async def _predict(request: Request) -> Response:
    pack = await _pack(request)
    state = request.app.state
    try:
        call = await read_call(request, pack.manifest)
    except ClientDisconnect:
        return Response(status_code=400)  # nobody reads it
    limits = {"max_pixels": state.max_pixels, "max_bytes": state.max_body_bytes}
    told = await anyio.to_thread.run_sync(lambda: answer(call, pack, _served(request), **limits), limiter=_limiter(request))
    headers = {"x-ignored-arguments": ", ".join(call.arguments.ignored)} if call.arguments.ignored else {}
    log.info("prediction_served", pack=pack.manifest.name, images=len(call.uploads), media=call.arguments.media)
    return _answered(told, call, headers)


def _answered(told: Any, call: Call, headers: Mapping[str, str]) -> Response:
    if call.arguments.media == "application/json":
        return JSONResponse({"status": "OK", "predictions": told}, headers=headers)
    return Response(told, media_type=call.arguments.media, headers={**headers, **_POLICY})


async def _not_enabled(request: Request) -> Response:
    await _pack(request)
    raise HTTPException(402, _NOT_TRAINED_HERE)


async def _swagger(request: Request) -> Response:
    packs = await anyio.to_thread.run_sync(_served(request).all)
    return JSONResponse(document([pack.manifest for pack in packs], version=__version__))


async def _page(request: Request) -> Response:
    packs = await anyio.to_thread.run_sync(_served(request).all)
    return HTMLResponse(page(document([pack.manifest for pack in packs], version=__version__)), headers=_POLICY)


async def _to_page(_request: Request) -> Response:
    return RedirectResponse("/api", status_code=302)


async def _pack(request: Request) -> Pack:
    name = request.path_params["name"]
    pack = await anyio.to_thread.run_sync(_served(request).get, name)
    if pack is None:
        raise HTTPException(404, f"there is no model named {name!r}; GET /v2/models/ lists them")
    return pack


def _served(request: Request) -> ServedModels:
    models: ServedModels = request.app.state.models
    return models


def _limiter(request: Request) -> anyio.CapacityLimiter:
    """Made at the first call: it belongs to the loop that serves."""
    state = request.app.state
    if not hasattr(state, "limiter"):
        state.limiter = anyio.CapacityLimiter(state.threads)
    limiter: anyio.CapacityLimiter = state.limiter
    return limiter


async def _refused(_request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return JSONResponse({"message": str(error.detail)}, status_code=error.status_code, headers=error.headers)


async def _bad_arguments(_request: Request, error: Exception) -> Response:
    assert isinstance(error, ArgumentsError)
    return JSONResponse(dict(error.messages), status_code=422)


async def _failed(_request: Request, error: Exception) -> Response:
    assert isinstance(error, EdgeError)
    log.error("prediction_failed", code=error.code, error=str(error))
    return JSONResponse({"message": f"{error}. {error.advice()}"}, status_code=500)


async def _broken(_request: Request, error: Exception) -> Response:  # the request's border: told, and logged in full
    log.error("prediction_broken", exc_info=error)
    return JSONResponse({"message": f"the appliance failed: {type(error).__name__}; its log says more"}, status_code=500)


class _OneSlash:
    """Redirects a path to itself with one slash between its parts and, where DEEPaaS has one, one at its end."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Redirect, or pass the request on."""
        if scope["type"] == "http":
            path = scope["path"]
            wanted = re.sub(r"/{2,}", "/", path)
            if _ENDS_WITH_SLASH.fullmatch(wanted):
                wanted += "/"
            if wanted != path:
                query = scope["query_string"].decode("latin-1")
                await RedirectResponse(wanted + (f"?{query}" if query else ""), status_code=308)(scope, receive, send)
                return
        await self._app(scope, receive, send)
