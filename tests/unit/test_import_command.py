"""`models import` as a person and as a program call it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from edge.cli import app
from models.pack import verify_pack
from models.runtime.vision import cv2
from tests.unit.test_import_onnx import with_metadata
from tests.unit.tiny_models import coloured, detector_onnx

KEYS = ["name", "version", "path", "task", "head", "labels", "input_px", "licence", "variants", "warnings"]


@pytest.fixture
def brought(tmp_path: Path) -> Path:
    """A folder with a model and pictures of what it finds."""
    (tmp_path / "tiny.onnx").write_bytes(with_metadata(detector_onnx(), license="MIT"))
    (tmp_path / "pictures").mkdir()
    cv2.imwrite(str(tmp_path / "pictures" / "a.png"), coloured(64, 64, [(8, 16, 8, 8, 0), (40, 24, 8, 8, 1)]))
    return tmp_path


def run(folder: Path, *arguments: str) -> Result:
    command = ["--home", str(folder / "home"), "models", "import", str(folder / "tiny.onnx"), "--images", str(folder / "pictures")]
    return CliRunner().invoke(app, [*command, "--out", str(folder / "pack"), *arguments])


def last_line(result: Result) -> dict[str, Any]:
    line: dict[str, Any] = json.loads(result.stdout.splitlines()[-1])
    return line


def test_the_answer_for_programs(brought: Path) -> None:
    (brought / "names.txt").write_text("red\n\n green \nblue\n")
    options = ["--labels", str(brought / "names.txt"), "--input", "64x64", "--aphia", "green=107254", "--version", "1.2.0", "--json"]
    result = run(brought, *options)
    assert result.exit_code == 0, result.output
    answer = last_line(result)
    assert list(answer) == KEYS
    assert (answer["name"], answer["version"], answer["task"], answer["head"]) == ("tiny", "1.2.0", "detect", "yolo_v8")
    assert (answer["labels"], answer["input_px"]) == (["red", "green", "blue"], [64, 64])
    assert (answer["licence"], answer["variants"]) == ("MIT (claimed by the file itself, not checked)", ["onnx-fp32", "openvino-fp16"])
    manifest = verify_pack(Path(answer["path"])).manifest
    assert [label.aphia_id for label in manifest.labels] == [None, 107254, None]


def test_the_answer_for_people_says_what_was_found_and_what_comes_next(brought: Path) -> None:
    out = brought / "two words"
    result = run(brought, "--labels", "red,green,blue", "--out", str(out))
    assert result.exit_code == 0, result.output
    assert f"imagine-edge models install '{out}'" in result.stdout
    for told in ("tiny@1.0.0", "detect (head yolo_v8)", "3: red, green, blue", "64 x 64 px", "MIT", "models evaluate", "models install"):
        assert told in result.stdout
    again = run(brought, "--labels", "red,green,blue", "--out", str(out))
    assert (again.exit_code, "exists already" in again.stderr) == (5, True)


@pytest.mark.parametrize(
    ("options", "code"),
    [
        (["--labels", " , "], "settings_invalid"),
        (["--labels", "a,b,c", "--input", "640"], "settings_invalid"),
        (["--labels", "a,b,c", "--input", "64x64x3"], "settings_invalid"),
        (["--labels", "a,b,c", "--input", "²x64"], "settings_invalid"),
        (["--labels", "a,b,c", "--aphia", "107254"], "settings_invalid"),
        (["--labels", "a,b,c", "--aphia", "a=x"], "settings_invalid"),
        (["--labels", "a,b,c", "--name", "Not A Name"], "import_refused"),
        ([], "import_refused"),
    ],
)
def test_options_that_cannot_be_used_are_told(brought: Path, options: list[str], code: str) -> None:
    result = run(brought, *options, "--json")
    error = last_line(result)["error"]
    assert (error["code"], result.exit_code) == (code, 2 if code == "settings_invalid" else 5)
    assert error["advice"]
    assert sorted(entry.name for entry in brought.iterdir() if entry.name != "home") == ["pictures", "tiny.onnx"]


def test_a_names_file_that_is_no_text_is_told(brought: Path) -> None:
    (brought / "names").write_bytes(np.arange(200, 256, dtype=np.uint8).tobytes())
    assert last_line(run(brought, "--labels", str(brought / "names"), "--json"))["error"]["code"] == "settings_invalid"


def test_a_checkpoint_without_a_workshop_says_what_to_do(brought: Path) -> None:
    (brought / "best.pt").write_bytes(b"anything")
    (brought / "home").mkdir()
    (brought / "home" / "settings.toml").write_text(f'workshop_python = "{brought / "nowhere"}"\n')
    result = CliRunner().invoke(app, ["--home", str(brought / "home"), "models", "import", str(brought / "best.pt"), "--json"])
    assert last_line(result)["error"]["code"] == "workshop_missing"
    assert result.exit_code == 2
