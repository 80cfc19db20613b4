"""The objects of a scan with what stands about them, its separation lines, and the keys that stand no more."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from edge.store.sqlite import Connection, Row
from edge.store.zooscan_tables import FEATURE_COLUMNS
from edge.values import Int32Array

OutlineArray = NDArray[np.uint16]


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectRow:
    """An object that stands.

    Attributes:
        key: from its place; `<scan>_<key>` is EcoTaxa's `object_id`.
        x_px, y_px, width_px, height_px: its box in the clean scan.
        measures: by the legacy names in lower case (`FEATURE_COLUMNS`), without the box; None: not defined.
        multiple_score: 0 to 1; None if no model looked.
        decision, decided_by: what a person says; None if nobody did.
        is_multiple: the decision, without one the score; None if neither a model nor a person looked.
        cut_from: key of the object that it is a part of.
        vignette: archive and member, below the run's folder.
        category, category_id, hierarchy, category_status: EcoTaxa's, as they last came back.
    """

    id: int
    uuid: str
    key: str
    x_px: int
    y_px: int
    width_px: int
    height_px: int
    measures: Mapping[str, float | None] = field(repr=False)
    multiple_score: float | None
    decision: Literal["single", "multiple"] | None
    decided_by: str | None
    is_multiple: bool | None
    cut_from: str | None
    vignette: str
    category: str | None
    category_id: str | None
    hierarchy: str | None
    category_status: str | None


class RetiredRow(NamedTuple):
    """A key that an object once had and none has now; since when; whether it was cut, or else not found by a later run."""

    key: str
    since_utc: str
    was_cut: bool


class FamilyMember(NamedTuple):
    """An object of the current run, standing or retired."""

    key: str
    x_px: int
    y_px: int
    width_px: int
    height_px: int
    outline: OutlineArray
    cut_from: str | None
    is_retired: bool


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LineRow:
    """A separation line that stands, or an erased one. `pixels`: (N, 2) int32, x and y in the clean scan."""

    id: int
    uuid: str
    object_key: str
    pixels: Int32Array = field(repr=False)
    score: float | None
    made_by: str
    is_human: bool
    made_utc: str
    erased_by: str | None
    erased_utc: str | None


def standing_objects(connection: Connection, scan_id: int) -> Iterator[ObjectRow]:
    """The objects of a scan's current run that stand, in the order in which they were found; the parts of cut ones last."""
    for row in connection.execute(_OBJECTS, (scan_id,)):
        yield _object(row)


def standing_keys(connection: Connection, scan_id: int) -> frozenset[str]:
    """The keys of the objects of a scan's current run that stand."""
    rows = connection.execute(
        "SELECT o.key FROM zooscan_runs AS r CROSS JOIN zooscan_objects AS o ON o.run_id = r.id AND o.retired_utc IS NULL "
        "WHERE r.scan_id = ? AND r.is_current = 1",
        (scan_id,),
    )
    return frozenset(row["key"] for row in rows)


def object_by_key(connection: Connection, scan_id: int, key: str) -> ObjectRow | None:
    """A standing object."""
    row = connection.execute(f"{_OBJECTS_ONLY} AND v.key = ?", (scan_id, key)).fetchone()
    return None if row is None else _object(row)


def outlines(connection: Connection, scan_id: int) -> Iterator[tuple[str, OutlineArray]]:
    """The keys of the standing objects, each with its outline: (N, 2) uint16, x and y in the box, clockwise."""
    rows = connection.execute(
        "SELECT o.key, o.outline FROM zooscan_runs AS r CROSS JOIN zooscan_objects AS o ON o.run_id = r.id AND o.retired_utc IS NULL "
        "WHERE r.scan_id = ? AND r.is_current = 1 ORDER BY o.id",
        (scan_id,),
    )
    for row in rows:
        yield row["key"], unpack_outline(row["outline"])


def members_of_run(connection: Connection, run_id: int) -> dict[str, FamilyMember]:
    """Every object of a run by its key, retired ones too."""
    rows = connection.execute(
        "SELECT key, x_px, y_px, width_px, height_px, outline, cut_from, retired_utc IS NOT NULL AS is_retired "
        "FROM zooscan_objects WHERE run_id = ? ORDER BY id",
        (run_id,),
    )
    return {
        row["key"]: FamilyMember._make((*tuple(row)[:5], unpack_outline(row["outline"]), row["cut_from"], bool(row["is_retired"])))
        for row in rows
    }


def standing_lines(connection: Connection, scan_id: int) -> tuple[LineRow, ...]:
    """The lines that stand: a person's, and the separator's of the current run."""
    rows = connection.execute(
        "SELECT l.id, l.uuid, l.object_key, l.pixels, l.score, l.made_by, l.is_human, l.made_utc, l.erased_by, l.erased_utc "
        "FROM zooscan_lines AS l LEFT JOIN zooscan_runs AS r ON r.id = l.run_id "
        "WHERE l.scan_id = ? AND l.erased_utc IS NULL AND (l.is_human OR r.is_current) ORDER BY l.id",
        (scan_id,),
    )
    return tuple(_line(row) for row in rows)


