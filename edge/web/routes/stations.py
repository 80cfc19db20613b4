"""A station: the sheet of each of its tows, kept field by field as it is typed."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import RedirectResponse, Response

from edge.store.connection import snapshot
from edge.store.reads import surveys as reads
from edge.store.reads.counts import counts_of_tow
from edge.store.reads.survey_status import progress
from edge.store.reads.tow_media import last_entries, raw_copies, tow_totals
from edge.store.sqlite import Connection
from edge.survey.sheet.fields import FIELDS, OTHER, PARTS
from edge.survey.sheet.positions import in_words
from edge.survey.sheet.reading import read_sheet
from edge.survey.sheet.record import Change
from edge.survey.sheet.status import survey_status
from edge.web.deps import MAX_ID, Actor, ApplianceHere
from edge.web.errors import no_such
from edge.web.pages import render
from edge.web.routes.actions import PostedForm
from edge.web.routes.api_surveys import StationId, TowId

router = APIRouter(include_in_schema=False)

SHOWN_IMAGES = 40

ChosenTow = Annotated[int | None, Query(ge=1, le=MAX_ID)]


@router.get("/stations/{station_id:int}")
def show_station(request: Request, appliance: ApplianceHere, station_id: StationId, tow: ChosenTow = None) -> Response:
    """The sheet of one of its tows; without a choice of the one in the analysis."""
    with appliance.reader() as connection, snapshot(connection):
        station = reads.station(connection, station_id)
        if station is None:
            raise no_such("station with the id", station_id)
        tows = reads.tows(connection, station_id)
        main = reads.main_tow(connection, station_id)
        chosen = next((one for one in tows if one.id == tow), main or (tows[0] if tows else None))
        entries = {} if chosen is None else last_entries(connection, chosen.id)
        grounds = () if station.survey_id is None else reads.grounds(connection, station.survey_id)
        among = _faults_among(connection, station, chosen)
        opened = 0 if chosen is None else progress(connection, station.survey_id)[chosen.id].opened
        stalled = [] if chosen is None else [one for one in counts_of_tow(connection, chosen.id) if one.stalled]
        images = () if chosen is None else reads.tow_images(connection, chosen.id, limit=SHOWN_IMAGES)
        totals = tow_totals(connection, chosen.id) if chosen is not None else {}
        all_tows = () if station.survey_id is None else reads.survey_tows(connection, station.survey_id)
        copies = () if chosen is None else raw_copies(connection, chosen.id)
        surveys = reads.surveys(connection) if station.survey_id is None else ()
    names = None if station.survey_id is None else {ground.name for ground in grounds}
    reading = read_sheet({key: entry.value for key, entry in entries.items()}, grounds=names)
    return render(
        request,
        "station.html",
        station=station,
        tows=tows,
        tow=chosen,
        main=main,
        entries=entries,
        reading=reading,
        among=among,
        grounds=grounds,
        fields=FIELDS,
        parts=PARTS,
        others={key.removeprefix(OTHER): entry for key, entry in entries.items() if key.startswith(OTHER)},
        places=_places(chosen),
        surveys=surveys,
        images=images,
        images_how={how: one.images for how, one in totals.items()},
        images_total=sum(one.images for one in totals.values()),
        timeless=sum(one.timeless for one in totals.values()),
        copies=copies,
        opened=opened,
        stalled=stalled,
        all_tows=all_tows,
    )


@router.post("/actions/tows/{tow_id:int}/sheet")
def save_sheet(appliance: ApplianceHere, actor: Actor, form: PostedForm, tow_id: TowId) -> RedirectResponse:
    """The whole form at once, for browsers without script."""
    changes = [Change(field=field.key, value=form.optional(field.key)) for field in FIELDS]
    appliance.sheets.record(tow_id, changes, source="page", actor=actor, reason=form.optional("reason"))
    return form.back("sheet_kept")


@router.post("/actions/stations/{station_id:int}/tow")
def add_tow(appliance: ApplianceHere, actor: Actor, station_id: StationId) -> RedirectResponse:
    """Add a tow and open its sheet."""
    return RedirectResponse(f"/stations/{station_id}?tow={appliance.sheets.add_tow(station_id, actor)}", status_code=303)


@router.post("/actions/stations/{station_id:int}/adopt")
def adopt(appliance: ApplianceHere, actor: Actor, form: PostedForm, station_id: StationId) -> RedirectResponse:
    """Say which survey a draft belongs to."""
    appliance.sheets.adopt(station_id, int(form.text("survey")) if form.text("survey").isdecimal() else 0, actor)
    return form.back("station_adopted")


def _faults_among(connection: Connection, station: reads.StationRow, tow: reads.TowRow | None) -> tuple[object, ...]:
    """What this tow says against the others of its survey."""
    if tow is None or station.survey_id is None:
        return ()
    status = survey_status(connection, reads.survey(connection, station.survey_id))
    own = next(one for one in status.stations if one.station.id == station.id)
    sheet = read_sheet({key: entry.value for key, entry in last_entries(connection, tow.id).items()})
    return tuple(fault for fault in own.faults if fault.message not in {one.message for one in sheet.faults.values()})


def _places(tow: reads.TowRow | None) -> dict[str, str]:
    """Where the line was read to begin and end, in words; empty for an end that is not known."""
    if tow is None:
        return {}
    places = {
        "start": (tow.start_latitude_deg, tow.start_longitude_deg),
        "end": (tow.end_latitude_deg, tow.end_longitude_deg),
    }
    known = {side: (lat, lon) for side, (lat, lon) in places.items() if lat is not None and lon is not None}
    return {side: f"{in_words(lat, 'latitude')}, {in_words(lon, 'longitude')}" for side, (lat, lon) in known.items()}
