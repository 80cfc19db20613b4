"""The selftest tells what is wrong: a check that raises is a failure with its reason, and one failure fails the whole."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import typer

from edge.commands.selftest import selftest as selftest_command
from installer import selftest as under_test
from installer.selftest import SelftestError, run_check, selftest


def breaks(_: Path) -> str:
    raise SelftestError("the plugin is missing")


def works(workspace: Path) -> str:
    (workspace / "used").touch()
    return "seen"


def test_a_check_that_raises_is_a_failure_with_its_reason(tmp_path: Path) -> None:
    outcome = run_check("plugin", breaks, tmp_path)
    assert (outcome.passed, outcome.detail) == (False, "SelftestError: the plugin is missing")


def test_a_check_that_returns_has_passed(tmp_path: Path) -> None:
    outcome = run_check("plugin", works, tmp_path)
    assert (outcome.passed, outcome.detail) == (True, "seen")


@pytest.mark.parametrize("as_json", [True, False])
def test_one_failure_fails_the_whole_and_the_rest_still_runs(
    as_json: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(under_test, "CHECKS", (("broken", breaks), ("whole", works)))
    assert selftest(as_json=as_json) == 1
    printed = capsys.readouterr().out
    assert "the plugin is missing" in printed
    assert "seen" in printed


def test_json_is_one_line(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(under_test, "CHECKS", (("whole", works),))
    assert selftest(as_json=True) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["passed"] is True
    assert [check["name"] for check in document["checks"]] == ["whole"]


def test_markup_in_a_reason_is_shown_not_obeyed(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(under_test, "CHECKS", (("odd", lambda _: "[red]x[/red]"),))
    selftest(as_json=False)
    assert "[red]x[/red]" in capsys.readouterr().out


def test_the_command_prints_its_answer_and_nothing_else(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    """A check that makes something would otherwise log it there."""
    monkeypatch.setattr(under_test, "CHECKS", (("Seal and certificate", under_test.check_keys), ("Navigation", under_test.check_survey)))
    with pytest.raises(typer.Exit) as ended:
        selftest_command(as_json=True)
    assert ended.value.exit_code == 0
    assert [check["passed"] for check in json.loads(capfd.readouterr().out)["checks"]] == [True, True]
