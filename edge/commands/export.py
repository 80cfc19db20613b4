"""`export`: results, and the openings of tows, as files that other tools read."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.progress import Progress

from edge.commands.common import JsonOption, answer, err, home_of, reading, say, told
from edge.export import ExportFormat, ExportSummary, export
from edge.export.footage import TowChoice
from edge.export.ifdo import read_header
from edge.export.run import OF_TOWS
from edge.export.tows import TowRequest
from edge.settings import load_settings


def export_command(
    context: typer.Context,
    folder: Annotated[Path, typer.Option("--out", help="The folder to write; new, empty, or an earlier export.")],
    export_format: Annotated[ExportFormat, typer.Option("--format", help="The format to write.")] = ExportFormat.CSV,
    recipe: Annotated[str | None, typer.Option(help="Only the results of this recipe.")] = None,
    min_score: Annotated[float | None, typer.Option(min=0.0, max=1.0, help="Only objects of at least this score.")] = None,
    copy_images: Annotated[bool, typer.Option("--copy-images", help="YOLO: copy the images beside the labels.")] = False,
    reviewed: Annotated[
        bool, typer.Option("--reviewed", help="CSV, COCO and YOLO: of reviewed images what stands after review, with its origin.")
    ] = False,
    frames: Annotated[
        bool, typer.Option("--frames", help="COCO and YOLO: extract the frames of clips in which openings were seen.")
    ] = False,
    survey: Annotated[str | None, typer.Option(help="Of tows, only those of this survey.")] = None,
    station: Annotated[str | None, typer.Option(help="Of tows, only those of stations of this name.")] = None,
    all_openings: Annotated[bool, typer.Option("--all", help="Also openings that people rejected, marked as such.")] = False,
    header: Annotated[Path | None, typer.Option(help="iFDO: a YAML or JSON file with fields of the header.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Write current results, and the openings of tows, as files that other tools read."""
    from edge.commands.export_hands import footage_hands

    home = home_of(context)
    with (
        told(as_json=as_json),
        footage_hands(load_settings(home)) as hands,
        reading(home) as connection,
        Progress(console=err, disable=as_json, transient=True) as progress,
    ):
        bar = progress.add_task("images", total=None)

        def report(done: int, total: int) -> None:
            progress.update(bar, completed=done, total=total)

        def on_piece(name: str) -> None:
            progress.update(bar, description=f"tow: {name}", total=None)

        tows = TowRequest(
            choice=TowChoice(survey=survey, station=station, all_openings=all_openings),
            hands=hands,
            extract=frames,
            header={} if header is None else read_header(header),
            on_piece=on_piece,
        )
        summary = export(
            connection,
            format=export_format,
            out_dir=folder,
            recipe=recipe,
            min_score=min_score,
            copy_images=copy_images,
            reviewed=reviewed,
            tows=tows,
            progress=report,
        )
    if as_json:
        answer(summary)
    else:
        _show(summary)


def _show(summary: ExportSummary) -> None:
    is_of_tows = summary.format in OF_TOWS
    if is_of_tows and not (summary.tows or summary.tows_left_out):
        say(f"no tow has footage; nothing but lists is in {summary.folder}")
    if not is_of_tows:
        say(f"{summary.images} images, {summary.objects} objects, {summary.failures} failures written to {summary.folder}")
    if summary.tows:
        extracted = f", {summary.frames} frames" if summary.frames else ""
        say(f"{summary.tracks} openings of {summary.tows} tows{extracted} written to {summary.folder}")
    if summary.tows_left_out:
        say(f"{summary.tows_left_out} tows are left out; export_manifest.json says why")
    if summary.missing_fields:
        say(f"required by iFDO and told by nobody: {', '.join(summary.missing_fields)}; give them with --header")
    if summary.sealed:
        say(f"{summary.sealed} files are left out: their results are sealed until the counts of their stations are signed")
