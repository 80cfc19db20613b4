"""Rows in, CSV tables out: files.csv, objects.csv, failures.csv."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from edge.cells import Cell, CsvFile, columns_of, to_cell
from edge.store.export_rows import ExportFile, ExportResult, FoundObject

FILES_NAME = "files.csv"
OBJECTS_NAME = "objects.csv"
FAILURES_NAME = "failures.csv"

_FILE_COLUMNS = columns_of(ExportFile)
_OBJECT_COLUMNS = (
    *("object_id", "ordinal", "label", "aphia_id", "score", "counted", "x_min_px", "y_min_px", "x_max_px", "y_max_px"),
    *("path", "sha256", "image_uuid", "width_px", "height_px", "capture_time_utc", "capture_time_local", "recipe", "run_uuid"),
    *("is_current", "model", "model_version", "weights_sha256", "precision", "runtime", "recipe_sha256", "score_threshold"),
    "software_version",
)
_FAILURE_COLUMNS = (
    "path",
    "folder",
    "name",
    "path_bytes_hex",
    "recipe",
    "state",
    "reason",
    "detail",
    "original",
    "sha256",
    "size_bytes",
    "first_seen_utc",
)
_RESULT_COLUMNS = _OBJECT_COLUMNS[10:]
_REVIEW_COLUMNS = ("origin", "decided_by", "reviewed_by", "reviewed_utc")


def write_files(path: Path, files: Iterable[ExportFile]) -> int:
    """Write files.csv, one row for each file (and run, if all are exported); returns how many rows."""
    with CsvFile(path, _FILE_COLUMNS) as table:
        for file in files:
            table.write(_rounded(getattr(file, column)) for column in _FILE_COLUMNS)
        return table.rows


def write_objects(path: Path, results: Iterable[tuple[ExportResult, list[FoundObject]]], *, reviewed: bool = False) -> None:
    """Write objects.csv, one row for each object, with what found it; with `reviewed` also where it comes from and who said so."""
    with CsvFile(path, _OBJECT_COLUMNS + _REVIEW_COLUMNS if reviewed else _OBJECT_COLUMNS) as table:
        for result, objects in results:
            shared = [to_cell(getattr(result, column)) for column in _RESULT_COLUMNS]
            said = [to_cell(result.reviewed_by), result.reviewed_utc]
            table.write_guarded(
                [(*_cells(found), *shared, *((found.origin, to_cell(found.decided_by), *said) if reviewed else ())) for found in objects]
            )


def _cells(found: FoundObject) -> tuple[Cell, ...]:
    edges_px = (round(edge_px, 3) for edge_px in found[6:10])
    score = None if found.score is None else round(found.score, 6)
    return (found.object_id, found.ordinal, to_cell(found.label), found.aphia_id, score, found.counted, *edges_px)


def open_failures(path: Path) -> CsvFile:
    """failures.csv: every file without a result, and every image that could not be copied."""
    return CsvFile(path, _FAILURE_COLUMNS)


def write_failure(table: CsvFile, file: ExportFile) -> None:
    """A file without a result: quarantined, still waiting, or sealed while counters count blind."""
    table.write(getattr(file, column) for column in _FAILURE_COLUMNS)


def write_image_failure(table: CsvFile, result: ExportResult, reason: str, detail: str) -> None:
    """An image with a result whose bytes could not be copied."""
    own = {"state": "done", "reason": reason, "detail": detail, "path_bytes_hex": "", "first_seen_utc": None}
    table.write(own[column] if column in own else getattr(result, column) for column in _FAILURE_COLUMNS)


def _rounded(value: str | float | None) -> str | float | None:
    return round(value, 6) if isinstance(value, float) else value
