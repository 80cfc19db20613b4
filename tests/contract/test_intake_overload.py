"""More events than the system keeps, more files than there is time for, and folders that cannot be read."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from edge.store.connection import open_reader
from tests.helpers.as_user import as_nobody
from tests.helpers.watching import wait_until, watching

FILES = 20_000
QUEUE_LIMIT = Path("/proc/sys/fs/inotify/max_queued_events")
MEMORY_LIMIT_BYTES = 48 * 2**20

CHILD = """
import sys
from pathlib import Path
from tests.helpers.watching import watching
with watching(Path(sys.argv[1]), Path(sys.argv[2]), growing_limit_s=600):
    print("ready", flush=True)
    sys.stdin.read()
"""


class IntakeProcess:
    """An intake in a process of its own, that can be stopped and measured."""

    def __init__(self, checkout: Path, home: Path, root: Path) -> None:
        self.home = home
        self.process = subprocess.Popen(
            [sys.executable, "-c", CHILD, str(home), str(root)],
            cwd=checkout,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        assert self.process.stdout is not None
        while (line := self.process.stdout.readline()) != "ready\n":
            assert line, "the intake ended while it started"

    def rss_bytes(self) -> int:
        return int(psutil.Process(self.process.pid).memory_info().rss)

    def queued(self) -> int:
        reader = open_reader(self.home / "edge.db")
        try:
            return int(reader.execute("SELECT count(*) FROM sightings WHERE state = 'queued'").fetchone()[0])
        finally:
            reader.close()

    def end(self) -> None:
        self.process.send_signal(signal.SIGCONT)
        self.process.communicate("", timeout=60)


@pytest.mark.timeout(280)
def test_overflow_of_the_event_queue(tmp_path: Path, checkout: Path) -> None:
    """The kernel keeps 16,384 events or so and drops the rest without a word; the process is stopped, so none is read meanwhile."""
    assert int(QUEUE_LIMIT.read_text()) < 2 * FILES, "this system keeps so many events that nothing overflows"
    root = tmp_path / "inbox"
    root.mkdir()
    intake = IntakeProcess(checkout, tmp_path / "home", root)
    try:
        (root / "first.jpg").write_bytes(b"first")
        wait_until(lambda: intake.queued() == 1)
        before_bytes = intake.rss_bytes()
        os.kill(intake.process.pid, signal.SIGSTOP)
        for number in range(FILES):
            (root / f"{number}.jpg").write_bytes(b"%d" % number)
        os.kill(intake.process.pid, signal.SIGCONT)
        peak_bytes = 0

        def is_all_there() -> bool:
            nonlocal peak_bytes
            peak_bytes = max(peak_bytes, intake.rss_bytes())
            time.sleep(0.2)
            return intake.queued() == FILES + 1

        wait_until(is_all_there, lambda: f"only {intake.queued()} files are queued", deadline_s=240)
        assert peak_bytes - before_bytes < MEMORY_LIMIT_BYTES, f"{FILES} waiting files took {(peak_bytes - before_bytes) >> 20} MiB"
    finally:
        intake.end()


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder in which everybody may do everything."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o777)
        yield Path(folder)


def _a_subfolder_is_locked(base: Path) -> str:
    root, locked = base / "inbox", base / "inbox" / "tow 1"
    locked.mkdir(parents=True)
    (locked / "a.jpg").write_bytes(b"a")
    (root / "b.jpg").write_bytes(b"b")
    with watching(base / "home", root) as appliance:
        states = {"a.jpg": "queued", "b.jpg": "queued"}
        appliance.until(states)
        (locked / "inner.jpg").write_bytes(b"inner")
        locked.chmod(0o000)
        (root / "c.jpg").write_bytes(b"c")
        wait_until(lambda: appliance.status.troubles)
        wait_until(lambda: appliance.states().get("c.jpg") == "queued")
        appliance.rest()
        assert appliance.states().items() >= {**states, "c.jpg": "queued"}.items()
        assert "Permission denied" in appliance.status.troubles[0]
        locked.chmod(0o755)
        wait_until(lambda: appliance.status.troubles == ())
        appliance.until({**states, "c.jpg": "queued", "inner.jpg": "queued"})
    return "held"


def _the_root_is_locked(base: Path) -> str:
    root = base / "inbox"
    root.mkdir()
    (root / "a.jpg").write_bytes(b"a")
    with watching(base / "home", root) as appliance:
        appliance.until({"a.jpg": "queued"})
        root.chmod(0o000)
        wait_until(lambda: appliance.status.troubles)
        appliance.rest()
        assert appliance.states() == {"a.jpg": "queued"}
        root.chmod(0o755)
        wait_until(lambda: appliance.status.troubles == ())
    root.chmod(0o000)
    with watching(base / "home", root) as appliance:
        assert appliance.status.troubles
        assert appliance.states() == {"a.jpg": "queued"}
        root.chmod(0o755)
        (root / "b.jpg").write_bytes(b"b")
        appliance.until({"a.jpg": "queued", "b.jpg": "queued"})
        wait_until(lambda: appliance.status.events)
    return "held"


def _a_file_is_locked(base: Path) -> str:
    root = base / "inbox"
    root.mkdir()
    (root / "a.jpg").write_bytes(b"a")
    (root / "a.jpg").chmod(0o000)
    with watching(base / "home", root) as appliance:
        wait_until(lambda: appliance.reasons() == {"a.jpg": "unreadable_file"})
        (root / "a.jpg").chmod(0o644)
        appliance.until({"a.jpg": "queued"})
    return "held"


def _a_locked_subfolder_is_removed(base: Path) -> str:
    root, locked = base / "inbox", base / "inbox" / "tow 1"
    locked.mkdir(parents=True)
    (locked / "a.jpg").write_bytes(b"a")
    with watching(base / "home", root) as appliance:
        appliance.until({"a.jpg": "queued"})
        locked.chmod(0o000)
        wait_until(lambda: appliance.status.troubles)
        locked.rename(root / ".away")
        wait_until(lambda: appliance.status.troubles == ())
        appliance.until({"a.jpg": "queued, gone"})
        (root / ".away").chmod(0o755)
    return "held"


@pytest.mark.parametrize(
    "scenario",
    [_a_subfolder_is_locked, _the_root_is_locked, _a_file_is_locked, _a_locked_subfolder_is_removed],
    ids=lambda one: one.__name__.strip("_"),
)
def test_unreadable(open_folder: Path, scenario: Callable[[Path], str]) -> None:
    """What cannot be read is told and never taken for empty; when it can be read again it is taken by itself."""
    assert as_nobody(scenario, open_folder) == "held"
