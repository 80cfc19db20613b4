"""Counting: the blind page of a tow, and who counts a station's tows without a word about what they found."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Request
from fastapi.responses import RedirectResponse, Response

from edge.errors import CountRefusedError
from edge.store.connection import snapshot
from edge.store.count_rounds import rounds_of
from edge.store.counts import why_not_blind
from edge.store.reads.counts import CountRow, counts_of_tow
from edge.store.reads.qualifications import QualificationRow, best_standing
from edge.store.reads.surveys import ProtocolRow, StationRow, TowRow, protocol_in_force, station, tow, tows
from edge.store.sealed_runs import is_blind, release_of
from edge.store.sqlite import Connection
from edge.store.waiting import late_files, seen_before
from edge.survey.counting.desk import OwnCount
from edge.survey.counting.judge import TowCounts, tow_counts
from edge.survey.counting.rules import judging_rules
from edge.survey.people import Person
from edge.web.deps import MAX_ID, ApplianceHere, SignedIn, Viewer
from edge.web.errors import no_such
from edge.web.pages import render
from edge.web.routes.actions import PostedForm

router = APIRouter(include_in_schema=False)

MAX_SYSTEMS = 10_000.0

TowId = Annotated[int, Path(ge=1, le=MAX_ID)]
SurveyId = Annotated[int, Path(ge=1, le=MAX_ID)]
StationId = Annotated[int, Path(ge=1, le=MAX_ID)]
CountId = Annotated[int, Path(ge=1, le=MAX_ID)]


@router.get("/tows/{tow_id:int}/count")
def show_count(request: Request, appliance: ApplianceHere, viewer: Viewer, tow_id: TowId) -> Response:
    """One's own count, or how to begin it."""
    with appliance.reader() as connection, snapshot(connection):
        of = tow(connection, tow_id)
        if of is None:
            raise no_such("tow with the id", tow_id)
        place = station(connection, of.station_id)
        counts = counts_of_tow(connection, tow_id)
        rules = judging_rules(connection, counts, of.survey_id)
        frames = appliance.counting.frames.frames(connection, tow_id)
        standing = _standing(connection, viewer)
        is_footage = place is not None and place.survey_kind == "reference"
        not_blind_why = "" if is_footage else why_not_blind(connection, tow_id)
    mine = _mine(counts, viewer)
    own = _own(appliance, mine, viewer)
    return render(
        request,
        "count.html" if own is not None and own.row.state == "open" else "count_begin.html",
        tow=of,
        station=place,
        rules=rules,
        progress=None if rules is None or place is None else _progress(place, counts, rules),
        mine=mine,
        own=own,
        viewer=viewer,
        frames=len(frames.frames),
        last_s=frames.frames[-1].at_s if frames.frames else 0.0,
        untimed=frames.untimed,
        standing=standing,
        not_blind_why=not_blind_why,
    )


@router.post("/actions/tows/{tow_id:int}/count")
def begin(appliance: ApplianceHere, person: SignedIn, tow_id: TowId) -> RedirectResponse:
    """Begin one's own count."""
    appliance.counting.begin(tow_id, person)
    return RedirectResponse(f"/tows/{tow_id}/count", status_code=303)


@router.get("/stations/{station_id:int}/counts")
def show_counts(request: Request, appliance: ApplianceHere, viewer: Viewer, station_id: StationId) -> Response:
    """Who counts each tow of a station, who has signed and what is missing."""
    with appliance.reader() as connection, snapshot(connection):
        place = station(connection, station_id)
        if place is None:
            raise no_such("station with the id", station_id)
        parts = [_part(connection, place, of) for of in tows(connection, station_id)]
        found_releases = {of.id: row for of, *_ in parts if (row := release_of(connection, of.id)) is not None}
        rounds = {of.id: rounds_of(connection, of.id) for of, *_ in parts}
        in_force = None if place.survey_id is None else protocol_in_force(connection, place.survey_id)
        late = {of.id: late_files(connection, of.id) for of, *_ in parts}
        seen = {of.id: seen_before(connection, of.id) for of, *_ in parts}
        blind = {of.id for of, *_ in parts if is_blind(connection, of.id)}
        standings = {one.person_id: best_standing(connection, one.person_id) for _, counts, *_ in parts for one in counts if one.person_id}
    return render(
        request,
        "counts.html",
        station=place,
        tow=parts[0][0] if parts else None,
        parts=parts,
        standings=standings,
        viewer=viewer,
        releases=found_releases,
        rounds=rounds,
        blind=blind,
        in_force=in_force,
        late=late,
        seen=seen,
    )


