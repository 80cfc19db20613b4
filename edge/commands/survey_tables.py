"""`survey export` and `survey import-table`: a survey's tables out, and tables of others in."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from edge.commands.common import JsonOption, answer, home_of, make_table, or_running, out, plain, reading, say, told
from edge.commands.holding import held_store
from edge.errors import BusyError
from edge.store.files import list_roots
from edge.store.seal import open_seal
from edge.survey.exchange.methods import choice_of
from edge.survey.exchange.run import FORMATS, ExportReport, ExportRequest, export
from edge.survey.method import CHOICES
from edge.survey.mi.dialects import DIALECTS, find_dialect
from edge.survey.mi.reading import TableError
from edge.survey.mi.taking import plan_import, read_table
from edge.survey.tables_desk import ImportReport, TablesDesk

ACTOR = "cli"
SHOWN_REASONS = 12
ExportFormat = StrEnum("ExportFormat", {name: name for name in FORMATS})  # type: ignore[misc]
Origin = StrEnum("Origin", {name: name for name in CHOICES})  # type: ignore[misc]
TableFormat = StrEnum("TableFormat", {name: name for name in DIALECTS})  # type: ignore[misc]

SurveyName = Annotated[str, typer.Option("--survey", metavar="NAME", help="The survey.")]


def export_table_command(
    context: typer.Context,
    survey: SurveyName,
    table_format: Annotated[ExportFormat, typer.Option("--format", help="The table or map to write.")],
    folder: Annotated[Path, typer.Option("--out", metavar="DIR", help="The folder to write into; made if it is not there.")],
    station: Annotated[str | None, typer.Option("--station", metavar="S", help="Only this station.")] = None,
    protocol: Annotated[int | None, typer.Option(metavar="N", help="Only what was counted under this version of the protocol.")] = None,
    origin: Annotated[
        Origin | None,
        typer.Option(help="Only what was counted here, or what tables brought; of that, `table` is rows of tables of stations alone."),
    ] = None,
    all_methods: Annotated[
        bool, typer.Option("--all-methods", help="All of them in one file, each named in its name and in the sidecar.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Write one table of a survey, with a text beside it that says what it is made from and what it leaves out.

    A file holds what was counted by one method. Where there are several, choose with --protocol and --origin.
    """
    with told(as_json=as_json), reading(home_of(context)) as connection:
        choice = choice_of(protocol, origin.value if origin else None, every=all_methods)
        request = ExportRequest(survey=survey, format=table_format.value, station=station, choice=choice, sees_tables=True)
        report = export(connection, request, folder, watched=[root.path for root in list_roots(connection)])
    if as_json:
        answer(_report_json(report))
        return
    say(f"{report.rows} rows written to {report.file}")
    say(f"- method: {'; '.join(one.words for one in report.methods) or 'none: nothing is counted yet'}")
    for one in report.left_out[:SHOWN_REASONS]:
        say(f"- left out: {one.station}{f', {one.counter}' if one.counter else ''}: {one.reason}")
    if len(report.left_out) > SHOWN_REASONS:
        say(f"- and {len(report.left_out) - SHOWN_REASONS} more, all in {report.sidecar.name}")


def import_table_command(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A table of the Marine Institute (CSV, UTF-8).")],
    table_format: Annotated[TableFormat, typer.Option("--format", help="Its dialect: `Density` means another thing in each.")],
    survey: SurveyName,
    of: Annotated[
        str | None, typer.Option("--of", metavar="NAME", help="What the table calls the survey, where that differs; of a view: the ground.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be taken.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Take a table into a survey, all of it or nothing; the same table twice changes nothing."""
    home = home_of(context)
    with told(as_json=as_json):
        try:
            report = _import(home, file.absolute(), table_format.value, survey, of=of, is_dry_run=dry_run)
        except TableError as error:
            _tell_faults(error, as_json=as_json)
            raise typer.Exit(error.exit_code) from error
    if as_json:
        answer(report)
    else:
        _say_import(plain(report))


def _import(home: Path, file: Path, format_name: str, survey: str, *, of: str | None, is_dry_run: bool) -> ImportReport | Any:
    table = read_table(file, find_dialect(format_name))  # a running appliance would not answer with every row and column
    with reading(home) as connection:
        plan_import(connection, table, survey, of=of)
    try:
        with _desk(home) as desk:
            return desk.import_table(file, format_name, survey, actor=ACTOR, of=of, is_dry_run=is_dry_run)
    except BusyError as error:
        body: dict[str, object] = {"path": str(file), "format": format_name, "survey": survey, "of": of, "is_dry_run": is_dry_run}
        return or_running(error, home, "POST", "/api/survey-tables", body)


@contextmanager
def _desk(home: Path) -> Iterator[TablesDesk]:
    """What a running appliance would do, without its workers: this process holds the home folder for as long as it takes."""
    with held_store(home) as writer:
        yield TablesDesk(writer, lambda: reading(home), open_seal(home))


def _tell_faults(error: TableError, *, as_json: bool) -> None:
    if as_json:
        faults = [plain(fault) for fault in error.faults]
        about = {"code": error.code, "message": str(error), "advice": error.advice()}
        answer({"error": {**about, "fault_count": error.fault_count, "faults": faults}})
        return
    say(f"Error: {error}")
    if error.faults:
        table = make_table("row", "column", "what", numbers=("row",))
        for fault in error.faults:
            table.add_row(str(fault.row), fault.column, fault.message)
        out.print(table)
        if error.fault_count > len(error.faults):
            say(f"and {error.fault_count - len(error.faults)} more")
    say(error.advice())


def _say_import(report: dict[str, Any]) -> None:
    is_new = any(report[what] for what in ("counts", "references", "stations"))
    verb = "would be taken" if report["is_dry_run"] else "taken"
    say(f"{report['file']}: {report['rows']} rows of {report['survey']} {verb if is_new else 'are there already; nothing is new'}")
    for what in ("counts", "references", "stations", "unchanged"):
        say(f"  {what}: {report[what]}")
    if report["new_stations"]:
        say(f"  new stations made: {len(report['new_stations'])}")
    if report["rows_of_others"]:
        others = ", ".join(f"{name} ({count})" for name, count in report["rows_of_others"].items())
        say(f"  rows of other surveys, not taken: {others}")
    for note in report["notes"]:
        say(f"- {note}")


def _report_json(report: ExportReport) -> dict[str, Any]:
    left_out = [one._asdict() for one in report.left_out]
    return {
        "survey": report.survey,
        "format": report.format,
        "file": report.file,
        "sidecar": report.sidecar,
        "methods": [{"origin": one.origin, "protocol_version": one.version} for one in report.methods],
        "rows": report.rows,
        "sha256": report.sha256,
        "left_out": left_out,
    }
