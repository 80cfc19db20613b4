"""`zooscan measure`: the legacy table of a prepared picture, or a reason and no table."""

from __future__ import annotations

import csv
import json
import subprocess
from pathlib import Path

import numpy as np
import pytest

from models.runtime.vision import cv2


def measured(edge_command: list[str], image: Path, table: Path) -> tuple[int, dict[str, object]]:
    ran = subprocess.run(
        [*edge_command, "zooscan", "measure", str(image), "--out", str(table), "--json"], capture_output=True, text=True, check=False
    )
    return ran.returncode, json.loads(ran.stdout.splitlines()[-1])


def test_each_object_has_a_row_in_the_form_of_the_legacy_table(edge_command: list[str], tmp_path: Path) -> None:
    picture = np.full((300, 400), 255, np.uint8)
    cv2.ellipse(picture, (100, 100), (40, 20), 0, 0, 360, 90, cv2.FILLED)
    cv2.circle(picture, (300, 220), 30, 120, cv2.FILLED)
    cv2.circle(picture, (300, 60), 3, 120, cv2.FILLED)  # too small
    cv2.imwrite(str(tmp_path / "scan_1.png"), picture)
    code, told = measured(edge_command, tmp_path / "scan_1.png", tmp_path / "scan_1.tsv")
    assert (code, told["objects"]) == (0, 2)
    with (tmp_path / "scan_1.tsv").open(encoding="utf-8", newline="") as file:
        first, second = csv.DictReader(file, delimiter="\t")
    assert (first[" "], first["Label"], first["BX"], first["Mode"], first["CompM3"]) == ("1", "scan_1", "60", "90", "0")
    assert (second[" "], second["BY"], second["Mode"]) == ("2", "190", "120")
    assert float(second["Circ."]) > 0.85
    assert not list(tmp_path.glob(".*unfinished"))


def test_a_picture_without_objects_gives_a_table_without_rows(edge_command: list[str], tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "empty.png"), np.full((50, 50), 255, np.uint8))
    code, told = measured(edge_command, tmp_path / "empty.png", tmp_path / "empty.tsv")
    assert (code, told["objects"]) == (0, 0)
    assert len((tmp_path / "empty.tsv").read_text(encoding="utf-8").splitlines()) == 1


@pytest.mark.parametrize("kind", ["colour", "16 bits", "cut", "text"])
def test_what_is_no_prepared_picture_is_refused_and_leaves_no_table(edge_command: list[str], tmp_path: Path, kind: str) -> None:
    image = tmp_path / "scan.png"
    picture = np.full((50, 50), 255, np.uint8)
    if kind == "colour":
        cv2.imwrite(str(image), cv2.cvtColor(picture, cv2.COLOR_GRAY2BGR))
    elif kind == "16 bits":
        cv2.imwrite(str(image), picture.astype(np.uint16) * 256)
    elif kind == "cut":
        cv2.imwrite(str(image), picture)
        image.write_bytes(image.read_bytes()[:-20])
    else:
        image.write_text("no picture", encoding="utf-8")
    code, told = measured(edge_command, image, tmp_path / "scan.tsv")
    assert code != 0
    assert "error" in told
    assert sorted(path.name for path in tmp_path.iterdir()) == ["scan.png"]


def test_the_table_of_a_gold_crop_is_the_legacy_one(edge_command: list[str], shared_data: Path, tmp_path: Path) -> None:
    folder = shared_data / "zooscan" / "zooprocess_lib_gold"
    if not folder.is_dir():
        pytest.skip("no gold crops")
    measured(edge_command, folder / "crop_2855_223.png", tmp_path / "crop.tsv")
    ours, theirs = (
        next(csv.DictReader(path.read_text(encoding="latin-1").splitlines(), delimiter="\t"))
        for path in (tmp_path / "crop.tsv", folder / "meas_2855_223.csv")
    )
    placed = {" ", "Label", "BX", "BY", "XStart", "YStart"}
    assert {name: float(value) for name, value in ours.items() if name not in placed} == pytest.approx(
        {name: float(theirs[name]) for name in ours if name not in placed}, abs=0.0005
    )
