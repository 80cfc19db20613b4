"""`survey count` and `survey track`: what is known of a station, and the import of its track."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from edge.commands.common import JsonOption, answer, home_of, make_table, or_running, out, plain, reading, say, told
from edge.commands.holding import held_store
from edge.errors import BusyError, SettingsError
from edge.store.connection import DATABASE_NAME
from edge.store.reads import surveys as reads
from edge.store.sqlite import Connection
from edge.survey.navigation.csv_logs import Source
from edge.survey.result import StationResult, result_of_station
from edge.survey.track_desk import Imported, TrackDesk, TrackFile

Station = Annotated[str, typer.Argument(metavar="STATION", help="The name of the station.")]
SurveyOption = Annotated[str | None, typer.Option("--survey", metavar="NAME", help="Its survey, where several have such a station.")]
ACTOR = "cli"


def count_command(context: typer.Context, station: Station, survey: SurveyOption = None, as_json: JsonOption = False) -> None:
    """Count, distance, area and density of a station, each with its sources; a station that nobody knows becomes a draft."""
    home = home_of(context)
    with told(as_json=as_json):
        _ensure(home, station, survey)
        with reading(home) as connection:
            result = _result(connection, station, survey)
    if as_json:
        answer(result)
    else:
        _print(result)


def track_command(
    context: typer.Context,
    station: Station,
    log: Annotated[Path, typer.Argument(metavar="LOG", help="NMEA 0183 (also $PTSAG, $PSONLLD) or a CSV table of positions.")],
    survey: SurveyOption = None,
    source: Annotated[Source, typer.Option(help="Whose track it is: usbl (the sledge) or ship.")] = "usbl",
    beacon: Annotated[str | None, typer.Option(metavar="NAME", help="The transponder on the sledge, where the log has several.")] = None,
    offset_s: Annotated[float, typer.Option(metavar="SECONDS", help="Added to the log's times.")] = 0.0,
    tow: Annotated[int, typer.Option(min=1, help="Which tow of the station.")] = 1,
    as_json: JsonOption = False,
) -> None:
    """Import the part of a navigation log that is a station's tow."""
    home = home_of(context)
    with told(as_json=as_json):
        with reading(home) as connection:
            tow_id = _tow_id(connection, station, survey, tow)
        file = TrackFile(path=log.absolute(), name=log.name, source=source, stream=beacon, time_offset_s=offset_s)
        imported = _import(home, tow_id, file)
    if as_json:
        answer(imported)
        return
    found = plain(imported)
    say(f"{found['points']} positions of {found['stream']} ({found['source']})")
    say(f"{found['rows_refused']} of {found['rows_read']} lines could not be used")
    for flag, count in found["flagged"].items():
        say(f"flagged, kept and not used: {count} {flag.replace('_', ' ')}")
    for fault in found["faults"]:
        say(f"- {fault}")
    distance_m = found["distance_m"]
    if distance_m is not None:
        say(f"{distance_m:.1f} m over ground along the tow")
    say(
        "It is the tow's distance now."
        if found["is_chosen"]
        else "The tow's distance in force is not changed; choose it on the track page."
    )


def _ensure(home: Path, name: str, survey: str | None) -> None:
    """Let a station be there; only a name that nobody knows is written."""
    if (home / DATABASE_NAME).is_file():
        with reading(home) as connection:
            if reads.find_station(connection, name, survey) is not None:
                return
    try:
        with _desk(home) as desk:
            desk.ensure_station(name, survey, ACTOR)
    except BusyError as error:
        or_running(error, home, "POST", "/api/stations/ensure", {"station": name, "survey": survey})


def _result(connection: Connection, name: str, survey: str | None) -> StationResult:
    row = reads.find_station(connection, name.strip(), survey)
    if row is None:
        raise SettingsError(f"there is no station {name}", advice="Look at the list of stations.")
    return result_of_station(connection, row, sees_tables=True)  # who may read this folder administers it


def _tow_id(connection: Connection, name: str, survey: str | None, ordinal: int) -> int:
    row = reads.find_station(connection, name, survey)
    if row is None:
        raise SettingsError(f"there is no station {name}", advice="Import its sheet first, or make it on the Surveys page.")
    for tow in reads.tows(connection, row.id):
        if tow.ordinal == ordinal:
            return tow.id
    raise SettingsError(f"station {name} has no tow {ordinal}", advice="Add the tow on the station's page.")


def _import(home: Path, tow_id: int, file: TrackFile) -> Imported | Any:
    try:
        with _desk(home) as desk:
            return desk.import_track(tow_id, file, ACTOR)
    except BusyError as error:
        body: dict[str, object] = {
            "path": str(file.path),
            "source": file.source,
            "stream": file.stream,
            "time_offset_s": file.time_offset_s,
        }
        return or_running(error, home, "POST", f"/api/tows/{tow_id}/tracks", body)


@contextmanager
def _desk(home: Path) -> Iterator[TrackDesk]:
    """What a running appliance would do, without its workers: this process holds the home folder for as long as it takes."""
    with held_store(home) as writer:
        yield TrackDesk(writer, lambda: reading(home))


def _print(result: StationResult) -> None:
    say(f"station {result.station}, {'survey ' + result.survey if result.survey else 'no survey'}: {result.state.value.replace('_', ' ')}")
    table = make_table("figure", "value", "unit", numbers=("value",))
    for name, value, sd, unit, digits in (
        ("systems", result.systems, None, "burrow systems", 2),
        ("distance", result.distance_m, None, "m", 1),
        ("area", result.area_m2, result.area_sd_m2, "m2", 1),
        ("density, raw", result.density_raw_per_m2, result.density_raw_sd_per_m2, "per m2", 4),
        ("density, adjusted", result.density_adjusted_per_m2, result.density_adjusted_sd_per_m2, "per m2", 4),
        ("openings (model, advisory)", result.openings, None, _stills(result), 0),
    ):
        told_sd = "" if sd is None else f"; width: ± {sd:.{digits}f}"
        table.add_row(name, "-" if value is None else f"{value:.{digits}f}", unit + told_sd)
    out.print(table)
    for words in (*result.reasons, *result.flags):
        say(f"- {words}")


def _stills(result: StationResult) -> str:
    """Of how many stills the openings are: with most of them still waiting a small number says nothing."""
    found = result.sources["openings"]
    return "on stills" if found is None else f"on {found['with_result']} of {found['stills']} stills"
