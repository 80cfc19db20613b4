"""Reviews: what people decide about openings is added, never overwritten; groups, splits and undo; the count after it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edge.errors import ReviewRefusedError
from edge.store import surveys
from edge.store.analyses import record_analysis
from edge.store.connection import immediate
from edge.store.reads.footage import analysis_of_tow
from edge.store.reads.reviews import (
    WHOLE_TOW,
    ReviewAmong,
    ReviewedOpening,
    ReviewShow,
    ReviewSort,
    decided_before,
    opening_place,
    review_figures,
    review_tally,
    reviewed_openings,
)
from edge.survey.people import Role
from edge.survey.result import station_result
from edge.survey.review_loop import LEAST_FRAMES, MOST_FRAMES, drift_of, found_boxes, loop, outlier_scores, side_of
from edge.survey.review_places import loop_of
from edge.survey.review_standing import ReviewState, standing
from edge.survey.reviewed import reviewed_count
from edge.survey.tow_footage import Clock
from edge.survey.tow_source import model_source
from tests.helpers.counted import make_blind_survey, make_protocol
from tests.helpers.reviewable import Reviewable, boxes_at, make_analysis, make_opening, make_reviewable, told_of
from tests.simulators.appliance import SimulatedAppliance


@pytest.fixture
def of(tmp_path: Path) -> Iterator[Reviewable]:
    appliance = SimulatedAppliance(tmp_path / "home")
    yield make_reviewable(appliance)
    appliance.close()


def openings(of: Reviewable) -> tuple[ReviewedOpening, ...]:
    with of.appliance.reader() as connection:
        return reviewed_openings(connection, of.analysis_id)


def decisions(of: Reviewable) -> list[str | None]:
    return [one.decision for one in openings(of)]


def systems(of: Reviewable) -> list[int | None]:
    return [one.system for one in openings(of)]


def test_decisions_are_added_and_the_newest_holds(of: Reviewable) -> None:
    desk, ids = of.appliance.reviews, of.opening_ids
    desk.decide(of.tow_id, ids[:2], "accepted", "rita")
    desk.decide(of.tow_id, ids[1:3], "rejected", "jd")
    desk.decide(of.tow_id, ids[:1], "cleared", "rita")
    assert decisions(of) == [None, "rejected", "rejected", None, None, None]
    assert [one.decided_by for one in openings(of)] == [None, "jd", "jd", None, None, None]
    assert of.appliance.writer.execute("SELECT count(*) FROM opening_decisions").fetchone()[0] == 5
    with of.appliance.reader() as connection:
        assert tuple(review_tally(connection, of.analysis_id)) == (6, 0, 2, 0, 4)
    told = of.appliance.writer.execute("SELECT actor, detail_json FROM audit WHERE action = 'openings_decided' ORDER BY id").fetchall()
    assert [(actor, json.loads(detail)["decision"]) for actor, detail in told] == [
        ("rita", "accepted"),
        ("jd", "rejected"),
        ("rita", "cleared"),
    ]
    kinds = of.appliance.writer.execute("SELECT count(*) FROM outbox WHERE kind = 'review_action'").fetchone()
    assert kinds[0] == 3


def test_the_model_rows_stay_as_they_were(of: Reviewable) -> None:
    def rows() -> list[tuple[object, ...]]:
        return [tuple(row) for row in of.appliance.writer.execute("SELECT * FROM tow_openings ORDER BY id")]

    before = rows()
    of.appliance.reviews.decide(of.tow_id, of.opening_ids, "rejected", "rita")
    of.appliance.reviews.group(of.tow_id, of.opening_ids, "rita")
    assert rows() == before


def test_a_group_is_exactly_what_was_selected(of: Reviewable) -> None:
    desk, ids = of.appliance.reviews, of.opening_ids
    assert systems(of) == [1, 1, None, 2, 2, 3]
    desk.group(of.tow_id, [ids[1], ids[2], ids[3]], "rita")
    assert systems(of) == [1, 4, 4, 4, 2, 3]
    desk.split(of.tow_id, [ids[1], ids[2]], "rita")
    assert systems(of) == [1, 5, 6, 4, 2, 3]
    assert [one.proposed for one in openings(of)] == [1, 1, None, 2, 2, 3]


def test_undo_takes_back_ones_own_actions_one_by_one(of: Reviewable) -> None:
    desk, ids = of.appliance.reviews, of.opening_ids
    desk.decide(of.tow_id, ids[:2], "accepted", "rita")
    desk.group(of.tow_id, ids[1:4], "rita")
    desk.decide(of.tow_id, ids[:2], "rejected", "rita")
    assert set(desk.undo(of.tow_id, "rita")) == set(ids[:2])
    assert decisions(of)[:2] == ["accepted", "accepted"]
    assert set(desk.undo(of.tow_id, "rita")) == set(ids[1:4])
    assert systems(of) == [1, 1, None, 2, 2, 3]
    desk.undo(of.tow_id, "rita")
    assert decisions(of) == [None] * 6
    with pytest.raises(ReviewRefusedError, match="nothing of yours"):
        desk.undo(of.tow_id, "rita")


def test_undo_leaves_what_somebody_decided_since(of: Reviewable) -> None:
    desk, ids = of.appliance.reviews, of.opening_ids
    desk.decide(of.tow_id, ids[:2], "accepted", "rita")
    desk.decide(of.tow_id, ids[:1], "rejected", "jd")
    assert desk.undo(of.tow_id, "rita") == (ids[1],)
    assert decisions(of)[:2] == ["rejected", None]
    with pytest.raises(ReviewRefusedError, match="nothing of yours"):
        desk.undo(of.tow_id, "anna")


def test_undo_brings_back_nothing_that_was_itself_undone(of: Reviewable) -> None:
    desk, ids = of.appliance.reviews, of.opening_ids[:1]
    desk.decide(of.tow_id, ids, "accepted", "rita")
    desk.decide(of.tow_id, ids, "rejected", "jd")
    desk.undo(of.tow_id, "rita")
    assert decisions(of)[0] == "rejected"
    desk.undo(of.tow_id, "jd")
    assert decisions(of)[0] is None


def test_what_cannot_be_done_changes_nothing(of: Reviewable) -> None:
    desk, ids = of.appliance.reviews, of.opening_ids
    for wrong in ([], [ids[0], 10_000], [10_000]):
        with pytest.raises(ReviewRefusedError):
            desk.decide(of.tow_id, wrong, "accepted", "rita")
    with pytest.raises(ReviewRefusedError, match="no decision 'maybe'"):
        desk.decide(of.tow_id, ids, "maybe", "rita")
    with pytest.raises(ReviewRefusedError, match="two openings or more"):
        desk.group(of.tow_id, [ids[0], ids[0]], "rita")
    with pytest.raises(ReviewRefusedError, match="no still and no clip"):
        desk.decide(of.tow_id + 1, ids, "accepted", "rita")
    assert of.appliance.writer.execute("SELECT count(*) FROM review_actions").fetchone()[0] == 0


def test_the_count_after_review(of: Reviewable) -> None:
    desk, ids = of.appliance.reviews, of.opening_ids
    before = reviewed_count(openings(of))
    with of.appliance.reader() as connection:
        made = analysis_of_tow(connection, of.tow_id)
    assert made is not None
    assert (float(before.openings), float(before.systems), before.undecided) == (made.openings, made.systems, 4)
    desk.decide(of.tow_id, [ids[2]], "accepted", "rita")  # too doubtful for the model
    desk.decide(of.tow_id, [ids[3]], "rejected", "rita")
    desk.decide(of.tow_id, [ids[4]], "accepted", "rita")  # it did not cross: no count
    desk.decide(of.tow_id, [ids[5]], "unsure", "rita")
    after = reviewed_count(openings(of))
    assert (after.openings, after.systems, after.undecided, after.rejected) == (4, 3, 3, 1)
    desk.group(of.tow_id, [ids[0], ids[1], ids[2], ids[5]], "rita")
    grouped = reviewed_count(openings(of))
    assert (grouped.openings, grouped.systems, grouped.systems_by_minute) == (4, 1, {1: 1})


def test_the_figures_in_one_pass_are_those_of_the_count(of: Reviewable) -> None:
    desk, ids, chance = of.appliance.reviews, of.opening_ids, np.random.default_rng(3)
    for _ in range(30):
        some = [ids[place] for place in chance.choice(6, int(chance.integers(2, 6)), replace=False)]
        what = int(chance.integers(0, 4))
        if what == 0:
            desk.group(of.tow_id, some, "rita")
        elif what == 1:
            desk.split(of.tow_id, some, "rita")
        else:
            desk.decide(of.tow_id, some, ("accepted", "rejected", "unsure", "cleared")[int(chance.integers(0, 4))], "rita")
        whole = reviewed_count(openings(of))
        with of.appliance.reader() as connection:
            found = review_figures(connection, of.analysis_id, WHOLE_TOW)
            assert found.among[ReviewAmong.ALL] == review_tally(connection, of.analysis_id)
        assert found[:4] == (whole.openings, whole.systems, whole.undecided, whole.rejected)


def test_a_system_counts_in_the_minute_of_its_first_counted_opening(tmp_path: Path) -> None:
    appliance = SimulatedAppliance(tmp_path / "home")
    found = [make_opening(1, system=1, crossing_s=59.9), make_opening(2, system=1, crossing_s=60.0), make_opening(3, crossing_s=120.0)]
    tow = make_reviewable(appliance, openings=found)
    assert reviewed_count(openings(tow)).systems_by_minute == {1: 1, 3: 1}
    assert reviewed_count(openings(tow)).openings_by_minute == {1: 1, 2: 1, 3: 1}
    appliance.reviews.decide(tow.tow_id, tow.opening_ids[:1], "rejected", "rita")
    assert reviewed_count(openings(tow)).systems_by_minute == {2: 1, 3: 1}
    appliance.close()


def test_the_station_tells_the_count_after_review(of: Reviewable) -> None:
    with of.appliance.reader() as connection:
        analysis = analysis_of_tow(connection, of.tow_id)
        told = model_source(connection, analysis)
    assert told is not None
    assert told["reviewed"] is None
    of.appliance.reviews.decide(of.tow_id, of.opening_ids[:1], "rejected", "rita")
    with of.appliance.reader() as connection:
        told = model_source(connection, analysis)
    assert told is not None
    assert (told["openings"], told["reviewed"]["openings"], told["reviewed"]["rejected"]) == (4.0, 3, 1)
    assert told["reviewed"]["decisions"] == {"openings": 6, "accepted": 0, "rejected": 1, "unsure": 0, "undecided": 5}


def test_no_order_depends_on_a_decision(of: Reviewable) -> None:
    def orders() -> dict[ReviewSort, list[int]]:
        with of.appliance.reader() as connection:
            analysis = analysis_of_tow(connection, of.tow_id)
            assert analysis is not None
            found = {sort: of.appliance.reviews.order(connection, analysis, sort) for sort in ReviewSort}
        return {sort: [of.opening_ids.index(one) for one in order] for sort, order in found.items()}

    before = orders()
    assert before[ReviewSort.ALONG] == [0, 1, 2, 3, 4, 5]
    assert before[ReviewSort.UNCERTAIN] == [0, 4, 2, 3, 1, 5]  # |confidence - 0.5| of 0.05, 0.12, 0.2, 0.4, 0.47, 0.49
    assert before[ReviewSort.OUTLIER][0] == 2  # a confidence of 0.3 among 0.55 to 0.99
    of.appliance.reviews.decide(of.tow_id, of.opening_ids[::2], "rejected", "rita")
    of.appliance.reviews.group(of.tow_id, of.opening_ids[::2], "rita")
    assert orders() == before
    with of.appliance.reader() as connection:
        analysis = analysis_of_tow(connection, of.tow_id)
        assert analysis is not None
        shown = {show: len(of.appliance.reviews.order(connection, analysis, ReviewSort.OUTLIER, show=show)) for show in ReviewShow}
    assert shown == {"all": 6, "undecided": 3, "accepted": 0, "rejected": 3, "unsure": 0, "earlier": 0}


def test_the_outlier_is_the_one_of_another_size() -> None:
    boxes = [boxes_at([0.0], (0.0, 0.0, size, size)) for size in (20.0, 21.0, 22.0, 80.0, 20.5)]
    scores = outlier_scores(boxes, [0.9, 0.91, 0.9, 0.9, 0.89])
    assert int(np.argmax(scores)) == 3
    assert outlier_scores([], []).shape == (0,)
    assert list(outlier_scores(boxes[:1] * 3, [0.9] * 3)) == [0.0, 0.0, 0.0]


def test_a_loop_of_a_clip_has_9_to_17_frames_and_one_of_stills_what_there_is() -> None:
    short = np.array([[1.0, 0, 0, 10, 10, 0.9], [2.0, 0, 80, 10, 90, 0.8]]).tobytes()
    filled = loop(short, is_clip=True)
    assert len(filled) == LEAST_FRAMES
    assert (filled[0].at_s, filled[-1].at_s, filled[4].box_px) == (1.0, 2.0, (0.0, 40.0, 10.0, 50.0))
    assert drift_of(filled, 4) == pytest.approx((0.0, 80.0))
    assert loop(short, is_clip=False) == found_boxes(short)
    long = boxes_at([0.1 * number for number in range(40)])
    for is_clip in (True, False):
        found = loop(long, is_clip=is_clip)
        assert (len(found), found[0].at_s, round(found[-1].at_s, 6)) == (MOST_FRAMES, 0.0, 3.9)
    single = boxes_at([1.0])
    assert len(loop(single, is_clip=True)) == 1
    assert drift_of(loop(single, is_clip=True), 0) == (0.0, 0.0)
    assert side_of(single) == 128.0


def test_a_blind_tow_cannot_be_reviewed_until_it_is_released(tmp_path: Path) -> None:
    appliance = SimulatedAppliance(tmp_path / "home")
    blind = make_blind_survey(appliance, stills=4)
    found = make_analysis([make_opening(1), make_opening(2)])
    with immediate(appliance.writer):
        record_analysis(appliance.writer, appliance.seal, blind.tow_id, found, is_sealed=True)
    with pytest.raises(ReviewRefusedError, match="sealed until they have signed"):
        appliance.reviews.decide(blind.tow_id, [1], "accepted", "rita")
    with appliance.reader() as connection:
        assert standing(connection, blind.tow_id).state is ReviewState.SEALED
        assert standing(connection, blind.tow_id).analysis is None
    administrator = blind.person("anna")
    assert administrator.role is Role.ADMINISTER
    blind.desk.release(blind.tow_id, administrator, "nobody counts it")
    ids = [row[0] for row in appliance.writer.execute("SELECT id FROM tow_openings ORDER BY ordinal")]
    appliance.reviews.decide(blind.tow_id, ids, "accepted", "rita")
    appliance.close()


def test_plain_rows_of_a_blind_tow_are_not_reviewed_either(tmp_path: Path) -> None:
    appliance = SimulatedAppliance(tmp_path / "home")
    blind = make_blind_survey(appliance, stills=4)
    with immediate(appliance.writer):  # as one that people had worked on before the first protocol was stated
        analysis_id = record_analysis(appliance.writer, appliance.seal, blind.tow_id, make_analysis([make_opening(1)]), is_sealed=False)
    ids = [row[0] for row in appliance.writer.execute("SELECT id FROM tow_openings WHERE analysis_id = ?", (analysis_id,))]
    with pytest.raises(ReviewRefusedError, match="sealed"):
        appliance.reviews.decide(blind.tow_id, ids, "accepted", "rita")
    appliance.close()


def test_what_was_decided_before_another_analysis_is_told(of: Reviewable) -> None:
    of.appliance.reviews.decide(of.tow_id, of.opening_ids[:3], "accepted", "rita")
    db = of.appliance.writer
    with immediate(db):
        record_analysis(db, of.appliance.seal, of.tow_id, make_analysis([make_opening(1)], **told_of(db, of.tow_id)), is_sealed=False)
    with pytest.raises(ReviewRefusedError, match="not all of these"):
        of.appliance.reviews.decide(of.tow_id, of.opening_ids[:1], "rejected", "rita")
    with of.appliance.reader() as connection:
        assert decided_before(connection, of.tow_id) == 3


@pytest.mark.parametrize(("state", "reason"), [("refused", "its stills are 2.0 s apart"), ("failed", "KeyError('x')")])
def test_footage_that_was_not_analysed_says_why(of: Reviewable, state: str, reason: str) -> None:
    db = of.appliance.writer
    with immediate(db):
        empty = replace(make_analysis([]), state=state, reason=reason, openings=None, systems=None)  # type: ignore[arg-type]
        record_analysis(db, of.appliance.seal, of.tow_id, empty, is_sealed=False)
    with pytest.raises(ReviewRefusedError) as refused:
        of.appliance.reviews.undo(of.tow_id, "rita")
    assert reason in str(refused.value)
    with of.appliance.reader() as connection:
        assert standing(connection, of.tow_id).state == state


def test_nothing_that_was_reviewed_is_shown_while_the_tow_is_counted_blind_again(of: Reviewable) -> None:
    of.appliance.reviews.decide(of.tow_id, of.opening_ids[:1], "rejected", "rita")
    with of.appliance.reader() as connection:
        before = station_result(connection, of.tow_id)
    assert (before.model_openings, before.sources["model"]["reviewed"]["openings"]) == (4.0, 3)
    db = of.appliance.writer
    surveys.add_protocol(db, of.survey_id, make_protocol(), reason="the manual", actor="test")
    with of.appliance.reader() as connection:
        result = station_result(connection, of.tow_id)
    assert (result.model_openings, result.model_systems) == (None, None)
    told = result.sources["model"]
    assert (told["state"], told["openings"], told["systems"], told["per_minute"], told["reviewed"]) == ("sealed", None, None, [], None)


def test_chips_of_stills_are_those_that_the_model_looked_at(tmp_path: Path) -> None:
    appliance = SimulatedAppliance(tmp_path / "home")
    blind = make_blind_survey(appliance, stills=12, sealed=False)
    db = appliance.writer
    db.execute("UPDATE tow_images SET at_s = (SELECT count(*) * 0.2 FROM tow_images AS n WHERE n.image_id < tow_images.image_id)")
    db.execute("UPDATE tows SET start_utc = '2026-07-14T12:00:00.000Z' WHERE id = ?", (blind.tow_id,))
    blind.desk.release(blind.tow_id, blind.person("anna"), "nobody counts it")
    seen = make_opening(1, boxes=boxes_at([0.4, 0.6, 0.8]))
    told = told_of(db, blind.tow_id)
    told["made_from"] = json.dumps({**json.loads(told["made_from"]), "clock": str(Clock.SHEET)})
    with immediate(db):
        record_analysis(db, appliance.seal, blind.tow_id, make_analysis([seen], **told), is_sealed=False)
    with appliance.reader() as connection:
        (opening,) = db.execute("SELECT id FROM tow_openings").fetchone()
        place = opening_place(connection, opening)
        assert place is not None
        moments = loop_of(connection, place)
    assert [(one.image_id, one.in_clip_s, round(one.seen.at_s, 3)) for one in moments] == [
        (blind.image_ids[2], None, 0.4),
        (blind.image_ids[3], None, 0.6),
        (blind.image_ids[4], None, 0.8),
    ]
    appliance.close()
