"""Names and figures as text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.errors import Reason
from edge.web import text

HIDDEN = (
    "\0\x07\x1b\x7f\x85\N{RIGHT-TO-LEFT OVERRIDE}\N{POP DIRECTIONAL ISOLATE}\N{ZERO WIDTH SPACE}\N{LINE SEPARATOR}\N{BYTE ORDER MARK}\ud800"
)


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("station 012/å.jpg", "station 012/å.jpg"),
        ("a\nb\rc\td", r"a\nb\rc\td"),
        ("\x00\x1b", r"\x00\x1b"),
        ("evil\u202egpj.exe", r"evil\u202egpj.exe"),
        ("\ud800", r"\ud800"),
        ("\U000e0001", r"\U000e0001"),
        ("سمكة.jpg", "سمكة.jpg"),
    ],
)
def test_shown(raw: str, expected: str) -> None:
    assert text.shown(raw) == expected


def test_nothing_hidden_is_left() -> None:
    assert not set(text.shown(HIDDEN)) & set(HIDDEN)


@given(st.text(alphabet=st.characters(codec=None)))
def test_what_is_shown_can_always_be_sent_and_stays_on_one_line(raw: str) -> None:
    shown = text.shown(raw)
    shown.encode("utf-8")
    assert len(shown.splitlines()) <= 1
    assert text.shown(shown) == shown


@pytest.mark.parametrize(
    ("value", "digits", "expected"),
    [(0, 0, "0"), (1234567, 0, "1\u202f234\u202f567"), (41.26, 1, "41.3"), (None, 0, "\N{EN DASH}"), (1234.5, 1, "1\u202f234.5")],
)
def test_number(value: float | None, digits: int, expected: str) -> None:
    assert text.number(value, digits) == expected


@pytest.mark.parametrize(
    ("count_bytes", "expected"),
    [(0, "0 B"), (999, "999 B"), (1000, "0.977 KiB"), (1 << 30, "1 GiB"), (412 << 30, "412 GiB"), (3 << 40, "3 TiB")],
)
def test_size(count_bytes: int, expected: str) -> None:
    assert text.size(count_bytes) == expected


@pytest.mark.parametrize(
    ("duration_s", "expected"),
    [(0, "0 s"), (59.4, "59 s"), (59.6, "1 min 00 s"), (312, "5 min 12 s"), (7500, "2 h 05 min"), (90_000, "1 d 01 h")],
)
def test_duration(duration_s: float, expected: str) -> None:
    assert text.duration(duration_s) == expected


def test_times_state_their_zone_or_are_left_as_they_are() -> None:
    assert text.utc("2026-06-03T16:26:07.584Z") == "2026-06-03 16:26:07Z"
    assert text.clock("2026-06-03T16:26:07.584Z") == "16:26:07Z"
    assert text.utc(None) == "\N{EN DASH}"
    assert text.utc("2026:06:03 16:26:07") == "2026:06:03 16:26:07"


def test_every_reason_has_advice_and_an_unknown_one_too() -> None:
    assert all(text.reason_advice(reason) for reason in Reason)
    assert "Retry" in text.reason_advice("of_the_future")


def test_prose_escapes_what_it_does_not_mark() -> None:
    assert text.prose("a `b<c` <d>") == "a <code>b&lt;c</code> &lt;d&gt;"


def test_a_shell_word_stays_one_word() -> None:
    assert text.shell_word("/media/my disk; rm -rf ~") == "'/media/my disk; rm -rf ~'"


@pytest.mark.parametrize(
    ("value", "digits", "expected"),
    [(1234.5, 1, "+1\u202f234.5"), (-3, 0, "\N{MINUS SIGN}3"), (0, 0, "0"), (-0.04, 1, "0.0"), (None, 2, "\N{EN DASH}")],
)
def test_a_difference_has_its_sign_and_zero_has_none(value: float | None, digits: int, expected: str) -> None:
    assert text.signed(value, digits) == expected


def test_metrics_are_told_in_words() -> None:
    assert text.metric_words("map50_95") == "mAP50-95"
    assert text.metric_words("count_mae_real") == "count error (MAE), real stills"
    assert text.metric_words("something_else") == "something else"
