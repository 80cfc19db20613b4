"""`dataset build` against the reader and the division of `models train`, pycocotools, and the pictures themselves."""

from __future__ import annotations

import hashlib
import io
import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from edge.commands.export_hands import Hands
from edge.errors import SettingsError
from edge.export import export
from edge.export.dataset import BuildRequest, BuildSummary, build_dataset
from edge.export.dataset.build import NothingReviewedError
from edge.export.dataset.divide import TooFewStationsError
from edge.settings import Settings
from edge.store import surveys
from edge.store.clock import uuid7
from edge.store.connection import immediate
from edge.store.decisions import Decision, add_decisions, add_image_decision, decided_run
from models.datasets.read import read_dataset
from models.training.split import Named, Wanted, split
from tests.helpers import seed
from tests.helpers.clips import number_in
from tests.helpers.counted import make_protocol
from tests.helpers.reviewed import Opening, Ship
from tests.helpers.season import read_coco

OPENINGS = [
    Opening(frames=[0, 4, 8], decision="accepted"),
    Opening(frames=[8, 12, 16], decision="accepted", x_px=60.0),
    Opening(frames=[16, 20], x_px=90.0),
    Opening(frames=[4, 8], decision="rejected", x_px=100.0),
]
ALL = {"overlap_limit": 1.0}  # nothing repeats


@pytest.fixture(scope="module")
def hands() -> Iterator[Hands]:
    hands = Hands(Settings())
    yield hands
    hands.close()


@pytest.fixture
def ship(tmp_path: Path) -> Ship:
    ship = Ship(tmp_path / "home")
    for name in ("S1", "S2", "S3", "S4"):
        ship.add(name, OPENINGS)
    return ship


def build(ship: Ship, hands: Hands, out: Path, **wanted: Any) -> BuildSummary:
    return build_dataset(ship.connection, hands, out, BuildRequest(**{**ALL, **wanted}))


def manifest_of(folder: Path) -> dict[str, Any]:
    content = json.loads((folder / "manifest.json").read_text("utf-8"))
    assert isinstance(content, dict)
    return content


def pixels_of(path: Path) -> Any:
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"))


def test_the_trainers_reader_takes_it_as_it_is_and_never_divides_a_station(ship: Ship, hands: Hands, tmp_path: Path) -> None:
    summary = build(ship, hands, tmp_path / "set")
    read = read_dataset(tmp_path / "set")
    assert (read.form, read.labels, len(read.images)) == ("yolo", ("burrow opening",), 16)
    assert sum(summary.pictures.values()) == 16
    assert {image.tow for image in read.images} == {name for names in summary.stations.values() for name in names}
    by_tow = split([Named(name=image.name, tow=image.tow) for image in read.images], Wanted())
    told = [set(by_tow.tows[part]) for part in ("train", "val", "test")]
    assert sum(len(names) for names in told) == len(set.union(*told)) == 4
    for part in ("train", "val", "test"):
        own = read_dataset(tmp_path / "set", split=part)
        assert {image.tow for image in own.images} == set(summary.stations[part])
        assert len(own.images) == summary.pictures[part]


def test_only_complete_frames_are_in_it_with_all_that_was_accepted(ship: Ship, hands: Hands, tmp_path: Path) -> None:
    build(ship, hands, tmp_path / "set")
    read = read_dataset(tmp_path / "set")
    counts = {(image.tow, number_in(pixels_of(image.path))): len(image.truth.boxes_xyxy_px) for image in read.images}
    assert {number: count for (_, number), count in counts.items()} == {0: 1, 4: 1, 8: 2, 12: 1}, "16 and 20 show what nobody decided"
    assert len(counts) == 16


def test_coco_and_yolo_say_the_same(ship: Ship, hands: Hands, tmp_path: Path) -> None:
    build(ship, hands, tmp_path / "set")
    yolo = {image.name.removeprefix("images/"): image.truth.boxes_xyxy_px for image in read_dataset(tmp_path / "set").images}
    seen = 0
    for part in ("train", "val", "test"):
        coco = read_coco(tmp_path / "set" / "annotations" / f"instances_{part}.json")
        for image in coco.loadImgs(coco.getImgIds()):
            boxes = [found["bbox"] for found in coco.loadAnns(coco.getAnnIds(imgIds=[image["id"]]))]
            corners = np.array([[x, y, x + width, y + height] for x, y, width, height in boxes])
            np.testing.assert_allclose(corners, yolo[image["file_name"].removeprefix("images/")], atol=0.01)
            seen += 1
    assert seen == len(yolo) == 16
    ids = [image["id"] for part in ("train", "val", "test") for image in coco_images(tmp_path / "set", part)]
    assert len(set(ids)) == 16
    build(ship, hands, tmp_path / "coco only", form="coco")
    assert read_dataset(tmp_path / "coco only").form == "coco"
    assert read_dataset(tmp_path / "coco only").sha256 != ""


