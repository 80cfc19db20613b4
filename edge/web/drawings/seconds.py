"""The seconds of a tow as a strip: how fast the seabed moved, where silt hid it, and which seconds are proposed as not countable."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from edge.store.analyses import SeenSecond

WIDTH, SPEED_HEIGHT, SILT_HEIGHT = 1200, 110, 60


@dataclass(frozen=True, slots=True, kw_only=True)
class SecondsChart:
    """Paths in a drawing of `WIDTH` units for the whole tow.

    Attributes:
        speed: path of the speed, broken where it is not known.
        most_px_per_s: what the top of it stands for.
        silt: path of the share that silt hides, 1 at the top.
        hidden: (x, width) of runs of seconds that are proposed as not countable.
        minutes: (minute, x) of whole minutes.
        to_s: seconds at the right end.
    """

    speed: str
    most_px_per_s: float
    silt: str
    hidden: tuple[tuple[float, float], ...]
    minutes: tuple[tuple[int, float], ...]
    to_s: int


def seconds_chart(seconds: Sequence[SeenSecond]) -> SecondsChart:
    """Draw the seconds of an analysis, ascending; at least one."""
    to_s = seconds[-1].second + 1
    scale = WIDTH / to_s
    most = max((abs(one.speed_px_per_s) for one in seconds if one.speed_px_per_s is not None), default=0.0) or 1.0
    step = max(1, to_s // 60 // 20 + 1)
    return SecondsChart(
        speed=_path([(one.second, one.speed_px_per_s) for one in seconds], scale, most, SPEED_HEIGHT),
        most_px_per_s=most,
        silt=_path([(one.second, one.silt_fraction) for one in seconds], scale, 1.0, SILT_HEIGHT),
        hidden=_runs([one.second for one in seconds if one.not_countable], scale),
        minutes=tuple((minute, round(minute * 60 * scale, 1)) for minute in range(0, to_s // 60 + 1, step)),
        to_s=to_s,
    )


def _path(values: Sequence[tuple[int, float | None]], scale: float, most: float, height: int) -> str:
    parts: list[str] = []
    last: int | None = None
    for second, value in values:
        if value is None:
            last = None
            continue
        y = height - height * min(max(value / most, 0.0), 1.0)
        parts.append(f"{'L' if last == second - 1 else 'M'}{(second + 0.5) * scale:.1f} {y:.1f}")
        last = second
    return "".join(parts)


def _runs(seconds: Sequence[int], scale: float) -> tuple[tuple[float, float], ...]:
    runs: list[list[int]] = []
    for second in seconds:
        if runs and runs[-1][1] == second:
            runs[-1][1] = second + 1
        else:
            runs.append([second, second + 1])
    return tuple((round(begin * scale, 1), round(max((end - begin) * scale, 1.5), 1)) for begin, end in runs)
