"""Minutes counted blind to the model: drawn once, hidden until they are counted, finished only when looked at, and what they say then."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from edge.errors import CountOutdatedError, CountRefusedError, ReviewRefusedError
from edge.store import surveys
from edge.store.analyses import FoundOpening
from edge.store.connection import immediate
from edge.store.reads.footage import analysis_of_tow
from edge.store.reads.reviews import ReviewAmong, ReviewSort
from edge.survey.counting.content import CountContent, Mark
from edge.survey.miss_check import draw
from edge.survey.miss_gate import CheckState, Gate, withheld_words
from edge.survey.tow_source import model_source
from tests.helpers.clips import WIDTH_PX
from tests.helpers.counted import make_protocol
from tests.helpers.reviewable import Reviewable, analyse_again, make_opening, make_reviewable, seconds_of, see_again, told_of
from tests.simulators.appliance import SimulatedAppliance

CLIP_S = 200.0


def openings() -> list[FoundOpening]:
    """One every five seconds, its x growing along the tow; the last two of each minute do not cross."""
    found = []
    for place in range(40):
        at_s = 5.0 * place + 2.0
        crossing_s = None if place % 12 > 9 else at_s
        across_px = 4.0 + 3.0 * place
        found.append(
            make_opening(place + 1)._replace(
                first_s=at_s - 0.5, last_s=at_s + 0.1, crossing_s=crossing_s, across_px=across_px, confidence=0.9
            )
        )
    return found


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reviewable]:
    appliance = SimulatedAppliance(tmp_path_factory.mktemp("misses") / "home")
    yield make_reviewable(appliance, openings=openings(), clip_s=CLIP_S)
    appliance.close()


@pytest.fixture
def of(home: Reviewable) -> Iterator[Reviewable]:
    db = home.appliance.writer
    yield home
    for table in ("miss_checks", "opening_decisions", "opening_groups", "review_actions"):
        db.execute(f"DELETE FROM {table}")
    db.execute("DELETE FROM protocols")
    db.execute("DELETE FROM releases")
    later = "SELECT id FROM tow_analyses WHERE id > ?"
    for table in ("tow_openings", "tow_systems", "tow_minutes", "tow_seconds"):
        db.execute(f"DELETE FROM {table} WHERE analysis_id IN ({later})", (home.analysis_id,))
    db.execute("DELETE FROM tow_analyses WHERE id > ?", (home.analysis_id,))
    db.execute("UPDATE tow_analyses SET is_current = 1")
    home.appliance.reviews.misses._impossible.clear()


def count_minutes(of: Reviewable, **window: int) -> None:
    """Let a protocol count these minutes, of a tow that nobody counts blind."""
    db = of.appliance.writer
    with immediate(db):
        db.execute("INSERT INTO releases (tow_id, reason, released_by, released_utc) VALUES (?, 'a test', 'test', 'now')", (of.tow_id,))
        surveys.add_protocol(db, of.survey_id, make_protocol(**window), reason="a test", actor="test")


def gate(of: Reviewable) -> Gate:
    with of.appliance.reader() as connection:
        analysis = analysis_of_tow(connection, of.tow_id)
        assert analysis is not None
        return of.appliance.reviews.misses.gate(connection, analysis)


def shown(of: Reviewable) -> list[int]:
    """Ordinals of the openings that the review shows."""
    with of.appliance.reader() as connection:
        analysis = analysis_of_tow(connection, of.tow_id)
        assert analysis is not None
        ids = of.appliance.reviews.order(connection, analysis, ReviewSort.ALONG)
    return [of.opening_ids.index(one) + 1 for one in ids]


def told(of: Reviewable) -> dict[str, Any]:
    with of.appliance.reader() as connection:
        source = model_source(connection, analysis_of_tow(connection, of.tow_id))
    assert source is not None
    return source


def marked(minutes: tuple[int, ...], *, left_out: int = 0, revision: int = 0) -> CountContent:
    """The content of somebody who marked every opening of the minutes on the line, but the first few."""
    spans = [((minute - 1) * 60.0, minute * 60.0) for minute in minutes]
    found = [one for one in openings() if one.crossing_s is not None and any(begin <= one.crossing_s < end for begin, end in spans)]
    marks = [
        Mark(at_s=one.crossing_s or 0.0, image_id=None, feature="system", x=one.across_px / WIDTH_PX, y=0.83, marked_utc="now")
        for one in found[left_out:]
    ]
    return CountContent(revision=revision, marks=marks, seen=spans)


def test_nothing_is_shown_before_the_draw_and_then_all_but_the_minutes(of: Reviewable) -> None:
    assert gate(of).state is CheckState.TO_DRAW
    with pytest.raises(ReviewRefusedError, match="counted blind first"):
        shown(of)
    with pytest.raises(ReviewRefusedError, match="counted blind first"):
        of.appliance.reviews.decide(of.tow_id, of.opening_ids[:1], "accepted", "rita")
    drawn = of.appliance.reviews.misses.draw(of.tow_id, "rita", "rita here")
    assert (drawn.state, len(drawn.minutes)) == (CheckState.OPEN, 2)
    expected = [one.ordinal for one in openings() if int((one.crossing_s or one.last_s) // 60) + 1 not in drawn.minutes]
    assert shown(of) == expected
    hidden = next(one for one in range(1, 41) if one not in expected)
    with pytest.raises(ReviewRefusedError, match="not all of these openings"):
        of.appliance.reviews.decide(of.tow_id, [of.opening_ids[hidden - 1]], "accepted", "rita")
    of.appliance.reviews.decide(of.tow_id, [of.opening_ids[expected[0] - 1]], "accepted", "rita")


def test_an_opening_in_sight_within_a_hidden_minute_is_hidden_though_it_crosses_later(of: Reviewable) -> None:
    of.appliance.reviews.misses.draw(of.tow_id, "rita", "rita here")
    hidden = gate(of).hidden
    of.appliance.writer.execute("UPDATE tow_openings SET first_s = ?, last_s = ?, crossing_s = ? WHERE id = ?", (
        hidden[0][1] - 0.2, hidden[0][1] + 0.9, hidden[0][1] + 0.5, of.opening_ids[0],
    ))  # fmt: skip
    is_shown = 1 in shown(of)
    first = openings()[0]
    of.appliance.writer.execute(
        "UPDATE tow_openings SET first_s = ?, last_s = ?, crossing_s = ? WHERE id = ?",
        (first.first_s, first.last_s, first.crossing_s, of.opening_ids[0]),
    )
    assert not is_shown


def test_the_draw_is_made_once_and_its_seed_explains_it(of: Reviewable) -> None:
    first = of.appliance.reviews.misses.draw(of.tow_id, "rita", "rita here")
    again = of.appliance.reviews.misses.draw(of.tow_id, "jd", "jd there")
    assert again == first
    assert first.check is not None
    pool = json.loads(first.check.pool_json)
    assert pool == [1, 2, 3, 4]
    assert draw(first.check.seed, pool) == first.minutes
    rows = of.appliance.writer.execute("SELECT actor, detail_json FROM audit WHERE action = 'miss_check_drawn'").fetchall()
    assert rows[-1][0] == "rita here"
    assert json.loads(rows[-1][1])["seed"] == first.check.seed
    assert of.appliance.writer.execute("SELECT count(*) FROM miss_checks").fetchone()[0] == 1


def test_only_counted_minutes_are_drawn_and_none_that_somebody_knows(of: Reviewable) -> None:
    count_minutes(of, first_minute=2, last_minute=3)
    assert of.appliance.reviews.misses.draw(of.tow_id, "rita", "rita here").minutes == (2, 3)


def test_minutes_that_were_reviewed_before_are_not_drawn(of: Reviewable) -> None:
    db = of.appliance.writer
    for minute in (1, 2, 4):
        db.execute(
            "INSERT INTO opening_decisions (opening_id, decision, decided_by, decided_utc) VALUES (?, 'accepted', 'jd', 'now')",
            (of.opening_ids[(minute - 1) * 12],),
        )
    assert of.appliance.reviews.misses.draw(of.tow_id, "rita", "rita here").minutes == (3,)


def test_where_every_minute_is_known_none_can_be_drawn_and_all_is_shown(of: Reviewable) -> None:
    db = of.appliance.writer
    for minute in range(4):
        db.execute(
            "INSERT INTO opening_decisions (opening_id, decision, decided_by, decided_utc) VALUES (?, 'unsure', 'jd', 'now')",
            (of.opening_ids[minute * 12],),
        )
    found = gate(of)
    assert found.state is CheckState.NOT_POSSIBLE
    assert "reviewed already" in found.words
    assert len(shown(of)) == 40
    assert "reviewed already" in told(of)["misses"]["words"]


def test_marks_are_those_of_one_person_and_of_the_last_window(of: Reviewable) -> None:
    desk = of.appliance.reviews.misses
    minutes = desk.draw(of.tow_id, "rita", "rita here").minutes
    assert desk.save(of.tow_id, "rita", marked(minutes)) == 1
    assert desk.save(of.tow_id, "rita", marked(minutes)) == 1, "the same sent again is one save"
    with pytest.raises(CountOutdatedError):
        desk.save(of.tow_id, "rita", marked(minutes, left_out=1))
    with pytest.raises(CountRefusedError, match="rita counts these minutes"):
        desk.save(of.tow_id, "jd", marked(minutes, revision=1))
    with pytest.raises(CountRefusedError, match="rita counts these minutes"):
        desk.finish(of.tow_id, "jd", revision=1, actor="jd there")
    assert desk.save(of.tow_id, "rita", marked(minutes, left_out=2, revision=1)) == 2
    found = gate(of).check
    assert found is not None
    assert len(desk.content(found).marks) == len(marked(minutes).marks) - 2


def test_it_is_finished_only_when_it_was_looked_at_and_saved(of: Reviewable) -> None:
    desk = of.appliance.reviews.misses
    minutes = desk.draw(of.tow_id, "rita", "rita here").minutes
    content = marked(minutes)
    begin, end = content.seen[0]
    desk.save(of.tow_id, "rita", CountContent(marks=content.marks, seen=[(begin, end - 6.0), content.seen[1]]))
    with pytest.raises(CountRefusedError, match=rf"minute {minutes[0]}: 6 s"):
        desk.finish(of.tow_id, "rita", revision=1, actor="rita here")
    lost = CountContent(revision=1, marks=content.marks, seen=[(begin, end - 6.0), content.seen[1]], lost=[(end - 6.0, end - 2.0)])
    desk.save(of.tow_id, "rita", lost)
    with pytest.raises(CountRefusedError, match="not all of it is saved"):
        desk.finish(of.tow_id, "rita", revision=1, actor="rita here")
    desk.finish(of.tow_id, "rita", revision=2, actor="rita here")
    assert gate(of).state is CheckState.DONE
    assert len(shown(of)) == 40
    with pytest.raises(CountRefusedError, match="the check is done"):
        desk.save(of.tow_id, "rita", marked(minutes, revision=2))
    with pytest.raises(CountRefusedError, match="not open any more"):
        desk.decline(of.tow_id, "jd there", "no time")


def test_a_short_last_minute_is_done_when_its_footage_was_looked_at(of: Reviewable) -> None:
    count_minutes(of, first_minute=4, last_minute=9)
    desk = of.appliance.reviews.misses
    assert desk.draw(of.tow_id, "rita", "rita here").minutes == (4,)
    desk.save(of.tow_id, "rita", CountContent(seen=[(180.0, 200.0)]))
    desk.finish(of.tow_id, "rita", revision=1, actor="rita here")
    assert told(of)["misses"]["recall"] is None
    assert "marked no opening" in told(of)["misses"]["words"]


def test_what_the_model_missed_follows_the_review(of: Reviewable) -> None:
    desk = of.appliance.reviews.misses
    minutes = desk.draw(of.tow_id, "rita", "rita here").minutes
    content = marked(minutes)
    more = Mark(at_s=minutes[0] * 60.0 - 1.0, image_id=None, feature="system", x=0.99, y=0.83, marked_utc="now")
    desk.save(of.tow_id, "rita", CountContent(marks=[*content.marks, more], seen=content.seen))
    desk.finish(of.tow_id, "rita", revision=1, actor="rita here")
    found = told(of)["misses"]
    marks = len(content.marks) + 1
    assert (found["state"], found["marks"], found["counted_by"]) == ("done", marks, "rita")
    assert found["recall"] == pytest.approx((marks - 1) / marks)
    assert sum(one["missed"] for one in found["minutes"]) == 1
    assert found["missed_at"] == ((minutes[0] * 60.0 - 1.0, 0.99),)
    assert f"of {marks} openings that rita marked" in found["words"]
    assert f"{marks} marks are few" in found["words"]
    counting = sum(one.crossing_s is not None for one in openings())
    assert f"{counting} of the {counting} are undecided, and as far as they are no openings the estimate is too high" in found["words"]
    inside = next(one for one in openings() if one.crossing_s is not None and int(one.crossing_s // 60) + 1 == minutes[0])
    of.appliance.reviews.decide(of.tow_id, [of.opening_ids[inside.ordinal - 1]], "rejected", "rita")
    assert told(of)["misses"]["recall"] == pytest.approx((marks - 2) / marks)


def test_a_protocol_that_counts_other_minutes_may_let_some_be_drawn(of: Reviewable) -> None:
    count_minutes(of, first_minute=7, last_minute=9)
    assert gate(of).state is CheckState.NOT_POSSIBLE
    assert "no counted minute has 20 s" in gate(of).words
    with immediate(of.appliance.writer) as db:
        surveys.add_protocol(db, of.survey_id, make_protocol(first_minute=2, last_minute=3), reason="a typing error", actor="test")
    assert gate(of).state is CheckState.TO_DRAW


def test_it_is_declined_with_a_reason_for_good(of: Reviewable) -> None:
    desk = of.appliance.reviews.misses
    with pytest.raises(CountRefusedError, match="no minutes are drawn"):
        desk.decline(of.tow_id, "jd there", "no time")
    minutes = desk.draw(of.tow_id, "rita", "rita here").minutes
    with pytest.raises(CountRefusedError, match="with a reason"):
        desk.decline(of.tow_id, "jd there", "  ")
    desk.decline(of.tow_id, "jd there", "rita left the ship")
    assert gate(of).state is CheckState.DECLINED
    assert len(shown(of)) == 40
    assert told(of)["misses"]["words"] == f"minutes {minutes[0]} and {minutes[1]} were not counted blind: rita left the ship (jd there)"
    assert desk.draw(of.tow_id, "jd", "jd there").state is CheckState.DECLINED


def test_while_it_is_open_no_minute_of_it_is_told(of: Reviewable) -> None:
    minutes = of.appliance.reviews.misses.draw(of.tow_id, "rita", "rita here").minutes
    db = of.appliance.writer
    for minute in (1, 2, 3, 4):
        db.execute("INSERT OR IGNORE INTO tow_minutes VALUES (?, ?, 9, 0, 9, 0, 0)", (of.analysis_id, minute))
    source = told(of)
    assert {one["minute"] for one in source["per_minute"]} == {1, 2, 3, 4} - set(minutes)
    of.appliance.reviews.decide(of.tow_id, [of.opening_ids[shown(of)[0] - 1]], "accepted", "rita")
    assert not {int(minute) for minute in told(of)["reviewed"]["systems_by_minute"]} & set(minutes)


def tell_minutes(of: Reviewable) -> None:
    """Let the model's count have a figure for each minute."""
    for minute in (1, 2, 3, 4):
        of.appliance.writer.execute("INSERT OR IGNORE INTO tow_minutes VALUES (?, ?, 9, 0, 9, 0, 0)", (of.analysis_id, minute))


