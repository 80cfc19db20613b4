"""`zooscan render`, seen from outside: the folder it makes, what it tells, what it refuses."""

from __future__ import annotations

import json
import signal
import subprocess
from pathlib import Path
from typing import Any

from edge.zooscan.project.files import look_at_project
from tests.helpers.tiny_home import wait_until

SMALL = ("--objects", "3", "--width-px", "1200", "--height-px", "900")
LIMIT_S = 120


def render(command: list[str], *words: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*command, "zooscan", "render", *map(str, words)], capture_output=True, text=True, check=False, timeout=LIMIT_S)


def refused(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    error: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])["error"]
    assert error["advice"]
    return error


def test_a_project_is_made_and_told(edge_command: list[str], tmp_path: Path) -> None:
    done = render(edge_command, "--out", tmp_path / "made" / "here", "--seed", "4", "--touching", "0.34", *SMALL, "--json")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout.splitlines()[-1])
    project = look_at_project(Path(told["project"]))
    assert Path(told["project"]) == tmp_path / "made" / "here" / "Zooscan_render_sn033"
    assert [scan.name for scan in project.scans] == [told["scan"]] == ["render_4_tot_1"]
    assert (told["objects"], told["touching"]) == (3, 1)
    assert len(Path(told["truth"]).read_text(encoding="utf-8").splitlines()) == 1 + 3
    before = Path(told["raw"]).stat().st_mtime_ns
    again = render(edge_command, "--out", tmp_path / "made" / "here", *SMALL, "--json")
    assert (again.returncode, refused(again)["code"]) == (2, "settings_invalid")
    assert Path(told["raw"]).stat().st_mtime_ns == before


def test_a_person_is_told_what_was_made(edge_command: list[str], tmp_path: Path) -> None:
    done = render(edge_command, "--out", tmp_path, *SMALL)
    assert done.returncode == 0, done.stderr
    assert "3 objects" in done.stdout
    assert "truth.csv" in done.stdout


def test_more_than_a_glass_holds_is_refused_and_nothing_is_left(edge_command: list[str], tmp_path: Path) -> None:
    done = render(edge_command, "--out", tmp_path / "out", "--objects", "90", "--width-px", "800", "--height-px", "800", "--json")
    assert done.returncode == 2
    assert "no room" in refused(done)["message"]
    assert not (tmp_path / "out").exists()


def test_a_file_in_the_way_is_refused(edge_command: list[str], tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine", encoding="utf-8")
    done = render(edge_command, "--out", tmp_path / "file", *SMALL, "--json")
    assert done.returncode == 2
    assert "no folder" in refused(done)["message"]
    assert (tmp_path / "file").read_text(encoding="utf-8") == "mine"


def test_an_interrupted_rendering_leaves_nothing(edge_command: list[str], tmp_path: Path) -> None:
    out = tmp_path / "out"
    words = ("--objects", "0", "--width-px", "20000", "--height-px", "12000")
    process = subprocess.Popen([*edge_command, "zooscan", "render", "--out", str(out), *words], stdout=subprocess.PIPE, text=True)
    wait_until(lambda: any(out.rglob("*_raw_1.tif")), "the raw scan is begun")
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=LIMIT_S)
    assert process.returncode == 130
    assert not out.exists()
