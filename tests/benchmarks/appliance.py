"""The real command line under measurement: one ingest, or the service as a child process."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.benchmarks.cost import Cost, run_command, tree_cpu_s

PROGRAM = str(Path(sys.executable).with_name("imagine-edge"))
_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """A service that answers. `ready_s` is how long it took from its start to its first answer."""

    pid: int
    port: int
    home: Path
    ready_s: float

    def get(self, path: str) -> bytes:
        """The body of a page. Raises OSError (urllib's) for anything but a success."""
        with _OPENER.open(f"http://127.0.0.1:{self.port}{path}", timeout=120) as answer:
            body: bytes = answer.read()
            return body

    def get_json(self, path: str) -> Any:
        """The document at a path."""
        return json.loads(self.get(path))


def ingest(home: Path, folder: Path) -> tuple[Cost, dict[str, Any]]:
    """`imagine-edge ingest` to its end: what it cost, and its last line."""
    cost = run_command([PROGRAM, "--home", str(home), "ingest", str(folder), "--recipe", "burrows", "--json"])
    summary: dict[str, Any] = json.loads(cost.stdout.splitlines()[-1])
    return cost, summary


@contextmanager
def service(home: Path, *, settings: str = "", well: bool = True) -> Iterator[Running]:
    """`imagine-edge run` until the block ends.

    Args:
        settings: the text of settings.toml.
        well: wait until it says that it is well; else any answer will do.
    """
    home.mkdir(parents=True, exist_ok=True)
    if settings:
        (home / "settings.toml").write_text(settings, encoding="utf-8")
    port = free_port()
    with (home / "bench.log").open("ab") as log:
        begun_s = time.monotonic()
        process = subprocess.Popen([PROGRAM, "--home", str(home), "run", "--port", str(port)], stdout=log, stderr=log)
        try:
            _wait_until_it_answers(process, port, home / "bench.log", well=well)
            yield Running(pid=process.pid, port=port, home=home, ready_s=time.monotonic() - begun_s)
        finally:
            process.terminate()
            try:
                process.wait(60)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def free_port() -> int:
    """A port that nobody listens on at this moment."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


def wait_for(condition: Callable[[], bool], what: str, *, limit_s: float, look_every_s: float = 0.2) -> None:
    """Look until it holds.

    Raises:
        TimeoutError: it did not within the limit.
    """
    end_s = time.monotonic() + limit_s
    while not condition():
        if time.monotonic() > end_s:
            raise TimeoutError(f"{what} did not come within {limit_s:.0f} s")
        time.sleep(look_every_s)


def wait_until_idle(pid: int, *, below: float = 0.05, limit_s: float = 900.0) -> None:
    """Wait until a process tree takes less than this share of a core over 3 seconds."""

    def is_idle() -> bool:
        before_s = tree_cpu_s(pid)
        time.sleep(3.0)
        return (tree_cpu_s(pid) - before_s) / 3.0 < below

    wait_for(is_idle, "an idle appliance", limit_s=limit_s, look_every_s=0.0)


def _wait_until_it_answers(process: subprocess.Popen[bytes], port: int, log: Path, *, well: bool) -> None:
    end_s = time.monotonic() + 300.0
    while True:
        try:
            with _OPENER.open(f"http://127.0.0.1:{port}/healthz", timeout=10):
                return
        except OSError as error:
            if isinstance(error, urllib.error.HTTPError) and not well:
                return
            if process.poll() is not None or time.monotonic() > end_s:
                raise RuntimeError(f"the service does not answer: {log.read_text(errors='replace')[-2000:]}") from error
            time.sleep(0.01)
