"""How good a pack is on labelled images: average precision, errors of its counts, calibration of its scores, speed here."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edge.commands.common import JsonOption, answer, err, home_of, make_table, out, say, told
from edge.commands.models.group import PackArgument, pack_of, progress_bar, renamed_labels
from edge.logs import configure_logs

if TYPE_CHECKING:
    from models.evaluate.evaluation import Evaluation

_NUMBERS = ("mAP50", "50-95", "bias", "MAE", "CCC", "ECE", "img/s")  # fits 80 columns


def evaluate_model(
    context: typer.Context,
    pack: PackArgument,
    data: Annotated[
        Path,
        typer.Option(help="Labelled images: a YOLO folder or data.yaml, COCO JSON, CVAT export, class folders; or a zip of one."),
    ],
    images: Annotated[Path | None, typer.Option(help="Folder of the images, where they do not lie with the labels.")] = None,
    split: Annotated[str | None, typer.Option(help="Take only this part of the data set: train, val or test.")] = None,
    variant: Annotated[
        str | None, typer.Option(help="Evaluate only this variant; without it all, the best for this machine first.")
    ] = None,
    threshold: Annotated[
        float | None, typer.Option(min=0, max=1, help="Score from which objects are counted; the pack's own if not given.")
    ] = None,
    tow_pattern: Annotated[
        str | None,
        typer.Option(help="Regular expression that finds the tow in an image's name: its group `tow`, or its first group, or all."),
    ] = None,
    labels_map: Annotated[
        list[str] | None,
        typer.Option(metavar="THEIRS=OURS", help="A label of the data set and the pack's name for it; may be given several times."),
    ] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Take only so many images, spread evenly.")] = None,
    skip_broken: Annotated[bool, typer.Option("--skip-broken", help="Leave out, and list, images that cannot be decoded.")] = False,
    out_folder: Annotated[
        Path | None, typer.Option("--out", help="Folder for the reports; PACK-VERSION-evaluation in the current one if not given.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Compare what a pack finds in labelled images with the labels, and write a report.

    The folder of the report holds evaluation.html (one file, opens anywhere), evaluation.json, images.csv and classes.csv. Images
    go through the model as in the appliance; only masks of a recipe (burnt-in text) are not painted.
    """
    configure_logs(None)  # the answer tells what is to be told; this command may run where there is no home folder
    with told(as_json=as_json), pack_of(home_of(context), pack) as source, progress_bar(as_json=as_json) as on_step:
        from models.datasets.read import read_dataset
        from models.evaluate.evaluation import evaluate_pack, summary
        from models.evaluate.files import check_target, write_evaluation

        manifest = source.pack.manifest
        folder = out_folder or Path(f"{manifest.name}-{manifest.version}-evaluation")
        check_target(folder)
        renamed = renamed_labels(labels_map or ())
        if variant is not None:
            source.pack.variant(variant)
        dataset = read_dataset(
            data, images=images, split=split, limit=limit, tow_pattern=tow_pattern, skip_broken=skip_broken, on_step=on_step
        )
        evaluation = evaluate_pack(source.pack, dataset, variant=variant, threshold=threshold, labels_map=renamed, on_step=on_step)
        report = write_evaluation(evaluation, folder)
        result = {**summary(evaluation), "report": str(report)}
    if as_json:
        answer(result)
        return
    _show(evaluation, report)


def _show(evaluation: Evaluation, report: Path) -> None:
    manifest, dataset = evaluation.pack.manifest, evaluation.dataset
    _, chosen = evaluation.chosen_parts()
    for warning in dataset.warnings:
        err.print(f"Note: {warning}.", style="yellow", markup=False)
    title = (
        f"{manifest.name} {manifest.version} on {chosen.images} images with {chosen.objects} objects, counted from {chosen.threshold:.3g}"
    )
    table = make_table("variant", *_NUMBERS, numbers=_NUMBERS, title=title)
    for one in evaluation.results:
        figures = one.figures
        if figures is None:
            continue
        counts = figures.counts
        cells = [_text(figures.map50, 3), _text(figures.map50_95, 3), f"{counts.bias:+.2f}", _text(counts.mae, 2), _text(counts.ccc, 3)]
        table.add_row(one.name, *cells, _text(figures.ece, 3), _text(figures.images_per_s, 1))
    out.print(table)
    for one in evaluation.results:
        if one.fault:
            say(f"{one.name} was not measured: {one.fault}")
        elif one.offered is False:
            say(f"{one.name} is not offered here: {one.standing}")
    if chosen.best_f1 is not None:
        say(f"best F1 {chosen.best_f1.f1:.3f} at {chosen.best_f1.threshold:.3f}")
    if chosen.unbiased_threshold is not None:
        say(f"as many found as labelled at {chosen.unbiased_threshold:.3f}")
    say(f"report: {report}")


def _text(figure: float | None, digits: int) -> str:
    return "-" if figure is None else f"{figure:.{digits}f}"
