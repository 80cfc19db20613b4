"""The real tables against computations of their own, written here in numpy and plain Python from the files alone."""

from __future__ import annotations

import csv
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from edge.store.reads import counts as count_reads
from edge.store.reads import surveys as survey_reads
from edge.store.reads import tables as table_reads
from edge.survey.agreement import AgreementState
from edge.survey.counting.judge import counts_agreement
from edge.survey.counting.reference import CountedTow, standing
from edge.survey.density import CorrectionFactor, density, viewed_area_m2
from edge.survey.result import station_result
from tests.helpers.tables import Tables, real, real_clicks

STATIONS = tuple(f"ref_fu22_{place}" for place in range(1, 6))
COUNTERS = ("A", "B", "C", "D")
MINUTES = range(1, 9)
SURVEYS_OF_2013_TO_2018 = ("CV140011", "CV15015", "CV15020", "CV13019", "CV16024", "CV16028", "CV17018", "CV18018")


def raw_rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def oracle_counts(shared_data: Path) -> dict[tuple[str, str], np.ndarray]:
    """(station, counter) -> clicks in minutes 1 to 8, straight from the files."""
    found = {}
    for path in real_clicks(shared_data):
        rows = raw_rows(path)
        by_minute = Counter(int(row["minute"]) for row in rows)
        found[rows[0]["station"], rows[0]["counter_ID"]] = np.array([by_minute[minute] for minute in MINUTES], float)
    return found


def oracle_ccc(x: np.ndarray, y: np.ndarray) -> float:
    return float(2 * np.cov(x, y, bias=True)[0, 1] / (x.var() + y.var() + (x.mean() - y.mean()) ** 2))


@pytest.fixture
def footage(tmp_path: Path, shared_data: Path) -> Tables:
    """The five reference stations, taken in."""
    sea = Tables(tmp_path / "home")
    sea.survey("REF_FOOTAGE", kind="reference", first_minute=1)
    for path in real_clicks(shared_data):
        sea.take(path, "mi-clicks", "REF_FOOTAGE")
    return sea


# Recounts --------------------------------------------------------------------------------------------------------


def test_recounts_in_the_database_give_what_the_working_group_found(tmp_path: Path, shared_data: Path) -> None:
    sea = Tables(tmp_path / "home")
    survey_id = sea.survey("CV20017", first_minute=1, last_minute=10)  # every minute that the table has
    report = sea.take(real(shared_data, "uwtv_mi_2020", "Recounts.csv"), "mi-recounts", "CV20017")
    assert (report.rows, report.counts, len(report.new_stations), report.rows_of_others) == (604, 86, 43, {})
    with sea.reader() as connection:
        protocol = survey_reads.protocol_in_force(connection, survey_id)
        assert protocol is not None
        assert protocol.locked_utc is not None
        of_tow = [count_reads.revealed_counts(connection, tow.id) for tow in survey_reads.survey_tows(connection, survey_id)]
    found = [counts_agreement(counts, protocol) for counts in of_tow]
    ccc = [one.ccc for one in found if one.ccc is not None]
    states = Counter(str(one.state) for one in found)
    assert (len(found), len(ccc), states["too_low"], states["third_count"]) == (43, 40, 3, 3)
    assert np.quantile(ccc, [0, 0.1, 0.25, 0.5, 0.75, 0.9, 1]).round(2).tolist() == [0.16, 0.57, 0.65, 0.73, 0.82, 0.86, 0.96]


def test_recounts_under_the_window_of_2_to_8_are_judged_by_what_is_counted(tmp_path: Path, shared_data: Path) -> None:
    """Five stations were counted in other minutes too: count and CCC are of the same ones, and one median moves."""
    sea = Tables(tmp_path / "home")
    survey_id = sea.survey("CV20017")
    sea.take(real(shared_data, "uwtv_mi_2020", "Recounts.csv"), "mi-recounts", "CV20017")
    with sea.reader() as connection:
        protocol = survey_reads.protocol_in_force(connection, survey_id)
        assert protocol is not None
        tows = survey_reads.survey_tows(connection, survey_id)
        found = {tow.id: counts_agreement(count_reads.revealed_counts(connection, tow.id), protocol) for tow in tows}
        results = {tow.id: station_result(connection, tow.id) for tow in tows}
    ccc = [one.ccc for one in found.values() if one.ccc is not None]
    states = Counter(str(one.state) for one in found.values())
    assert (len(ccc), states["too_low"], states["third_count"]) == (40, 3, 3)
    assert np.quantile(ccc, [0, 0.1, 0.25, 0.5, 0.75, 0.9, 1]).round(2).tolist() == [0.16, 0.57, 0.65, 0.72, 0.82, 0.86, 0.96]
    for tow_id, one in found.items():
        assert set(one.minutes) <= set(protocol.minutes)
        result = results[tow_id]
        if result.systems is not None and one.state is not AgreementState.THIRD_COUNT:
            assert result.sources["minutes"] == list(one.minutes)


