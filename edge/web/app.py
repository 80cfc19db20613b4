"""The web application: pages, JSON API and static files over one appliance."""

from __future__ import annotations

from collections.abc import Sequence

import anyio
from fastapi import FastAPI
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.staticfiles import StaticFiles

from edge import __version__
from edge.errors import StoreError
from edge.store.sqlite import sqlite3
from edge.web.appliance import Appliance
from edge.web.callers import Entrance
from edge.web.errors import BugGuard, add_error_handlers
from edge.web.guard import AccessGuard
from edge.web.pages import FOLDER, make_environment
from edge.web.pictures import CONVERSIONS_AT_ONCE, PictureCache
from edge.web.routes import (
    actions,
    agreement,
    annotate,
    annotate_actions,
    api_annotate,
    api_boxes,
    api_comparisons,
    api_counting,
    api_ecotaxa,
    api_media,
    api_misses,
    api_models,
    api_read,
    api_reviews,
    api_scan_forms,
    api_scans,
    api_surveys,
    api_sync,
    api_tracks,
    api_write,
    audit,
    comparisons,
    condition,
    counting,
    ecotaxa,
    events,
    files,
    home,
    metrics,
    model_actions,
    models,
    people,
    pictures,
    protocol,
    reference,
    results,
    reviews,
    scan_exports,
    scans,
    sign_in,
    stations,
    strips,
    survey_export,
    survey_media,
    survey_model,
    surveys,
    sync,
    tracks,
)
from edge.web.scan_quality import ScanQuality
from edge.web.security import SecurityHeaders, WriteGuard
from edge.web.uploads import sweep_uploads

ROUTERS = (
    home.router,
    files.router,
    condition.router,
    comparisons.router,  # a comparison is no pack: it goes before the models
    models.router,
    actions.router,
    model_actions.router,
    reference.router,
    surveys.router,
    protocol.router,
    stations.router,
    survey_media.router,
    api_surveys.router,
    api_media.router,
    sign_in.router,
    people.router,
    audit.router,
    survey_export.router,
    tracks.router,
    results.router,
    reviews.router,
    scans.router,
    scan_exports.router,
    scan_exports.api_router,
    api_scans.router,
    api_scan_forms.router,
    ecotaxa.router,
    api_ecotaxa.router,
    annotate.router,
    annotate_actions.router,
    api_annotate.router,
    sync.router,
    api_sync.router,
    strips.router,
    strips.api_router,
    survey_model.router,
    survey_model.api_router,
    counting.router,
    agreement.router,
    api_counting.router,
    api_reviews.router,
    api_misses.router,
    agreement.api_router,
    api_read.router,
    api_boxes.router,
    pictures.router,
    api_write.router,
    api_models.router,
    api_comparisons.router,
    people.api_router,
    audit.api_router,
    survey_export.api_router,
    api_tracks.router,
    events.router,
    metrics.router,
)
FRAMES_AT_ONCE = 8  # mostly waiting for the disk: two counters at 12.5 stills per second must not wait for each other
STRIPS_AT_ONCE = 2  # one is decoded, the next is looked for in the cache
LOOPBACK_NAMES = ("127.0.0.1", "localhost", "[::1]")


def create_app(appliance: Appliance, *, allowed_hosts: Sequence[str] = LOOPBACK_NAMES, entrance: Entrance | None = None) -> FastAPI:
    """The application for a running appliance.

    Args:
        appliance: what the pages show and call.
        allowed_hosts: names under which a browser may call it; an IPv6 address stands in brackets.
        entrance: how it is reached; on this machine's loopback without encryption if None.
    """
    app = FastAPI(
        title="iMagine Edge",
        summary="Survey images become measured, reviewed, defensible results",
        version=__version__,
        openapi_url="/api/openapi.json",
        docs_url=None,  # FastAPI's own viewers load from a CDN; /api is ours
        redoc_url=None,
    )
    app.state.appliance = appliance
    app.state.entrance = entrance or Entrance()
    app.state.templates = make_environment()
    app.state.pictures = PictureCache(appliance.home / "cache" / "pictures")
    app.state.scan_quality = ScanQuality(appliance.home)
    app.state.picture_threads = anyio.CapacityLimiter(CONVERSIONS_AT_ONCE)
    app.state.frame_threads = anyio.CapacityLimiter(FRAMES_AT_ONCE)
    app.state.strip_threads = anyio.CapacityLimiter(STRIPS_AT_ONCE)
    app.state.failed_requests = 0
    app.state.turnstile = sign_in.Turnstile()
    sweep_uploads(appliance.home)
    add_error_handlers(app)
    for router in ROUTERS:  # as they are: to include a router is to build each of its routes once more, at the first request
        app.router.routes.extend(router.routes)
    app.mount("/static", StaticFiles(directory=FOLDER / "static"), name="static")
    app.add_middleware(AccessGuard, appliance=appliance, entrance=app.state.entrance, is_free=_is_free(appliance, app.state.entrance))
    app.add_middleware(BugGuard)
    app.add_middleware(WriteGuard)
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=list(allowed_hosts), www_redirect=False)
    app.add_middleware(SecurityHeaders)  # added last: it sees every answer, refusals too
    return app


def _is_free(appliance: Appliance, entrance: Entrance) -> bool:
    try:
        return entrance.is_loopback and not appliance.people.has_accounts()
    except (StoreError, sqlite3.Error):
        return False
