"""`survey protocol`: rules stated from a preset and by hand, shown, changed with a reason, refused where they are none."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from edge.cli import app
from edge.commands.holding import held_store
from tests.helpers.tables import recounts, two_counters


def survey(home: Path, *words: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["--home", str(home), "survey", *words])
    return result.exit_code, result.stdout


@pytest.fixture
def home(tmp_path: Path) -> Path:
    assert survey(tmp_path / "home", "create", "T2026")[0] == 0
    return tmp_path / "home"


def test_from_nothing_to_an_imported_table(home: Path, tmp_path: Path) -> None:
    assert json.loads(survey(home, "protocol", "T2026", "--json")[1]) is None
    code, text = survey(
        home, "protocol", "T2026", "--preset", "irish", "--rule", "edge_rule=any_opening_inside", "--reason", "the manual", "--json"
    )
    stated = json.loads(text.splitlines()[-1])
    assert (code, stated["version"], stated["first_minute"], stated["line_height"], stated["correction_factor"]) == (0, 1, 2, 0.83, None)
    table = recounts(tmp_path, *two_counters())
    code, text = survey(home, "import-table", str(table), "--format", "mi-recounts", "--survey", "T2026", "--json")
    assert (code, json.loads(text.splitlines()[-1])["counts"]) == (0, 2)
    assert "locked since" in survey(home, "protocol", "T2026")[1]


def test_a_change_after_counts_says_what_it_does_to_them(home: Path, tmp_path: Path) -> None:
    rules = ("--preset", "irish", "--rule", "edge_rule=any_opening_inside", "--reason", "the manual", "--json")
    assert json.loads(survey(home, "protocol", "T2026", *rules)[1].splitlines()[-1])["effect"] == ""
    table = recounts(tmp_path, *two_counters())
    assert survey(home, "import-table", str(table), "--format", "mi-recounts", "--survey", "T2026")[0] == 0
    code, text = survey(home, "protocol", "T2026", *rules, "--rule", "ccc_limit=0.6")
    effect = json.loads(text.splitlines()[-1])["effect"]
    assert (code, "counted under version 1, 2 counts of 1 tow, stays as it is" in effect, "never mixed" in effect) == (0, True, True)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ("--preset", "irish", "--reason", "x"),
            "Systems cut by the side (edge_rule): it is not stated; choose any_opening_inside, centre_inside, whole_inside",
        ),
        (("--preset", "welsh", "--reason", "x"), "no preset welsh"),
        (("--rule", "speed=3", "--reason", "x"), "'speed=3' is no rule"),
        (("--preset", "irish", "--rule", "edge_rule=whole_inside"), "needs a reason"),
        (("--preset", "irish", "--rule", "edge_rule=whole_inside", "--rule", "last_minute=1", "--reason", "x"), "no rules to count by"),
    ],
)
def test_what_is_no_protocol_is_refused_and_nothing_is_saved(home: Path, words: tuple[str, ...], message: str) -> None:
    code, text = survey(home, "protocol", "T2026", *words, "--json")
    assert (code, message in json.loads(text.splitlines()[-1])["error"]["message"]) == (2, True)
    assert json.loads(survey(home, "protocol", "T2026", "--json")[1]) is None


def test_a_missing_reason_is_told_in_the_same_words_while_the_appliance_runs(home: Path) -> None:
    with held_store(home):
        code, text = survey(home, "protocol", "T2026", "--preset", "irish", "--rule", "edge_rule=whole_inside", "--json")
    error = json.loads(text.splitlines()[-1])["error"]
    assert (code, error["code"], error["message"]) == (2, "settings_invalid", "a protocol needs a reason")
    assert "--reason" in error["advice"]


def test_a_survey_that_is_not_there_is_told(home: Path) -> None:
    code, text = survey(home, "protocol", "NONE", "--json")
    assert (code, "no survey NONE" in text) == (2, True)
