"""The survey's stations on a graticule: no tiles, no coast, nothing from elsewhere. Longitude is scaled by cos(latitude)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from edge.survey.method import Method
from edge.survey.overview import PlacedStation
from edge.web.drawings.paper import Paper

WIDTH, HEIGHT = 760.0, 520.0
_LEFT, _RIGHT, _TOP, _BOTTOM = 62.0, 12.0, 12.0, 34.0
_LARGEST = 22.0
_STEPS_MIN = (1, 2, 5, 10, 15, 20, 30, 60, 120, 300, 600)
_LEAST_SPAN_DEG = 0.02


@dataclass(frozen=True, slots=True, kw_only=True)
class _Frame:
    south: float
    north: float
    west: float
    east: float

    def at(self, latitude: float, longitude: float) -> tuple[float, float]:
        wide, high = WIDTH - _LEFT - _RIGHT, HEIGHT - _TOP - _BOTTOM
        x = _LEFT + (longitude - self.west) / (self.east - self.west) * wide
        return x, _TOP + (self.north - latitude) / (self.north - self.south) * high


def survey_chart(stations: Sequence[PlacedStation], *, of: Method | None = None) -> Markup | None:
    """Stations with a density as circles of that area, zero as a ring, those counted without an area as a square, others as a cross.

    `of`: the method whose densities are drawn; what another counted is drawn as left out, since the two are not compared. Those
    whose line has no position yet are empty triangles where they are planned. Each leads to its result.
    """
    placed = [one for one in stations if one.latitude_deg is not None and one.longitude_deg is not None]
    if not placed:
        return None
    frame = _frame([(one.latitude_deg or 0.0, one.longitude_deg or 0.0) for one in placed])
    paper = Paper(WIDTH, HEIGHT, "Stations of the survey; each leads to its result", css="survey-chart")
    _graticule(paper, frame)
    most = _most(placed, of)
    for one in sorted(placed, key=lambda place: -(place.result.density_raw_per_m2 or 0.0)):  # small ones lie on top
        _station(paper, one, frame.at(one.latitude_deg or 0.0, one.longitude_deg or 0.0), most, of)
    return paper.markup()


def _most(stations: Sequence[PlacedStation], of: Method | None) -> float:
    return max((one.result.density_raw_per_m2 or 0.0 for one in stations if of in {None, one.method}), default=0.0)


def legend(stations: Sequence[PlacedStation], *, of: Method | None = None) -> Markup:
    """What the marks mean, with circles of known density."""
    most = _most(stations, of)
    values = [value for value in (most / 10, most / 2, most) if value > 0]
    paper = Paper(WIDTH, 88 if values else 48, "Legend of the map", css="survey-chart legend-line")
    x = 26.0
    for value in values:
        paper.circle(x, 26, _radius(value, most), "bubble")
        paper.text(x + _radius(value, most) + 6, 31, f"{value:.2g} per m\N{SUPERSCRIPT TWO}", "tick")
        x += 150
    x, y = 26.0 if not values else 20.0, 26.0 if not values else 70.0
    paper.circle(x, y, 6, "ring")
    paper.text(x + 14, y + 5, "zero systems", "tick")
    paper.rect(x + 134, y - 6, 12, 12, "no-area")
    paper.text(x + 154, y + 5, "counted, no area yet", "tick")
    paper.path(f"M{x + 319:.1f} {y - 5:.1f} l10 10 m-10 0 l10 -10", "uncounted")
    paper.text(x + 338, y + 5, "not counted", "tick")
    paper.path(f"M{x + 448:.1f} {y - 8:.1f} l8 8 l-8 8 l-8 -8 z", "left-mark")
    paper.text(x + 464, y + 5, "left out of the estimate", "tick")
    paper.path(f"M{x + 650:.1f} {y - 8:.1f} l8 14 h-16 z", "planned")
    paper.text(x + 664, y + 5, "planned", "tick")
    return paper.markup()


def _radius(density: float, most: float) -> float:
    return max(_LARGEST * math.sqrt(density / most), 2.5) if most > 0 else 2.5


def _frame(places: Sequence[tuple[float, float]]) -> _Frame:
    south, north = min(place[0] for place in places), max(place[0] for place in places)
    west, east = min(place[1] for place in places), max(place[1] for place in places)
    middle = (south + north) / 2
    squeeze = max(math.cos(math.radians(middle)), 0.05)
    high = max((north - south) * 1.2, _LEAST_SPAN_DEG)
    wide = max((east - west) * 1.2, _LEAST_SPAN_DEG)
    shape = (WIDTH - _LEFT - _RIGHT) / (HEIGHT - _TOP - _BOTTOM)
    high = max(high, wide * squeeze / shape)
    wide = high * shape / squeeze
    centre = (west + east) / 2
    return _Frame(south=middle - high / 2, north=middle + high / 2, west=centre - wide / 2, east=centre + wide / 2)


def _graticule(paper: Paper, frame: _Frame) -> None:
    paper.rect(_LEFT, _TOP, WIDTH - _LEFT - _RIGHT, HEIGHT - _TOP - _BOTTOM, "sea")
    for value in _round_minutes(frame.south, frame.north, 6):
        _, y = frame.at(value, frame.west)
        paper.line([(_LEFT, y), (WIDTH - _RIGHT, y)], "grid")
        paper.text(_LEFT - 6, y + 4, degree_words(value, "NS"), "tick", "end")
    for value in _round_minutes(frame.west, frame.east, 7):
        x, _ = frame.at(frame.south, value)
        paper.line([(x, _TOP), (x, HEIGHT - _BOTTOM)], "grid")
        paper.text(x, HEIGHT - _BOTTOM + 18, degree_words(value, "EW"), "tick", "middle")


def _round_minutes(low: float, high: float, about: int) -> list[float]:
    span_min = (high - low) * 60
    step = next((step for step in _STEPS_MIN if span_min / step <= about), _STEPS_MIN[-1])
    first = math.ceil(low * 60 / step)
    return [place * step / 60 for place in range(first, math.floor(high * 60 / step) + 1)]


def degree_words(value: float, letters: str) -> str:
    """`51°10'N`."""
    total = round(abs(value) * 60)
    return f"{total // 60}\N{DEGREE SIGN}{total % 60:02d}\N{PRIME}{letters[value < 0]}"


def _station(paper: Paper, one: PlacedStation, at: tuple[float, float], most: float, of: Method | None) -> None:
    x, y = at
    density = one.result.density_raw_per_m2
    label = f"Station {one.station.name}"
    paper.link(f"/stations/{one.station.id}/result", label, f"{label}: {detail(one)}")
    paper.circle(x, y, 12, "hit")
    if one.is_planned_place:
        paper.path(f"M{x:.1f} {y - 8:.1f} l8 14 h-16 z", "planned", detail(one))
    elif density is None and one.result.systems is not None:
        paper.rect(x - 6, y - 6, 12, 12, "no-area", title=detail(one))
    elif density is None:
        paper.path(f"M{x - 5:.1f} {y - 5:.1f} l10 10 m-10 0 l10 -10", "uncounted", detail(one))
    elif not one.estimated or of not in {None, one.method}:
        paper.path(f"M{x:.1f} {y - 8:.1f} l8 8 l-8 8 l-8 -8 z", "left-mark", detail(one))
    elif density == 0:
        paper.circle(x, y, 6, "ring", detail(one))
    else:
        paper.circle(x, y, _radius(density, most), "bubble", detail(one))
    paper.end_link()


def detail(one: PlacedStation) -> str:
    """A station in a line."""
    result = one.result
    if result.density_raw_per_m2 is None:
        words = result.state.value.replace("_", " ") + (", planned here" if one.is_planned_place else "")
        return f"{words}; {result.reasons[0]}" if result.reasons else words
    words = f"{result.systems:g} systems on {result.area_m2:.1f} m2, raw {result.density_raw_per_m2:.3f} per m2"
    if result.density_adjusted_per_m2 is not None:
        words += f", adjusted {result.density_adjusted_per_m2:.3f}"
    words += f"; {one.method.words}" if one.method else ""
    return f"{words}; left out: {one.why_not}" if one.why_not else words
