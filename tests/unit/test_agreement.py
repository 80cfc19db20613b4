"""Lin's CCC and the states around it, against numpy and against the real recounts of 2020."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from edge.cli import app
from edge.survey.agreement import AgreementState, agreement, lin_ccc
from edge.survey.mi.reading import TableError
from edge.survey.mi.recounts import read_recounts

HEADER = "RecountID,Video_Line_Name,SurveyID,VideoOperatorID,Minute,BurrowCount,NephropsIn,NephropsOut,StopTime,StartTime,Unusuable"


def table(folder: Path, *rows: str, header: str = HEADER) -> Path:
    path = folder / "Recounts.csv"
    path.write_text("\n".join((header, *rows)) + "\n")
    return path


@given(st.lists(st.tuples(st.integers(0, 60), st.integers(0, 60)), min_size=2, max_size=12))
def test_the_coefficient_is_that_of_the_formula(pairs: list[tuple[int, int]]) -> None:
    x, y = np.array(pairs, float).T
    found = lin_ccc(tuple(x), tuple(y))
    covariance = np.cov(x, y, bias=True)
    scale = covariance[0, 0] + covariance[1, 1] + (x.mean() - y.mean()) ** 2
    if scale == 0:
        assert found is None
    else:
        assert found == pytest.approx(2 * covariance[0, 1] / scale, abs=1e-12)
        assert found is not None
        assert -1 - 1e-9 <= found <= 1 + 1e-9


@given(st.lists(st.integers(0, 60), min_size=2, max_size=12).filter(lambda values: len(set(values)) > 1))
def test_equal_counts_agree_wholly_and_order_does_not_matter(values: list[int]) -> None:
    x = tuple(float(value) for value in values)
    assert lin_ccc(x, x) == pytest.approx(1.0)
    y = tuple(reversed(x))
    assert lin_ccc(x, y) == pytest.approx(lin_ccc(y, x))


@pytest.mark.parametrize(
    ("first", "second", "state"),
    [
        ([1, 2, 1], [2, 1, 2], AgreementState.TOO_LOW),  # a mean of exactly 1.5
        ([0, 0, 0], [0, 0, 0], AgreementState.TOO_LOW),
        ([0, 0, 0], [9, 9, 8], AgreementState.ZERO_FOR_ONE_COUNTER),
        ([5, 5, 5], [5, 5, 5], AgreementState.NOT_COMPUTABLE),
        ([5, 5, 5], [8, 8, 8], AgreementState.NOT_COMPUTABLE),
        ([3], [12], AgreementState.NOT_COMPUTABLE),  # a single minute
        ([2, 9, 4], [9, 2, 4], AgreementState.THIRD_COUNT),
        ([2, 9, 4], [3, 9, 4], AgreementState.AGREED),
    ],
)
def test_states(first: list[int], second: list[int], state: AgreementState) -> None:
    counts = {"A": dict(enumerate(map(float, first), 2)), "B": dict(enumerate(map(float, second), 2))}
    found = agreement(counts)
    assert found.state is state
    assert (found.ccc is None) is (state not in {AgreementState.THIRD_COUNT, AgreementState.AGREED})


def test_without_a_lower_limit_two_zeros_are_zero() -> None:
    assert agreement({"A": {2: 0.0}, "B": {2: 0.0}}, min_mean_per_minute=None).state is AgreementState.ZERO


def test_only_minutes_that_both_could_count_are_compared() -> None:
    counts = {"A": {1: 9.0, 2: 4.0, 3: 8.0, 4: 6.0}, "B": {2: 5.0, 3: 0.0, 4: 6.0, 5: 9.0}}
    found = agreement(counts, unusable_minutes=[3])
    assert (found.minutes, found.totals, found.unusable_minutes) == ((2, 4), (10.0, 11.0), (3,))


def test_one_counter_or_no_common_minute_is_no_disagreement() -> None:
    assert agreement({"A": {2: 4.0}}).state is AgreementState.ONE_COUNTER
    assert agreement({"A": {2: 4.0}, "B": {3: 4.0}}).state is AgreementState.NO_COMMON_MINUTE


def test_the_real_recounts_give_what_the_working_group_found(shared_data: Path) -> None:
    path = shared_data / "uwtv_mi_2020" / "Recounts.csv"
    if not path.is_file():
        pytest.skip(f"no {path}")
    found = [agreement(counted.counts, counted.unusable_minutes) for counted in read_recounts(path)]
    ccc = [one.ccc for one in found if one.ccc is not None]
    assert (len(found), len(ccc), sum(one.state is AgreementState.TOO_LOW for one in found)) == (43, 40, 3)
    assert sum(one.state is AgreementState.THIRD_COUNT for one in found) == 3
    assert np.quantile(ccc, [0, 0.1, 0.25, 0.5, 0.75, 0.9, 1]).round(2).tolist() == [0.16, 0.57, 0.65, 0.73, 0.82, 0.86, 0.96]
    relative = [abs(one.totals[0] - one.totals[1]) / (sum(one.totals) / 2) for one in found if sum(one.totals)]
    assert float(np.median(relative)) == pytest.approx(0.115, abs=0.02)


def test_a_pause_of_half_a_minute_makes_the_minute_unusable_for_all(tmp_path: Path) -> None:
    path = table(
        tmp_path,
        "1,7,CV1,8,2,5,0,0,NA,NA,NA",
        "2,7,CV1,8,3,5,0,0,1899-12-30 00:02:00,1899-12-30 00:02:30,NA",
        "3,7,CV1,1,2,5,0,0,1899-12-30 00:01:00,1899-12-30 00:01:29,NA",
        "4,7,CV1,1,3,5,0,0,NA,NA,NA",
        "5,7,CV1,1,4,5,0,0,NA,NA,1",
    )
    (station,) = read_recounts(path)
    assert station.unusable_minutes == {3, 4}


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("1,7,CV1,8,2,five,0,0,NA,NA,NA", "BurrowCount is 'five'"),
        ("1,7,CV1,8,2,-1,0,0,NA,NA,NA", "BurrowCount is '-1'"),
        ("1,7,CV1,8,2,inf,0,0,NA,NA,NA", "BurrowCount is 'inf'"),
        ("1,7,CV1,8,2,NA,0,0,NA,NA,NA", "BurrowCount is missing"),
        ("1,7,CV1,8,2.5,1,0,0,NA,NA,NA", "Minute is '2.5'"),
        ("1,7,CV1,8,2,1,0,0,soon,NA,NA", "StopTime is 'soon'"),
        ("1,7,CV1,8,2,1,0,0,NA,NA,perhaps", "Unusuable is 'perhaps'"),
        ("1,7,CV1,8,2", "as many values"),
        ("1,7,CV1,8,2,1,0,0,NA,NA,NA\n2,7,CV1,8,2,3,0,0,NA,NA,NA", "minute 2 of station 7 twice"),
    ],
)
def test_a_wrong_row_is_named_and_nothing_is_taken(tmp_path: Path, row: str, message: str) -> None:
    with pytest.raises(TableError, match=message) as caught:
        read_recounts(table(tmp_path, row))
    assert "row " in str(caught.value)
    assert caught.value.exit_code == 4


def test_an_empty_table_is_no_zero_station(tmp_path: Path) -> None:
    with pytest.raises(TableError, match="no rows"):
        read_recounts(table(tmp_path))


def test_missing_columns_are_named(tmp_path: Path) -> None:
    with pytest.raises(TableError, match="lacks the columns Minute"):
        read_recounts(table(tmp_path, header=HEADER.replace("Minute", "Min")))


def test_the_command_answers_with_one_line_of_json(tmp_path: Path) -> None:
    rows = [
        f"{10 * counter + minute},7,CV1,{counter},{minute},{minute + counter},0,0,NA,NA,NA" for counter in (1, 2) for minute in range(2, 9)
    ]
    result = CliRunner().invoke(app, ["survey", "agreement", "--recounts", str(table(tmp_path, *rows)), "--json"])
    assert result.exit_code == 0
    (station,) = json.loads(result.stdout.splitlines()[-1])
    assert (station["station"], station["state"]) == ("7", "agreed")
    assert station["ccc"] == pytest.approx(lin_ccc(tuple(map(float, range(3, 10))), tuple(map(float, range(4, 11)))))


def test_the_command_tells_a_wrong_table_with_its_exit_code(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["survey", "agreement", "--recounts", str(tmp_path / "none.csv"), "--json"])
    assert result.exit_code == 4
    assert json.loads(result.stdout)["error"]["code"] == "table_invalid"
