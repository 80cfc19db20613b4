"""Two counters and a chief scientist: counts, signatures, a third count, what an administrator may do."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from edge.errors import AccountError, CountOutdatedError, CountRefusedError, EdgeError, PinRefusedError
from edge.store.connection import immediate
from edge.store.counts import add_imported
from edge.store.reads.counts import CountedMinute, counts_of_tow, marks_of_count, revealed_counts
from edge.store.reads.qualifications import QualificationRule, best_standing, qualifications
from edge.store.reads.surveys import protocols
from edge.survey.counting.content import Mark, TypedMinute
from edge.survey.counting.judge import CountsState, tow_counts
from edge.survey.counting.rules import judging_rules
from tests.helpers.counted import PIN, BlindSurvey, make_blind_survey, make_content
from tests.simulators.appliance import SimulatedAppliance

ANNA_LIKE = [5.0, 15, 25, 35, 45, 70, 80]
CLOSE = [6.0, 16, 26, 36, 46, 71, 81, 90]
FAR = [70.0, 75, 80, 85, 90, 95, 100]


@pytest.fixture
def blind(tmp_path: Path) -> Iterator[BlindSurvey]:
    appliance = SimulatedAppliance(tmp_path / "home")
    yield make_blind_survey(appliance, stills=240)
    appliance.close()


def counts(blind: BlindSurvey) -> list[tuple[str, str, bool]]:
    with blind.appliance.reader() as connection:
        return [(one.counter, one.state, one.revealed_utc is not None) for one in counts_of_tow(connection, blind.tow_id)]


def public_rows(blind: BlindSurvey) -> int:
    db = blind.appliance.writer
    return int(db.execute("SELECT (SELECT count(*) FROM count_minutes) + (SELECT count(*) FROM count_marks)").fetchone()[0])


def outbox_states(blind: BlindSurvey) -> set[tuple[str, str]]:
    return {tuple(row) for row in blind.appliance.writer.execute("SELECT kind, state FROM outbox WHERE kind IN ('run', 'counts')")}


def state(blind: BlindSurvey) -> CountsState:
    with blind.appliance.reader() as connection:
        found = counts_of_tow(connection, blind.tow_id)
        return tow_counts(found, judging_rules(connection, found, blind.survey_id), is_reference=False).state


def test_two_signatures_reveal_everything_at_once(blind: BlindSurvey) -> None:
    assert state(blind) is CountsState.NOT_BEGUN
    blind.sign("jd", ANNA_LIKE)
    assert counts(blind) == [("jd", "signed", False)]
    assert state(blind) is CountsState.COUNTER_MISSING
    assert public_rows(blind) == 0
    assert outbox_states(blind) == {("run", "sealed")}
    blind.sign("cl", CLOSE)
    assert outbox_states(blind) == {("run", "waiting"), ("counts", "waiting")}
    assert counts(blind) == [("jd", "signed", True), ("cl", "signed", True)]
    with blind.appliance.reader() as connection:
        first, second = revealed_counts(connection, blind.tow_id)
        assert [one.systems for one in first.minutes.values()] == [5, 2]
        assert [one.systems for one in second.minutes.values()] == [5, 3]
        assert [mark.at_s for mark in marks_of_count(connection, first.id)] == ANNA_LIKE
        assert protocols(connection, blind.survey_id)[0].locked_utc is not None
    db = blind.appliance.writer
    assert db.execute("SELECT count(*) FROM counts WHERE sealed IS NOT NULL").fetchone()[0] == 0
    assert db.execute("SELECT count(*) FROM objects").fetchone()[0] == 3 * len(blind.image_ids)
    assert db.execute("SELECT count(*) FROM outbox WHERE kind = 'counts'").fetchone()[0] == 1
    actions = [row[0] for row in db.execute("SELECT action FROM audit WHERE action LIKE 'count%' ORDER BY id")]
    assert actions == ["count_open", "count_sign", "count_open", "count_sign", "counts_reveal"]


def test_below_the_limit_a_third_counts_as_blind_as_the_first_two(blind: BlindSurvey) -> None:
    blind.sign("jd", ANNA_LIKE)
    blind.sign("cl", FAR)
    assert state(blind) is CountsState.THIRD_COUNT
    assert public_rows(blind) == 0
    assert blind.appliance.writer.execute("SELECT count(*) FROM objects").fetchone()[0] == 0
    blind.sign("rita", CLOSE)
    assert state(blind) is CountsState.REVEALED
    with blind.appliance.reader() as connection:
        assert [one.counter for one in revealed_counts(connection, blind.tow_id)] == ["jd", "cl", "rita"]


def test_a_signed_zero_is_a_count(blind: BlindSurvey) -> None:
    blind.sign("jd", [])
    blind.sign("cl", [])
    with blind.appliance.reader() as connection:
        for one in revealed_counts(connection, blind.tow_id):
            assert [minute.systems for minute in one.minutes.values()] == [0, 0]


def test_nobody_opens_saves_or_signs_anothers_count(blind: BlindSurvey) -> None:
    count_id, revision = blind.save("jd", ANNA_LIKE)
    for name in ("cl", "rita", "anna", "vera"):
        other = blind.person(name)
        with pytest.raises(CountRefusedError, match="has no count"):
            blind.desk.own(count_id, other)
        with pytest.raises(CountRefusedError, match="has no count"):
            blind.desk.save(count_id, other, make_content([], revision=revision))
        with pytest.raises(CountRefusedError, match="has no count"):
            blind.desk.sign(count_id, other, PIN, revision=revision)
    with pytest.raises(CountRefusedError, match="may not count"):
        blind.desk.begin(blind.tow_id, blind.person("vera"))


def test_the_older_window_is_told_and_changes_nothing(blind: BlindSurvey) -> None:
    count_id, revision = blind.save("jd", ANNA_LIKE)
    person = blind.person("jd")
    blind.desk.save(count_id, person, make_content(CLOSE, revision=revision))
    for act in (
        lambda: blind.desk.save(count_id, person, make_content([], revision=revision)),
        lambda: blind.desk.sign(count_id, person, PIN, revision=revision),
    ):
        with pytest.raises(CountOutdatedError):
            act()
    assert [one.at_s for one in blind.desk.own(count_id, person).content.marks] == CLOSE


def test_a_save_that_is_sent_again_is_saved_once(blind: BlindSurvey) -> None:
    """After an answer that was lost on its way; anything else at an older revision is another window's."""
    count_id, revision = blind.save("jd", ANNA_LIKE)
    person = blind.person("jd")
    sent = make_content(CLOSE, revision=revision, notes={2: "silt"})
    assert [blind.desk.save(count_id, person, sent) for _ in range(3)] == [revision + 1] * 3
    kept = blind.desk.own(count_id, person).content
    assert (kept.revision, len(kept.marks), dict(kept.notes)) == (revision + 1, len(CLOSE), {2: "silt"})
    assert kept.saved_utc is not None
    for other in (replace(sent, notes={2: "sand"}), replace(sent, lost=((1.0, 2.0),)), replace(sent, typed={1: TypedMinute(systems=3.0)})):
        with pytest.raises(CountOutdatedError):
            blind.desk.save(count_id, person, other)


