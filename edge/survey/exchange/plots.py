"""How well counters agree, drawn: plots without names, as SVG with nothing but shapes and text in them.

Counters stand as letters in the order of their names' hash, so that a plot on a wall praises and blames nobody.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

from edge.survey.agreement import Agreement, AgreementState

WIDTH_PX, HEIGHT_PX = 720, 330
_LEFT, _RIGHT, _TOP, _BOTTOM = 56, 16, 34, 78
_LABEL_Y = HEIGHT_PX - _BOTTOM + 24
_INK, _SOFT, _ACCENT = "#1f2933", "#8a949e", "#b3541e"
_FACE = f'font-family="system-ui,sans-serif" fill="{_INK}"'  # attributes: a page that forbids inline styles may hold the drawing


@dataclass(frozen=True, slots=True, kw_only=True)
class StationAgreement:
    """The agreement of the first two counters of a station; `counts`: counter -> minute -> systems."""

    station: str
    agreement: Agreement
    counts: Mapping[str, Mapping[int, float]]


def anonymous(counters: Sequence[str], secret: str) -> dict[str, str]:
    """A letter for each counter. The order hangs on the secret, such as the survey's uuid, and not on the alphabet."""
    order = sorted(set(counters), key=lambda name: hashlib.sha256(f"{secret}/{name}".encode()).digest())
    return {name: chr(ord("A") + place) if place < 26 else f"A{place}" for place, name in enumerate(order)}


def ccc_plot(stations: Sequence[StationAgreement], ccc_limit: float, title: str) -> str:
    """Lin's CCC of each station in the order given, with the limit; a cross at the bottom for a station without one."""
    n = max(len(stations), 1)
    step = (WIDTH_PX - _LEFT - _RIGHT) / n
    shapes = [_y_axis(), _limit(ccc_limit)]
    for place, one in enumerate(stations):
        x = _LEFT + (place + 0.5) * step
        ccc, state = one.agreement.ccc, one.agreement.state
        tip = f"<title>{escape(one.station)}: {state if ccc is None else f'{ccc:.2f}'}</title>"
        if ccc is None:
            y = _y(0.0) + 9
            shapes.append(f'<path d="M{x - 4:.1f} {y - 4:.1f}l8 8m0 -8l-8 8" stroke="{_SOFT}" stroke-width="1.5">{tip}</path>')
        elif state is AgreementState.THIRD_COUNT:
            y = _y(ccc)
            shapes.append(f'<path d="M{x:.1f} {y - 6:.1f}l6 11h-12z" fill="{_ACCENT}">{tip}</path>')
        else:
            shapes.append(f'<circle cx="{x:.1f}" cy="{_y(ccc):.1f}" r="4" fill="none" stroke="{_INK}" stroke-width="1.5">{tip}</circle>')
        if n <= 60:
            label = f'<text x="{x:.1f}" y="{_LABEL_Y}" text-anchor="end" transform="rotate(-60 {x:.1f} {_LABEL_Y})"'
            shapes.append(f'{label} {_FACE} font-size="9">{escape(one.station)}</text>')
    key = "circle: agrees; triangle: below the limit, a third count; cross: no coefficient"
    return _svg(title, shapes, key)


def minutes_plot(stations: Sequence[StationAgreement], letters: Mapping[str, str], title: str) -> str:
    """Every minute of every station: what one counter counted against what the other did, on the line of equality."""
    points = [
        (x_of[minute], y_of[minute], f"{one.station}, minute {minute}")
        for one in stations
        if len(one.counts) >= 2
        for x_of, y_of in [tuple(one.counts[name] for name in sorted(one.counts, key=lambda name: letters.get(name, name))[:2])]
        for minute in sorted(set(x_of) & set(y_of))
    ]
    top = max([1.0, *(max(x, y) for x, y, _ in points)])
    wide = WIDTH_PX - _LEFT - _RIGHT

    def at(x: float, y: float) -> tuple[float, float]:
        return _LEFT + x / top * wide, _y(y / top)

    (x0, y0), (x1, y1) = at(0, 0), at(top, top)
    shapes = [_y_axis(top), f'<path d="M{x0:.1f} {y0:.1f}L{x1:.1f} {y1:.1f}" stroke="{_ACCENT}" stroke-width="1"/>']
    for x, y, name in points:
        px, py = at(x, y)
        circle = f'<circle cx="{px:.1f}" cy="{py:.1f}" r="3" fill="none" stroke="{_INK}" stroke-opacity="0.6">'
        shapes.append(f"{circle}<title>{escape(name)}: {x:g} and {y:g}</title></circle>")
    axis = f'<text x="{WIDTH_PX - _RIGHT}" y="{HEIGHT_PX - _BOTTOM + 16}" text-anchor="end" {_FACE} font-size="12">{top:g} systems</text>'
    return _svg(title, [*shapes, axis], f"{len(points)} minutes; across: the counter of the earlier letter; up: the other; line: equal")


def _y(part: float) -> float:
    """From a part of the axis, 0 at the bottom; what lies below zero is drawn at zero."""
    return _TOP + (1 - max(0.0, min(1.0, part))) * (HEIGHT_PX - _TOP - _BOTTOM)


def _y_axis(top: float = 1.0) -> str:
    lines = []
    for part in (0.0, 0.25, 0.5, 0.75, 1.0):
        y = _y(part)
        lines.append(f'<path d="M{_LEFT} {y:.1f}H{WIDTH_PX - _RIGHT}" stroke="{_SOFT}" stroke-width="0.5"/>')
        lines.append(f'<text x="{_LEFT - 8}" y="{y + 4:.1f}" text-anchor="end" {_FACE} font-size="12">{part * top:.3g}</text>')
    return "".join(lines)


def _limit(value: float) -> str:
    y = _y(value)
    return f'<path d="M{_LEFT} {y:.1f}H{WIDTH_PX - _RIGHT}" stroke="{_ACCENT}" stroke-width="1.5" stroke-dasharray="6 4"/>'


def _svg(title: str, shapes: Sequence[str], key: str) -> str:
    size = f'width="{WIDTH_PX}" height="{HEIGHT_PX}" viewBox="0 0 {WIDTH_PX} {HEIGHT_PX}"'
    head = f'<text x="{_LEFT}" y="20" {_FACE} font-size="12" font-weight="600">{escape(title)}</text>'
    foot = f'<text x="{_LEFT}" y="{HEIGHT_PX - 8}" {_FACE} font-size="10">{escape(key)}</text>'
    paper = f'<rect width="{WIDTH_PX}" height="{HEIGHT_PX}" fill="#ffffff"/>'
    return f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img">{paper}{head}{"".join(shapes)}{foot}</svg>\n'
