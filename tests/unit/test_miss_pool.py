"""Which minutes can still be counted blind to the model: none of whose openings anybody has seen, on whichever clock that was."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge.errors import ReviewRefusedError
from edge.store import surveys
from edge.store.connection import immediate
from edge.store.reads.footage import analysis_of_tow
from edge.survey.miss_gate import CheckState, footage_key, pool_of
from tests.helpers.counted import make_protocol
from tests.helpers.reviewable import Reviewable, analyse_again, make_reviewable, seconds_of
from tests.simulators.appliance import SimulatedAppliance
from tests.unit.test_carried_desk import clocked
from tests.unit.test_miss_desk import CLIP_S, count_minutes, gate, moved_line, openings

BEGIN_S = 120.0


@pytest.fixture
def of(tmp_path: Path) -> Iterator[Reviewable]:
    appliance = SimulatedAppliance(tmp_path / "home")
    yield make_reviewable(appliance, openings=openings(), clip_s=CLIP_S)
    appliance.close()


def pool(of: Reviewable) -> tuple[int, ...]:
    with of.appliance.reader() as connection:
        analysis = analysis_of_tow(connection, of.tow_id)
        assert analysis is not None
        return pool_of(connection, analysis)[0]


def begin_at(of: Reviewable, start_utc: str, at_s: float) -> None:
    """Let the line start then; the clip begins `at_s` behind it."""
    with immediate(of.appliance.writer) as db:
        surveys.set_tow_fields(db, of.tow_id, {"start_utc": start_utc}, actor="test")
        db.execute("UPDATE tow_images SET at_s = ?", (at_s,))


def later(of: Reviewable) -> Reviewable:
    """The same footage analysed anew, as it lies after the start of line was found to be two minutes earlier."""
    begin_at(of, "2026-11-21T11:58:00.000Z", BEGIN_S)
    moved = [
        one._replace(
            first_s=one.first_s + BEGIN_S,
            last_s=one.last_s + BEGIN_S,
            crossing_s=None if one.crossing_s is None else one.crossing_s + BEGIN_S,
        )
        for one in openings()
    ]
    seconds = [one._replace(second=one.second + int(BEGIN_S)) for one in seconds_of(CLIP_S)]
    return analyse_again(of, moved, made_from=clocked(of), seconds=seconds)


def decide(of: Reviewable, minute: int) -> None:
    """Somebody has decided about the first opening of a minute."""
    of.appliance.writer.execute(
        "INSERT INTO opening_decisions (opening_id, decision, decided_by, decided_utc) VALUES (?, 'accepted', 'jd', 'now')",
        (of.opening_ids[(minute - 1) * 12],),
    )


def test_footage_is_what_lies_where_whatever_it_is_called() -> None:
    def key(*clips: tuple[str, str, float | None]) -> str:
        rows = [[sha256, "a reading", 0.0, None, name] for sha256, name, _ in clips]
        return footage_key(json.dumps({"clips": rows, "places": [[None, 0, begin_s] for _, _, begin_s in clips]}))

    first = key(("aa", "1.mp4", 0.0), ("bb", "2.mp4", 600.0))
    assert key(("bb", "one.mp4", 600.0), ("aa", "two.mp4", 0.0)) == first
    assert key(("aa", "1.mp4", 0.0), ("bb", "2.mp4", 600.0), ("cc", "other camera.mp4", None)) == first
    assert key(("aa", "1.mp4", 600.0), ("bb", "2.mp4", 0.0)) != first
    assert key(("aa", "1.mp4", 0.0)) != first


def test_minutes_that_were_reviewed_are_known_on_another_clock_too(of: Reviewable) -> None:
    begin_at(of, "2026-11-21T12:00:00.000Z", 0.0)
    first = analyse_again(of, openings(), made_from=clocked(of), seconds=seconds_of(CLIP_S))
    decide(first, 1)
    decide(first, 2)
    assert pool(later(first)) == (5, 6), "minutes 1 and 2 of before are 3 and 4"


def test_where_nothing_tells_how_the_clocks_lie_a_minute_of_the_same_number_is_known(of: Reviewable) -> None:
    first = analyse_again(of, openings(), made_from="{}", seconds=seconds_of(CLIP_S))
    decide(first, 1)
    decide(first, 4)
    assert pool(analyse_again(first, openings(), made_from=clocked(of), seconds=seconds_of(CLIP_S))) == (2, 3)


def test_after_a_check_has_ended_everything_was_shown(of: Reviewable) -> None:
    of.appliance.reviews.misses.draw(of.tow_id, "rita", "rita here")
    of.appliance.reviews.misses.decline(of.tow_id, "rita here", "for a test")
    found = gate(analyse_again(of, openings(), made_from=moved_line(of), seconds=seconds_of(CLIP_S)))
    assert found.state is CheckState.NOT_POSSIBLE
    assert "nobody is blind to them" in found.words


def test_what_was_shown_without_a_draw_is_known_though_nobody_decided_about_it(of: Reviewable) -> None:
    count_minutes(of, first_minute=7, last_minute=9)
    desk = of.appliance.reviews
    desk.decide(of.tow_id, of.opening_ids[:1], "accepted", "rita")
    with immediate(of.appliance.writer) as db:
        surveys.add_protocol(db, of.survey_id, make_protocol(first_minute=2, last_minute=3), reason="a typing error", actor="test")
    assert gate(of).state is CheckState.NOT_POSSIBLE
    assert desk.undo(of.tow_id, "rita") == of.opening_ids[:1]


def test_nothing_is_undone_while_nothing_may_be_shown(of: Reviewable) -> None:
    desk = of.appliance.reviews
    desk.misses.draw(of.tow_id, "rita", "rita here")
    again = analyse_again(of, openings(), made_from=moved_line(of), seconds=seconds_of(CLIP_S))
    assert gate(again).state is CheckState.TO_DRAW
    with pytest.raises(ReviewRefusedError, match="counted blind first"):
        desk.undo(of.tow_id, "rita")
