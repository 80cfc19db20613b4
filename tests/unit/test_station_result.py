"""The result of a station: every figure against an independent working of its formula, and no figure without its reason."""

from __future__ import annotations

import csv
import math
import statistics
from collections.abc import Iterator
from contextlib import closing
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.errors import SettingsError
from edge.store.connection import open_reader
from edge.store.counts import NewCount, open_count, sign
from edge.store.sqlite import Connection
from edge.store.tracks import NewDistance
from edge.survey.density import CorrectionFactor, density
from edge.survey.reckoning import OBSERVED_MAX_PER_M2, OBSERVED_P95_PER_M2, OBSERVED_P99_PER_M2
from edge.survey.result import ResultState, station_result
from edge.survey.width import fixed_width, table_width
from tests.helpers.seed import add_model, add_station, done, queued
from tests.helpers.stations import Sea, usbl, usbl_log

A = [4, 5, 6, 4, 3, 5, 6]
B = [4, 6, 5, 4, 3, 5, 7]
FAR_FROM_A = [9, 1, 0, 9, 8, 0, 1]


@pytest.fixture
def sea(tmp_path: Path) -> Iterator[Sea]:
    with closing(Sea(tmp_path / "home")) as made:
        yield made


def test_a_whole_station_gives_every_figure_with_its_source(sea: Sea, tmp_path: Path) -> None:
    tow = sea.station("S1")
    imported = sea.desk.import_track(tow, usbl(usbl_log(tmp_path)), "test")
    assert imported.is_chosen
    assert imported.distance_m == pytest.approx(0.41 * 600, rel=0.01)
    sea.counts(tow, {"A": A, "B": B})
    sea.width(tow, 0.75)
    found = sea.result(tow)
    systems = sum((Fraction(a) + Fraction(b)) / 2 for a, b in zip(A, B, strict=True))
    assert (found.state, found.systems) == (ResultState.COUNTED, float(systems))
    assert found.distance_m == pytest.approx(0.41 * 420, rel=0.01)
    assert found.distance_m is not None
    assert found.area_m2 == pytest.approx(found.distance_m * 0.75)
    assert found.density_raw_per_m2 == pytest.approx(float(systems) / (found.distance_m * 0.75))
    assert found.density_adjusted_per_m2 == pytest.approx(float(systems) / (found.distance_m * 0.75) / 1.3)
    assert [one.minute for one in found.per_minute] == [2, 3, 4, 5, 6, 7, 8]
    assert math.fsum(one.distance_m or 0 for one in found.per_minute) == pytest.approx(found.distance_m)
    sources = found.sources
    assert [one["counter"] for one in sources["counts"]] == ["A", "B"]
    assert sources["distance"]["source"] == "usbl"
    assert sources["distance"]["method"] == "legs along the track"
    assert sources["distance"]["track"]["file_name"] == "usbl.log"
    assert sources["width"] | {"row": 0} == {
        "row": 0,
        "method": "fixed",
        "width_m": 0.75,
        "uncertainty_m": None,
        "uncertainty_of": "",
        "row_height": 0.83,
        "source": "tank, test",
        "entered_by": "test",
    }
    assert sources["factor"] == {"value": 1.3, "source": "FU20-21, benchmark table"}
    assert (found.reasons, found.flags) == ((), ())


def test_what_is_missing_is_none_with_a_reason_and_never_zero(sea: Sea) -> None:
    tow = sea.station("S1")
    found = sea.result(tow)
    assert found.state is ResultState.NOT_COUNTED
    assert (found.systems, found.distance_m, found.area_m2, found.density_raw_per_m2, found.density_adjusted_per_m2) == (None,) * 5
    assert any("nobody has begun" in one for one in found.reasons)
    assert any("no distance" in one for one in found.reasons)
    assert any("no width" in one for one in found.reasons)
    sea.counts(tow, {"A": A})
    found = sea.result(tow)
    assert (found.systems, found.state) == (None, ResultState.UNUSABLE)
    assert "1 of 2 counters have signed" in found.reasons


