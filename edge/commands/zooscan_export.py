"""`zooscan export` and `zooscan abundance`: scans out to EcoTaxa, to Zooprocess's work folder, as tables, as individuals per m3."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from edge.commands.common import JsonOption, answer, err, home_of, make_table, plain, reading, say, told
from edge.errors import EdgeError, ExportRefusedError, SettingsError
from edge.recipes.scan_abundance import AbundanceReport, write_abundances
from edge.recipes.scan_export import ExportWish, ScanExport, ScanFormat, export_scan
from edge.store.files import list_roots
from edge.store.reads.zooscan import list_projects
from edge.store.sqlite import Connection
from edge.zooscan.counted import Wanted
from edge.zooscan.sizes import Body, SizeStep

SHOWN_PROBLEMS = 40
_MARKS = {"wrong": "wrong", "look": "look", "unknown": "not looked at"}

OutOption = Annotated[Path, typer.Option("--out", metavar="DIR", help="The folder to write into; made if it is not there.")]
UnsignedOption = Annotated[bool, typer.Option("--unsigned", help="Also scans whose check nobody signed; what is written says so.")]


class Compatibility(StrEnum):
    """Whose derived figures."""

    RIGHT = "right"
    LEGACY = "legacy"


class Statuses(StrEnum):
    """Which categories count."""

    VALIDATED = "validated"
    ALL = "all"


def export_command(
    context: typer.Context,
    scan: Annotated[str, typer.Argument(metavar="SCAN", help="The scan's name, PROJECT/NAME, or uuid.")],
    scan_format: Annotated[
        ScanFormat,
        typer.Option(
            "--format", metavar="ecotaxa|legacy|csv", help="EcoTaxa's import zip, Zooprocess's work folder, or a table of objects."
        ),
    ],
    out_dir: OutOption,
    compatibility: Annotated[
        Compatibility,
        typer.Option(help="`legacy`: derived figures as Zooprocess 8 computes them from whole numbers, to go on with a time series."),
    ] = Compatibility.RIGHT,
    unsigned: UnsignedOption = False,
    as_json: JsonOption = False,
) -> None:
    """Write a scan's objects for others. What EcoTaxa would not take is listed, and then nothing is written."""
    home = home_of(context)
    wish = ExportWish(format=scan_format, is_legacy=compatibility is Compatibility.LEGACY, unsigned=unsigned)
    with told(as_json=as_json):
        try:
            with reading(home) as connection:
                report = export_scan(connection, home, scan, wish, out_dir, watched=_watched(connection))
        except ExportRefusedError as error:
            _tell_problems(error, as_json=as_json)
            raise typer.Exit(error.exit_code) from error
    if as_json:
        answer(report)
    else:
        _show(report)


def abundance_command(
    context: typer.Context,
    out_dir: OutOption,
    sample: Annotated[str | None, typer.Argument(metavar="[SAMPLE]", help="A SampleId; all samples of the project without.")] = None,
    project: Annotated[str | None, typer.Option("--project", metavar="P", help="A project, by its name or folder.")] = None,
    statuses: Annotated[
        Statuses, typer.Option("--status", help="Only validated categories, or every status in rows of its own.")
    ] = Statuses.VALIDATED,
    sizes: Annotated[SizeStep, typer.Option("--sizes", help="How the classes of size grow.")] = SizeStep.OCTAVE,
    body: Annotated[Body, typer.Option("--body", help="What the biovolumes of the spectrum are made of.")] = Body.ELLIPSOID,
    unsigned: UnsignedOption = False,
    unresolved: Annotated[
        bool,
        typer.Option(
            "--unresolved", help="Also signed scans with proposed multiples that nobody decided about; each counts as one animal."
        ),
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Write individuals and biovolume per m3, by class and by class of size. A sample of which a scan is missing is refused."""
    home = home_of(context)
    wanted = Wanted(every_status=statuses is Statuses.ALL, step=sizes, body=body, unsigned=unsigned, unresolved=unresolved)
    with told(as_json=as_json):
        if sample is None and project is None:
            raise SettingsError("neither a sample nor a project is named", advice="Name a SampleId, or a project with --project.")
        try:
            with reading(home) as connection:
                watched = _watched(connection)
                report = write_abundances(connection, home, out_dir, wanted, sample=sample, project=project, watched=watched)
        except ExportRefusedError as error:
            _tell_problems(error, as_json=as_json)
            raise typer.Exit(error.exit_code) from error
    if as_json:
        answer(report)
    else:
        _show_abundances(report)


def _watched(connection: Connection) -> list[Path]:
    """Folders in which an export would be taken for new files. Zooprocess's own work folder lies in the project, and may."""
    projects = [Path(project.folder) for project in list_projects(connection)]
    taken = [folder / part for folder in projects for part in (Path("Zooscan_scan") / "_raw", Path("Zooscan_back"))]
    return [root.path for root in list_roots(connection)] + taken


def _tell_problems(error: EdgeError, *, as_json: bool) -> None:
    """All that is wrong, each with what to do."""
    problems = [plain(problem) for problem in getattr(error, "problems", ())]
    if as_json:
        answer({"error": {"code": error.code, "message": str(error), "advice": error.advice(), "problems": problems}})
        return
    err.print(f"Error: {str(error).partition(': ')[0]}", style="bold red", markup=False)
    if problems:
        _show_problems(problems)
    err.print(error.advice(), markup=False)


def _show_problems(problems: list[dict[str, Any]]) -> None:
    table = make_table("where", "what", "advice")
    for problem in problems[:SHOWN_PROBLEMS]:
        column = f"{problem['column']}: " if problem.get("column") else ""
        table.add_row(str(problem["where"]), f"{column}{problem['what']}", str(problem["advice"]))
    err.print(table)
    if len(problems) > SHOWN_PROBLEMS:
        err.print(f"and {len(problems) - SHOWN_PROBLEMS} more; --json has all of them", markup=False)


def _show(report: ScanExport) -> None:
    signed = f"signed by {report.signed_by}" if report.signed_by else "NOT SIGNED"
    counts = f"{report.objects} objects, {report.multiples} of them multiples, {report.labelled} with a category"
    say(f"{report.scan} ({signed}): {counts}")
    for path in report.files:
        say(f"- {path}")
    if report.retired:
        say(f"- {report.retired} ids are no more; the list of retired ids names them")
    looked = [one for one in report.findings if one.level != "ok"]
    if looked:
        table = make_table("check", "", "what was found", "advice")
        for one in looked:
            table.add_row(one.check.replace("_", " "), _MARKS[one.level], one.words, one.advice)
        err.print(table)
    say(f"{len(report.findings) - len(looked)} of {len(report.findings)} checks found nothing to look at")


def _show_abundances(report: AbundanceReport) -> None:
    count = len(report.samples)
    say(f"{count} sample{'' if count == 1 else 's'}: {report.classes} rows of classes, {report.sizes} of classes of size")
    for path in report.files:
        say(f"- {path}")
    if report.refused:
        say("left out:")
        _show_problems([plain(one) for one in report.refused])
