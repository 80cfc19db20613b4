"""What stands on images after review: a model's objects with what people decided, and what people added.

`reviewed_images` and `reviewed_objects` are what a training set and an export are made from: only images of which somebody said
that everything on them is right, and said nothing else since. While a tow is counted blind its images have neither.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from edge.store.reads.typed import as_value, as_values
from edge.store.sqlite import Connection


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewedImage:
    """An image that somebody called right as a whole. `run_uuid` is the model's result that the review is about."""

    image_id: int
    image_uuid: str
    sha256: str
    recipe: str
    run_id: int
    run_uuid: str
    reviewed_by: str
    reviewed_utc: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewedObject:
    """An object that stands after review, in pixels of the full image, half open.

    Attributes:
        object_id: the model's object that it is about; None: a person added it.
        added_uuid: identity of an object that a person added.
        origin: "model", "model, confirmed", "model, moved", "model, relabelled", "model, moved and relabelled" or "person".
        aphia_id: where the model's pack knows the label.
        score: the model's; None where a person added it.
        decided_by: whose decision holds; None: the model's object was left as it is.
    """

    object_id: int | None
    added_uuid: str | None
    recipe: str
    run_uuid: str
    origin: str
    label: str
    aphia_id: int | None
    score: float | None
    x_min_px: float
    y_min_px: float
    x_max_px: float
    y_max_px: float
    decided_by: str | None
    decided_utc: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewState:
    """Where the review of an image stands: the result that it is about, and whether somebody called all of the image right."""

    run_uuid: str
    is_reviewed: bool
    reviewed_by: str | None
    reviewed_utc: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgedObject:
    """An object of the editor: what the model found (None: a person added it), and the newest decision about it.

    `stands`: it is there after review. The box and the label are those after the decision; the model's stay beside them.
    """

    object_id: int | None
    added_uuid: str | None
    stands: bool
    decision: str | None
    label: str
    model_label: str | None
    score: float | None
    counted: bool
    x_min_px: float
    y_min_px: float
    x_max_px: float
    y_max_px: float
    model_x_min_px: float | None
    model_y_min_px: float | None
    model_x_max_px: float | None
    model_y_max_px: float | None
    decided_by: str | None
    decided_utc: str | None


def reviewed_images(connection: Connection, *, recipe: str | None = None) -> Iterator[ReviewedImage]:
    """Images that somebody called right as a whole, in the order of their ids; of one recipe if it is given."""
    rows = connection.execute(
        "SELECT image_id, image_uuid, sha256, recipe, run_id, run_uuid, reviewed_by, reviewed_utc FROM v_reviewed_images "
        "WHERE is_reviewed = 1 AND (?1 IS NULL OR recipe = ?1) ORDER BY image_id, recipe",
        (recipe,),
    )
    for row in rows:
        yield as_value(ReviewedImage, row)


def reviewed_objects(connection: Connection, image_id: int, *, recipe: str | None = None) -> tuple[ReviewedObject, ...]:
    """What stands on an image after review, the model's first; empty where nothing was decided about it yet, or where it is sealed."""
    rows = connection.execute(
        "SELECT object_id, added_uuid, recipe, run_uuid, origin, label, aphia_id, score, x_min_px, y_min_px, x_max_px, y_max_px, "
        "decided_by, decided_utc FROM v_reviewed_objects WHERE image_id = ?1 AND (?2 IS NULL OR recipe = ?2)",
        (image_id, recipe),
    )
    return as_values(ReviewedObject, rows)


def review_state(connection: Connection, image_id: int, recipe: str) -> ReviewState | None:
    """Where the review of an image stands; None where nothing was decided, or where its result is sealed."""
    row = connection.execute(
        "SELECT run_uuid, is_reviewed, reviewed_by, reviewed_utc FROM v_reviewed_images WHERE image_id = ? AND recipe = ?",
        (image_id, recipe),
    ).fetchone()
    return None if row is None else as_value(ReviewState, row)


def review_of_file(connection: Connection, sha256: str, recipe: str) -> ReviewState | None:
    """The same of the image with these bytes."""
    row = connection.execute("SELECT id FROM images WHERE sha256 = ?", (sha256,)).fetchone()
    return None if row is None else review_state(connection, row[0], recipe)


def decisions_of(connection: Connection, image_id: int) -> int:
    """How many decisions there are about an image: its revision, which only grows."""
    return int(connection.execute("SELECT count(*) FROM object_decisions WHERE image_id = ?", (image_id,)).fetchone()[0])


def labels_for(connection: Connection, run_uuid: str) -> tuple[str, ...]:
    """Labels to choose from: those of the run's model in its order, then those that people gave before, in the order of the alphabet."""
    own = [
        row[0]
        for row in connection.execute(
            "SELECT l.name FROM runs AS r JOIN labels AS l ON l.model_id = r.model_id WHERE r.uuid = ? ORDER BY l.label_index", (run_uuid,)
        )
    ]
    given = connection.execute("SELECT DISTINCT label FROM object_decisions WHERE label IS NOT NULL ORDER BY label")
    return tuple(dict.fromkeys([*own, *(row[0] for row in given)]))


def judged_objects(connection: Connection, run_uuid: str, *, candidates: bool) -> tuple[JudgedObject, ...]:
    """Every object of a run with what was decided about it, then those that people added to its image and that still stand.

    Objects below the run's threshold about which nobody decided anything come only with `candidates`.
    """
    rows = connection.execute(_JUDGED, {"run": run_uuid, "candidates": candidates})
    return as_values(JudgedObject, rows)


_JUDGED = """
    SELECT o.id AS object_id, NULL AS added_uuid,
           CASE WHEN d.decision IS NULL OR d.decision = 'cleared' THEN o.score >= r.score_threshold
                ELSE d.decision <> 'rejected' END AS stands,
           d.decision, coalesce(d.label, l.name) AS label, l.name AS model_label, o.score, o.score >= r.score_threshold AS counted,
           coalesce(d.x_min_px, o.x_min_px) AS x_min_px, coalesce(d.y_min_px, o.y_min_px) AS y_min_px,
           coalesce(d.x_max_px, o.x_max_px) AS x_max_px, coalesce(d.y_max_px, o.y_max_px) AS y_max_px,
           o.x_min_px AS model_x_min_px, o.y_min_px AS model_y_min_px, o.x_max_px AS model_x_max_px, o.y_max_px AS model_y_max_px,
           d.decided_by, d.decided_utc
    FROM runs AS r
    CROSS JOIN objects AS o ON o.run_id = r.id
    CROSS JOIN labels AS l ON l.id = o.label_id
    LEFT JOIN object_decisions AS d ON d.id = (SELECT max(x.id) FROM object_decisions AS x WHERE x.object_id = o.id)
    WHERE r.uuid = :run AND (:candidates OR o.score >= r.score_threshold OR d.decision <> 'cleared')
    UNION ALL
    SELECT NULL, d.added_uuid, 1, d.decision, d.label, NULL, NULL, 0, d.x_min_px, d.y_min_px, d.x_max_px, d.y_max_px,
           NULL, NULL, NULL, NULL, d.decided_by, d.decided_utc
    FROM runs AS r
    JOIN object_decisions AS d ON d.image_id = r.image_id AND d.added_uuid IS NOT NULL
         AND d.id = (SELECT max(x.id) FROM object_decisions AS x WHERE x.added_uuid = d.added_uuid)
    JOIN runs AS a ON a.id = d.run_id AND a.recipe = r.recipe
    WHERE r.uuid = :run AND r.object_count IS NOT NULL AND d.decision NOT IN ('cleared', 'rejected')
"""
