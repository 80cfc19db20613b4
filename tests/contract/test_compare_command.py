"""`models compare` as a person calls it: two packs, a folder, figures, a CSV, and one clear error for each mistake."""

from __future__ import annotations

import csv
import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.helpers.tiny_home import write_picture
from tests.unit import tiny_models
from tests.unit.tiny_models import make_tiny_pack

SETTINGS_ERROR_EXIT_CODE = 2
MODEL_ERROR_EXIT_CODE = 5


def compare(edge_command: list[str], home: Path, *words: object) -> tuple[int, dict[str, Any]]:
    line = [*edge_command, "--home", str(home), "models", "compare", *map(str, words), "--json"]
    ended = subprocess.run(line, capture_output=True, text=True, timeout=240, check=False)
    return ended.returncode, json.loads(ended.stdout.splitlines()[-1])


def test_two_packs_on_a_folder(tmp_path: Path, edge_command: list[str]) -> None:
    sharp = make_tiny_pack(tmp_path / "sharp", ir=False).path
    dull = make_tiny_pack(tmp_path / "dull", version="2.0.0", onnx=tiny_models.detector_onnx(factor=0.33), ir=False).path
    for number in range(3):
        write_picture(tmp_path / "stills" / "tow", f"still{number}.png", number)
    (tmp_path / "stills" / "cut.png").write_bytes((tmp_path / "stills" / "tow" / "still0.png").read_bytes()[:60])
    home = tmp_path / "home"
    code, told = compare(edge_command, home, sharp, dull, "--files", tmp_path / "stills", "--out", tmp_path / "out.csv")
    assert code == 0
    assert (told["files"], len(told["failed"])) == (3, 1)
    assert told["a"] == {"pack": "tiny@1.0.0", "variant": "onnx-fp32"}
    assert told["a_total"] > told["b_total"] == told["matched"] > 0
    assert told["difference_mean"] < 0
    rows = list(csv.DictReader((tmp_path / "out.csv").read_text(encoding="utf-8").splitlines()))
    assert [row["state"] for row in rows] == ["failed", "done", "done", "done"]
    assert sum(int(row["a_count"] or 0) for row in rows) == told["a_total"]
    assert not (home / "edge.db").exists(), "nothing is recorded"


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["{pack}", "{pack}", "--files", "{empty}"], SETTINGS_ERROR_EXIT_CODE),
        (["{pack}", "{pack}", "--files", "{nowhere}"], SETTINGS_ERROR_EXIT_CODE),
        (["{pack}", "{nowhere}", "--files", "{empty}"], MODEL_ERROR_EXIT_CODE),
        (["{pack}", "{pack}", "--files", "{stills}", "--variant-b", "none"], MODEL_ERROR_EXIT_CODE),
        (["{pack}", "{pack}", "--files", "{stills}", "--recipe", "none"], SETTINGS_ERROR_EXIT_CODE),
    ],
)
def test_a_mistake_is_one_clear_error(tmp_path: Path, edge_command: list[str], words: list[str], code: int) -> None:
    places = {name: tmp_path / name for name in ("pack", "empty", "nowhere", "stills")}
    make_tiny_pack(places["pack"], ir=False)
    places["empty"].mkdir()
    write_picture(places["stills"], "still.png", 1)
    answered, told = compare(edge_command, tmp_path / "home", *(word.format(**places) for word in words))
    assert answered == code
    assert told["error"]["message"]
    assert told["error"]["advice"]
