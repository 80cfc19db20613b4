"""Exports "CVAT for video" as data sets: boxes between key frames, tracks that end and come back, which file shows which frame."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from models.datasets.errors import DatasetError
from models.datasets.read import read_dataset
from tests.helpers.datasets import write_image
from tests.unit.test_datasets import boxes_of

Key = tuple[int, tuple[float, float, float, float], bool]


def track(keys: Sequence[Key], label: str = "opening", attributes: str = "") -> str:
    boxes = "".join(
        f'<box frame="{frame}" keyframe="1" outside="{int(outside)}" occluded="0" '
        f'xtl="{x1}" ytl="{y1}" xbr="{x2}" ybr="{y2}">{attributes}</box>'
        for frame, (x1, y1, x2, y2), outside in keys
    )
    return f'<track id="0" label="{label}" source="manual">{boxes}</track>'


def write_tracks(path: Path, *tracks: str, size: int = 12) -> Path:
    task = (
        f"<task><name>a</name><size>{size}</size><mode>interpolation</mode><start_frame>0</start_frame>"
        "<labels><label><name>opening</name></label><label><name>Nephrops</name></label></labels>"
        "<original_size><width>64</width><height>48</height></original_size></task>"
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f'<?xml version="1.0"?><annotations><version>1.1</version><meta>{task}</meta>{"".join(tracks)}</annotations>')
    return path


def write_frames(folder: Path, frames: Sequence[int], name: str = "frame_{:06d}.png") -> None:
    for frame in frames:
        write_image(folder / name.format(frame), grey=40 + frame)


MOVING: list[Key] = [(2, (10, 4, 20, 14), False), (6, (10, 12, 24, 26), False), (7, (10, 12, 24, 26), True), (9, (30, 4, 40, 14), False)]


def test_a_track_is_a_box_on_each_frame_between_its_keys(tmp_path: Path) -> None:
    write_tracks(tmp_path / "annotations.xml", track(MOVING), track([(5, (1, 1, 9, 9), False)], "Nephrops"))
    write_frames(tmp_path / "images", range(12))
    dataset = read_dataset(tmp_path)
    assert (dataset.form, dataset.labels) == ("cvat", ("opening", "Nephrops"))
    found = {int(name[6:]): boxes for name, boxes in boxes_of(dataset).items()}
    animal = (1, 1, 1, 9, 9)  # never closed: it stays to the end of the task
    assert found == {
        0: [],
        1: [],
        2: [(0, 10, 4, 20, 14)],
        3: [(0, 10, 6, 21, 17)],
        4: [(0, 10, 8, 22, 20)],
        5: [(0, 10, 10, 23, 23), animal],
        6: [(0, 10, 12, 24, 26), animal],
        7: [animal],
        8: [animal],
        9: [(0, 30, 4, 40, 14), animal],
        10: [(0, 30, 4, 40, 14), animal],
        11: [(0, 30, 4, 40, 14), animal],
    }


def test_only_frames_with_a_picture_are_taken_and_that_is_told(tmp_path: Path) -> None:
    write_tracks(tmp_path / "annotations.xml", track(MOVING))
    write_frames(tmp_path / "images", [4, 8])
    dataset = read_dataset(tmp_path)
    assert boxes_of(dataset) == {"frame_000004": [(0, 10, 8, 22, 20)], "frame_000008": []}
    assert any("3 of 3 frames with a key box have no picture" in warning for warning in dataset.warnings)


def test_frames_of_several_clips_are_told_by_the_name_of_the_xml(tmp_path: Path) -> None:
    xml = write_tracks(tmp_path / "a-1234.xml", track(MOVING))
    write_frames(tmp_path / "images", [4], "a-1234-frame-{:06d}.png")
    write_frames(tmp_path / "images", [4, 5], "b-9876-frame-{:06d}.png")
    assert boxes_of(read_dataset(xml)) == {"a-1234-frame-000004": [(0, 10, 8, 22, 20)]}


def test_stills_without_numbers_go_by_the_order_of_their_names(tmp_path: Path) -> None:
    xml = write_tracks(tmp_path / "tow.xml", track([(1, (10, 4, 20, 14), False), (2, (10, 4, 20, 14), True)]), size=3)
    for place, name in enumerate(("image_10-00-01.png", "image_10-00-02.png", "image_10-00-03.png")):
        write_image(tmp_path / "stills" / name, grey=50 + place)
    found = boxes_of(read_dataset(xml, images=tmp_path / "stills"))
    assert found == {"image_10-00-01": [], "image_10-00-02": [(0, 10, 4, 20, 14)], "image_10-00-03": []}
    write_image(tmp_path / "stills" / "one_more.png", grey=99)
    with pytest.raises(DatasetError, match="no picture of its frames was found"):
        read_dataset(xml, images=tmp_path / "stills")


def test_what_nobody_accepted_is_told(tmp_path: Path) -> None:
    told = '<attribute name="opening">7</attribute><attribute name="decision">{}</attribute><attribute name="score">0.4</attribute>'
    decisions = ("accepted", "none", "unsure")
    tracks = [track([(2, (20 * x, 4, 20 * x + 9, 14), False)], attributes=told.format(one)) for x, one in enumerate(decisions)]
    write_tracks(tmp_path / "annotations.xml", *tracks)
    write_frames(tmp_path / "images", [2])
    dataset = read_dataset(tmp_path)
    assert len(boxes_of(dataset)["frame_000002"]) == 3
    assert any("2 tracks were not accepted by anybody" in warning for warning in dataset.warnings)


@pytest.mark.parametrize(
    ("tracks", "code", "words"),
    [
        (track([(2, (1, 1, 9, 9), False), (2, (1, 1, 9, 9), True)]), "dataset_duplicate", "two boxes on one frame"),
        (track(MOVING).replace('frame="2"', 'frame="x"'), "dataset_line_invalid", "names no frame"),
        (track(MOVING).replace('frame="2" ', ""), "dataset_line_invalid", "names no frame"),
        (track(MOVING, "crab"), "dataset_labels_disagree", "'crab'"),
        (track(MOVING).replace('xtl="30"', 'xtl="inf"'), "dataset_line_invalid", "not finite"),
        (track([]), "dataset_unlabelled", "lists no image"),
    ],
)
def test_faults_of_tracks(tmp_path: Path, tracks: str, code: str, words: str) -> None:
    write_tracks(tmp_path / "annotations.xml", tracks)
    write_frames(tmp_path / "images", [2])
    with pytest.raises(DatasetError, match=words) as caught:
        read_dataset(tmp_path)
    assert caught.value.code == code


def test_tracks_without_pictures_say_where_those_come_from(tmp_path: Path) -> None:
    write_tracks(tmp_path / "annotations.xml", track(MOVING))
    with pytest.raises(DatasetError, match="no picture of its frames was found") as caught:
        read_dataset(tmp_path)
    assert caught.value.code == "dataset_images_missing"
    assert "export --format yolo --frames" in caught.value.advice()