@router.post("/actions/counts/{count_id:int}/set-aside")
def set_aside(appliance: ApplianceHere, person: SignedIn, form: PostedForm, count_id: CountId) -> RedirectResponse:
    """Let a count count no more, with a reason."""
    appliance.counting.set_aside(count_id, person, form.optional("reason"))
    return form.back("count_set_aside")


@router.post("/actions/tows/{tow_id:int}/break-seal")
def break_seal(appliance: ApplianceHere, person: SignedIn, form: PostedForm, tow_id: TowId) -> RedirectResponse:
    """Reveal what is signed although somebody is missing, with a reason."""
    appliance.counting.break_seal(tow_id, person, form.optional("reason"))
    return form.back("seal_broken")


@router.post("/actions/tows/{tow_id:int}/release")
def release(appliance: ApplianceHere, person: SignedIn, form: PostedForm, tow_id: TowId) -> RedirectResponse:
    """Let what models found on a tow be seen that nobody will count, with a reason."""
    return form.back("released", appliance.counting.release(tow_id, person, form.optional("reason")))


@router.post("/actions/tows/{tow_id:int}/new-round")
def new_round(appliance: ApplianceHere, person: SignedIn, form: PostedForm, tow_id: TowId) -> RedirectResponse:
    """Let a tow whose counts were shown be counted blind anew, with a reason."""
    return form.back("new_round", appliance.counting.new_round(tow_id, person, form.optional("reason")))


@router.post("/actions/surveys/{survey_id:int}/new-rounds")
def new_rounds(appliance: ApplianceHere, person: SignedIn, form: PostedForm, survey_id: SurveyId) -> RedirectResponse:
    """Let every tow that was seen before the survey had rules be counted blind all the same, with a reason."""
    return form.back("new_rounds", appliance.counting.new_rounds(survey_id, person, form.optional("reason")))


@router.post("/actions/tows/{tow_id:int}/reference")
def set_reference(appliance: ApplianceHere, person: SignedIn, form: PostedForm, tow_id: TowId) -> RedirectResponse:
    """Give footage of a reference set its known counts."""
    appliance.counting.set_reference(tow_id, _reference(form.optional("minutes")), form.optional("source"), person)
    return form.back("reference_set")


def _reference(text: str) -> dict[int, float]:
    found: dict[int, float] = {}
    for line in filter(str.strip, text.splitlines()):
        parts = line.replace(";", " ").split()
        try:
            minute, systems = int(parts[0]), float(parts[1])
        except (ValueError, IndexError):
            minute, systems, parts = 0, 0.0, []
        if len(parts) != 2 or minute < 1 or not 0 <= systems < MAX_SYSTEMS or minute in found:
            advice = "Write a minute and its systems on each line, such as 2 13.5, each minute once, with a decimal point."
            raise CountRefusedError(f"{line.strip()!r} is no minute with its systems", advice=advice)
        found[minute] = systems
    if not found:
        raise CountRefusedError("no minute was given", advice="Write a minute and its systems on each line, such as 2 13.5.")
    return found


def _part(
    connection: Connection, place: StationRow, of: TowRow
) -> tuple[TowRow, tuple[CountRow, ...], ProtocolRow | None, TowCounts | None]:
    counts = counts_of_tow(connection, of.id)
    rules = judging_rules(connection, counts, of.survey_id)
    return of, counts, rules, None if rules is None else _progress(place, counts, rules)


def _progress(place: StationRow, counts: tuple[CountRow, ...], rules: ProtocolRow) -> TowCounts:
    return tow_counts(counts, rules, is_reference=place.survey_kind == "reference")


def _mine(counts: tuple[CountRow, ...], viewer: Person | None) -> CountRow | None:
    if viewer is None:
        return None
    return next((one for one in counts if one.person_id == viewer.id and one.state != "set_aside"), None)


def _own(appliance: ApplianceHere, mine: CountRow | None, viewer: Person | None) -> OwnCount | None:
    if mine is None or viewer is None or mine.revealed_utc is not None:
        return None
    return appliance.counting.own(mine.id, viewer)


def _standing(connection: Connection, viewer: Person | None) -> QualificationRow | None:
    return None if viewer is None else best_standing(connection, viewer.id)
