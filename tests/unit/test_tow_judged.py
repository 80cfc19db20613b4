"""By which rules a tow is judged, and when it is counted: the same words in status, results, overview, exports and the API."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from edge.store.connection import immediate, snapshot
from edge.store.counts import NewCount, open_count, set_aside, sign
from edge.store.reads import counts as count_reads
from edge.store.reads import surveys as reads
from edge.store.sqlite import Connection
from edge.store.surveys import add_protocol, set_tow_fields
from edge.survey.counting.judge import CountsState
from edge.survey.counting.overview import survey_agreement
from edge.survey.counting.rules import judging_rules
from edge.survey.exchange.gather import Gathered, gather
from edge.survey.judged import judge_tow
from edge.survey.overview import survey_overview
from edge.survey.result import ResultState
from edge.survey.sheet.status import StationStatus, SurveyStatus, survey_status
from tests.helpers.counted import make_blind_survey, make_protocol
from tests.helpers.stations import Sea
from tests.simulators.appliance import SimulatedAppliance

A = [4, 5, 6, 4, 3, 5, 6]
B = [4, 6, 5, 4, 3, 5, 7]


@pytest.fixture
def sea(tmp_path: Path) -> Iterator[Sea]:
    with closing(Sea(tmp_path / "home", counters=3)) as made:
        yield made


def blind(sea: Sea, tow: int, counter: str, *, protocol_id: int | None = None) -> int:
    """A signed count whose content nobody may see yet."""

    def work(connection: Connection) -> int:
        new = NewCount(tow_id=tow, protocol_id=protocol_id or sea.protocol_id, person_id=None, counter=counter, content=b"{}")
        count_id = open_count(connection, sea.seal, new, actor=counter)
        sign(connection, count_id, actor=counter)
        return count_id

    return sea.call(work)


def status(sea: Sea) -> SurveyStatus:
    with sea.reader() as connection:
        return survey_status(connection, reads.survey(connection, sea.survey_id))


def station(sea: Sea) -> StationStatus:
    return status(sea).stations[0]


def gathered(sea: Sea) -> Gathered:
    with sea.reader() as connection, snapshot(connection):
        return gather(connection, "T2026", None)


def test_counts_are_judged_by_the_version_they_were_made_under(sea: Sea) -> None:
    """Two of three have signed; that the survey asks for two since then does not mean that they disagree."""
    tow = sea.station("S1")
    blind(sea, tow, "anna")
    blind(sea, tow, "bert")
    sea.protocol(counters=2)
    row, result, export = station(sea), sea.result(tow), gathered(sea)
    assert (row.counts, row.signed, row.needed) == (CountsState.COUNTER_MISSING, 2, 3)
    assert "the protocol asks for 3" in row.counts_words
    assert result.state is ResultState.SEALED
    assert result.sources["protocol"]["version"] == 1
    told = [row.counts_words, *result.reasons, *(one.reason for one in export.left_out)]
    assert not any("agree" in one for one in told)
    assert "the protocol asks for 3" in export.left_out[0].reason
    with sea.reader() as connection:
        assert survey_agreement(connection, sea.survey_id).third_counts == ()


def test_more_counters_asked_for_since_do_not_open_a_disagreement_that_is_there(tmp_path: Path) -> None:
    """Two of two have signed and are sealed, which means a third is needed; that later counts need three changes nothing of it."""
    with closing(Sea(tmp_path / "two")) as sea:
        tow = sea.station("S1")
        blind(sea, tow, "anna")
        blind(sea, tow, "bert")
        sea.protocol(counters=3)
        assert (station(sea).counts, station(sea).needed) == (CountsState.THIRD_COUNT, 3)
        assert sea.result(tow).state is ResultState.THIRD_COUNT
        assert "do not agree" in gathered(sea).left_out[0].reason


def test_a_count_set_aside_says_nothing_of_the_rules(sea: Sea) -> None:
    tow = sea.station("S1")
    first = blind(sea, tow, "anna")
    sea.call(lambda connection: set_aside(connection, first, "a test", actor="test"))
    newer = sea.protocol(counters=2)
    with sea.reader() as connection:
        rules = judging_rules(connection, count_reads.counts_of_tow(connection, tow), sea.survey_id)
        assert rules is not None
        assert rules.id == newer
    blind(sea, tow, "bert", protocol_id=newer)
    with sea.reader() as connection:
        rules = judging_rules(connection, count_reads.counts_of_tow(connection, tow), sea.survey_id)
        assert rules is not None
        assert rules.version == 2
        assert judging_rules(connection, (), None) is None


def test_nobody_is_asked_for_a_third_count_of_reference_footage(tmp_path: Path) -> None:
    appliance = SimulatedAppliance(tmp_path / "home")
    made = make_blind_survey(appliance, kind="reference")
    with immediate(appliance.writer) as db:
        add_protocol(db, made.survey_id, make_protocol(counters=2), reason="a further version", actor="test")
    made.sign("jd", [5.0, 70.0])
    assert one_of(made.appliance).counts == "counting"
    made.sign("cl", [5.0, 10.0, 15.0, 20.0, 25.0])
    row = one_of(made.appliance)
    assert (row.counts, row.signed, row.needed) == ("counting", 2, 2)
    assert "agree" not in row.counts_words
    with made.appliance.reader() as connection:
        (tow,) = reads.survey_tows(connection, made.survey_id)
        judged = judge_tow(connection, count_reads.counts_of_tow(connection, tow.id), survey_id=made.survey_id, is_reference=True)
        assert (judged.revealed, judged.counted, judged.is_counted) == ((), None, False)
        assert survey_agreement(connection, made.survey_id).stations[0].progress.state is CountsState.COUNTING
    appliance.close()


def one_of(appliance: SimulatedAppliance) -> StationStatus:
    with appliance.reader() as connection:
        return survey_status(connection, reads.find_survey(connection, "CV26001")).stations[0]


@pytest.mark.parametrize("how", ["few", "versions", "no_minute"])
def test_what_is_revealed_and_gives_no_result_is_not_called_sealed(tmp_path: Path, how: str) -> None:
    with closing(Sea(tmp_path / "home", counters=2)) as sea:
        tow = sea.station("S1")
        if how == "few":
            sea.counts(tow, {"A": A})
        elif how == "versions":
            sea.counts(tow, {"A": A})
            sea.counts(tow, {"B": B}, protocol_id=sea.protocol(counters=2))
        else:
            sea.counts(tow, {"A": A, "B": B}, lost_s={("A", minute): 40.0 for minute in range(2, 9)})
        result, row, export = sea.result(tow), station(sea), gathered(sea)
        assert result.state is ResultState.UNUSABLE
        reason = {"few": "1 of 2 counters", "versions": "different versions", "no_minute": "no minute of the window counts"}[how]
        assert any(reason in one for one in result.reasons)
        assert row.counts == ("counter_missing" if how == "few" else "unusable")
        assert reason in row.counts_words
        with sea.reader() as connection:
            found = survey_overview(connection, sea.survey_id)
        assert (row.is_counted, status(sea).counted, found.counted) == (False, 0, 0)
        assert reason in export.stations[0].absence


def test_counted_means_the_same_everywhere(tmp_path: Path) -> None:
    """Counted, counted on a tow that failed, counted beside the analysis, sealed: two of five are counted, whoever is asked."""
    with closing(Sea(tmp_path / "home", counters=2)) as sea:
        for name in ("1", "2", "failed", "beside", "sealed"):
            tow = sea.station(name)
            if name == "sealed":
                blind(sea, tow, "anna")
                continue
            sea.counts(tow, {"A": A, "B": B})
            changes = {"failed": {"is_valid": 0}, "beside": {"in_analysis": 0}}.get(name)
            if changes is not None:
                sea.call(lambda connection, tow=tow, changes=changes: set_tow_fields(connection, tow, changes, actor="test"))  # type: ignore[misc]
        with sea.reader() as connection:
            overview = survey_overview(connection, sea.survey_id)
        by_status = {one.station.name for one in status(sea).stations if one.is_counted}
        by_export = {one.station.name for one in gathered(sea).stations if not one.absence}
        assert by_status == by_export == {"1", "2"}
        assert overview.counted == status(sea).counted == 2
