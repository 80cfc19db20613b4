"""What maps stills to seconds is frozen with a count; counts by different clocks are neither compared nor pooled."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from edge.errors import CountRefusedError
from edge.store import surveys
from edge.store.connection import immediate
from edge.store.reads.counts import counts_of_tow, revealed_counts
from edge.store.reads.surveys import protocol
from edge.survey.agreement import AgreementState
from edge.survey.counting.clock import Clock, clock_of, counts_differ, difference
from edge.survey.counting.judge import CountsState, counts_agreement, tow_counts
from edge.survey.result import ResultState, station_result
from tests.helpers.counted import PIN, BlindSurvey, make_blind_survey, make_content
from tests.simulators.appliance import SimulatedAppliance

FIRST, SECOND = "2026-11-21T12:00:00.000Z", "2026-11-21T12:01:00.000Z"
CLICKS = [3.0, 20.0, 40.0, 80.0]


@pytest.fixture
def appliance(tmp_path: Path) -> Iterator[SimulatedAppliance]:
    appliance = SimulatedAppliance(tmp_path / "home")
    yield appliance
    appliance.close()


@pytest.fixture
def blind(appliance: SimulatedAppliance) -> BlindSurvey:
    """Two minutes of stills of the camera HD; the line starts at 12:00."""
    blind = make_blind_survey(appliance)
    camera_id = appliance.media.set_camera(blind.survey_id, "HD", time_offset_s=2.0, source="GPS", folder_pattern="", actor="rita")
    appliance.writer.execute("UPDATE tow_images SET camera_id = ?", (camera_id,))
    set_start(blind, FIRST)
    return blind


def set_start(blind: BlindSurvey, start_utc: str) -> None:
    with immediate(blind.appliance.writer) as db:
        surveys.set_tow_fields(db, blind.tow_id, {"start_utc": start_utc}, actor="rita", reason="the sheet was wrong")


def test_a_signature_freezes_start_offsets_and_stills(blind: BlindSurvey) -> None:
    blind.sign("jd", CLICKS)
    (row,) = counts_of_tow(blind.appliance.writer, blind.tow_id)
    clock = clock_of(row)
    assert clock is not None
    assert (clock.start_utc, dict(clock.offsets_s), clock.stills, len(clock.digest)) == (FIRST, {"HD": 2.0}, 240, 16)


def test_counts_by_one_clock_are_compared_and_flagged_when_the_sheet_moves_later(blind: BlindSurvey) -> None:
    blind.sign("jd", CLICKS)
    blind.sign("cl", CLICKS)
    db = blind.appliance.writer
    assert not any("clock" in flag for flag in station_result(db, blind.tow_id).flags)
    set_start(blind, SECOND)
    found = station_result(db, blind.tow_id)
    assert found.systems == 4
    told = "counted by another clock than the tow has now (a start of line at 2026-11-21 12:00:00Z and at 2026-11-21 12:01:00Z)"
    assert [flag for flag in found.flags if "clock" in flag] == [f"jd {told}", f"cl {told}"]
    assert [one.minutes[1].systems for one in revealed_counts(db, blind.tow_id)] == [3, 3], "clicks stay where they were"


def test_another_start_between_two_counters_reveals_nothing_and_says_why(blind: BlindSurvey) -> None:
    blind.sign("jd", CLICKS)
    set_start(blind, SECOND)
    blind.sign("cl", CLICKS)
    db = blind.appliance.writer
    assert revealed_counts(db, blind.tow_id) == ()
    rows = counts_of_tow(db, blind.tow_id)
    rules = protocol(db, rows[0].protocol_id)
    told = tow_counts(rows, rules, is_reference=False)
    assert told.state is CountsState.UNUSABLE
    assert "jd and cl counted by a start of line at 2026-11-21 12:00:00Z and at 2026-11-21 12:01:00Z" in told.words
    assert station_result(db, blind.tow_id).state is ResultState.UNUSABLE
    with pytest.raises(CountRefusedError, match="jd and cl count this tow"):
        blind.desk.begin(blind.tow_id, blind.person("rita"))


def test_the_one_with_the_wrong_start_is_counted_anew_as_blind_as_ever(blind: BlindSurvey) -> None:
    wrong = blind.sign("jd", CLICKS)
    set_start(blind, SECOND)
    blind.sign("cl", CLICKS)
    blind.desk.set_aside(wrong, blind.person("anna"), "counted by the wrong start")
    blind.sign("rita", CLICKS)
    shown = revealed_counts(blind.appliance.writer, blind.tow_id)
    assert [(one.counter, one.not_blind) for one in shown] == [("cl", ""), ("rita", "")]
    assert station_result(blind.appliance.writer, blind.tow_id).systems == 4


def test_a_broken_seal_gives_no_coefficient_and_no_count_of_different_clocks(blind: BlindSurvey) -> None:
    blind.sign("jd", CLICKS)
    blind.appliance.media.set_camera(
        blind.survey_id, "HD", time_offset_s=-3.0, source="GPS", folder_pattern="", actor="rita", reason="another photo"
    )
    blind.sign("cl", CLICKS)
    blind.desk.break_seal(blind.tow_id, blind.person("anna"), "nobody else aboard")
    shown = revealed_counts(blind.appliance.writer, blind.tow_id)
    rules = protocol(blind.appliance.writer, shown[0].protocol_id)
    assert rules is not None
    found = counts_agreement(shown, rules)
    assert (found.state, found.ccc) == (AgreementState.NOT_COMPARABLE, None)
    result = station_result(blind.appliance.writer, blind.tow_id)
    assert result.systems is None
    assert "jd and cl counted by an offset of HD of +2 s and of -3 s" in "; ".join(result.reasons)


def test_a_line_that_moves_while_somebody_counts_keeps_them_from_signing(blind: BlindSurvey) -> None:
    count_id, revision = blind.save("jd", CLICKS)
    set_start(blind, SECOND)
    with pytest.raises(CountRefusedError, match="the seconds of the tow moved while you counted"):
        blind.desk.sign(count_id, blind.person("jd"), PIN, revision=revision)
    revision = blind.desk.save(count_id, blind.person("jd"), make_content(CLICKS, revision=revision))
    assert any("moved" in one for one in blind.desk.own(count_id, blind.person("jd")).tally.hindrances), "a save does not make it good"
    set_start(blind, FIRST)
    blind.desk.sign(count_id, blind.person("jd"), PIN, revision=revision)


def test_a_line_that_moves_before_the_first_click_hinders_nobody(blind: BlindSurvey) -> None:
    count_id = blind.desk.begin(blind.tow_id, blind.person("jd"))
    revision = blind.desk.save(count_id, blind.person("jd"), make_content([], seen=(), position_s=None))
    set_start(blind, SECOND)
    revision = blind.desk.save(count_id, blind.person("jd"), make_content(CLICKS, revision=revision))
    blind.desk.sign(count_id, blind.person("jd"), PIN, revision=revision)


def test_a_page_does_not_say_by_what_clock_it_counts(blind: BlindSurvey) -> None:
    forged = Clock(start_utc=SECOND, offsets_s={}, stills=1, digest="0" * 16)
    count_id, revision = blind.save("jd", CLICKS, clock=forged)
    kept = blind.desk.own(count_id, blind.person("jd")).content.clock
    assert kept is not None
    assert kept.start_utc == FIRST
    assert blind.desk.save(count_id, blind.person("jd"), make_content(CLICKS, revision=revision - 1, clock=forged)) == revision


def test_other_stills_between_two_counters_are_flagged(blind: BlindSurvey) -> None:
    blind.sign("jd", CLICKS)
    blind.appliance.writer.execute("DELETE FROM tow_images WHERE image_id = ?", (blind.image_ids[-1],))
    blind.sign("cl", CLICKS)
    found = station_result(blind.appliance.writer, blind.tow_id)
    assert found.systems == 4
    assert "jd and cl were shown different stills of the window (240 and 239)" in found.flags


def test_cameras_that_only_one_has_are_no_difference_of_the_seconds() -> None:
    mine = Clock(start_utc=FIRST, offsets_s={"HD": 1.0})
    assert difference(mine, Clock(start_utc=FIRST, offsets_s={"HD": 1.0, "SD": 5.0})) == ""
    assert difference(mine, Clock(start_utc=None, offsets_s={})) != ""
    assert counts_differ([]) == ""
