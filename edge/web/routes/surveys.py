"""Surveys: the list, one survey with its stations and grounds, and the import of a station sheet."""

from __future__ import annotations

from typing import Literal

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response

from edge.store.connection import snapshot
from edge.store.reads import surveys as reads
from edge.store.sqlite import Connection
from edge.store.waiting import tows_seen_before
from edge.survey.sheet.fields import BY_KEY, FIELDS
from edge.survey.sheet.status import survey_status
from edge.survey.sheet.words import Unreadable, read_number
from edge.survey.sheet_desk import NewSurvey
from edge.web.deps import Actor, ApplianceHere
from edge.web.errors import invalid, no_such
from edge.web.pages import render
from edge.web.routes.actions import Form, PostedForm
from edge.web.routes.api_surveys import SurveyId

router = APIRouter(include_in_schema=False)


@router.get("/surveys")
def show_surveys(request: Request, appliance: ApplianceHere) -> Response:
    """Every survey with how far it is, and the drafts that belong to none."""
    with appliance.reader() as connection, snapshot(connection):
        found = [survey_status(connection, one) for one in reads.surveys(connection)]
        drafts = survey_status(connection, None)
    return render(request, "surveys.html", found=found, drafts=drafts)


@router.get("/surveys/{survey_id:int}")
def show_survey(request: Request, appliance: ApplianceHere, survey_id: SurveyId) -> Response:
    """Its stations, faults and grounds."""
    with appliance.reader() as connection, snapshot(connection):
        survey = find_survey(connection, survey_id)
        status = survey_status(connection, survey)
        grounds = reads.grounds(connection, survey_id)
        protocol = reads.protocol_in_force(connection, survey_id)
        seen = () if survey.kind == "reference" else tows_seen_before(connection, survey_id)
    on_ground = {ground.id: [one for one in status.stations if one.station.ground_id == ground.id] for ground in grounds}
    counted = {ground_id: sum(one.is_counted for one in here) for ground_id, here in on_ground.items()}
    return render(
        request,
        "survey.html",
        seen=len(seen),
        survey=survey,
        found=status,
        grounds=grounds,
        on_ground={ground_id: len(here) for ground_id, here in on_ground.items()},
        counted=counted,
        protocol=protocol,
        fields=BY_KEY,
    )


@router.get("/surveys/{survey_id:int}/import")
def show_import(request: Request, appliance: ApplianceHere, survey_id: SurveyId) -> Response:
    """Choose a sheet, see every fault and every change, then import it."""
    with appliance.reader() as connection:
        survey = find_survey(connection, survey_id)
    return render(request, "sheet_import.html", survey=survey, fields=FIELDS)


@router.post("/actions/surveys/create")
def create_survey(appliance: ApplianceHere, actor: Actor, form: PostedForm) -> RedirectResponse:
    """Make a survey and open it."""
    kind: Literal["survey", "reference"] = "reference" if form.optional("kind") == "reference" else "survey"
    new = NewSurvey(
        name=form.text("name"),
        kind=kind,
        title=form.optional("title"),
        functional_unit=form.optional("functional_unit"),
        vessel=form.optional("vessel"),
        year=_whole(form, "year"),
    )
    return RedirectResponse(f"/surveys/{appliance.sheets.create_survey(new, actor)}?notice=survey_made", status_code=303)


@router.post("/actions/surveys/{survey_id:int}/ground")
def set_ground(appliance: ApplianceHere, actor: Actor, form: PostedForm, survey_id: SurveyId) -> RedirectResponse:
    """Add a ground, or say what is known of it."""
    appliance.sheets.set_ground(
        survey_id,
        form.text("name"),
        area_km2=_number(form, "area_km2", high=1e6),
        area_source=form.optional("area_source"),
        stations_planned=_whole(form, "stations_planned"),
        actor=actor,
    )
    return form.back("ground_set")


@router.post("/actions/surveys/{survey_id:int}/station")
def add_station(appliance: ApplianceHere, actor: Actor, form: PostedForm, survey_id: SurveyId) -> RedirectResponse:
    """Add a station and open its sheet."""
    return RedirectResponse(f"/stations/{appliance.sheets.add_station(survey_id, form.text('name'), actor)}", status_code=303)


def find_survey(connection: Connection, survey_id: int) -> reads.SurveyRow:
    """The survey of that id.

    Raises:
        RequestError: 404, there is none.
    """
    row = reads.survey(connection, survey_id)
    if row is None:
        raise no_such("survey with the id", survey_id)
    return row


def _number(form: Form, name: str, *, high: float) -> float | None:
    try:
        return read_number(form.optional(name), low=0, high=high)
    except Unreadable as fault:
        raise invalid(f"{name}: {fault}", "Go back and correct it; what you typed is still in the form.") from fault


def _whole(form: Form, name: str) -> int | None:
    value = _number(form, name, high=1e6)
    if value is not None and value != int(value):
        raise invalid(f"{name}: {value:g} is no whole number", "Go back and correct it; what you typed is still in the form.")
    return None if value is None else int(value)
