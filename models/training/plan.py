"""What a training is: every choice, as written to `plan.json` of its work folder and read back by the tool that trains.

A work folder holds

    plan.json       this, written once; the same choices again mean the same training
    data.json       the images of each part with their boxes
    parts.yaml      the same parts for other commands, where the data set is a YOLO folder
    base/           a copy of the pack to start from, where one was named
    curves.json     one row per finished epoch
    run/weights/    last.pt and best.pt, replaced whole after each epoch
    train.log       what the training library printed
    model.onnx, model.xml, model.bin, trained.json   when training has ended
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from edge.errors import DiskFullError, ModelError

PLAN_NAME = "plan.json"
DATA_NAME = "data.json"
BASE_FOLDER = "base"
CURVES_NAME = "curves.json"
TRAINED_NAME = "trained.json"
LOG_NAME = "train.log"
STATE_FOLDER = "run"
LAYOUTS = tuple(f"{family}{size}" for family in ("yolo11", "yolov8") for size in "nsmlx")
# Choices that say where and how long, not what: they may differ when a training goes on.
_NOT_COMPARED = ("device", "workers", "created_utc")


class WorkFolderError(ModelError):
    """The work folder holds another training, or none where one was to go on."""

    code = "work_folder"
    default_advice = "Name another folder with --out, or go on with the training that is there: --resume --out FOLDER."


@dataclass(frozen=True, slots=True, kw_only=True)
class Base:
    """What the training starts from: a pack (weights in its ONNX file `onnx`, its licence claim), or random weights of a layout."""

    named: str
    layout: str | None
    onnx: str | None = None
    manifest_sha256: str | None = None
    licence: str | None = None
    trained_on: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Every choice of a training. `split` and `dataset` are for the record; sizes are pixels of the network's input.

    `whole_epochs`: the last so many epochs see whole images as the appliance will, the others mosaics of crops at the same scale.
    """

    name: str
    version: str
    base: Base
    labels: tuple[str, ...]
    width_px: int
    height_px: int
    fit: Literal["letterbox", "tiles"]
    epochs: int
    whole_epochs: int
    patience_epochs: int
    batch_size: int
    learning_rate: float
    seed: int
    device: str
    time_limit_min: float | None
    goldens: Literal["data", "base"]
    dataset: Mapping[str, Any]
    split: Mapping[str, Any]
    created_utc: str
    workers: int = 4
    options: Mapping[str, Any] = field(default_factory=dict)


def differences(one: Plan, other: Plan) -> list[str]:
    """Names of the choices that differ."""
    mine, theirs = _plain(one), _plain(other)
    return sorted(name for name in mine if name not in _NOT_COMPARED and mine[name] != theirs[name])


def write_plan(folder: Path, plan: Plan) -> None:
    """Write `plan.json`."""
    write_json(folder / PLAN_NAME, _plain(plan))


def read_plan(folder: Path) -> Plan:
    """The plan of a work folder.

    Raises:
        WorkFolderError: there is none, or it is no plan of this version.
    """
    try:
        fields = json.loads((folder / PLAN_NAME).read_text(encoding="utf-8"))
        fields["base"] = Base(**fields["base"])
        return Plan(**fields | {"labels": tuple(fields["labels"])})
    except FileNotFoundError as error:
        raise WorkFolderError(f"{folder} holds no training") from error
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise WorkFolderError(f"{folder / PLAN_NAME} is no plan of a training: {error}") from error


def _plain(plan: Plan) -> dict[str, Any]:
    plain: dict[str, Any] = json.loads(json.dumps(asdict(plan)))
    return plain


def write_json(path: Path, value: Any) -> None:
    """Write a JSON file whole or not at all, and make sure that it is on the disk.

    Raises:
        DiskFullError: there is no room for it.
    """
    temporary = path.with_name(f".{path.name}.tmp")
    try:
        with temporary.open("w", encoding="utf-8") as file:
            json.dump(value, file, indent=1, ensure_ascii=False)
            file.write("\n")
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise disk_error(error) from error


def disk_error(error: OSError) -> ModelError | DiskFullError:
    """What a failed write means."""
    import errno

    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return DiskFullError(
            f"the disk of the work folder is full ({error.filename or 'while writing'})",
            advice="Free space and give the same command again: it goes on from the last finished epoch.",
        )
    return ModelError(
        f"the work folder cannot be written: {error}", advice="Check the folder named with --out, then give the command again."
    )


def read_curves(folder: Path) -> list[dict[str, float]]:
    """One row per finished epoch, the first epoch first; empty before the first has ended."""
    try:
        rows: list[dict[str, float]] = json.loads((folder / CURVES_NAME).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return []
    except ValueError as error:
        raise WorkFolderError(f"{folder / CURVES_NAME} cannot be read: {error}") from error
    return rows
