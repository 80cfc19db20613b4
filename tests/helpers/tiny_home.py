"""A home folder whose recipe `burrows` is served by the tiny detector, and small pictures for it."""

from __future__ import annotations

import atexit
import json
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Callable
from http.client import HTTPException
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from edge.commands.running import read_address
from edge.pipeline.keeper import ModelKeeper
from edge.store import packs
from edge.store.connection import DATABASE_NAME, immediate, open_reader, open_writer
from edge.store.open import open_store
from tests.unit.tiny_models import make_tiny_pack

SETTINGS = "settle_s = 0.1\nrescan_s = 1.0\nballast_mb = 1\nmin_free_mb = 16\nworker_threads = 2\n"
PATIENCE_S = 120.0
_originals: dict[str, Path] = {}
_making = threading.Lock()


def make_tiny_home(home: Path, pack_folder: Path, **pack_changes: Any) -> None:
    """A home in which the tiny detector was installed and serves burrows; it has keys of its own.

    A pack proves itself in child processes for some seconds: that is done once for each kind of pack, and each home is a copy.
    """
    with _making:
        kind = repr(sorted(pack_changes.items()))
        if kind not in _originals:
            _originals[kind] = _make_original(**pack_changes)
    original = _originals[kind]
    shutil.copytree(original / "home", home, ignore=shutil.ignore_patterns("keys", "*.lock"))
    shutil.copytree(original / "pack", pack_folder)
    connection = open_writer(home / DATABASE_NAME)
    try:
        with immediate(connection):
            connection.execute("UPDATE models SET pack_path = replace(pack_path, ?, ?)", (str(original / "home"), str(home)))
    finally:
        connection.close()


def _make_original(**pack_changes: Any) -> Path:
    folder = Path(tempfile.mkdtemp(prefix="tiny-home-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    home = folder / "home"
    home.mkdir()
    (home / "settings.toml").write_text(SETTINGS)
    make_tiny_pack(folder / "pack", name="tiny-burrows", **pack_changes)
    writer = open_store(home, on_commit=lambda: None)
    try:
        keeper = ModelKeeper(home, writer)  # a service would prove the bundled pack too, which nobody here asks for
        keeper.install_bundled()
        row = keeper.install(folder / "pack")
        writer.call(lambda connection: packs.activate(connection, "burrows", row.model_id, actor="test"))
    finally:
        writer.close()
    return folder


def write_picture(folder: Path, name: str, seed: int) -> Path:
    """A picture of 64 x 64 px with random coloured cells; written under a temporary name and renamed."""
    from models.runtime.vision import cv2

    folder.mkdir(parents=True, exist_ok=True)
    cells = np.random.default_rng(seed).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    _, encoded = cv2.imencode(".png", np.kron(cells, np.ones((8, 8, 1), np.uint8)))
    temporary = folder / f"{name}.part"
    temporary.write_bytes(encoded.tobytes())
    temporary.rename(folder / name)
    return folder / name


def _answer(request: urllib.request.Request, timeout_s: float) -> Any:
    """What the appliance answers.

    Raises:
        OSError: it is not there, or went away in the middle of its answer.
    """
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=timeout_s) as answer:
            return json.load(answer)
    except HTTPException as error:
        raise ConnectionResetError(str(error)) from error


class RunningAppliance:
    """`imagine-edge run` as a process of its own."""

    def __init__(self, home: Path, *, port: int = 0) -> None:
        self.home = home
        command = [str(Path(sys.executable).with_name("imagine-edge")), "--home", str(home), "run", "--port", str(port)]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
        atexit.register(self.process.kill)  # a test that fails leaves nothing behind

    def wait_ready(self) -> None:
        wait_until(self.is_ready, "the pages answer")

    def is_ready(self) -> bool:
        assert self.process.poll() is None, f"it ended with exit code {self.process.returncode}"
        try:
            return bool(self.ask("/healthz")["status"] == "ok")
        except OSError:
            return False

    def ask(self, path: str) -> Any:
        address = read_address(self.home)
        if address is None:
            raise OSError("no address yet")
        return _answer(urllib.request.Request(address + path), timeout_s=10)

    def post(self, path: str, body: dict[str, Any]) -> Any:
        request = urllib.request.Request(
            f"{read_address(self.home)}{path}", data=json.dumps(body).encode(), headers={"Content-Type": "application/json"}
        )
        return _answer(request, timeout_s=60)

    def worker_pid(self) -> int | None:
        pid = self.ask("/api/status")["live"]["workers"][0]["pid"]
        return None if pid is None else int(pid)

    def children(self) -> list[psutil.Process]:
        try:
            found: list[psutil.Process] = psutil.Process(self.process.pid).children(recursive=True)
        except psutil.NoSuchProcess:
            return []
        return found

    def kill(self) -> list[psutil.Process]:
        """kill -9, as a power cut would; returns the children that it had."""
        children = self.children()
        self.process.kill()
        self.process.wait()
        return children

    def stop(self) -> int:
        self.process.terminate()
        return self.process.wait(PATIENCE_S)


def query(home: Path, sql: str) -> list[tuple[Any, ...]]:
    connection = open_reader(home / DATABASE_NAME)
    try:
        return [tuple(row) for row in connection.execute(sql)]
    finally:
        connection.close()


def wait_until(holds: Callable[[], bool], what: str) -> None:
    end_s = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < end_s, f"waited in vain until {what}"
        time.sleep(0.05)


def states(home: Path) -> dict[str, int]:
    return dict(query(home, "SELECT state, count(*) FROM v_files GROUP BY state"))


def assert_accounted_for(home: Path, files: int) -> None:
    """Every file exactly once, and every figure that is kept agrees with a recount."""
    assert query(home, "PRAGMA integrity_check") == [("ok",)]
    assert query(home, "SELECT count(*), count(DISTINCT path) FROM sightings") == [(files, files)]
    assert query(home, "SELECT image_id FROM runs GROUP BY image_id, recipe HAVING count(*) > 1") == []
    assert query(home, "SELECT count(*) FROM jobs WHERE state IN ('queued', 'leased')") == [(0,)]
    assert query(home, "SELECT count(*) FROM outbox") == query(home, "SELECT count(*) FROM runs")
    counted = query(home, "SELECT recipe, name, total FROM counters WHERE kind = 'files' AND total <> 0 ORDER BY 1, 2")
    assert counted == query(home, "SELECT recipe, state, count(*) FROM sightings GROUP BY 1, 2 ORDER BY 1, 2")
    objects = query(home, "SELECT coalesce(sum(total), 0) FROM counters WHERE kind = 'objects'")
    assert objects == query(home, "SELECT coalesce(sum(object_count), 0) FROM runs WHERE is_current = 1")
