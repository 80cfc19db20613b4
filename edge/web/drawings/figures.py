"""Counts by minute, and the running CV of a survey."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from edge.survey.estimate import CV_LIMIT
from edge.survey.overview import RunningPoint
from edge.survey.result import MinuteResult
from edge.web.drawings.paper import Axis, Paper, left_axis

SHAPES = 4


def minute_chart(minutes: Sequence[MinuteResult]) -> Markup | None:
    """Each counter's systems by minute as a mark of its own shape, the mean as a column; a minute left out is crossed."""
    if not minutes:
        return None
    counters = list(dict.fromkeys(name for one in minutes for name in one.by_counter))
    paper = Paper(640, 260, "Burrow systems by minute and counter", css="minutes")
    across = Axis(low=minutes[0].minute - 0.5, high=minutes[-1].minute + 0.5, at_low=44, at_high=630)
    most = max((value for one in minutes for value in (*one.by_counter.values(), one.systems or 0.0)), default=0.0)
    up = Axis(low=0, high=max(most * 1.12, 4), at_low=208, at_high=24)
    left_axis(paper, up, 630, "systems per minute")
    wide = across.at(minutes[0].minute + 1) - across.at(minutes[0].minute)
    for one in minutes:
        x = across.at(one.minute)
        paper.text(x, 226, str(one.minute), "tick", "middle")
        if one.systems is None:
            paper.rect(x - wide * 0.42, 24, wide * 0.84, 184, "left-out", title=f"minute {one.minute}: {one.left_out or 'not counted'}")
            paper.path(f"M{x - 6:.1f} 212 l12 -12 m-12 0 l12 12", "flagged")
        else:
            y = up.at(one.systems)
            paper.rect(x - wide * 0.3, y, wide * 0.6, 208 - y, "column", title=f"minute {one.minute}: mean {one.systems:.2f}")
        for place, counter in enumerate(counters):
            if counter in one.by_counter:
                value = one.by_counter[counter]
                spread = (place - (len(counters) - 1) / 2) * min(14.0, wide / 4)
                _mark(paper, x + spread, up.at(value), place, f"{counter}, minute {one.minute}: {value:g}")
    paper.text(337, 240, "minute of the tow", "tick", "middle")
    x = 44.0
    for place, counter in enumerate(counters):
        _mark(paper, x + 6, 250, place, counter)
        paper.text(x + 16, 254, counter[:14], "tick")
        x += 30 + 7.5 * len(counter[:14])
    paper.rect(x, 245, 12, 10, "column")
    paper.text(x + 18, 254, "mean that counts", "tick")
    return paper.markup()


def _mark(paper: Paper, x: float, y: float, which: int, title: str) -> None:
    """One of four shapes, so that counters are told apart without colour."""
    css = f"counter counter-{which % SHAPES}"
    match which % SHAPES:
        case 0:
            paper.circle(x, y, 5, css, title)
        case 1:
            paper.rect(x - 4.5, y - 4.5, 9, 9, css, title=title)
        case 2:
            paper.path(f"M{x:.1f} {y - 6:.1f} l6 10 h-12 z", css, title)
        case _:
            paper.path(f"M{x:.1f} {y - 6:.1f} l6 6 l-6 6 l-6 -6 z", css, title)


def running_chart(points: Sequence[RunningPoint]) -> Markup | None:
    """The CV after each station, against 20 %; nothing is drawn while a ground has fewer than two stations."""
    if not points:
        return None
    known = [(one.stations, one.cv) for one in points if one.cv is not None]
    paper = Paper(640, 230, "Running CV of the survey against 20 %", css="running")
    across = Axis(low=1, high=max(len(points), 2), at_low=60, at_high=620)
    most = max([*(cv for _, cv in known), CV_LIMIT])
    up = Axis(low=0, high=min(most * 115, 100), at_low=186, at_high=24)
    left_axis(paper, up, 630, "CV (%)")
    y = up.at(CV_LIMIT * 100)
    paper.line([(44, y), (630, y)], "limit")
    paper.text(628, y - 5, "limit 20 %", "limit-word", "end")
    visible = [(across.at(n), up.at(min(cv * 100, up.high))) for n, cv in known]
    paper.line(visible, "cv-line")
    names = {one.stations: one.station for one in points}
    for (n, cv), (x, height) in zip(known, visible, strict=True):
        paper.circle(x, height, 3.5, "cv-point", f"{n} stations, {names[n]} last: {cv * 100:.1f} %")
    step = max(1, len(points) // 12)
    for n in range(1, len(points) + 1, step):
        paper.text(across.at(n), 204, str(n), "tick", "middle")
    paper.text(340, 222, "stations, in the order in which they were signed", "tick", "middle")
    if not known:
        paper.text(340, 110, "no CV yet: every ground needs an area and two counted stations", "mark-word", "middle")
    return paper.markup()
