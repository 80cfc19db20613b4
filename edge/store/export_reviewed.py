"""What exports read where people reviewed: on images that somebody called right as a whole, what stands after review.

Other images have the model's objects. A reviewed image has the result that its review is about, which need not be the newest.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

from edge.store.export_rows import (
    ExportCategory,
    ExportFilter,
    ExportResult,
    FoundObject,
    iter_results,
    list_categories,
    result_of_run,
)
from edge.store.reads.decisions import ReviewedImage, ReviewedObject, reviewed_images, reviewed_objects
from edge.store.sqlite import Connection

_ADDED_FROM = 1 << 40  # ids of objects that people added begin here, so that none is a model's


def iter_reviewed_results(connection: Connection, which: ExportFilter) -> Iterator[tuple[ExportResult, list[FoundObject]]]:
    """As `iter_results`, with what stands after review on reviewed images."""
    reviews = {(one.image_id, one.recipe): one for one in reviewed_images(connection, recipe=which.recipe)}
    for result, objects in iter_results(connection, which):
        review = reviews.get((result.image_id, result.recipe))
        if review is None:
            yield result, objects
        else:
            yield _reviewed(connection, result, review)


def list_reviewed_categories(connection: Connection, which: ExportFilter) -> tuple[ExportCategory, ...]:
    """As `list_categories`, then those that only people gave, or only the model of a review knows."""
    known = list_categories(connection, which)
    rows = connection.execute(
        "SELECT DISTINCT label, aphia_id FROM v_reviewed_objects WHERE is_reviewed = 1 AND (?1 IS NULL OR recipe = ?1) ORDER BY label",
        (which.recipe,),
    )
    return tuple(dict.fromkeys([*known, *(ExportCategory(name=row[0], aphia_id=row[1]) for row in rows)]))


def _reviewed(connection: Connection, result: ExportResult, review: ReviewedImage) -> tuple[ExportResult, list[FoundObject]]:
    if result.run_id != review.run_id:
        result = result_of_run(connection, review.run_id)
    standing = reviewed_objects(connection, review.image_id, recipe=review.recipe)
    ids = _added_ids(connection, review.image_id)
    objects = [_found(one, place, ids) for place, one in enumerate(standing)]
    return dataclasses.replace(result, reviewed_by=review.reviewed_by, reviewed_utc=review.reviewed_utc), objects


def _found(one: ReviewedObject, place: int, ids: dict[str, int]) -> FoundObject:
    return FoundObject(
        object_id=one.object_id if one.object_id is not None else ids[one.added_uuid or ""],
        ordinal=place,
        label=one.label,
        aphia_id=one.aphia_id,
        score=one.score,
        counted=1,
        x_min_px=one.x_min_px,
        y_min_px=one.y_min_px,
        x_max_px=one.x_max_px,
        y_max_px=one.y_max_px,
        origin=one.origin,
        decided_by=one.decided_by,
    )


def _added_ids(connection: Connection, image_id: int) -> dict[str, int]:
    """A number for each object that people added: that of its first decision, far above those of models' objects."""
    rows = connection.execute(
        "SELECT added_uuid, min(id) FROM object_decisions WHERE image_id = ? AND added_uuid IS NOT NULL GROUP BY added_uuid", (image_id,)
    )
    return {row[0]: _ADDED_FROM + row[1] for row in rows}
