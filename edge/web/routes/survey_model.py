"""A survey's model counts beside those that people signed, judged by how well people agree with each other."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Request
from fastapi.responses import Response

from edge.store.connection import snapshot
from edge.store.reads import surveys as reads
from edge.store.reads.surveys import SurveyRow
from edge.store.sqlite import Connection
from edge.survey.model_compared import ModelCompared, compare_with_people
from edge.survey.tow.compare import LEAST_STATIONS, Verdict
from edge.web.deps import MAX_ID, ApplianceHere
from edge.web.errors import no_such
from edge.web.pages import render
from edge.web.routes.api_reviews import REFUSALS

router = APIRouter(include_in_schema=False)
api_router = APIRouter(prefix="/api", tags=["review"])

SurveyId = Annotated[int, Path(ge=1, le=MAX_ID, description="The id of the survey.")]

VERDICT_WORDS = {
    Verdict.TOO_FEW: f"no verdict: fewer than {LEAST_STATIONS} stations that two people counted",
    Verdict.AS_PEOPLE: "it differs from people no more than they from each other",
    Verdict.NOT_TOLD_APART: "it differs from people a little more than they from each other, but chance would give as much",
    Verdict.WORSE: "it differs from people more than they from each other",
}


@router.get("/surveys/{survey_id:int}/model")
def show_model(request: Request, appliance: ApplianceHere, survey_id: SurveyId) -> Response:
    """Bias, mean absolute difference and CCC of the model against people, and of people against each other."""
    with appliance.reader() as connection, snapshot(connection):
        of = _survey(connection, survey_id)
        found = compare_with_people(connection, survey_id)
    return render(
        request,
        "survey_model.html",
        survey=of,
        it=found,
        made={one.station: one for one in found.as_made.stations},
        reviewed={one.station: one for one in found.reviewed.stations},
        words=VERDICT_WORDS,
    )


@api_router.get("/surveys/{survey_id}/model", summary="Model counts beside people's", responses=REFUSALS)
def model(appliance: ApplianceHere, survey_id: SurveyId) -> ModelCompared:
    """Stations whose counts are revealed, over the minutes that count; the model as it counted, and after review."""
    with appliance.reader() as connection, snapshot(connection):
        _survey(connection, survey_id)
        return compare_with_people(connection, survey_id)


def _survey(connection: Connection, survey_id: int) -> SurveyRow:
    of = reads.survey(connection, survey_id)
    if of is None:
        raise no_such("survey with the id", survey_id)
    return of
