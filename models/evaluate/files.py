"""The files of an evaluation, written whole or not at all: evaluation.json, images.csv, classes.csv, evaluation.html."""

from __future__ import annotations

import dataclasses
import json
import shutil
import uuid
from pathlib import Path
from typing import Any

from edge.cells import CsvFile
from edge.errors import SettingsError
from models.evaluate.evaluation import Evaluation, summary
from models.evaluate.figures import ClassFigures, ImageFigures
from models.evaluate.report import report_page

REPORT_NAME = "evaluation.html"
JSON_NAME = "evaluation.json"


def check_target(folder: Path) -> None:
    """Refuse a folder that holds anything but an earlier evaluation, before hours are spent on a new one.

    Raises:
        SettingsError: it is no folder, or holds something else.
    """
    if not folder.exists():
        return
    if not folder.is_dir() or (any(folder.iterdir()) and not (folder / JSON_NAME).is_file()):
        raise SettingsError(f"{folder} holds something that is no evaluation", advice="Name a new folder with --out.")


def write_evaluation(evaluation: Evaluation, folder: Path) -> Path:
    """Write all files beside `folder` and put them in its place in one step; an earlier evaluation there goes.

    Raises:
        SettingsError: the folder cannot be written.
    """
    check_target(folder)
    folder = folder.absolute()
    staging = folder.with_name(f".{folder.name}.{uuid.uuid4().hex[:8]}")
    old = staging.with_suffix(".old")
    try:
        staging.mkdir(parents=True)
        _write_files(evaluation, staging)
        if folder.exists():
            folder.rename(old)
        staging.rename(folder)
    except OSError as error:
        raise SettingsError(
            f"the report cannot be written to {folder}: {error.strerror}", advice="Name another folder with --out."
        ) from error
    finally:
        shutil.rmtree(staging, ignore_errors=True)
        shutil.rmtree(old, ignore_errors=True)
    return folder / REPORT_NAME


def _write_files(evaluation: Evaluation, folder: Path) -> None:
    _, result = evaluation.chosen_parts()
    text = json.dumps(summary(evaluation), indent=1, ensure_ascii=False)
    (folder / JSON_NAME).write_text(f"{text}\n", encoding="utf-8")
    _write_rows(folder / "images.csv", ImageFigures, list(result.by_image))
    _write_rows(folder / "classes.csv", ClassFigures, list(result.classes))
    (folder / REPORT_NAME).write_text(report_page(evaluation), encoding="utf-8")


def _write_rows(path: Path, kind: type, rows: list[Any]) -> None:
    columns = [field.name for field in dataclasses.fields(kind)]
    with CsvFile(path, columns) as table:
        for row in rows:
            table.write(getattr(row, column) for column in columns)
