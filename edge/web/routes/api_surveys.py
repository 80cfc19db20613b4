"""The JSON API of surveys, stations and sheets. `docs/api.md` describes it for people."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query, Request

from edge.store.connection import snapshot
from edge.store.reads import surveys as reads
from edge.store.reads.tow_media import field_history, last_entries
from edge.store.sqlite import Connection
from edge.survey.sheet.fields import FIELDS
from edge.survey.sheet.reading import read_sheet
from edge.survey.sheet.record import Change
from edge.survey.sheet.status import survey_status
from edge.survey.sheet_desk import NewSurvey, SheetFile, decoded
from edge.web import survey_answers as answers
from edge.web.deps import MAX_ID, Actor, ApplianceHere
from edge.web.errors import Problem, no_such

REFUSALS: dict[int | str, dict[str, Any]] = {status: {"model": Problem} for status in (403, 404, 409, 422, 503)}
router = APIRouter(prefix="/api", tags=["survey"], responses=REFUSALS)

SurveyId = Annotated[int, Path(ge=1, le=MAX_ID, description="The id of the survey.")]
StationId = Annotated[int, Path(ge=1, le=MAX_ID, description="The id of the station.")]
TowId = Annotated[int, Path(ge=1, le=MAX_ID, description="The id of the tow.")]


@router.get("/surveys", summary="Every survey")
def list_surveys(appliance: ApplianceHere) -> list[answers.SurveyAnswer]:
    """The newest first; reference sets are among them."""
    with appliance.reader() as connection:
        return [answers.SurveyAnswer.model_validate(one) for one in reads.surveys(connection)]


@router.post("/surveys", summary="Make a survey", status_code=201)
def create_survey(appliance: ApplianceHere, actor: Actor, body: answers.NewSurveyBody) -> answers.Made:
    """Its name is the SurveyID of the station sheet."""
    kind: Literal["survey", "reference"] = "reference" if body.kind == "reference" else "survey"
    new = NewSurvey(name=body.name, kind=kind, title=body.title, functional_unit=body.functional_unit, vessel=body.vessel, year=body.year)
    return answers.Made(id=appliance.sheets.create_survey(new, actor))


@router.get("/surveys/drafts", summary="Stations that belong to no survey yet")
def show_drafts(appliance: ApplianceHere) -> answers.SurveyStatusAnswer:
    """Their files or counts came before any sheet named them."""
    with appliance.reader() as connection, snapshot(connection):
        return _status(connection, None)


@router.get("/surveys/{survey_id}", summary="Where a survey stands")
def show_survey(appliance: ApplianceHere, survey_id: SurveyId) -> answers.SurveyStatusAnswer:
    """Every station with its sheet's faults, its files and how far its counts are; no figure of a count."""
    with appliance.reader() as connection, snapshot(connection):
        return _status(connection, survey_id)


@router.post("/surveys/{survey_id}/grounds", summary="Add a ground, or say what is known of it", status_code=201)
def set_ground(appliance: ApplianceHere, actor: Actor, survey_id: SurveyId, body: answers.GroundBody) -> answers.Made:
    """What is left out becomes unknown."""
    return answers.Made(
        id=appliance.sheets.set_ground(
            survey_id,
            body.name,
            area_km2=body.area_km2,
            area_source=body.area_source,
            stations_planned=body.stations_planned,
            actor=actor,
        )
    )


@router.post("/surveys/{survey_id}/protocol", summary="State the rules, or a new version of them", status_code=201)
def set_protocol(appliance: ApplianceHere, actor: Actor, survey_id: SurveyId, body: answers.ProtocolBody) -> answers.Made:
    """What was counted under the version before stays as it is."""
    return answers.Made(id=appliance.sheets.set_protocol(survey_id, body.texts(), reason=body.reason, actor=actor))


@router.post("/surveys/{survey_id}/stations", summary="Add a station", status_code=201)
def add_station(appliance: ApplianceHere, actor: Actor, survey_id: SurveyId, body: answers.NewStationBody) -> answers.Made:
    """With its first tow; a draft of that name becomes it."""
    return answers.Made(id=appliance.sheets.add_station(survey_id, body.name, actor))


@router.post("/stations/{station_id}/tows", summary="Add a tow to a station", status_code=201)
def add_tow(appliance: ApplianceHere, actor: Actor, station_id: StationId) -> answers.Made:
    """The next of its tows."""
    return answers.Made(id=appliance.sheets.add_tow(station_id, actor))


