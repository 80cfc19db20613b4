"""What exports read, row by row: a season of 350,000 images and 10,000,000 objects passes through a few kilobytes."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from edge.store.reads.typed import as_value, as_values
from edge.store.sqlite import Connection


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportFilter:
    """What to export.

    What is sealed while counters count blind is no result here: its files are listed with the reason "sealed".

    Attributes:
        recipe: only results of this recipe; None means all.
        min_score: only objects of at least this score, candidates included; None takes those at or above the
            counting threshold of their run.
        all_runs: earlier results of an image too, not only the current one.
        reviewed: on images that somebody called right as a whole, what stands after review (`edge.store.export_reviewed`).
    """

    recipe: str | None = None
    min_score: float | None = None
    all_runs: bool = False
    reviewed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportCategory:
    """A class that the models of the exported runs know, by name and taxon."""

    name: str
    aphia_id: int | None


class FoundObject(NamedTuple):
    """An object of a run, pixels of the full image, half open. `counted`: it reaches the run's threshold (0 or 1).

    After review `origin` says whose it is and what a person changed, `decided_by` who; one that a person added has no score.
    """

    object_id: int
    ordinal: int
    label: str
    aphia_id: int | None
    score: float | None
    counted: int
    x_min_px: float
    y_min_px: float
    x_max_px: float
    y_max_px: float
    origin: str = "model"
    decided_by: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportResult:
    """A run with its image, and the name that stands for the image: one still there if there is one, then the first.

    The `*_bytes` are the file system's own names; `path` and the other texts are as pages show them.
    """

    run_id: int
    run_uuid: str
    recipe: str
    recipe_sha256: str
    is_current: int
    model: str
    model_version: str
    weights_sha256: str
    runtime: str
    precision: str
    software_version: str
    score_threshold: float
    image_id: int
    image_uuid: str
    sha256: str
    size_bytes: int
    format: str
    width_px: int
    height_px: int
    capture_time_utc: str | None
    capture_time_local: str | None
    copy_path: str | None
    file_id: int
    root_id: int
    path: str
    folder: str
    name: str
    original: str
    root_path_bytes: bytes
    folder_bytes: bytes
    name_bytes: bytes
    reviewed_by: str | None = None
    reviewed_utc: str | None = None

    @property
    def bytes_path(self) -> Path:
        """Where the bytes of the image lie: our own copy, or the original."""
        if self.copy_path is not None:
            return Path(self.copy_path)
        return Path(os.fsdecode(os.path.join(self.root_path_bytes, self.folder_bytes, self.name_bytes)))


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportFile:
    """A file as it was seen, with a run of it if there is one. Names of fields are the columns of files.csv.

    `is_primary_name` is 1 for the one name that stands for a content: sums over files take only those.
    """

    path: str
    folder: str
    name: str
    path_bytes_hex: str
    recipe: str
    state: str
    reason: str | None
    detail: str | None
    original: str
    is_primary_name: int
    sha256: str | None
    image_uuid: str | None
    size_bytes: int
    format: str | None
    width_px: int | None
    height_px: int | None
    bits_per_channel: int | None
    channels: int | None
    capture_time_utc: str | None
    capture_time_local: str | None
    capture_time_source: str | None
    run_uuid: str | None
    is_current: int | None
    object_count: int | None
    candidate_count: int | None
    score_threshold: float | None
    model: str | None
    model_version: str | None
    weights_sha256: str | None
    precision: str | None
    runtime: str | None
    recipe_sha256: str | None
    software_version: str | None
    mean_luminance: float | None
    contrast: float | None
    sharpness: float | None
    first_seen_utc: str
    done_utc: str | None


# CROSS JOIN fixes the order of the loops: along the index of the runs, everything else by its number.
_RESULTS = """
    SELECT r.id AS run_id, r.uuid AS run_uuid, r.recipe, r.recipe_sha256, r.is_current, m.name AS model, m.version AS model_version,
           r.weights_sha256, r.runtime, r.precision, r.software_version, r.score_threshold, i.id AS image_id, i.uuid AS image_uuid,
           i.sha256, i.size_bytes, i.format, i.width_px, i.height_px, i.capture_time_utc, i.capture_time_local, i.copy_path,
           s.id AS file_id, t.id AS root_id, s.path, f.relative_path AS folder, s.name, s.original, t.path_bytes AS root_path_bytes,
           f.relative_path_bytes AS folder_bytes, s.name_bytes
    FROM runs AS r
    CROSS JOIN images AS i ON i.id = r.image_id
    CROSS JOIN models AS m ON m.id = r.model_id
    CROSS JOIN sightings AS s ON s.id = (
        SELECT id FROM sightings WHERE image_id = r.image_id AND recipe = r.recipe ORDER BY original <> 'present', id LIMIT 1)
    CROSS JOIN folders AS f ON f.id = s.folder_id
    CROSS JOIN roots AS t ON t.id = f.root_id
    WHERE {runs}
    ORDER BY r.image_id, {last}