def test_zero_systems_are_a_result(sea: Sea) -> None:
    tow = sea.station("S1")
    sea.counts(tow, {"A": [0] * 7, "B": [0] * 7})
    sea.width(tow)
    sea.desk.type_distance(tow, NewDistance("odometer", 240.0), "test")
    found = sea.result(tow)
    assert (found.systems, found.density_raw_per_m2, found.density_adjusted_per_m2) == (0, 0, 0)
    assert found.state is ResultState.COUNTED
    assert "zero systems in the counted minutes: a result like any other" in found.flags


def test_two_who_disagree_need_a_third_and_the_mean_is_then_of_three(sea: Sea) -> None:
    tow = sea.station("S1")
    sea.counts(tow, {"A": A, "B": FAR_FROM_A}, origin="counted")
    found = sea.result(tow)
    assert (found.state, found.systems) == (ResultState.THIRD_COUNT, None)
    assert any("a third count is needed" in one for one in found.reasons)
    sea.counts(tow, {"C": B}, origin="counted")
    found = sea.result(tow)
    assert found.state is ResultState.COUNTED
    assert found.systems == pytest.approx(statistics.fmean((sum(A), sum(FAR_FROM_A), sum(B))))


def test_a_third_count_that_nobody_needed_is_left_out_and_told(sea: Sea) -> None:
    tow = sea.station("S1")
    sea.counts(tow, {"A": A, "B": B, "C": FAR_FROM_A}, origin="counted")
    found = sea.result(tow)
    assert found.systems == pytest.approx((sum(A) + sum(B)) / 2)
    assert [one["used"] for one in found.sources["counts"]] == [True, True, False]
    assert any("the count of C is not used" in one for one in found.flags)


def test_only_the_window_counts(sea: Sea) -> None:
    tow = sea.station("S1")
    sea.counts(tow, {"A": [100, *A, 100], "B": [100, *B, 100]}, first_minute=1)
    assert sea.result(tow).systems == pytest.approx((sum(A) + sum(B)) / 2)


def test_a_paused_minute_goes_from_the_count_and_from_the_distance(sea: Sea, tmp_path: Path) -> None:
    tow = sea.station("S1")
    sea.desk.import_track(tow, usbl(usbl_log(tmp_path, noise_m=0)), "test")
    sea.counts(tow, {"A": A, "B": B}, lost_s={("A", 4): 31.0, ("B", 5): 29.0})
    found = sea.result(tow)
    assert found.systems == pytest.approx((sum(A) + sum(B) - A[2] - B[2]) / 2)
    assert found.distance_m == pytest.approx(0.41 * (360 - 29 / 2), rel=1e-3)
    assert found.flags == ("14.5 s lost in minutes that count (the mean of the counters) are taken out of the distance",)
    assert found.sources["left_out"] == {"4": "A paused for 30 s or more"}
    assert found.sources["minutes"] == [2, 3, 5, 6, 7, 8]


def test_a_distance_of_the_whole_tow_is_scaled_to_the_seconds_that_were_counted(sea: Sea) -> None:
    """DoG_tow (T_used - t_lost) / T_tow, formula (2); what is stated for the counted minutes stays as it is stated."""
    tow = sea.station("S1")
    sea.counts(tow, {"A": A, "B": B}, lost_s={("A", 3): 20.0, ("B", 5): 45.0})
    sea.desk.type_distance(tow, NewDistance("odometer", 250.0), "test")
    assert sea.result(tow).distance_m == pytest.approx(250 * (360 - 10) / 600)
    sea.desk.type_distance(tow, NewDistance("odometer", 150.0, covers="counted"), "test")
    assert sea.result(tow).distance_m == 150.0


def test_an_area_needs_no_count_where_the_distance_is_that_of_the_counted_minutes(sea: Sea) -> None:
    """As in published tables of stations: distance and area are there, the count is not ours."""
    tow = sea.station("S1")
    sea.desk.type_distance(tow, NewDistance("usbl", 248.18, covers="counted"), "test")
    sea.width(tow, 0.75)
    found = sea.result(tow)
    assert found.distance_m == 248.18
    assert found.area_m2 == pytest.approx(248.18 * 0.75)
    assert (found.systems, found.density_raw_per_m2, found.density_adjusted_per_m2) == (None, None, None)


