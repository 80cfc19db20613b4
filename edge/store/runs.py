"""Record what a worker found: run, objects and outbox row in the writer's one transaction.

On an image of a tow that people still count blind, or that waits for a station, what was found goes under the seal at once and never
stands in a plain row.
"""

from __future__ import annotations

from dataclasses import dataclass

from edge import __version__
from edge.errors import StoreError
from edge.store.clock import utc_now, uuid7
from edge.store.crops import record_crop
from edge.store.outbox import put_out
from edge.store.seal import Seal
from edge.store.sealed_runs import FoundObject, FoundRun, SealedTow, blind_tow_of_image, seal_run
from edge.store.sqlite import Connection
from edge.store.waiting import COUNTED_RECIPE, waits
from edge.values import CaptureTime, ImageResult


@dataclass(frozen=True, slots=True, kw_only=True)
class RunContext:
    """What a result belongs to."""

    job_id: int
    image_id: int
    recipe: str
    recipe_sha256: str
    model_id: int


def record_run(
    connection: Connection, context: RunContext, result: ImageResult, capture_time: CaptureTime | None, *, seal: Seal | None = None
) -> bool:
    """Write one result and finish its job.

    Args:
        connection: the writer's.
        context: what the result belongs to.
        result: what was found.
        capture_time: when the image was taken, None if nothing says so.
        seal: closes what must not be seen yet; without it such a result is refused.

    Returns:
        False if the job was not leased any more (nothing is written: the result of another attempt stands).

    Raises:
        StoreError: the image belongs to a tow that is counted blind, or waits for one, and there is no seal.
    """
    if not finish_job(connection, context.job_id):
        return False
    _describe_image(connection, context.image_id, result, capture_time)
    tow = blind_tow_of_image(connection, context.image_id)
    objects = _objects(connection, context.model_id, result)
    counted = int((result.detections.score >= result.score_threshold).sum())
    found = FoundRun(counted=counted, candidates=len(objects) - counted, objects=objects)
    is_blind = tow is not None or (context.recipe == COUNTED_RECIPE and waits(connection, context.image_id))
    run_id, run_uuid = _insert_run(connection, context, result, None if is_blind else found)
    if is_blind:
        _seal(connection, seal, tow, run_id, found)
    else:
        _insert_objects(connection, run_id, objects)
        record_crop(connection, run_id, _label_ids(connection, context.model_id), result)
    put_out(connection, "run", run_uuid, is_sealed=is_blind)
    return True


def finish_job(connection: Connection, job_id: int) -> bool:
    """A leased job is done; False if it was not leased any more."""
    cursor = connection.execute(
        "UPDATE jobs SET state = 'done', reason = NULL, detail = NULL, lease_owner = NULL, finished_utc = ? "
        "WHERE id = ? AND state = 'leased'",
        (utc_now(), job_id),
    )
    return cursor.rowcount == 1


def _describe_image(connection: Connection, image_id: int, result: ImageResult, capture_time: CaptureTime | None) -> None:
    facts = result.facts
    connection.execute(
        "UPDATE images SET format = ?, width_px = ?, height_px = ?, bits_per_channel = ?, channels = ? WHERE id = ?",
        (facts.format, facts.width_px, facts.height_px, facts.bits_per_channel, facts.channels, image_id),
    )
    if capture_time is not None:  # None says nothing against what another name of these bytes said
        connection.execute(
            "UPDATE images SET capture_time_utc = ?, capture_time_local = ?, capture_time_source = ? WHERE id = ?",
            (capture_time.utc, capture_time.local, capture_time.source, image_id),
        )


def _insert_run(connection: Connection, context: RunContext, result: ImageResult, found: FoundRun | None) -> tuple[int, str]:
    connection.execute(
        "UPDATE runs SET is_current = 0 WHERE image_id = ? AND recipe = ? AND is_current = 1", (context.image_id, context.recipe)
    )
    run_uuid = uuid7()
    cursor = connection.execute(
        "INSERT INTO runs (uuid, image_id, job_id, recipe, recipe_sha256, model_id, weights_sha256, runtime, precision, software_version, "
        "score_threshold, object_count, candidate_count, mean_luminance, contrast, sharpness, read_ms, decode_ms, infer_ms, merge_ms, "
        "finished_utc, is_current) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 1)",
        (
            run_uuid,
            context.image_id,
            context.job_id,
            context.recipe,
            context.recipe_sha256,
            context.model_id,
            result.model.sha256,
            result.model.runtime,
            result.model.precision,
            __version__,
            result.score_threshold,
            None if found is None else found.counted,
            None if found is None else found.candidates,
            result.quality.mean_luminance,
            result.quality.contrast,
            result.quality.sharpness,
            *(round(result.stage_ms.get(stage, 0.0), 3) for stage in ("read", "decode", "infer", "merge")),
            utc_now(),
        ),
    )
    return int(cursor.lastrowid or 0), run_uuid


def _objects(connection: Connection, model_id: int, result: ImageResult) -> list[FoundObject]:
    found = result.detections
    label_ids = _label_ids(connection, model_id)
    return [
        (0, ordinal, label_ids[label], score, *box)
        for ordinal, (label, score, box) in enumerate(
            zip(found.label_index.tolist(), found.score.tolist(), found.xyxy.tolist(), strict=True)
        )
    ]


def _label_ids(connection: Connection, model_id: int) -> dict[int, int]:
    """Numbers of a model's labels, by label index."""
    rows = connection.execute("SELECT label_index, id FROM labels WHERE model_id = ?", (model_id,))
    return {row["label_index"]: row["id"] for row in rows}


def _insert_objects(connection: Connection, run_id: int, objects: list[FoundObject]) -> None:
    connection.executemany(
        "INSERT INTO objects (run_id, ordinal, label_id, score, x_min_px, y_min_px, x_max_px, y_max_px) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        [(run_id, *one[1:]) for one in objects],
    )


def _seal(connection: Connection, seal: Seal | None, tow: SealedTow | None, run_id: int, found: FoundRun) -> None:
    if seal is None:
        where = "files that wait for a station are blind" if tow is None else f"station {tow.station} is counted blind"
        raise StoreError(f"{where} and there is no seal for what a model finds there")
    seal_run(connection, seal, None if tow is None else tow.tow_id, run_id, found)
