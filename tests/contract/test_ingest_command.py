"""`imagine-edge ingest DIR --json`, seen from outside: the summary, the database, exit codes, and what bad input does."""

from __future__ import annotations

import json
import os
import random
import shutil
import struct
import subprocess
import sys
import time
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.helpers.tiny_home import RunningAppliance, assert_accounted_for, make_tiny_home, query, wait_until, write_picture

LIMIT_S = 280
KEYS = {"files", "done", "quarantined", "unchanged", "waiting", "objects", "elapsed_s", "images_per_s"}
ROWS_OF_RESULTS = ("roots", "folders", "sightings", "images", "jobs", "runs", "objects", "outbox", "models", "labels")


class Ended(NamedTuple):
    exit_code: int
    answer: dict[str, Any]
    peak_rss_bytes: int


# A process of its own between pytest and the command: the kernel counts the size of whoever starts a process as its first peak.
MEASURED = """
import resource, subprocess, sys
ended = subprocess.run(sys.argv[1:], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
sys.stdout.buffer.write(ended.stdout)
print(ended.returncode, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
"""


def command(home: Path, folder: Path, *options: str) -> list[str]:
    program = str(Path(sys.executable).with_name("imagine-edge"))
    return [program, "--home", str(home), "ingest", str(folder), "--recipe", "burrows", "--json", *options]


def ingest(home: Path, folder: Path, *options: str) -> Ended:
    """One call of the command; the peak is that of its largest process."""
    measured = [sys.executable, "-c", MEASURED, *command(home, folder, *options)]
    *_, answer, last = subprocess.run(measured, check=True, stdout=subprocess.PIPE, text=True).stdout.splitlines()
    exit_code, peak_rss_kib = map(int, last.split())
    return Ended(exit_code, json.loads(answer), peak_rss_kib * 1024)


