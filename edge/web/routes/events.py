"""Server-sent events: when something changed, so that an open page looks again; and a beat when nothing did."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator

import anyio
from fastapi import APIRouter, Request
from fastapi.responses import StreamingResponse

from edge.store.clock import utc_now
from edge.web.appliance import Appliance, Phase
from edge.web.deps import ApplianceHere
from edge.web.guard import still_welcome

router = APIRouter(prefix="/api", tags=["read"])

LOOK_EVERY_S = 0.5
BEAT_EVERY_S = 5.0
RECONNECT_AFTER_MS = 2000


class EventStream(StreamingResponse):
    """An endless answer of events."""

    media_type = "text/event-stream"


@router.get("/events", summary="When something changes", response_class=EventStream)
async def events(request: Request, appliance: ApplianceHere) -> EventStream:
    """Events named `change` with the data {"change": n, "at_utc": ..}: at every change, at most twice a second, and every 5 s."""
    return EventStream(_changes(request, appliance), headers={"cache-control": "no-store", "x-accel-buffering": "no"})


async def _changes(request: Request, appliance: Appliance) -> AsyncIterator[str]:
    yield f"retry: {RECONNECT_AFTER_MS}\n\n"
    sent, sent_at_s = -1, 0.0
    while not await request.is_disconnected():
        count, now_s = appliance.change_count(), time.monotonic()
        if count != sent or now_s - sent_at_s >= BEAT_EVERY_S:
            if (await anyio.to_thread.run_sync(appliance.live)).phase == Phase.STOPPING:
                return
            if not await still_welcome(request):
                return  # signed out meanwhile
            sent, sent_at_s = count, now_s
            yield f"event: change\ndata: {json.dumps({'change': count, 'at_utc': utc_now()})}\n\n"
        await asyncio.sleep(LOOK_EVERY_S)
