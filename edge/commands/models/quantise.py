"""Make a pack small and fast, and prove what it lost."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from edge.commands.common import JsonOption, answer, err, home_of, make_table, out, say, told
from edge.commands.models.group import PackArgument, pack_of, progress_bar, renamed_labels
from edge.errors import SettingsError
from edge.logs import configure_logs
from edge.settings import load_settings
from models.workbench import find_workshop

if TYPE_CHECKING:
    from models.quantise.values import Quantised

_NUMBERS = ("mAP50", "lost", "img/s", "x fp32")


def quantise_model(
    context: typer.Context,
    pack: PackArgument,
    data: Annotated[Path, typer.Option(metavar="DATASET", help="Labelled images: YOLO folder, COCO, CVAT export, or a zip of one.")],
    out_dir: Annotated[Path | None, typer.Option("--out", help="Pack folder to make; default NAME-VERSION in the current folder.")] = None,
    version: Annotated[str | None, typer.Option(help="Version of the new pack; default the next patch version.")] = None,
    calibration_images: Annotated[int, typer.Option(min=16, max=10_000, help="How many images calibrate INT8 at most.")] = 300,
    speed_seconds: Annotated[float, typer.Option(min=0.05, max=60, help="Time for each single measure of speed.")] = 1.5,
    images: Annotated[Path | None, typer.Option(help="Where the images are, if not beside their labels.")] = None,
    tow_pattern: Annotated[str | None, typer.Option(help="Regular expression that finds the tow in an image's name.")] = None,
    labels_map: Annotated[
        list[str] | None,
        typer.Option(metavar="THEIRS=OURS", help="A label of the data set and the pack's name for it; may be given several times."),
    ] = None,
    skip_broken: Annotated[bool, typer.Option("--skip-broken", help="Leave out, and list, images that cannot be decoded.")] = False,
    as_json: JsonOption = False,
) -> None:
    """INT8, FP16 and BF16 variants of a pack, each measured on labelled images; those that stay accurate make a new pack.

    Some tows calibrate, the others judge. INT8 is tried throughout, then with more and more layers in floating point, until it
    loses no more than the pack allows. The new pack tells in quantise.html what was tried and why it was kept or dropped.
    """
    configure_logs(None)  # the answer tells what is to be told
    with told(as_json=as_json):
        if version is not None and not re.fullmatch(r"[0-9]+\.[0-9]+\.[0-9]+([.-][0-9a-z.-]+)?", version):
            raise SettingsError(f"--version {version!r} is no version", advice="Write three numbers, such as 1.2.0.")
        renamed = renamed_labels(labels_map or ())
        workshop = find_workshop(load_settings(home_of(context)).workshop_python)
        with pack_of(home_of(context), pack) as source, progress_bar(as_json=as_json) as on_step:
            from models.datasets.read import read_dataset
            from models.quantise.run import quantise_pack
            from models.quantise.values import QuantiseOptions

            dataset = read_dataset(data, images=images, tow_pattern=tow_pattern, skip_broken=skip_broken, on_step=on_step)
            options = QuantiseOptions(
                out=out_dir, version=version, calibration_images=calibration_images, labels_map=renamed, speed_s=speed_seconds
            )
            result = quantise_pack(source.pack, dataset, options, workshop=workshop, on_step=on_step)
    if as_json:
        answer(_described(result))
    else:
        _show(result)


def _described(result: Quantised) -> dict[str, Any]:
    from models.quantise.report import summary

    manifest = result.pack.manifest
    return {
        "name": manifest.name,
        "version": manifest.version,
        "path": result.pack.path.resolve(),
        "tried": summary(result.report.tried),
        "kept": list(result.kept),
        "dropped": list(result.dropped),
        "warnings": list(result.report.warnings),
    }


def _show(result: Quantised) -> None:
    report, manifest = result.report, result.pack.manifest
    key, title = report.accuracy
    table = make_table("variant", title, *_NUMBERS[1:], "kept", "why", numbers=(title, *_NUMBERS))
    for one in report.tried:
        speed = ["" if figure is None else f"{figure:.{digits}f}" for figure, digits in ((one.images_per_s, 1), (one.times_fp32, 2))]
        accuracy = f"{one.metrics[key]:.4f}" if key in one.metrics else ""
        lost = "" if one.drop_points is None else f"{one.drop_points:.2f}"
        table.add_row(f"{one.variant}: {one.told}", accuracy, lost, *speed, "yes" if one.kept else "no", one.reason)
    out.print(table)
    for name, reason in report.not_tried.items():
        say(f"{name} was not tried: {reason}.")
    for warning in report.warnings:
        err.print(f"Note: {warning}.", markup=False)
    say(f"{manifest.name}@{manifest.version} lies in {result.pack.path}; quantise.html there tells what was tried.")
    say(f"Install it: imagine-edge models install {result.pack.path}")
