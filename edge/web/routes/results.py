"""A station's result and a survey's overview: every figure beside what it was made from."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from edge.store.connection import snapshot
from edge.store.reads import surveys as reads
from edge.store.reads.surveys import StationRow
from edge.store.sqlite import Connection
from edge.survey.overview import MethodEstimate, SurveyOverview, survey_overview
from edge.web.deps import ApplianceHere, Viewer, sees_tables
from edge.web.drawings.chart import detail, legend, survey_chart
from edge.web.drawings.figures import running_chart
from edge.web.errors import no_such
from edge.web.pages import render
from edge.web.report import report_name, result_values, station_report

router = APIRouter(include_in_schema=False)


@router.get("/stations/{station_id:int}/result")
def show_result(request: Request, appliance: ApplianceHere, viewer: Viewer, station_id: int, tow: int | None = None) -> Response:
    """Counts, distance, area and density of a station; printed, it is the station's report."""
    with appliance.reader() as connection, snapshot(connection):
        values = result_values(connection, _station(connection, station_id), tow, sees_tables=sees_tables(viewer))
    return render(request, "result.html", **values)


@router.get("/stations/{station_id:int}/report")
def save_report(request: Request, appliance: ApplianceHere, viewer: Viewer, station_id: int, tow: int | None = None) -> Response:
    """The same as one file that needs nothing else, to keep, to send and to print."""
    with appliance.reader() as connection, snapshot(connection):
        station = _station(connection, station_id)
        sees = sees_tables(viewer)
        text = station_report(connection, station, tow, sees_tables=sees, environment=request.app.state.templates)
    headers = {"content-disposition": f'attachment; filename="{report_name(station)}"'}
    return Response(text, media_type="text/html", headers=headers)


def _station(connection: Connection, station_id: int) -> StationRow:
    station = reads.station(connection, station_id)
    if station is None:
        raise no_such("station with the id", station_id)
    return station


MethodSlug = Annotated[str, Query(max_length=40, description="Whose estimate is shown in full; empty: the survey's own.")]


@router.get("/surveys/{survey_id:int}/overview")
def show_overview(request: Request, appliance: ApplianceHere, survey_id: int, method: MethodSlug = "") -> Response:
    """The map, the estimate of each ground and of all by one method, its running CV, and which stations are left."""
    with appliance.reader() as connection, snapshot(connection):
        if reads.survey(connection, survey_id) is None:
            raise no_such("survey with the id", survey_id)
        overview = survey_overview(connection, survey_id)
    chosen = _estimate(overview, method)
    of = None if chosen is None else chosen.method
    return render(
        request,
        "overview.html",
        survey=overview.survey,
        overview=overview,
        one=chosen,
        chart=survey_chart(overview.stations, of=of),
        legend=legend(overview.stations, of=of),
        running=running_chart(chosen.running) if chosen else None,
        detail=detail,
    )


def _estimate(overview: SurveyOverview, slug: str) -> MethodEstimate | None:
    """The one that is asked for; the survey's own where none is."""
    if not slug:
        return next(iter(overview.estimates), None)
    found = next((one for one in overview.estimates if one.slug == slug), None)
    if found is None:
        raise no_such("estimate by the method", slug)
    return found
