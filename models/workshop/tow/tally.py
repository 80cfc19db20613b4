"""Who crossed the counting line, and when: the numbers that a count of the tow is held against.

An opening is counted when the centre of its box crosses the line downwards inside the frame, between the first and the last frame; a
system once, with the first of its openings. The sledge also lifts and sinks, so an opening may cross, come back and cross again: it
is counted the first time.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from models.workshop.tow.path import LINE_HEIGHT, Floats

MINUTE_S = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Crossing:
    """One crossing: when, and at which x of the frame."""

    at_s: float
    x_px: float

    @property
    def minute(self) -> int:
        """The minute of the tow it falls in, from 1."""
        return int(self.at_s // MINUTE_S) + 1


class Tally:
    """Crossings of the line, kept as the frames go by."""

    def __init__(self, *, width_px: int, height_px: int) -> None:
        self._width_px = width_px
        self._line_px = LINE_HEIGHT * height_px
        self._before: tuple[float, npt.NDArray[np.int32], Floats] | None = None
        self._frames: dict[int, int] = {}
        self.openings: dict[int, Crossing] = {}
        self.systems: dict[int, Crossing] = {}

    def look(self, at_s: float, opening_id: npt.NDArray[np.int32], system_id: npt.NDArray[np.int32], centre_px: Floats) -> None:
        """Take the centres (N, 2) of the openings around the view at one frame, ascending by number."""
        if self._before is not None:
            before_s, ids, centres = self._before
            _, was, now = np.intersect1d(ids, opening_id, assume_unique=True, return_indices=True)
            y0, y1 = centres[was, 1], centre_px[now, 1]
            for place in np.flatnonzero((y0 < self._line_px) & (y1 >= self._line_px)):
                here, there = centre_px[now[place]], centres[was[place]]
                share = (self._line_px - there[1]) / (here[1] - there[1])
                x_px = float(there[0] + share * (here[0] - there[0]))
                number = int(opening_id[now[place]])
                if 0 <= x_px < self._width_px and number not in self.openings:
                    crossing = Crossing(at_s=before_s + float(share) * (at_s - before_s), x_px=x_px)
                    self.openings[number] = crossing
                    first = self.systems.setdefault(int(system_id[now[place]]), crossing)
                    if crossing.at_s < first.at_s:
                        self.systems[int(system_id[now[place]])] = crossing
        self._before = (at_s, opening_id, centre_px)

    def note_seen(self, opening_id: npt.NDArray[np.int32]) -> None:
        """Take the openings that reach into a frame."""
        for number in opening_id.tolist():
            self._frames[number] = self._frames.get(number, 0) + 1

    def frames_of(self, opening_id: int) -> int:
        """In how many frames some part of an opening lay."""
        return self._frames.get(opening_id, 0)

    def per_minute(self, seconds: float) -> list[dict[str, int]]:
        """Openings and systems of each minute of the tow."""
        minutes = max(int(np.ceil(seconds / MINUTE_S)), 1)
        rows = [{"minute": minute, "openings": 0, "systems": 0} for minute in range(1, minutes + 1)]
        for name, crossings in (("openings", self.openings), ("systems", self.systems)):
            for crossing in crossings.values():
                rows[crossing.minute - 1][name] += 1
        return rows
