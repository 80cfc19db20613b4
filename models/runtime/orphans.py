"""A child process never outlives the one that wants its answer."""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1  # prctl(2)


def die_with_parent() -> None:
    """Call in a child: it ends when its parent does, even where it hangs and never sees its link close.

    Only Linux can; elsewhere the closed link has to do. The parent's thread that started the child must live as long as the parent
    wants the child.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    parent = multiprocessing.parent_process()
    if parent is not None and os.name == "posix" and os.getppid() != parent.pid:
        os._exit(1)  # it died while this child was still starting
