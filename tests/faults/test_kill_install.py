"""kill -9 in the middle of an install: nothing is half there, and the pack can be installed again."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from models.pack_zip import zip_pack
from tests.helpers.tiny_home import RunningAppliance, make_tiny_home, query, wait_until
from tests.unit import tiny_models
from tests.unit.tiny_models import make_tiny_pack

MODEL_ERROR_EXIT_CODE = 5


def test_an_install_that_is_killed_leaves_nothing_behind(tmp_path: Path) -> None:
    home = tmp_path / "home"
    make_tiny_home(home, tmp_path / "first", ir=False)
    endless = make_tiny_pack(tmp_path / "endless", name="endless", onnx=tiny_models.endless_onnx(), ir=False)
    appliance = RunningAppliance(home)
    appliance.wait_ready()
    appliance.post("/api/models/install", {"path": str(zip_pack(endless.path, tmp_path / "endless.zip"))})
    wait_until(lambda: appliance.ask("/api/models/tasks/1")["stage"] == "proving", "the pack is being proven")
    packs = home / "packs"
    assert [path.name for path in packs.iterdir() if path.name.startswith(".incoming-")], "it lies beside the installed ones"
    for child in appliance.kill():
        child.wait(60)
    assert query(home, "SELECT count(*) FROM models WHERE name = 'endless'") == [(0,)]
    assert not (packs / "endless").exists()

    again = RunningAppliance(home)
    try:
        again.wait_ready()
        assert [path.name for path in packs.iterdir() if path.name.startswith(".")] == []
        assert again.ask("/api/models/tasks") == []
        sound = make_tiny_pack(tmp_path / "sound", name="tiny-burrows", version="1.1.0", ir=False)
        assert command(home, "install", str(sound.path)) == (0, {"name": "tiny-burrows", "version": "1.1.0"})
        assert (packs / "tiny-burrows" / "1.1.0" / "manifest.json").is_file()
        (sound.path / "unlisted").write_bytes(b"x")
        code, refused = command(home, "install", str(sound.path))
        assert (code, refused["error"]["code"]) == (MODEL_ERROR_EXIT_CODE, "pack_invalid")
        assert command(home, "remove", "tiny-burrows", "1.1.0")[0] == 0
        code, refused = command(home, "remove", "tiny-burrows", "1.0.0")
        assert (code, refused["error"]["code"]) == (MODEL_ERROR_EXIT_CODE, "pack_needed")
    finally:
        again.stop()


def command(home: Path, *words: str) -> tuple[int, Any]:
    """A command of the group `models` beside the running appliance: its exit code and its answer."""
    line = [str(Path(sys.executable).with_name("imagine-edge")), "--home", str(home), "models", *words, "--json"]
    ended = subprocess.run(line, capture_output=True, text=True, timeout=240, check=False)
    return ended.returncode, json.loads(ended.stdout.splitlines()[-1])
