"""Act as somebody who is not allowed everything: root passes every permission, so a check as root proves nothing."""

from __future__ import annotations

import multiprocessing
import os
import sys
import tempfile
import traceback
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path

import pytest

NOBODY_UID = 65534
_LIMIT_S = 200.0


def as_nobody(act: Callable[..., str], *args: object) -> str:
    """What `act(*args)` returns in a child process without privileges; skips where that cannot be had.

    `act` must be a function of a module, since the child is forked and tells its answer as text.
    """
    if sys.platform == "win32":
        pytest.skip("permissions work differently on Windows")
    if os.geteuid() != 0:
        return act(*args)
    context = multiprocessing.get_context("fork")
    ours, theirs = context.Pipe(duplex=False)
    child = context.Process(target=_act, args=(theirs, act, args))
    child.start()
    theirs.close()
    try:
        assert ours.poll(_LIMIT_S), "the child did not answer"
        return str(ours.recv())
    finally:
        child.join(_LIMIT_S)
        ours.close()


def open_to_all(folder: Path) -> None:
    """Let everybody into a test's folder, which pytest keeps to whoever runs it."""
    top = Path(tempfile.gettempdir()).resolve()
    for one in (folder.resolve(), *folder.resolve().parents):
        if one == top:
            return
        if one.stat().st_uid == os.geteuid():
            one.chmod(0o755)


def _act(link: Connection, act: Callable[..., str], args: tuple[object, ...]) -> None:
    os.setegid(NOBODY_UID)
    os.seteuid(NOBODY_UID)
    try:
        answer = act(*args)
    except Exception:  # noqa: BLE001 (the process border: the parent shows what went wrong)
        answer = traceback.format_exc()
    link.send(answer)
    os._exit(0)
