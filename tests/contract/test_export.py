"""Exports against what reads them: csv, pycocotools, a YOLO reader."""

from __future__ import annotations

import contextlib
import csv
import hashlib
import io
import json
import os
from pathlib import Path
from typing import Any

import pytest

from edge.errors import SettingsError
from edge.export import ExportFormat, export
from edge.store.files import store_file
from tests.helpers.season import HOSTILE_NAMES, Season, make_season, read_coco, read_csv, run
from tests.helpers.seed import (
    SHA256,
    add_model,
    add_station,
    done,
    done_again,
    open_database,
    quarantined,
    seen_file,
)


@pytest.fixture
def season(tmp_path: Path) -> Season:
    return make_season(tmp_path)


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
    assert manifest["filters"] == {"recipe": "burrows", "min_score": 0.4, "all_runs": False, "reviewed": False, "copy_images": False}
    assert manifest["counts"] == {"files": 8, "images": 4, "results": 4, "objects": 3, "failures": 2, "waiting": 2, "sealed": 0}
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
