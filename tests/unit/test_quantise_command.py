"""What `models quantise` refuses, and how it says so; no workshop is needed for it."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from edge.cli import app
from tests.unit.conv_models import make_conv_pack, write_coloured_dataset


@pytest.fixture(scope="module")
def pack(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_conv_pack(tmp_path_factory.mktemp("packs") / "small").path


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_coloured_dataset(tmp_path_factory.mktemp("data"), tows=4, images=10)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home whose workshop is a Python without NNCF, which no test may come to."""
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "settings.toml").write_text(f'workshop_python = "{sys.executable}"\n')
    return tmp_path / "home"


def refused(home: Path, *words: str) -> tuple[int, dict[str, Any]]:
    result = CliRunner().invoke(app, ["--home", str(home), "models", "quantise", *words, "--json"])
    error: dict[str, Any] = json.loads(result.stdout.splitlines()[-1])["error"]
    return result.exit_code, error


def test_a_missing_workshop_is_told_with_what_to_do(home: Path, pack: Path, data: Path, tmp_path: Path) -> None:
    (home / "settings.toml").write_text(f'workshop_python = "{tmp_path / "nowhere" / "python"}"\n')
    exit_code, error = refused(home, str(pack), "--data", str(data), "--out", str(tmp_path / "out"))
    assert (exit_code, error["code"]) == (2, "workshop_missing")
    assert "make workshop" in error["advice"]
    assert not (tmp_path / "out").exists()


def test_too_few_images_are_refused(home: Path, pack: Path, tmp_path: Path) -> None:
    data = write_coloured_dataset(tmp_path / "data", tows=2, images=10)
    exit_code, error = refused(home, str(pack), "--data", str(data), "--out", str(tmp_path / "out"))
    assert (exit_code, error["code"]) == (4, "calibration_too_small")
    assert error["message"] == "20 labelled images leave 8 to calibrate on; at least 16 are needed"
    assert not (tmp_path / "out").exists()


def test_labels_that_are_not_the_models_are_refused(home: Path, pack: Path, data: Path, tmp_path: Path) -> None:
    other = write_coloured_dataset(tmp_path / "data", tows=4, images=10)
    (other / "data.yaml").write_text("path: .\nnames: [crab, fish, litter]\n")
    exit_code, error = refused(home, str(pack), "--data", str(other), "--out", str(tmp_path / "out"))
    assert (exit_code, error["code"]) == (4, "dataset_labels_disagree")


def test_labels_of_other_names_may_be_mapped(home: Path, pack: Path, tmp_path: Path) -> None:
    other = write_coloured_dataset(tmp_path / "data", tows=2, images=10)
    (other / "data.yaml").write_text("path: .\nnames: [crab, fish, litter]\n")
    words = (str(pack), "--data", str(other), "--out", str(tmp_path / "out"), "--labels-map")
    assert refused(home, *words, "crab=red")[1]["code"] == "calibration_too_small"  # so the labels were taken
    assert refused(home, *words, "crab")[1]["code"] == "settings_invalid"


def test_a_folder_that_is_taken_is_refused(home: Path, pack: Path, data: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    exit_code, error = refused(home, str(pack), "--data", str(data), "--out", str(tmp_path / "out"))
    assert (exit_code, error["code"]) == (5, "pack_exists")


def test_a_version_that_is_none_is_refused(home: Path, pack: Path, data: Path) -> None:
    exit_code, error = refused(home, str(pack), "--data", str(data), "--version", "next")
    assert (exit_code, error["code"]) == (2, "settings_invalid")


def test_a_pack_with_int8_only_has_nothing_to_quantise(home: Path, data: Path, tmp_path: Path) -> None:
    variants = [{"name": "onnx-int8", "runtime": "onnxruntime", "precision": "int8", "files": ["model.onnx"]}]
    pack = make_conv_pack(tmp_path / "int8", variants=variants).path
    exit_code, error = refused(home, str(pack), "--data", str(data), "--out", str(tmp_path / "out"))
    assert (exit_code, error["code"]) == (5, "model_failed")
    assert error["message"] == "small has no variant in fp32 or fp16 to quantise"


def test_a_workshop_without_nncf_fails_with_its_last_lines_and_leaves_nothing(home: Path, pack: Path, data: Path, tmp_path: Path) -> None:
    exit_code, error = refused(home, str(pack), "--data", str(data), "--out", str(tmp_path / "out"))
    assert (exit_code, error["code"]) == (5, "workshop_failed")
    assert "No module named 'nncf'" in error["message"]
    assert not (tmp_path / "out").exists()
    assert not list(tmp_path.glob(".out*"))
