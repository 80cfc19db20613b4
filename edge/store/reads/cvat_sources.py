"""What goes to CVAT: files with what hinders them, and what a model found on them, unless people count them blind."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from edge.store.blindness import image_is_blind
from edge.store.reads.decisions import review_state, reviewed_objects
from edge.store.reads.typed import as_values
from edge.store.sqlite import Connection


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceFile:
    """A still or clip that somebody wants to annotate, by its newest name.

    Attributes:
        width_px, height_px: None while nobody looked into it.
        recipe, state, reason: of that name; see `sightings` in docs/schema.md.
        is_blind: nothing of what a model found on it may leave.
        tow_id: the tow that it belongs to.
    """

    image_id: int
    image_uuid: str
    sha256: str
    size_bytes: int
    format: str | None
    width_px: int | None
    height_px: int | None
    name: str
    recipe: str
    state: str
    reason: str | None
    is_clip: bool
    is_blind: bool
    tow_id: int | None


class FailedFile(NamedTuple):
    """A file of a folder that never became an image, and why."""

    name: str
    state: str
    reason: str | None


class SentObject(NamedTuple):
    """An object as it goes along, pixels of the full image, half open.

    `ordinal`: of the model's object within its run; None where a person added it, whose identity is `added_uuid`. `score`: None where no
    model gave one, or a person changed what it was given for.
    """

    ordinal: int | None
    added_uuid: str | None
    label: str
    score: float | None
    x_min_px: float
    y_min_px: float
    x_max_px: float
    y_max_px: float


class SentResult(NamedTuple):
    """What stands on an image: a run with what people decided about it, or as it is."""

    run_id: int
    run_uuid: str
    objects: tuple[SentObject, ...]


class Original(NamedTuple):
    """A file whose frames a task has: the name of its first frame there, and its own newest name."""

    frame_name: str
    image_id: int
    sha256: str
    size_bytes: int
    name: str


class ServingModel(NamedTuple):
    """A pack: its task and its classes in their order."""

    model_id: int
    name: str
    version: str
    task: str
    labels: tuple[str, ...]


_NEWEST = """(SELECT n.id FROM sightings AS n WHERE n.image_id = i.id
    ORDER BY n.original = 'present' DESC, n.state = 'done' DESC, n.id DESC LIMIT 1)"""
_FILES = f"""
    SELECT i.id AS image_id, i.uuid AS image_uuid, i.sha256, i.size_bytes, i.format, i.width_px, i.height_px, s.name, s.recipe, s.state,
           s.reason, EXISTS (SELECT 1 FROM clips AS c WHERE c.image_id = i.id) AS is_clip,
           coalesce({image_is_blind("i.id")}, 0) AS is_blind, a.tow_id
    FROM images AS i JOIN sightings AS s ON s.id = {_NEWEST} LEFT JOIN tow_images AS a ON a.image_id = i.id
"""
_BELOW = (
    "({whole} = :folder OR substr({whole}, 1, length(:folder) + 1) = :folder || '/' "
    "OR f.relative_path = :folder OR substr(f.relative_path, 1, length(:folder) + 1) = :folder || '/')"
).format(whole="(r.path || CASE f.relative_path WHEN '' THEN '' ELSE '/' || f.relative_path END)")
_BY_TIME = "ORDER BY i.capture_time_utc IS NULL, i.capture_time_utc, s.name, i.id"
_FOUND = """
    SELECT o.ordinal, NULL, l.name, o.score, o.x_min_px, o.y_min_px, o.x_max_px, o.y_max_px
    FROM objects AS o JOIN runs AS r ON r.id = o.run_id JOIN labels AS l ON l.id = o.label_id
    WHERE o.run_id = ? AND o.score >= r.score_threshold ORDER BY o.ordinal
"""


def files_of_tow(connection: Connection, tow_id: int) -> tuple[SourceFile, ...]:
    """Stills and clips of a tow, in the order of their times."""
    return _files(connection, f"{_FILES} WHERE a.tow_id = ? ORDER BY a.at_s, i.capture_time_utc, s.name, i.id", (tow_id,))


def files_by_uuid(connection: Connection, uuids: Sequence[str]) -> tuple[SourceFile, ...]:
    """Stills and clips by the uuids of their contents, by time; one that is not known is left out."""
    return _files(connection, f"{_FILES} WHERE i.uuid IN (SELECT value FROM json_each(?)) {_BY_TIME}", (json.dumps(list(uuids)),))


def files_in_folder(connection: Connection, folder: str) -> tuple[SourceFile, ...]:
    """Stills and clips that were seen in a folder or below it, by time. `folder`: whole, or as below the watched one."""
    query = (
        f"{_FILES} WHERE i.id IN (SELECT b.image_id FROM sightings AS b JOIN folders AS f ON f.id = b.folder_id "
        f"JOIN roots AS r ON r.id = f.root_id WHERE b.image_id IS NOT NULL AND b.original <> 'changed' AND {_BELOW}) {_BY_TIME}"
    )
    return as_values(SourceFile, connection.execute(query, {"folder": folder}))


def failed_in_folder(connection: Connection, folder: str) -> tuple[FailedFile, ...]:
    """Files of a folder that never became an image."""
    rows = connection.execute(
        "SELECT b.name, b.state, b.reason FROM sightings AS b JOIN folders AS f ON f.id = b.folder_id JOIN roots AS r ON r.id = f.root_id "
        f"WHERE b.image_id IS NULL AND b.original <> 'changed' AND {_BELOW} ORDER BY b.name",
        {"folder": folder},
    )
    return tuple(FailedFile(*row) for row in rows)


def originals_of(connection: Connection, task_id: int) -> tuple[Original, ...]:
    """The files of a task's frames, each once, in the order of the frames."""
    rows = connection.execute(
        "SELECT f.name, i.id, i.sha256, i.size_bytes, s.name, min(f.frame) FROM cvat_frames AS f JOIN images AS i ON i.id = f.image_id "
        f"JOIN sightings AS s ON s.id = {_NEWEST} WHERE f.task_id = ? GROUP BY i.id ORDER BY min(f.frame)",
        (task_id,),
    )
    return tuple(Original(*row[:5]) for row in rows)


