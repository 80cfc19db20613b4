"""The protocol of a survey: the rules in force, every version before, and a new one with its reason."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import RedirectResponse, Response

from edge.errors import SettingsError
from edge.store.connection import snapshot
from edge.store.reads import surveys as reads
from edge.store.reads.survey_status import protocol_uses
from edge.survey.protocol import FIELDS, PRESETS, differences, effect_of_change, find_preset
from edge.web.deps import Actor, ApplianceHere
from edge.web.pages import render
from edge.web.routes.actions import PostedForm
from edge.web.routes.api_surveys import SurveyId
from edge.web.routes.surveys import find_survey

router = APIRouter(include_in_schema=False)

Preset = Annotated[str, Query(max_length=40)]


@router.get("/surveys/{survey_id:int}/protocol")
def show_protocol(request: Request, appliance: ApplianceHere, survey_id: SurveyId, preset: Preset = "") -> Response:
    """The rules in force and their history; a form with the present ones, or with those of a preset."""
    return _page(request, appliance, survey_id, preset=preset)


@router.post("/actions/surveys/{survey_id:int}/protocol")
def set_protocol(request: Request, appliance: ApplianceHere, actor: Actor, form: PostedForm, survey_id: SurveyId) -> Response:
    """State the rules; where they cannot be, the form comes back as it was typed, with the reason."""
    texts = {field.key: form.optional(field.key) for field in FIELDS}
    reason = form.optional("reason")
    try:
        appliance.sheets.set_protocol(survey_id, texts, reason=reason, actor=actor)
    except SettingsError as error:
        return _page(request, appliance, survey_id, texts={**texts, "reason": reason}, error=error)
    return RedirectResponse(f"/surveys/{survey_id}/protocol?notice=protocol_set", status_code=303)


def _page(
    request: Request,
    appliance: ApplianceHere,
    survey_id: int,
    *,
    preset: str = "",
    texts: Mapping[str, str] | None = None,
    error: SettingsError | None = None,
) -> Response:
    with appliance.reader() as connection, snapshot(connection):
        survey = find_survey(connection, survey_id)
        versions = reads.protocols(connection, survey_id)
        uses = protocol_uses(connection, survey_id)
    chosen = find_preset(preset)
    now = versions[0] if versions else None
    values = texts or (chosen.values if chosen else _texts(now))
    changes = {newer.id: differences(older, newer) for newer, older in pairwise(versions)}
    effect = "" if now is None else effect_of_change(*((use.counts, use.tows) if (use := uses.get(now.id)) else (0, 0)), now.version)
    return render(
        request,
        "protocol.html",
        status=409 if error else 200,
        survey=survey,
        versions=versions,
        uses=uses,
        changes=changes,
        effect=effect,
        fields=FIELDS,
        presets=PRESETS,
        chosen=chosen,
        values=values,
        error=error,
    )


def _texts(protocol: reads.ProtocolRow | None) -> dict[str, str]:
    if protocol is None:
        return {}
    row = protocol._asdict()
    return {field.key: _text(row[field.key]) for field in FIELDS}


def _text(value: object) -> str:
    return "" if value is None else f"{value:g}" if isinstance(value, float) else str(value)
