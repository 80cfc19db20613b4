"""Data sets of every form are read into the same boxes, in pixels of the images."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from models.datasets.dataset import Dataset
from models.datasets.read import read_dataset
from tests.helpers.datasets import Boxes, write_coco, write_cvat, write_image, write_yolo, yolo_lines, zip_folder

TWO: dict[str, Boxes] = {"a": [(0, 4, 6, 24, 26), (1, 30, 8, 50, 40)], "b": []}
NAMES = {0: "opening", 1: "Nephrops"}


def boxes_of(dataset: Dataset) -> dict[str, list[tuple[int, ...]]]:
    return {
        Path(image.name).stem: [
            (int(label), *(round(float(value)) for value in box))
            for label, box in zip(image.truth.label_index, image.truth.boxes_xyxy_px, strict=True)
        ]
        for image in dataset.images
    }


def test_a_yolo_folder_without_names_numbers_its_labels(tmp_path: Path) -> None:
    dataset = read_dataset(write_yolo(tmp_path, TWO))
    assert (dataset.form, dataset.labels) == ("yolo", ("0", "1"))
    assert boxes_of(dataset) == TWO
    assert (dataset.images[0].width_px, dataset.images[0].height_px) == (64, 48)
    assert dataset.images[0].truth.boxes_xyxy_px.dtype == np.float32


@pytest.mark.parametrize(
    "names",
    [
        "names: [opening, Nephrops]",
        "names:\n  - opening\n  - 'Nephrops'",
        "names: {0: opening, 1: Nephrops}",
        "names:\n  1: Nephrops\n  0: opening  # the hole\nnc: 2",
    ],
)
def test_names_of_data_yaml_in_every_way_that_people_write_them(tmp_path: Path, names: str) -> None:
    write_yolo(tmp_path, TWO)
    (tmp_path / "data.yaml").write_text(f"{names}\n")
    assert read_dataset(tmp_path).labels == ("opening", "Nephrops")
    assert read_dataset(tmp_path / "data.yaml").labels == ("opening", "Nephrops")


def test_a_label_called_no_stays_a_word(tmp_path: Path) -> None:
    write_yolo(tmp_path, TWO)
    (tmp_path / "data.yaml").write_text("names: [no, 1e3]\n")
    assert read_dataset(tmp_path).labels == ("no", "1e3")


@pytest.mark.parametrize(
    ("images", "entries"),
    [
        ("images/{split}", "path: .\ntrain: images/train\nval: images/val"),
        ("{split}/images", "train: ../train/images\nval: ../valid/images"),  # as Roboflow writes it
        ("images/{split}", "path: /was/here/once\ntrain: images/train\nval: [images/val]"),
    ],
)
def test_splits_of_data_yaml(tmp_path: Path, images: str, entries: str) -> None:
    for split, folder in (("train", "train"), ("val", "valid" if "valid" in entries else "val")):
        place = images.format(split=folder)
        write_yolo(tmp_path, {f"{split}_1": [(0, 4, 6, 24, 26)]}, images=place, labels=place.replace("images", "labels"))
        write_image(tmp_path / place / f"{split}_1.png", grey=len(split) * 9)
    (tmp_path / "data.yaml").write_text(f"{entries}\nnames: [opening]\n")
    whole = read_dataset(tmp_path)
    assert {Path(image.name).stem: image.split for image in whole.images} == {"train_1": "train", "val_1": "val"}
    assert any("all parts" in warning for warning in whole.warnings)
    assert [Path(image.name).stem for image in read_dataset(tmp_path, split="val").images] == ["val_1"]


def test_a_list_of_images_is_followed(tmp_path: Path) -> None:
    write_yolo(tmp_path, TWO)
    (tmp_path / "val.txt").write_text("./images/a.png\n\n")
    (tmp_path / "data.yaml").write_text("val: val.txt\nnames: [opening, Nephrops]\n")
    assert list(boxes_of(read_dataset(tmp_path))) == ["a"]


def test_labels_beside_the_images_and_images_elsewhere(tmp_path: Path) -> None:
    write_yolo(tmp_path / "beside", TWO, images=".", labels=".")
    assert boxes_of(read_dataset(tmp_path / "beside")) == TWO
    write_yolo(tmp_path / "apart", TWO)
    (tmp_path / "apart" / "images").rename(tmp_path / "pictures")
    assert boxes_of(read_dataset(tmp_path / "apart", images=tmp_path / "pictures")) == TWO


def test_an_outline_becomes_the_box_around_it(tmp_path: Path) -> None:
    write_yolo(tmp_path, {"a": []})
    (tmp_path / "labels" / "a.txt").write_text("0 0.25 0.25 0.5 0.25 0.375 0.75\n")
    assert boxes_of(read_dataset(tmp_path)) == {"a": [(0, 16, 12, 32, 36)]}


def test_keypoints_behind_a_box_are_left_alone(tmp_path: Path) -> None:
    write_yolo(tmp_path, {"a": []})
    (tmp_path / "labels" / "a.txt").write_text("0 0.5 0.5 0.25 0.5 0.1 0.1 2 0.9 0.9 2\n")
    (tmp_path / "data.yaml").write_text("names: [opening]\nkpt_shape: [2, 3]\n")
    assert boxes_of(read_dataset(tmp_path)) == {"a": [(0, 24, 12, 40, 36)]}


def test_an_image_without_a_label_file_is_left_out_and_told(tmp_path: Path) -> None:
    write_yolo(tmp_path, TWO)
    write_image(tmp_path / "images" / "nobody_looked.png", grey=200)
    dataset = read_dataset(tmp_path)
    assert len(dataset.images) == 2
    assert any("nobody_looked" in warning for warning in dataset.warnings)


def test_coco_with_gaps_in_its_ids(tmp_path: Path) -> None:
    for number, name in enumerate(TWO):
        write_image(tmp_path / "images" / f"{name}.png", grey=40 + number)
    write_coco(tmp_path / "annotations" / "instances_val.json", {f"{k}.png": v for k, v in TWO.items()}, {90: "Nephrops", 3: "opening"})
    dataset = read_dataset(tmp_path)
    assert (dataset.form, dataset.labels) == ("coco", ("opening", "Nephrops"))
    assert boxes_of(dataset) == TWO
    assert {image.split for image in dataset.images} == {"val"}
    assert boxes_of(read_dataset(tmp_path / "annotations" / "instances_val.json", images=tmp_path / "images")) == TWO


def test_coco_crowds_outlines_and_sizes_of_zero(tmp_path: Path) -> None:
    write_image(tmp_path / "a.png")
    path = write_coco(tmp_path / "set.json", {"a.png": [(0, 4, 6, 24, 26)]}, {1: "opening"}, size=(0, 0))
    document = json.loads(path.read_text())
    document["annotations"][0]["iscrowd"] = 1
    document["annotations"].append({"id": 9, "image_id": 7, "category_id": 1, "segmentation": [[10, 10, 20, 12, 14, 30]]})
    path.write_text(json.dumps(document))
    truth = read_dataset(path).images[0].truth
    assert truth.crowd.tolist() == [True, False]
    assert truth.boxes_xyxy_px.tolist() == [[4, 6, 24, 26], [10, 10, 20, 30]]


BOX = '<box label="opening" source="manual" occluded="0" xtl="4.00" ytl="6.00" xbr="24.00" ybr="26.00" z_order="0"{}>{}</box>'


def test_cvat_for_images(tmp_path: Path) -> None:
    for number, name in enumerate(TWO):
        write_image(tmp_path / "export" / "images" / f"{name}.png", grey=40 + number)
    polygon = '<polygon label="Nephrops" points="30.0,8.0;50.0,12.0;41.0,40.0"></polygon>'
    points = '<points label="opening" points="3.0,3.0"></points>'
    attribute = '<attribute name="sure">yes</attribute>'
    shapes = {"a.png": BOX.format("", attribute) + polygon + points, "b.png": ""}
    write_cvat(tmp_path / "export" / "annotations.xml", shapes, ["opening", "Nephrops"])
    dataset = read_dataset(tmp_path / "export")
    assert (dataset.form, dataset.labels) == ("cvat", ("opening", "Nephrops"))
    assert boxes_of(dataset) == TWO
    assert any("1 points" in warning for warning in dataset.warnings)
    assert boxes_of(read_dataset(zip_folder(tmp_path / "export", tmp_path / "task.zip"))) == TWO


def test_cvat_shapes_that_are_turned_or_round(tmp_path: Path) -> None:
    write_image(tmp_path / "images" / "a.png")
    turned = BOX.replace('xbr="24.00" ybr="26.00"', 'xbr="24.00" ybr="16.00"').format(' rotation="90.00"', "")
    ellipse = '<ellipse label="opening" cx="30" cy="20" rx="8" ry="5" rotation="0"></ellipse>'
    mask = '<mask label="opening" rle="1, 2" left="5" top="7" width="9" height="11"></mask>'
    write_cvat(tmp_path / "annotations.xml", {"a.png": turned + ellipse + mask}, ["opening"])
    assert boxes_of(read_dataset(tmp_path))["a"] == [(0, 9, 1, 19, 21), (0, 22, 15, 38, 25), (0, 5, 7, 14, 18)]


def test_folders_of_classes(tmp_path: Path) -> None:
    for number, name in enumerate(("copepod/1", "copepod/2", "chaetognath/3")):
        write_image(tmp_path / "val" / f"{name}.png", grey=50 + number)
    dataset = read_dataset(tmp_path)
    assert (dataset.form, dataset.labels) == ("classes", ("chaetognath", "copepod"))
    assert boxes_of(dataset) == {"1": [(1, 0, 0, 64, 48)], "2": [(1, 0, 0, 64, 48)], "3": [(0, 0, 0, 64, 48)]}
    assert {image.tow for image in dataset.images} == {None}


def test_boxes_lie_in_the_image_as_it_is_shown(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    (tmp_path / "labels").mkdir()
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by a quarter to be shown
    Image.new("RGB", (64, 48), (90, 90, 90)).save(tmp_path / "images" / "a.jpg", exif=exif)
    (tmp_path / "labels" / "a.txt").write_text(yolo_lines([(0, 4, 6, 24, 60)], width_px=48, height_px=64))
    dataset = read_dataset(tmp_path)
    assert (dataset.images[0].width_px, dataset.images[0].height_px) == (48, 64)
    assert boxes_of(dataset) == {"a": [(0, 4, 6, 24, 60)]}


def test_a_box_that_reaches_over_the_edge_is_cut_and_told(tmp_path: Path) -> None:
    dataset = read_dataset(write_yolo(tmp_path, {"a": [(0, -4, 6, 24, 26)]}))
    assert boxes_of(dataset) == {"a": [(0, 0, 6, 24, 26)]}
    assert any("1 boxes reached over the edge" in warning for warning in dataset.warnings)


def test_what_stands_twice_counts_once_and_is_told(tmp_path: Path) -> None:
    write_yolo(tmp_path, {"a": [(0, 4, 6, 24, 26), (0, 4, 6, 24, 26)], "b": []})
    (tmp_path / "images" / "c.png").write_bytes((tmp_path / "images" / "b.png").read_bytes())
    (tmp_path / "labels" / "c.txt").write_text("")
    dataset = read_dataset(tmp_path)
    assert boxes_of(dataset) == {"a": [(0, 4, 6, 24, 26)], "b": []}
    assert any("stand twice" in warning for warning in dataset.warnings)
    assert any("c.png" in warning for warning in dataset.warnings)


def test_the_hash_is_that_of_pictures_and_labels_not_of_their_names(tmp_path: Path) -> None:
    first = read_dataset(write_yolo(tmp_path / "one", TWO))
    other = write_yolo(tmp_path / "other", TWO)
    for folder, suffix in (("images", "png"), ("labels", "txt")):
        (other / folder / f"a.{suffix}").rename(other / folder / f"z.{suffix}")
    assert read_dataset(other).sha256 == first.sha256
    (other / "labels" / "z.txt").write_text(yolo_lines([(0, 4, 6, 24, 27), (1, 30, 8, 50, 40)]))
    assert read_dataset(other).sha256 != first.sha256


def test_a_limit_is_spread_over_the_whole_set(tmp_path: Path) -> None:
    dataset = read_dataset(write_yolo(tmp_path, {f"still_{number:02}": [] for number in range(10)}), limit=3)
    assert list(boxes_of(dataset)) == ["still_00", "still_03", "still_06"]
    assert any("3 of 10" in warning for warning in dataset.warnings)