def start_ingest(home: Path, folder: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(command(home, folder), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)


def figures(ended: Ended) -> dict[str, int]:
    """The counts of a pass that went well; they must add up."""
    assert ended.exit_code == 0, ended.answer
    assert ended.answer.keys() == KEYS
    answer = ended.answer
    assert answer["files"] == answer["done"] + answer["quarantined"] + answer["unchanged"] + answer["waiting"]
    return {name: answer[name] for name in ("files", "done", "quarantined", "unchanged")}


def row_counts(home: Path) -> dict[str, int]:
    return {table: query(home, f"SELECT count(*) FROM {table}")[0][0] for table in ROWS_OF_RESULTS}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with the tiny detector, shared: every test has a folder of its own."""
    folder = tmp_path_factory.mktemp("appliance")
    make_tiny_home(folder / "home", folder / "pack")
    return folder / "home"


@pytest.fixture
def stills(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "stills"
    folder.mkdir()
    yield folder
    shutil.rmtree(folder)


@pytest.mark.timeout(LIMIT_S)
def test_a_tow_with_the_starter_model_twice(tmp_path: Path, rendered_tow: list[Path]) -> None:
    """The contract as a new user meets it: a fresh home, the bundled model, the same folder twice."""
    home, folder = tmp_path / "home", rendered_tow[0].parent
    first = ingest(home, folder)
    assert figures(first) == {"files": 6, "done": 6, "quarantined": 0, "unchanged": 0}
    assert first.answer["images_per_s"] > 0
    files = query(home, "SELECT path, sha256, state, reason FROM v_files ORDER BY path")
    assert [(row[0], row[2], row[3]) for row in files] == [(str(path), "done", None) for path in sorted(rendered_tow)]
    assert query(home, "SELECT sum(object_count) FROM v_runs") == [(first.answer["objects"],)]
    assert query(home, "SELECT count(*) FROM v_objects") == [(first.answer["objects"],)]
    assert first.answer["objects"] > 0, "a rendered tow holds openings that the starter model was made for"
    assert query(home, "SELECT DISTINCT model, recipe, software_version <> '' FROM v_runs") == [("burrow-openings-starter", "burrows", 1)]
    before = row_counts(home)
    assert figures(ingest(home, folder)) == {"files": 6, "done": 0, "quarantined": 0, "unchanged": 6}
    assert row_counts(home) == before
    assert_accounted_for(home, 6)


@pytest.mark.timeout(LIMIT_S)
def test_only_what_is_new_is_processed(home: Path, stills: Path) -> None:
    write_picture(stills, "a.png", seed=1)
    assert figures(ingest(home, stills)) == {"files": 1, "done": 1, "quarantined": 0, "unchanged": 0}
    write_picture(stills, "b.png", seed=2)
    assert figures(ingest(home, stills)) == {"files": 2, "done": 1, "quarantined": 0, "unchanged": 1}


@pytest.mark.timeout(LIMIT_S)
def test_the_same_bytes_twice_are_one_result(home: Path, stills: Path) -> None:
    first = write_picture(stills, "a.png", seed=10)
    shutil.copy(first, stills / "twin.png")
    (stills / "tow 2").mkdir()
    shutil.copy(first, stills / "tow 2" / "a.png")
    assert figures(ingest(home, stills)) == {"files": 3, "done": 1, "quarantined": 0, "unchanged": 2}
    rows = query(home, f"SELECT state, sha256, run_uuid FROM v_files WHERE path LIKE '{stills}%'")
    assert len(rows) == 3
    assert len(set(rows)) == 1


@pytest.mark.timeout(LIMIT_S)
def test_a_folder_in_a_folder_that_is_known(home: Path, stills: Path) -> None:
    """Only the files below the named folder are taken and counted."""
    write_picture(stills / "cruise" / "tow 1", "a.png", seed=20)
    assert figures(ingest(home, stills))["done"] == 1
    write_picture(stills / "cruise" / "tow 1", "b.png", seed=21)
    write_picture(stills / "cruise" / "tow 1" / "left", "c.png", seed=22)
    write_picture(stills / "cruise" / "tow 10", "other.png", seed=23)
    assert figures(ingest(home, stills / "cruise" / "tow 1")) == {"files": 3, "done": 2, "quarantined": 0, "unchanged": 1}
    assert figures(ingest(home, stills / "cruise")) == {"files": 4, "done": 1, "quarantined": 0, "unchanged": 3}
    assert query(home, f"SELECT count(*) FROM roots WHERE path LIKE '{stills}%'") == [(1,)]


@pytest.mark.timeout(LIMIT_S)
def test_a_folder_around_one_that_is_known(home: Path, stills: Path) -> None:
    write_picture(stills / "tow 1", "a.png", seed=30)
    assert figures(ingest(home, stills / "tow 1"))["done"] == 1
    write_picture(stills / "tow 2", "b.png", seed=31)
    assert figures(ingest(home, stills)) == {"files": 2, "done": 1, "quarantined": 0, "unchanged": 1}
    assert query(home, f"SELECT count(DISTINCT run_uuid) FROM v_files WHERE path LIKE '{stills}%'") == [(2,)]


@pytest.mark.timeout(LIMIT_S)
def test_hostile_names_are_data(home: Path, stills: Path) -> None:
    picture = write_picture(stills, "plain.png", seed=40).read_bytes()
    names = [
        b"new\nline.png",
        b"\xff\xfe.png",
        "\u202egnp.evil.png".encode(),
        b"n" * 251 + b".png",
        b"'); DROP TABLE images;--.png",
        b"%s%n {} $(id) .png",
        b"D2023-13-45T99-99-99Z.png",  # a time that there is not
        b"=cmd|' calc'!A1.png",
    ]
    for number, name in enumerate(names):
        with open(os.path.join(os.fsencode(stills), name), "wb") as file:
            file.write(picture + b"%d" % number)  # bytes behind the end make contents of their own
    assert figures(ingest(home, stills)) == {"files": 9, "done": 9, "quarantined": 0, "unchanged": 0}
    stored = {bytes(row[0]) for row in query(home, "SELECT name_bytes FROM sightings")}
    assert set(names) <= stored


def write_bomb(path: Path, side_px: int = 20_000) -> None:
    """A PNG of 1.2 GB once decoded, a megabyte on disk; made without holding it."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    packer = zlib.compressobj(9)
    row = bytes(1 + 3 * side_px)
    with path.open("wb") as file:
        file.write(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", side_px, side_px, 8, 2, 0, 0, 0)))
        for _ in range(side_px):
            if piece := packer.compress(row):
                file.write(chunk(b"IDAT", piece))
        file.write(chunk(b"IDAT", packer.flush()) + chunk(b"IEND", b""))


def damage(folder: Path, jpeg: bytes) -> dict[str, str]:
    """Put one file of every kind of damage into a folder; returns the reason that each must be listed with."""
    scan = jpeg.index(b"\xff\xda")
    noise = random.Random(5).randbytes(len(jpeg) - scan)
    (folder / "truncated.jpg").write_bytes(jpeg[: len(jpeg) * 6 // 10])
    (folder / "header only.jpg").write_bytes(jpeg[: scan // 2])
    (folder / "corrupt.jpg").write_bytes(jpeg[:4] + noise)
    (folder / "empty.jpg").touch()
    (folder / "text.jpg").write_text("Dear scientist, this is no picture.\n" * 50)
    (folder / "wrong extension.png").write_bytes(jpeg)
    write_bomb(folder / "bomb.png")
    return {
        "truncated.jpg": "truncated",
        "header only.jpg": "truncated",
        "corrupt.jpg": "corrupt",
        "empty.jpg": "empty_file",
        "text.jpg": "unknown_format",
        "wrong extension.png": "extension_mismatch",
        "bomb.png": "too_many_pixels",
    }


@pytest.mark.timeout(LIMIT_S)
def test_damaged_files_are_listed_and_the_run_goes_on(home: Path, stills: Path, rendered_tow: list[Path]) -> None:
    reasons = damage(stills, rendered_tow[0].read_bytes())
    for number in range(5):
        write_picture(stills, f"sound {number}.png", seed=50 + number)
    ended = ingest(home, stills)
    assert figures(ended) == {"files": 12, "done": 5, "quarantined": 7, "unchanged": 0}
    listed = dict(query(home, f"SELECT name, reason FROM v_files WHERE state = 'quarantined' AND path LIKE '{stills}%'"))
    assert listed == reasons
    assert query(home, f"SELECT count(*) FROM v_files WHERE state = 'quarantined' AND detail IS NULL AND path LIKE '{stills}%'") == [(0,)]
    assert ended.peak_rss_bytes < 800 * 2**20, "the bomb was decoded"
    assert figures(ingest(home, stills)) == {"files": 12, "done": 0, "quarantined": 0, "unchanged": 12}


@pytest.mark.timeout(LIMIT_S)
def test_the_real_stills_with_some_of_them_damaged(tmp_path: Path, real_stills: list[Path]) -> None:
    home, folder = tmp_path / "home", tmp_path / "stills"
    shutil.copytree(real_stills[0].parent, folder)
    reasons = damage(folder, real_stills[0].read_bytes())
    ended = ingest(home, folder)
    assert figures(ended) == {"files": len(real_stills) + 7, "done": len(real_stills), "quarantined": 7, "unchanged": 0}
    assert dict(query(home, "SELECT name, reason FROM v_files WHERE state = 'quarantined'")) == reasons
    assert query(home, "SELECT count(*) FROM v_files WHERE state = 'done' AND capture_time_utc IS NULL AND name LIKE 'D2023%Z.%'") == [(0,)]
    assert ended.peak_rss_bytes < 1200 * 2**20
    assert_accounted_for(home, len(real_stills) + 7)


@pytest.mark.timeout(LIMIT_S)
def test_a_killed_pass_is_resumed(home: Path, stills: Path) -> None:
    count = 300
    for number in range(count):
        write_picture(stills, f"{number:03d}.png", seed=1000 + number)
    runs = f"SELECT count(run_uuid), count(DISTINCT run_uuid) FROM v_files WHERE path LIKE '{stills}%'"
    process = start_ingest(home, stills)
    wait_until(lambda: query(home, runs)[0][0] > 0, "the first results are there")
    process.kill()
    process.communicate()
    before = query(home, runs)[0][0]
    assert before < count, "the kill came too late to prove anything"
    assert figures(ingest(home, stills)) == {"files": count, "done": count - before, "quarantined": 0, "unchanged": before}
    assert query(home, runs) == [(count, count)]
    assert query(home, "SELECT count(*) FROM runs GROUP BY image_id HAVING count(*) > 1") == []


@pytest.mark.timeout(LIMIT_S)
def test_a_home_in_use_is_refused(home: Path, stills: Path) -> None:
    appliance = RunningAppliance(home)
    appliance.wait_ready()
    ended = ingest(home, stills)
    assert (ended.exit_code, ended.answer["error"]["code"]) == (7, "home_in_use")
    assert ended.answer["error"]["advice"]
    assert appliance.stop() == 0


@pytest.mark.timeout(LIMIT_S)
def test_copies_outlive_their_medium(home: Path, stills: Path) -> None:
    write_picture(stills, "a.png", seed=60)
    assert figures(ingest(home, stills, "--copy"))["done"] == 1
    ((copy_path,),) = query(
        home, "SELECT i.copy_path FROM images AS i JOIN v_files AS f USING (sha256) WHERE f.path LIKE '%/a.png' AND i.copy_path IS NOT NULL"
    )
    assert Path(copy_path).read_bytes() == (stills / "a.png").read_bytes()


@pytest.mark.timeout(LIMIT_S)
def test_an_empty_folder_is_an_empty_pass(home: Path, stills: Path) -> None:
    assert figures(ingest(home, stills)) == {"files": 0, "done": 0, "quarantined": 0, "unchanged": 0}


@pytest.mark.timeout(LIMIT_S)
def test_an_emptied_folder_is_told_not_taken_for_a_pass(home: Path, stills: Path) -> None:
    """The very mistake of a pulled stick: an empty mount point is not a folder without files."""
    path = write_picture(stills, "a.png", seed=70)
    assert figures(ingest(home, stills))["done"] == 1
    path.unlink()
    ended = ingest(home, stills)
    assert ended.exit_code == 4
    assert "medium" in ended.answer["error"]["message"]
    assert query(home, f"SELECT state, original FROM v_files WHERE path LIKE '{stills}%'") == [("done", "present")]


@pytest.mark.timeout(LIMIT_S)
@pytest.mark.parametrize("kind", ["missing", "a file"])
def test_what_is_no_folder_is_refused(home: Path, tmp_path: Path, kind: str) -> None:
    path = tmp_path / "nothing"
    if kind == "a file":
        path.touch()
    ended = ingest(home, path)
    assert (ended.exit_code, ended.answer["error"]["code"]) == (4, "input_invalid")


@pytest.mark.timeout(LIMIT_S)
def test_a_disk_below_its_floor_is_told(home: Path, stills: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_picture(stills, "a.png", seed=80)
    monkeypatch.setenv("IMAGINE_EDGE_MIN_FREE_MB", "1000000000")
    ended = ingest(home, stills)
    assert (ended.exit_code, ended.answer["error"]["code"]) == (3, "disk_full")
    monkeypatch.delenv("IMAGINE_EDGE_MIN_FREE_MB")
    assert figures(ingest(home, stills))["done"] == 1


@pytest.mark.timeout(LIMIT_S)
def test_a_model_that_was_tampered_with_is_not_used(home: Path, stills: Path) -> None:
    (manifest,) = (home / "packs" / "tiny-burrows").glob("*/manifest.json")
    genuine = manifest.read_text()
    manifest.write_text(genuine.replace('"title": "', '"title": "Not '))
    write_picture(stills, "a.png", seed=90)
    ended = ingest(home, stills)
    manifest.write_text(genuine)
    assert (ended.exit_code, ended.answer["error"]["code"]) == (5, "model_failed")
    assert query(home, f"SELECT state FROM v_files WHERE path LIKE '{stills}%'") in ([], [("queued",)])
    assert figures(ingest(home, stills))["done"] == 1


@pytest.mark.timeout(LIMIT_S)
def test_a_worker_that_dies_at_its_first_start_costs_a_moment(home: Path, stills: Path) -> None:
    """Out of memory for a moment, say: the pass goes on with the next worker."""
    import psutil

    write_picture(stills, "a.png", seed=95)
    process = start_ingest(home, stills)
    parent = psutil.Process(process.pid)
    killed: list[int] = []

    def kill_the_first() -> bool:
        for child in parent.children():
            if "spawn_main" in " ".join(child.cmdline()):
                child.kill()
                killed.append(child.pid)
        return bool(killed)

    until_s = time.monotonic() + 60
    while not kill_the_first():
        assert time.monotonic() < until_s
    output, _ = process.communicate(timeout=200)
    assert process.returncode == 0, output
    assert json.loads(output.splitlines()[-1])["done"] == 1
