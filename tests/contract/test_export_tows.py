"""Openings of tows in the formats of others, against readers that are not ours, and against the pictures of the clips themselves."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import av
import numpy as np
import pytest
import yaml

from edge.commands.export_hands import Hands
from edge.errors import SettingsError
from edge.export import ExportFormat, ExportSummary, export
from edge.export.footage import TowChoice
from edge.export.ifdo import REQUIRED_HEADER, read_header
from edge.export.tows import TowRequest
from edge.pipeline.video.frame_index import list_frame_times
from edge.settings import Settings
from edge.store import surveys
from edge.store.connection import immediate
from models.datasets.dataset import Dataset
from models.datasets.read import read_dataset
from tests.helpers.clips import CLOCK, Recipe, even_times, number_in, write_clip
from tests.helpers.counted import make_protocol
from tests.helpers.reviewed import FRAMES, Opening, Ship, uneven_times
from tests.helpers.season import read_coco, read_csv

FIRST = Opening(frames=[0, 4, 8], decision="accepted", system=1)
SECOND = Opening(frames=[4, 8, 12, 36, 39], x_px=60.0, system=1)
REJECTED = Opening(frames=[8, 12], decision="rejected", x_px=90.0)


@pytest.fixture(scope="module")
def hands(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hands]:
    hands = Hands(Settings())
    yield hands
    hands.close()


@pytest.fixture
def ship(tmp_path: Path) -> Ship:
    ship = Ship(tmp_path / "home")
    ship.add("S1", [FIRST, SECOND, REJECTED])
    return ship


def run(
    ship: Ship, hands: Hands, form: str, out: Path, *, extract: bool = False, header: dict[str, Any] | None = None, **choice: Any
) -> Any:
    request = TowRequest(choice=TowChoice(**choice), hands=hands, extract=extract, header=header or {})
    summary = export(ship.connection, format=form, out_dir=out, tows=request)
    assert isinstance(summary, ExportSummary)
    return summary


def only(folder: Path, pattern: str) -> Path:
    (path,) = folder.glob(pattern)
    return path


# Frame numbers ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "recipe", [Recipe(b_frames=2), Recipe(suffix=".mkv"), Recipe(suffix=".ts"), Recipe(codec="mjpeg", pix_fmt="yuvj420p")]
)
def test_a_frames_number_is_its_place_among_the_presentation_times(tmp_path: Path, recipe: Recipe) -> None:
    path = write_clip(tmp_path / f"clip{recipe.suffix}", recipe, uneven_times())
    times = list_frame_times(path)
    with av.open(str(path)) as container:
        shown = [float(frame.pts * frame.time_base) for frame in container.decode(video=0) if frame.pts is not None and frame.time_base]
    assert len(times) == FRAMES
    assert times == pytest.approx([at_s - shown[0] for at_s in shown], abs=1e-9)


def test_an_avi_tells_its_frames_too(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "clip.avi", Recipe(suffix=".avi", b_frames=2), even_times(20))
    assert list_frame_times(path) == pytest.approx([number / 25 for number in range(20)])


# CVAT for video --------------------------------------------------------------------------------------------------


def test_cvat_tracks_have_the_numbers_of_their_frames_and_an_end(ship: Ship, hands: Hands, tmp_path: Path) -> None:
    summary = run(ship, hands, "cvat-video", tmp_path / "out")
    root = ET.parse(only(tmp_path / "out", "*.xml")).getroot()  # noqa: S314 (our own file)
    assert (summary.tows, summary.tracks, root.findtext("version")) == (1, 2, "1.1")
    task = root.find("meta/task")
    assert task is not None
    assert (task.findtext("size"), task.findtext("mode"), task.findtext("stop_frame")) == (str(FRAMES), "interpolation", str(FRAMES - 1))
    assert (task.findtext("original_size/width"), task.findtext("original_size/height")) == ("128", "96")
    tracks = root.findall("track")
    assert [track.get("label") for track in tracks] == ["burrow opening"] * 2
    places = [[(int(box.get("frame", "")), box.get("outside")) for box in track.findall("box")] for track in tracks]
    assert places[0] == [(0, "0"), (4, "0"), (8, "0"), (9, "1")]
    assert places[1] == [(4, "0"), (8, "0"), (12, "0"), (36, "0"), (39, "0")], "a track up to the last frame needs no end"
    assert {box.get("keyframe") for box in root.iter("box")} == {"1"}
    first = tracks[0].find("box")
    assert first is not None
    assert [first.get(edge) for edge in ("xtl", "ytl", "xbr", "ybr")] == ["20.00", "10.00", "35.50", "22.25"]


def test_cvat_tracks_come_back_as_a_data_set_with_the_boxes_of_its_frames(ship: Ship, hands: Hands, tmp_path: Path) -> None:
    run(ship, hands, "cvat-video", tmp_path / "out")
    run(ship, hands, "yolo", tmp_path / "frames", extract=True)
    xml = only(tmp_path / "out", "*.xml")
    tracks, frames = read_dataset(xml, images=tmp_path / "frames" / "images"), read_dataset(tmp_path / "frames")

    def boxes(dataset: Dataset) -> dict[str, list[list[int]]]:
        return {Path(one.name).name: sorted(np.round(one.truth.boxes_xyxy_px).astype(int).tolist()) for one in dataset.images}

    assert boxes(tracks) == boxes(frames)
    assert sum(map(len, boxes(tracks).values())) == 8
    assert tracks.labels == frames.labels


def test_cvat_attributes_are_declared_texts(ship: Ship, hands: Hands, tmp_path: Path) -> None:
    run(ship, hands, "cvat-video", tmp_path / "out", all_openings=True)
    root = ET.parse(only(tmp_path / "out", "*.xml")).getroot()  # noqa: S314 (our own file)
    declared = {one.findtext("name"): one for one in root.iter("attribute") if one.find("mutable") is not None}
    told = [{one.get("name"): one.text or "" for one in track.findall("box/attribute")} for track in root.findall("track")]
    assert [one["decision"] for one in told] == ["accepted", "none", "rejected"]
    assert [one["system"] for one in told] == ["1", "1", ""]
    assert [one["decided_by"] for one in told] == ["jd", "", "jd"]
    assert told[0]["confidence"] == "0.7500"
    assert set(declared) == set(told[0])
    assert set((declared["decision"].findtext("values") or "").split("\n")) == {"none", "accepted", "rejected", "unsure"}


def test_a_hostile_station_is_data_in_xml(hands: Hands, tmp_path: Path) -> None:
    ship = Ship(tmp_path / "home")
    ship.add("S1", [FIRST])
    ship.connection.execute("UPDATE stations SET name = ?", ("S<1>&\x07]]>",))
    run(ship, hands, "cvat-video", tmp_path / "out")
    root = ET.parse(only(tmp_path / "out", "*.xml")).getroot()  # noqa: S314 (our own file)
    assert "S<1>&\ufffd]]>" in (root.findtext("meta/task/name") or "")


# VIAME -----------------------------------------------------------------------------------------------------------


def test_viame_rows_follow_the_columns(ship: Ship, hands: Hands, tmp_path: Path) -> None:
    run(ship, hands, "viame", tmp_path / "out")
    lines = only(tmp_path / "out", "*.viame.csv").read_text("utf-8").splitlines()
    rows = list(csv.reader(line for line in lines if not line.startswith(("#", '"#'))))
    times = [float(pts * CLOCK) for pts in uneven_times()]
    assert lines[0].startswith("# 1: Detection or Track-id,2: Video or Image Identifier,3: Unique Frame Identifier")
    assert [(row[0], int(row[2])) for row in rows] == [("1", 0), ("1", 4), ("1", 8), *(("2", frame) for frame in SECOND.frames)]
    for row in rows:
        hours, minutes, seconds = row[1].split(":")
        assert int(hours) * 3600 + int(minutes) * 60 + float(seconds) == pytest.approx(times[int(row[2])], abs=1e-6)
        assert float(row[3]) < float(row[5])
        assert float(row[4]) < float(row[6])
        assert (row[8], row[9], row[10]) == ("-1", "burrow opening", "0.7500")
        assert all(re.fullmatch(r"\(trk-atr\) \S+ .+", cell) for cell in row[11:])
    assert "(trk-atr) decision accepted" in rows[0]


# iFDO ------------------------------------------------------------------------------------------------------------


def test_an_ifdo_is_one_for_the_communitys_own_library(ship: Ship, hands: Hands, tmp_path: Path) -> None:
    from ifdo import iFDO

    summary = run(ship, hands, "ifdo", tmp_path / "out")
    document = json.loads((tmp_path / "out" / "ifdo.json").read_text("utf-8"))
    read = iFDO.from_dict(json.loads(json.dumps(document)))
    (item,) = read.image_set_items["S1.mp4"]
    assert item.image_acquisition.value == "video"
    assert item.image_annotations[0].frames == pytest.approx([float(uneven_times()[frame] * CLOCK) for frame in FIRST.frames])
    assert item.image_annotations[0].coordinates[0] == [20, 10, 35.5, 10, 35.5, 22.25, 20, 22.25]
    labels = {one.label for annotation in item.image_annotations for one in annotation.labels}
    assert labels <= {one.id for one in read.image_set_header.image_annotation_labels}
    people = {one.annotator for annotation in item.image_annotations for one in annotation.labels}
    assert people == {one.id for one in read.image_set_header.image_annotation_creators} == {"model:openings 1.0.0", "person:jd"}
    assert "image-pi" in summary.missing_fields
    assert "image-set-name" not in summary.missing_fields


def test_what_only_people_know_comes_from_their_header(ship: Ship, hands: Hands, tmp_path: Path) -> None:
    given = {field: "x" for field in REQUIRED_HEADER if field not in ("image-set-uuid", "image-set-ifdo-version")}
    (tmp_path / "header.yaml").write_text(yaml.safe_dump(given), "utf-8")
    summary = run(ship, hands, "ifdo", tmp_path / "out", header=read_header(tmp_path / "header.yaml"))
    header = json.loads((tmp_path / "out" / "ifdo.json").read_text("utf-8"))["image-set-header"]
    assert summary.missing_fields == ()
    assert {field: header[field] for field in given} == given


@pytest.mark.parametrize("text", ["- a", "author: me", "image-set-uuid: mine", "image-pi: [", "\x00"])
def test_a_header_that_is_none_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "header.yaml").write_text(text, "utf-8")
    with pytest.raises(SettingsError):
        read_header(tmp_path / "header.yaml")


# COCO and YOLO ---------------------------------------------------------------------------------------------------


def test_pycocotools_reads_tracks_and_the_frames_show_their_numbers(ship: Ship, hands: Hands, tmp_path: Path) -> None:
    summary = run(ship, hands, "coco", tmp_path / "out", extract=True)
    coco = read_coco(tmp_path / "out" / "coco_tracks.json")
    assert (len(coco.dataset["videos"]), len(coco.dataset["tracks"]), summary.frames) == (1, 2, 6)
    assert [track["decision"] for track in coco.dataset["tracks"]] == ["accepted", None]
    by_track: dict[int, list[int]] = {}
    for found in coco.loadAnns(coco.getAnnIds()):
        (image,) = coco.loadImgs([found["image_id"]])
        by_track.setdefault(found["track_id"], []).append(image["frame_index"])
        assert found["bbox"][2:] == [15.5, 12.25]
        assert number_in(pixels_of(tmp_path / "out" / image["file_name"])) == image["frame_index"], "the frame is that very one"
        assert image["timestamp_s"] == pytest.approx(float(uneven_times()[image["frame_index"]] * CLOCK), abs=1e-6)
    assert by_track == {1: list(FIRST.frames), 2: list(SECOND.frames)}


def test_without_frames_coco_names_them_and_holds_none(ship: Ship, hands: Hands, tmp_path: Path) -> None:
    run(ship, hands, "coco", tmp_path / "out")
    assert not (tmp_path / "out" / "images").exists()
    assert len(read_coco(tmp_path / "out" / "coco_tracks.json").getImgIds()) == 6
    assert read_coco(tmp_path / "out" / "coco.json").getImgIds() == []


def test_yolo_frames_carry_the_boxes_that_were_seen(ship: Ship, hands: Hands, tmp_path: Path) -> None:
    from models.datasets.read import read_dataset

    run(ship, hands, "yolo", tmp_path / "out", extract=True)
    read = read_dataset(tmp_path / "out")
    assert read.labels == ("burrow opening",)
    boxes = {number_in(pixels_of(image.path)): image.truth.boxes_xyxy_px.round(1).tolist() for image in read.images}
    assert sorted(boxes) == [0, 4, 8, 12, 36, 39]
    assert boxes[0] == [[20.0, 10.0, 35.5, pytest.approx(22.25, abs=0.06)]]
    assert len(boxes[4]) == 2
    assert len(read_csv(tmp_path / "out" / "frames.csv")) == 6


@pytest.mark.parametrize("form", ["cvat-video", "viame", "ifdo", "coco", "yolo"])
def test_each_opening_keeps_what_the_model_took_it_for(hands: Hands, tmp_path: Path, form: str) -> None:
    ship = Ship(tmp_path / "home", labels=[("burrow opening", 107254), ("squat lobster", 107149)])
    ship.add("101", [Opening(frames=(0, 4)), Opening(frames=(4, 8), x_px=60.0, label_index=1), Opening(frames=(8,), label_index=1)])
    folder = tmp_path / "out"
    run(ship, hands, form, folder, extract=form == "yolo")
    assert labels_of(folder, form) == ["burrow opening", "squat lobster", "squat lobster"]


def labels_of(folder: Path, form: str) -> list[str]:
    """What each opening of an export is called, in their order."""
    if form == "cvat-video":
        root = ET.parse(only(folder, "*.xml")).getroot()  # noqa: S314 (our own file)
        assert [one.findtext("name") for one in root.findall("meta/task/labels/label")] == ["burrow opening", "squat lobster"]
        return [str(track.get("label")) for track in root.findall("track")]
    if form == "viame":
        rows = [row for row in csv.reader(only(folder, "*.viame.csv").read_text().splitlines()) if not row[0].startswith("#")]
        return list({row[0]: row[9] for row in rows}.values())
    if form == "ifdo":
        document = json.loads((folder / "ifdo.json").read_text())
        names = {one["id"]: one["name"] for one in document["image-set-header"]["image-annotation-labels"]}
        ((item,),) = document["image-set-items"].values()
        return [names[one["labels"][0]["label"]] for one in item["image-annotations"]]
    if form == "coco":
        document = json.loads((folder / "coco_tracks.json").read_text())
        classes = {one["id"]: one for one in document["categories"]}
        assert {one["name"]: one["aphia_id"] for one in classes.values()} == {"burrow opening": 107254, "squat lobster": 107149}
        return [classes[track["category_id"]]["name"] for track in document["tracks"]]
    from models.datasets.read import read_dataset

    read = read_dataset(folder)
    by_number = {number_in(pixels_of(image.path)): image.truth.label_index for image in read.images}
    assert [len(by_number[frame]) for frame in (0, 4, 8)] == [1, 2, 2]
    return [read.labels[by_number[0][0]], *(read.labels[index] for index in by_number[8])]


def test_rejected_openings_come_only_when_asked_for_and_marked(ship: Ship, hands: Hands, tmp_path: Path) -> None:
    run(ship, hands, "coco", tmp_path / "out", all_openings=True)
    tracks = read_coco(tmp_path / "out" / "coco_tracks.json").dataset["tracks"]
    assert [track["decision"] for track in tracks] == ["accepted", None, "rejected"]
    ship.decide(1, {1: "cleared"})
    run(ship, hands, "coco", tmp_path / "out")
    assert [track["decision"] for track in read_coco(tmp_path / "out" / "coco_tracks.json").dataset["tracks"]] == [None, None]


# Stills ----------------------------------------------------------------------------------------------------------


def test_stills_of_a_tow_are_frames_by_time_under_their_own_names(hands: Hands, tmp_path: Path) -> None:
    ship = Ship(tmp_path / "home")
    ship.add_stills("S1", 10, [Opening(frames=[2, 3, 5], decision="accepted")])
    run(ship, hands, "viame", tmp_path / "viame")
    lines = only(tmp_path / "viame", "*.viame.csv").read_text("utf-8").splitlines()
    rows = list(csv.reader(line for line in lines if not line.startswith(("#", '"#'))))
    assert [(row[1], row[2]) for row in rows] == [("still 2.jpg", "2"), ("still 3.jpg", "3"), ("still 5.jpg", "5")]
    run(ship, hands, "cvat-video", tmp_path / "cvat")
    root = ET.parse(only(tmp_path / "cvat", "*.xml")).getroot()  # noqa: S314 (our own file)
    assert [(box.get("frame"), box.get("outside")) for box in root.iter("box")] == [("2", "0"), ("3", "0"), ("5", "0"), ("6", "1")]
    run(ship, hands, "ifdo", tmp_path / "ifdo")
    items = json.loads((tmp_path / "ifdo" / "ifdo.json").read_text())["image-set-items"]
    assert [len(items[f"still {number}.jpg"][0]["image-annotations"]) for number in range(10)] == [0, 0, 1, 1, 0, 1, 0, 0, 0, 0]
    assert {item[0]["image-acquisition"] for item in items.values()} == {"photo"}
    assert "frames" not in items["still 2.jpg"][0]["image-annotations"][0]
    summary = run(ship, hands, "coco", tmp_path / "coco", extract=True)
    images = read_coco(tmp_path / "coco" / "coco_tracks.json").dataset["images"]
    assert [image["frame_index"] for image in images] == [2, 3, 5]
    assert len({image["source_sha256"] for image in images}) == 3
    assert (summary.frames, summary.images) == (0, 10), "stills are there as files already"


# What is left out ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["cvat-video", "viame", "ifdo", "coco", "yolo"])
def test_of_a_blind_tow_nothing_leaves_and_nothing_tells_how_much(ship: Ship, hands: Hands, tmp_path: Path, form: str) -> None:
    ship.add("S2", [Opening(frames=[0, 4], decision="accepted", x_px=77.77)])
    with immediate(ship.connection):  # S1 and S2 have decisions, so their analyses stand in plain rows
        surveys.add_protocol(ship.connection, ship.survey_id, make_protocol(), reason="the manual", actor="test")
        ship.connection.execute("INSERT INTO releases (tow_id, released_by, reason, released_utc) SELECT 1, 'x', 'x', 'x'")
    summary = run(ship, hands, form, tmp_path / "out", extract=form in ("coco", "yolo"))
    manifest = json.loads((tmp_path / "out" / "export_manifest.json").read_text("utf-8"))
    assert [(one["station"], "blind" in one["reason"]) for one in manifest["tows_left_out"]] == [("S2", True)]
    assert summary.tows_left_out == 1
    assert [one["station"] for one in manifest["tows"]] == ["S1"]
    assert not any(b"77.77" in path.read_bytes() or b"S2.mp4" in path.read_bytes() for path in (tmp_path / "out").glob("*.*"))
    assert set(manifest["tows_left_out"][0]) == {"survey", "station", "tow", "reason"}


def test_a_tow_whose_files_changed_is_left_out_with_the_reason(ship: Ship, hands: Hands, tmp_path: Path) -> None:
    ship.add("S2", [FIRST])
    ship.connection.execute("UPDATE tow_images SET at_s = at_s + 1 WHERE tow_id = 2")
    ship.clips["S1"].unlink()
    ship.connection.execute("UPDATE sightings SET original = 'gone' WHERE name = 'S1.mp4'")
    run(ship, hands, "viame", tmp_path / "out")
    left = {one["station"]: one["reason"] for one in json.loads((tmp_path / "out" / "export_manifest.json").read_text())["tows_left_out"]}
    assert "no longer there" in left["S1"]
    assert "changed since" in left["S2"]


def test_a_clip_with_other_frames_is_refused_not_guessed(ship: Ship, hands: Hands, tmp_path: Path) -> None:
    write_clip(ship.clips["S1"], Recipe(), even_times(FRAMES, 24))
    run(ship, hands, "cvat-video", tmp_path / "out")
    (left,) = json.loads((tmp_path / "out" / "export_manifest.json").read_text())["tows_left_out"]
    assert "no frame any more" in left["reason"]
    assert not list((tmp_path / "out").glob("*.xml"))


def test_only_the_stations_that_were_asked_for(ship: Ship, hands: Hands, tmp_path: Path) -> None:
    ship.add("S2", [FIRST])
    run(ship, hands, "viame", tmp_path / "out", station="S2")
    assert only(tmp_path / "out", "*.viame.csv").name.startswith("S2-")
    with pytest.raises(SettingsError, match="no tow of station S2 of survey other"):
        run(ship, hands, "viame", tmp_path / "none", survey="other", station="S2")
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize(("form", "options"), [("viame", {"extract": True}), ("coco", {"header": {"image-pi": "x"}})])
def test_options_that_contradict_the_format_are_refused(
    ship: Ship, hands: Hands, tmp_path: Path, form: str, options: dict[str, Any]
) -> None:
    with pytest.raises(SettingsError):
        run(ship, hands, form, tmp_path / "out", **options)
    assert not (tmp_path / "out").exists()


def test_a_read_clip_is_no_file_that_waits(ship: Ship, hands: Hands, tmp_path: Path) -> None:
    summary = run(ship, hands, "coco", tmp_path / "out")
    assert (summary.files, summary.waiting, summary.failures) == (1, 0, 0)
    assert summary.format is ExportFormat.COCO


def pixels_of(path: Path) -> Any:
    from PIL import Image

    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"))
