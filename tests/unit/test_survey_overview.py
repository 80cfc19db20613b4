"""A survey's estimate by ground and version against an independent working, and what it leaves out."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.errors import SettingsError
from edge.store.entries import set_planned_place
from edge.store.reads import surveys as reads
from edge.store.sqlite import Connection
from edge.store.surveys import add_station, add_tow, set_tow_fields
from edge.store.tracks import NewDistance
from edge.survey.counting.overview import survey_agreement
from edge.survey.estimate import running_cv, t_quantile
from edge.survey.overview import SurveyOverview, survey_overview
from edge.survey.sheet.status import survey_status
from edge.web.drawings.chart import survey_chart
from tests.helpers.stations import Sea

AREAS = {"Smalls": 2962.0, "Labadie": 1200.0}


@pytest.fixture
def sea(tmp_path: Path) -> Iterator[Sea]:
    with closing(Sea(tmp_path / "home", counters=1)) as made:
        yield made


def station(
    sea: Sea, name: str, ground: str | None, per_minute: float, *, order: int = 0, protocol_id: int | None = None, origin: str = "imported"
) -> int:
    """A counted station of 7 minutes on 200 m by 0.75 m."""
    tow = sea.station(name, ground=ground)
    sea.counts(tow, {"A": [per_minute] * 7}, protocol_id=protocol_id, signed_utc=f"2026-07-14T12:{order:02d}:00.000Z", origin=origin)
    sea.desk.type_distance(tow, NewDistance("odometer", 200.0, "counted"), "test")
    sea.width(tow)
    return tow


def overview(sea: Sea) -> SurveyOverview:
    with sea.reader() as connection:
        return survey_overview(connection, sea.survey_id)


def density(per_minute: float) -> float:
    return per_minute * 7 / 150.0


def test_the_estimate_agrees_with_an_independent_working(sea: Sea) -> None:
    values = {"Smalls": [3.0, 5.0, 0.0, 11.0], "Labadie": [2.0, 2.5, 8.0]}
    for ground, area in AREAS.items():
        sea.ground(ground, area, planned=6)
        for place, one in enumerate(values[ground]):
            station(sea, f"{ground}-{place}", ground, one)
    found = overview(sea)
    (version,) = found.estimates
    total = variance = 0.0
    for figures in version.grounds:
        mine = [density(one) for one in values[figures.name]]
        mean, sd = statistics.fmean(mine), statistics.stdev(mine)
        se = sd / math.sqrt(len(mine))
        assert figures.raw is not None
        assert figures.adjusted is not None
        assert figures.raw.mean_per_m2 == pytest.approx(mean)
        assert figures.raw.sd_per_m2 == pytest.approx(sd)
        assert figures.raw.ci_per_m2 == pytest.approx(se * t_quantile(0.975, len(mine) - 1))
        assert figures.raw.abundance_millions == pytest.approx(mean * AREAS[figures.name])
        assert figures.adjusted.mean_per_m2 == pytest.approx(mean / 1.3)
        assert figures.left == 6 - len(mine)
        total += mean * AREAS[figures.name]
        variance += (se * AREAS[figures.name]) ** 2
    assert version.raw is not None
    assert version.adjusted is not None
    assert version.raw.abundance_millions == pytest.approx(total)
    assert version.raw.cv == pytest.approx(math.sqrt(variance) / total)
    assert version.adjusted.cv == pytest.approx(version.raw.cv)
    assert (found.planned, found.counted, found.left) == (12, 7, 5)
    assert version.reasons == ()


def test_the_running_cv_takes_stations_as_they_were_signed(sea: Sea) -> None:
    sea.ground("Smalls", 1000.0)
    for name, value, order in (("late", 9.0, 9), ("first", 3.0, 1), ("second", 5.0, 2)):
        station(sea, name, "Smalls", value, order=order)
    running = overview(sea).estimates[0].running
    assert [one.station for one in running] == ["first", "second", "late"]
    assert running[0].cv is None
    for upto in (2, 3):
        mine = [density(one) for one in (3.0, 5.0, 9.0)[:upto]]
        assert running[upto - 1].cv == pytest.approx(statistics.stdev(mine) / math.sqrt(upto) / statistics.fmean(mine))


@given(st.lists(st.tuples(st.sampled_from(["a", "b"]), st.floats(0.01, 3.0)), min_size=1, max_size=20))
def test_the_last_of_the_running_cv_is_the_surveys(series: list[tuple[str, float]]) -> None:
    areas = {"a": 100.0, "b": 300.0}
    found = running_cv(series, areas)
    assert len(found) == len(series)
    by_ground = {name: [value for ground, value in series if ground == name] for name in areas}
    if min(len(values) for values in by_ground.values()) < 2:
        assert found[-1] is None
        return
    total = sum(statistics.fmean(values) * areas[name] for name, values in by_ground.items())
    variance = sum((areas[name] * statistics.stdev(values)) ** 2 / len(values) for name, values in by_ground.items())
    assert found[-1] == pytest.approx(math.sqrt(variance) / total, abs=1e-9)


def test_versions_of_the_protocol_are_never_pooled(sea: Sea) -> None:
    sea.ground("Smalls", 1000.0)
    station(sea, "1", "Smalls", 3.0)
    station(sea, "2", "Smalls", 5.0)
    other = sea.protocol(first_minute=2, last_minute=8, counters=1, correction_factor=None, correction_source="")
    station(sea, "3", "Smalls", 50.0, protocol_id=other)
    found = overview(sea)
    assert [(one.version, one.grounds[0].stations) for one in found.estimates] == [(1, ("1", "2")), (2, ("3",))]
    assert found.estimates[1].adjusted is None
    assert any("one counted station" in one for one in found.estimates[1].reasons)


def test_own_and_imported_counts_have_an_estimate_each_and_the_own_one_comes_first(sea: Sea) -> None:
    sea.ground("Smalls", 1000.0)
    for name, value, origin in (("1", 3.0, "counted"), ("2", 5.0, "counted"), ("3", 50.0, "imported"), ("4", 60.0, "imported")):
        station(sea, name, "Smalls", value, origin=origin)
    station(sea, "5", "Smalls", 70.0, origin="imported")
    found = overview(sea)
    assert [(one.slug, one.stations, one.grounds[0].stations) for one in found.estimates] == [
        ("own-v1", 2, ("1", "2")),
        ("imported-v1", 3, ("3", "4", "5")),
    ]
    own, imported = (one.raw for one in found.estimates)
    assert own is not None
    assert imported is not None
    assert own.abundance_millions == pytest.approx((density(3.0) + density(5.0)) / 2 * 1000)
    assert own.cv == pytest.approx(statistics.stdev([3.0, 5.0]) / math.sqrt(2) / 4.0)
    assert imported.abundance_millions == pytest.approx(density(60.0) * 1000)
    assert [len(one.running) for one in found.estimates] == [2, 3]


def test_own_counts_of_a_tow_win_and_imported_ones_enter_no_mean_with_them(tmp_path: Path) -> None:
    with closing(Sea(tmp_path / "two")) as sea:
        tow = sea.station("1")
        same = [4, 5, 6, 4, 3, 5, 6]
        sea.counts(tow, {"A": same, "B": same}, origin="counted")
        sea.counts(tow, {"table": [9, 9, 1, 9, 9, 9, 9]})
        found = sea.result(tow)
        assert found.systems == sum(same)
        assert [one["used"] for one in found.sources["counts"]] == [True, True, False]
        assert any("the imported count of table is not used" in one for one in found.flags)
        with sea.reader() as connection:
            agreed = survey_agreement(connection, sea.survey_id)
        assert agreed.stations[0].counters == ("A", "B")


def test_one_own_count_is_not_completed_by_an_imported_one(tmp_path: Path) -> None:
    with closing(Sea(tmp_path / "two")) as sea:
        tow = sea.station("1")
        sea.counts(tow, {"A": [4, 5, 6, 4, 3, 5, 6]}, origin="counted")
        sea.counts(tow, {"table": [4, 5, 6, 4, 3, 5, 6]})
        found = sea.result(tow)
        assert (found.state.value, found.systems) == ("unusable", None)
        assert any("1 of 2 counters have signed" in one for one in found.reasons)
        assert any("the imported count of table is not used" in one for one in found.reasons)
        with sea.reader() as connection:
            (row,) = survey_status(connection, reads.survey(connection, sea.survey_id)).stations
        assert (row.is_counted, row.counts) == (False, "counter_missing")


def test_stations_left_of_a_ground_are_those_that_no_version_counted(sea: Sea) -> None:
    """A new version of the protocol leaves the stations counted that the one before did; a tow that failed leaves its own to be done."""
    sea.ground("Smalls", 1000.0, planned=6)
    for name in "12":
        station(sea, name, "Smalls", 3.0)
    failed = station(sea, "3", "Smalls", 3.0)
    sea.call(lambda connection: set_tow_fields(connection, failed, {"is_valid": 0}, actor="test"))
    other = sea.protocol(first_minute=2, last_minute=8, counters=1, correction_factor=None, correction_source="")
    station(sea, "4", "Smalls", 4.0, protocol_id=other)
    found = overview(sea)
    assert (found.planned, found.counted, found.left) == (6, 3, 3)
    assert [one.grounds[0].left for one in found.estimates] == [3, 3]


def test_a_tow_that_failed_gives_way_to_the_one_that_was_made_again(sea: Sea) -> None:
    sea.ground("Smalls", 1000.0)
    failed = station(sea, "1", "Smalls", 40.0)
    sea.call(lambda connection: set_tow_fields(connection, failed, {"is_valid": 0}, actor="test"))
    with sea.reader() as connection:
        station_id = reads.stations(connection, sea.survey_id)[0].id
    again = sea.call(lambda connection: add_tow(connection, station_id, actor="test"))
    sea.counts(again, {"A": [3.0] * 7})
    sea.desk.type_distance(again, NewDistance("odometer", 200.0, "counted"), "test")
    sea.width(again)
    (placed,) = overview(sea).stations
    assert (placed.result.tow_id, placed.estimated) == (again, True)
    with sea.reader() as connection:
        row = survey_status(connection, reads.survey(connection, sea.survey_id)).stations[0]
    assert row.tow is not None
    assert row.tow.id == again
    assert not any("of the station are in the analysis" in one for one in placed.result.flags)
    sea.call(lambda connection: set_tow_fields(connection, failed, {"is_valid": 1}, actor="test"))
    (placed,) = overview(sea).stations
    assert placed.result.tow_id == failed
    assert "tows 1, 2 of the station are in the analysis: estimates use the first of them alone" in placed.result.flags


def test_counts_of_a_table_wait_for_the_second_and_the_third_counter_too(tmp_path: Path) -> None:
    """They are revealed, since a table is; still the station has no count."""
    with closing(Sea(tmp_path / "two")) as sea:
        tow = sea.station("1")
        sea.counts(tow, {"A": [4, 5, 6, 4, 3, 5, 6]})
        with sea.reader() as connection:
            alone = survey_status(connection, reads.survey(connection, sea.survey_id))
        assert (alone.number_of("counter_missing"), alone.number_of("revealed"), alone.stations[0].needed) == (1, 0, 2)
        sea.counts(tow, {"B": [9, 1, 0, 9, 8, 0, 1]})
        with sea.reader() as connection:
            row = reads.survey(connection, sea.survey_id)
            status = survey_status(connection, row)
            assert survey_agreement(connection, sea.survey_id).third_counts == ("1",)
        assert (status.number_of("third_count"), status.number_of("revealed")) == (1, 0)
        assert (status.stations[0].signed, status.stations[0].needed) == (2, 3)
        sea.counts(tow, {"C": [4, 5, 6, 4, 3, 5, 6]})
        with sea.reader() as connection:
            assert survey_status(connection, row).number_of("revealed") == 1
            assert survey_agreement(connection, sea.survey_id).third_counts == ()


def test_what_is_left_out_is_told(sea: Sea) -> None:
    sea.ground("Smalls", 1000.0)
    sea.ground("Empty", 500.0)
    sea.ground("Unknown")
    station(sea, "1", "Smalls", 3.0)
    station(sea, "2", "Smalls", 5.0)
    station(sea, "3", "Unknown", 5.0)
    sea.station("4", ground="Smalls")
    bad = station(sea, "5", "Smalls", 40.0)
    sea.call(lambda connection: set_tow_fields(connection, bad, {"is_valid": 0}, actor="test"))
    aside = station(sea, "6", "Smalls", 40.0)
    sea.call(lambda connection: set_tow_fields(connection, aside, {"in_analysis": 0}, actor="test"))
    found = overview(sea)
    why = {one.station.name: one.why_not for one in found.stations}
    assert why["1"] == ""
    assert "nobody has begun" in why["4"]
    assert why["5"] == "the tow is marked as not valid"
    assert why["6"] == "the tow is not in the analysis"
    (version,) = found.estimates
    assert (version.raw, version.adjusted) == (None, None)
    assert version.partial is not None
    assert version.partial.grounds == ("Smalls",)
    assert version.partial.raw_millions == pytest.approx(statistics.fmean([density(3.0), density(5.0)]) * 1000)
    assert version.partial.adjusted_millions == pytest.approx(version.partial.raw_millions / 1.3)
    assert [one.cv for one in version.running] == [None, None, None]
    assert any("Empty has no station in this estimate" in one for one in version.reasons)
    assert any("Unknown has no area" in one for one in version.reasons)
    with sea.reader() as connection, pytest.raises(SettingsError, match="no survey"):
        survey_overview(connection, 99)


def test_an_empty_ground_takes_the_total_away_until_it_has_a_station(sea: Sea) -> None:
    sea.ground("Smalls", 1000.0, planned=2)
    sea.ground("Labadie", 500.0, planned=2)
    sea.ground("Spare", 700.0, planned=0)
    for name, value in (("1", 3.0), ("2", 5.0)):
        station(sea, name, "Smalls", value, order=int(name))
    (version,) = overview(sea).estimates
    assert (version.raw, version.adjusted) == (None, None)
    assert version.partial is not None
    assert version.partial.grounds == ("Smalls",)
    assert [one.cv for one in version.running] == [None, None]
    assert [one for one in version.reasons if "no total" in one] == [
        "Labadie has no station in this estimate (imported counts, protocol 1): there is no total of the survey, and no CV"
    ]
    for name, value in (("3", 2.0), ("4", 4.0)):
        station(sea, name, "Labadie", value, order=int(name))
    (version,) = overview(sea).estimates
    assert version.partial is None
    assert version.raw is not None
    assert version.raw.cv is not None
    assert version.running[-1].cv == pytest.approx(version.raw.cv)
    assert version.reasons == ()


def test_what_is_left_of_a_survey_is_what_its_grounds_lack(sea: Sea) -> None:
    """Five stations where four were planned do not do the one that another ground lacks."""
    sea.ground("Smalls", 1000.0, planned=4)
    sea.ground("Labadie", 500.0, planned=3)
    for place in range(5):
        station(sea, f"S{place}", "Smalls", 3.0)
    station(sea, "L1", "Labadie", 3.0)
    found = overview(sea)
    assert (found.planned, found.counted, found.left) == (7, 6, 2)
    assert found.left == sum(one.left or 0 for one in found.estimates[0].grounds)


def test_without_a_plan_the_list_is_what_there_is_to_do(sea: Sea) -> None:
    sea.ground("Smalls", 1000.0)
    station(sea, "1", "Smalls", 3.0)
    sea.station("2", ground="Smalls")
    found = overview(sea)
    assert (found.planned, found.counted, found.left) == (2, 1, 1)


def test_a_planned_station_is_on_the_map_as_an_empty_mark_until_its_line_has_a_place(sea: Sea) -> None:
    def plan(connection: Connection) -> None:
        station_id = add_station(connection, sea.survey_id, "P1", actor="test")
        set_planned_place(connection, station_id, (51.5, -6.5), actor="test")

    sea.call(plan)
    station(sea, "1", None, 3.0)
    found = overview(sea)
    placed = {one.station.name: (one.is_planned_place, one.latitude_deg) for one in found.stations}
    assert placed["P1"] == (True, 51.5)
    assert placed["1"][0] is False
    drawn = str(survey_chart(found.stations))
    assert drawn.count('class="planned"') == 1
    assert "planned here" in drawn


def test_stations_without_a_ground_are_named_as_such(sea: Sea) -> None:
    station(sea, "1", None, 3.0)
    (found,) = overview(sea).estimates
    assert found.reasons == ("stations without a ground have no area: their density has no abundance, and the survey no total and no CV",)


def test_the_status_says_whose_counts_a_result_is_of(sea: Sea) -> None:
    station(sea, "1", None, 3.0, origin="counted")
    station(sea, "2", None, 3.0)
    sea.station("3")
    with sea.reader() as connection:
        rows = survey_status(connection, reads.survey(connection, sea.survey_id)).stations
    assert {one.station.name: one.origin for one in rows} == {"1": "own", "2": "imported", "3": None}
