"""Ticks and plans: which frames are picked, and which packets nobody needs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.pipeline.video.planner import Coded, Need, Planned, Planner
from edge.pipeline.video.ticks import Ticks

MS = Fraction(1, 1000)


@given(
    steps=st.lists(st.integers(1, 2000), max_size=60),
    first=st.integers(-5000, 5000),
    rate=st.sampled_from([0.5, 1.0, 5.0, 6.0, 12.5, 29.97, 60.0]),
    begin=st.integers(0, 59),
)
def test_a_frame_is_picked_for_what_it_is_and_not_for_where_reading_began(
    steps: Sequence[int], first: int, rate: float, begin: int
) -> None:
    """The first frame at or after each tick, none twice; reading that begins anywhere before a tick picks the same."""
    times = [first + sum(steps[:number]) for number in range(len(steps) + 1)]
    ticks = Ticks(first, MS, rate)
    picked = [pts for number, pts in enumerate(times) if number == 0 or ticks.number(pts) > ticks.number(times[number - 1])]
    tolerance_s = float(MS)
    for tick in range(ticks.number(times[-1]) + 1):
        at_or_after = [pts for pts in times if ticks.at_s(pts) >= tick / rate - tolerance_s - 1e-9]
        assert at_or_after[0] in picked
    assert len({ticks.number(pts) for pts in picked}) == len(picked)
    later = times[min(begin, len(times) - 1) :]
    again = [pts for number, pts in enumerate(later) if number == 0 or ticks.number(pts) > ticks.number(later[number - 1])]
    assert set(again[1:]) <= set(picked)


@given(
    pts=st.integers(-(10**9), 10**9), first=st.integers(-(10**6), 10**6), base=st.sampled_from([MS, Fraction(1, 90_000), Fraction(1, 25)])
)
def test_seconds_and_presentation_times_agree(pts: int, first: int, base: Fraction) -> None:
    ticks = Ticks(first, base, 6.0)
    assert ticks.pts_at(ticks.at_s(pts)) == pts
    assert ticks.number(ticks.pts_of_tick(ticks.number(pts))) <= ticks.number(pts)
    assert ticks.pts_of_tick(ticks.number(pts)) <= pts


def test_a_container_that_rounds_its_times_loses_no_frame() -> None:
    """Thirty frames a second in whole milliseconds: each fifth one is a tick's, though its time may be rounded to before it."""
    ticks = Ticks(0, MS, 6.0)
    assert [ticks.number(round(1000 * number / 30)) for number in range(0, 60, 5)] == list(range(12))
    assert [ticks.number(round(1000 * number / 30)) for number in range(4, 60, 5)] == list(range(12))
    assert Ticks(0, Fraction(1, 25), 6.0).number(4) == 0  # a unit as long as a frame is no rounding


def test_a_rate_that_is_none_is_refused() -> None:
    for rate in (0.0, -1.0, float("nan"), float("inf")):
        with pytest.raises(ValueError, match="above zero"):
            Ticks(0, MS, rate)


@dataclass(frozen=True)
class Stored:
    """A frame as it is stored: what it is predicted from are frames stored before it."""

    pts: int
    kind: str
    needs: tuple[int, ...]


@st.composite
def groups(draw: st.DrawFn) -> list[Stored]:
    """Groups of pictures: a key frame, B frames shown before it that lean on the group before (or none), then P with B frames.

    From a "b" nothing is predicted, from a "B" something might be.
    """
    stored: list[Stored] = []
    pts = 0
    before: int | None = None
    for _ in range(draw(st.integers(1, 5))):
        leading = draw(st.integers(0, 2)) if before is not None else 0
        key = pts + leading
        stored.append(Stored(key, "I", ()))
        stored += [Stored(pts + index, draw(st.sampled_from("bB")), (key, before)) for index in range(leading) if before is not None]
        pts, last = key + 1, key
        for _ in range(draw(st.integers(0, 4))):
            between = draw(st.integers(0, 3))
            anchor = pts + between
            stored.append(Stored(anchor, "P", (last,)))
            stored += [Stored(pts + index, "b", (last, anchor)) for index in range(between)]
            pts, last = anchor + 1, anchor
        before = last
    return stored


@given(stored=groups(), every=st.integers(1, 12), may_drop=st.booleans())
def test_what_is_wanted_can_always_be_decoded(stored: list[Stored], every: int, may_drop: bool) -> None:
    """Whatever is left out, each wanted frame finds all that it is predicted from, decoded since the decoder began anew."""
    asked: list[int] = []

    def wants(pts: int) -> bool:
        asked.append(pts)
        return pts % every == 0

    planner: Planner[Stored] = Planner(wants, may_drop=may_drop)
    plan: list[Planned[Stored]] = []
    for number, frame in enumerate(stored):
        dts = min(other.pts for other in stored[number:])  # what a muxer writes at the latest
        plan += planner.add(Coded(packet=frame, number=number, pts=frame.pts, dts=dts, is_key=frame.kind == "I", size_bytes=1))
    plan += planner.rest()
    assert [planned.packet for planned in plan] == stored
    assert [planned.number for planned in plan] == list(range(len(stored)))
    assert asked == sorted(frame.pts for frame in stored)
    decoded: set[int] = set()
    for planned in plan:
        if planned.anew:
            assert planned.packet.kind == "I"
            decoded = set()
        if planned.need is Need.NOTHING or (planned.need is Need.REFERENCE and planned.packet.kind == "b"):
            assert planned.packet.pts % every != 0
            continue
        assert set(planned.packet.needs) <= decoded
        decoded.add(planned.packet.pts)
        assert (planned.need is Need.FRAME) == (planned.packet.pts % every == 0)


def test_of_independent_frames_only_the_wanted_ones_are_decoded() -> None:
    planner: Planner[int] = Planner(lambda pts: pts % 4 == 0)
    plan = [done for pts in range(13) for done in planner.add(Coded(packet=pts, number=pts, pts=pts, dts=pts, is_key=True, size_bytes=1))]
    plan += planner.rest()
    assert [planned.packet for planned in plan if planned.need is not Need.NOTHING] == [0, 4, 8, 12]


def test_the_end_of_a_group_is_left_out() -> None:
    """A camera's groups of twelve, no frame out of order, six ticks a second of 25 frames: what lies behind the last tick is of no use."""
    planner: Planner[int] = Planner(lambda pts: pts % 5 == 0)
    plan = [
        done
        for pts in range(48)
        for done in planner.add(Coded(packet=pts, number=pts, pts=pts, dts=pts, is_key=pts % 12 == 0, size_bytes=1))
    ]
    plan += planner.rest()
    assert [planned.packet for planned in plan if planned.need is Need.NOTHING] == [11, 21, 22, 23, 46, 47]
    assert [planned.packet for planned in plan if planned.anew] == [12, 24]


def test_a_plan_holds_a_bounded_number_of_packets() -> None:
    planner: Planner[int] = Planner(lambda _: False)
    held = 0
    for pts in range(5000):
        held += 1 - sum(1 for _ in planner.add(Coded(packet=pts, number=pts, pts=pts, dts=pts, is_key=pts == 0, size_bytes=100_000)))
        assert held <= 400
