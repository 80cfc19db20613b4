"""What is in a count, what it comes to, and what keeps it from being signed."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.errors import CountRefusedError
from edge.survey.counting.content import FEATURES, CountContent, Mark, TypedMinute, as_json, merged, pack, read_content, unpack
from edge.survey.counting.tally import Window, missing_footage, tally

WINDOW = Window(first_minute=2, last_minute=3)
FRAMES = [number * 0.5 for number in range(480)]  # four minutes


def mark(at_s: float, feature: str = "system") -> Mark:
    return Mark(at_s=at_s, image_id=None, feature=feature, x=0.5, y=0.8, marked_utc="2026-11-21T12:00:00Z")


def content(*seconds: float, **changes: Any) -> CountContent:
    return CountContent(**{"marks": tuple(mark(one) for one in seconds), "seen": ((0.0, 240.0),), **changes})


seconds = st.floats(0, 3600, allow_nan=False).map(lambda value: round(value, 3))
marks = st.builds(
    Mark,
    at_s=seconds,
    image_id=st.none() | st.integers(0, 1 << 40),
    feature=st.sampled_from(FEATURES),
    x=st.none() | st.floats(0, 1).map(lambda value: round(value, 5)),
    y=st.none() | st.floats(0, 1).map(lambda value: round(value, 5)),
    marked_utc=st.just("2026-11-21T12:00:00.000Z"),
)


@given(st.lists(marks, max_size=40), st.integers(0, 10_000), st.dictionaries(st.integers(1, 20), st.text(max_size=50), max_size=4))
def test_a_document_says_what_was_put_in(clicks: list[Mark], revision: int, notes: dict[int, str]) -> None:
    kept = CountContent(revision=revision, marks=tuple(sorted(clicks, key=lambda one: one.at_s)), notes=notes, position_s=3.5)
    assert unpack(pack(kept)) == kept
    assert read_content(json.loads(json.dumps(as_json(kept)))) == kept


@pytest.mark.parametrize(
    "changes",
    [
        {"marks": [[-1, None, "system", 0.5, 0.5, "x"]]},
        {"marks": [[1, None, "burrow", 0.5, 0.5, "x"]]},
        {"marks": [[1, None, "system", 1.5, 0.5, "x"]]},
        {"marks": [[float("nan"), None, "system", 0.5, 0.5, "x"]]},
        {"marks": [[1, None, "system", 0.5]]},
        {"marks": [[1, True, "system", 0.5, 0.5, "x"]]},
        {"lost": [[5, 3]]},
        {"typed": {"2": [-1, 0, None, None]}},
        {"typed": {"2": [1, 61, None, None]}},
        {"typed": {"0": [1, 0, None, None]}},
        {"way": "guessed"},
        {"revision": -1},
        {"notes": {"2": "x" * 1001}},
        {"marks": [[1, None, "system", 0.5, 0.5, "x"]] * 3001},
        {"position_s": "here"},
    ],
)
def test_what_is_no_count_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(CountRefusedError):
        read_content({**as_json(CountContent()), **changes})
    with pytest.raises(CountRefusedError):
        read_content({"revision": 1})


def test_clicks_are_counted_in_the_window_and_told_outside() -> None:
    found = tally(content(59.9, 60, 119.99, 120, 179.9, 180, 181), WINDOW, FRAMES)
    assert {minute: one.systems for minute, one in found.minutes.items()} == {2: 2, 3: 2}
    assert found.outside == 3
    assert found.hindrances == ()
    assert "3 clicks lie outside" in found.remarks[0]


def test_a_minute_nobody_looked_at_is_no_zero() -> None:
    found = tally(content(seen=((60.0, 120.0),)), WINDOW, FRAMES)
    assert "minute 3 was not looked at" in found.hindrances[0]
    assert tally(content(seen=((60.0, 180.0),)), WINDOW, FRAMES).hindrances == ()
    declared = tally(content(seen=((60.0, 120.0),), lost=((120.0, 180.0),)), WINDOW, FRAMES)
    assert declared.hindrances == ()
    assert declared.minutes[3].lost_s == 60


def test_part_of_a_minute_that_was_passed_over_is_told() -> None:
    found = tally(content(130, seen=((60.0, 150.0),)), WINDOW, FRAMES)
    assert found.hindrances == ()
    assert found.remarks == ("minute 3: 30 s were not looked at",)


def test_lost_seconds_are_cut_at_minutes_and_counted_once() -> None:
    found = tally(content(lost=merged([(110.0, 130.0), (125.0, 135.0)])), WINDOW, FRAMES)
    assert (found.minutes[2].lost_s, found.minutes[3].lost_s) == (10, 15)


def test_footage_that_is_missing_is_lost() -> None:
    frames = [at_s for at_s in FRAMES if not 100 <= at_s < 130]
    assert missing_footage(frames, WINDOW) == ((99.5, 130.0),)
    found = tally(content(), WINDOW, frames)
    assert found.minutes[2].lost_s == 20.5
    assert found.minutes[3].lost_s == 10
    assert "30 s of the window have no footage" in " ".join(found.remarks)
    nothing = tally(content(), WINDOW, [])
    assert [one.lost_s for one in nothing.minutes.values()] == [60, 60]


def test_other_features_are_no_systems() -> None:
    clicks = tuple(mark(70.0, feature) for feature in FEATURES)
    found = tally(content(marks=clicks), WINDOW, FRAMES).minutes[2]
    assert (found.systems, found.nephrops_in, found.nephrops_out) == (1, 1, 1)


def test_typed_numbers_need_every_minute() -> None:
    typed = {2: TypedMinute(systems=4.5, lost_s=10, nephrops_in=1)}
    missing = tally(content(way="typed", typed=typed), WINDOW, [])
    assert missing.minutes == {}
    assert "minute 3 has no number yet" in missing.hindrances[0]
    whole = tally(content(way="typed", typed={**typed, 3: TypedMinute(systems=0)}, notes={3: "nothing"}), WINDOW, [])
    assert whole.hindrances == ()
    assert (whole.minutes[2].systems, whole.minutes[2].lost_s, whole.minutes[3].systems) == (4.5, 10, 0)
    assert whole.minutes[3].note == "nothing"
    assert whole.minutes[3].nephrops_in is None
