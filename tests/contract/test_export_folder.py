"""The folder of an export: whole or not at all, never over a person's work, one moment, flat memory."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import tracemalloc
from pathlib import Path

import pytest

from edge.errors import BusyError, DiskFullError, SettingsError, StoreError
from edge.export import export
from edge.store.connection import DATABASE_NAME
from edge.store.export_rows import ExportFilter, iter_files, iter_results
from edge.store.lock import HomeLock
from tests.helpers.season import Season, make_season, read_csv, run
from tests.helpers.seed import (
    add_model,
    add_station,
    done,
    fill,
    open_database,
)
from tests.helpers.small_disk import fill_disk, small_disk


@pytest.fixture
def season(tmp_path: Path) -> Season:
    return make_season(tmp_path)


# The folder ------------------------------------------------------------------------------------------------------


def test_an_earlier_export_is_replaced_as_a_whole(season: Season, tmp_path: Path) -> None:
    run(season, "yolo", tmp_path / "out", min_score=0.0)
    run(season, "csv", tmp_path / "out")
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"files.csv", "objects.csv", "failures.csv", "export_manifest.json"}
    assert {path.name for path in tmp_path.iterdir()} == {"home", "inbox", "out"}


def test_an_empty_folder_is_taken(season: Season, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    assert run(season, "csv", tmp_path / "out").files == 8


def snapshot_of(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("change", ["foreign", "added", "added below", "edited", "removed", "manifest of another"])
def test_what_a_person_did_is_never_overwritten(season: Season, tmp_path: Path, change: str) -> None:
    out = tmp_path / "out"
    run(season, "yolo", out)
    later = time.time() + 5
    if change == "foreign":
        for path in out.iterdir():
            path.rename(tmp_path / f"away {path.name}")
        (out / "thesis.doc").write_text("years of work")
    elif change == "added":
        (out / "notes.txt").write_text("mine")
    elif change == "added below":
        (out / "labels" / "extra.txt").write_text("")
    elif change == "edited":
        edited = min((out / "labels").iterdir())
        edited.write_text("0 0.5 0.5 0.1 0.1\n")
        os.utime(edited, (later, later))
    elif change == "removed":
        (out / "images.csv").unlink()
    else:
        (out / "export_manifest.json").write_text('{"made_by": "another program"}')
    before = snapshot_of(out)
    with pytest.raises(SettingsError, match="not empty"):
        run(season, "csv", out)
    assert snapshot_of(out) == before


def test_places_that_cannot_take_an_export(season: Season, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    (tmp_path / "link").symlink_to(tmp_path / "home")
    for place, match in (
        (tmp_path / "inbox" / "export", "watched folder"),
        (tmp_path / "inbox", "watched folder"),
        (tmp_path / "home" / ".." / "inbox" / "x", "watched folder"),
        (tmp_path / "file", "not a folder"),
        (tmp_path / "link", "not a folder"),
        (Path("/"), "disk of its own"),
        (Path("/proc/export"), "cannot be written"),
    ):
        with pytest.raises(SettingsError, match=match):
            run(season, "csv", place)


def test_two_exports_to_one_place_at_once(season: Season, tmp_path: Path) -> None:
    (tmp_path / ".out.part").mkdir()
    lock = HomeLock(tmp_path / ".out.part")
    lock.acquire()
    with pytest.raises(BusyError):
        run(season, "csv", tmp_path / "out")
    lock.release()
    assert run(season, "csv", tmp_path / "out").files == 8


def test_an_export_that_fails_leaves_the_earlier_one(season: Season, tmp_path: Path) -> None:
    run(season, "csv", tmp_path / "out")
    before = snapshot_of(tmp_path / "out")

    def give_up(done: int, total: int) -> None:
        if done:
            raise KeyboardInterrupt

    fill(season.connection, season.station, season.pack, images=100, objects_per_image=1)
    with pytest.raises(KeyboardInterrupt):
        run(season, "csv", tmp_path / "out", progress=give_up)
    assert snapshot_of(tmp_path / "out") == before
    assert {path.name for path in tmp_path.iterdir()} == {"home", "inbox", "out"}


EXPORT = """
import sys
from pathlib import Path
from edge.export import export
from edge.store.connection import open_reader
print("begun", flush=True)
export(open_reader(Path(sys.argv[1])), format="yolo", out_dir=Path(sys.argv[2]))
"""


def test_an_export_killed_anywhere_is_there_whole_or_not_at_all(season: Season, tmp_path: Path, checkout: Path) -> None:
    fill(season.connection, season.station, season.pack, images=300, objects_per_image=2)
    out = tmp_path / "out"
    command = [sys.executable, "-c", EXPORT, str(season.home / DATABASE_NAME), str(out)]
    for delay_s in (0.01, 0.03, 0.06, 0.1):
        with subprocess.Popen(command, cwd=checkout, stdout=subprocess.PIPE) as child:
            assert child.stdout is not None
            child.stdout.readline()
            time.sleep(delay_s)
            child.kill()
        if out.exists():
            assert len(list((out / "labels").iterdir())) == 304
    run(season, "yolo", out)
    assert {path.name for path in tmp_path.iterdir()} == {"home", "inbox", "out"}


def test_what_a_killed_export_left_goes_with_the_next(season: Season, tmp_path: Path) -> None:
    part = tmp_path / ".out.part"
    (part / "labels").mkdir(parents=True)
    (part / "labels" / "old.txt").write_text("0 0.5 0.5 0.1 0.1\n")
    (part / "edge.lock").write_text("12345")
    (part / "notes").symlink_to(tmp_path / "home")
    run(season, "yolo", tmp_path / "out")
    assert "old.txt" not in {path.name for path in (tmp_path / "out" / "labels").iterdir()}
    assert not part.exists()
    assert (tmp_path / "home" / DATABASE_NAME).exists(), "a link is removed, not what it leads to"


def test_a_full_disk_leaves_nothing(season: Season, tmp_path: Path) -> None:
    fill(season.connection, season.station, season.pack, images=200, objects_per_image=20)
    with small_disk(tmp_path / "disk", 4) as disk:
        filler = fill_disk(disk, leave_bytes=300_000)
        with pytest.raises(DiskFullError):
            run(season, "csv", disk / "out")
        assert [path.name for path in disk.iterdir()] == ["filler"]
        filler.unlink()
        assert run(season, "csv", disk / "out").images == 204


def test_a_damaged_database_is_an_error_not_a_short_export(season: Season, tmp_path: Path) -> None:
    fill(season.connection, season.station, season.pack, images=500, objects_per_image=20)
    season.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    season.connection.close()
    path = season.home / DATABASE_NAME
    with path.open("rb+") as file:
        for page in range(path.stat().st_size // 4096 * 3 // 4, path.stat().st_size // 4096):
            file.seek(page * 4096)
            file.write(os.urandom(512))
    with pytest.raises(StoreError, match="could not be read"):
        run(season, "csv", tmp_path / "out")
    assert not (tmp_path / "out").exists()


# Size ------------------------------------------------------------------------------------------------------------


def test_the_whole_export_sees_one_moment(season: Season, tmp_path: Path) -> None:
    fill(season.connection, season.station, season.pack, images=150, objects_per_image=1)

    def a_result_arrives(done_so_far: int, total: int) -> None:
        done(season.connection, season.station, b"late %d.jpg" % done_so_far, season.pack, boxes=[(1, 2, 3, 4, 0.9, 0)])

    summary = run(season, "csv", tmp_path / "out", progress=a_result_arrives)
    assert (summary.results, len(read_csv(tmp_path / "out" / "files.csv"))) == (154, 158)


@pytest.mark.parametrize("which", [ExportFilter(), ExportFilter(recipe="burrows"), ExportFilter(all_runs=True)])
def test_no_query_sorts_or_scans_more_than_it_gives(season: Season, which: ExportFilter) -> None:
    asked: list[str] = []
    season.connection.set_trace_callback(asked.append)
    list(iter_results(season.connection, which))
    list(iter_files(season.connection, which))
    season.connection.set_trace_callback(None)
    plans = [row[3] for sql in asked if "JOIN" in sql for row in season.connection.execute(f"EXPLAIN QUERY PLAN {sql}")]
    assert len(plans) > 10
    sorts = [line for line in plans if "TEMP B-TREE" in line and "LAST TERM" not in line.upper()]
    assert [line for line in plans if line.startswith("SCAN") and not line.startswith(("SCAN r", "SCAN s"))] == []
    assert len(sorts) <= 2, "only the choice of a primary name sorts, and that few rows"


def test_progress_counts_results(season: Season, tmp_path: Path) -> None:
    fill(season.connection, season.station, season.pack, images=250, objects_per_image=1)
    steps: list[tuple[int, int]] = []
    run(season, "coco", tmp_path / "out", progress=lambda done, total: steps.append((done, total)))
    assert steps == [(0, 254), (100, 254), (200, 254), (254, 254)]


@pytest.mark.parametrize("form", ["csv", "coco", "yolo"])
def test_memory_does_not_grow_with_the_season(tmp_path: Path, form: str) -> None:
    peaks_bytes: list[int] = []
    for images in (100, 100, 2000):
        home = tmp_path / f"home {len(peaks_bytes)}"
        connection = open_database(home)
        fill(connection, add_station(connection, tmp_path / "inbox"), add_model(connection), images=images, objects_per_image=5)
        tracemalloc.start()
        export(connection, format=form, out_dir=tmp_path / "out")
        peaks_bytes.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        connection.close()
    # The first export warms caches of the interpreter; rows of 1,900 more results would be some 2 MB.
    assert peaks_bytes[2] - peaks_bytes[1] < 300_000, peaks_bytes
