"""The review of what a model found on a tow, and what its footage was: pages that only read; decisions go through the API."""

from __future__ import annotations

import json
from typing import Annotated

from fastapi import APIRouter, Path, Request
from fastapi.responses import Response

from edge.store.connection import snapshot
from edge.store.reads import footage as footage_reads
from edge.store.reads import reviews as review_reads
from edge.store.reads.surveys import StationRow, TowRow, station, tow
from edge.store.sqlite import Connection
from edge.survey.review_desk import ReviewState, standing
from edge.web.deps import MAX_ID, ApplianceHere
from edge.web.drawings.seconds import seconds_chart
from edge.web.errors import no_such
from edge.web.pages import render
from edge.web.routes.api_reviews import TILE_PX, tally_of

router = APIRouter(include_in_schema=False)

TowId = Annotated[int, Path(ge=1, le=MAX_ID)]


@router.get("/tows/{tow_id:int}/review")
def show_review(request: Request, appliance: ApplianceHere, tow_id: TowId) -> Response:
    """The openings of a tow as chips that loop, to be accepted and rejected from the keyboard."""
    with appliance.reader() as connection, snapshot(connection):
        of, place = _tow(connection, tow_id)
        found = standing(connection, tow_id)
        is_ready = found.state is ReviewState.READY
        tally = tally_of(connection, tow_id) if is_ready else None
        before = 0 if found.state is ReviewState.SEALED else review_reads.decided_before(connection, tow_id)
    return render(request, "review.html", station=place, tow=of, standing=found, tally=tally, decided_before=before, tile_px=TILE_PX)


@router.get("/tows/{tow_id:int}/footage")
def show_footage(request: Request, appliance: ApplianceHere, tow_id: TowId) -> Response:
    """The clips and stills of a tow, what was read of them, and what that came to or why it came to nothing."""
    with appliance.reader() as connection, snapshot(connection):
        of, place = _tow(connection, tow_id)
        found = standing(connection, tow_id)
        clips = footage_reads.clip_facts_of_tow(connection, tow_id)
        stills = footage_reads.stills_of_tow(connection, tow_id)
        analysis = found.analysis
        seconds = () if analysis is None else footage_reads.seconds_of(connection, analysis.id)
        minutes = () if analysis is None else footage_reads.analysed_minutes(connection, analysis.id)
    made_from = {} if analysis is None else json.loads(analysis.made_from_json)
    return render(
        request,
        "footage.html",
        station=place,
        tow=of,
        standing=found,
        clips=[(one, tuple(json.loads(one.faults_json))) for one in clips],
        stills=len(stills),
        stills_read=sum(one.run_id is not None for one in stills),
        seconds=seconds,
        minutes=minutes,
        chart=seconds_chart(seconds) if seconds else None,
        hidden=[one.second for one in seconds if one.not_countable],
        clock=made_from.get("clock"),
        left_out=made_from.get("left_out", []),
    )


def _tow(connection: Connection, tow_id: int) -> tuple[TowRow, StationRow | None]:
    of = tow(connection, tow_id)
    if of is None:
        raise no_such("tow with the id", tow_id)
    return of, station(connection, of.station_id)
