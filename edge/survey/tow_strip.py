"""The frame strip of a tow: the strips of its clips one behind the other, and which moment of the tow each column shows.

A column is a place along the tow and the moment at which it passed the counting row. Where the picture did not tell how the seabed moved,
or there is no footage, the strip goes on without a gap; such stretches are listed, with how long they last.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

import numpy as np

from edge.footage import Float64Array
from edge.store.reads.footage import AnalysisRow, clips_of_tow
from edge.store.reads.surveys import TowRow
from edge.store.sqlite import Connection
from edge.store.strips import KeptTile, tiles_of_readings
from edge.survey.tow_footage import Clock, Piece, place_clips

LEAST_TOLD_S = 1.0
_NEAR_S = 0.5


class StripTrouble(StrEnum):
    """Why the strip shows nothing of a stretch of the tow, or guesses."""

    NO_FOOTAGE = "no footage"
    NOT_FOLLOWED = "motion not told"
    CARRIED = "motion carried on"


class Stretch(NamedTuple):
    """A stretch of the tow with a trouble; its two columns are the same unless the strip guesses there."""

    trouble: StripTrouble
    from_s: float
    to_s: float
    from_column: float
    to_column: float


class PlacedTile(NamedTuple):
    """A tile and its left edge on the strip of the whole tow, columns."""

    id: int
    from_column: int
    columns: int
    width_px: int
    px_per_column: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TowStrip:
    """The strip of a tow.

    Attributes:
        tiles: those with a picture, in their order.
        columns: of all tiles.
        at_s, column: (N,) float64, its frames: seconds on the tow's clock, never less, and the columns laid down until then, never less.
        stretches: where something is wrong, for a second or longer.
        left_out: sentences on clips that are not in it, and why.
        clock: what the times count from.
        pieces: the clips on that clock.
    """

    tiles: tuple[PlacedTile, ...]
    columns: int
    at_s: Float64Array
    column: Float64Array
    stretches: tuple[Stretch, ...]
    left_out: tuple[str, ...]
    clock: Clock
    pieces: tuple[Piece, ...]

    def column_of(self, at_s: float) -> float | None:
        """Where the strip was at a moment; None before its first and after its last frame."""
        if not self.at_s.size or not self.at_s[0] - _NEAR_S <= at_s <= self.at_s[-1] + _NEAR_S:
            return None
        return float(np.interp(at_s, self.at_s, self.column))

    def time_of(self, column: float) -> float | None:
        """When a column passed the row; None for a strip without frames."""
        return float(np.interp(column, self.column, self.at_s)) if self.at_s.size else None

    def piece_at(self, at_s: float) -> Piece | None:
        """The clip that shows a moment."""
        near = [one for one in self.pieces if one.from_s - _NEAR_S <= at_s <= one.to_s + _NEAR_S]
        return min(near, key=lambda one: max(one.from_s - at_s, at_s - one.to_s), default=None)


def strip_of_tow(connection: Connection, tow: TowRow) -> TowStrip:
    """The strip of a tow's clips, as far as they are read."""
    pieces, left_out, clock = place_clips(clips_of_tow(connection, tow.id), tow)
    kept = tiles_of_readings(connection, [one.clip.reading_id for one in pieces if one.clip.reading_id is not None])
    tiles = [(piece, kept.get(piece.clip.reading_id or 0, ())) for piece in pieces]
    left_out += [f"{piece.clip.name}: it was read before strips were made; reprocess it" for piece, made in tiles if not made]
    return join_strips(tiles, left_out=left_out, clock=clock)


def join_strips(pieces: Sequence[tuple[Piece, Sequence[KeptTile]]], *, left_out: Sequence[str], clock: Clock) -> TowStrip:
    """Lay the strips of clips behind one another.

    Args:
        pieces: clips in the order of their times, each with its tiles in their order.
    """
    placed: list[PlacedTile] = []
    at_s, column, told = [], [], list[StripTrouble | None]()
    laid = 0
    for piece, tiles in pieces:
        is_first = True
        for tile in tiles:
            for one in tile.moments:
                at_s.append(piece.from_s + one.at_s)
                column.append(laid + one.column)
                told.append(_trouble(one.source, is_first=is_first))
                is_first = False
            if tile.columns:
                placed.append(PlacedTile(tile.id, laid, tile.columns, tile.width_px, tile.px_per_column))
            laid += tile.columns
    times = np.maximum.accumulate(np.array(at_s, np.float64)) if at_s else np.zeros(0)  # parts of a recording may overlap a little
    columns = np.maximum.accumulate(np.array(column, np.float64)) if column else np.zeros(0)
    return TowStrip(
        tiles=tuple(placed),
        columns=laid,
        at_s=np.asarray(times, np.float64),
        column=np.asarray(columns, np.float64),
        stretches=_stretches(times, columns, told),
        left_out=tuple(left_out),
        clock=clock,
        pieces=tuple(piece for piece, _ in pieces),
    )


def clock_words(analysis: AnalysisRow | None, strip: TowStrip) -> str:
    """What the seconds count from: as the tow was analysed, else as its files lie now."""
    return str((json.loads(analysis.made_from_json) if analysis else {}).get("clock", strip.clock))


def _trouble(source: str | None, *, is_first: bool) -> StripTrouble | None:
    if is_first:
        return StripTrouble.NO_FOOTAGE
    return {None: StripTrouble.NOT_FOLLOWED, "carried": StripTrouble.CARRIED}.get(source)


def _stretches(at_s: Float64Array, column: Float64Array, told: Sequence[StripTrouble | None]) -> tuple[Stretch, ...]:
    """Steps in a row with the same trouble, as one; a step ends at its frame."""
    found: list[Stretch] = []
    for place in range(1, len(told)):
        trouble = told[place]
        if trouble is None:
            continue
        before = found[-1] if found else None
        if before is not None and before.trouble is trouble and before.to_s == at_s[place - 1]:
            found[-1] = before._replace(to_s=float(at_s[place]), to_column=float(column[place]))
        else:
            found.append(Stretch(trouble, float(at_s[place - 1]), float(at_s[place]), float(column[place - 1]), float(column[place])))
    return tuple(one for one in found if one.to_s - one.from_s >= LEAST_TOLD_S)
