"""A training set that `dataset build` wrote of reviewed tows is trained on as it is, from the reviewed openings to the pack."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from models.pack import verify_pack
from tests.workshop.training import PROGRAM, TOP, needs_program, train

pytestmark = pytest.mark.timeout(900)

# The appliance's environment reads clips; the workshop's does not.
REVIEWED = """
import sys
from pathlib import Path
from tests.helpers.reviewed import Opening, Ship
ship = Ship(Path(sys.argv[1]))
for station in ("S1", "S2", "S3", "S4"):
    ship.add(station, [
        Opening(frames=list(range(0, 40, 4)), decision="accepted"),
        Opening(frames=list(range(8, 32, 4)), decision="accepted", x_px=70.0),
        Opening(frames=[4, 8], decision="rejected", x_px=100.0),
    ])
    # Which part a station comes to hangs on its identity, which is drawn anew each time.
    ship.connection.execute("UPDATE stations SET uuid = ? WHERE name = ?", (f"01980000-0000-7000-8000-00000000000{station[1]}", station))
ship.connection.commit()
ship.connection.close()
"""


def test_what_people_reviewed_becomes_a_pack(tmp_path: Path) -> None:
    needs_program()
    home, data = tmp_path / "home", tmp_path / "set"
    environment = {**os.environ, "PYTHONPATH": str(TOP)}
    python = PROGRAM.with_name("python")
    subprocess.run([str(python), "-c", REVIEWED, str(home)], check=True, env=environment, cwd=TOP)
    build = [str(PROGRAM), "--home", str(home), "dataset", "build", "--out", str(data), "--licence", "CC0-1.0", "--overlap", "1"]
    built = subprocess.run([*build, "--json"], capture_output=True, text=True, check=False, env=environment)
    assert built.returncode == 0, built.stdout + built.stderr
    summary = json.loads(built.stdout.splitlines()[-1])
    before = {path: path.stat().st_mtime_ns for path in data.rglob("*")}
    words = ["--data", str(data), "--base", "burrow-openings-starter", "--epochs", "1", "--batch", "8", "--input", "320x192"]
    run = train(tmp_path, *words, "--name", "reviewed", "--json")
    assert run.returncode == 0, run.stdout + run.stderr
    answer = json.loads(run.stdout.splitlines()[-1])
    pack = tmp_path / answer["pack_dir"]  # told as it was named: below the folder that the command ran in
    verify_pack(pack)
    assert (answer["name"], answer["epochs"]) == ("reviewed", 1)
    assert (answer["val"]["images"], answer["test"]["images"]) == (summary["pictures"]["val"], summary["pictures"]["test"])
    assert answer["val"]["boxes"] == summary["objects"]["val"]
    assert {path: path.stat().st_mtime_ns for path in data.rglob("*")} == before, "the set stays as it was built"
    told = json.loads((pack.parent / "plan.json").read_text(encoding="utf-8"))
    assert told["labels"] == ["burrow opening"]