def coco_images(folder: Path, part: str) -> list[dict[str, Any]]:
    rows = json.loads((folder / "annotations" / f"instances_{part}.json").read_text())["images"]
    assert isinstance(rows, list)
    return rows


def test_the_manifest_names_every_file_and_where_it_comes_from(ship: Ship, hands: Hands, tmp_path: Path) -> None:
    build(ship, hands, tmp_path / "set", licence="CC-BY-4.0")
    manifest = manifest_of(tmp_path / "set")
    files = {path.relative_to(tmp_path / "set").as_posix(): path for path in (tmp_path / "set").rglob("*") if path.is_file()}
    assert {name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in files.items() if name != "manifest.json"} == {
        name: one["sha256"] for name, one in manifest["files"].items()
    }
    assert (manifest["licence"], manifest["reviewers"], manifest["models"]) == ("CC-BY-4.0", ["jd"], ["openings 1.0.0"])
    assert manifest["divided_by"] == "station"
    for source in manifest["sources"]:
        assert number_in(pixels_of(tmp_path / "set" / source["file"])) == source["frame"]
        assert source["source"] == f"{source['station']}.mp4"


def test_frames_that_show_the_same_seabed_are_left_out(ship: Ship, hands: Hands, tmp_path: Path) -> None:
    summary = build(ship, hands, tmp_path / "set", overlap_limit=0.25)  # 96 px high, 500 px/s, sampled every 0.16 s: 17 % overlap
    assert (summary.repeated, sum(summary.pictures.values())) == (0, 16)
    summary = build(ship, hands, tmp_path / "less", overlap_limit=0.1)
    assert (summary.repeated, sum(summary.pictures.values())) == (8, 8)


def test_without_motion_pictures_that_look_the_same_are_left_out(hands: Hands, tmp_path: Path) -> None:
    ship = Ship(tmp_path / "home")
    for name in ("S1", "S2", "S3"):
        ship.add(name, OPENINGS, speed_px_per_s=None)
    summary = build(ship, hands, tmp_path / "set")
    assert sum(summary.pictures.values()) + summary.repeated == 12
    assert min(summary.pictures.values()) >= 1


# Stills ----------------------------------------------------------------------------------------------------------


def test_reviewed_stills_bring_what_stands_on_them(ship: Ship, hands: Hands, tmp_path: Path) -> None:
    folder = seed.add_station(ship.connection, tmp_path / "stills", b"day 1", make=True)
    for number in range(3):
        content = png_of(64 + 8 * number, 48)
        name = b"%d.png" % number
        (tmp_path / "stills" / "day 1" / name.decode()).write_bytes(content)
        boxes = [(1.0, 2.0, 11.0, 12.0, 0.9, 0), (20.0, 20.0, 30.0, 30.0, 0.8, 0)]
        seed.done(ship.connection, folder, name, ship.pack, boxes=boxes, content=content, size_px=(64 + 8 * number, 48))
    ship.connection.execute("UPDATE images SET format = 'png' WHERE width_px < 100")
    runs = [row[0] for row in ship.connection.execute("SELECT uuid FROM runs ORDER BY id")]
    review(ship, runs[0], reject_second=True)
    review(ship, runs[1], reject_second=False)
    build(ship, hands, tmp_path / "set")
    stills = [image for image in read_dataset(tmp_path / "set").images if image.tow is not None and "day_1" in image.tow]
    assert sorted(len(image.truth.boxes_xyxy_px) for image in stills) == [1, 2], "the third was not called right as a whole"
    told = [one for one in manifest_of(tmp_path / "set")["sources"] if one["frame"] is None]
    assert {one["reviewers"][0] for one in told} == {"ana"}


def png_of(width_px: int, height_px: int) -> bytes:
    """A picture of its own."""
    content = io.BytesIO()
    noise = np.random.default_rng(width_px).integers(0, 255, (height_px, width_px, 3), np.uint8)
    Image.fromarray(noise).save(content, "PNG")
    return content.getvalue()


