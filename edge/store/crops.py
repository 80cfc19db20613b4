"""Record and read what was measured of crops that an imager made, and the classes that fit them best."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from edge.store.sqlite import Connection, Row
from edge.store.zooscan_tables import FEATURE_COLUMNS
from edge.values import ImageResult

KEPT_CLASSES = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassScore:
    """One class of a crop: its name, its AphiaID where there is one, how well it fits, 0..1."""

    name: str
    aphia_id: int | None
    score: float


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasuredCrop:
    """One crop with its newest result.

    Attributes:
        folder, name: where it lies, as text.
        image_uuid, sha256: of its bytes.
        model: name and version of what classified it.
        classes: the best first.
        box_px: x, y, width and height of the particle; None where there is none.
        background_grey, threshold_grey, touches_edge: see `edge.values.CropMeasures`; None where there is no particle.
        measures: by legacy lower-case name, as on a scan.
    """

    folder: str
    name: str
    image_uuid: str
    sha256: str
    model: str
    classes: tuple[ClassScore, ...]
    box_px: tuple[int, int, int, int] | None
    background_grey: float | None
    threshold_grey: int | None
    touches_edge: bool | None
    measures: dict[str, float]


def record_crop(connection: Connection, run_id: int, label_ids: dict[int, int], result: ImageResult) -> None:
    """Write what a result says of a crop; nothing for one that is no crop and was not classified."""
    if result.class_score is not None:
        best = np.argsort(-result.class_score, kind="stable")[:KEPT_CLASSES].tolist()
        rows = [(run_id, ordinal, label_ids[label], min(1.0, float(result.class_score[label]))) for ordinal, label in enumerate(best)]
        connection.executemany("INSERT INTO class_scores (run_id, ordinal, label_id, score) VALUES (?, ?, ?, ?)", rows)
    if not result.is_measured:
        return
    crop = result.crop
    if crop is None:
        connection.execute("INSERT INTO crop_measures (run_id, found) VALUES (?, 0)", (run_id,))
        return
    columns = ", ".join(FEATURE_COLUMNS.values())
    marks = ", ".join("?" * len(FEATURE_COLUMNS))
    connection.execute(
        "INSERT INTO crop_measures (run_id, found, x_px, y_px, width_px, height_px, background_grey, threshold_grey, touches_edge, "
        f"{columns}) VALUES (?, 1, ?, ?, ?, ?, ?, ?, ?, {marks})",
        (
            run_id,
            crop.x_px,
            crop.y_px,
            crop.width_px,
            crop.height_px,
            crop.background_grey,
            crop.threshold_grey,
            int(crop.touches_edge),
            *(crop.values.get(name) for name in FEATURE_COLUMNS),
        ),
    )


def measured_crops(connection: Connection, recipe: str) -> Iterator[MeasuredCrop]:
    """Every crop of a recipe with a result, by folder and name; one whose bytes lie in several places once for each."""
    query = f"""
        SELECT {_COLUMNS} FROM {_TABLES}
            JOIN sightings ON sightings.image_id = images.id AND sightings.recipe = runs.recipe AND sightings.original <> 'changed'
        WHERE runs.recipe = ? AND runs.is_current = 1
        ORDER BY sightings.path, sightings.id
    """
    for row in connection.execute(query, (recipe,)).fetchall():
        yield _crop(connection, row)


def crops_of_image(connection: Connection, sha256: str) -> dict[str, MeasuredCrop]:
    """What was measured of an image as a crop, by the uuid of the run; folder and name are empty."""
    query = (
        f"SELECT {_COLUMNS.replace('sightings.path', _NOTHING).replace('sightings.name', _NOTHING)} FROM {_TABLES} WHERE images.sha256 = ?"
    )
    return {row["run_uuid"]: _crop(connection, row) for row in connection.execute(query, (sha256,)).fetchall()}


_NOTHING = "''"
_COLUMNS = (
    "sightings.path AS path, sightings.name AS name, images.uuid AS image_uuid, images.sha256 AS sha256, runs.uuid AS run_uuid, "
    "models.name || ' ' || models.version AS model, crop_measures.*"
)
_TABLES = (
    "runs JOIN images ON images.id = runs.image_id JOIN models ON models.id = runs.model_id "
    "JOIN crop_measures ON crop_measures.run_id = runs.id"
)


def _crop(connection: Connection, row: Row) -> MeasuredCrop:
    classes = connection.execute(
        "SELECT labels.name, labels.aphia_id, class_scores.score FROM class_scores JOIN labels ON labels.id = class_scores.label_id "
        "WHERE class_scores.run_id = ? ORDER BY class_scores.ordinal",
        (row["run_id"],),
    ).fetchall()
    found = bool(row["found"])
    return MeasuredCrop(
        folder=row["path"].removesuffix(row["name"]).rstrip("/\\"),
        name=row["name"],
        image_uuid=row["image_uuid"],
        sha256=row["sha256"],
        model=row["model"],
        classes=tuple(ClassScore(name=name, aphia_id=aphia_id, score=score) for name, aphia_id, score in classes),
        box_px=(row["x_px"], row["y_px"], row["width_px"], row["height_px"]) if found else None,
        background_grey=row["background_grey"],
        threshold_grey=row["threshold_grey"],
        touches_edge=bool(row["touches_edge"]) if found else None,
        measures={name: row[column] for name, column in FEATURE_COLUMNS.items() if row[column] is not None},
    )
