"""The way out where what was revealed can give no result: all of it is set aside and sealed again, and the tow is counted anew."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from edge.errors import CountRefusedError
from edge.store import surveys
from edge.store.connection import immediate
from edge.store.counts import add_imported
from edge.store.reads.counts import CountedMinute, counts_of_tow
from edge.store.sealed_runs import empty_log, is_blind
from edge.survey.counting.content import unpack
from edge.survey.counting.judge import CountsState
from edge.survey.exchange.gather import gather
from edge.survey.judged import judge_tow
from edge.survey.method import method_of_result
from edge.survey.overview import survey_overview
from edge.survey.result import ResultState, StationResult, station_result
from tests.helpers.counted import UTC, BlindSurvey, make_blind_survey, make_protocol
from tests.simulators.appliance import SimulatedAppliance

AGREEING = [3.0, 20.0, 40.0, 80.0]
OTHERWISE = [62.0, 63.0, 64.0, 65.0, 66.0]
NOTE = "an unmistakable remark"


@pytest.fixture
def blind(tmp_path: Path) -> Iterator[BlindSurvey]:
    appliance = SimulatedAppliance(tmp_path / "home")
    yield make_blind_survey(appliance)
    appliance.close()


def result(blind: BlindSurvey) -> StationResult:
    return station_result(blind.appliance.writer, blind.tow_id)


def again(blind: BlindSurvey, reason: str = "nobody could agree") -> int:
    return blind.desk.new_round(blind.tow_id, blind.person("anna"), reason)


def import_counts(blind: BlindSurvey, **by_counter: list[float]) -> None:
    db = blind.appliance.writer
    (protocol_id,) = db.execute("SELECT id FROM protocols").fetchone()
    for counter, values in by_counter.items():
        minutes = [CountedMinute(minute, value, 0.0, None, None, NOTE) for minute, value in enumerate(values, start=1)]
        with immediate(db):
            add_imported(
                db, blind.appliance.seal, tow_id=blind.tow_id, protocol_id=protocol_id, counter=counter, minutes=minutes, actor="anna"
            )


def test_after_a_broken_seal_and_no_agreement_a_new_round_gives_a_result(blind: BlindSurvey) -> None:
    blind.sign("jd", AGREEING)
    blind.sign("cl", OTHERWISE)
    blind.desk.break_seal(blind.tow_id, blind.person("anna"), "nobody else aboard")
    blind.sign("rita", AGREEING)
    assert result(blind).systems is None
    assert again(blind) == 3
    assert result(blind).state is ResultState.NOT_COUNTED
    blind.sign("rita", AGREEING)
    assert result(blind).state is ResultState.SEALED
    blind.sign("jd", AGREEING)
    found = result(blind)
    assert (found.state, found.systems) == (ResultState.COUNTED, 4.0)
    assert [one["not_blind"] for one in found.sources["counts"]] == ["", ""]
    (told,) = [one for one in found.flags if "counted anew" in one]
    assert "nobody could agree" in told
    assert "rita and jd had counted it before" in told


def test_where_a_tables_counters_disagree_a_new_round_gives_a_result(blind: BlindSurvey) -> None:
    import_counts(blind, x=[9.0, 1.0], y=[1.0, 9.0])
    db = blind.appliance.writer
    judged = judge_tow(db, counts_of_tow(db, blind.tow_id), survey_id=blind.survey_id, is_reference=False)
    assert judged.progress.state is CountsState.THIRD_COUNT
    blind.sign("jd", AGREEING)
    assert result(blind).systems is None
    again(blind)
    for name in ("cl", "rita"):
        blind.sign(name, AGREEING)
    found = result(blind)
    assert found.systems == 4.0
    assert not any("had counted it before" in one for one in found.flags)


def test_after_a_release_a_new_round_is_blind_again(blind: BlindSurvey) -> None:
    db = blind.appliance.writer
    blind.desk.release(blind.tow_id, blind.person("anna"), "by mistake")
    assert not is_blind(db, blind.tow_id)
    assert again(blind) == 0
    assert is_blind(db, blind.tow_id)
    assert db.execute("SELECT count(*) FROM objects").fetchone()[0] == 0
    blind.sign("jd", AGREEING)
    blind.sign("cl", AGREEING)
    assert result(blind).systems == 4.0
    assert db.execute("SELECT count(*) FROM objects").fetchone()[0] == 3 * len(blind.image_ids)


def test_what_was_shown_is_sealed_again_and_kept(blind: BlindSurvey) -> None:
    import_counts(blind, x=[9.0, 1.5], y=[1.0, 9.0])
    db = blind.appliance.writer
    again(blind)
    assert db.execute("SELECT count(*) FROM count_minutes").fetchone()[0] == 0
    assert db.execute("SELECT count(*) FROM count_marks").fetchone()[0] == 0
    rows = counts_of_tow(db, blind.tow_id)
    assert [(one.state, one.revealed_utc, dict(one.minutes)) for one in rows] == [("set_aside", None, {})] * 2
    sealed, uuid = db.execute("SELECT sealed, uuid FROM counts WHERE counter = 'x'").fetchone()
    document = blind.appliance.seal.open(sealed, f"count/{uuid}")
    assert {minute: one.systems for minute, one in unpack(document).typed.items()} == {1: 9.0, 2: 1.5}
    assert NOTE.encode() in document
    assert empty_log(db)
    for path in blind.appliance.home.glob("edge.db*"):
        assert NOTE.encode() not in path.read_bytes(), path


def test_a_new_round_is_an_administrators_with_a_reason_and_only_where_something_was_shown(blind: BlindSurvey) -> None:
    blind.sign("jd", AGREEING)
    with pytest.raises(CountRefusedError, match="nothing of this tow was revealed, released or seen before"):
        again(blind)
    blind.sign("cl", AGREEING)
    with pytest.raises(CountRefusedError, match="needs a reason"):
        again(blind, " ")
    with pytest.raises(CountRefusedError, match="only an administrator"):
        blind.desk.new_round(blind.tow_id, blind.person("rita"), "why not")
    assert result(blind).systems == 4.0
    db = blind.appliance.writer
    assert db.execute("SELECT count(*) FROM count_rounds").fetchone()[0] == 0
    again(blind)
    (told,) = db.execute("SELECT detail_json FROM audit WHERE action = 'count_round'").fetchone()
    assert "nobody could agree" in told


def test_a_new_round_is_counted_under_the_rules_in_force_and_mixes_nothing(blind: BlindSurvey) -> None:
    """What was counted under the old version stays out of result, estimate and exports of the new one."""
    db = blind.appliance.writer
    blind.sign("jd", AGREEING)
    blind.sign("cl", AGREEING)
    assert method_of_result(result(blind)).words == "counted here, protocol 1"
    with immediate(db):
        surveys.add_protocol(db, blind.survey_id, make_protocol(last_minute=1), reason="the second minute is silt", actor="rita")
    again(blind)
    with blind.appliance.reader() as connection:
        gathered = gather(connection, "CV26001", None)
    assert (gathered.counts, gathered.stations[0].result.systems) == ((), None)
    told = {(one.counter, one.reason) for one in gathered.left_out}
    assert {("jd", "set aside: a new round of counts: nobody could agree"), ("", "no revealed count: nobody has begun to count")} <= told
    blind.sign("jd", AGREEING)
    blind.sign("rita", AGREEING)
    found = result(blind)
    assert (method_of_result(found).words, found.systems) == ("counted here, protocol 2", 3.0)
    with blind.appliance.reader() as connection:
        (one,) = survey_overview(connection, blind.survey_id).estimates or (None,)
        shown = gather(connection, "CV26001", None).counts
    assert one is None or one.version == 2
    assert {(each.count.counter, each.protocol.version if each.protocol else 0) for each in shown} == {("jd", 2), ("rita", 2)}


def test_a_new_round_that_disagrees_asks_for_a_third_and_takes_the_mean_of_three(blind: BlindSurvey) -> None:
    blind.desk.release(blind.tow_id, blind.person("anna"), "by mistake")
    again(blind)
    blind.sign("jd", AGREEING)
    blind.sign("cl", OTHERWISE)
    assert result(blind).state is ResultState.THIRD_COUNT
    assert blind.appliance.writer.execute("SELECT count(*) FROM count_minutes").fetchone()[0] == 0
    blind.sign("rita", AGREEING)
    assert result(blind).systems == pytest.approx((4 + 5 + 4) / 3)
    with pytest.raises(CountRefusedError, match="are revealed"):
        blind.desk.begin(blind.tow_id, blind.person("anna"))


def test_a_second_round_begins_only_after_something_was_shown_again(blind: BlindSurvey) -> None:
    blind.sign("jd", AGREEING)
    blind.sign("cl", AGREEING)
    again(blind)
    with pytest.raises(CountRefusedError, match="no new round is needed"):
        again(blind)
    blind.save("jd", AGREEING)
    with pytest.raises(CountRefusedError, match="no new round is needed"):
        again(blind)


def test_no_table_comes_between_the_counters_of_a_new_round(blind: BlindSurvey) -> None:
    import_counts(blind, x=[9.0, 1.0], y=[1.0, 9.0])
    again(blind)
    blind.sign("jd", AGREEING)
    with pytest.raises(CountRefusedError, match="counted blind"):
        import_counts(blind, x=[9.0, 1.0])
    blind.sign("cl", AGREEING)
    import_counts(blind, x=[9.0, 1.0], y=[1.0, 9.0])
    found = result(blind)
    assert (found.systems, method_of_result(found).origin) == (4.0, "own")


def test_clicks_are_overwritten_in_their_own_length_before_they_go(blind: BlindSurvey) -> None:
    """Their times too: pages that are merged leave rows behind."""
    db = blind.appliance.writer
    blind.sign("jd", AGREEING)
    blind.sign("cl", AGREEING)
    db.execute("CREATE TEMP TABLE gone (at_s, marked_utc)")
    db.execute("CREATE TEMP TRIGGER go BEFORE DELETE ON main.count_marks BEGIN INSERT INTO gone VALUES (OLD.at_s, OLD.marked_utc); END")
    again(blind)
    rows = {tuple(row) for row in db.execute("SELECT at_s, marked_utc FROM gone")}
    assert rows == {(0.5, "0" * len(UTC))}
