"""When a link may be used, and how fast."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.link.throttle import BURST_S, Throttle
from sync.link.windows import DAYS, Windows, read_windows

MONDAY = datetime(2026, 11, 23, tzinfo=UTC)


def at(day: str, clock: str) -> datetime:
    hours, minutes = map(int, clock.split(":"))
    return MONDAY + timedelta(days=DAYS.index(day), hours=hours, minutes=minutes)


@pytest.mark.parametrize(
    ("text", "day", "clock", "is_open"),
    [
        ("mon-fri 22:00-06:00", "mon", "21:59", False),
        ("mon-fri 22:00-06:00", "mon", "22:00", True),
        ("mon-fri 22:00-06:00", "sat", "05:59", True),
        ("mon-fri 22:00-06:00", "sat", "06:00", False),
        ("mon-fri 22:00-06:00", "sun", "23:00", False),
        ("mon-fri 22:00-06:00", "mon", "03:00", False),
        ("fri-mon 00:00-24:00", "sun", "12:00", True),
        ("fri-mon", "thu", "23:59", False),
        ("sat,sun", "sun", "00:00", True),
        ("sat,sun", "mon", "00:00", False),
        ("12:00-13:30", "wed", "13:29", True),
        ("12:00-13:30", "wed", "13:30", False),
        ("SUN 23:00-01:00", "mon", "00:30", True),
    ],
)
def test_windows_are_open_when_they_say(text: str, day: str, clock: str, is_open: bool) -> None:
    assert read_windows([text]).is_open(at(day, clock)) is is_open


def test_without_a_window_the_link_may_always_be_used() -> None:
    assert Windows().is_open(MONDAY)
    assert Windows().next_open(MONDAY) == MONDAY


@pytest.mark.parametrize(
    "text", ["", "monday", "mon 25:00-26:00", "12:00-12:00", "12:60-13:00", "mon tue", "12:00 mon", "mon 12:00-13:00 x", "12-13"]
)
def test_what_is_no_window_is_refused_with_how_to_write_one(text: str) -> None:
    with pytest.raises(ValueError, match="mon-fri 22:00-06:00"):
        read_windows([text])


windows = st.builds(
    lambda days, begin, end: f"{','.join(sorted(days))} {begin // 60:02d}:{begin % 60:02d}-{end // 60:02d}:{end % 60:02d}",
    st.sets(st.sampled_from(DAYS), min_size=1),
    st.integers(0, 719),
    st.integers(720, 1440),
)


@given(st.lists(windows, min_size=1, max_size=3), st.integers(0, 7 * 24 * 60 - 1))
def test_the_next_opening_is_the_first_moment_that_is_open(texts: list[str], minute: int) -> None:
    found, now = read_windows(texts), MONDAY + timedelta(minutes=minute)
    following = found.next_open(now)
    assert found.is_open(following)
    step = now
    while step < following:
        assert not found.is_open(step)
        step += timedelta(minutes=max(1, int((following - step).total_seconds() // 60) // 7))


class Clock:
    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s

    def wait(self, seconds: float) -> None:
        assert seconds <= 1.0, "somebody who stops it waits for no longer"
        self.now_s += seconds


@given(st.lists(st.integers(1, 100_000), min_size=1, max_size=20), st.sampled_from([128.0, 2000.0]))
def test_over_time_no_more_passes_than_the_rate(pieces: list[int], rate_kbps: float) -> None:
    clock = Clock()
    throttle = Throttle(rate_kbps, clock=clock, wait=clock.wait)
    passed, begun_s = 0, clock.now_s
    for piece in pieces:
        throttle.take(piece)
        allowed = (clock.now_s - begun_s + BURST_S) * rate_kbps * 125
        assert passed <= allowed + 1e-6, "what was let through before this piece is within the rate"
        passed += piece
    least_s = (passed - max(pieces)) / (rate_kbps * 125) - BURST_S
    assert clock.now_s - begun_s >= least_s - 1e-6
    assert clock.now_s - begun_s <= passed / (rate_kbps * 125) + 0.001 * len(pieces), "and it is not slower than that"


def test_no_rate_never_waits() -> None:
    clock = Clock()
    throttle = Throttle(0, clock=clock, wait=clock.wait)
    for _ in range(10):
        throttle.take(10**9)
    assert clock.now_s == 100.0


def test_whoever_waits_can_be_stopped() -> None:
    clock = Clock()
    throttle = Throttle(8.0, clock=clock, wait=clock.wait)
    throttle.take(1_000_000)

    def stop() -> None:
        raise InterruptedError

    with pytest.raises(InterruptedError):
        throttle.take(1, go_on=stop)