def test_before_the_draw_no_minute_is_told_but_the_whole_tow_is(of: Reviewable) -> None:
    tell_minutes(of)
    source = told(of)
    assert (source["openings"], source["per_minute"]) == (34.0, [])
    assert "no minute is told before" in source["not_in_per_minute"]
    of.appliance.reviews.misses.draw(of.tow_id, "rita", "rita here")
    assert "to be counted blind" in told(of)["not_in_per_minute"]
    of.appliance.reviews.misses.decline(of.tow_id, "rita here", "for a test")
    of.appliance.reviews.decide(of.tow_id, of.opening_ids[:1], "rejected", "rita")
    source = told(of)
    assert (len(source["per_minute"]), source["not_in_per_minute"]) == (4, None)
    assert set(source["reviewed"]["systems_by_minute"]) == {"1", "2", "3", "4"}


def withheld(of: Reviewable) -> str:
    with of.appliance.reader() as connection:
        analysis = analysis_of_tow(connection, of.tow_id)
        assert analysis is not None
        return withheld_words(connection, analysis)


def test_nothing_leaves_from_the_begin_of_a_review_to_the_end_of_its_check(of: Reviewable) -> None:
    assert withheld(of) == "", "a tow that nobody reviews can be exported"
    minutes = of.appliance.reviews.misses.draw(of.tow_id, "rita", "rita here").minutes
    assert withheld(of).startswith(f"minutes {minutes[0]} and {minutes[1]} of it are to be counted blind")
    again = analyse_again(of, openings(), made_from=moved_line(of), seconds=seconds_of(CLIP_S))
    assert "are not drawn" in withheld(again)
    tell_minutes(again)
    acted = "INSERT INTO review_actions (uuid, analysis_id, what, done_by, done_utc) VALUES ('a', ?, 'decide', 'jd', 'now')"
    of.appliance.writer.execute(acted, (of.analysis_id,))
    assert told(again)["per_minute"] == []
    of.appliance.reviews.misses.draw(again.tow_id, "rita", "rita here")
    of.appliance.reviews.misses.decline(of.tow_id, "rita here", "for a test")
    assert withheld(again) == ""