def erased_machine_lines(connection: Connection, scan_id: int) -> tuple[LineRow, ...]:
    """Lines of the separator that people erased, in any run: it shall not draw them again."""
    rows = connection.execute(
        "SELECT id, uuid, object_key, pixels, score, made_by, is_human, made_utc, erased_by, erased_utc "
        "FROM zooscan_lines WHERE scan_id = ? AND erased_utc IS NOT NULL AND NOT is_human ORDER BY id",
        (scan_id,),
    )
    return tuple(_line(row) for row in rows)


def decisions_standing(connection: Connection, scan_id: int) -> dict[str, Literal["single", "multiple"]]:
    """What people say of each key of a scan, of objects that were cut since as well: the newest that was not undone."""
    rows = connection.execute(
        "SELECT object_key, decision, max(id) FROM zooscan_decisions WHERE scan_id = ? AND undone_utc IS NULL GROUP BY object_key",
        (scan_id,),
    )
    return {row["object_key"]: row["decision"] for row in rows}


def wholes(connection: Connection, scan_id: int) -> dict[str, str]:
    """What each part was cut from, in any run of a scan, by their keys."""
    rows = connection.execute(
        "SELECT o.key, o.cut_from, max(o.id) FROM zooscan_runs AS r JOIN zooscan_objects AS o ON o.run_id = r.id "
        "WHERE r.scan_id = ? AND o.cut_from IS NOT NULL GROUP BY o.key",
        (scan_id,),
    )
    return {row["key"]: row["cut_from"] for row in rows}


def whole_of(key: str, cut_from: Mapping[str, str]) -> str:
    """The object that the scan shows without any line, of one of its parts; `cut_from`: see `wholes`."""
    seen = {key}
    while (whole := cut_from.get(key)) is not None and whole not in seen:
        seen.add(whole)
        key = whole
    return key


def line_by_id(connection: Connection, scan_id: int, line_id: int) -> LineRow | None:
    """A line of a scan, standing or not."""
    row = connection.execute(
        "SELECT id, uuid, object_key, pixels, score, made_by, is_human, made_utc, erased_by, erased_utc "
        "FROM zooscan_lines WHERE scan_id = ? AND id = ?",
        (scan_id, line_id),
    ).fetchone()
    return None if row is None else _line(row)


def retired_keys(connection: Connection, scan_id: int) -> tuple[RetiredRow, ...]:
    """Keys under which objects may have left the ship, and under which none stands now.

    What the separator of a run cut before anybody saw it never stood, and is not among them.
    """
    rows = connection.execute(
        "SELECT o.key, max(coalesce(o.retired_utc, (SELECT min(n.finished_utc) FROM zooscan_runs AS n "
        "WHERE n.scan_id = r.scan_id AND n.id > r.id))) AS since_utc, max(o.retired_utc IS NOT NULL) AS was_cut "
        "FROM zooscan_runs AS r JOIN zooscan_objects AS o ON o.run_id = r.id "
        "WHERE r.scan_id = ?1 AND o.key NOT IN (SELECT key FROM v_zooscan_objects WHERE scan_id = ?1) GROUP BY o.key "
        "HAVING max(o.retired_utc IS NULL OR o.retired_utc != r.finished_utc) ORDER BY since_utc, o.key",
        (scan_id,),
    )
    return tuple(RetiredRow(row["key"], row["since_utc"], bool(row["was_cut"])) for row in rows)


def unpack_outline(packed: bytes) -> OutlineArray:
    """(N, 2) uint16 of what a row of `zooscan_objects` holds."""
    return np.frombuffer(packed, "<u2").reshape(-1, 2).astype(np.uint16, copy=False)


def pack_outline(outline: OutlineArray) -> bytes:
    """What a row of `zooscan_objects` holds."""
    return np.ascontiguousarray(outline, "<u2").tobytes()


def unpack_pixels(packed: bytes) -> Int32Array:
    """(N, 2) int32 of what a row of `zooscan_lines` holds."""
    return np.frombuffer(packed, "<i4").reshape(-1, 2).astype(np.int32, copy=False)


def pack_pixels(pixels: Int32Array) -> bytes:
    """What a row of `zooscan_lines` holds."""
    return np.ascontiguousarray(pixels, "<i4").tobytes()


_OBJECTS_ONLY = "SELECT v.*, o.vignettes FROM v_zooscan_objects AS v JOIN zooscan_objects AS o ON o.id = v.object_id WHERE v.scan_id = ?"
_OBJECTS = f"{_OBJECTS_ONLY} ORDER BY v.cut_from IS NOT NULL, v.object_id"


def _object(row: Row) -> ObjectRow:
    return ObjectRow(
        id=row["object_id"],
        uuid=row["object_uuid"],
        key=row["key"],
        x_px=row["x_px"],
        y_px=row["y_px"],
        width_px=row["width_px"],
        height_px=row["height_px"],
        measures={name: row[column] for name, column in FEATURE_COLUMNS.items()},
        multiple_score=row["multiple_score"],
        decision=row["decision"],
        decided_by=row["decided_by"],
        is_multiple=None if row["is_multiple"] is None else bool(row["is_multiple"]),
        cut_from=row["cut_from"],
        vignette=row["vignettes"],
        category=row["category"],
        category_id=row["category_id"],
        hierarchy=row["hierarchy"],
        category_status=row["category_status"],
    )


def _line(row: Row) -> LineRow:
    values = dict(zip(row.keys(), row, strict=True))
    values["pixels"] = unpack_pixels(values["pixels"])
    values["is_human"] = bool(values["is_human"])
    return LineRow(**values)
