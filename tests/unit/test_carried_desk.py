"""Decisions of earlier reviews: proposed for the same openings of a later analysis, taken over in one act, undone, none lost."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from edge.errors import ReviewRefusedError
from edge.store import surveys
from edge.store.analyses import FoundOpening
from edge.store.connection import immediate
from edge.store.reads.footage import analysis_of_tow
from edge.store.reads.reviews import ReviewedOpening, ReviewShow, ReviewSort, reviewed_openings
from edge.survey.carried_desk import CarriedOver, Waiting
from tests.helpers.reviewable import Reviewable, analyse_again, boxes_at, make_opening, make_reviewable, see_again, told_of
from tests.simulators.appliance import SimulatedAppliance

COUNT = 6


def opening(ordinal: int, place: int, *, shift_s: float = 0.0, off_px: float = 0.0) -> FoundOpening:
    """The opening that lies at a place of the seabed: a box of 20 px, places 20 px and 0.4 s apart."""
    first_s = 0.4 * place + shift_s
    x = 4.0 + 18.0 * place + off_px
    boxes = boxes_at([first_s, first_s + 0.2, first_s + 0.4, first_s + 0.6], (x, 40.0, x + 20.0, 60.0))
    return make_opening(ordinal)._replace(first_s=first_s, last_s=first_s + 0.6, crossing_s=first_s + 0.5, boxes=boxes, confidence=0.4)


def seabed(places: Sequence[int], **changes: float) -> list[FoundOpening]:
    return [opening(ordinal, place, **changes) for ordinal, place in enumerate(places, start=1)]


@pytest.fixture
def of(tmp_path: Path) -> Iterator[Reviewable]:
    appliance = SimulatedAppliance(tmp_path / "home")
    yield make_reviewable(appliance, openings=seabed(range(COUNT)))
    appliance.close()


def state(of: Reviewable) -> tuple[CarriedOver, Waiting]:
    with of.appliance.reader() as connection:
        analysis = analysis_of_tow(connection, of.tow_id)
        assert analysis is not None
        return of.appliance.reviews.carried.of(connection, analysis), of.appliance.reviews.waiting(connection, analysis)


def now(of: Reviewable) -> tuple[ReviewedOpening, ...]:
    with of.appliance.reader() as connection:
        return reviewed_openings(connection, of.analysis_id)


def decided(of: Reviewable) -> dict[int, str]:
    return {one.ordinal: one.decision for one in now(of) if one.decision is not None}


def test_decisions_are_proposed_and_count_for_nothing_until_they_are_taken_over(of: Reviewable) -> None:
    desk, ids = of.appliance.reviews, of.opening_ids
    desk.decide(of.tow_id, ids[:2], "accepted", "rita")
    desk.decide(of.tow_id, ids[2:3], "rejected", "jd")
    desk.decide(of.tow_id, ids[3:4], "unsure", "jd")
    desk.decide(of.tow_id, ids[1:2], "cleared", "rita")
    again = analyse_again(of, seabed([5, 3, 2, 0, 1], off_px=3.0))
    found, waiting = state(again)
    by_ordinal = {again.opening_ids.index(one) + 1: told for one, told in found.decisions.items()}
    assert {ordinal: (one.decision, one.decided_by) for ordinal, one in by_ordinal.items()} == {
        4: ("accepted", "rita"),
        3: ("rejected", "jd"),
        2: ("unsure", "jd"),
    }
    assert len(waiting.decisions) == 3
    assert decided(again) == {}
    with of.appliance.reader() as connection:
        analysis = analysis_of_tow(connection, of.tow_id)
        assert analysis is not None
        assert set(desk.order(connection, analysis, ReviewSort.ALONG, show=ReviewShow.EARLIER)) == set(found.decisions)
    changed = desk.carry(of.tow_id, None, "chief")
    assert set(changed) == set(found.decisions)
    assert decided(again) == {4: "accepted", 3: "rejected", 2: "unsure"}
    assert {one.decided_by for one in now(again) if one.decision} == {"chief"}
    rows = of.appliance.writer.execute(
        "SELECT d.decision, e.decided_by FROM opening_decisions AS d JOIN opening_decisions AS e ON e.id = d.carried_from ORDER BY d.id"
    ).fetchall()
    assert sorted((row[0], row[1]) for row in rows) == [("accepted", "rita"), ("rejected", "jd"), ("unsure", "jd")]
    with pytest.raises(ReviewRefusedError, match="no earlier decision waits"):
        desk.carry(of.tow_id, None, "chief")


def test_one_undo_takes_all_of_it_back_and_it_waits_again(of: Reviewable) -> None:
    desk = of.appliance.reviews
    desk.decide(of.tow_id, of.opening_ids, "accepted", "rita")
    desk.group(of.tow_id, of.opening_ids[:2], "rita")
    again = analyse_again(of, seabed(range(COUNT)))
    desk.carry(of.tow_id, None, "chief")
    assert len(decided(again)) == COUNT
    assert desk.undo(of.tow_id, "chief")
    assert decided(again) == {}
    assert [one.system for one in now(again)] == [None] * COUNT
    waiting = state(again)[1]
    assert (len(waiting.decisions), len(waiting.groups)) == (COUNT, 1)
    actions = of.appliance.writer.execute(
        "SELECT action, actor FROM audit WHERE action IN ('decisions_carried', 'review_undone') ORDER BY id"
    )
    assert [tuple(row) for row in actions] == [("decisions_carried", "chief"), ("review_undone", "chief")]


def test_groups_and_splits_go_along_with_what_is_there_of_them(of: Reviewable) -> None:
    desk, ids = of.appliance.reviews, of.opening_ids
    desk.group(of.tow_id, ids[:3], "rita")
    desk.split(of.tow_id, ids[3:4], "rita")
    desk.group(of.tow_id, ids[4:6], "rita")
    again = analyse_again(of, [one._replace(system=1) for one in seabed([0, 1, 3, 4])])
    found, waiting = state(again)
    assert sorted(len(group) for group in waiting.groups) == [1, 2]
    assert [one.opening.ordinal for one in found.unplaced] == [3, 6]
    assert [one.system for one in now(again)] == [1, 1, 1, 1]
    desk.carry(of.tow_id, None, "chief")
    systems = [one.system for one in now(again)]
    assert systems[0] == systems[1]
    assert len({systems[0], systems[2], systems[3]}) == 3
    assert systems[3] == 1, "of a pair that lost its mate the proposal holds"


def test_ones_own_decision_is_never_written_over(of: Reviewable) -> None:
    desk = of.appliance.reviews
    desk.decide(of.tow_id, of.opening_ids, "accepted", "rita")
    again = analyse_again(of, seabed(range(COUNT)))
    desk.decide(of.tow_id, again.opening_ids[:1], "rejected", "jd")
    changed = desk.carry(of.tow_id, again.opening_ids[:2], "chief")
    assert changed == again.opening_ids[1:2]
    assert decided(again) == {1: "rejected", 2: "accepted"}
    assert len(state(again)[1].decisions) == COUNT - 2


def test_openings_that_were_grouped_anew_are_left_as_they_are(of: Reviewable) -> None:
    desk = of.appliance.reviews
    desk.group(of.tow_id, of.opening_ids[:2], "rita")
    desk.group(of.tow_id, of.opening_ids[3:5], "rita")
    again = analyse_again(of, seabed(range(COUNT)))
    desk.group(of.tow_id, again.opening_ids[1:3], "jd")
    assert [len(group) for group in state(again)[1].groups] == [2]
    assert desk.carry(of.tow_id, None, "chief") == again.opening_ids[3:5]
    systems = [one.system for one in now(again)]
    assert systems[0] is None
    assert systems[1] == systems[2] != systems[3] == systems[4]


def test_what_found_no_partner_is_listed_with_its_decision_and_the_rows_stay(of: Reviewable) -> None:
    desk = of.appliance.reviews
    desk.decide(of.tow_id, of.opening_ids[4:], "accepted", "rita")
    again = analyse_again(of, seabed(range(5)))
    found, _ = state(again)
    assert [(one.opening.ordinal, one.opening.decision, one.opening.decided_by) for one in found.unplaced] == [(6, "accepted", "rita")]
    assert [(one.decided, one.placed) for one in found.reviews] == [(2, 1)]
    assert of.appliance.writer.execute("SELECT count(*) FROM opening_decisions").fetchone()[0] == 2


def test_over_two_analyses_the_newest_word_holds_and_what_was_left_is_still_there(of: Reviewable) -> None:
    desk = of.appliance.reviews
    desk.decide(of.tow_id, of.opening_ids[:3], "accepted", "rita")
    second = analyse_again(of, seabed(range(COUNT)))
    desk.carry(of.tow_id, second.opening_ids[:2], "chief")
    desk.decide(of.tow_id, second.opening_ids[1:2], "rejected", "jd")
    third = analyse_again(second, seabed(range(COUNT)))
    found, _ = state(third)
    proposed = {third.opening_ids.index(one) + 1: (told.decision, told.decided_by) for one, told in found.decisions.items()}
    assert proposed == {1: ("accepted", "chief"), 2: ("rejected", "jd"), 3: ("accepted", "rita")}
    assert found.unplaced == ()


def test_what_was_taken_over_and_undone_comes_back_after_another_analysis(of: Reviewable) -> None:
    desk = of.appliance.reviews
    desk.decide(of.tow_id, of.opening_ids[:1], "accepted", "rita")
    second = analyse_again(of, seabed(range(COUNT)))
    desk.carry(of.tow_id, None, "chief")
    desk.undo(of.tow_id, "chief")
    third = analyse_again(second, seabed(range(COUNT)))
    assert [one.decided_by for one in state(third)[0].decisions.values()] == ["rita"]


def test_a_corrected_start_of_line_moves_the_seconds_not_the_openings(of: Reviewable) -> None:
    db = of.appliance.writer
    with immediate(db):
        surveys.set_tow_fields(db, of.tow_id, {"start_utc": "2026-11-21T12:00:00.000Z"}, actor="test")
        db.execute("UPDATE tow_images SET at_s = 10.0")
    first = analyse_again(of, seabed(range(COUNT), shift_s=10.0), made_from=clocked(of))
    of.appliance.reviews.decide(of.tow_id, first.opening_ids, "accepted", "rita")
    with immediate(db):
        surveys.set_tow_fields(db, of.tow_id, {"start_utc": "2026-11-21T11:59:53.000Z"}, actor="test")
        db.execute("UPDATE tow_images SET at_s = 17.0")
    again = analyse_again(first, seabed(range(COUNT), shift_s=17.0), made_from=clocked(of))
    found, waiting = state(again)
    assert len(waiting.decisions) == COUNT
    assert found.unplaced == ()
    db.execute("UPDATE tow_images SET at_s = 22.0")
    beside = analyse_again(again, seabed(range(COUNT), shift_s=17.0), made_from=clocked(of))
    assert state(beside)[1].decisions == (), "the same seconds are no longer the same pictures"


def test_a_clip_is_known_by_its_content_whatever_its_file_is_called(of: Reviewable) -> None:
    of.appliance.reviews.decide(of.tow_id, of.opening_ids, "accepted", "rita")
    see_again(of.appliance.writer, of.tow_id, "a copy.mp4")
    again = analyse_again(of, seabed(range(COUNT)))
    found, waiting = state(again)
    assert "a copy.mp4" in told_of(of.appliance.writer, of.tow_id)["made_from"], "it is read from the other name"
    assert (len(waiting.decisions), found.unplaced) == (COUNT, ())


def clocked(of: Reviewable) -> str:
    """What an analysis is made from, counting from the start of line."""
    return json.dumps(json.loads(told_of(of.appliance.writer, of.tow_id)["made_from"]) | {"clock": "start of line"})


def test_without_an_earlier_review_nothing_is_proposed(of: Reviewable) -> None:
    again = analyse_again(of, seabed(range(COUNT)))
    assert state(again) == (CarriedOver(), Waiting())
    with pytest.raises(ReviewRefusedError, match="no earlier decision waits"):
        of.appliance.reviews.carry(of.tow_id, None, "chief")
