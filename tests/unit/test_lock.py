"""One process per home folder: whoever comes second is refused, and no death leaves the lock behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from edge.errors import BusyError, StoreError
from edge.store.lock import LOCK_NAME, HomeLock

HOLDER = """
import sys
from pathlib import Path
from edge.store.lock import HomeLock
lock = HomeLock(Path(sys.argv[1]))
lock.acquire()
print("held", flush=True)
sys.stdin.read()
"""


def hold(home: Path) -> subprocess.Popen[str]:
    holder = subprocess.Popen([sys.executable, "-c", HOLDER, str(home)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    return holder


def end(holder: subprocess.Popen[str], number: int) -> None:
    holder.send_signal(number)
    holder.communicate(timeout=60)


def test_a_second_process_is_refused_and_told_who_holds_it(tmp_path: Path) -> None:
    holder = hold(tmp_path)
    with pytest.raises(BusyError, match=str(holder.pid)):
        HomeLock(tmp_path).acquire()
    assert holder.poll() is None
    end(holder, signal.SIGTERM)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_the_lock_is_free_after_its_holder_died(tmp_path: Path, number: int) -> None:
    end(hold(tmp_path), number)
    lock = HomeLock(tmp_path)
    lock.acquire()
    assert (tmp_path / LOCK_NAME).read_text() == str(os.getpid())
    lock.release()


def test_a_released_lock_can_be_taken_again(tmp_path: Path) -> None:
    first, second = HomeLock(tmp_path), HomeLock(tmp_path)
    first.acquire()
    with pytest.raises(BusyError):
        second.acquire()
    first.release()
    second.acquire()
    second.release()
    second.release()


def test_children_do_not_inherit_the_lock(tmp_path: Path) -> None:
    """A worker that outlives the appliance for a moment must not keep the home folder from the next one."""
    lock = HomeLock(tmp_path)
    lock.acquire()
    child = subprocess.Popen([sys.executable, "-c", "import sys; sys.stdin.read()"], stdin=subprocess.PIPE)
    lock.release()
    second = HomeLock(tmp_path)
    second.acquire()
    second.release()
    child.communicate(timeout=60)


def test_a_home_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    with pytest.raises(StoreError) as refused:
        HomeLock(tmp_path / "nothing").acquire()
    assert not isinstance(refused.value, BusyError)
