"""Train a detector on labelled images, from a pack or from random weights, into a measured pack."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeVar

import typer

from edge.commands.common import JsonOption, answer, err, home_of, make_table, out, say, told
from edge.commands.models.group import pack_of, progress_bar, renamed_labels
from edge.errors import SettingsError
from edge.settings import load_settings
from models.datasets.dataset import Dataset
from models.datasets.read import read_dataset
from models.training.parts import PARTS_NAME
from models.training.plan import LAYOUTS, LOG_NAME, TRAINED_NAME, WorkFolderError, read_curves
from models.training.split import Wanted
from models.training.start import Asked, Started, default_name, go_on, is_layout, start
from models.workbench import OnProgress, Step, ToolError, find_workshop, run_tool

if TYPE_CHECKING:
    from models.training.finish import Finished
    from models.training.measured import Worth

_TOOL = "models.workshop.train"
_INTERRUPTED = 130

_Value = TypeVar("_Value")

OutOption = Annotated[Path | None, typer.Option("--out", help="Work folder; default training/NAME-VERSION. The pack comes to lie in it.")]
RateOption = Annotated[float | None, typer.Option(min=1e-7, max=1.0, help="Default 0.001 from a pack, 0.002 from random weights.")]
InputOption = Annotated[
    str | None, typer.Option("--input", metavar="WxH", help="Input of the network in px; default the base's, or 640x640.")
]
SplitOption = Annotated[Literal["tow", "image"], typer.Option(help="tow, or image: frames of one tow in several parts, figures too good.")]
LabelsOption = Annotated[list[str] | None, typer.Option(metavar="THEIRS=OURS", help="A label of the data set and the base's name for it.")]
GoldensOption = Annotated[
    Literal["data", "base"], typer.Option(help="data: stills of the val and test parts; base: those of the base pack.")
]


def train_model(
    context: typer.Context,
    data: Annotated[Path | None, typer.Option(help="Labelled images: a YOLO folder, COCO, or an export of CVAT.")] = None,
    base: Annotated[str | None, typer.Option(metavar="PACK|ARCH", help=f"Pack to tune, or architecture: {', '.join(LAYOUTS)}.")] = None,
    out_dir: OutOption = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the training in --out; nothing else is needed.")] = False,
    name: Annotated[str | None, typer.Option(help="Name of the pack; default by its base.")] = None,
    version: Annotated[str, typer.Option(help="Version of the pack.")] = "1.0.0",
    epochs: Annotated[int, typer.Option(min=1, max=10_000, help="At most so many times through the training images.")] = 100,
    patience: Annotated[int, typer.Option(min=0, help="Stop after so many epochs without improvement on the val part; 0 never.")] = 25,
    time_limit: Annotated[float | None, typer.Option(min=0.1, metavar="MINUTES", help="Fit the epochs into so much time.")] = None,
    batch: Annotated[int, typer.Option(min=1, max=1024, help="Images per step.")] = 8,
    learning_rate: RateOption = None,
    input_size: InputOption = None,
    seed: Annotated[int, typer.Option(min=0, max=2**31 - 1, help="Of the division and of everything drawn by chance.")] = 0,
    device: Annotated[str, typer.Option(help="auto, cpu, or cuda:0 and the like.")] = "auto",
    split_by: SplitOption = "tow",
    val: Annotated[float, typer.Option(help="Share of the images that choose the epoch and the threshold.")] = 0.15,
    test: Annotated[float, typer.Option(help="Share of the images that give the figures; 0 for none.")] = 0.15,
    val_tows: Annotated[str, typer.Option(metavar="A,B", help="Tows of the val part, by name.")] = "",
    test_tows: Annotated[str, typer.Option(metavar="A,B", help="Tows of the test part, by name.")] = "",
    tow_pattern: Annotated[str | None, typer.Option(help="Regular expression that finds the tow in an image's name.")] = None,
    images: Annotated[Path | None, typer.Option(help="Folder of the images, where they do not lie with the labels.")] = None,
    labels_map: LabelsOption = None,
    skip_broken: Annotated[bool, typer.Option("--skip-broken", help="Leave out, and list, images that cannot be decoded.")] = False,
    golden_images: GoldensOption = "data",
    as_json: JsonOption = False,
) -> None:
    """Tune a pack, or train a network from random weights, on labelled images divided by tow; evaluate and pack the result.

    Interrupted, the same command goes on from the last finished epoch. Needs the workshop (`make workshop`).
    """
    with told(as_json=as_json):
        python = find_workshop(load_settings(home_of(context)).workshop_python)
        if resume:
            started = go_on(_required(out_dir, "--resume: --out"))
        else:
            tows = {"val_tows": _names(val_tows), "test_tows": _names(test_tows)}
            asked = Asked(
                base=_required(base, "--base"),
                name=name,
                version=version,
                input_px=_size(input_size),
                epochs=epochs,
                patience_epochs=patience,
                batch_size=batch,
                learning_rate=learning_rate,
                seed=seed,
                device=device,
                time_limit_min=time_limit,
                goldens=golden_images,
                labels_map=renamed_labels(labels_map or []),
                division=Wanted(by=split_by, val_share=val, test_share=test, seed=seed, **tows),
            )
            dataset = _read(_required(data, "--data"), images, tow_pattern, skip_broken=skip_broken, as_json=as_json)
            started = _started(home_of(context), dataset, asked, out_dir)
        _tell_end(_carried_out(started, python, as_json=as_json), as_json=as_json)


def _read(data: Path, images: Path | None, tow_pattern: str | None, *, skip_broken: bool, as_json: bool) -> Dataset:
    if data.suffix.lower() == ".zip":
        raise SettingsError(
            "training reads its images again and again, so --data must not be a zip", advice="Unpack it and name the folder."
        )
    with _steps(as_json=as_json) as on_step:
        return read_dataset(data, images=images, tow_pattern=tow_pattern, skip_broken=skip_broken, on_step=on_step)


def _carried_out(started: Started, python: Path, *, as_json: bool) -> Finished:
    if not as_json:
        _tell_start(started)
    with _steps(as_json=as_json) as on_step:
        return _train(started, python, on_step)


def _started(home: Path, dataset: Dataset, asked: Asked, out_dir: Path | None) -> Started:
    with nullcontext() if is_layout(asked.base) else pack_of(home, asked.base) as source:
        pack = None if source is None else source.pack
        folder = out_dir or Path("training") / f"{default_name(pack, asked)}-{asked.version}"
        return start(folder, dataset, pack, asked)


def _train(started: Started, python: Path, on_step: OnProgress) -> Finished:
    """Train, unless that is done, and make the pack."""
    from models.training.finish import Work, finish, pack_dir_of  # loads OpenCV: not for those who only list packs

    folder = started.folder
    if (pack_dir := pack_dir_of(folder, started.plan)).exists():
        raise WorkFolderError(
            f"this training is finished: its pack is {pack_dir}",
            advice="Name another folder with --out to train anew, or install that pack.",
        )
    trained_path = folder / TRAINED_NAME
    if not trained_path.exists():
        try:
            run_tool(_TOOL, [str(folder.resolve())], python=python, on_step=on_step, log=folder / LOG_NAME)
        except KeyboardInterrupt as interrupt:
            err.print(f"Interrupted after {len(read_curves(folder))} finished epochs.", style="bold", markup=False)
            err.print(f"The same command goes on from there; so does `imagine-edge models train --resume --out {folder}`.", markup=False)
            raise typer.Exit(_INTERRUPTED) from interrupt
        except ToolError as error:
            raise _explained(error, folder) from error
    trained: dict[str, Any] = json.loads(trained_path.read_text(encoding="utf-8"))
    return finish(Work(folder=folder, plan=started.plan, base=started.base, trained=trained, warnings=started.warnings), on_step)


def _explained(error: ToolError, folder: Path) -> ToolError:
    """What the folder keeps; and what a killed tool most often means."""
    kept = f"{len(read_curves(folder))} finished epochs are kept in {folder}."
    if error.code != "workshop_failed":
        return error
    if "SIGKILL" in str(error):
        hint = "Most often the machine ran out of memory: the same command goes on, and a new training with a smaller --batch needs less."
        return ToolError("out_of_memory", f"{error}. {kept}", advice=hint)
    return ToolError(error.code, str(error), advice=f"{folder / LOG_NAME} says more. {kept}")


@contextmanager
def _steps(*, as_json: bool) -> Iterator[OnProgress]:
    """Bars for a person, a line per epoch in a log, nothing with `--json`."""
    if as_json or err.is_terminal:
        with progress_bar(as_json=as_json) as on_step:
            yield on_step
        return

    def line(step: Step) -> None:
        if step.name == "training" and step.done == int(step.done):
            err.print(f"epoch {step.done:g} of {step.of:g}: {step.note}", markup=False)

    yield line


def _tell_start(started: Started) -> None:
    plan, done = started.plan, len(read_curves(started.folder))
    for name, part in plan.split["parts"].items():
        tows = f" of {len(part['tows'])} tows: {', '.join(list(part['tows'])[:6])}" if part["tows"] else ""
        say(f"{name:5} {part['images']} images, {part['boxes']} boxes{tows}")
    if not plan.split["independent"]:
        say("Divided by image: frames of one tow are in several parts, and the figures will be too good.")
    for warning in started.warnings:
        say(f"Note: {warning}")
    if done:
        say(f"Goes on after epoch {done} of {plan.epochs} in {started.folder}, with the same parts and seed {plan.seed}.")
    else:
        say(f"Trains {plan.name} {plan.version} in {started.folder} from {plan.base.named}, seed {plan.seed}; Ctrl-C keeps what is done.")


def _tell_end(finished: Finished, *, as_json: bool) -> None:
    if as_json:
        answer(finished)
        return
    table = make_table(
        "part", "images", "mAP50", "50-95", "prec.", "recall", "bias", "MAE", "CCC", title="mAP, and objects per image against the truth"
    )
    rows: list[tuple[str, Worth | None]] = [("before", finished.base), ("test", finished.test), ("val", finished.val)]
    for where, worth in rows:
        if worth is not None:
            figures = [f"{value:.3f}" for value in (worth.map50, worth.map50_95, worth.precision, worth.recall)]
            ccc = "-" if worth.count_ccc is None else f"{worth.count_ccc:.3f}"
            table.add_row(where, str(worth.images), *figures, f"{worth.count_bias:+.2f}", f"{worth.count_mae:.2f}", ccc)
    out.print(table)
    say(f"{finished.epochs} epochs, the best is {finished.best_epoch}; ended: {finished.stopped}.")
    say(f"The pack is {finished.pack_dir}; its card and training/report.html say more. Next:")
    parts = finished.pack_dir.parent / PARTS_NAME
    data = parts if parts.is_file() else "DATASET"
    say(f"  imagine-edge models quantise {finished.pack_dir} --data {data}")
    say(f"  imagine-edge models install {finished.pack_dir}")


def _required(value: _Value | None, option: str) -> _Value:
    if value is None:
        raise SettingsError(f"{option} is missing", advice="`imagine-edge models train --help` lists the options.")
    return value


def _size(text: str | None) -> tuple[int, int] | None:
    if text is None:
        return None
    width, separator, height = text.lower().partition("x")
    if not (separator and width.isdecimal() and height.isdecimal()):
        raise SettingsError(f"--input {text!r} is no size", advice="Write width and height in px, such as 960x544.")
    return int(width), int(height)


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip())