def test_a_wrong_pin_or_a_minute_not_looked_at_signs_nothing(blind: BlindSurvey) -> None:
    count_id, revision = blind.save("jd", ANNA_LIKE)
    person = blind.person("jd")
    with pytest.raises(PinRefusedError):
        blind.desk.sign(count_id, person, "1357", revision=revision)
    _, revision = blind.save("jd", [], seen=((0.0, 60.0),))
    with pytest.raises(CountRefusedError, match="minute 2 was not looked at"):
        blind.desk.sign(count_id, person, PIN, revision=revision)
    assert counts(blind) == [("jd", "open", False)]


def test_what_is_signed_is_frozen(blind: BlindSurvey) -> None:
    count_id = blind.sign("jd", ANNA_LIKE)
    person = blind.person("jd")
    revision = blind.desk.own(count_id, person).content.revision
    with pytest.raises(CountRefusedError, match="signed"):
        blind.desk.save(count_id, person, make_content([], revision=revision))
    with pytest.raises(CountRefusedError, match="signed"):
        blind.desk.sign(count_id, person, PIN, revision=revision)
    assert blind.desk.begin(blind.tow_id, person) == count_id


def test_files_that_come_or_go_after_a_signature_change_nothing_of_it(blind: BlindSurvey) -> None:
    """A signs while 26 s of the second minute have no footage; then the stills turn up, and B counts all of them."""
    db = blind.appliance.writer
    with immediate(db):
        db.execute("UPDATE tow_images SET at_s = NULL WHERE at_s >= 92 AND tow_id = ?", (blind.tow_id,))
    blind.sign("jd", ANNA_LIKE)
    with immediate(db):
        db.executemany(
            "UPDATE tow_images SET at_s = ? WHERE image_id = ?", [(place * 0.5, one) for place, one in enumerate(blind.image_ids)]
        )
    blind.sign("cl", CLOSE)
    with blind.appliance.reader() as connection:
        first, second = revealed_counts(connection, blind.tow_id)
    assert [one.lost_s for one in first.minutes.values()] == [0, pytest.approx(28.5)]
    assert [one.lost_s for one in second.minutes.values()] == [0, 0]


