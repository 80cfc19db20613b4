"""From what a person asks for to a work folder that the workshop's tool can train in, or go on in."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import numpy as np

from edge.errors import PackInvalidError
from models.datasets.dataset import Dataset, LabelledImage
from models.datasets.errors import DatasetError, DatasetLabelsError
from models.evaluate.labels import align_labels
from models.manifest import MANIFEST_NAME
from models.pack import Pack, verify_pack
from models.training.parts import write_parts
from models.training.plan import (
    BASE_FOLDER,
    DATA_NAME,
    LAYOUTS,
    PLAN_NAME,
    Base,
    Plan,
    WorkFolderError,
    differences,
    disk_error,
    read_plan,
    write_json,
    write_plan,
)
from models.training.split import PARTS, Named, Part, Split, Wanted, split

LEAST_TRAIN_IMAGES = 10
LEAST_TRAIN_BOXES = 20
FEW_IMAGES = 200
STRIDE_PX = 32
_WHOLE_SHARE, _MOST_WHOLE_EPOCHS = 0.25, 10
TUNING_RATE, SCRATCH_RATE = 0.001, 0.002
DEFAULT_INPUT_PX = 640


class DatasetTooSmallError(DatasetError):
    """There is too little to learn from, or to judge by."""

    code = "dataset_too_small"
    default_advice = "Label more images; a few hundred of several tows make a usable model."


class InputSizeError(PackInvalidError):
    """The asked size of the network's input cannot be used."""

    code = "input_size"
    default_advice = f"Give width and height in pixels, both multiples of {STRIDE_PX}, such as 960x544."


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a person asks for; None where the base or a rule decides."""

    base: str
    name: str | None = None
    version: str = "1.0.0"
    input_px: tuple[int, int] | None = None
    epochs: int = 100
    patience_epochs: int = 25
    batch_size: int = 8
    learning_rate: float | None = None
    seed: int = 0
    device: str = "auto"
    time_limit_min: float | None = None
    goldens: Literal["data", "base"] = "data"
    labels_map: Mapping[str, str] = field(default_factory=dict)
    division: Wanted = field(default_factory=Wanted)


@dataclass(frozen=True, slots=True, kw_only=True)
class Started:
    """A work folder ready to train in, or to go on in; `base` is the copy of the base pack that it holds."""

    folder: Path
    plan: Plan
    base: Pack | None
    warnings: tuple[str, ...]


def is_layout(base: str) -> bool:
    """Whether `base` names an architecture and no pack."""
    return base.removesuffix(".yaml") in LAYOUTS


def start(folder: Path, dataset: Dataset, base: Pack | None, asked: Asked) -> Started:
    """Make the work folder, or find the same training in it.

    Args:
        base: the pack to start from; None for random weights of the layout that `asked.base` names.

    Raises:
        DatasetError: too small, or its labels are not the base's.
        SplitError: it cannot be divided as asked.
        PackInvalidError: the base cannot be trained on, or the input size cannot be used.
        WorkFolderError: the folder holds something else.
        DiskFullError: no room.
    """
    as_given = dataset
    dataset = _with_labels_of(base, dataset, asked.labels_map)
    division = split([Named(name=image.name, tow=image.tow) for image in dataset.images], asked.division)
    warnings = (*dataset.warnings, *_refuse_small(dataset, division))
    plan = _plan(dataset, base, asked, division, warnings)
    if (folder / PLAN_NAME).exists():
        if changed := differences(plan, read_plan(folder)):
            raise WorkFolderError(f"{folder} holds another training; it differs in {', '.join(changed)}")
        return go_on(folder)
    if folder.exists() and any(folder.iterdir()):
        raise WorkFolderError(f"{folder} is not empty and holds no training", advice="Name a folder of its own with --out.")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if base is not None:
            _copy_pack(base, folder / BASE_FOLDER)
        write_parts(folder, as_given, division)
    except OSError as error:
        raise disk_error(error) from error
    write_json(folder / DATA_NAME, _rows(dataset, division))
    write_plan(folder, plan)  # last: a folder with a plan has all that the tool needs
    return go_on(folder)


def go_on(folder: Path) -> Started:
    """The training of a work folder.

    Raises:
        WorkFolderError: there is none.
        PackInvalidError: the copy of the base pack is damaged.
    """
    plan = read_plan(folder)
    base = verify_pack(folder / BASE_FOLDER) if plan.base.layout is None else None
    return Started(folder=folder, plan=plan, base=base, warnings=tuple(plan.options["warnings"]))


def default_name(base: Pack | None, asked: Asked) -> str:
    """The name of the pack to be, where nobody gave one."""
    if asked.name is not None:
        return asked.name
    return f"{base.manifest.name[:57]}-tuned" if base is not None else f"{asked.base.removesuffix('.yaml')}-trained"


def _with_labels_of(base: Pack | None, dataset: Dataset, labels_map: Mapping[str, str]) -> Dataset:
    """The data set with the labels of the base; not one object may be lost."""
    if base is None:
        return dataset
    ours = [label.name for label in base.manifest.labels]
    aligned = align_labels(dataset, ours, labels_map)
    lost = sum(len(image.truth.label_index) for image in dataset.images) - sum(len(image.truth.label_index) for image in aligned.images)
    if lost:
        raise DatasetLabelsError(
            f"{lost} objects have labels that {base.manifest.name} does not know; it knows {', '.join(ours[:20])}",
            advice=(
                "Say which name means which with --labels-map THEIRS=OURS, take the other objects out of the data set, "
                "or train all labels from an architecture instead of a pack: --base yolo11n."
            ),
        )
    return aligned


def _refuse_small(dataset: Dataset, division: Split) -> tuple[str, ...]:
    by_name = {image.name: image for image in dataset.images}
    images = {part: [by_name[name] for name in division.images[part]] for part in PARTS}
    boxes = {part: sum(len(image.truth.label_index) for image in images[part]) for part in PARTS}
    if len(images["train"]) < LEAST_TRAIN_IMAGES or boxes["train"] < LEAST_TRAIN_BOXES:
        raise DatasetTooSmallError(
            f"{len(images['train'])} images with {boxes['train']} boxes are left to learn from;"
            f" at least {LEAST_TRAIN_IMAGES} with {LEAST_TRAIN_BOXES} are needed"
        )
    for part in PARTS[1:]:
        if images[part] and not boxes[part]:
            raise DatasetTooSmallError(f"the {part} part ({len(images[part])} images) has not one box, so nothing can be measured on it")
    if len(images["train"]) < FEW_IMAGES:
        return (f"only {len(images['train'])} images to learn from: expect a model for stills like these",)
    return ()


def _plan(dataset: Dataset, base: Pack | None, asked: Asked, division: Split, warnings: Sequence[str]) -> Plan:
    width_px, height_px = _input_px(base, asked)
    layout = None if base is not None else asked.base.removesuffix(".yaml")
    return Plan(
        name=default_name(base, asked),
        version=asked.version,
        base=_base(base, asked, layout),
        labels=tuple(label.name for label in base.manifest.labels) if base is not None else dataset.labels,
        width_px=width_px,
        height_px=height_px,
        fit="tiles" if base is not None and base.manifest.input.fit == "tiles" else "letterbox",
        epochs=asked.epochs,
        whole_epochs=min(_MOST_WHOLE_EPOCHS, max(1, round(_WHOLE_SHARE * asked.epochs))),
        patience_epochs=asked.patience_epochs,
        batch_size=asked.batch_size,
        learning_rate=asked.learning_rate or (TUNING_RATE if base is not None else SCRATCH_RATE),
        seed=asked.seed,
        device=asked.device,
        time_limit_min=asked.time_limit_min,
        goldens=asked.goldens,
        dataset={"name": dataset.root.name, "form": dataset.form, "sha256": dataset.sha256, "images": len(dataset.images)},
        split=_split_record(dataset, division),
        created_utc=datetime.now(UTC).isoformat(timespec="seconds"),
        options={"division": asdict(asked.division), "labels_map": dict(asked.labels_map), "warnings": list(warnings)},
    )


def _input_px(base: Pack | None, asked: Asked) -> tuple[int, int]:
    if base is not None:
        spec = base.manifest.input
        if (
            spec.mean != (0.0, 0.0, 0.0)
            or spec.std != (1.0, 1.0, 1.0)
            or spec.channel_order != "rgb"
            or spec.fit not in {"letterbox", "tiles"}
        ):
            raise PackInvalidError(
                f"{base.manifest.name} brings images into its network in a way that training does not know",
                advice="Train from an architecture: --base yolo11n.",
            )
    default = (DEFAULT_INPUT_PX, DEFAULT_INPUT_PX) if base is None else (base.manifest.input.width_px, base.manifest.input.height_px)
    width_px, height_px = asked.input_px or default
    if width_px % STRIDE_PX or height_px % STRIDE_PX or not 32 <= width_px <= 4096 or not 32 <= height_px <= 4096:
        raise InputSizeError(f"an input of {width_px} x {height_px} pixels does not fit the network")
    return width_px, height_px


def _base(base: Pack | None, asked: Asked, layout: str | None) -> Base:
    if base is None:
        return Base(named=asked.base, layout=layout)
    manifest = base.manifest
    if manifest.task != "detect" or manifest.head != "yolo_v8":
        raise PackInvalidError(
            f"{manifest.name} is a {manifest.task} model with the head {manifest.head}; training takes detectors with the head yolo_v8",
            advice="Train it with the library that made it, and bring the result in with `models import`.",
        )
    return Base(
        named=f"{manifest.name}@{manifest.version}",
        layout=None,
        onnx=_onnx_of(base),
        manifest_sha256=base.manifest_sha256,
        licence=manifest.licence,
        trained_on=manifest.trained_on,
    )


def _copy_pack(pack: Pack, target: Path) -> None:
    for name in (MANIFEST_NAME, *(file.path for file in pack.manifest.all_files())):
        place = target / name
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(pack.path / name, place)


def _onnx_of(base: Pack) -> str:
    for variant in base.manifest.variants:
        if variant.runtime == "onnxruntime" and variant.precision in {"fp32", "fp16"}:
            return variant.files[0].path
    raise PackInvalidError(
        f"{base.manifest.name} has no ONNX variant in floating point, whose weights could be trained on",
        advice="Take a pack with one, or train from an architecture: --base yolo11n.",
    )


def _split_record(dataset: Dataset, division: Split) -> dict[str, Any]:
    by_name = {image.name: image for image in dataset.images}
    return {
        "by": division.by,
        "seed": division.seed,
        "independent": division.by == "tow",
        "parts": {
            part: {
                "images": len(division.images[part]),
                "boxes": sum(len(by_name[name].truth.label_index) for name in division.images[part]),
                "tows": dict(division.tows[part]),
            }
            for part in PARTS
        },
    }


def _rows(dataset: Dataset, division: Split) -> dict[Part, list[dict[str, Any]]]:
    by_name = {image.name: image for image in dataset.images}
    return {part: [_row(by_name[name]) for name in division.images[part]] for part in PARTS}


def _row(image: LabelledImage) -> dict[str, Any]:
    truth = image.truth
    return {
        "path": str(image.path),
        "name": image.name,
        "tow": image.tow,
        "width_px": image.width_px,
        "height_px": image.height_px,
        "boxes": np.round(truth.boxes_xyxy_px.astype(float), 3).tolist(),
        "label_index": truth.label_index.tolist(),
        "crowd": truth.crowd.tolist(),
    }
