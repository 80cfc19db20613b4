"""A station's result and a survey's overview: every figure beside what it was made from."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import Response

from edge.store.connection import snapshot
from edge.store.reads import surveys as reads
from edge.store.reads import tracks as track_reads
from edge.survey.overview import survey_overview
from edge.survey.reckoning import SOURCE_WORDS
from edge.survey.result import result_of_station, station_result
from edge.survey.track_lines import line_of
from edge.web.deps import ApplianceHere
from edge.web.drawings.chart import detail, legend, survey_chart
from edge.web.drawings.figures import minute_chart, running_chart
from edge.web.drawings.track import Ends, profile_chart, track_plot
from edge.web.errors import no_such
from edge.web.pages import render

router = APIRouter(include_in_schema=False)


@router.get("/stations/{station_id:int}/result")
def show_result(request: Request, appliance: ApplianceHere, station_id: int, tow: int | None = None) -> Response:
    """Counts, distance, area and density of a station; printed, it is the station's report."""
    with appliance.reader() as connection, snapshot(connection):
        station = reads.station(connection, station_id)
        if station is None:
            raise no_such("station with the id", station_id)
        tows = reads.tows(connection, station_id)
        asked = next((one for one in tows if one.id == tow), None)
        result = result_of_station(connection, station) if asked is None else station_result(connection, asked.id)
        shown = next((one for one in tows if one.id == result.tow_id), None)
        rows = () if shown is None else track_reads.tracks(connection, shown.id)
        lines = [line for row in rows if shown and not row.withdrawn_utc and (line := line_of(connection, shown, row)) is not None]
    minutes = result.sources["minutes"]
    window = range(minutes[0], minutes[-1] + 1) if minutes else None
    ends = Ends(start=None, end=None)
    main = next((one for one in lines if one.track.source == "usbl"), lines[0] if lines else None)
    return render(
        request,
        "result.html",
        station=station,
        tows=tows,
        tow=shown,
        result=result,
        sources=result.sources,
        counters=[one["counter"] for one in result.sources["counts"]],
        minutes=minute_chart(result.per_minute),
        plot=track_plot(lines, ends) if lines else None,
        profile=profile_chart(main.profiles, window) if main else None,
        source_words=SOURCE_WORDS,
    )


@router.get("/surveys/{survey_id:int}/overview")
def show_overview(request: Request, appliance: ApplianceHere, survey_id: int) -> Response:
    """The map, the estimate of each ground and of all, the running CV, and which stations are left."""
    with appliance.reader() as connection, snapshot(connection):
        if reads.survey(connection, survey_id) is None:
            raise no_such("survey with the id", survey_id)
        overview = survey_overview(connection, survey_id)
    return render(
        request,
        "overview.html",
        survey=overview.survey,
        overview=overview,
        chart=survey_chart(overview.stations),
        legend=legend(overview.stations),
        running={one.version: running_chart(one.running) for one in overview.versions},
        detail=detail,
    )
