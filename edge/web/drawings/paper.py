"""A piece of paper to draw on, in the units of its view box, and axes for it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape

CHART_LEFT = 44.0


def number(value: float) -> str:
    """A coordinate with one decimal."""
    return f"{value:.1f}".removesuffix(".0")


def ticks(low: float, high: float, about: int = 5) -> list[float]:
    """Round values from low to high, about as many as asked for; 1, 2 or 5 times a power of ten apart."""
    span = high - low
    if not (math.isfinite(span) and span > 0):
        return [low]
    rough = span / max(about, 1)
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= rough * 0.999)
    first = math.ceil(low / step - 1e-9)
    return [place * step for place in range(first, math.floor(high / step + 1e-9) + 1)]


def shown(value: float) -> str:
    """A tick's value without needless zeros."""
    return f"{value:.10g}" if abs(value) >= 1e-9 else "0"


class Paper:
    """Elements on a view box."""

    def __init__(self, width: float, height: float, label: str, *, css: str = "") -> None:
        """`label` is what the drawing shows, for those who do not see it."""
        self.width, self.height = width, height
        self._parts: list[str] = []
        self._label, self._css = label, css

    def line(self, points: Sequence[tuple[float, float]], css: str) -> None:
        """A line through points."""
        if len(points) > 1:
            path = " ".join(f"{number(x)},{number(y)}" for x, y in points)
            self._parts.append(f'<polyline class="{escape(css)}" points="{path}"/>')

    def rect(self, x: float, y: float, width: float, height: float, css: str, *, title: str = "") -> None:
        """A box."""
        size = f'width="{number(max(width, 0))}" height="{number(max(height, 0))}"'
        self._add(f'<rect class="{escape(css)}" x="{number(x)}" y="{number(y)}" {size}', "rect", title)

    def circle(self, x: float, y: float, radius: float, css: str, title: str = "") -> None:
        """A circle."""
        self._add(f'<circle class="{escape(css)}" cx="{number(x)}" cy="{number(y)}" r="{number(radius)}"', "circle", title)

    def path(self, commands: str, css: str, title: str = "") -> None:
        """A path of SVG commands made of numbers."""
        self._add(f'<path class="{escape(css)}" d="{escape(commands)}"', "path", title)

    def text(self, x: float, y: float, words: str, css: str = "", anchor: str = "start") -> None:
        """A word at a place."""
        self._parts.append(f'<text class="{escape(css)}" x="{number(x)}" y="{number(y)}" text-anchor="{anchor}">{escape(words)}</text>')

    def link(self, address: str, label: str, detail: str) -> None:
        """Begin a link, which can be reached by keyboard; what is drawn until `end_link` is its body."""
        self._parts.append(f'<a href="{escape(address)}" aria-label="{escape(label)}" data-detail="{escape(detail)}">')

    def end_link(self) -> None:
        """End it."""
        self._parts.append("</a>")

    def markup(self) -> Markup:
        """The drawing."""
        head = (
            f'<svg class="drawing {escape(self._css)}" viewBox="0 0 {number(self.width)} {number(self.height)}" '
            f'role="group" aria-label="{escape(self._label)}">'
        )
        return Markup(head + "".join(self._parts) + "</svg>")  # noqa: S704 (every text above was escaped)

    def _add(self, opened: str, name: str, title: str) -> None:
        self._parts.append(f"{opened}><title>{escape(title)}</title></{name}>" if title else f"{opened}/>")


@dataclass(frozen=True, slots=True, kw_only=True)
class Axis:
    """From values to places: `low` is at `at_low`, `high` at `at_high`."""

    low: float
    high: float
    at_low: float
    at_high: float

    def at(self, value: float) -> float:
        """Where a value is."""
        span = self.high - self.low
        return self.at_low + (value - self.low) / (span or 1.0) * (self.at_high - self.at_low)


def left_axis(paper: Paper, axis: Axis, right: float, unit: str, about: int = 4) -> None:
    """Ticks, values and thin lines across, with the unit above."""
    for value in ticks(axis.low, axis.high, about):
        y = axis.at(value)
        paper.line([(CHART_LEFT, y), (right, y)], "grid")
        paper.text(CHART_LEFT - 6, y + 4, shown(value), "tick", "end")
    paper.text(CHART_LEFT - 6, axis.at_high - 10, unit, "unit", "start")
