"""Who is qualified on a reference set: after enough of it, judged again when it changes, and what the page says."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from edge.errors import CountRefusedError
from edge.store.connection import immediate
from edge.store.reads.qualifications import QualificationRow, QualificationRule, qualifications
from edge.store.reads.surveys import find_station
from edge.store.surveys import add_station, add_tow
from edge.survey.counting.content import TypedMinute
from edge.survey.counting.reference import qualification_words
from tests.helpers.counted import PIN, BlindSurvey, make_blind_survey, make_content
from tests.helpers.people import browser
from tests.helpers.web import serving
from tests.simulators.appliance import SimulatedAppliance

GOOD = {1: 6.0, 2: 2.0}
BAD = {1: 0.0, 2: 7.0}


@dataclass(frozen=True, slots=True, kw_only=True)
class Footage:
    """A reference set: station 101 with two tows, and station 102."""

    blind: BlindSurvey
    tows: tuple[int, int, int]

    def count(self, name: str, tow_id: int, systems: dict[int, float]) -> int:
        desk, person = self.blind.desk, self.blind.person(name)
        count_id = desk.begin(tow_id, person)
        typed = {minute: TypedMinute(systems=value) for minute, value in systems.items()}
        revision = desk.save(count_id, person, make_content([], way="typed", typed=typed))
        desk.sign(count_id, person, PIN, revision=revision)
        return count_id

    def refer(self, tow_id: int, systems: dict[int, float] = GOOD) -> None:
        self.blind.desk.set_reference(tow_id, systems, "readers of 2020", self.blind.person("anna"))

    def of(self, name: str) -> QualificationRow:
        with self.blind.appliance.reader() as connection:
            return next(one for one in qualifications(connection, self.blind.survey_id) if one.person == name)


@pytest.fixture
def footage(tmp_path: Path) -> Iterator[Footage]:
    appliance = SimulatedAppliance(tmp_path / "home")
    blind = make_blind_survey(appliance, kind="reference", stills=2, min_mean_per_minute=None)
    db = appliance.writer
    with immediate(db):
        again = add_tow(db, blind.station_id, actor="test")
        other = add_station(db, blind.survey_id, "102", actor="test")
        (last,) = db.execute("SELECT id FROM tows WHERE station_id = ?", (other,)).fetchone()
    yield Footage(blind=blind, tows=(blind.tow_id, again, int(last)))
    appliance.close()


def test_one_station_of_a_set_qualifies_nobody(footage: Footage) -> None:
    for tow in footage.tows:
        footage.refer(tow)
    for place, tow in enumerate(footage.tows, start=1):
        footage.count("jd", tow, GOOD)
        found = footage.of("jd")
        assert (found.stations, found.passed) == (place, place == 3)
        assert found.ccc == pytest.approx(1.0)
        assert qualification_words(found) == ("qualified" if place == 3 else f"not qualified yet: {place} of 3 stations counted")
    detail = json.loads(found.detail_json)
    assert [one["station"] for one in detail["stations"]] == ["101", "101, tow 2", "102"]
    assert detail["needed"] == 3
    assert "reference" not in found.detail_json


def test_a_low_coefficient_is_told_in_words(footage: Footage) -> None:
    footage.refer(footage.tows[0])
    footage.count("jd", footage.tows[0], BAD)
    assert "below 0.50" in qualification_words(footage.of("jd"))
    footage.refer(footage.tows[0], {5: 3.0})
    assert qualification_words(footage.of("jd")) == "not qualified yet: 0 of 1 stations counted"


def test_a_rule_may_ask_for_fewer(footage: Footage) -> None:
    anna = footage.blind.person("anna")
    rule = QualificationRule(0.5, bars=False, reason="one is enough here", stations=1)
    with pytest.raises(CountRefusedError, match="qualify nobody"):
        footage.blind.desk.set_rule(footage.blind.survey_id, rule._replace(stations=0), anna)
    footage.blind.desk.set_rule(footage.blind.survey_id, rule, anna)
    for tow in footage.tows:
        footage.refer(tow)
    footage.count("jd", footage.tows[0], GOOD)
    assert footage.of("jd").passed


def test_a_reference_that_comes_or_changes_judges_everybody_again(footage: Footage) -> None:
    footage.count("jd", footage.tows[0], GOOD)
    assert qualification_words(footage.of("jd")) == "not qualified yet: no footage of the set has a reference"
    footage.refer(footage.tows[0])
    assert footage.of("jd").passed
    before = footage.of("jd").id
    footage.refer(footage.tows[0])
    assert footage.of("jd").id == before  # nothing new to keep
    footage.refer(footage.tows[2])
    assert qualification_words(footage.of("jd")) == "not qualified yet: 1 of 2 stations counted"
    footage.count("jd", footage.tows[2], GOOD)
    assert footage.of("jd").passed
    footage.refer(footage.tows[2], {1: 0.0, 2: 40.0})
    assert not footage.of("jd").passed


def test_a_reference_that_a_table_brings_judges_again(footage: Footage, tmp_path: Path) -> None:
    footage.count("jd", footage.tows[0], GOOD)
    header = "survey,station,counter_ID,time,still_n,feature,x,y,annotation_time,VideoOperatorID,minute"
    clicks = [(minute, at) for minute, many in GOOD.items() for at in range(int(many))]
    rows = [f"CV26001,101,REF,{minute - 1:02d}:{at:02d},{at + 1},BURROW,600,500,14-Jul-2026 10:00:00,OP,{minute}" for minute, at in clicks]
    path = tmp_path / "clicks.csv"
    path.write_text("\n".join([header, *rows]) + "\n")
    report = footage.blind.appliance.tables.import_table(path, "mi-clicks", "CV26001", actor="anna")
    assert report.references == 1
    assert footage.of("jd").passed


def test_a_count_set_aside_qualifies_no_longer(footage: Footage) -> None:
    footage.refer(footage.tows[0])
    count_id = footage.count("jd", footage.tows[0], GOOD)
    assert footage.of("jd").passed
    footage.blind.desk.set_aside(count_id, footage.blind.person("anna"), "it was shown to them")
    assert not footage.of("jd").passed


def test_the_page_says_how_many_of_how_many_and_each_coefficient(footage: Footage) -> None:
    for tow in footage.tows:
        footage.refer(tow)
    footage.count("jd", footage.tows[0], GOOD)
    footage.count("jd", footage.tows[1], BAD)
    with serving(footage.blind.appliance) as client:
        with browser(client, "anna") as anna:
            page = anna.get(f"/surveys/{footage.blind.survey_id}/agreement").text
            assert "every station with a reference (3)" in page
            assert "not qualified yet: 2 of 3 stations counted" in page
            assert "2 of 3</td>" in page
            assert "101: 1.00" in page
            assert "101, tow 2: -0." in page
            form = {"ccc_limit": "0.4", "stations": "2", "reason": "two will do", "back": f"/surveys/{footage.blind.survey_id}/agreement"}
            assert anna.post(f"/actions/surveys/{footage.blind.survey_id}/qualification-rule", data=form).status_code in {200, 303}
            assert "2 stations, and a CCC of 0.40" in anna.get(f"/surveys/{footage.blind.survey_id}/agreement").text
        with browser(client, "jd") as jd:
            with footage.blind.appliance.reader() as connection:
                station = find_station(connection, "102", "CV26001")
            assert station is not None
            assert "You are not qualified yet: 2 of 3 stations counted" in jd.get(f"/tows/{footage.tows[2]}/count").text
