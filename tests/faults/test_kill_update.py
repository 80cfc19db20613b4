"""kill -9 at random points of an update: what serves goes on serving, nothing half is ever installed, and the next attempt goes on."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from pathlib import Path

from edge.store.durable import file_sha256
from models.pack import verify_pack
from models.registry import Registry
from sync.updates.client import trust
from sync.updates.places import places_of
from tests.helpers.tiny_home import make_tiny_home, query
from tests.helpers.updates_ship import Directly
from tests.simulators.models_server import ModelsServer
from tests.simulators.shore import FIGURES, Shore
from tests.unit.tiny_models import make_tiny_pack

CYCLES = max(3, int(os.environ.get("IMAGINE_EDGE_KILL_CYCLES", "6")) // 2)  # `make soak`: 100
WEIGHTS_BYTES = 200_000
PIECE_S = 0.004
LONGEST_PROOF_S = 4.0
PATIENCE_S = 240


def heavy_pack(folder: Path) -> Path:
    """The tiny detector with a document that takes its time on the link."""
    folder.mkdir()
    (folder / "notes.bin").write_bytes(os.urandom(WEIGHTS_BYTES))
    variants = [{"name": "onnx-fp32", "runtime": "onnxruntime", "precision": "fp32", "files": ["model.onnx"], "metrics": FIGURES}]
    return make_tiny_pack(
        folder, name="tiny-burrows", version="1.1.0", ir=False, variants=variants, metrics=FIGURES, documents=["notes.bin"]
    ).path


def start(home: Path, source: str) -> subprocess.Popen[bytes]:
    line = [sys.executable, "-m", "tests.helpers.updating_child", str(home), source, "tiny-burrows", "1.1.0"]
    return subprocess.Popen(line, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def kill_somewhere(child: subprocess.Popen[bytes], server: ModelsServer, chance: random.Random, size: int) -> None:
    """While it is fetched, or while it is proven and put in place."""
    wanted = chance.randrange(0, size * 2)
    deadline_s = time.monotonic() + PATIENCE_S
    before = server.body_bytes
    while server.body_bytes - before < min(wanted, size) and child.poll() is None and not staged(child, server):
        assert time.monotonic() < deadline_s
        time.sleep(0.01)
    if wanted > size:
        time.sleep(chance.uniform(0, LONGEST_PROOF_S))
    child.kill()
    child.communicate()


def staged(child: subprocess.Popen[bytes], server: ModelsServer) -> bool:
    """Nothing more will be fetched."""
    home = Path(str(child.args[3]))  # type: ignore[index]
    return bool(list(places_of(home).staged.glob("*.zip"))) or (home / "packs" / "tiny-burrows" / "1.1.0").is_dir()


def assert_nothing_half(home: Path, shore: Shore) -> None:
    assert query(home, "PRAGMA integrity_check") == [("ok",)]
    (signed,) = (target.hashes["sha256"] for target in shore.repository.newest("models").signed.targets.values())
    assert all(file_sha256(path) == signed for path in places_of(home).staged.glob("*.zip"))
    registry = Registry(home / "packs")
    assert registry.broken() == ()
    for pack in registry.list():
        verify_pack(pack.path)
    assert query(home, "SELECT m.version FROM models AS m JOIN active_models AS a ON a.model_id = m.id WHERE a.recipe = 'burrows'") == [
        ("1.0.0",)
    ]


def test_an_update_that_is_killed_anywhere_goes_on(tmp_path: Path) -> None:
    home, seed = tmp_path / "home", random.SystemRandom().randrange(1 << 30)
    print(f"seed {seed}")
    chance = random.Random(seed)
    make_tiny_home(home, tmp_path / "first", ir=False)
    shore = Shore(tmp_path / "repo")
    shore.publish(heavy_pack(tmp_path / "pack"))
    size = shore.target_file().stat().st_size
    writer = Directly(home)
    trust(home, writer, shore.root, actor="test")
    writer.connection.close()
    with ModelsServer(shore.public).serving() as server:
        server.manners.pause_s = PIECE_S
        for _ in range(CYCLES):
            kill_somewhere(start(home, server.url), server, chance, size)
            assert_nothing_half(home, shore)
        server.manners.pause_s = 0
        child = start(home, server.url)
        _, said = child.communicate(timeout=PATIENCE_S)
        assert child.returncode == 0, said.decode()
        brought = sum(one.body_bytes for one in server.asked if one.path.startswith("/targets/"))
    assert_nothing_half(home, shore)
    assert query(home, "SELECT count(*) FROM models WHERE name = 'tiny-burrows' AND version = '1.1.0' AND removed_utc IS NULL") == [(1,)]
    assert list(places_of(home).staged.iterdir()) == []
    assert brought < size * (CYCLES + 1)
