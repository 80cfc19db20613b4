"""`models` commands on a home folder whose appliance runs: they go through it, with the same exit codes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.helpers.tiny_home import RunningAppliance, make_tiny_home

SETTINGS_ERROR_EXIT_CODE = 2


def test_models_are_activated_and_refused_by_the_running_appliance(tmp_path: Path) -> None:
    home = tmp_path / "home"
    make_tiny_home(home, tmp_path / "pack")
    appliance = RunningAppliance(home)
    try:
        appliance.wait_ready()
        _, packs = _command(home, "models", "list")
        serving = next(pack for pack in packs if pack["active_for"] == "burrows")
        code, shown = _command(home, "models", "show", serving["name"])
        assert (code, shown["active_for"]) == (0, "burrows")

        code, active = _command(home, "models", "activate", serving["name"])
        assert (code, active) == (0, {"name": serving["name"], "version": serving["version"]})

        code, refused = _command(home, "models", "rollback", "--recipe", "nope")
        assert (code, refused["error"]["code"]) == (SETTINGS_ERROR_EXIT_CODE, "settings_invalid")
    finally:
        appliance.stop()


def _command(home: Path, *words: str) -> tuple[int, Any]:
    command = [str(Path(sys.executable).with_name("imagine-edge")), "--home", str(home), *words, "--json"]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    return ended.returncode, json.loads(ended.stdout.splitlines()[-1])
