"""Where ship and sledge went, and how fast and deep, by minute."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from edge.survey.navigation.distance import MinuteProfile
from edge.survey.track_lines import TrackLine
from edge.web.drawings.paper import Axis, Paper, left_axis, shown, ticks

WIDTH, HEIGHT = 640.0, 440.0
_EDGE = 46.0
_M_PER_DEG = 111_320.0
_SHOWN_POINTS = 1500


@dataclass(frozen=True, slots=True, kw_only=True)
class Ends:
    """Start and end of the tow as the sheet says, (latitude, longitude); None where it does not."""

    start: tuple[float, float] | None
    end: tuple[float, float] | None


class _Plan:
    """A plane around the tow, metres east and north, on paper."""

    def __init__(self, places: Sequence[tuple[float, float]]) -> None:
        self.latitude = math.fsum(place[0] for place in places) / len(places)
        self._longitude = places[0][1]
        xy = [self.metres(place) for place in places]
        west, east = min(x for x, _ in xy), max(x for x, _ in xy)
        south, north = min(y for _, y in xy), max(y for _, y in xy)
        self.m_per_unit = max((east - west) / (WIDTH - 2 * _EDGE), (north - south) / (HEIGHT - 2 * _EDGE), 0.02)
        self._x0, self._y0 = (west + east) / 2, (south + north) / 2

    def metres(self, place: tuple[float, float]) -> tuple[float, float]:
        turned = (place[1] - self._longitude + 180) % 360 - 180
        return turned * _M_PER_DEG * math.cos(math.radians(self.latitude)), (place[0] - self.latitude) * _M_PER_DEG

    def at(self, place: tuple[float, float]) -> tuple[float, float]:
        x, y = self.metres(place)
        return WIDTH / 2 + (x - self._x0) / self.m_per_unit, HEIGHT / 2 - (y - self._y0) / self.m_per_unit


def track_plot(lines: Sequence[TrackLine], ends: Ends) -> Markup | None:
    """Sledge (full line) and ship (dashed), the fixes, what is flagged, gaps, start and end, a scale bar and north."""
    places = [place for line in lines for place in _known(line)]
    places += [place for place in (ends.start, ends.end) if place is not None]
    if not any(_known(line) for line in lines):
        return None
    plan = _Plan(places)
    paper = Paper(WIDTH, HEIGHT, "Track of sledge and ship, north is up", css="track-plot")
    paper.rect(0.5, 0.5, WIDTH - 1, HEIGHT - 1, "frame-line")
    for line in lines:
        _draw_line(paper, plan, line)
    for name, place in (("sheet: start", ends.start), ("sheet: end", ends.end)):
        if place is not None:
            x, y = plan.at(place)
            paper.circle(x, y, 7, "sheet-end", name)
    main = next((line for line in lines if line.track.source == "usbl"), lines[0])
    _draw_ends(paper, plan, main)
    _scale_bar(paper, plan)
    paper.path(f"M{WIDTH - 26} 52 V22 M{WIDTH - 32} 32 L{WIDTH - 26} 20 L{WIDTH - 20} 32", "north")
    paper.text(WIDTH - 26, 16, "N", "mark-word", "middle")
    return paper.markup()


def _known(line: TrackLine) -> list[tuple[float, float]]:
    both = zip(line.line.latitude_deg.tolist(), line.line.longitude_deg.tolist(), strict=True)
    return [place for place in both if not math.isnan(place[0])]


def _draw_line(paper: Paper, plan: _Plan, line: TrackLine) -> None:
    source = line.track.source
    step = max(1, len(line.points) // _SHOWN_POINTS)
    for place, point in enumerate(line.points):
        x, y = plan.at((point.latitude_deg, point.longitude_deg))
        if not (0 <= x <= WIDTH and 0 <= y <= HEIGHT):
            continue
        if point.flag:
            paper.path(f"M{x - 4:.1f} {y - 4:.1f} l8 8 m-8 0 l8 -8", "flagged", f"{point.flag.replace('_', ' ')}, {point.at_utc[11:19]}")
        elif source == "usbl" and place % step == 0:  # a ship's lie on its line and would hide the dashes
            paper.circle(x, y, 1.3, f"fix fix-{source}")
    run: list[tuple[float, float]] = []
    was_bridged = False
    latitudes, longitudes = line.line.latitude_deg.tolist(), line.line.longitude_deg.tolist()
    for latitude, longitude, bridged in zip(latitudes, longitudes, line.line.is_bridged.tolist(), strict=True):
        if math.isnan(latitude) or bridged != was_bridged:
            paper.line(run, f"way way-{source}{' bridged' if was_bridged else ''}")
            run = run[-1:] if not math.isnan(latitude) else []
        if not math.isnan(latitude):
            run.append(plan.at((latitude, longitude)))
        was_bridged = bridged
    paper.line(run, f"way way-{source}{' bridged' if was_bridged else ''}")
    for gap in line.line.gaps:
        second = min(max(round((gap.from_s + gap.to_s) / 2), 0), len(latitudes) - 1)
        edge = min(max(round(gap.from_s), 0), len(latitudes) - 1)
        where = second if not math.isnan(latitudes[second]) else edge
        if not math.isnan(latitudes[where]):
            x, y = plan.at((latitudes[where], longitudes[where]))
            words = f"gap {gap.to_s - gap.from_s:.0f} s" + ("" if gap.is_bridged else ", not bridged")
            paper.text(x + 8, y - 8, words, "gap-word")


def _draw_ends(paper: Paper, plan: _Plan, line: TrackLine) -> None:
    known = _known(line)
    (xa, ya), (xb, yb) = plan.at(known[0]), plan.at(known[-1])
    paper.path(f"M{xa - 7:.1f} {ya + 6:.1f} L{xa:.1f} {ya - 7:.1f} L{xa + 7:.1f} {ya + 6:.1f} Z", "end-mark", "start")
    paper.rect(xb - 6, yb - 6, 12, 12, "end-mark", title="end")
    paper.text(xa + 12, ya + 5, "start", "mark-word")
    paper.text(xb + 12, yb + 5, "end", "mark-word")


def _scale_bar(paper: Paper, plan: _Plan) -> None:
    most_m = plan.m_per_unit * 180
    power = 10.0 ** math.floor(math.log10(most_m))
    length_m = max(power * factor for factor in (1, 2, 5) if power * factor <= most_m)
    length = length_m / plan.m_per_unit
    paper.path(f"M18 {HEIGHT - 20:.1f} v-6 v6 h{length:.1f} v-6", "scale-bar")
    paper.text(24 + length, HEIGHT - 18, f"{shown(length_m)} m", "mark-word")


def profile_chart(profiles: Sequence[MinuteProfile], window: range | None) -> Markup | None:
    """Speed over ground as columns and depth as a line, by minute; the counted window has a bar below it."""
    if not profiles:
        return None
    paper = Paper(640, 250, "Speed and depth by minute", css="profile")
    across = Axis(low=0.5, high=len(profiles) + 0.5, at_low=44, at_high=630)
    speeds = [one.speed_m_per_s for one in profiles if one.speed_m_per_s is not None]
    up = Axis(low=0, high=max([*speeds, 0.5]) * 1.1, at_low=120, at_high=22)
    left_axis(paper, up, 630, "speed over ground (m/s)", 3)
    wide = across.at(2) - across.at(1)
    for one in profiles:
        x = across.at(one.minute)
        paper.text(x, 240, str(one.minute), "tick", "middle")
        if one.speed_m_per_s is None:
            paper.path(f"M{x - 5:.1f} 108 l10 10 m-10 0 l10 -10", "flagged", f"minute {one.minute}: no distance")
        else:
            title = f"minute {one.minute}: {one.distance_m:.1f} m, {one.speed_m_per_s:.2f} m/s"
            title += f", {one.bridged_s} s bridged" if one.bridged_s else ""
            y = up.at(one.speed_m_per_s)
            paper.rect(x - wide * 0.36, y, wide * 0.72, 120 - y, "column bridged" if one.bridged_s else "column", title=title)
    depths = [(one.minute, one.depth_m) for one in profiles if one.depth_m is not None]
    if depths:
        shallow, deep = min(depth for _, depth in depths), max(depth for _, depth in depths)
        room = max((deep - shallow) * 0.15, 0.5)
        down = Axis(low=shallow - room, high=deep + room, at_low=152, at_high=216)
        for value in ticks(down.low, down.high, 2):
            paper.line([(44, down.at(value)), (630, down.at(value))], "grid")
            paper.text(38, down.at(value) + 4, shown(value), "tick", "end")
        paper.text(38, 140, "depth (m)", "unit")
        paper.line([(across.at(minute), down.at(depth)) for minute, depth in depths], "depth-line")
        for minute, depth in depths:
            paper.circle(across.at(minute), down.at(depth), 3, "depth-point", f"minute {minute}: {depth:.1f} m")
    if window is not None:
        paper.rect(
            across.at(window.start - 0.5),
            222,
            across.at(window.stop - 0.5) - across.at(window.start - 0.5),
            4,
            "window-bar",
            title="counted window",
        )
    return paper.markup()