def test_the_other_protocol_scales_counts_and_replaces_distances(tmp_path: Path) -> None:
    with closing(Sea(tmp_path / "home", minute_rule="scale")) as sea:
        tow = sea.station("S1")
        sea.desk.import_track(tow, usbl(usbl_log(tmp_path, noise_m=0, gap=range(190, 265))), "test")
        sea.desk.choose_track(1, "test")
        sea.counts(tow, {"A": A, "B": B}, lost_s={("A", 3): 15.0, ("B", 3): 10.0, ("A", 6): 60.0})
        found = sea.result(tow)
        expected = sum((a + b) / 2 for place, (a, b) in enumerate(zip(A, B, strict=True)) if place not in {1, 4})
        expected += (A[1] * 60 / 45 + B[1] * 60 / 50) / 2 + B[4]
        assert found.systems == pytest.approx(expected)
        assert found.distance_m == pytest.approx(0.41 * 420, rel=1e-3)
        assert any("minute 4: its distance is the mean of the others" in one for one in found.flags)


def test_adjusted_needs_a_factor_with_a_source(tmp_path: Path) -> None:
    with closing(Sea(tmp_path / "home", correction_factor=None, correction_source="")) as sea:
        tow = sea.station("S1")
        sea.counts(tow, {"A": A, "B": B})
        sea.width(tow)
        sea.desk.type_distance(tow, NewDistance("odometer", 200.0), "test")
        found = sea.result(tow)
        assert found.density_raw_per_m2 is not None
        assert found.density_adjusted_per_m2 is None
        assert any("no correction factor" in one for one in found.reasons)


@pytest.mark.parametrize(("systems", "words"), [(1.7, "95 %"), (2.2, "99 %"), (3.4, "the highest")])
def test_a_density_outside_of_what_was_ever_observed_is_flagged(sea: Sea, systems: float, words: str) -> None:
    tow = sea.station("S1")
    sea.counts(tow, {"A": [systems * 10] * 7, "B": [systems * 10] * 7})
    sea.desk.type_distance(tow, NewDistance("odometer", 70.0, "counted"), "test")
    sea.width(tow, 1.0)
    assert any(words in one for one in sea.result(tow).flags)


def test_counts_of_two_protocol_versions_are_not_mixed(sea: Sea) -> None:
    tow = sea.station("S1")
    sea.counts(tow, {"A": A})
    sea.counts(tow, {"B": B}, protocol_id=sea.protocol(first_minute=3))
    found = sea.result(tow)
    assert found.systems is None
    assert any("different versions" in one for one in found.reasons)


@given(
    a=st.lists(st.integers(0, 43), min_size=7, max_size=7),
    b=st.lists(st.integers(0, 43), min_size=7, max_size=7),
    c=st.lists(st.integers(0, 43), min_size=7, max_size=7),
    distance_m=st.floats(100, 400),
    width_m=st.floats(0.4, 1.5),
    factor=st.floats(1.0, 1.5),
)
@settings(max_examples=25, deadline=None)
def test_formulas_3_to_5_by_exact_fractions(
    tmp_path_factory: pytest.TempPathFactory, a: list[int], b: list[int], c: list[int], distance_m: float, width_m: float, factor: float
) -> None:
    with closing(Sea(tmp_path_factory.mktemp("sea"), counters=3, correction_factor=factor)) as sea:
        tow = sea.station("S1")
        sea.counts(tow, {"A": a, "B": b, "C": c})
        sea.width(tow, width_m)
        sea.desk.type_distance(tow, NewDistance("observed", distance_m, "counted"), "test")
        found = sea.result(tow)
        systems = sum(Fraction(x + y + z, 3) for x, y, z in zip(a, b, c, strict=True))
        area = Fraction(distance_m) * Fraction(width_m)
        assert found.systems == pytest.approx(float(systems), rel=1e-12)
        assert found.area_m2 == pytest.approx(float(area), rel=1e-12)
        assert found.density_raw_per_m2 == pytest.approx(float(systems / area), rel=1e-12)
        assert found.density_adjusted_per_m2 == pytest.approx(float(systems / area / Fraction(factor)), rel=1e-12)