def moved_line(of: Reviewable) -> str:
    """What an analysis with another counting line is made from."""
    return json.dumps(json.loads(told_of(of.appliance.writer, of.tow_id)["made_from"]) | {"line_height": 0.6})


def test_another_model_on_the_same_footage_is_held_against_the_same_marks(of: Reviewable) -> None:
    desk = of.appliance.reviews.misses
    minutes = desk.draw(of.tow_id, "rita", "rita here").minutes
    desk.save(of.tow_id, "rita", marked(minutes))
    desk.finish(of.tow_id, "rita", revision=1, actor="rita here")
    again = analyse_again(of, openings()[::2])
    assert gate(again).state is CheckState.DONE
    marks = len(marked(minutes).marks)
    found = told(again)["misses"]
    assert (found["marks"], sum(one["model_only"] for one in found["minutes"])) == (marks, 0)
    assert 0.3 < found["recall"] < 0.7


def test_another_name_of_the_clip_is_no_other_footage(of: Reviewable) -> None:
    minutes = of.appliance.reviews.misses.draw(of.tow_id, "rita", "rita here").minutes
    see_again(of.appliance.writer, of.tow_id, "a copy.mp4")
    again = analyse_again(of, openings())
    of.appliance.writer.execute("DELETE FROM sightings WHERE name = 'a copy.mp4'")
    found = gate(again)
    assert (found.state, found.minutes) == (CheckState.OPEN, minutes)