@router.get("/sheet/fields", summary="The fields of a station sheet")
def list_fields() -> list[answers.FieldAnswer]:
    """With the name of each in the Marine Institute's table and what its absence does to the result."""
    return [answers.field_answer(field) for field in FIELDS]


@router.post("/sheet/import", summary="Import a station sheet")
def import_sheet(appliance: ApplianceHere, actor: Actor, body: answers.SheetFileBody) -> answers.SheetImportAnswer:
    """Whole or not at all. The same sheet again changes nothing; a changed cell is a new entry."""
    file = SheetFile(
        name=body.name,
        content=decoded(body.name, body.content_base64),
        survey=body.survey,
        order=body.date_order,
        utc_offset=body.utc_offset,
        reason=body.reason,
    )
    return answers.import_answer(appliance.sheets.import_sheet(file, actor, is_dry=body.dry_run))


@router.get("/tows/{tow_id}/sheet", summary="The sheet of a tow")
def show_sheet(appliance: ApplianceHere, tow_id: TowId) -> answers.SheetAnswer:
    """What stands in each field to the letter, what the tow was read as, and what cannot be read."""
    with appliance.reader() as connection, snapshot(connection):
        tow = _tow(connection, tow_id)
        entries = last_entries(connection, tow_id)
        grounds = None if tow.survey_id is None else {ground.name for ground in reads.grounds(connection, tow.survey_id)}
    reading = read_sheet({key: entry.value for key, entry in entries.items()}, grounds=grounds)
    return answers.SheetAnswer(
        tow=answers.TowAnswer.model_validate(tow),
        entries={key: answers.entry_answer(entry) for key, entry in entries.items()},
        faults=dict(reading.faults),
    )


@router.post("/tows/{tow_id}/sheet", summary="Fill fields of a sheet")
def fill_sheet(
    request: Request, appliance: ApplianceHere, actor: Actor, tow_id: TowId, body: answers.ChangesBody
) -> answers.SheetStateAnswer:
    """Everything is kept to the letter and is on disk when this is answered, readable or not."""
    changes = [Change(field=one.field, value=one.value, based_on=one.based_on) for one in body.changes]
    with appliance.reader() as connection:
        _tow(connection, tow_id)
    source = "page" if "sec-fetch-site" in request.headers else "api"
    state = appliance.sheets.record(tow_id, changes, source=source, actor=actor, reason=body.reason)
    with appliance.reader() as connection:
        return answers.state_answer(state, _tow(connection, tow_id))


@router.post("/tows/{tow_id}/sheet/undo", summary="Let a field say what it said before")
def undo(appliance: ApplianceHere, actor: Actor, tow_id: TowId, body: answers.UndoBody) -> answers.SheetStateAnswer:
    """That is a new entry: undoing twice brings the change back."""
    state = appliance.sheets.undo(tow_id, body.field, actor, reason=body.reason)
    with appliance.reader() as connection:
        return answers.state_answer(state, _tow(connection, tow_id))


@router.get("/tows/{tow_id}/sheet/history", summary="Everything that was ever typed into a sheet")
def show_history(
    appliance: ApplianceHere, tow_id: TowId, field: Annotated[answers.Short | None, Query(description="Only this field.")] = None
) -> list[answers.EntryAnswer]:
    """The newest first."""
    with appliance.reader() as connection:
        _tow(connection, tow_id)
        return [answers.entry_answer(entry) for entry in field_history(connection, tow_id, field)]


def _tow(connection: Connection, tow_id: int) -> reads.TowRow:
    tow = reads.tow(connection, tow_id)
    if tow is None:
        raise no_such("tow with the id", tow_id)
    return tow


def _status(connection: Connection, survey_id: int | None) -> answers.SurveyStatusAnswer:
    survey = None if survey_id is None else reads.survey(connection, survey_id)
    if survey_id is not None and survey is None:
        raise no_such("survey with the id", survey_id)
    status = survey_status(connection, survey)
    protocol = None if survey_id is None else reads.protocol_in_force(connection, survey_id)
    return answers.SurveyStatusAnswer(
        survey=None if survey is None else answers.SurveyAnswer.model_validate(survey),
        protocol=None if protocol is None else answers.ProtocolAnswer.model_validate(protocol),
        grounds=[] if survey is None else [answers.GroundAnswer.model_validate(one) for one in reads.grounds(connection, survey.id)],
        planned=status.planned,
        drafts=status.drafts,
        stations_by_counts=answers.by_counts(status),
        stations=[answers.station_answer(one) for one in status.stations],
    )