def test_real_rows_of_fu2021_are_reproduced(shared_data: Path, tmp_path: Path) -> None:
    """Counts, distances and widths of the survey's own table give its areas and densities; raw over adjusted is 1.30."""
    path = shared_data / "uwtv_station_data" / "fu2021_tv_2013_2018.csv"
    with path.open(encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["Year"] == "2018"]
    assert len(rows) > 50
    with closing(Sea(tmp_path / "home", counters=1, first_minute=1, last_minute=1)) as sea:
        for row in rows[:40]:
            tow = sea.station(row["Station"])
            sea.counts(tow, {"mean": [float(row["Count"])]}, first_minute=1)
            sea.desk.type_distance(tow, NewDistance("usbl", float(row["DoGm"]), "counted"), "test")
            sea.desk.set_width(tow, table_width(round(float(row["m2"]) / float(row["DoGm"]), 2), 0.83, "m2 / DoGm"), "test")
            found = sea.result(tow)
            assert found.area_m2 == pytest.approx(float(row["m2"]), rel=0.005)
            assert found.density_raw_per_m2 == pytest.approx(float(row["Density"]), rel=0.005, abs=1e-9)
            assert found.density_adjusted_per_m2 == pytest.approx(float(row["Density_Adjusted"]), rel=0.005, abs=1e-9)


def test_the_observed_range_is_that_of_the_scottish_stations(shared_data: Path) -> None:
    path = shared_data / "uwtv_station_data" / "scotland_uwtv_station_density_1994_2024.csv"
    with path.open(encoding="utf-8") as file:
        values = sorted(float(row["average_density"]) for row in csv.DictReader(file) if row["average_density"] not in {"", "NA"})
    assert len(values) == 5527  # one of the 5,528 has none
    percentiles = statistics.quantiles(values, n=100, method="inclusive")
    assert percentiles[94] == pytest.approx(OBSERVED_P95_PER_M2, abs=0.005)
    assert percentiles[98] == pytest.approx(OBSERVED_P99_PER_M2, abs=0.005)
    assert values[-1] == pytest.approx(OBSERVED_MAX_PER_M2, abs=0.005)


@pytest.mark.parametrize(("ground", "factor"), [("fladen", 1.350), ("moray_firth", 1.210)])
def test_raw_over_factor_gives_the_corrected_series_of_the_marine_directorate(shared_data: Path, ground: str, factor: float) -> None:
    folder = shared_data / "uwtv_station_data"
    series = []
    for name in (f"{ground}_TV_results.csv", f"{ground}_TV_results_bias_corrected.csv"):
        with (folder / name).open(encoding="utf-8") as file:
            series.append({row["year"]: row["abundance"] for row in csv.DictReader(file)})
    raw, corrected = series
    years = [year for year in raw if raw[year] not in {"", "NA"} and corrected.get(year) not in {None, "", "NA"}]
    assert len(years) > 25
    for year in years:
        found = density(float(raw[year]), 1.0, CorrectionFactor(value=factor, source="Marine Directorate")).adjusted_per_m2
        assert found == pytest.approx(float(corrected[year]), rel=0.005)


def test_what_is_sealed_is_on_no_result(sea: Sea) -> None:
    """One of two has signed, and a model's count of a still is sealed: neither is anywhere in the result."""
    tow = sea.station("S1")

    def work(connection: Connection) -> None:
        new = NewCount(tow_id=tow, protocol_id=sea.protocol_id, person_id=None, counter="anna", content=b'{"systems": 987654}')
        count_id = open_count(connection, sea.seal, new, actor="anna")
        sign(connection, count_id, actor="anna")

    sea.call(work)
    found = sea.result(tow)
    assert (found.state, found.systems, found.per_minute, found.sources["counts"]) == (ResultState.SEALED, None, (), [])
    assert "987654" not in repr(found)


def test_a_tables_total_is_told_and_is_no_count_and_never_beside_a_blind_one(sea: Sea) -> None:
    tow = sea.station("S1")
    sea.connection.execute(
        "INSERT INTO table_imports (id, survey_id, format, file_name, sha256, imported_by, imported_utc) "
        "VALUES (1, ?, 'mi-fu2021', 'tv.csv', 'x', 'test', 'now')",
        (sea.survey_id,),
    )
    sea.connection.execute(
        "INSERT INTO table_rows (import_id, tow_id, format, row_number, systems, cells_json) VALUES (1, ?, 'mi-fu2021', 7, 109.5, '{}')",
        (tow,),
    )
    waiting = sea.result(tow)
    assert "109.5" not in repr(waiting)
    assert any("for administrators until it is counted here" in one for one in waiting.reasons)
    with sea.reader() as connection:
        found = station_result(connection, tow, sees_tables=True)
    assert (found.systems, found.sources["tables"][0]["systems"]) == (None, 109.5)
    assert any("tv.csv (mi-fu2021) gives 109.5 systems in all" in one for one in found.reasons)
    new = NewCount(tow_id=tow, protocol_id=sea.protocol_id, person_id=None, counter="anna", content=b"{}")
    sea.call(lambda connection: open_count(connection, sea.seal, new, actor="anna"))
    assert "109.5" not in repr(sea.result(tow))


