"""`dataset build`: a training set of what people reviewed."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.progress import Progress

from edge.commands.common import JsonOption, answer, err, home_of, reading, say, told

if TYPE_CHECKING:
    from edge.export.dataset import BuildSummary

_SHOWN = 20

dataset_app = typer.Typer(help="Training sets of what people reviewed.", no_args_is_help=True)


@dataset_app.callback()
def _group() -> None:
    pass


@dataset_app.command("build")
def build_command(
    context: typer.Context,
    folder: Annotated[Path, typer.Option("--out", help="The folder to write; new or empty.")],
    survey: Annotated[str | None, typer.Option(help="Only stations of this survey.")] = None,
    form: Annotated[str, typer.Option("--format", help="yolo, coco or yolo+coco.")] = "yolo+coco",
    licence: Annotated[str | None, typer.Option(help="The licence of pictures and labels, such as CC-BY-4.0.")] = None,
    recipe: Annotated[str, typer.Option(help="Whose objects.")] = "burrows",
    with_cvat: Annotated[bool, typer.Option("--with-cvat/--no-cvat", help="Pictures of completed jobs in CVAT too.")] = True,
    overlap: Annotated[float, typer.Option(help="Share of a frame's height that two frames of a tow may share.")] = 0.25,
    val: Annotated[float, typer.Option(help="Share of the stations for validation.")] = 0.15,
    test: Annotated[float, typer.Option(help="Share of the stations for the test.")] = 0.15,
    seed: Annotated[int, typer.Option(help="Another one divides the stations otherwise.")] = 0,
    as_json: JsonOption = False,
) -> None:
    """Write reviewed stills and frames as a folder that `models train` takes as it is, divided by station."""
    from edge.commands.export_hands import footage_hands
    from edge.export.dataset import BuildRequest, build_dataset
    from edge.settings import load_settings

    if licence is None and not as_json and sys.stdin.isatty():
        licence = typer.prompt("Licence of pictures and labels (Enter: not stated)", default="", show_default=False) or None
    home = home_of(context)
    request = BuildRequest(
        form=form,
        survey=survey,
        recipe=recipe,
        with_cvat=with_cvat,
        licence=licence,
        overlap_limit=overlap,
        val_share=val,
        test_share=test,
        seed=seed,
    )
    with (
        told(as_json=as_json),
        footage_hands(load_settings(home)) as hands,
        reading(home) as connection,
        Progress(console=err, disable=as_json, transient=True) as progress,
    ):
        bar = progress.add_task("gather", total=None)

        def report(step: str, done: int, total: int) -> None:
            progress.update(bar, description=step, completed=done, total=total or None)

        summary = build_dataset(connection, hands, folder, request, progress=report)
    if as_json:
        answer(summary)
    else:
        _show(summary, licence)


def _show(summary: BuildSummary, licence: str | None) -> None:
    for part, count in summary.pictures.items():
        stations = summary.stations[part]
        say(f"{part}: {count} pictures, {summary.objects[part]} objects, {len(stations)} stations")
    if summary.from_cvat:
        say(f"{summary.from_cvat} of the pictures were corrected in CVAT")
    if summary.repeated:
        say(f"{summary.repeated} pictures are left out: others show the same seabed")
    for why, count in summary.unusable.items():
        say(f"{count} pictures are left out: {why}")
    for why, count in summary.cvat_left_out.items():
        say(f"{count} pictures are left out: {why}")
    for one in summary.disputed[:_SHOWN]:
        frame = "" if one["frame"] is None else f", frame {one['frame']}"
        say(f"  {one['station']}: {one['name']}{frame}")
    for tow in summary.tows_left_out:
        say(f"tow {tow['tow']} of {tow['station']} is left out: {tow['reason']}")
    if licence is None:
        say("no licence is stated: name one with --licence before the set goes to others")
    say(f"written to {summary.folder}; train with: imagine-edge models train --data {summary.folder} ...")
