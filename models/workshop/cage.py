"""A process that is about to open a file of unknown origin gives up the network, other programs and most of the memory.

    enter()             before anything large is imported: the network is gone
    forbid_programs()   when all libraries are loaded: no other program can be started

Two layers against the network: a network name space of its own, where the kernel grants one (Linux; without a route there is
nowhere to connect to), and an audit hook that refuses whatever opens a connection or asks for a host's address. An audit hook
cannot be taken away again (PEP 578).
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import sys
from pathlib import Path

_CLONE_NEWUSER, _CLONE_NEWNET = 0x1000_0000, 0x4000_0000  # linux/sched.h
_NETWORK = frozenset(
    (
        "socket.bind",
        "socket.connect",
        "socket.getaddrinfo",
        "socket.gethostbyaddr",
        "socket.gethostbyname",
        "socket.sendmsg",
        "socket.sendto",
    )
)
_PROGRAMS = frozenset(
    ("os.exec", "os.fork", "os.forkpty", "os.posix_spawn", "os.spawn", "os.startfile", "os.system", "pty.spawn", "subprocess.Popen")
)
_TIME_LIMIT_S = 1800
_MEMORY_SHARE = 0.75  # of the machine's

_forbidden = set(_NETWORK)


class CageError(PermissionError):
    """Something in the cage reached out."""


def enter() -> bool:
    """Give up the network, and bound memory and time. True if the process has a network name space of its own.

    Call while there is one thread only; the kernel refuses it otherwise.
    """
    has_own_network = _leave_network()
    sys.addaudithook(_refuse)
    if os.name == "posix":
        import resource

        limit_bytes = int(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") * _MEMORY_SHARE)
        with contextlib.suppress(ValueError, OSError):  # a lower limit stands already
            resource.setrlimit(resource.RLIMIT_DATA, (limit_bytes, limit_bytes))
        signal.alarm(_TIME_LIMIT_S)  # nothing catches it: the process ends
    return has_own_network


def forbid_programs() -> None:
    """From now on no other program is started. Libraries ask some about the machine while they load."""
    _forbidden.update(_PROGRAMS)


def _refuse(event: str, _: object) -> None:
    if event in _forbidden:
        raise CageError(f"{event} is not allowed while a checkpoint is open")


def _leave_network() -> bool:
    if not sys.platform.startswith("linux"):
        return False
    user, group = os.getuid(), os.getgid()
    unshare = getattr(ctypes.CDLL(None, use_errno=True), "unshare", None)
    if unshare is None or unshare(_CLONE_NEWUSER | _CLONE_NEWNET) != 0:
        return False
    # Within the new user name space the process stays who it was; libraries ask for the user's home.
    with contextlib.suppress(OSError):
        Path("/proc/self/setgroups").write_text("deny", encoding="ascii")
        Path("/proc/self/uid_map").write_text(f"{user} {user} 1", encoding="ascii")
        Path("/proc/self/gid_map").write_text(f"{group} {group} 1", encoding="ascii")
    return True
