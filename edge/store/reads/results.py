"""Runs and objects: what was found in an image, by which model."""

from __future__ import annotations

from dataclasses import dataclass

from edge.store.reads.typed import as_values
from edge.store.sqlite import Connection


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRow:
    """One processing of one image: who looked, with what, and what it measured.

    The counts are None while they are sealed (`is_sealed`): until the counts of `sealed_station` are signed, or, where that is None,
    until the file has come to a station. `mean_luminance` and `contrast` are
    grey levels (0..255, 0..127.5), `sharpness` is the variance of the Laplacian.
    """

    run_uuid: str
    recipe: str
    recipe_sha256: str
    is_current: bool
    model: str
    model_version: str
    weights_sha256: str
    runtime: str
    precision: str
    software_version: str
    score_threshold: float
    score_floor: float
    object_count: int | None
    candidate_count: int | None
    mean_luminance: float
    contrast: float
    sharpness: float
    read_ms: float
    decode_ms: float
    infer_ms: float
    merge_ms: float
    finished_utc: str
    is_sealed: bool
    sealed_station: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectRow:
    """A detected object, pixels of the full image, half open. `counted`: its score reaches the run's threshold."""

    object_id: int
    run_uuid: str
    ordinal: int
    recipe: str
    label: str
    aphia_id: int | None
    score: float
    counted: bool
    x_min_px: float
    y_min_px: float
    x_max_px: float
    y_max_px: float


@dataclass(frozen=True, slots=True, kw_only=True)
class FinishedFile:
    """A file whose result came last, for the list of the latest."""

    file_id: int
    name: str
    folder: str
    recipe: str
    object_count: int | None
    candidate_count: int | None
    score_threshold: float
    total_ms: float
    model: str
    model_version: str
    is_current: bool
    finished_utc: str
    is_sealed: bool
    sealed_station: str | None


_RUN = """
    SELECT r.uuid AS run_uuid, r.recipe, r.recipe_sha256, r.is_current, m.name AS model, m.version AS model_version,
           r.weights_sha256, r.runtime, r.precision, r.software_version, r.score_threshold,
           coalesce(json_extract(m.manifest_json, '$.thresholds.score_floor'), r.score_threshold) AS score_floor,
           r.object_count, r.candidate_count, r.mean_luminance, r.contrast, r.sharpness, r.read_ms, r.decode_ms,
           r.infer_ms, r.merge_ms, r.finished_utc,
           r.object_count IS NULL AS is_sealed,
           (SELECT st.name FROM sealed_runs AS z JOIN tows AS w ON w.id = z.tow_id JOIN stations AS st ON st.id = w.station_id
            WHERE z.run_id = r.id) AS sealed_station
    FROM runs AS r JOIN models AS m ON m.id = r.model_id
"""


def runs_of_image(connection: Connection, sha256: str, *, recipe: str | None = None) -> tuple[RunRow, ...]:
    """Every run of these bytes, newest first; only those of one recipe if it is given."""
    rows = connection.execute(
        _RUN + "WHERE r.image_id = (SELECT id FROM images WHERE sha256 = ?) AND (? IS NULL OR r.recipe = ?) ORDER BY r.id DESC",
        (sha256, recipe, recipe),
    )
    return as_values(RunRow, rows)


def objects_of_run(connection: Connection, run_uuid: str, *, candidates: bool) -> tuple[ObjectRow, ...]:
    """The objects of a run, best score first; those below the counting threshold only with `candidates`."""
    rows = connection.execute(
        "SELECT o.id AS object_id, r.uuid AS run_uuid, o.ordinal, r.recipe, l.name AS label, l.aphia_id, o.score, "
        "o.score >= r.score_threshold AS counted, o.x_min_px, o.y_min_px, o.x_max_px, o.y_max_px "
        "FROM runs AS r JOIN objects AS o ON o.run_id = r.id JOIN labels AS l ON l.id = o.label_id "
        "WHERE r.uuid = ? AND (? OR o.score >= r.score_threshold) ORDER BY o.ordinal",
        (run_uuid, candidates),
    )
    return as_values(ObjectRow, rows)


def last_finished(connection: Connection, *, limit: int) -> tuple[FinishedFile, ...]:
    """The files whose results came last, newest first."""
    rows = connection.execute(
        "SELECT s.id AS file_id, s.name, f.relative_path AS folder, r.recipe, r.object_count, r.candidate_count, r.score_threshold, "
        "r.read_ms + r.decode_ms + r.infer_ms + r.merge_ms AS total_ms, m.name AS model, m.version AS model_version, r.is_current, "
        "r.finished_utc, r.object_count IS NULL AS is_sealed, "
        "(SELECT st.name FROM sealed_runs AS z CROSS JOIN tows AS w ON w.id = z.tow_id "
        "CROSS JOIN stations AS st ON st.id = w.station_id WHERE z.run_id = r.id) AS sealed_station "
        "FROM (SELECT * FROM runs ORDER BY finished_utc DESC, id DESC LIMIT ?) AS r "
        "CROSS JOIN models AS m ON m.id = r.model_id "
        "CROSS JOIN sightings AS s ON s.id = (SELECT max(id) FROM sightings WHERE image_id = r.image_id AND recipe = r.recipe) "
        "CROSS JOIN folders AS f ON f.id = s.folder_id ORDER BY r.finished_utc DESC, r.id DESC",
        (limit,),
    )
    return as_values(FinishedFile, rows)