def test_a_click_on_an_image_that_is_not_there_holds_no_reveal_up(blind: BlindSurvey) -> None:
    mark = Mark(at_s=5.0, image_id=999_999, feature="system", x=0.5, y=0.83, marked_utc="2026-11-21T12:00:00.000Z")
    blind.sign("jd", [], marks=(mark, *make_content(ANNA_LIKE[1:]).marks))
    blind.sign("cl", CLOSE)
    with blind.appliance.reader() as connection:
        first = revealed_counts(connection, blind.tow_id)[0]
        assert next((one.at_s, one.image_id) for one in marks_of_count(connection, first.id)) == (5.0, None)


def test_clicks_that_were_kept_beside_typed_minutes_are_not_revealed(blind: BlindSurvey) -> None:
    typed = {1: TypedMinute(systems=6.0), 2: TypedMinute(systems=3.0)}
    blind.sign("jd", ANNA_LIKE, way="typed", typed=typed)
    blind.sign("cl", CLOSE)
    with blind.appliance.reader() as connection:
        first = revealed_counts(connection, blind.tow_id)[0]
        assert [one.systems for one in first.minutes.values()] == [6, 3]
        assert marks_of_count(connection, first.id) == ()


def test_a_page_cannot_say_what_footage_is_missing(blind: BlindSurvey) -> None:
    count_id, _ = blind.save("jd", ANNA_LIKE, missing=((0.0, 60.0),))
    assert blind.desk.own(count_id, blind.person("jd")).content.missing is None


def test_no_more_count_than_the_rules_ask_for(blind: BlindSurvey) -> None:
    blind.save("jd", ANNA_LIKE)
    blind.save("cl", CLOSE)
    with pytest.raises(CountRefusedError, match="jd and cl count this tow"):
        blind.save("rita", FAR)


def test_an_administrator_sets_a_count_aside_and_another_takes_its_place(blind: BlindSurvey) -> None:
    first = blind.sign("jd", ANNA_LIKE)
    for name, reason in (("rita", "tired"), ("anna", "  ")):
        with pytest.raises(CountRefusedError):
            blind.desk.set_aside(first, blind.person(name), reason)
    blind.desk.set_aside(first, blind.person("anna"), "counted the wrong tow")
    assert counts(blind) == [("jd", "set_aside", False)]
    blind.sign("cl", CLOSE)
    blind.sign("jd", ANNA_LIKE)
    assert [one[:2] for one in counts(blind)] == [("jd", "set_aside"), ("cl", "signed"), ("jd", "signed")]
    assert blind.appliance.writer.execute("SELECT sealed IS NOT NULL FROM counts WHERE id = ?", (first,)).fetchone()[0] == 1
    with blind.appliance.reader() as connection:
        assert [one.counter for one in revealed_counts(connection, blind.tow_id)] == ["cl", "jd"]


def test_setting_aside_what_disagreed_reveals_those_that_agree(blind: BlindSurvey) -> None:
    blind.sign("jd", ANNA_LIKE)
    wrong = blind.sign("cl", FAR)
    blind.save("rita", CLOSE)
    blind.desk.set_aside(wrong, blind.person("anna"), "another tow")
    assert public_rows(blind) == 0
    blind.sign("rita", CLOSE)
    assert state(blind) is CountsState.REVEALED


def test_a_broken_seal_reveals_what_is_signed_and_is_told(blind: BlindSurvey) -> None:
    blind.save("jd", ANNA_LIKE)
    with pytest.raises(CountRefusedError, match="nothing that is signed"):
        blind.desk.break_seal(blind.tow_id, blind.person("anna"), "no second counter aboard")
    blind.sign("jd", ANNA_LIKE)
    with pytest.raises(CountRefusedError, match="only an administrator"):
        blind.desk.break_seal(blind.tow_id, blind.person("rita"), "curious")
    blind.desk.break_seal(blind.tow_id, blind.person("anna"), "no second counter aboard")
    assert counts(blind) == [("jd", "signed", True)]
    row = blind.appliance.writer.execute("SELECT actor, detail_json FROM audit WHERE action = 'seal_break'").fetchone()
    assert (row["actor"], "no second counter aboard" in row["detail_json"]) == ("anna", True)