def test_recounts_ccc_by_station_equal_a_computation_of_their_own(tmp_path: Path, shared_data: Path) -> None:
    path = real(shared_data, "uwtv_mi_2020", "Recounts.csv")
    by_count: dict[str, dict[str, dict[int, int]]] = {}
    for row in raw_rows(path):
        counter = by_count.setdefault(row["Video_Line_Name"], {}).setdefault(row["VideoOperatorID"], {})
        counter[int(row["Minute"])] = int(row["BurrowCount"])
    sea = Tables(tmp_path / "home")
    survey_id = sea.survey("CV20017", first_minute=1, last_minute=10)
    sea.take(path, "mi-recounts", "CV20017")
    with sea.reader() as connection:
        protocol = survey_reads.protocol_in_force(connection, survey_id)
        assert protocol is not None
        for tow in survey_reads.survey_tows(connection, survey_id):
            x, y = (np.array([minutes[minute] for minute in sorted(minutes)], float) for minutes in by_count[tow.line_name].values())
            found = counts_agreement(count_reads.revealed_counts(connection, tow.id), protocol)
            assert found.totals == (x.sum(), y.sum())
            if (x.mean() + y.mean()) / 2 > 1.5:
                assert found.ccc == pytest.approx(oracle_ccc(x, y), abs=1e-12)
            else:
                assert found.ccc is None


# Clicks ----------------------------------------------------------------------------------------------------------


def test_clicks_by_minute_and_in_total_equal_a_count_of_the_file(footage: Tables, shared_data: Path) -> None:
    oracle = oracle_counts(shared_data)
    assert len(oracle) == 25
    with footage.reader() as connection:
        for station in STATIONS:
            row = survey_reads.find_station(connection, station, "REF_FOOTAGE")
            assert row is not None
            tow = survey_reads.main_tow(connection, row.id)
            assert tow is not None
            counts = {one.counter: one for one in count_reads.revealed_counts(connection, tow.id)}
            assert sorted(counts) == list(COUNTERS)
            for counter, one in counts.items():
                assert [one.minutes[minute].systems for minute in MINUTES] == oracle[station, counter].tolist()
                assert len(table_reads.marks(connection, one.id)) == oracle[station, counter].sum()
            reference = table_reads.reference_minutes(connection, tow.id)
            assert [reference[minute] for minute in MINUTES] == oracle[station, "REF"].tolist()


def test_errors_and_ccc_against_the_reference_equal_a_computation_of_their_own(footage: Tables, shared_data: Path) -> None:
    oracle = oracle_counts(shared_data)
    with footage.reader() as connection:
        rows = [survey_reads.find_station(connection, station, "REF_FOOTAGE") for station in STATIONS]
        tows = {row.name: tow for row in rows if row is not None and (tow := survey_reads.main_tow(connection, row.id)) is not None}
        reference = {tow.id: table_reads.reference_minutes(connection, tow.id) for tow in tows.values()}
        for counter in COUNTERS:
            counted = [
                CountedTow(
                    tow_id=tow.id,
                    station=name,
                    minutes=next(one.minutes for one in count_reads.revealed_counts(connection, tow.id) if one.counter == counter),
                )
                for name, tow in tows.items()
            ]
            found = {one.station: one for one in standing(counted, reference).stations}
            for station in STATIONS:
                x, y = oracle[station, counter], oracle[station, "REF"]
                assert found[station].ccc == pytest.approx(oracle_ccc(x, y), abs=1e-12)
                assert found[station].bias == pytest.approx((x.sum() - y.sum()) / y.sum(), abs=1e-12)


def test_what_the_five_stations_say_of_counters(shared_data: Path) -> None:
    """The field's figures (error 12.9 %, bias +11 %, CCC 0.73) are of 32 counts; five of the eight stations are published: 20."""
    oracle = oracle_counts(shared_data)
    pairs = [(oracle[station, counter], oracle[station, "REF"]) for station in STATIONS for counter in COUNTERS]
    errors = [(x.sum() - y.sum()) / y.sum() for x, y in pairs]
    assert len(pairs) == 20
    assert float(np.median(np.abs(errors))) == pytest.approx(0.147, abs=0.0005)
    assert float(np.mean(errors)) == pytest.approx(0.175, abs=0.0005)
    assert float(np.median([oracle_ccc(x, y) for x, y in pairs])) == pytest.approx(0.717, abs=0.0005)


