"""`survey create`, `survey import` and `survey status`: a survey, its station sheet, and where every station stands."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from edge.commands.common import JsonOption, answer, home_of, make_table, or_running, out, plain, reading, say, told
from edge.commands.holding import held_store
from edge.commands.survey_tables import TableFormat, import_table_command
from edge.errors import BusyError, InputError, Reason, SettingsError
from edge.store.connection import snapshot
from edge.store.reads import surveys as reads
from edge.store.reads.surveys import SurveyRow
from edge.store.seal import open_seal
from edge.store.sqlite import Connection
from edge.survey.sheet.moments import DateOrder
from edge.survey.sheet.status import SurveyStatus, survey_status
from edge.survey.sheet.table import MAX_BYTES
from edge.survey.sheet_desk import NewSurvey, SheetDesk, SheetFile, SheetImport

ACTOR = "cli"
SHOWN_FAULTS = 20

SurveyOption = Annotated[str | None, typer.Option("--survey", metavar="NAME", help="The survey; else the one that the sheet names.")]


def create_command(
    context: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="The SurveyID of the station sheet, such as CV20017.")],
    functional_unit: Annotated[str, typer.Option(help="Such as FU22.")] = "",
    vessel: Annotated[str, typer.Option(help="Its name.")] = "",
    year: Annotated[int | None, typer.Option(help="The survey's year; stations of another year are listed as faults.")] = None,
    title: Annotated[str, typer.Option(help="In words.")] = "",
    reference: Annotated[bool, typer.Option("--reference", help="Footage with known counts, to qualify counters on.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Make a survey."""
    home = home_of(context)
    new = NewSurvey(
        name=name, kind="reference" if reference else "survey", title=title, functional_unit=functional_unit, vessel=vessel, year=year
    )
    with told(as_json=as_json):
        try:
            with _desk(home) as desk:
                survey_id = desk.create_survey(new, ACTOR)
        except BusyError as error:
            survey_id = or_running(error, home, "POST", "/api/surveys", dict(asdict(new)))["id"]
    if as_json:
        answer({"id": survey_id, "name": name.strip()})
    else:
        say(
            f"Survey {name.strip()} is made. State its protocol on the page Survey, and bring in its sheet: imagine-edge survey import FILE"
        )


def import_command(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A station sheet: CSV or XLSX.")],
    survey: SurveyOption = None,
    table_format: Annotated[
        TableFormat | None, typer.Option("--format", help="FILE is another table of the Marine Institute; as `survey import-table`.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only list every fault and every change.")] = False,
    date_order: Annotated[DateOrder | None, typer.Option(help="Of dates such as 07/08/2020, where the sheet does not prove it.")] = None,
    utc_offset: Annotated[str, typer.Option(help="How far the sheet's clock is from UTC, such as +01:00.")] = "",
    reason: Annotated[str, typer.Option(help="Why it may move lines that counts were made by; asked for where it does.")] = "",
    as_json: JsonOption = False,
) -> None:
    """Bring a station sheet in, whole or not at all; the same sheet again changes nothing."""
    if table_format is not None:
        _import_table(context, file, table_format, survey, dry_run=dry_run, as_json=as_json)
        return
    home = home_of(context)
    with told(as_json=as_json):
        sheet = SheetFile(name=file.name, content=_content(file), survey=survey, order=date_order, utc_offset=utc_offset, reason=reason)
        try:
            with _desk(home) as desk:
                done = _import_answer(desk.import_sheet(sheet, ACTOR, is_dry=dry_run))
        except BusyError as error:
            done = or_running(error, home, "POST", "/api/sheet/import", _body(sheet, dry_run=dry_run))
    if as_json:
        answer(done)
    else:
        _tell_import(done)
    if done["refused"]:
        raise typer.Exit(InputError.exit_code)


