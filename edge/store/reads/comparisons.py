"""Comparisons of two models, as pages, API and exports show them."""

from __future__ import annotations

import json
import random
from dataclasses import dataclass
from typing import Any, Literal

from edge.store.blindness import image_is_blind
from edge.store.reads.typed import as_value, as_values
from edge.store.sqlite import Connection

FileOrder = Literal["disagreement", "name"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparisonRow:
    """A comparison and how far it is. `files_done` and `files_failed` count what has ended."""

    comparison_id: int
    uuid: str
    recipe: str
    a_model: str
    a_version: str
    a_variant: str
    a_device: str
    a_score_threshold: float
    b_model: str
    b_version: str
    b_variant: str
    b_device: str
    b_score_threshold: float
    files_chosen: str
    file_count: int
    files_done: int
    files_failed: int
    state: str
    detail: str
    asked_by: str
    asked_utc: str
    finished_utc: str | None

    @property
    def is_open(self) -> bool:
        """It waits or is being worked on."""
        return self.state in {"waiting", "running"}


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparedFile:
    """One file: what A and B count, how their boxes agree at IoU 0.5, and how long each took. `difference` is B minus A."""

    file_id: int
    path: str
    name: str
    state: str
    detail: str
    a_count: int | None
    b_count: int | None
    difference: int | None
    matched: int | None
    only_a: int | None
    only_b: int | None
    a_infer_ms: float | None
    b_infer_ms: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparedBoxes:
    """The boxes of one file: [x_min, y_min, x_max, y_max, score, label, partner], pixels of the full image.

    The partner is the place of the box in the other list, or None.
    """

    a: tuple[tuple[Any, ...], ...]
    b: tuple[tuple[Any, ...], ...]


_COMPARISON = """
    SELECT c.id AS comparison_id, c.uuid, c.recipe, ma.name AS a_model, ma.version AS a_version, c.a_variant, c.a_device,
           c.a_score_threshold, mb.name AS b_model, mb.version AS b_version, c.b_variant, c.b_device, c.b_score_threshold,
           c.files_chosen, c.file_count,
           (SELECT count(*) FROM comparison_files AS f WHERE f.comparison_id = c.id AND f.state = 'done') AS files_done,
           (SELECT count(*) FROM comparison_files AS f WHERE f.comparison_id = c.id AND f.state = 'failed') AS files_failed,
           c.state, c.detail, c.asked_by, c.asked_utc, c.finished_utc
    FROM comparisons AS c JOIN models AS ma ON ma.id = c.a_model_id JOIN models AS mb ON mb.id = c.b_model_id
"""

_FILE = """
    SELECT s.id AS file_id, s.path, s.name, f.state, f.detail, f.a_count, f.b_count, f.b_count - f.a_count AS difference, f.matched,
           f.only_a, f.only_b, f.a_infer_ms, f.b_infer_ms
    FROM comparison_files AS f JOIN sightings AS s ON s.id = f.sighting_id
    WHERE f.comparison_id = ?
"""
# Failed files first: they need a look before the figures are believed.
_ORDERS: dict[FileOrder, str] = {
    "disagreement": (
        "ORDER BY f.state = 'failed' DESC, f.state = 'done' DESC, f.only_a + f.only_b DESC, abs(f.b_count - f.a_count) DESC, s.id"
    ),
    "name": "ORDER BY s.path, s.id",
}


def list_comparisons(connection: Connection, *, limit: int = 100) -> tuple[ComparisonRow, ...]:
    """The comparisons that are kept, newest first."""
    return as_values(ComparisonRow, connection.execute(_COMPARISON + "ORDER BY c.id DESC LIMIT ?", (limit,)))


def get_comparison(connection: Connection, comparison_id: int) -> ComparisonRow | None:
    """One comparison, or None if there is none with that id."""
    row = connection.execute(_COMPARISON + "WHERE c.id = ?", (comparison_id,)).fetchone()
    return None if row is None else as_value(ComparisonRow, row)


def compared_files(connection: Connection, comparison_id: int, *, order: FileOrder = "disagreement") -> tuple[ComparedFile, ...]:
    """The files of a comparison; by disagreement those with the most boxes without a partner come first."""
    return as_values(ComparedFile, connection.execute(_FILE + _ORDERS[order], (comparison_id,)))


def compared_boxes(connection: Connection, comparison_id: int, file_id: int) -> ComparedBoxes | None:
    """The boxes of one file, or None if it has none to show."""
    row = connection.execute(
        "SELECT boxes_json FROM comparison_files WHERE comparison_id = ? AND sighting_id = ?", (comparison_id, file_id)
    ).fetchone()
    if row is None or row["boxes_json"] is None:
        return None
    boxes = json.loads(row["boxes_json"])
    return ComparedBoxes(a=tuple(map(tuple, boxes["a"])), b=tuple(map(tuple, boxes["b"])))


_WITH_RESULT = f"AND s.original = 'present' AND s.image_id IS NOT NULL AND s.state = 'done' AND NOT {image_is_blind('s.image_id')}"
_RANDOM_WALK = 20  # tries per wanted file


def newest_files(connection: Connection, recipe: str, *, limit: int, folder_id: int | None = None) -> list[int]:
    """Ids of the newest files of a recipe (in one folder) that have a result and whose originals are there."""
    walk = "s.folder_id = :folder AND +s.recipe = :recipe" if folder_id is not None else "s.recipe = :recipe"
    rows = connection.execute(
        f"SELECT s.id FROM sightings AS s WHERE {walk} {_WITH_RESULT} ORDER BY s.id DESC LIMIT :limit",
        {"recipe": recipe, "folder": folder_id, "limit": limit},
    )
    return [row["id"] for row in rows]


def random_files(connection: Connection, recipe: str, *, limit: int, seed: int) -> list[int]:
    """Ids of files drawn by chance, newest first; each draw is the next file at or above a random id, so a season costs nothing."""
    bounds = connection.execute(
        "SELECT min(id) AS first, max(id) AS last FROM sightings WHERE recipe = ? AND state = 'done'", (recipe,)
    ).fetchone()
    if bounds["first"] is None:
        return []
    drawn: set[int] = set()
    chance = random.Random(seed)  # noqa: S311 (a sample, not a secret)
    for _ in range(limit * _RANDOM_WALK):
        if len(drawn) == limit:
            break
        row = connection.execute(
            f"SELECT s.id FROM sightings AS s WHERE s.recipe = ? AND s.id >= ? {_WITH_RESULT} ORDER BY s.id LIMIT 1",
            (recipe, chance.randint(bounds["first"], bounds["last"])),
        ).fetchone()
        if row is not None:
            drawn.add(row["id"])
    return sorted(drawn, reverse=True)
