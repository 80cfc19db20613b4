"""From the files of a scan to its clean picture."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from edge.errors import InputError, Reason
from edge.zooscan.process.values import ScanInput, ScanStoppedError
from edge.zooscan.raw import RawScan, open_raw
from edge.zooscan.scan import CleanScan, Stopwatch, clean_scan

_HASHED_BYTES = 4 * 1024 * 1024


def cleaned(scan: ScanInput, *, threads: int, watch: Stopwatch, stopping: Callable[[], bool]) -> CleanScan:
    """The clean picture of a scan.

    Raises:
        InputError: the raw picture cannot be read, is none, or not as its project says; NO_BACKGROUND, one of the backgrounds is not there;
            see `clean_scan`.
        ScanStoppedError: `stopping` said so.
    """
    with ExitStack() as opened:
        raw = opened.enter_context(open_raw(scan.raw))
        first, second = (_background(opened, path) for path in scan.backgrounds)
        clean = clean_scan(raw, (first, second), scan.settings, threads=threads, watch=watch, check=lambda: check_going_on(stopping))
    check_going_on(stopping)
    return clean


def _background(opened: ExitStack, path: Path) -> RawScan:
    try:
        return opened.enter_context(open_raw(path))
    except InputError as error:
        if error.reason is Reason.VANISHED:
            raise InputError(Reason.NO_BACKGROUND, f"the background {path.name} is not there") from error
        raise


def file_sha256(path: Path, stopping: Callable[[], bool]) -> str:
    """SHA-256 of a file, to be called beside others that read it, so that the medium gives it once; unfinished when `stopping` says so.

    Raises:
        InputError: UNREADABLE_FILE.
    """
    digest = hashlib.sha256()
    try:
        with path.open("rb", buffering=0) as file:
            while (piece := file.read(_HASHED_BYTES)) and not stopping():
                digest.update(piece)
    except OSError as error:
        raise InputError(Reason.UNREADABLE_FILE, f"{path.name} could not be read: {error.strerror}") from error
    return digest.hexdigest()


def check_going_on(stopping: Callable[[], bool]) -> None:
    """Go on.

    Raises:
        ScanStoppedError: `stopping` said not to.
    """
    if stopping():
        raise ScanStoppedError("the processing of the scan was stopped")
