"""The frame strip of clips, tile by tile: kept with the part of a reading that it was made with, in the same transaction.

It is not sealed while people count blind. It is footage and no result: made from the pictures and from how they moved, whether a model
looks at them or not, and it holds no more than what every counter steps through anyway. Marks on it are another matter; they come from
the analysis, which is sealed.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np

from edge.footage import StripMoment, StripTile
from edge.store.sqlite import Connection

_SOURCES: tuple[Literal["registered", "carried"] | None, ...] = (None, "registered", "carried")


class KeptTile(NamedTuple):
    """A tile of the strip of a reading, less its picture; see `edge.footage.StripTile`."""

    id: int
    reading_id: int
    columns: int
    width_px: int
    px_per_column: float
    moments: tuple[StripMoment, ...]


def add_strip(connection: Connection, reading_id: int, part: int, tiles: Sequence[StripTile]) -> None:
    """Keep the tiles of a part of a reading."""
    connection.executemany(
        "INSERT INTO strip_tiles (reading_id, part, number, columns, width_px, px_per_column, moments, jpeg) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        [
            (reading_id, part, number, tile.columns, tile.width_px, tile.px_per_column, pack_moments(tile.moments), tile.jpeg)
            for number, tile in enumerate(tiles)
        ],
    )


def drop_old_strips(connection: Connection, image_id: int, recipe: str) -> None:
    """Let go of the strips of readings that have been replaced: the footage is there to make them again."""
    connection.execute(
        "DELETE FROM strip_tiles WHERE reading_id IN (SELECT id FROM readings WHERE image_id = ? AND recipe = ? AND is_current = 0)",
        (image_id, recipe),
    )


def tiles_of_readings(connection: Connection, reading_ids: Sequence[int]) -> dict[int, tuple[KeptTile, ...]]:
    """Reading -> its tiles in their order, without their pictures."""
    found: dict[int, tuple[KeptTile, ...]] = {}
    for reading_id in reading_ids:
        rows = connection.execute(
            "SELECT id, reading_id, columns, width_px, px_per_column, moments FROM strip_tiles WHERE reading_id = ? ORDER BY part, number",
            (reading_id,),
        )
        found[reading_id] = tuple(KeptTile._make((*row[:5], unpack_moments(row[5]))) for row in rows)
    return found


def tile_jpeg(connection: Connection, tow_id: int, tile_id: int) -> bytes | None:
    """The picture of a tile of a tow's footage; None if it is none of it, or has no picture."""
    row = connection.execute(
        "SELECT t.jpeg FROM strip_tiles AS t JOIN readings AS r ON r.id = t.reading_id JOIN tow_images AS a ON a.image_id = r.image_id "
        "WHERE t.id = ? AND a.tow_id = ? AND t.columns > 0",
        (tile_id, tow_id),
    ).fetchone()
    return None if row is None else bytes(row[0])


def pack_moments(moments: Sequence[StripMoment]) -> bytes:
    """A row of 3 little-endian float64 for each: seconds of the clip, column, and 0 for no motion, 1 registered, 2 carried."""
    rows = np.array([(one.at_s, one.column, _SOURCES.index(one.source)) for one in moments], "<f8")
    return rows.tobytes()


def unpack_moments(packed: bytes) -> tuple[StripMoment, ...]:
    """What `pack_moments` packed."""
    rows = np.frombuffer(packed, "<f8").reshape(-1, 3)
    return tuple(StripMoment(float(at_s), float(column), _SOURCES[int(source)]) for at_s, column, source in rows)


def tile_jpegs(connection: Connection, tile_ids: Sequence[int]) -> list[bytes]:
    """The pictures of tiles, in this order."""
    rows = connection.execute(
        "SELECT id, jpeg FROM strip_tiles WHERE id IN (SELECT value FROM json_each(?))", (json.dumps(list(tile_ids)),)
    )
    found = {row[0]: bytes(row[1]) for row in rows}
    return [found[one] for one in tile_ids if one in found]


def crossing_places(connection: Connection, analysis_id: int) -> dict[int, float]:
    """Opening -> where it crossed the line, pixels of the full frame from its left edge; none while the analysis is sealed."""
    return dict(
        connection.execute(
            "SELECT id, across_px FROM tow_openings WHERE analysis_id = ? AND crossing_s IS NOT NULL", (analysis_id,)
        ).fetchall()
    )
