"""`models evaluate` as its user calls it: answers, exit codes, files of the report."""

from __future__ import annotations

import csv
import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from selenium import webdriver
from typer.testing import CliRunner

from edge.cli import app
from models.runtime.vision import cv2
from tests.helpers.datasets import yolo_lines
from tests.unit.tiny_models import coloured, detector_onnx, make_tiny_pack

CONTRACT = ("map50", "map50_95", "count_bias", "count_mae", "count_ccc", "images")
FILES = ["classes.csv", "evaluation.html", "evaluation.json", "images.csv"]


@pytest.fixture(scope="module")
def pack_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_pack(tmp_path_factory.mktemp("packs") / "tiny", ir=False).path


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Three images of two tows: all found, one missed, one too many."""
    root = tmp_path / "set"
    for folder in ("images", "labels"):
        (root / folder).mkdir(parents=True)
    stills = {
        "st1_0001": ([(8, 16, 8, 8, 0), (40, 24, 8, 8, 1)], [(0, 8, 16, 16, 24), (1, 40, 24, 48, 32)]),
        "st1_0002": ([(8, 16, 8, 8, 0)], [(0, 8, 16, 16, 24), (0, 32, 32, 40, 40)]),
        "st2_=0003": ([(8, 16, 8, 8, 2), (0, 0, 8, 8, 0)], [(2, 8, 16, 16, 24)]),
    }
    for name, (squares, boxes) in stills.items():
        assert cv2.imwrite(str(root / "images" / f"{name}.png"), coloured(64, 64, squares))
        (root / "labels" / f"{name}.txt").write_text(yolo_lines(boxes, 64, 64))
    (root / "data.yaml").write_text("names: [red, green, blue]\n")
    return root


def evaluate(edge_command: list[str], folder: Path, *arguments: object) -> subprocess.CompletedProcess[str]:
    command = [*edge_command, "--home", str(folder / "home"), "models", "evaluate", *map(str, arguments)]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=240, check=False)


def last_line(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answer


def in_process(folder: Path, *arguments: object) -> tuple[int, dict[str, Any]]:
    """Exit code and answer of the same command without a process of its own, which takes seconds to start."""
    command = ["--home", str(folder / "home"), "models", "evaluate", *map(str, arguments), "--json"]
    done = CliRunner().invoke(app, command)
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return done.exit_code, answer


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_the_answer_and_the_files_of_the_report(edge_command: list[str], tmp_path: Path, pack_dir: Path, data: Path) -> None:
    done = evaluate(edge_command, tmp_path, pack_dir, "--data", data, "--json")
    assert done.returncode == 0, done.stderr
    answer = last_line(done)
    assert {key: answer[key] for key in CONTRACT} == {
        "map50": pytest.approx((67 / 101 + 1 + 1) / 3),
        "map50_95": pytest.approx((67 / 101 + 1 + 1) / 3),
        "count_bias": 0,
        "count_mae": pytest.approx(2 / 3),
        "count_ccc": pytest.approx(-0.5),
        "images": 3,
    }
    assert [one["name"] for one in answer["variants"]] == ["onnx-fp32"]
    assert (answer["variant"], answer["threshold"]) == ("onnx-fp32", 0.25)
    folder = tmp_path / "tiny-1.0.0-evaluation"
    assert sorted(path.name for path in folder.iterdir()) == FILES
    assert answer["report"] == str(folder / "evaluation.html")
    assert json.loads((folder / "evaluation.json").read_text())["map50"] == answer["map50"]
    rows = rows_of(folder / "images.csv")
    assert [(row["tow"], row["true"], row["found"], row["tp"], row["fp"], row["fn"]) for row in rows] == [
        ("st1", "2", "2", "2", "0", "0"),
        ("st1", "2", "1", "1", "0", "1"),
        ("st2_=", "1", "2", "1", "1", "0"),
    ]
    assert [row["label"] for row in rows_of(folder / "classes.csv")] == ["red", "green", "blue"]
    assert not (tmp_path / "home").exists()  # measuring needs no home folder and leaves none


def test_a_person_reads_the_same(edge_command: list[str], tmp_path: Path, pack_dir: Path, data: Path) -> None:
    done = evaluate(edge_command, tmp_path, pack_dir, "--data", data, "--variant", "onnx-fp32", "--limit", 2, "--out", tmp_path / "report")
    assert done.returncode == 0, done.stderr
    assert "tiny 1.0.0 on 2 images" in done.stdout
    assert "only 2 of 3 images were taken" in done.stderr
    assert (tmp_path / "report" / "evaluation.html").is_file()


def test_labels_of_another_name_can_be_mapped(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, pack_dir: Path, data: Path) -> None:
    monkeypatch.chdir(tmp_path)
    (data / "data.yaml").write_text("names: [rot, gruen, blau]\n")
    options = (pack_dir, "--data", data, "--variant", "onnx-fp32")
    exit_code, refused = in_process(tmp_path, *options)
    assert (exit_code, refused["error"]["code"]) == (4, "dataset_labels_disagree")
    maps = [word for pair in ("rot=red", "gruen=green", "blau=blue") for word in ("--labels-map", pair)]
    assert in_process(tmp_path, *options, *maps)[1]["map50"] > 0.8


def test_a_broken_image_stops_it_unless_it_may_be_left_out(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, pack_dir: Path, data: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    path = data / "images" / "st1_0002.png"
    path.write_bytes(path.read_bytes()[:60])
    options = (pack_dir, "--data", data, "--variant", "onnx-fp32")
    exit_code, refused = in_process(tmp_path, *options)
    assert exit_code == 4
    assert "st1_0002.png" in refused["error"]["message"]
    assert not (tmp_path / "tiny-1.0.0-evaluation").exists()
    _, answer = in_process(tmp_path, *options, "--skip-broken")
    assert answer["images"] == 2
    assert any("st1_0002.png" in warning for warning in answer["dataset"]["warnings"])


@pytest.mark.parametrize(
    ("arguments", "exit_code", "code"),
    [
        (("--data", "nowhere"), 4, "dataset_unknown_form"),
        (("--data", "set", "--variant", "int4"), 5, "pack_invalid"),
        (("--data", "set", "--labels-map", "red"), 2, "settings_invalid"),
        (("--data", "set", "--tow-pattern", "("), 2, "settings_invalid"),
        (("--data", "set", "--out", "."), 2, "settings_invalid"),
        (("--data", "set", "--split", "val"), 4, "dataset_unlabelled"),
    ],
)
def test_what_cannot_be_done_says_so(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, pack_dir: Path, data: Path, *, arguments: tuple[str, ...], exit_code: int, code: str
) -> None:
    monkeypatch.chdir(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    answer = in_process(tmp_path, pack_dir, *arguments)
    assert (answer[0], answer[1]["error"]["code"]) == (exit_code, code)
    assert sorted(tmp_path.rglob("*")) == before


def test_an_earlier_report_is_replaced_and_nothing_else_is(tmp_path: Path, pack_dir: Path, data: Path) -> None:
    report = tmp_path / "report"
    for limit in (1, 3):
        options = (pack_dir, "--data", data, "--variant", "onnx-fp32", "--limit", limit, "--out", report)
        assert in_process(tmp_path, *options)[0] == 0
    assert json.loads((report / "evaluation.json").read_text())["images"] == 3
    assert sorted(path.name for path in tmp_path.iterdir()) == ["report", "set"]


def test_the_worst_images_are_those_whose_count_is_most_wrong(tmp_path: Path, pack_dir: Path, data: Path) -> None:
    # Its count is right, though nothing else is: two missed, two false alarms.
    assert cv2.imwrite(str(data / "images" / "st0_swapped.png"), coloured(64, 64, [(0, 0, 8, 8, 0), (16, 0, 8, 8, 0)]))
    (data / "labels" / "st0_swapped.txt").write_text(yolo_lines([(0, 40, 40, 48, 48), (0, 8, 32, 16, 40)], 64, 64))
    options = (pack_dir, "--data", data, "--variant", "onnx-fp32", "--out", tmp_path / "report")
    assert in_process(tmp_path, *options)[0] == 0
    captions = re.findall(r"<figcaption>images/(st\d)", (tmp_path / "report" / "evaluation.html").read_text())
    assert captions == ["st1", "st2", "st0"]


def test_a_model_that_finds_nothing_is_told_as_such(tmp_path: Path, data: Path) -> None:
    blind = make_tiny_pack(tmp_path / "blind", onnx=detector_onnx(factor=0.0), ir=False).path
    report = tmp_path / "report"
    exit_code, answer = in_process(tmp_path, blind, "--data", data, "--variant", "onnx-fp32", "--out", report)
    assert exit_code == 0
    assert (answer["map50"], answer["recall"], answer["precision"], answer["ece"]) == (0.0, 0.0, None, None)
    assert (answer["best_f1"], answer["unbiased_threshold"]) == (None, None)
    assert answer["count_bias"] == pytest.approx(-5 / 3)
    assert "2 labelled, 0 found (-2)" in (report / "evaluation.html").read_text()


@pytest.mark.skipif(sys.platform == "win32", reason="needs a named pipe")
def test_ctrl_c_leaves_nothing(edge_command: list[str], tmp_path: Path, pack_dir: Path, data: Path) -> None:
    (data / "data.yaml").unlink()
    os.mkfifo(data / "data.yaml")  # the command waits there for its content
    command = [*edge_command, "models", "evaluate", str(pack_dir), "--data", str(data), "--json"]
    running = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    with (data / "data.yaml").open("w"):
        running.send_signal(signal.SIGINT)
        out, err = running.communicate(timeout=60)
    assert running.returncode == 130
    assert "Traceback" not in out + err
    assert [path.name for path in tmp_path.iterdir()] == ["set"]


def test_the_report_opens_without_a_network_or_a_script(
    edge_command: list[str], tmp_path: Path, pack_dir: Path, data: Path, chromium: webdriver.Chrome
) -> None:
    (data / "images" / "st1_0002.png").rename(data / "images" / "st1_<b>&0002.png")
    (data / "labels" / "st1_0002.txt").rename(data / "labels" / "st1_<b>&0002.txt")
    options = ("--data", data, "--variant", "onnx-fp32", "--out", tmp_path / "report")
    assert evaluate(edge_command, tmp_path, pack_dir, *options).returncode == 0
    page = tmp_path / "report" / "evaluation.html"
    text = page.read_text()
    assert not re.search(r"(src|href)=\"(?!#|data:)", text)
    assert "<script" not in text
    chromium.get(page.as_uri())
    assert chromium.get_log("browser") == []  # type: ignore[no-untyped-call]
    headings = [heading.text for heading in chromium.find_elements("tag name", "h2")]
    assert headings == ["Variants", "Counts", "Tows", "Detection", "Classes", "Confusion", "Worst images", "About this report"]
    captions = [one.text for one in chromium.find_elements("css selector", ".pictures figcaption")]
    assert captions[0].startswith(("images/st1_<b>&0002.png: 2 labelled, 1 found (-1); 1 right, 1 missed", "images/st2_"))
    assert len(captions) == 2
    assert chromium.execute_script("return document.documentElement.scrollWidth <= window.innerWidth")
