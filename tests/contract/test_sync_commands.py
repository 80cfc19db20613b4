"""What goes ashore by command: without an appliance done here, with one that runs asked of it; sticks and what lies on them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from edge.cli import app
from edge.store.reads.audit_trail import AuditFilter, all_audit_rows
from sync.bundle.files import find_bundles
from tests.helpers.going_ashore import OF_THE_SHIP, on_shore, reading, rows, seed_results

RESULTS = 5


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home with results and a share that is not there."""
    seed_results(tmp_path / "home", tmp_path / "inbox", RESULTS)
    table = f'vessel = "RV Tom Crean"\n[[sinks]]\nname = "nas"\nkind = "directory"\npath = "{tmp_path / "nas"}"\n'
    (tmp_path / "home" / "settings.toml").write_text(table)
    return tmp_path / "home"


def run(home: Path, *words: str | Path, code: int = 0) -> Any:
    result = CliRunner().invoke(app, ["--home", str(home), "sync", *map(str, words), "--json"])
    assert result.exit_code == code, result.output
    return json.loads(result.stdout.splitlines()[-1])


def plain(home: Path, *words: str | Path, code: int = 0) -> str:
    result = CliRunner().invoke(app, ["--home", str(home), "sync", *map(str, words)])
    assert result.exit_code == code, result.output
    return result.output


def test_weeks_without_a_share_then_it_is_there(home: Path, tmp_path: Path) -> None:
    found = run(home, "now")
    assert [(one["name"], one["state"], one["about_bytes"]) for one in found["sides"]] == [("nas", "away", None)]
    assert [(line["results"], line["bundles"], line["taken_by"]) for line in found["backlog"]] == [(RESULTS, 0, ["nas"])]
    assert "AWAY" in plain(home, "status")
    assert run(home, "setup", "nas", code=6)["error"]["code"] == "sink_away"
    (tmp_path / "nas").mkdir()
    assert run(home, "setup", "nas")["path"] == str(tmp_path / "nas")
    found = run(home, "now", "--wait")
    assert (found["backlog"], found["sides"][0]["state"]) == ([], "good")
    assert on_shore(tmp_path / "shore.db", tmp_path / "nas") == rows(home, OF_THE_SHIP)
    assert "everything has arrived" in plain(home, "status")
    assert run(home, "setup", "none", code=2)["error"]["code"] == "settings_invalid"


def test_a_pause_outlives_the_command_and_now_does_not_break_it(home: Path) -> None:
    assert run(home, "pause", "--for", "2")["until_utc"] is not None
    assert run(home, "status")["paused"]["by"] == "cli"
    assert "resume" in run(home, "now", code=2)["error"]["advice"]
    assert run(home, "pause", "--for", "0", code=2)["error"]["code"] == "settings_invalid"
    assert run(home, "resume") == {"was_paused": True}
    assert run(home, "resume") == {"was_paused": False}
    assert "not paused" in plain(home, "resume")
    with reading(home) as connection:
        actions = [row.action for row in all_audit_rows(connection, AuditFilter())]
    assert {"sync_pause", "sync_resume"} <= set(actions)


def test_each_stick_gets_what_no_stick_has(home: Path, tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    got = run(home, "usb", "export", tmp_path / "one")
    assert (got["bundles"], got["on_own_disk"]) == (1, True)
    assert run(home, "usb", "export", tmp_path / "two")["bundles"] == 0
    assert on_shore(tmp_path / "shore.db", tmp_path / "one") == rows(home, OF_THE_SHIP)
    assert rows(home, "SELECT DISTINCT state FROM outbox") == [("bundled",)], "the share waits for it too"
    assert run(home, "usb", "export", tmp_path / "none", code=6)["error"]["code"] == "sink_away"
    told = run(home, "usb", "import", tmp_path / "one")
    assert (told["what"], told["bundles"]) == ("bundles", 1)
    assert run(home, "usb", "import", tmp_path / "two")["what"] == "nothing"
    (tmp_path / "two" / "metadata").mkdir()
    (tmp_path / "two" / "metadata" / "timestamp.json").write_text("{}")
    assert run(home, "usb", "import", tmp_path / "two", code=2)["error"]["code"] == "no_trusted_root"


def test_a_stick_that_is_pulled_out_is_waited_for_by_nobody(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "stick").mkdir()

    def pulled(*_: object) -> None:
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr("sync.sinks.directory.shutil.copyfileobj", pulled)
        assert run(home, "usb", "export", tmp_path / "stick", code=6)["error"]["code"] == "link_down"
    assert rows(home, "SELECT sink, state FROM deliveries") == [("nas", "waiting")]
    assert run(home, "usb", "export", tmp_path / "stick")["bundles"] == 1
    assert len(list(find_bundles(tmp_path / "stick"))) == 1


def test_without_a_far_side_sticks_are_the_way(home: Path, tmp_path: Path) -> None:
    (home / "settings.toml").unlink()
    assert "[[sinks]]" in run(home, "now", code=2)["error"]["advice"]
    assert "no far side" in plain(home, "status")
    (tmp_path / "stick").mkdir()
    assert run(home, "usb", "export", tmp_path / "stick")["bundles"] == 1
    assert rows(home, "SELECT DISTINCT state FROM outbox") == [("sent",)]


def test_what_was_refused_is_tried_again(home: Path) -> None:
    assert run(home, "retry") == {"tried": 0}
    assert run(home, "retry", "nobody", code=2)["error"]["code"] == "settings_invalid"
