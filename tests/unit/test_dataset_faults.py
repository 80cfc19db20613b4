"""A data set that cannot be used gets one clear error that names the file and what is wrong."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from edge.errors import SettingsError
from models.datasets.errors import DatasetError
from models.datasets.read import read_dataset
from tests.helpers.as_user import as_nobody, open_to_all
from tests.helpers.datasets import Boxes, write_coco, write_cvat, write_image, write_yolo

ONE: dict[str, Boxes] = {"a": [(0, 4, 6, 24, 26)]}


def refusal(path: Path, **options: object) -> tuple[str, str]:
    with pytest.raises(DatasetError) as caught:
        read_dataset(path, **options)  # type: ignore[arg-type]
    assert caught.value.exit_code == 4
    assert caught.value.advice()
    return caught.value.code, str(caught.value)


@pytest.mark.parametrize(
    ("line", "code", "told"),
    [
        ("0 0.5 0.5 x 0.2", "dataset_line_invalid", "not all numbers"),
        ("0 0.5 nan 0.2 0.2", "dataset_line_invalid", "not finite"),
        ("0 0.5 inf 0.2 0.2", "dataset_line_invalid", "not finite"),
        ("0 0.5 0.5 0.2", "dataset_line_invalid", "has 4 numbers"),
        ("0 0.5 0.5 0.2 0.2 0.9", "dataset_line_invalid", "has 6 numbers"),
        ("0 0.5 0.5 0.2 0.2 0.9 0.9 0.9", "dataset_line_invalid", "has 8 numbers"),
        ("-1 0.5 0.5 0.2 0.2", "dataset_line_invalid", "no index"),
        ("0.5 0.5 0.5 0.2 0.2", "dataset_line_invalid", "no index"),
        ("3 0.5 0.5 0.2 0.2", "dataset_labels_disagree", "only 2 names"),
        ("0 0.5 0.5 0 0.2", "dataset_box_outside", "no extent"),
        ("0 1.5 0.5 0.2 0.2", "dataset_box_outside", "outside the image images/a.png"),
        ("0 1.05 0.5 0.2 0.2", "dataset_box_outside", "outside"),
        ("0 320 240 20 20", "dataset_box_outside", "outside"),
    ],
)
def test_a_line_that_cannot_be_used_is_named(tmp_path: Path, line: str, code: str, told: str) -> None:
    write_yolo(tmp_path, ONE)
    (tmp_path / "data.yaml").write_text("names: [opening, Nephrops]\n")
    (tmp_path / "labels" / "a.txt").write_text(f"0 0.2 0.2 0.1 0.1\n{line}\n")
    found = refusal(tmp_path)
    assert found[0] == code
    assert "a.txt line 2" in found[1]
    assert told in found[1]


@pytest.mark.parametrize(
    ("text", "code", "told"),
    [
        ("names: [opening, opening]", "dataset_labels_disagree", "'opening' twice"),
        ("names: {0: opening, 2: Nephrops}", "dataset_labels_disagree", "gaps"),
        ("names: [opening]\nnc: 3", "dataset_labels_disagree", "nc 3, but names 1"),
        ("names: {zero: opening}", "dataset_labels_disagree", "no number"),
        ("names: [opening]\nval: images/nowhere", "dataset_images_missing", "images/nowhere"),
        ("names: [opening", "dataset_unreadable", "line 2"),
        ("- opening", "dataset_unreadable", "fields"),
    ],
)
def test_a_data_yaml_that_contradicts_itself(tmp_path: Path, text: str, code: str, told: str) -> None:
    write_yolo(tmp_path, ONE)
    (tmp_path / "data.yaml").write_text(f"{text}\n")
    found = refusal(tmp_path)
    assert found[0] == code
    assert "data.yaml" in found[1]
    assert told in found[1]


def test_labels_whose_images_are_missing(tmp_path: Path) -> None:
    write_yolo(tmp_path, {**ONE, "b": []})
    (tmp_path / "images" / "b.png").unlink()
    assert refusal(tmp_path) == ("dataset_images_missing", "1 label files have no image: labels/b.txt")


def test_a_set_in_which_nothing_is_labelled(tmp_path: Path) -> None:
    write_image(tmp_path / "images" / "a.png")
    assert refusal(tmp_path)[0] == "dataset_unlabelled"
    (tmp_path / "labels").mkdir()
    assert refusal(tmp_path)[0] == "dataset_unlabelled"


def test_nothing_at_all(tmp_path: Path) -> None:
    assert refusal(tmp_path)[0] == "dataset_unknown_form"
    assert refusal(tmp_path / "nowhere")[0] == "dataset_unknown_form"
    (tmp_path / "notes.md").write_text("none")
    assert refusal(tmp_path / "notes.md")[0] == "dataset_unknown_form"


def told_of(path: Path) -> str:
    try:
        read_dataset(path)
    except DatasetError as error:
        return f"{error.code}: {error}"
    return "read"


def test_a_folder_that_cannot_be_read_is_not_empty(tmp_path: Path) -> None:
    open_to_all(tmp_path)
    write_yolo(tmp_path, ONE)
    (tmp_path / "images").chmod(0)
    try:
        told = as_nobody(told_of, tmp_path)
    finally:
        (tmp_path / "images").chmod(0o755)
    assert told.startswith("dataset_unreadable: the folder")


def test_a_broken_image_is_named_or_left_out_when_asked(tmp_path: Path) -> None:
    write_yolo(tmp_path, {**ONE, "b": [], "c": []})
    (tmp_path / "images" / "b.png").write_bytes((tmp_path / "images" / "b.png").read_bytes()[:-20])
    code, message = refusal(tmp_path)
    assert code == "dataset_image_broken"
    assert "images/b.png (truncated" in message
    dataset = read_dataset(tmp_path, skip_broken=True)
    assert [image.name for image in dataset.images] == ["images/a.png", "images/c.png"]
    assert any("images/b.png" in warning for warning in dataset.warnings)


def test_damage_that_only_decoding_shows_is_left_out_when_asked(tmp_path: Path) -> None:
    write_yolo(tmp_path, ONE)
    whole = write_image(tmp_path / "images" / "b.jpg", width_px=640, height_px=480).read_bytes()
    (tmp_path / "labels" / "b.txt").write_text("")
    middle = len(whole) - 400
    (tmp_path / "images" / "b.jpg").write_bytes(whole[:middle] + whole[-2:])
    assert [image.name for image in read_dataset(tmp_path, skip_broken=True).images] == ["images/a.png"]


def test_one_picture_with_two_truths(tmp_path: Path) -> None:
    write_yolo(tmp_path, {**ONE, "b": []})
    (tmp_path / "images" / "b.png").write_bytes((tmp_path / "images" / "a.png").read_bytes())
    code, message = refusal(tmp_path)
    assert code == "dataset_duplicate"
    assert "images/b.png and images/a.png" in message


def coco_fault(change: Callable[[dict[str, list[dict[str, object]]]], object]) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        write_image(folder / "a.png")
        path = write_coco(folder / "set.json", {"a.png": ONE["a"]}, {1: "opening"})
        document = json.loads(path.read_text())
        change(document)
        path.write_text(json.dumps(document))
        return path

    return write


@pytest.mark.parametrize(
    ("write", "code", "told"),
    [
        (coco_fault(lambda d: d["annotations"][0].update(category_id=5)), "dataset_labels_disagree", "annotation 1 has category 5"),
        (coco_fault(lambda d: d["annotations"][0].update(image_id=5)), "dataset_line_invalid", "annotation 1 belongs to image 5"),
        (coco_fault(lambda d: d["annotations"][0].update(bbox=[1, 2, 3])), "dataset_line_invalid", "four finite numbers"),
        (coco_fault(lambda d: d["annotations"][0].update(bbox=[1, 2, 3, float("nan")])), "dataset_line_invalid", "NaN"),
        (coco_fault(lambda d: d["annotations"][0].update(bbox=[900, 2, 30, 30])), "dataset_box_outside", "annotation 1"),
        (coco_fault(lambda d: d["images"][0].update(file_name="gone.png")), "dataset_images_missing", "gone.png"),
        (coco_fault(lambda d: d["images"][0].update(file_name="../../etc/passwd")), "dataset_images_missing", "passwd"),
        (coco_fault(lambda d: d["images"].append(dict(d["images"][0]))), "dataset_duplicate", "twice"),
        (coco_fault(lambda d: d["images"][0].update(width=640, height=480)), "dataset_size_mismatch", "drawn on 640 x 480"),
        (coco_fault(lambda d: d["categories"].append({"id": 1, "name": "other"})), "dataset_labels_disagree", "twice"),
        (coco_fault(lambda d: d["categories"].clear()), "dataset_labels_disagree", "no categories"),
        (coco_fault(lambda d: d.pop("annotations")), "dataset_unreadable", "annotations"),
    ],
)
def test_faults_of_coco(tmp_path: Path, write: Callable[[Path], Path], code: str, told: str) -> None:
    found = refusal(write(tmp_path))
    assert found[0] == code
    assert told in found[1]


def test_a_name_never_leads_out_of_the_data_set(tmp_path: Path) -> None:
    write_image(tmp_path / "secret.png")
    write_image(tmp_path / "set" / "a.png")
    assert refusal(write_coco(tmp_path / "set" / "set.json", {"../secret.png": []}, {1: "opening"}))[0] == "dataset_images_missing"


def test_images_beside_the_folders_of_classes_have_no_class(tmp_path: Path) -> None:
    for number, name in enumerate(("copepod/1", "chaetognath/2", "3")):
        write_image(tmp_path / f"{name}.png", grey=50 + number)
    assert refusal(tmp_path)[0] == "dataset_unlabelled"


def test_a_coco_file_that_is_cut(tmp_path: Path) -> None:
    write_image(tmp_path / "a.png")
    path = write_coco(tmp_path / "set.json", {"a.png": []}, {1: "opening"})
    path.write_text(path.read_text()[:-9])
    assert refusal(path)[0] == "dataset_unreadable"


BOX = '<box label="{}" xtl="{}" ytl="6" xbr="24" ybr="26"></box>'


@pytest.mark.parametrize(
    ("shape", "code", "told"),
    [
        (BOX.format("crab", 4), "dataset_labels_disagree", "'crab'"),
        (BOX.format("opening", "x"), "dataset_line_invalid", "no usable coordinates"),
        (BOX.format("opening", "nan"), "dataset_line_invalid", "not finite"),
        ('<polygon label="opening" points="1,1;2,2"></polygon>', "dataset_line_invalid", "three points"),
        ('<box label="opening" xtl="4"></box>', "dataset_line_invalid", "ytl"),
    ],
)
def test_faults_of_cvat(tmp_path: Path, shape: str, code: str, told: str) -> None:
    write_image(tmp_path / "images" / "a.png")
    write_cvat(tmp_path / "annotations.xml", {"a.png": shape}, ["opening"])
    found = refusal(tmp_path)
    assert found[0] == code
    assert "annotations.xml line 2" in found[1]
    assert told in found[1]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("<annotations><image name='a.png'>", "not valid XML"),
        ("<html></html>", "<annotations>"),
        ("<!DOCTYPE a [<!ENTITY b 'ha'>]><annotations>&b;</annotations>", "document type"),
    ],
)
def test_documents_that_are_no_export_for_images(tmp_path: Path, text: str, told: str) -> None:
    (tmp_path / "annotations.xml").write_text(text)
    code, message = refusal(tmp_path)
    assert code == "dataset_unreadable"
    assert told in message


def test_a_cvat_image_without_its_file(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    write_cvat(tmp_path / "annotations.xml", {"gone.png": ""}, ["opening"])
    assert refusal(tmp_path)[0] == "dataset_images_missing"


def test_zips_that_would_leave_their_folder_or_are_none(tmp_path: Path) -> None:
    evil = tmp_path / "evil.zip"
    with zipfile.ZipFile(evil, "w") as archive:
        archive.writestr("../labels/a.txt", "")
    assert refusal(evil)[0] == "dataset_unreadable"
    evil.write_bytes(b"PK no zip")
    assert refusal(evil)[0] == "dataset_unreadable"


def test_a_split_or_pattern_that_is_not_there(tmp_path: Path) -> None:
    write_yolo(tmp_path, ONE)
    code, message = refusal(tmp_path, split="val")
    assert code == "dataset_unlabelled"
    assert "not divided" in message
    with pytest.raises(SettingsError, match="no regular expression"):
        read_dataset(tmp_path, tow_pattern="(")
