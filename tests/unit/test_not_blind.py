"""A count that was not made blind says so and enters no figure; after an agreed reveal there is no further count."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from edge.errors import CountRefusedError
from edge.store.reads.counts import counts_of_tow
from edge.store.reads.surveys import protocol
from edge.survey.counting.judge import CountsState, counts_agreement, pairwise_agreement, tow_counts
from edge.survey.exchange.gather import gather
from edge.survey.result import station_result
from tests.helpers.counted import PIN, BlindSurvey, make_blind_survey
from tests.simulators.appliance import SimulatedAppliance

AGREEING = [3.0, 20.0, 40.0, 80.0]
OTHERWISE = [62.0, 63.0, 64.0, 65.0, 66.0]


@pytest.fixture
def blind(tmp_path: Path) -> Iterator[BlindSurvey]:
    appliance = SimulatedAppliance(tmp_path / "home")
    yield make_blind_survey(appliance)
    appliance.close()


def not_blind(blind: BlindSurvey) -> dict[str, str]:
    return {one.counter: one.not_blind for one in counts_of_tow(blind.appliance.writer, blind.tow_id) if one.state != "set_aside"}


def test_two_blind_counts_say_nothing_of_it(blind: BlindSurvey) -> None:
    blind.sign("jd", AGREEING)
    blind.sign("cl", AGREEING)
    assert not_blind(blind) == {"jd": "", "cl": ""}


def test_after_an_agreed_reveal_nobody_begins(blind: BlindSurvey) -> None:
    blind.sign("jd", AGREEING)
    blind.sign("cl", AGREEING)
    with pytest.raises(CountRefusedError, match="the counts of this tow by jd and cl are revealed") as refused:
        blind.desk.begin(blind.tow_id, blind.person("rita"))
    assert "reference set" in refused.value.advice()


def test_a_third_count_that_is_asked_for_in_time_is_blind(blind: BlindSurvey) -> None:
    blind.sign("jd", AGREEING)
    blind.sign("cl", OTHERWISE)
    blind.sign("rita", AGREEING)
    assert set(not_blind(blind).values()) == {""}
    assert station_result(blind.appliance.writer, blind.tow_id).systems == pytest.approx((4 + 5 + 4) / 3)


def test_a_third_count_after_a_broken_seal_is_no_blind_one_and_enters_nothing(blind: BlindSurvey) -> None:
    blind.sign("jd", AGREEING)
    blind.sign("cl", OTHERWISE)
    blind.desk.break_seal(blind.tow_id, blind.person("anna"), "nobody else aboard")
    blind.sign("rita", AGREEING)
    assert "revealed on" in not_blind(blind)["rita"]
    db = blind.appliance.writer
    found = station_result(db, blind.tow_id)
    assert found.systems is None
    assert any("the count of rita is not blind and not used" in reason for reason in found.reasons)
    rows = counts_of_tow(db, blind.tow_id)
    rules = protocol(db, rows[0].protocol_id)
    assert rules is not None
    assert counts_agreement(list(reversed(rows)), rules).counters == ("cl", "jd")
    assert len(pairwise_agreement(rows, rules)) == 1
    with pytest.raises(CountRefusedError, match="are revealed"):
        blind.desk.begin(blind.tow_id, blind.person("anna"))


def test_who_counts_while_the_seal_is_broken_is_not_blind(blind: BlindSurvey) -> None:
    blind.sign("jd", AGREEING)
    count_id, revision = blind.save("cl", AGREEING)
    blind.desk.break_seal(blind.tow_id, blind.person("anna"), "nobody else aboard")
    assert "the seal of the tow was broken" in not_blind(blind)["cl"]
    blind.desk.sign(count_id, blind.person("cl"), PIN, revision=revision)
    found = station_result(blind.appliance.writer, blind.tow_id)
    assert found.systems is None
    assert any("1 of 2 counters have signed" in reason for reason in found.reasons)


def test_what_is_counted_anew_after_the_reveal_is_not_blind(blind: BlindSurvey) -> None:
    blind.sign("jd", AGREEING)
    wrong = blind.sign("cl", AGREEING)
    blind.desk.set_aside(wrong, blind.person("anna"), "asleep")
    blind.sign("rita", AGREEING)
    assert "revealed on" in not_blind(blind)["rita"]
    assert station_result(blind.appliance.writer, blind.tow_id).systems is None


def test_counts_after_a_release_are_not_blind(blind: BlindSurvey) -> None:
    anna = blind.person("anna")
    assert blind.desk.release(blind.tow_id, anna, "an invalid station") == len(blind.image_ids)
    assert blind.appliance.writer.execute("SELECT count(*) FROM objects").fetchone()[0] == 3 * len(blind.image_ids)
    blind.sign("jd", AGREEING)
    blind.sign("cl", AGREEING)
    assert all("released on" in why for why in not_blind(blind).values())
    assert station_result(blind.appliance.writer, blind.tow_id).systems is None
    with blind.appliance.reader() as connection:
        gathered = gather(connection, "CV26001", None)
    assert gathered.counts == ()
    assert [one.counter for one in gathered.left_out if one.reason.startswith("not blind: ")] == ["jd", "cl"]
    with pytest.raises(CountRefusedError, match="nothing is sealed"):
        blind.desk.release(blind.tow_id, anna, "again")


@pytest.mark.parametrize("signed", [True, False])
def test_nothing_is_released_under_a_count(blind: BlindSurvey, signed: bool) -> None:
    if signed:
        blind.sign("jd", AGREEING)
    else:
        blind.save("jd", [])
    with pytest.raises(CountRefusedError, match="jd count this tow blind"):
        blind.desk.release(blind.tow_id, blind.person("anna"), "to see it")
    with pytest.raises(CountRefusedError, match="needs a reason"):
        blind.desk.release(blind.tow_id, blind.person("anna"), " ")
    with pytest.raises(CountRefusedError, match="only an administrator"):
        blind.desk.release(blind.tow_id, blind.person("rita"), "to see it")


def test_footage_of_a_reference_set_is_never_released(tmp_path: Path) -> None:
    appliance = SimulatedAppliance(tmp_path / "other")
    blind = make_blind_survey(appliance, kind="reference", stills=4)
    with pytest.raises(CountRefusedError, match="stays sealed"):
        blind.desk.release(blind.tow_id, blind.person("anna"), "to see it")
    appliance.close()


@pytest.mark.parametrize(
    ("change", "told"), [("retired_utc = '2026-11-21'", "account retired"), ("role = 'view'", "may not count any more")]
)
def test_a_counter_who_is_gone_is_told_with_what_to_do(blind: BlindSurvey, change: str, told: str) -> None:
    db = blind.appliance.writer
    count_id, _ = blind.save("jd", AGREEING)
    blind.sign("cl", AGREEING)
    db.execute(f"UPDATE people SET {change} WHERE name = 'jd'")
    rows = counts_of_tow(db, blind.tow_id)
    state = tow_counts(rows, protocol(db, rows[0].protocol_id), is_reference=False)
    assert state.state is CountsState.COUNTER_MISSING
    assert f"jd ({told}) cannot go on with the open count: an administrator sets it aside" in state.words
    blind.desk.set_aside(count_id, blind.person("anna"), "gone ashore")
    blind.sign("rita", AGREEING)
    assert not_blind(blind) == {"cl": "", "rita": ""}