def blind_images(connection: Connection, image_ids: Sequence[int]) -> frozenset[int]:
    """Which of these images are blind in this moment."""
    rows = connection.execute(
        f"SELECT i.id FROM images AS i WHERE i.id IN (SELECT value FROM json_each(?)) AND {image_is_blind('i.id')}",
        (json.dumps(list(image_ids)),),
    )
    return frozenset(row[0] for row in rows)


def tows_of_images(connection: Connection, image_ids: Sequence[int]) -> tuple[int, ...]:
    """The tows that these images belong to."""
    rows = connection.execute(
        "SELECT DISTINCT tow_id FROM tow_images WHERE image_id IN (SELECT value FROM json_each(?)) ORDER BY 1",
        (json.dumps(list(image_ids)),),
    )
    return tuple(row[0] for row in rows)


def result_to_send(connection: Connection, image_id: int, recipe: str) -> SentResult | None:
    """What stands on an image; None where no model looked yet, and where it is blind, which is asked in the same transaction."""
    if image_id in blind_images(connection, (image_id,)):
        return None
    review = review_state(connection, image_id, recipe)
    if review is not None and review.is_reviewed:
        run_id = connection.execute("SELECT id FROM runs WHERE uuid = ?", (review.run_uuid,)).fetchone()[0]
        return SentResult(run_id, review.run_uuid, _reviewed(connection, image_id, recipe))
    row = connection.execute(
        "SELECT id, uuid FROM runs WHERE image_id = ? AND recipe = ? AND is_current = 1 AND object_count IS NOT NULL", (image_id, recipe)
    ).fetchone()
    if row is None:
        return None
    return SentResult(row[0], row[1], tuple(SentObject(*found) for found in connection.execute(_FOUND, (row[0],))))


def serving_model(connection: Connection, recipe: str) -> ServingModel | None:
    """The pack that serves a recipe; None where none was ever activated."""
    row = connection.execute("SELECT model_id FROM active_models WHERE recipe = ?", (recipe,)).fetchone()
    return None if row is None else model_of(connection, row[0])


def model_of(connection: Connection, model_id: int) -> ServingModel:
    """A pack that was ever installed."""
    name, version, task = connection.execute("SELECT name, version, task FROM models WHERE id = ?", (model_id,)).fetchone()
    labels = connection.execute("SELECT name FROM labels WHERE model_id = ? ORDER BY label_index", (model_id,))
    return ServingModel(model_id, name, version, task, tuple(label[0] for label in labels))


def models_of_images(connection: Connection, image_ids: Sequence[int], recipe: str) -> tuple[ServingModel, ...]:
    """The packs whose current results these images have, the one with most of them first; sealed results do not count."""
    rows = connection.execute(
        "SELECT model_id FROM runs WHERE is_current = 1 AND recipe = ? AND object_count IS NOT NULL AND image_id IN "
        "(SELECT value FROM json_each(?)) GROUP BY model_id ORDER BY count(*) DESC, model_id DESC",
        (recipe, json.dumps(list(image_ids))),
    ).fetchall()
    return tuple(model_of(connection, row[0]) for row in rows)


def labels_people_gave(connection: Connection, image_ids: Sequence[int], recipe: str) -> tuple[str, ...]:
    """Labels that stand after review on these images; none of a sealed one."""
    rows = connection.execute(
        "SELECT DISTINCT v.label FROM v_reviewed_objects AS v WHERE v.is_reviewed = 1 AND v.recipe = ? "
        "AND v.image_id IN (SELECT value FROM json_each(?)) ORDER BY 1",
        (recipe, json.dumps(list(image_ids))),
    )
    return tuple(row[0] for row in rows)


def _files(connection: Connection, query: str, values: Sequence[object]) -> tuple[SourceFile, ...]:
    return as_values(SourceFile, connection.execute(query, values))


def _reviewed(connection: Connection, image_id: int, recipe: str) -> tuple[SentObject, ...]:
    """A score belongs to what the model said: it does not go along with what a person said instead."""
    found = []
    for one in reviewed_objects(connection, image_id, recipe=recipe):
        row = connection.execute("SELECT ordinal FROM objects WHERE id = ?", (one.object_id,)).fetchone()
        score = one.score if one.origin in ("model", "model, confirmed") else None
        box = (one.x_min_px, one.y_min_px, one.x_max_px, one.y_max_px)
        found.append(SentObject(None if row is None else row[0], one.added_uuid, one.label, score, *box))
    return tuple(found)
