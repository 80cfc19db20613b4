"""`zooscan process` and `zooscan list`: results, or reasons, as JSON lines; a bare scan; a home that an appliance works on."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from edge.store.connection import DATABASE_NAME, open_reader
from edge.store.lock import HomeLock
from edge.store.open import open_store
from edge.store.reads import zooscan as reads
from edge.store.sqlite import Connection
from edge.store.zooscan import actions
from tests.helpers.zooscan import draw_objects, write_backgrounds, write_project, write_raw

SETTINGS = "settle_s = 0.1\nballast_mb = 1\nmin_free_mb = 16\n"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "settings.toml").write_text(SETTINGS)
    return tmp_path / "Zooscan_test_sn033"


def ran(edge_command: list[str], project: Path, *arguments: str, json_too: bool = True) -> tuple[int, list[dict[str, Any]], str]:
    command = [*edge_command, "--home", str(project.parent / "home"), "zooscan", *arguments, *(["--json"] if json_too else [])]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.returncode, [json.loads(line) for line in done.stdout.splitlines()] if json_too else [], done.stdout + done.stderr


def test_every_scan_of_a_project_has_a_line_and_its_result_stays(edge_command: list[str], project: Path) -> None:
    write_project(project, scans=("st66_d1_1", "st67_d1_1"), objects=5)
    before = sorted((path, path.stat().st_mtime_ns) for path in project.rglob("*"))
    code, lines, _ = ran(edge_command, project, "process", str(project))
    assert code == 0
    assert [(line["scan"], line["objects"], line["separated"]) for line in lines] == [("st66_d1_1", 5, 0), ("st67_d1_1", 5, 0)]
    assert set(lines[-1]) == {"scan", "objects", "multiples", "separated", "elapsed_s", "peak_rss_mib"}
    assert lines[-1]["elapsed_s"] > 0
    assert lines[-1]["peak_rss_mib"] > 0
    assert sorted((path, path.stat().st_mtime_ns) for path in project.rglob("*")) == before, "nothing in the project is touched"
    code, again, _ = ran(edge_command, project, "process", str(project), "--scan", "st67_d1_1")
    assert (code, again) == (0, lines[1:]), "what has a result is passed over"
    code, listed, _ = ran(edge_command, project, "list")
    assert [(one["name"], one["state"], one["objects"]) for one in listed[0]["scans"]] == [
        ("st67_d1_1", "done", 5),
        ("st66_d1_1", "done", 5),
    ]
    code, _, text = ran(edge_command, project, "list", json_too=False)
    assert "st66_d1_1" in text
    code, told, _ = ran(edge_command, project, "status", "st66_d1_1")
    assert (code, told[0]["scan"]["state"], told[0]["run"]["background"]) == (0, "done", "20260613_0805_background_large_manual.tif")
    assert (told[0]["light"]["colour"], [one["what"] for one in told[0]["history"]]) == ("amber", ["run"])
    code, _, text = ran(edge_command, project, "status", "st66_d1_1", json_too=False)
    assert "5 objects; 500 to 1500 are usual. Scan a larger part" in text
    assert ran(edge_command, project, "status", "nobody")[0] == 2


def test_a_signed_scan_is_passed_over_and_the_others_are_processed_again(edge_command: list[str], project: Path) -> None:
    write_project(project, scans=("st66_d1_1", "st67_d1_1"), objects=3)
    assert ran(edge_command, project, "process", str(project))[0] == 0
    home = project.parent / "home"
    writer = open_store(home, on_commit=lambda: None)

    def sign(connection: Connection) -> None:
        (row,) = reads.find_scan(connection, "st66_d1_1")
        assert row.run_id is not None
        actions.sign(connection, row.id, run_id=row.run_id, objects=3, multiples=0, content_sha256="2" * 64, actor="mary")

    writer.call(sign)
    writer.close()
    code, lines, text = ran(edge_command, project, "process", str(project), "--again")
    assert (code, [line["scan"] for line in lines]) == (0, ["st66_d1_1", "st67_d1_1"])
    assert "passed over: the scan st66_d1_1 cannot be queued now: it is signed by mary" in text
    connection = open_reader(home / DATABASE_NAME)
    (signed,), (other,) = (reads.find_scan(connection, name) for name in ("st66_d1_1", "st67_d1_1"))
    assert [len(reads.runs_of(connection, row.id)) for row in (signed, other)] == [1, 2]
    connection.close()


def test_a_bare_scan_is_processed_with_the_backgrounds_that_are_named(edge_command: list[str], project: Path) -> None:
    raw = write_raw(project.parent / "bare" / "tow 7.tif", draw_objects(4))
    backgrounds = write_backgrounds(project.parent / "empty", "20260613_0805")
    code, lines, _ = ran(edge_command, project, "process", str(raw), "--background", *map(str, backgrounds))
    assert (code, lines[-1]["scan"], lines[-1]["objects"]) == (0, "tow 7", 4)
    code, _, text = ran(edge_command, project, "process", str(raw), "--background", *map(str, backgrounds), "--again", json_too=False)
    assert code == 0
    assert "4 objects" in text
    assert "measure" in text, "stage times are printed"


def test_what_cannot_be_processed_has_a_reason_and_the_others_are_processed(edge_command: list[str], project: Path) -> None:
    write_project(project, scans=("bad_d1_1", "good_d1_1", "waits_d1_1"), objects=3)
    raw = project / "Zooscan_scan" / "_raw"
    (raw / "bad_d1_raw_1.tif").write_bytes((raw / "bad_d1_raw_1.tif").read_bytes()[:100_000])
    (raw / "waits_d1_1_meta.txt").unlink()
    code, lines, _ = ran(edge_command, project, "process", str(project))
    assert code == 4
    told = {line["scan"]: line for line in lines}
    assert (told["bad_d1_1"]["state"], told["bad_d1_1"]["reason"]) == ("failed", "truncated")
    assert "Copy it again" in told["bad_d1_1"]["detail"]
    assert told["good_d1_1"]["objects"] == 3
    assert (told["waits_d1_1"]["state"], told["waits_d1_1"]["lacks"]) == ("waiting", ["waits_d1_1_meta.txt"])
    code, _, text = ran(edge_command, project, "process", str(project), "--scan", "waits_d1_1", json_too=False)
    assert code == 4
    assert "waits for waits_d1_1_meta.txt" in text


@pytest.mark.parametrize(("asked", "code", "words"), [("nothing here", 4, "vanished"), ("--scan nobody", 4, "has no scan nobody")])
def test_what_is_not_there_is_told(edge_command: list[str], project: Path, asked: str, code: int, words: str) -> None:
    write_project(project, objects=1)
    arguments = [str(project), *asked.split()] if asked.startswith("--") else [str(project.parent / asked)]
    told, lines, _ = ran(edge_command, project, "process", *arguments)
    assert told == code
    assert words in json.dumps(lines[-1]).replace("input_invalid", "vanished")


def test_a_home_that_is_in_use_says_where_to_drop_the_project(edge_command: list[str], project: Path) -> None:
    write_project(project, objects=1)
    lock = HomeLock(project.parent / "home")
    lock.acquire()
    try:
        code, lines, _ = ran(edge_command, project, "process", str(project))
    finally:
        lock.release()
    assert code == 7
    assert str(Path("inbox", "zooscan")) in lines[-1]["error"]["advice"]


def test_files_are_not_ingested_with_the_recipe_of_projects(edge_command: list[str], project: Path) -> None:
    write_project(project, objects=1)
    command = [*edge_command, "--home", str(project.parent / "home"), "ingest", str(project), "--recipe", "zooscan", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "zooscan process" in json.loads(done.stdout.splitlines()[-1])["error"]["advice"]
