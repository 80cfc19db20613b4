"""The parts of reports: axes that people can read, text that stays text."""

from __future__ import annotations

import re
from xml.parsers import expat

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from models.report.page import Section, cards, charts, figure, matrix, page, paragraph, pictures, table, told
from models.report.svg import Plot, deviation_bars, fraction_axis, nice_axis

NASTY = "<script>alert('\"&')</script>"


def check_well_formed(markup: str) -> None:
    expat.ParserCreate().Parse(f"<all>{markup}</all>", True)


@example(low=0.0, span=5e-324)
@given(low=st.floats(-1e6, 1e6), span=st.floats(0, 1e6))
def test_an_axis_covers_its_range_with_a_handful_of_ticks(low: float, span: float) -> None:
    axis = nice_axis("objects", low, low + span)
    slack = 1e-9 * max(1.0, abs(low), abs(low + span))
    assert axis.low <= low + slack
    assert axis.high >= low + span - slack
    assert axis.low < axis.high
    assert 2 <= len(axis.ticks) <= 9


@pytest.mark.parametrize(("low", "high", "ticks"), [(0, 60, (0, 10, 20, 30, 40, 50, 60)), (0, 0, (0, 0.2)), (-5, 12.4, (-5, 0, 5, 10, 15))])
def test_ticks_are_round(low: float, high: float, ticks: tuple[float, ...]) -> None:
    assert nice_axis("objects", low, high).ticks == pytest.approx(ticks)


def test_a_chart_draws_what_it_was_given_and_names_it() -> None:
    plot = Plot("title", fraction_axis("recall"), fraction_axis("precision"))
    plot.line([0.0, 1.0], [1.0, 0.0], name=NASTY)
    plot.dots([0.5, 2.0], [0.5, 0.5], name="points", tips=[NASTY, "beyond"])
    plot.columns([(0.0, 0.5)], [0.25], name="bars", tips=["a quarter"])
    plot.diagonal("equal")
    plot.upright(0.5, "threshold")
    drawn = plot.render()
    check_well_formed(drawn)
    assert "<script>" not in drawn
    assert all(name in drawn for name in (">points<", ">bars<", ">equal<", ">threshold<", "a quarter"))
    # What lies beyond an axis is drawn at its end, not outside the chart.
    assert max(float(value) for value in re.findall(r'cx="([\d.]+)"', drawn)) == pytest.approx(446)


def test_series_differ_by_their_dashes_whatever_stands_between_them() -> None:
    plot = Plot("title", fraction_axis("x"), fraction_axis("y"))
    plot.line([0, 1], [0, 1], name="first")
    plot.upright(0.5, "guide")
    plot.line([0, 1], [1, 0], name="second")
    dashes = re.findall(r'<polyline class="series (s\d)" stroke-dasharray="([^"]*)"', plot.render())
    assert dashes == [("s0", ""), ("s1", "7 4")]


def test_of_very_many_points_the_last_is_drawn() -> None:
    plot = Plot("title", fraction_axis("x"), fraction_axis("y"))
    plot.line([number / 99_999 for number in range(100_000)], [0.5] * 100_000, name="long")
    points = re.findall(r'points="([^"]*)"', plot.render())[0].split()
    assert len(points) < 500
    assert points[-1].startswith("446.0,")


def test_bars_to_either_side_of_zero() -> None:
    drawn = deviation_bars("title", "objects", [("north", -2.0, "-2.0 (3 images)"), (NASTY, 5.0, "+5.0")])
    check_well_formed(drawn)
    zero = float(re.findall(r'class="zero" x1="([\d.]+)"', drawn)[0])
    bars = [(float(left), float(width)) for left, width in re.findall(r'class="bar s0" x="([\d.]+)" y="[\d.]+" width="([\d.]+)"', drawn)]
    assert bars[0][0] + bars[0][1] == pytest.approx(zero, abs=0.2)
    assert bars[1][0] == pytest.approx(zero, abs=0.2)


def test_a_page_holds_text_as_text_and_loads_nothing() -> None:
    body = table(("name", "count"), [[NASTY, "3"]], numbers=("count",), chosen=0) + matrix("truth", [NASTY], [[4]])
    body += charts([figure("<svg></svg>", NASTY)]) + pictures([]) + cards([(NASTY, NASTY, NASTY)]) + paragraph(NASTY, kind="caution")
    whole = page(NASTY, paragraph(NASTY), [Section(key="one", heading=NASTY, body=body)])
    assert "<script" not in whole
    assert "default-src 'none'" in whole
    assert not re.search(r'(src|href)="(?!#)', whole)
    check_well_formed(body)


def test_a_figure_that_is_not_there_is_a_dash() -> None:
    assert (told(None), told(0.5), told(2.345, 1, signed=True)) == ("-", "0.500", "+2.3")
