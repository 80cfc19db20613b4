"""`models train` as far as it goes without torch: what it refuses, what it says, what it leaves."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from edge.cli import app
from models.training.plan import CURVES_NAME, read_plan, write_json
from tests.helpers.labelled import write_yolo

BASE = ["--base", "burrow-openings-starter"]


def train(home: Path, *words: str, python: str = sys.executable) -> Result:
    home.mkdir(exist_ok=True)
    (home / "settings.toml").write_text(f"workshop_python = {json.dumps(python)}\n")
    return CliRunner().invoke(app, ["--home", str(home), "models", "train", *words])


def error_of(result: Result) -> dict[str, Any]:
    answer: dict[str, Any] = json.loads(result.stdout.splitlines()[-1])["error"]
    return answer


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_yolo(tmp_path_factory.mktemp("stills"), tow_a=12, tow_b=4, tow_c=4)


@pytest.mark.parametrize(
    ("words", "exit_code", "code"),
    [
        ([], 2, "settings_invalid"),
        (["--base", "yolo11n"], 2, "settings_invalid"),
        (["--resume"], 2, "settings_invalid"),
        ([*BASE, "--data", "stills.zip"], 2, "settings_invalid"),
        ([*BASE, "--data", "nowhere"], 4, "dataset_unknown_form"),
        ([*BASE, "--data", "DATA", "--input", "wide"], 2, "settings_invalid"),
        ([*BASE, "--data", "DATA", "--input", "100x100"], 5, "input_size"),
        (["--base", "yolo99z", "--data", "DATA"], 5, "pack_invalid"),
        ([*BASE, "--data", "DATA", "--test-tows", "tow_x"], 5, "cannot_split"),
        ([*BASE, "--data", "DATA", "--labels-map", "nonsense"], 2, "settings_invalid"),
        ([*BASE, "--data", "DATA", "--labels-map", "seapen=burrow opening"], 4, "dataset_labels_disagree"),
    ],
)
def test_what_cannot_be_used_is_refused_and_nothing_is_made(
    tmp_path: Path, data: Path, words: list[str], exit_code: int, code: str
) -> None:
    out = tmp_path / "work"
    given = [str(data) if word == "DATA" else word for word in words]
    where = [] if "--resume" in words else ["--out", str(out)]
    result = train(tmp_path / "home", *given, *where, "--json")
    assert (result.exit_code, error_of(result)["code"]) == (exit_code, code), result.output
    assert not out.exists()


def test_broken_images_are_left_out_only_when_asked(tmp_path: Path, data: Path) -> None:
    copy = Path(shutil.copytree(data, tmp_path / "stills"))
    (copy / "images" / "tow_a" / "003.png").write_bytes(b"no image")
    broken = tmp_path / "python"
    broken.write_text("#!/bin/sh\nexit 3\n")
    broken.chmod(0o755)
    words = [*BASE, "--data", str(copy), "--out", str(tmp_path / "work")]
    assert error_of(train(tmp_path / "home", *words, "--json", python=str(broken)))["code"] == "dataset_image_broken"
    assert "train 11 images" in train(tmp_path / "home", *words, "--skip-broken", python=str(broken)).output


def test_there_must_be_a_workshop(tmp_path: Path, data: Path) -> None:
    result = train(tmp_path / "home", *BASE, "--data", str(data), "--json", python=str(tmp_path / "none"))
    assert (result.exit_code, error_of(result)["code"]) == (2, "workshop_missing")


def test_a_workshop_that_fails_keeps_the_folder_to_go_on_from(tmp_path: Path, data: Path) -> None:
    broken = tmp_path / "python"
    broken.write_text("#!/bin/sh\necho torch is broken >&2\nexit 3\n")
    broken.chmod(0o755)
    out = tmp_path / "work"
    result = train(tmp_path / "home", *BASE, "--data", str(data), "--out", str(out), "--json", python=str(broken))
    error = error_of(result)
    assert (result.exit_code, error["code"]) == (5, "workshop_failed")
    assert "torch is broken" in error["message"]
    assert f"0 finished epochs are kept in {out}" in error["advice"]
    assert (out / "train.log").read_text().strip() == "torch is broken"
    assert read_plan(out).name == "burrow-openings-starter-tuned"
    assert not list(out.glob("burrow*"))


def test_a_killed_workshop_is_told_as_what_it_most_often_is(tmp_path: Path, data: Path) -> None:
    killed = tmp_path / "python"
    killed.write_text("#!/bin/sh\nkill -9 $$\n")
    killed.chmod(0o755)
    result = train(tmp_path / "home", *BASE, "--data", str(data), "--out", str(tmp_path / "work"), "--json", python=str(killed))
    assert error_of(result)["code"] == "out_of_memory"
    assert "--batch" in error_of(result)["advice"]


def test_going_on_says_so(tmp_path: Path, data: Path) -> None:
    broken = tmp_path / "python"
    broken.write_text("#!/bin/sh\nexit 3\n")
    broken.chmod(0o755)
    words = [*BASE, "--data", str(data), "--out", str(tmp_path / "work"), "--seed", "4"]
    first = train(tmp_path / "home", *words, python=str(broken))
    assert "Trains burrow-openings-starter-tuned 1.0.0" in first.output
    assert "no tow" not in first.output
    write_json(tmp_path / "work" / CURVES_NAME, [{"epoch": 1, "seconds": 1.0}, {"epoch": 2, "seconds": 1.0}])
    for again in (words, ["--resume", "--out", str(tmp_path / "work")]):
        result = train(tmp_path / "home", *again, python=str(broken))
        assert "Goes on after epoch 2 of 100" in result.output
        assert "with the same parts and seed 4" in result.output
    other = train(tmp_path / "home", *words, "--epochs", "7", "--json", python=str(broken))
    assert (error_of(other)["code"], "epochs" in error_of(other)["message"]) == ("work_folder", True)
