"""A file system of a few MiB, to be filled up: a tmpfs, which only root may mount."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def small_disk(folder: Path, size_mib: int) -> Iterator[Path]:
    """Mount a tmpfs of this size at `folder`; skips the test where that is not allowed."""
    if sys.platform != "linux" or os.geteuid() != 0:
        pytest.skip("only root on Linux can mount a small disk")
    folder.mkdir(parents=True, exist_ok=True)
    command = ["mount", "-t", "tmpfs", "-o", f"size={size_mib}m", "tmpfs", str(folder)]
    mounted = subprocess.run(command, check=False, capture_output=True, text=True)
    if mounted.returncode != 0:
        pytest.skip(f"this machine mounts no tmpfs: {mounted.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def fill_disk(folder: Path, *, leave_bytes: int = 0) -> Path:
    """Write a file until so much, or nothing, is left; returns it."""
    path = folder / "filler"
    with path.open("wb", buffering=0) as file:
        while (free_bytes := os.statvfs(folder).f_bavail * os.statvfs(folder).f_frsize) > leave_bytes:
            file.write(bytes(min(1 << 20, free_bytes - leave_bytes)))
    return path
