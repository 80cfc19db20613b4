"""What a scan is made from as its folder is now, and what it waits for: no scan is begun before everything is there and whole."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path

from edge.store.zooscan.scans import SeenScan
from edge.zooscan.project.files import Background, Project, ScanFiles, background_before
from edge.zooscan.project.log import ScanLog, read_log

RATIOS = (2, 4, 8)
STILL_COPIED = "still be copied"
_SAME_BYTES = 0.1

IsWhole = Callable[[Path], bool]
"""Whether a file does not change any more; one that is not there, or is empty, is not."""


def _never(_: Path) -> bool:
    return False


def seen_scan(
    project: Project,
    files: ScanFiles,
    is_whole: IsWhole,
    *,
    read: Callable[[Path], bytes] = Path.read_bytes,
    is_empty: Callable[[Path], bool] = _never,
    is_loose: bool = False,
) -> SeenScan:
    """A scan with its background, and what it lacks.

    Args:
        project: as it is now.
        files: of the scan.
        is_whole: see above; a text is taken when it is, since half a META reads like a whole one.
        read: gives the bytes of a text.
        is_empty: whether a file had no bytes for so long that nobody is copying it.
        is_loose: it lies in no project and needs no texts.

    Raises:
        OSError: a text cannot be read.
    """
    unfinished = [path for path in (files.log, files.meta) if path is not None and not is_whole(path)]
    log_bytes, meta_bytes = (None if path is None else read(path) for path in (files.log, files.meta))
    log = None if log_bytes is None else read_log(log_bytes)
    status = None if files.raw is None else files.raw.stat()
    at_local = None if log is None else log.at_local
    can_pair = at_local is not None or (is_loose and log is None)
    background = chosen_background(project, at_local, log, None if status is None else status.st_size) if can_pair else None
    pictures = () if background is None else (background.first, background.second)
    lacks = [*(() if is_loose else files.lacks), *_unfinished((files.raw, *pictures), is_whole, is_empty)]
    lacks += [_copied(path, is_empty) for path in unfinished]
    if log is not None and log.at_local is None:
        lacks.append(f"a Scanning_date in {files.name}_log.txt, YYYYMMDD_HHMM")
    elif can_pair and background is None:
        lacks.append(_wanted_background(at_local, log))
    return SeenScan(
        name=files.name,
        raw_path=None if files.raw is None else str(files.raw),
        raw_bytes=None if status is None else status.st_size,
        raw_mtime_ns=None if status is None else status.st_mtime_ns,
        log=None if files.log in unfinished else log_bytes,
        meta=None if files.meta in unfinished else meta_bytes,
        background=None if background is None else background.name,
        background_paths=tuple(str(path) for path in pictures),
        scanned_local=None if at_local is None else at_local.strftime("%Y-%m-%dT%H:%M"),
        lacks=tuple(lacks),
    )


def chosen_background(project: Project, at_local: datetime | None, log: ScanLog | None, raw_bytes: int | None) -> Background | None:
    """The last pair dated before a scan: of its frame if there is one, among those of the size that fits it if there is one.

    Where all that there are have another frame or size the last one is taken: processing it says what does not fit.
    """
    frame = None if log is None else log.frame
    of_frame = background_before(project, at_local, frame)
    if of_frame is not None and (not raw_bytes or _fits(raw_bytes, of_frame.first)):
        return of_frame
    usable = [one for one in reversed(project.backgrounds) if at_local is None or one.at_local <= at_local]
    fitting = (one for one in usable if raw_bytes and _fits(raw_bytes, one.first))
    return next(fitting, of_frame or (usable[0] if usable else None))


def _fits(raw_bytes: int, background: Path) -> bool:
    """Whether a background shows the same glass, by the sizes of the files."""
    try:
        shown = background.stat().st_size
    except OSError:
        return False
    return any(abs(shown * ratio**2 / raw_bytes - 1) < _SAME_BYTES for ratio in RATIOS)


def _unfinished(paths: tuple[Path | None, ...], is_whole: IsWhole, is_empty: Callable[[Path], bool]) -> Iterator[str]:
    for path in paths:
        if path is not None and not is_whole(path):
            yield _copied(path, is_empty)


def _copied(path: Path, is_empty: Callable[[Path], bool]) -> str:
    if is_empty(path):
        again = "copy it again" if path.suffix.casefold() == ".txt" else "copy or scan it again"
        return f"{path.name}, which is empty (0 bytes): {again}"
    return f"the end of {path.name}, which may {STILL_COPIED}"


def _wanted_background(at_local: datetime | None, log: ScanLog | None) -> str:
    frame = "" if log is None or log.frame is None else f" of the {log.frame} frame"
    when = "" if at_local is None else f" dated {at_local:%Y-%m-%d %H:%M} or before"
    return f"both pictures of a background{frame}{when}"
