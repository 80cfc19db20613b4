"""A station's result as values for a page, and as one file of its own: no link, no script, its style within it."""

from __future__ import annotations

import re
from typing import Any

from jinja2 import Environment

from edge.store.clock import utc_now
from edge.store.reads import surveys as reads
from edge.store.reads import tracks as track_reads
from edge.store.reads.surveys import StationRow
from edge.store.sqlite import Connection
from edge.survey.reckoning import SOURCE_WORDS
from edge.survey.result import result_of_station, station_result
from edge.survey.track_lines import line_of
from edge.web.drawings.figures import minute_chart
from edge.web.drawings.track import Ends, profile_chart, track_plot
from edge.web.pages import FOLDER

_STYLES = ("tokens.css", "edge.css", "survey.css", "track.css")
_OWN_ADDRESS = re.compile(r' (?:href|data-detail|data-live|data-key)="[^"]*"')


def result_values(connection: Connection, station: StationRow, tow_id: int | None, *, sees_tables: bool) -> dict[str, Any]:
    """What the result page shows of a station: of the tow that is asked for, else of the one that it is estimated from."""
    tows = reads.tows(connection, station.id)
    asked = next((one for one in tows if one.id == tow_id), None)
    if asked is None:
        result = result_of_station(connection, station, sees_tables=sees_tables)
    else:
        result = station_result(connection, asked.id, sees_tables=sees_tables)
    shown = next((one for one in tows if one.id == result.tow_id), None)
    rows = () if shown is None else track_reads.tracks(connection, shown.id)
    lines = [line for row in rows if shown and not row.withdrawn_utc and (line := line_of(connection, shown, row)) is not None]
    minutes = result.sources["minutes"]
    main = next((one for one in lines if one.track.source == "usbl"), lines[0] if lines else None)
    return {
        "station": station,
        "tows": tows,
        "tow": shown,
        "result": result,
        "sources": result.sources,
        "counters": [one["counter"] for one in result.sources["counts"]],
        "minutes": minute_chart(result.per_minute),
        "plot": track_plot(lines, Ends(start=None, end=None)) if lines else None,
        "profile": profile_chart(main.profiles, range(minutes[0], minutes[-1] + 1) if minutes else None) if main else None,
        "source_words": SOURCE_WORDS,
    }


def station_report(connection: Connection, station: StationRow, tow_id: int | None, *, sees_tables: bool, environment: Environment) -> str:
    """The report as the text of one HTML file."""
    style = "\n".join((FOLDER / "static" / name).read_text(encoding="utf-8") for name in _STYLES)
    values = result_values(connection, station, tow_id, sees_tables=sees_tables)
    text = environment.get_template("report.html").render(**values, style=style, now_utc=utc_now())
    head, body = text.split("</head>", 1)
    return f"{head}</head>{_OWN_ADDRESS.sub('', body)}"  # its rows are where it came from, not beside the file


def report_name(station: StationRow) -> str:
    """What the file is called, in letters that every disk takes."""
    return re.sub(r"[^A-Za-z0-9._-]+", "_", f"{station.survey or 'draft'}_{station.name}_report") + ".html"
