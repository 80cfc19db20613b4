"""What is drawn over the frame strip of a tow: seconds and minutes, the line, what is not countable, openings. In pieces, tile by tile."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import ceil, floor

from edge.store.reads.reviews import COUNTS_FROM, ReviewedOpening
from edge.survey.tow_strip import PlacedTile, TowStrip

OPENING_PX = 20
LABEL_EVERY_S = 5
LABEL_APART, TICK_APART = 100.0, 4.0  # columns


@dataclass(frozen=True, slots=True, kw_only=True)
class TileDrawing:
    """What lies over one tile, in its own pixels.

    Attributes:
        from_s, to_s: the moments that its edges passed the row.
        seconds: x of whole seconds.
        labels: (x, words) of some of them; minutes: (x, words) of whole minutes.
        hidden: (x, width) of seconds that are proposed as not countable.
        troubles: (x, width, words) of stretches that are not shown, or guessed.
        lines: (x, words): start and end of line.
        openings: decision -> path of the openings that crossed the row, a shape for each decision.
    """

    tile: PlacedTile
    from_s: float
    to_s: float
    seconds: list[float] = field(default_factory=list)
    labels: list[tuple[float, str]] = field(default_factory=list)
    minutes: list[tuple[float, str]] = field(default_factory=list)
    hidden: list[tuple[float, float]] = field(default_factory=list)
    troubles: list[tuple[float, float, str]] = field(default_factory=list)
    lines: list[tuple[float, str]] = field(default_factory=list)
    openings: dict[str, str] = field(default_factory=dict)


def draw_strip(
    strip: TowStrip, *, hidden: Sequence[int], openings: Sequence[ReviewedOpening], across_px: dict[int, float], end_s: float | None
) -> list[TileDrawing]:
    """Draw what is known of a tow over its strip.

    Args:
        hidden: seconds that are proposed as not countable.
        openings: those that crossed the line; empty where nobody may see them.
        across_px: opening -> where it crossed, pixels of the full frame from its left edge.
        end_s: of the line, on the tow's clock, which begins with the line; None where no sheet tells.
    """
    drawn = [
        TileDrawing(tile=one, from_s=strip.time_of(one.from_column) or 0.0, to_s=strip.time_of(one.from_column + one.columns) or 0.0)
        for one in strip.tiles
    ]
    if not drawn:
        return []
    _draw_times(strip, drawn)
    for second in hidden:
        _draw_span(strip, drawn, second)
    for stretch in strip.stretches:
        words = f"{stretch.to_s - stretch.from_s:.0f} s: {stretch.trouble}"
        place = _at(drawn, stretch.from_column)
        width = min(stretch.to_column, place.tile.from_column + place.tile.columns) - stretch.from_column
        place.troubles.append((_x(place, stretch.from_column), round(max(width, 0.0), 1), words))
    for at_s, words in ((0.0, "start of line"), (end_s, "end of line")):
        column = None if at_s is None or end_s is None else strip.column_of(at_s)
        if column is not None:
            _at(drawn, column).lines.append((_x(_at(drawn, column), column), words))
    for opening in openings:
        column = None if opening.crossing_s is None else strip.column_of(opening.crossing_s)
        if column is not None:
            state = opening.decision or ("undecided" if opening.confidence >= COUNTS_FROM else "doubtful")
            place = _at(drawn, column)
            mark = _mark(state, _x(place, column), across_px[opening.id] / place.tile.px_per_column)
            place.openings[state] = place.openings.get(state, "") + mark
    return drawn


def seconds_of_strip(strip: TowStrip, every: int, *, apart: float) -> list[tuple[int, float]]:
    """Whole seconds that there is footage of, and their columns.

    Args:
        every: only seconds that this divides.
        apart: columns from one to the next at least; a sledge that stands still would write them over one another.
    """
    found: list[tuple[int, float]] = []
    for piece in strip.pieces:
        for second in range(ceil(piece.from_s), floor(piece.to_s) + 1):
            column = strip.column_of(second) if second % every == 0 else None
            if column is not None and (not found or column - found[-1][1] >= apart):
                found.append((second, column))
    return found


def _draw_times(strip: TowStrip, drawn: Sequence[TileDrawing]) -> None:
    minutes = seconds_of_strip(strip, 60, apart=TICK_APART)
    labels = seconds_of_strip(strip, LABEL_EVERY_S, apart=LABEL_APART)
    taken = {second for second, _ in (*minutes, *labels)}
    for second, column in minutes:
        place = _at(drawn, column)
        place.minutes.append((_x(place, column), f"minute {second // 60 + 1}"))
    for second, column in labels:
        if second % 60 != 0:
            place = _at(drawn, column)
            place.labels.append((_x(place, column), clock_of(second)))
    for second, column in seconds_of_strip(strip, 1, apart=TICK_APART):
        if second not in taken:
            place = _at(drawn, column)
            place.seconds.append(_x(place, column))


def _draw_span(strip: TowStrip, drawn: Sequence[TileDrawing], second: int) -> None:
    begin, end = strip.column_of(second), strip.column_of(second + 1)
    if begin is None or end is None:
        return
    end = max(end, begin + 2)  # a sledge that stands still is not seen otherwise
    for place in drawn:
        left, right = max(begin, place.tile.from_column), min(end, place.tile.from_column + place.tile.columns)
        if right > left:
            place.hidden.append((_x(place, left), round(right - left, 1)))


def clock_of(second: int) -> str:
    """Such as "2:05" or "-0:05"."""
    minutes, rest = divmod(abs(second), 60)
    return f"{'-' if second < 0 else ''}{minutes}:{rest:02d}"


def _at(drawn: Sequence[TileDrawing], column: float) -> TileDrawing:
    """The tile that a column lies in; those behind the last are at its edge."""
    low, high = 0, len(drawn) - 1
    while low < high:
        middle = (low + high + 1) // 2
        if drawn[middle].tile.from_column <= column:
            low = middle
        else:
            high = middle - 1
    return drawn[low]


def _x(place: TileDrawing, column: float) -> float:
    return round(column - place.tile.from_column, 1)


def _mark(state: str, x: float, y: float) -> str:
    """A ring; accepted with a tick in it, rejected with a cross, unsure a square, undecided empty, one that does not count small."""
    r = OPENING_PX // 2 if state == "doubtful" else OPENING_PX
    ring = f"M{x - r:.0f} {y:.0f}a{r} {r} 0 1 0 {2 * r} 0a{r} {r} 0 1 0 {-2 * r} 0"
    if state == "accepted":
        return f"{ring}M{x - 9:.0f} {y:.0f}l7 8l12 -15"
    if state == "rejected":
        return f"{ring}M{x - 9:.0f} {y - 9:.0f}l18 18m0 -18l-18 18"
    if state == "unsure":
        return f"M{x - r:.0f} {y - r:.0f}h{2 * r}v{2 * r}h{-2 * r}z"
    return ring
