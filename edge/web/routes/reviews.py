"""The review of what a model found on a tow, and what its footage was: pages that only read; decisions go through the API."""

from __future__ import annotations

import json
from typing import Annotated

from fastapi import APIRouter, Path, Request
from fastapi.responses import RedirectResponse, Response

from edge.store.connection import snapshot
from edge.store.reads import footage as footage_reads
from edge.store.reads import reviews as review_reads
from edge.store.reads.earlier import EarlierOpening, left_openings
from edge.store.reads.footage import AnalysisRow
from edge.store.reads.surveys import StationRow, TowRow, station, tow
from edge.store.sqlite import Connection
from edge.survey.miss_gate import CheckState
from edge.survey.misses_told import misses_source
from edge.survey.review_standing import ReviewState, open_analysis, standing
from edge.web.appliance import Appliance
from edge.web.deps import MAX_ID, ApplianceHere, Viewer
from edge.web.drawings.seconds import seconds_chart
from edge.web.errors import no_such
from edge.web.pages import render
from edge.web.review_answers import tally_of
from edge.web.routes.api_misses import carried_answer, who_is
from edge.web.routes.api_reviews import TILE_PX

router = APIRouter(include_in_schema=False)

TowId = Annotated[int, Path(ge=1, le=MAX_ID)]


@router.get("/tows/{tow_id:int}/review")
def show_review(request: Request, appliance: ApplianceHere, viewer: Viewer, tow_id: TowId) -> Response:
    """The openings of a tow as chips that loop, to be accepted and rejected from the keyboard."""
    with appliance.reader() as connection, snapshot(connection):
        of, place = _tow(connection, tow_id)
        found = standing(connection, tow_id)
        gate = tally = misses = carried = None
        several = found.analysis is not None and review_reads.knows_several_labels(connection, found.analysis.id)
        if found.state is ReviewState.READY and found.analysis is not None:
            gate = appliance.reviews.misses.gate(connection, found.analysis)
            misses = misses_source(connection, found.analysis, gate)
            if gate.state is not CheckState.TO_DRAW:
                tally = tally_of(appliance, connection, tow_id)
                carried = carried_answer(appliance, connection, tow_id)
        before = 0 if found.state is ReviewState.SEALED or carried else review_reads.decided_before(connection, tow_id)
    return render(
        request,
        "review.html",
        station=place,
        tow=of,
        standing=found,
        gate=gate,
        counts_here=gate is not None and gate.check is not None and gate.check.counter == who_is(viewer),
        misses=misses,
        tally=tally,
        carried=carried,
        several_labels=several,
        decided_before=before,
        tile_px=TILE_PX,
    )


@router.get("/tows/{tow_id:int}/review/earlier")
def show_earlier(request: Request, appliance: ApplianceHere, tow_id: TowId) -> Response:
    """The reviews of earlier analyses of a tow as they were left, and which of the current openings theirs are."""
    with appliance.reader() as connection, snapshot(connection):
        of, place = _tow(connection, tow_id)
        analysis = open_analysis(connection, tow_id)
        waiting = frozenset(appliance.reviews.waiting(connection, analysis).openings)
        current = {one.id: one for one in review_reads.openings_by_id(connection, analysis.id, _partners(appliance, connection, analysis))}
        hidden = appliance.reviews.looked(connection, analysis)
        shown = {one.id for one in review_reads.openings_by_id(connection, analysis.id, tuple(current), hidden)}
        reviews = [
            (one, [row for row in left_openings(connection, one.analysis.id, current_id=analysis.id) if _was_touched(row)])
            for one in appliance.reviews.carried.of(connection, analysis).reviews
        ]
    return render(request, "review_earlier.html", station=place, tow=of, reviews=reviews, current=current, shown=shown, waiting=waiting)


@router.get("/tows/{tow_id:int}/check")
def show_check(request: Request, appliance: ApplianceHere, viewer: Viewer, tow_id: TowId) -> Response:
    """The minutes that are counted blind to the model, for whoever counts them; back to the review where there is nothing to count."""
    with appliance.reader() as connection, snapshot(connection):
        of, place = _tow(connection, tow_id)
        gate = appliance.reviews.misses.gate(connection, open_analysis(connection, tow_id))
    if gate.check is None or gate.state is not CheckState.OPEN or gate.check.counter != who_is(viewer):
        return RedirectResponse(f"/tows/{tow_id}/review", status_code=303)
    return render(request, "check.html", station=place, tow=of, check=gate.check, minutes=gate.minutes, viewer=viewer)


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
        is_ready = analysis is not None and found.state is ReviewState.READY
        gate = appliance.reviews.misses.gate(connection, analysis) if analysis is not None and is_ready else None
        hidden_minutes = {one.minute for one in minutes if gate is not None and gate.hides_minute(one.minute)}
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
        hidden_minutes=hidden_minutes,
        is_checked_blind=gate is not None and gate.state is CheckState.OPEN,
        chart=seconds_chart(seconds) if seconds else None,
        hidden=[one.second for one in seconds if one.not_countable],
        clock=made_from.get("clock"),
        left_out=made_from.get("left_out", []),
    )


def _partners(appliance: Appliance, connection: Connection, analysis: AnalysisRow) -> tuple[int, ...]:
    return tuple({other for one in appliance.reviews.carried.of(connection, analysis).reviews for other in one.partner_of.values()})


def _was_touched(row: EarlierOpening) -> bool:
    return row.decision is not None or row.grouped_by is not None


def _tow(connection: Connection, tow_id: int) -> tuple[TowRow, StationRow | None]:
    of = tow(connection, tow_id)
    if of is None:
        raise no_such("tow with the id", tow_id)
    return of, station(connection, of.station_id)