def test_numbers_that_were_counted_elsewhere_are_a_count_too(blind: BlindSurvey) -> None:
    typed = {1: TypedMinute(systems=4.5), 2: TypedMinute(systems=0, lost_s=10)}
    blind.sign("jd", [], way="typed", typed=typed)
    blind.sign("cl", ANNA_LIKE)
    with blind.appliance.reader() as connection:
        first = revealed_counts(connection, blind.tow_id)[0]
    assert [(one.systems, one.lost_s, one.nephrops_in) for one in first.minutes.values()] == [(4.5, 0, None), (0, 10, None)]


def test_an_imported_count_waits_for_blind_ones(blind: BlindSurvey) -> None:
    db = blind.appliance.writer
    minutes = [CountedMinute(1, 3.0, 0.0, None, None, ""), CountedMinute(2, 4.0, 0.0, None, None, "")]

    def bring(counter: str) -> int:
        with immediate(db):
            (rules,) = db.execute("SELECT id FROM protocols").fetchone()
            return add_imported(
                db, blind.appliance.seal, tow_id=blind.tow_id, protocol_id=rules, counter=counter, minutes=minutes, actor="cli"
            )

    count_id, _ = blind.save("jd", ANNA_LIKE)
    with pytest.raises(CountRefusedError, match="counted blind"):
        bring("XX")
    blind.desk.set_aside(count_id, blind.person("anna"), "imported instead")
    bring("XX")
    assert counts(blind)[-1] == ("XX", "signed", True)
    assert db.execute("SELECT count(*) FROM objects").fetchone()[0] == 3 * len(blind.image_ids)


def test_a_reference_set_qualifies_and_stays_sealed(tmp_path: Path) -> None:
    appliance = SimulatedAppliance(tmp_path / "home")
    blind = make_blind_survey(appliance, kind="reference", counters=1)
    anna, jd, cl = (blind.person(name) for name in ("anna", "jd", "cl"))
    with pytest.raises(CountRefusedError, match="only an administrator"):
        blind.desk.set_reference(blind.tow_id, {1: 5, 2: 2}, "readers of 2020", jd)
    blind.desk.set_reference(blind.tow_id, {1: 5, 2: 2}, "readers of 2020", anna)
    blind.desk.set_rule(blind.survey_id, QualificationRule(0.5, bars=True, reason="nobody could ever pass"), anna)
    first = blind.sign("jd", ANNA_LIKE)
    second = blind.sign("cl", FAR)
    assert public_rows(blind) == 0
    assert appliance.writer.execute("SELECT count(*) FROM objects").fetchone()[0] == 0
    with appliance.reader() as connection:
        found = {one.person: one for one in qualifications(connection, blind.survey_id)}
        assert found["jd"].ccc == pytest.approx(1.0)
        assert (found["jd"].bias, found["jd"].passed) == (0.0, True)
        assert found["cl"].passed is False
        assert "reference" not in found["cl"].detail_json
        standing = best_standing(connection, cl.id)
        assert standing is not None
        assert not standing.passed
    own, known = blind.desk.own_reference(first, jd)
    assert known == {1: 5, 2: 2}
    assert [one.systems for one in own.tally.minutes.values()] == [5, 2]
    with pytest.raises(CountRefusedError):
        blind.desk.own_reference(second, jd)
    with pytest.raises(CountRefusedError, match="stays sealed"):
        blind.desk.break_seal(blind.tow_id, anna, "curious")
    appliance.close()


def test_a_survey_may_bar_counters_that_have_not_passed(blind: BlindSurvey) -> None:
    rule = QualificationRule(0.5, bars=True, reason="agreed before the survey")
    with pytest.raises(CountRefusedError):
        blind.desk.set_rule(blind.survey_id, rule, blind.person("rita"))
    with pytest.raises(CountRefusedError, match="reason"):
        blind.desk.set_rule(blind.survey_id, rule._replace(reason=""), blind.person("anna"))
    blind.desk.set_rule(blind.survey_id, rule, blind.person("anna"))
    with pytest.raises(CountRefusedError, match="has not passed"):
        blind.desk.begin(blind.tow_id, blind.person("jd"))
    assert issubclass(CountRefusedError, EdgeError)
    assert not issubclass(CountRefusedError, AccountError)