def status_command(
    context: typer.Context,
    survey: Annotated[str | None, typer.Argument(metavar="SURVEY", help="Only this survey.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Where every station stands: sheet, files, counts, faults. No figure of a count is in it."""
    with told(as_json=as_json), reading(home_of(context)) as connection, snapshot(connection):
        found = [survey_status(connection, one) for one in _chosen(connection, survey)]
        drafts = None if survey is not None else survey_status(connection, None)
    if drafts is not None and drafts.stations:
        found.append(drafts)
    if as_json:
        answer([_status_json(one) for one in found])
        return
    if not found:
        say("There is no survey yet. Make one: imagine-edge survey create NAME")
    for one in found:
        _tell_status(one)


def _import_table(
    context: typer.Context, file: Path, table_format: TableFormat, survey: str | None, *, dry_run: bool, as_json: bool
) -> None:
    with told(as_json=as_json):
        if survey is None:
            raise SettingsError(f"a table of the format {table_format.value} needs its survey", advice="Name it with --survey.")
    import_table_command(context, file, table_format, survey, dry_run=dry_run, as_json=as_json)


def _content(file: Path) -> bytes:
    try:
        if file.stat().st_size > MAX_BYTES:
            raise InputError(Reason.TOO_MANY_BYTES, f"{file} has more than {MAX_BYTES >> 20} MiB", advice="Is it the right file?")
        return file.read_bytes()
    except OSError as error:
        raise InputError(
            Reason.UNREADABLE_FILE, f"{file} cannot be read: {error.strerror}", advice="Check its name and permissions."
        ) from error


def _body(sheet: SheetFile, *, dry_run: bool) -> dict[str, object]:
    return {
        "name": sheet.name,
        "content_base64": base64.b64encode(sheet.content).decode("ascii"),
        "survey": sheet.survey,
        "date_order": sheet.order,
        "utc_offset": sheet.utc_offset,
        "reason": sheet.reason,
        "dry_run": dry_run,
    }


def _import_answer(done: SheetImport) -> dict[str, Any]:
    """The same as the JSON API's."""
    return {
        "survey": done.survey,
        "file": done.plan.name,
        "dialect": done.plan.dialect,
        "date_order": done.plan.order,
        "dry_run": done.is_dry,
        "refused": done.plan.is_refused,
        "outcome": plain(done.outcome) if done.outcome else None,
        "kept_columns": list(done.plan.kept_columns),
        "faults": [plain(fault) for fault in done.plan.faults],
    }


def _tell_import(done: dict[str, Any]) -> None:
    say(f"{done['file']}: {done['dialect']}, for {done['survey']}")
    if done["faults"]:
        table = make_table("weight", "row", "column", "says", "what is wrong", "what it does", numbers=("row",))
        for fault in done["faults"][:SHOWN_FAULTS]:
            weight = "REFUSES" if fault["refuses"] else "listed"
            table.add_row(weight, str(fault["row"]), fault["column"], fault["value"], fault["message"], fault["effect"])
        out.print(table)
        if len(done["faults"]) > SHOWN_FAULTS:
            say(f"and {len(done['faults']) - SHOWN_FAULTS} more; --json lists them all")
    outcome = done["outcome"]
    if outcome is None:
        say("Refused; nothing was written.")
        return
    for change in outcome["changes"][:SHOWN_FAULTS]:
        whose = f" (typed by {change['typed_by']})" if change["typed_by"] else ""
        say(f"station {change['station']}, {change['field']}: {change['before']!r}{whose} becomes {change['after']!r}")
    would = "would bring" if done["dry_run"] else "brought"
    say(
        f"It {would} {len(outcome['new_stations'])} new stations, {len(outcome['adopted'])} drafts that become stations and "
        f"{len(outcome['changes'])} changed cells; {outcome['unchanged']} of {outcome['stations']} stations are unchanged."
    )


def _chosen(connection: Connection, name: str | None) -> tuple[SurveyRow, ...]:
    if name is None:
        return reads.surveys(connection)
    row = reads.find_survey(connection, name)
    if row is None:
        raise SettingsError(f"there is no survey {name}", advice="`imagine-edge survey status` lists them all.")
    return (row,)


def _status_json(status: SurveyStatus) -> dict[str, Any]:
    return {
        "survey": None if status.survey is None else status.survey.name,
        "protocol_version": status.protocol_version,
        "planned": status.planned,
        "drafts": status.drafts,
        "counted": status.counted,
        "third_count": status.number_of("third_count"),
        "faults": status.fault_count,
        "stations": [
            {
                "station": one.station.name,
                "ground": one.station.ground,
                "is_draft": one.station.is_draft,
                "tows": one.tows,
                "images": one.images,
                "counts": str(one.counts),
                "is_counted": one.is_counted,
                "origin": one.origin,
                "signed": one.signed,
                "needed": one.needed,
                "faults": [plain(fault) for fault in one.faults],
            }
            for one in status.stations
        ],
    }


def _tell_status(status: SurveyStatus) -> None:
    title = "Drafts without a survey" if status.survey is None else status.survey.name
    table = make_table("station", "ground", "tows", "images", "counts", "faults", numbers=("tows", "images"), title=title)
    for one in status.stations:
        name = f"{one.station.name} (draft)" if one.station.is_draft else one.station.name
        counts = f"{str(one.counts).replace('_', ' ')}, {one.signed} of {one.needed} signed" if one.needed else "no protocol"
        counts += ", imported" if one.origin == "imported" else ""
        table.add_row(
            name, one.station.ground or "", str(one.tows), str(one.images), counts, "; ".join(fault.message for fault in one.faults)
        )
    out.print(table)
    planned = "" if status.planned is None else f" of {status.planned} planned"
    say(f"{len(status.stations)} stations{planned}, {status.counted} counted, {status.fault_count} faults")


@contextmanager
def _desk(home: Path) -> Iterator[SheetDesk]:
    """The desk of a home folder that no appliance runs on.

    Raises:
        BusyError: one does.
    """
    with held_store(home) as writer:
        yield SheetDesk(writer, partial(reading, home), open_seal(home))
