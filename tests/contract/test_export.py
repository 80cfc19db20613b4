"""Exports against what reads them: csv, pycocotools, a YOLO reader; and the promises of the folder they are written to."""

from __future__ import annotations

import contextlib
import csv
import hashlib
import io
import json
import os
import subprocess
import sys
import time
import tracemalloc
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from pycocotools.coco import COCO

from edge.errors import BusyError, DiskFullError, Reason, SettingsError, StoreError
from edge.export import ExportFormat, export
from edge.export.cells import from_cell
from edge.store.connection import DATABASE_NAME, open_reader
from edge.store.export_rows import ExportFilter, iter_files, iter_results
from edge.store.files import store_file
from edge.store.lock import HomeLock
from edge.store.packs import PackRow
from edge.store.sqlite import Connection
from edge.values import CaptureTime
from tests.helpers.seed import (
    SHA256,
    Station,
    add_model,
    add_station,
    done,
    done_again,
    fill,
    open_database,
    quarantined,
    queued,
    seen_file,
    waiting,
)
from tests.helpers.small_disk import fill_disk, small_disk

HOSTILE_NAMES = (
    b"..\\..\\evil.jpg",
    b"new\nline.jpg",
    b'=HYPERLINK("mailto:x").jpg',
    b"'quoted'.jpg",
    "\u202egpj.exe".encode(),
    b"not utf-8 \xff\xfe.jpg",
    b"not utf-8 \\xff\\xfe.jpg",
    b"a" * 251 + b".jpg",
    b"-rf.jpg",
    "brûlé 🦐.jpg".encode(),
    b"tab\tcarriage\rreturn.jpg",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Season:
    """A home with two stations: four results (one of them zero), one waiting, one queued, two failures."""

    connection: Connection
    home: Path
    station: Station
    pack: PackRow
    sha256: dict[str, str]

    def reader(self) -> Connection:
        return open_reader(self.home / DATABASE_NAME)


@pytest.fixture
def season(tmp_path: Path) -> Season:
    home = tmp_path / "home"
    connection = open_database(home)
    inbox = tmp_path / "inbox"
    pack = add_model(connection, labels=[("opening", 107254), ("sea pen", None)])
    first = add_station(connection, inbox, b"tow 01", make=True)
    second = add_station(connection, inbox, b"tow 02", make=True)
    captured = CaptureTime(utc="2026-06-03T16:26:07.584Z", local=None, source="file_name")
    boxes = [(10.0, 20.0, 30.0, 40.0, 0.9, 0), (100.25, 200.5, 300.75, 400.0, 0.5, 1), (1.0, 2.0, 3.0, 4.0, 0.125, 0)]
    sha256 = {
        "a": done(connection, first, b"a.jpg", pack, boxes=boxes, capture_time=captured).sha256,
        "zero": done(connection, first, b"zero.jpg", pack).sha256,
        "a2": done(connection, second, b"a.jpg", pack, boxes=boxes[:1]).sha256,
        "small": done(connection, second, b"small.png", pack, boxes=[(0, 0, 64, 48, 0.3, 1)], size_px=(64, 48)).sha256,
    }
    waiting(connection, second, b"growing.jpg")
    queued(connection, second, b"queued.jpg")
    quarantined(connection, second, b"cut.jpg", reason=Reason.TRUNCATED, content=b"cut")
    quarantined(connection, second, b"empty.jpg", reason=Reason.EMPTY_FILE)
    return Season(connection=connection, home=home, station=first, pack=pack, sha256=sha256)


def run(season: Season, form: str, out: Path, **options: Any) -> Any:
    reader = season.reader()
    try:
        return export(reader, format=form, out_dir=out, **options)
    finally:
        reader.close()


def read_csv(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return [{column: from_cell(cell) for column, cell in row.items()} for row in csv.DictReader(file)]


def read_coco(path: Path) -> COCO:
    with contextlib.redirect_stdout(io.StringIO()):
        return COCO(str(path))


# CSV -------------------------------------------------------------------------------------------------------------


def test_every_file_is_in_files_csv_with_its_state(season: Season, tmp_path: Path) -> None:
    summary = run(season, "csv", tmp_path / "out")
    rows = {row["name"] if row["folder"] == "tow 02" else f"1/{row['name']}": row for row in read_csv(tmp_path / "out" / "files.csv")}
    states = {name: (row["state"], row["reason"], row["object_count"]) for name, row in rows.items()}
    assert states == {
        "1/a.jpg": ("done", "", "2"),
        "1/zero.jpg": ("done", "", "0"),
        "a.jpg": ("done", "", "1"),
        "small.png": ("done", "", "1"),
        "growing.jpg": ("seen", "still_growing", ""),
        "queued.jpg": ("queued", "", ""),
        "cut.jpg": ("quarantined", "truncated", ""),
        "empty.jpg": ("quarantined", "empty_file", ""),
    }
    assert (summary.files, summary.images, summary.results, summary.objects) == (8, 4, 4, 4)
    assert (summary.failures, summary.waiting) == (2, 2)
    assert rows["1/a.jpg"]["capture_time_utc"] == "2026-06-03T16:26:07.584Z"
    assert rows["a.jpg"]["capture_time_utc"] == ""


def test_each_object_row_says_where_and_by_what(season: Season, tmp_path: Path) -> None:
    run(season, "csv", tmp_path / "out")
    rows = read_csv(tmp_path / "out" / "objects.csv")
    assert len(rows) == 4
    expected = {
        "label": "sea pen",
        "aphia_id": "",
        "score": "0.5",
        "counted": "1",
        "x_min_px": "100.25",
        "y_max_px": "400.0",
        "path": str(tmp_path / "inbox" / "tow 01" / "a.jpg"),
        "sha256": season.sha256["a"],
        "model": "openings",
        "model_version": "1.0.0",
        "weights_sha256": SHA256,
        "precision": "fp32",
        "runtime": "onnxruntime",
        "score_threshold": "0.25",
    }
    assert expected.items() <= rows[1].items()
    assert rows[0]["aphia_id"] == "107254"


def test_lengths_and_times_in_headers_carry_their_unit(season: Season, tmp_path: Path) -> None:
    run(season, "csv", tmp_path / "out")
    measured = ("width", "height", "size", "capture_time", "x_m", "y_m", "first_seen", "done_")
    for path in (tmp_path / "out").glob("*.csv"):
        header = path.read_text("utf-8").splitlines()[0].split(",")
        suspects = [column for column in header if column.startswith(measured)]
        assert suspects
        assert [column for column in suspects if not column.endswith(("_px", "_bytes", "_utc", "_local", "_source"))] == []


def test_a_second_name_of_the_same_bytes_is_not_counted_twice(season: Season, tmp_path: Path) -> None:
    seen = seen_file(season.station, b"copy of a.jpg")
    store_file(season.connection, seen, sha256=season.sha256["a"], copy_path=None)
    run(season, "csv", tmp_path / "out")
    same = [row for row in read_csv(tmp_path / "out" / "files.csv") if row["sha256"] == season.sha256["a"]]
    assert [(row["name"], row["object_count"], row["is_primary_name"]) for row in same] == [
        ("a.jpg", "2", "1"),
        ("copy of a.jpg", "2", "0"),
    ]
    assert len(read_csv(tmp_path / "out" / "objects.csv")) == 4
    season.connection.execute("UPDATE sightings SET original = 'gone' WHERE name = 'a.jpg'")
    run(season, "csv", tmp_path / "out")
    rows = [row for row in read_csv(tmp_path / "out" / "objects.csv") if row["sha256"] == season.sha256["a"]]
    assert {row["path"] for row in rows} == {str(tmp_path / "inbox" / "tow 01" / "copy of a.jpg")}, (
        "a name that is still there stands first"
    )


def test_hostile_names_come_back_as_they_were(season: Season, tmp_path: Path) -> None:
    for name in HOSTILE_NAMES:
        done(season.connection, season.station, name, season.pack, boxes=[(1, 2, 3, 4, 0.9, 0)])
        quarantined(season.connection, season.station, b"bad " + name[:240])
    run(season, "csv", tmp_path / "out")
    for table, prefix in (("files.csv", b""), ("failures.csv", b"bad ")):
        rows = {(row["name"], row["path_bytes_hex"]): row for row in read_csv(tmp_path / "out" / table)}
        for name in HOSTILE_NAMES:
            raw = prefix + (name[:240] if prefix else name)
            try:
                key = (raw.decode(), "")
            except UnicodeDecodeError:
                key = (raw.decode("utf-8", "backslashreplace"), (b"tow 01/" + raw).hex())
            assert key in rows
    raw_cells: list[str] = []
    for path in (tmp_path / "out").glob("*.csv"):
        with path.open(encoding="utf-8", newline="") as file:
            raw_cells += [cell for row in csv.reader(file) for cell in row]
    assert not [cell for cell in raw_cells if cell.startswith(("=", "+", "-", "@", "\t", "\r"))]


def test_earlier_runs_only_if_asked_for_and_zeros_among_them(season: Season, tmp_path: Path) -> None:
    newer = add_model(season.connection, version="2.0.0")
    done_again(season.connection, season.station, season.sha256["a"], newer)
    assert run(season, "csv", tmp_path / "out").objects == 2
    summary = run(season, "csv", tmp_path / "all", all_runs=True)
    assert (summary.results, summary.images, summary.objects) == (5, 4, 4)
    rows = [row for row in read_csv(tmp_path / "all" / "files.csv") if row["sha256"] == season.sha256["a"]]
    assert [(row["model_version"], row["is_current"], row["object_count"]) for row in rows] == [("1.0.0", "0", "2"), ("2.0.0", "1", "0")]
    assert {row["is_current"] for row in read_csv(tmp_path / "all" / "objects.csv") if row["sha256"] == season.sha256["a"]} == {"0"}


@pytest.mark.parametrize(
    ("min_score", "scores"), [(None, [0.9, 0.5, 0.9, 0.3]), (0.0, [0.9, 0.5, 0.125, 0.9, 0.3]), (0.6, [0.9, 0.9]), (1.0, [])]
)
def test_a_score_limit_takes_candidates_in_or_leaves_objects_out(
    season: Season, tmp_path: Path, min_score: float | None, scores: list[float]
) -> None:
    run(season, "csv", tmp_path / "out", min_score=min_score)
    rows = read_csv(tmp_path / "out" / "objects.csv")
    assert [float(row["score"]) for row in rows] == scores
    assert [row["counted"] for row in rows] == ["1" if score >= 0.25 else "0" for score in scores]


def test_only_one_recipe(season: Season, tmp_path: Path) -> None:
    other = add_station(season.connection, tmp_path / "litter", recipe="litter")
    done(season.connection, other, b"bag.jpg", add_model(season.connection, "bags", serves="litter"), boxes=[(1, 2, 3, 4, 0.9, 0)])
    quarantined(season.connection, other, b"bad.jpg")
    summary = run(season, "csv", tmp_path / "out", recipe="litter")
    assert (summary.files, summary.images, summary.objects, summary.failures) == (2, 1, 1, 1)
    assert run(season, "csv", tmp_path / "none", recipe="fish").files == 0
    assert run(season, "csv", tmp_path / "both").objects == 5


# COCO ------------------------------------------------------------------------------------------------------------


def test_pycocotools_reads_images_zeros_boxes_and_categories(season: Season, tmp_path: Path) -> None:
    summary = run(season, "coco", tmp_path / "out")
    coco = read_coco(tmp_path / "out" / "coco.json")
    images = {image["file_name"]: image for image in coco.loadImgs(coco.getImgIds())}
    assert set(images) == {"tow 01/a.jpg", "tow 01/zero.jpg", "tow 02/a.jpg", "tow 02/small.png"}
    assert coco.getAnnIds(imgIds=[images["tow 01/zero.jpg"]["id"]]) == []
    assert (images["tow 02/small.png"]["width"], images["tow 02/small.png"]["height"]) == (64, 48)
    assert images["tow 01/a.jpg"]["sha256"] == season.sha256["a"]
    assert images["tow 01/a.jpg"]["runs"][0]["weights_sha256"] == SHA256
    objects = coco.loadAnns(coco.getAnnIds(imgIds=[images["tow 01/a.jpg"]["id"]]))
    assert [found["bbox"] for found in objects] == [[10, 20, 20, 20], [100.25, 200.5, 200.5, 199.5]]
    assert [found["score"] for found in objects] == [0.9, 0.5]
    assert objects[1]["area"] == 200.5 * 199.5
    categories = {category["id"]: (category["name"], category["aphia_id"]) for category in coco.loadCats(coco.getCatIds())}
    assert [categories[found["category_id"]] for found in objects] == [("opening", 107254), ("sea pen", None)]
    assert (summary.images, summary.objects) == (4, 4)


def test_pycocotools_scores_an_export_against_itself(season: Season, tmp_path: Path) -> None:
    from pycocotools.cocoeval import COCOeval

    run(season, "coco", tmp_path / "out")
    truth = read_coco(tmp_path / "out" / "coco.json")
    results = [{key: found[key] for key in ("image_id", "category_id", "bbox", "score")} for found in truth.dataset["annotations"]]
    with contextlib.redirect_stdout(io.StringIO()):
        scoring = COCOeval(truth, truth.loadRes(results), "bbox")
        scoring.evaluate()
        scoring.accumulate()
        scoring.summarize()
    assert scoring.stats[0] == pytest.approx(1.0)


def test_a_coco_file_of_nothing_is_still_one(tmp_path: Path) -> None:
    connection = open_database(tmp_path / "home")
    summary = export(connection, format=ExportFormat.COCO, out_dir=tmp_path / "out")
    coco = read_coco(tmp_path / "out" / "coco.json")
    assert (summary.images, coco.getImgIds(), coco.getAnnIds(), coco.getCatIds()) == (0, [], [], [])


def test_file_names_in_coco_are_unique_and_hostile_ones_data(season: Season, tmp_path: Path) -> None:
    for name in HOSTILE_NAMES:
        done(season.connection, season.station, name, season.pack)
    overwritten = done(season.connection, season.station, b"a.jpg", season.pack, content=b"new bytes under the old name")
    run(season, "coco", tmp_path / "out")
    coco = read_coco(tmp_path / "out" / "coco.json")
    names = [image["file_name"] for image in coco.loadImgs(coco.getImgIds())]
    assert len(names) == len(set(names)) == 4 + len(HOSTILE_NAMES) + 1
    assert {f"tow 01/a.{season.sha256['a'][:12]}.jpg", "tow 01/a.jpg", "tow 01/new\nline.jpg"} <= set(names)
    (image,) = (image for image in coco.loadImgs(coco.getImgIds()) if image["sha256"] == overwritten.sha256)
    assert image["file_name"] == "tow 01/a.jpg"


def test_equal_paths_below_two_roots_stay_apart(season: Season, tmp_path: Path) -> None:
    other = add_station(season.connection, tmp_path / "usb", b"tow 01")
    done(season.connection, other, b"a.jpg", season.pack)
    run(season, "coco", tmp_path / "out")
    coco = read_coco(tmp_path / "out" / "coco.json")
    names = {image["file_name"] for image in coco.loadImgs(coco.getImgIds())}
    assert {"root-1/tow 01/a.jpg", "root-2/tow 01/a.jpg"} <= names


def test_an_image_with_two_recipes_is_one_image(season: Season, tmp_path: Path) -> None:
    other = add_station(season.connection, tmp_path / "inbox", b"tow 01", recipe="litter")
    content = b"%s/a.jpg" % season.station.path_bytes
    bags = add_model(season.connection, "bags", labels=[("bag", None)], serves="litter")
    done(season.connection, other, b"same bytes.jpg", bags, boxes=[(5, 5, 9, 9, 0.9, 0)], content=content)
    summary = run(season, "coco", tmp_path / "out")
    coco = read_coco(tmp_path / "out" / "coco.json")
    (image,) = (image for image in coco.loadImgs(coco.getImgIds()) if image["sha256"] == season.sha256["a"])
    assert [one["recipe"] for one in image["runs"]] == ["burrows", "litter"]
    assert len(coco.getAnnIds(imgIds=[image["id"]])) == 3
    assert (summary.images, summary.results) == (4, 5)
    assert {category["name"] for category in coco.loadCats(coco.getCatIds())} == {"opening", "sea pen", "bag"}


# YOLO ------------------------------------------------------------------------------------------------------------


def test_every_listed_image_has_its_labels_and_a_zero_an_empty_file(season: Season, tmp_path: Path) -> None:
    out = tmp_path / "out"
    run(season, "yolo", out)
    names = [Path(line).name for line in (out / "images.txt").read_text().splitlines()]
    assert len(names) == len({Path(name).stem for name in names}) == 4
    rows = {row["sha256"]: row for row in read_csv(out / "images.csv")}
    labels = {key: (out / "labels" / rows[sha256]["name"]).with_suffix(".txt").read_text() for key, sha256 in season.sha256.items()}
    assert labels["zero"] == ""
    assert labels["small"] == "1 0.500000 0.500000 1.000000 1.000000\n"
    assert [line.split()[0] for line in labels["a"].splitlines()] == ["0", "1"]
    assert {path.name for path in (out / "labels").iterdir()} == {Path(name).with_suffix(".txt").name for name in names}
    assert '  0: "opening"\n  1: "sea pen"\n' in (out / "data.yaml").read_text()
    assert list((out / "images").iterdir()) == []
    assert rows[season.sha256["a"]]["copied"] == "0"


def test_copied_images_are_the_bytes_that_were_looked_at(season: Season, tmp_path: Path) -> None:
    contents = {}
    for name in HOSTILE_NAMES:
        contents[name] = b"bytes of " + name
        done(season.connection, season.station, name, season.pack, content=contents[name])
        Path(os.fsdecode(season.station.path_bytes + b"/" + name)).write_bytes(contents[name])
    copy = tmp_path / "home" / "media.jpg"
    copy.write_bytes(b"ours")
    done(season.connection, season.station, b"from usb.jpg", season.pack, content=b"ours")
    season.connection.execute("UPDATE images SET copy_path = ? WHERE sha256 = ?", (str(copy), hashlib.sha256(b"ours").hexdigest()))
    # Of the season's own four files two are gone, one was overwritten, one is a link.
    inbox = tmp_path / "inbox"
    (inbox / "tow 02" / "a.jpg").write_bytes(b"other bytes")
    (inbox / "tow 02" / "small.png").symlink_to(copy)
    summary = run(season, "yolo", tmp_path / "out", copy_images=True)
    copied = {path.read_bytes() for path in (tmp_path / "out" / "images").iterdir()}
    assert copied == {*contents.values(), b"ours"}
    listed = (tmp_path / "out" / "images.txt").read_text().splitlines()
    assert all((tmp_path / "out" / line).is_file() for line in listed)
    assert len(listed) == len(HOSTILE_NAMES) + 1
    failures = {
        (row["folder"], row["name"], row["reason"]) for row in read_csv(tmp_path / "out" / "failures.csv") if row["state"] == "done"
    }
    assert failures == {
        ("tow 01", "a.jpg", "vanished"),
        ("tow 01", "zero.jpg", "vanished"),
        ("tow 02", "a.jpg", "changed_while_read"),
        ("tow 02", "small.png", "unreadable_file"),
    }
    assert summary.failures == 2 + 4


# What is never silently missing ----------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["csv", "coco", "yolo"])
def test_failures_and_waiting_files_are_listed_in_every_format(season: Season, tmp_path: Path, form: str) -> None:
    run(season, form, tmp_path / "out")
    rows = {row["name"]: (row["state"], row["reason"]) for row in read_csv(tmp_path / "out" / "failures.csv")}
    assert rows == {
        "growing.jpg": ("seen", "still_growing"),
        "queued.jpg": ("queued", ""),
        "cut.jpg": ("quarantined", "truncated"),
        "empty.jpg": ("quarantined", "empty_file"),
    }


@pytest.mark.parametrize("form", ["csv", "coco", "yolo"])
def test_the_manifest_says_what_when_and_how_much(season: Season, tmp_path: Path, form: str) -> None:
    out = tmp_path / "out"
    run(season, form, out, recipe="burrows", min_score=0.4)
    manifest = json.loads((out / "export_manifest.json").read_text())
    assert manifest["format"] == form
    assert manifest["filters"] == {"recipe": "burrows", "min_score": 0.4, "all_runs": False, "copy_images": False}
    assert manifest["counts"] == {"files": 8, "images": 4, "results": 4, "objects": 3, "failures": 2, "waiting": 2}
    assert manifest["software_version"]
    assert manifest["made_utc"].endswith("Z")
    for name, facts in manifest["files"].items():
        assert facts == {"sha256": hashlib.sha256((out / name).read_bytes()).hexdigest(), "size_bytes": (out / name).stat().st_size}
    assert set(manifest["entries"]) == {path.name for path in out.iterdir()} - {"export_manifest.json"}


@pytest.mark.parametrize(
    ("form", "options", "match"),
    [
        ("coco", {"all_runs": True}, "as CSV"),
        ("yolo", {"all_runs": True}, "as CSV"),
        ("csv", {"copy_images": True}, "for yolo"),
        ("csv", {"min_score": 1.5}, "min_score"),
        ("csv", {"min_score": float("nan")}, "min_score"),
    ],
)
def test_options_that_contradict_each_other_are_refused(
    season: Season, tmp_path: Path, form: str, options: dict[str, Any], match: str
) -> None:
    with pytest.raises(SettingsError, match=match):
        run(season, form, tmp_path / "out", **options)
    assert not (tmp_path / "out").exists()


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
        for page in range(path.stat().st_size // 4096 // 2, path.stat().st_size // 4096):
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