def test_another_line_asks_for_another_count_of_the_minutes_that_nobody_has_seen(of: Reviewable) -> None:
    of.appliance.reviews.misses.draw(of.tow_id, "rita", "rita here")
    first = gate(of)
    again = analyse_again(of, openings(), made_from=moved_line(of), seconds=seconds_of(CLIP_S))
    assert gate(again).state is CheckState.TO_DRAW
    second = of.appliance.reviews.misses.draw(again.tow_id, "rita", "rita here")
    assert second.check is not None
    assert first.check is not None
    assert second.check.line_height == 0.6
    assert second.check.id != first.check.id
    assert second.minutes == first.minutes, "of the others everything was shown"


def test_what_crossed_in_the_counted_minutes_comes_first(of: Reviewable) -> None:
    count_minutes(of, first_minute=2, last_minute=3)
    desk = of.appliance.reviews
    desk.misses.draw(of.tow_id, "rita", "rita here")
    desk.misses.decline(of.tow_id, "rita here", "for a test")
    with of.appliance.reader() as connection:
        analysis = analysis_of_tow(connection, of.tow_id)
        assert analysis is not None
        parts = {among: len(desk.order(connection, analysis, ReviewSort.ALONG, among=among)) for among in ReviewAmong}
    assert parts == {"counted": 20, "doubtful": 0, "outside": 14, "uncrossed": 6, "all": 40}
