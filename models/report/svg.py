"""Charts as SVG text.

    plot = Plot("Precision and recall", fraction_axis("recall"), fraction_axis("precision"))
    plot.line(recall, precision, name="all classes")
    plot.render()

Series differ by dash and by marker, not only by colour, and are named in a legend. Colours are the variables of `style.py`, so that
a chart follows light, dark and print.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape

WIDTH, HEIGHT = 460.0, 330.0
_LEFT, _RIGHT, _TOP, _BOTTOM = 56.0, 14.0, 12.0, 46.0
_LEGEND_LINE = 18.0
_MOST_POINTS = 400
_GUIDE_DASHES = ("5 4", "1 4", "12 4")
_DASHES = ("", "7 4", "2 3", "10 3 2 3", "1 5", "14 4")


@dataclass(frozen=True, slots=True, kw_only=True)
class Axis:
    """What an axis shows: `label` with its unit, the range, and where its ticks stand."""

    label: str
    low: float
    high: float
    ticks: tuple[float, ...]

    def share(self, value: float) -> float:
        """Where a value lies, 0 at the low end, 1 at the high end; what is beyond is drawn at the end."""
        return min(1.0, max(0.0, (value - self.low) / (self.high - self.low)))


def fraction_axis(label: str) -> Axis:
    """An axis from 0 to 1."""
    return Axis(label=label, low=0.0, high=1.0, ticks=(0.0, 0.2, 0.4, 0.6, 0.8, 1.0))


def nice_axis(label: str, low: float, high: float) -> Axis:
    """An axis that covers a range with about five round ticks."""
    span = high - low
    if span <= 1e-12 * max(abs(low), abs(high), 1e-280):  # too narrow for ticks that differ
        span = abs(high) if abs(high) > 1e-280 else 1.0
    step = 10.0 ** math.floor(math.log10(span / 5))
    step *= next(factor for factor in (1, 2, 5, 10) if span / (step * factor) <= 6)
    first, last = math.floor(low / step), math.ceil(high / step)
    last = max(last, first + 1)
    return Axis(label=label, low=first * step, high=last * step, ticks=tuple(number * step for number in range(first, last + 1)))


def shown(value: float) -> str:
    """A tick or figure without needless digits."""
    return f"{value:.6g}"


@dataclass(slots=True)
class Plot:
    """A chart of two axes; marks lie over each other in the order in which they were added."""

    title: str
    x: Axis
    y: Axis
    _marks: list[str] = field(default_factory=list)
    _legend: list[str] = field(default_factory=list)
    _series: int = 0
    _guides: int = 0

    def line(self, xs: Sequence[float], ys: Sequence[float], *, name: str) -> None:
        """A line through points in order; of very many only some are drawn."""
        number = self._next_series()
        step = max(1, math.ceil(len(xs) / _MOST_POINTS))
        chosen = sorted({*range(0, len(xs), step), len(xs) - 1}) if len(xs) else []
        points = " ".join(f"{self._x(float(xs[i])):.1f},{self._y(float(ys[i])):.1f}" for i in chosen)
        style = f'class="series s{number % 6}" stroke-dasharray="{_DASHES[number % 6]}"'
        self._marks.append(f'<polyline {style} points="{points}"/>')
        self._legend.append(f'<line {style} x1="0" x2="34" y1="-4" y2="-4"/><text x="40">{escape(name)}</text>')

    def dots(
        self, xs: Sequence[float], ys: Sequence[float], *, name: str = "", tips: Sequence[str] = (), sizes: Sequence[float] = ()
    ) -> None:
        """A circle per point; `tips` are told when the pointer rests on it, `sizes` are radii."""
        number = self._next_series()
        for i, (x, y) in enumerate(zip(xs, ys, strict=True)):
            radius = sizes[i] if len(sizes) else 3.0
            tip = f"<title>{escape(tips[i])}</title>" if len(tips) else ""
            at = f'cx="{self._x(float(x)):.1f}" cy="{self._y(float(y)):.1f}" r="{radius:.1f}"'
            self._marks.append(f'<circle class="dot s{number % 6}" {at}>{tip}</circle>')
        if name:
            self._legend.append(f'<circle class="dot s{number % 6}" cx="17" cy="-4" r="4"/><text x="40">{escape(name)}</text>')

    def columns(self, edges: Sequence[tuple[float, float]], heights: Sequence[float], *, name: str, tips: Sequence[str] = ()) -> None:
        """A bar from the x axis up for each (low, high)."""
        number = self._next_series()
        for i, ((low, high), height) in enumerate(zip(edges, heights, strict=True)):
            left, right, top = self._x(low), self._x(high), self._y(height)
            tip = f"<title>{escape(tips[i])}</title>" if len(tips) else ""
            size = f'x="{left + 1:.1f}" y="{top:.1f}" width="{max(0.0, right - left - 2):.1f}" height="{self._y(self.y.low) - top:.1f}"'
            self._marks.append(f'<rect class="bar s{number % 6}" {size}>{tip}</rect>')
        self._legend.append(f'<rect class="bar s{number % 6}" x="8" y="-11" width="18" height="11"/><text x="40">{escape(name)}</text>')

    def diagonal(self, name: str) -> None:
        """The line of equal values."""
        low, high = max(self.x.low, self.y.low), min(self.x.high, self.y.high)
        self._guide(f'x1="{self._x(low):.1f}" y1="{self._y(low):.1f}" x2="{self._x(high):.1f}" y2="{self._y(high):.1f}"', name)

    def upright(self, x: float, name: str) -> None:
        """A vertical guide."""
        at = self._x(x)
        self._guide(f'x1="{at:.1f}" x2="{at:.1f}" y1="{_TOP}" y2="{HEIGHT - _BOTTOM}"', name)

    def _guide(self, ends: str, name: str) -> None:
        style = f'class="guide" stroke-dasharray="{_GUIDE_DASHES[self._guides % len(_GUIDE_DASHES)]}"'
        self._guides += 1
        self._marks.append(f"<line {style} {ends}/>")
        self._legend.append(f'<line {style} x1="0" x2="34" y1="-4" y2="-4"/><text x="40">{escape(name)}</text>')

    def _next_series(self) -> int:
        self._series += 1
        return self._series - 1

    def render(self) -> str:
        """The whole chart."""
        height = HEIGHT + _LEGEND_LINE * len(self._legend)
        legend = "".join(
            f'<g transform="translate({_LEFT},{HEIGHT + 12 + _LEGEND_LINE * line})">{entry}</g>' for line, entry in enumerate(self._legend)
        )
        return (
            f'<svg class="plot" viewBox="0 0 {WIDTH:.0f} {height:.0f}" role="img" aria-label="{escape(self.title)}">'
            f"{self._grid()}{''.join(self._marks)}{legend}</svg>"
        )

    def _x(self, value: float) -> float:
        return _LEFT + self.x.share(value) * (WIDTH - _LEFT - _RIGHT)

    def _y(self, value: float) -> float:
        return HEIGHT - _BOTTOM - self.y.share(value) * (HEIGHT - _TOP - _BOTTOM)

    def _grid(self) -> str:
        parts = []
        for tick in self.x.ticks:
            at = self._x(tick)
            parts.append(f'<line class="grid" x1="{at:.1f}" x2="{at:.1f}" y1="{_TOP}" y2="{HEIGHT - _BOTTOM}"/>')
            parts.append(f'<text text-anchor="middle" x="{at:.1f}" y="{HEIGHT - _BOTTOM + 16:.1f}">{shown(tick)}</text>')
        for tick in self.y.ticks:
            at = self._y(tick)
            parts.append(f'<line class="grid" x1="{_LEFT}" x2="{WIDTH - _RIGHT}" y1="{at:.1f}" y2="{at:.1f}"/>')
            parts.append(f'<text text-anchor="end" x="{_LEFT - 7}" y="{at + 4:.1f}">{shown(tick)}</text>')
        middle_x, middle_y = (_LEFT + WIDTH - _RIGHT) / 2, (_TOP + HEIGHT - _BOTTOM) / 2
        parts.append(f'<text class="axis" text-anchor="middle" x="{middle_x:.1f}" y="{HEIGHT - 10:.1f}">{escape(self.x.label)}</text>')
        turned = f'transform="translate(14,{middle_y:.1f}) rotate(-90)"'
        parts.append(f'<text class="axis" text-anchor="middle" {turned}>{escape(self.y.label)}</text>')
        return "".join(parts)


def deviation_bars(title: str, label: str, rows: Sequence[tuple[str, float, str]]) -> str:
    """Horizontal bars to either side of zero: (name, value, text beside the bar) per row."""
    axis = nice_axis(label, min([0.0, *(value for _, value, _ in rows)]), max([0.0, *(value for _, value, _ in rows)]))
    name_width, bar_width, row_height = 150.0, 400.0, 22.0
    width, height = name_width + bar_width + 130, row_height * len(rows) + 46

    def at(value: float) -> float:
        return name_width + 10 + axis.share(value) * (bar_width - 20)

    parts = []
    for tick in axis.ticks:
        parts.append(f'<line class="grid" x1="{at(tick):.1f}" x2="{at(tick):.1f}" y1="4" y2="{height - 42:.1f}"/>')
        parts.append(f'<text text-anchor="middle" x="{at(tick):.1f}" y="{height - 26:.1f}">{shown(tick)}</text>')
    for number, (name, value, text) in enumerate(rows):
        top = 6 + row_height * number
        left, right = sorted((at(0), at(value)))
        parts.append(f'<text text-anchor="end" x="{name_width - 8}" y="{top + 13:.1f}">{escape(name)}</text>')
        parts.append(f'<rect class="bar s0" x="{left:.1f}" y="{top:.1f}" width="{max(1.0, right - left):.1f}" height="{row_height - 6}"/>')
        parts.append(f'<text x="{name_width + bar_width + 8:.1f}" y="{top + 13:.1f}">{escape(text)}</text>')
    parts.append(f'<line class="zero" x1="{at(0):.1f}" x2="{at(0):.1f}" y1="2" y2="{height - 40:.1f}"/>')
    parts.append(
        f'<text class="axis" text-anchor="middle" x="{at((axis.low + axis.high) / 2):.1f}" y="{height - 6:.1f}">{escape(label)}</text>'
    )
    return f'<svg class="wide" viewBox="0 0 {width:.0f} {height:.0f}" role="img" aria-label="{escape(title)}">{"".join(parts)}</svg>'