"""

_FILES = """
    SELECT s.path, f.relative_path AS folder, s.name, s.name_bytes, f.relative_path_bytes AS folder_bytes, s.recipe, s.state,
           CASE WHEN z.run_id IS NULL THEN s.reason ELSE 'sealed' END AS reason,
           CASE WHEN z.run_id IS NULL THEN s.detail ELSE
                coalesce('until the counts of station ' || e.name || ' are signed', 'until the file has come to a station') END AS detail,
           s.original, coalesce(s.id = (
               SELECT id FROM sightings WHERE image_id = s.image_id AND recipe = s.recipe ORDER BY original <> 'present', id LIMIT 1
           ), 0) AS is_primary_name,
           i.sha256, i.uuid AS image_uuid, s.size_bytes, i.format, i.width_px, i.height_px, i.bits_per_channel, i.channels,
           i.capture_time_utc, i.capture_time_local, i.capture_time_source, r.uuid AS run_uuid, r.is_current, r.object_count,
           r.candidate_count, r.score_threshold, m.name AS model, m.version AS model_version, r.weights_sha256, r.precision, r.runtime,
           r.recipe_sha256, r.software_version, r.mean_luminance, r.contrast, r.sharpness, s.first_seen_utc, r.finished_utc AS done_utc
    FROM sightings AS s
    CROSS JOIN folders AS f ON f.id = s.folder_id
    LEFT JOIN images AS i ON i.id = s.image_id
    LEFT JOIN runs AS r ON r.image_id = s.image_id AND r.recipe = s.recipe AND {runs}
    LEFT JOIN models AS m ON m.id = r.model_id
    LEFT JOIN sealed_runs AS z ON z.run_id = r.id
    LEFT JOIN tows AS w ON w.id = z.tow_id
    LEFT JOIN stations AS e ON e.id = w.station_id
    WHERE (:recipe IS NULL OR s.recipe = :recipe) AND {files}
    ORDER BY s.id, {last}
"""

# What was read of a clip is no run: its openings stand with its tow.
_READ_CLIP = "EXISTS (SELECT 1 FROM readings AS c WHERE c.image_id = s.image_id AND c.recipe = s.recipe AND c.is_current = 1)"

_OBJECTS = """
    SELECT id, ordinal, label_id, score, x_min_px, y_min_px, x_max_px, y_max_px FROM objects
    WHERE run_id = ? AND score >= ? ORDER BY ordinal
"""


def count_files(connection: Connection, which: ExportFilter) -> int:
    """How many files `iter_files` looks at."""
    row = connection.execute("SELECT count(*) FROM sightings WHERE :recipe IS NULL OR recipe = :recipe", _values(which)).fetchone()
    return int(row[0])


def count_results(connection: Connection, which: ExportFilter) -> int:
    """How many results `iter_results` gives."""
    row = connection.execute(f"SELECT count(*) FROM runs AS r WHERE {_runs(which)}", _values(which)).fetchone()
    return int(row[0])


def list_categories(connection: Connection, which: ExportFilter) -> tuple[ExportCategory, ...]:
    """The classes of every model that gave an exported result, found or not, in the order of the model's own labels."""
    rows = connection.execute(
        f"SELECT name, aphia_id FROM labels WHERE model_id IN (SELECT DISTINCT r.model_id FROM runs AS r WHERE {_runs(which)}) "
        "GROUP BY name, aphia_id ORDER BY min(label_index), name, aphia_id",
        _values(which),
    )
    return as_values(ExportCategory, rows)


def iter_results(connection: Connection, which: ExportFilter) -> Iterator[tuple[ExportResult, list[FoundObject]]]:
    """Every chosen result with its objects, best score first; results of one image follow each other."""
    sql = _RESULTS.format(runs=_runs(which), last="r.id" if which.all_runs else "r.recipe")
    labels = {row[0]: (row[1], row[2]) for row in connection.execute("SELECT id, name, aphia_id FROM labels")}
    for row in connection.execute(sql, _values(which)):
        result = as_value(ExportResult, row)
        yield result, _objects(connection, result, which, labels)


def result_of_run(connection: Connection, run_id: int) -> ExportResult:
    """A run that is there, whether or not it is current."""
    return as_value(ExportResult, connection.execute(_RESULTS.format(runs="r.id = ?", last="r.id"), (run_id,)).fetchone())


def iter_files(connection: Connection, which: ExportFilter, *, without_result: bool = False) -> Iterator[ExportFile]:
    """Every file in the order in which they were seen, once for each of its chosen runs; or only those without a result."""
    sql = _FILES.format(
        runs="1" if which.all_runs else "r.is_current = 1",
        files=f"(r.id IS NULL AND NOT {_READ_CLIP} OR z.run_id IS NOT NULL)" if without_result else "1",
        last="r.id" if which.all_runs else "1",
    )
    for row in connection.execute(sql, _values(which)):
        fields: dict[str, Any] = dict(zip(row.keys(), row, strict=True))
        raw: bytes = os.path.join(fields.pop("folder_bytes"), fields.pop("name_bytes"))
        yield ExportFile(path_bytes_hex="" if _is_utf8(raw) else raw.hex(), **fields)


def _objects(
    connection: Connection, result: ExportResult, which: ExportFilter, labels: dict[int, tuple[str, int | None]]
) -> list[FoundObject]:
    least = result.score_threshold if which.min_score is None else which.min_score
    rows = connection.execute(_OBJECTS, (result.run_id, least))
    return [
        FoundObject(object_id, ordinal, *labels[label_id], score, int(score >= result.score_threshold), *box)
        for object_id, ordinal, label_id, score, *box in rows
    ]


def _runs(which: ExportFilter) -> str:
    """The condition on runs; spelt out, not with parameters, so that the index of current runs serves it."""
    terms = (
        ["r.object_count IS NOT NULL"]
        + ([] if which.all_runs else ["r.is_current = 1"])
        + ([] if which.recipe is None else ["r.recipe = :recipe"])
    )
    return " AND ".join(terms) or "1"


def _values(which: ExportFilter) -> dict[str, str | None]:
    return {"recipe": which.recipe}


def _is_utf8(raw: bytes) -> bool:
    try:
        raw.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True