def review(ship: Ship, run_uuid: str, *, reject_second: bool) -> None:
    with immediate(ship.connection):
        run = decided_run(ship.connection, run_uuid)
        assert run is not None
        second = ship.connection.execute("SELECT id FROM objects WHERE run_id = ? ORDER BY ordinal DESC", (run.run_id,)).fetchone()[0]
        if reject_second:
            decision = Decision(uuid=uuid7(), object_id=second, added_uuid=None, decision="rejected", label=None, box=None)
            add_decisions(ship.connection, run, [decision], decided_by="ana")
        add_image_decision(ship.connection, run, "reviewed", decided_by="ana")


# What is refused and what is left out ------------------------------------------------------------------------------


def test_a_blind_tow_never_enters_and_its_size_is_not_told(ship: Ship, hands: Hands, tmp_path: Path) -> None:
    with immediate(ship.connection):
        surveys.add_protocol(ship.connection, ship.survey_id, make_protocol(), reason="the manual", actor="test")
        ship.connection.execute(
            "INSERT INTO releases (tow_id, released_by, reason, released_utc) SELECT t.id, 'x', 'x', 'x' FROM tows AS t "
            "JOIN stations AS s ON s.id = t.station_id WHERE s.name <> 'S2'"
        )
    summary = build(ship, hands, tmp_path / "set")
    assert [(one["station"], set(one)) for one in summary.tows_left_out] == [("S2", {"survey", "station", "tow", "reason"})]
    assert sum(summary.pictures.values()) == 12
    assert not any("S2" in source["source"] for source in manifest_of(tmp_path / "set")["sources"])


def test_a_clip_that_is_no_longer_what_was_reviewed_is_left_out(ship: Ship, hands: Hands, tmp_path: Path) -> None:
    with ship.clips["S1"].open("ab") as file:
        file.write(b"\x00\x00\x00\x08free")
    summary = build(ship, hands, tmp_path / "set")
    assert sum(summary.unusable.values()) == 4
    assert sum(summary.pictures.values()) == 12


def test_too_few_stations_are_refused_and_leave_nothing(hands: Hands, tmp_path: Path) -> None:
    ship = Ship(tmp_path / "home")
    ship.add("S1", OPENINGS)
    ship.add("S2", OPENINGS)
    with pytest.raises(TooFewStationsError):
        build(ship, hands, tmp_path / "set")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["footage", "home"]


def test_nothing_reviewed_is_said(hands: Hands, tmp_path: Path) -> None:
    ship = Ship(tmp_path / "home")
    ship.add("S1", [Opening(frames=[0])])
    with pytest.raises(NothingReviewedError, match="everything is reviewed"):
        build(ship, hands, tmp_path / "set")


@pytest.mark.parametrize("wanted", [{"form": "voc"}, {"overlap_limit": 1.5}, {"survey": "none"}, {"val_share": 1.0}])
def test_what_cannot_be_is_refused(ship: Ship, hands: Hands, tmp_path: Path, wanted: dict[str, Any]) -> None:
    with pytest.raises(SettingsError):
        build(ship, hands, tmp_path / "set", **wanted)
    assert not (tmp_path / "set").exists()


def test_a_folder_with_something_in_it_is_left_alone(ship: Ship, hands: Hands, tmp_path: Path) -> None:
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "mine.txt").write_text("x", "utf-8")
    with pytest.raises(SettingsError, match="not empty"):
        build(ship, hands, tmp_path / "set")
    build(ship, hands, tmp_path / "other")
    with pytest.raises(SettingsError, match="not empty"):
        build(ship, hands, tmp_path / "other")
    export(ship.connection, format="csv", out_dir=tmp_path / "tables")
    with pytest.raises(SettingsError, match="not empty"):
        build(ship, hands, tmp_path / "tables")
    assert [path.name for path in (tmp_path / "set").iterdir()] == ["mine.txt"]


# The command -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_a_build_that_ends_in_the_middle_leaves_no_set(ship: Ship, edge_command: list[str], tmp_path: Path, number: signal.Signals) -> None:
    ship.add("S5", [Opening(frames=range(40), decision="accepted")])
    ship.connection.close()
    command = [*edge_command, "--home", str(ship.home), "dataset", "build", "--out", str(tmp_path / "set"), "--overlap", "1", "--json"]
    part = tmp_path / ".set.part"
    building = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while building.poll() is None and not list(part.glob("images/*/*/*.jpg")):
        time.sleep(0.002)
    building.send_signal(number)
    assert building.wait(60) != 0, "it ended before it could be interrupted"
    assert not (tmp_path / "set").exists()
    assert not (part / "manifest.json").exists()
    assert part.exists() is (number is signal.SIGKILL)
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert sum(json.loads(done.stdout)["pictures"].values()) == 56
    assert len(read_dataset(tmp_path / "set").images) == 56
    assert not part.exists()
    assert os.listdir(tmp_path / "set") != []
