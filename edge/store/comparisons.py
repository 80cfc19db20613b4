"""Comparisons of two models on the same files: asked for, worked through, ended. They never become runs (decision 0011)."""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from edge.errors import CountRefusedError
from edge.store.blindness import image_is_blind
from edge.store.clock import utc_now
from edge.store.sealed_runs import COUNTED_BLIND
from edge.store.sqlite import Connection, Row

KEPT_COMPARISONS = 20

EndState = Literal["done", "cancelled", "failed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparedSide:
    """One of the two: a variant of an installed pack, where it runs and what it counts from."""

    model_id: int
    variant: str
    device: str
    score_threshold: float


@dataclass(frozen=True, slots=True, kw_only=True)
class NewComparison:
    """What was asked for. `files_chosen` says in words which files."""

    recipe: str
    a: ComparedSide
    b: ComparedSide
    files_chosen: str
    file_ids: tuple[int, ...]
    actor: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FileToCompare:
    """A file that waits to be compared. `path` is where its bytes are."""

    row_id: int
    file_id: int
    path: Path
    name: str
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FileOutcome:
    """What became of one file: figures and boxes, or with a `detail` alone a failure."""

    row_id: int
    detail: str = ""
    a_count: int | None = None
    b_count: int | None = None
    matched: int | None = None
    only_a: int | None = None
    only_b: int | None = None
    a_infer_ms: float | None = None
    b_infer_ms: float | None = None
    boxes_json: str | None = None


def add_comparison(connection: Connection, new: NewComparison) -> int:
    """Record what was asked for, with its files; the oldest comparisons go. Returns its id.

    Raises:
        CountRefusedError: people count the station of one of the files blind: what a model finds there is not to be seen yet.
    """
    if blind := _blind_files(connection, new.file_ids):
        word = "file belongs to a station" if blind == 1 else "files belong to stations"
        advice = "Choose other files, or wait until the counts are signed; the Counts page of the station says who is missing."
        raise CountRefusedError(f"{blind} {word} that people count blind", advice=advice)
    cursor = connection.execute(
        "INSERT INTO comparisons (uuid, recipe, a_model_id, a_variant, a_device, a_score_threshold, b_model_id, b_variant, b_device, "
        "b_score_threshold, files_chosen, file_count, state, asked_by, asked_utc) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 'waiting', ?, ?)",
        (
            str(uuid.uuid4()),
            new.recipe,
            *_side(new.a),
            *_side(new.b),
            new.files_chosen,
            len(new.file_ids),
            new.actor,
            utc_now(),
        ),
    )
    comparison_id = int(cursor.lastrowid or 0)
    connection.executemany(
        "INSERT INTO comparison_files (comparison_id, sighting_id, state) VALUES (?, ?, 'waiting')",
        [(comparison_id, file_id) for file_id in new.file_ids],
    )
    connection.execute("DELETE FROM comparisons WHERE id NOT IN (SELECT id FROM comparisons ORDER BY id DESC LIMIT ?)", (KEPT_COMPARISONS,))
    return comparison_id


def begin_comparison(connection: Connection, comparison_id: int) -> list[FileToCompare]:
    """It is being worked on from now on. Returns its files in the order in which they were chosen."""
    connection.execute("UPDATE comparisons SET state = 'running' WHERE id = ?", (comparison_id,))
    rows = connection.execute(
        "SELECT c.id AS row_id, s.id AS file_id, s.name, s.name_bytes, f.relative_path_bytes, r.path_bytes, i.copy_path, i.sha256 "
        "FROM comparison_files AS c JOIN sightings AS s ON s.id = c.sighting_id JOIN images AS i ON i.id = s.image_id "
        "JOIN folders AS f ON f.id = s.folder_id JOIN roots AS r ON r.id = f.root_id "
        "WHERE c.comparison_id = ? AND c.state = 'waiting' ORDER BY c.id",
        (comparison_id,),
    )
    return [_file(row) for row in rows]


def record_outcomes(connection: Connection, outcomes: Sequence[FileOutcome]) -> None:
    """Keep what became of some files; nothing of those whose station people count blind by now."""
    blind = {one.row_id for one in outcomes if _row_is_blind(connection, one.row_id)}
    outcomes = [FileOutcome(row_id=one.row_id, detail=COUNTED_BLIND) if one.row_id in blind else one for one in outcomes]
    connection.executemany(
        "UPDATE comparison_files SET state = ?, detail = ?, a_count = ?, b_count = ?, matched = ?, only_a = ?, only_b = ?, a_infer_ms = ?, "
        "b_infer_ms = ?, boxes_json = ? WHERE id = ?",
        [
            (
                "failed" if one.detail else "done",
                one.detail,
                one.a_count,
                one.b_count,
                one.matched,
                one.only_a,
                one.only_b,
                one.a_infer_ms,
                one.b_infer_ms,
                one.boxes_json,
                one.row_id,
            )
            for one in outcomes
        ],
    )


def end_comparison(connection: Connection, comparison_id: int, state: EndState, detail: str = "") -> None:
    """It has ended, one way or the other; what was found until then stays."""
    connection.execute(
        "UPDATE comparisons SET state = ?, detail = ?, finished_utc = ? WHERE id = ? AND state IN ('waiting', 'running')",
        (state, detail, utc_now(), comparison_id),
    )


def delete_comparison(connection: Connection, comparison_id: int) -> None:
    """Forget a comparison that has ended."""
    connection.execute("DELETE FROM comparisons WHERE id = ? AND state NOT IN ('waiting', 'running')", (comparison_id,))


def interrupt_comparisons(connection: Connection) -> int:
    """At the start: what was being worked on when the appliance ended is not going on. Returns how many those were."""
    cursor = connection.execute(
        "UPDATE comparisons SET state = 'interrupted', detail = 'the appliance ended meanwhile', finished_utc = ? "
        "WHERE state IN ('waiting', 'running')",
        (utc_now(),),
    )
    return int(cursor.rowcount)


def _blind_files(connection: Connection, file_ids: Sequence[int]) -> int:
    row = connection.execute(
        f"SELECT count(*) FROM sightings AS s WHERE s.id IN (SELECT value FROM json_each(?)) AND {image_is_blind('s.image_id')}",
        (json.dumps(list(file_ids)),),
    ).fetchone()
    return int(row[0])


def _row_is_blind(connection: Connection, row_id: int) -> bool:
    found = connection.execute(
        "SELECT 1 FROM comparison_files AS c JOIN sightings AS s ON s.id = c.sighting_id "
        f"WHERE c.id = ? AND {image_is_blind('s.image_id')}",
        (row_id,),
    ).fetchone()
    return found is not None


def _side(side: ComparedSide) -> tuple[int, str, str, float]:
    return side.model_id, side.variant, side.device, side.score_threshold


def _file(row: Row) -> FileToCompare:
    if row["copy_path"] is not None:
        path = Path(row["copy_path"])
    else:
        path = Path(os.fsdecode(os.path.join(row["path_bytes"], row["relative_path_bytes"], row["name_bytes"])))
    return FileToCompare(row_id=row["row_id"], file_id=row["file_id"], path=path, name=row["name"], sha256=row["sha256"])