def test_a_reference_set_never_shows_its_counts(sea: Sea) -> None:
    tow = sea.station("S1")
    sea.counts(tow, {"A": A, "B": B})
    assert sea.result(tow).systems is not None
    sea.call(lambda connection: connection.execute("UPDATE surveys SET kind = 'reference'"))
    found = sea.result(tow)
    assert (found.state, found.systems, found.per_minute, found.sources["counts"]) == (ResultState.SEALED, None, (), [])
    assert any("reference set" in one for one in found.reasons)


def test_openings_of_a_sealed_still_are_none_and_not_zero(sea: Sea) -> None:
    tow = sea.station("S1")
    station = add_station(sea.connection, sea.home / "inbox", b"S1")
    pack = add_model(sea.connection)
    sea.connection.execute("INSERT INTO releases (tow_id, reason, released_by, released_utc) VALUES (?, 'test', 'test', 'now')", (tow,))
    for name in (b"a.jpg", b"b.jpg"):
        queued(sea.connection, station, name)
    sea.connection.execute(
        "INSERT INTO tow_images (image_id, tow_id, how, attached_by, attached_utc) SELECT id, ?, 'hand', 'test', 'now' FROM images", (tow,)
    )
    done(sea.connection, station, b"a.jpg", pack, boxes=[(1, 1, 9, 9, 0.9, 0)])
    done(sea.connection, station, b"b.jpg", pack, boxes=[(1, 1, 9, 9, 0.9, 0), (20, 20, 30, 30, 0.8, 0)])
    assert sea.result(tow).openings == 3
    sea.connection.execute("UPDATE runs SET object_count = NULL, candidate_count = NULL WHERE id = 1")
    found = sea.result(tow)
    assert found.openings is None
    assert found.sources["openings"]["with_result"] == 2


def test_there_is_no_result_of_nothing(sea: Sea) -> None:
    with pytest.raises(SettingsError, match="no tow 99"):
        sea.result(99)
    with pytest.raises(SettingsError, match="no tow 99"):
        sea.width(99)
    with closing(open_reader(sea.home / "edge.db")) as connection:
        assert connection.execute("SELECT count(*) FROM widths").fetchone()[0] == 0


def test_the_widths_uncertainty_is_carried_into_area_and_density_and_into_no_cv(sea: Sea) -> None:
    """One standard deviation of the width, by the same part; checked against the figures with a width one such step wider."""
    tow = sea.station("S1", ground=None)
    sea.counts(tow, {"A": A, "B": B})
    sea.desk.type_distance(tow, NewDistance("odometer", 200.0, "counted"), "test")
    sea.width(tow)
    bare = sea.result(tow)
    assert (bare.area_sd_m2, bare.density_raw_sd_per_m2, bare.density_adjusted_sd_per_m2) == (None, None, None)
    sea.desk.set_width(tow, fixed_width(0.75, 0.83, "tank", 0.0075), "test")
    found = sea.result(tow)
    assert found.area_sd_m2 == pytest.approx(200 * 0.0075)
    assert found.density_raw_per_m2 is not None
    assert found.density_adjusted_per_m2 is not None
    wider = found.systems / (200 * 0.7575) if found.systems else math.nan
    assert found.density_raw_sd_per_m2 == pytest.approx(found.density_raw_per_m2 - wider, rel=0.02)
    assert found.density_adjusted_sd_per_m2 == pytest.approx((found.density_raw_sd_per_m2 or 0) / 1.3)
    assert found.sources["width"]["uncertainty_of"] == "as stated with the width"
    assert found.density_raw_per_m2 == bare.density_raw_per_m2
