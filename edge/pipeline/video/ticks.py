"""The times of a clip: presentation times as the container counts them, seconds since its first frame, and the ticks of sampling."""

from __future__ import annotations

import math
from fractions import Fraction

_RATE_DENOMINATOR = 1_000_000
# A container's clock may have rounded a time down by one of its units, which must not cost a frame. Where the unit is as long as a
# frame (AVI), its times are exact and nothing needs room.
_MOST_TOLERANCE = Fraction(1, 1000)

# Seconds as a float may lie a hair before the time that they were made of.
_FLOAT_ROOM = Fraction(1, 1000)


class Ticks:
    """Maps presentation times to ticks.

    Tick k is at k / rate seconds after the first frame. The frame of a tick is the first at or after it and before the next tick:
    where frames are further apart than ticks, some ticks have none, and no frame is given twice. Whether a frame is picked depends
    on nothing but the frames of its own tick, so reading that begins anywhere picks the same ones.
    """

    def __init__(self, first_pts: int, time_base: Fraction, rate_hz: float) -> None:
        """`first_pts` in units of `time_base` seconds; `rate_hz` > 0."""
        if not (rate_hz > 0 and math.isfinite(rate_hz)):
            raise ValueError("a sampling rate is above zero")
        rate = Fraction(rate_hz).limit_denominator(_RATE_DENOMINATOR) if rate_hz >= 1 / _RATE_DENOMINATOR else Fraction(rate_hz)
        self._first_pts = first_pts
        self._time_base = time_base
        self._ticks_per_unit = time_base * rate
        self._early = min(time_base, _MOST_TOLERANCE) * rate

    def at_s(self, pts: int) -> float:
        """Seconds since the first frame."""
        return float((pts - self._first_pts) * self._time_base)

    def number(self, pts: int) -> int:
        """The tick that a frame shown at `pts` belongs to."""
        return math.floor((pts - self._first_pts) * self._ticks_per_unit + self._early)

    def pts_of_tick(self, number: int) -> int:
        """The earliest presentation time that belongs to a tick, or shortly before it."""
        return self._first_pts + math.floor((number - self._early) / self._ticks_per_unit)

    def pts_at(self, at_s: float) -> int:
        """The presentation time at or just before `at_s`."""
        return self._first_pts + math.floor(Fraction(at_s) / self._time_base + _FLOAT_ROOM)