# FU20-21 and Scotland --------------------------------------------------------------------------------------------


def test_every_row_of_fu2021_reproduces_area_and_factor(tmp_path: Path, shared_data: Path) -> None:
    path = real(shared_data, "uwtv_station_data", "fu2021_tv_2013_2018.csv")
    sea = Tables(tmp_path / "home")
    for name in SURVEYS_OF_2013_TO_2018:
        sea.survey(name)
        sea.take(path, "mi-fu2021", name)
    kept = sea.rows(
        "SELECT s.name || '/' || t.name, r.systems, r.distance_m, r.width_m, r.raw_per_m2, r.adjusted_per_m2, d.distance_m, d.source, "
        "w.width_m, w.method FROM table_rows AS r JOIN tows AS o ON o.id = r.tow_id JOIN stations AS t ON t.id = o.station_id "
        "JOIN surveys AS s ON s.id = t.survey_id JOIN distances AS d ON d.tow_id = o.id JOIN widths AS w ON w.tow_id = o.id"
    )
    table = {f"{row['Survey']}/{row['Station']}": row for row in raw_rows(path)}
    assert len(kept) == len(table) == 524
    factor = CorrectionFactor(value=1.30, source="FU20-21")
    widths, zeros, sources = [], 0, Counter[str]()
    for name, systems, distance_m, width_m, raw, adjusted, own_distance_m, source, own_width_m, method in kept:
        row = table[name]
        assert (distance_m, width_m, method) == (own_distance_m, own_width_m, "table")
        area_m2 = viewed_area_m2([(distance_m, width_m)])
        assert area_m2 == pytest.approx(float(row["m2"]), rel=1e-12)
        again = density(systems, area_m2, factor)
        assert again.raw_per_m2 == pytest.approx(float(row["Density"]), abs=1e-8)
        assert again.adjusted_per_m2 == pytest.approx(float(row["Density_Adjusted"]), abs=1e-8)
        if systems:
            assert raw / adjusted == pytest.approx(1.30, abs=1e-6)
        widths.append(width_m)
        zeros += systems == 0
        sources[source] += 1
    assert min(widths) == pytest.approx(0.5508, abs=1e-4)
    assert max(widths) == pytest.approx(0.75, abs=1e-6)
    assert zeros == 49
    assert sources == {"usbl": 491, "ship": 28, "estimated": 5}


def test_fractional_counts_stay_as_they_are(tmp_path: Path, shared_data: Path) -> None:
    path = real(shared_data, "uwtv_station_data", "fu2021_tv_2013_2018.csv")
    sea = Tables(tmp_path / "home")
    sea.survey("CV140011")
    sea.take(path, "mi-fu2021", "CV140011")
    written = [row["Count"] for row in raw_rows(path) if row["Survey"] == "CV140011"]
    kept = [value for (value,) in sea.rows("SELECT systems FROM table_rows ORDER BY row_number")]
    assert kept == [float(value) for value in written]
    assert any(value % 1 for value in kept)


@pytest.mark.parametrize(("ground", "factor"), [("fladen", 1.350), ("moray_firth", 1.210)])
def test_scottish_indices_are_raw_over_a_constant_factor(shared_data: Path, ground: str, factor: float) -> None:
    raw = raw_rows(real(shared_data, "uwtv_station_data", f"{ground}_TV_results.csv"))
    corrected = raw_rows(real(shared_data, "uwtv_station_data", f"{ground}_TV_results_bias_corrected.csv"))
    ratios = [
        float(one["abundance"]) / float(other["abundance"])
        for one, other in zip(raw, corrected, strict=True)
        if "NA" not in {one["abundance"], other["abundance"]}
    ]
    assert len(ratios) > 25
    assert ratios == pytest.approx([factor] * len(ratios), abs=0.005)
    assert float(np.mean(ratios)) == pytest.approx(factor, abs=0.0005)
    for one, other in zip(raw, corrected, strict=True):
        if one["mean.density"] == "NA":
            continue
        again = density(float(one["mean.density"]), 1.0, CorrectionFactor(value=factor, source="benchmark"))
        assert again.adjusted_per_m2 == pytest.approx(float(other["mean.density"]), abs=0.005)
