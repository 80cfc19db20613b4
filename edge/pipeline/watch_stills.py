"""How the seabed moved from still to still of a tow, watched in a process of its own: a bad file costs that, never the appliance."""

from __future__ import annotations

import itertools
import multiprocessing
import os
import signal
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from statistics import median

import structlog

from edge.errors import InputError
from edge.footage import FootageFrame
from edge.pipeline.plan import Mask
from edge.values import Detections
from models.runtime.orphans import die_with_parent

log = structlog.get_logger()

_CONTEXT = multiprocessing.get_context("spawn")
_NICENESS = 10
_LOOK_S = 0.5
_SILENT_S = 60.0
_BATCH = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchPlan:
    """The stills of a tow and how they are to be watched.

    Attributes:
        stills: path and seconds on the tow's clock of each, ascending; a path of None is a still that is not there.
        masks: burnt-in text.
        line_height: the counting row, as a share of the height.
    """

    stills: tuple[tuple[Path | None, float], ...]
    masks: tuple[Mask, ...]
    line_height: float
    max_pixels: int
    max_file_bytes: int


def watch_stills(plan: WatchPlan, stopping: Callable[[], bool]) -> list[FootageFrame | None] | None:
    """A frame without detections for each still, None for one that cannot be read.

    A still that ends the process is taken for unreadable, and the others are watched on.

    Returns:
        None if `stopping` said so.
    """
    seen: list[FootageFrame | None] = []
    is_careful = False
    while len(seen) < len(plan.stills):
        if not _watch_from(plan, seen, stopping, is_careful=is_careful):
            return None
        if len(seen) < len(plan.stills):
            if is_careful:  # it handed over one by one, so this is the still that ended it
                log.warning("still_not_watched", path=str(plan.stills[len(seen)][0]))
                seen.append(None)
            is_careful = not is_careful
    return seen


def _watch_from(plan: WatchPlan, seen: list[FootageFrame | None], stopping: Callable[[], bool], *, is_careful: bool) -> bool:
    """Go on behind what was seen until the end or until the process dies; False if `stopping` said so.

    `is_careful`: frames are handed over one by one.
    """
    ours, theirs = _CONTEXT.Pipe(duplex=False)
    process = _CONTEXT.Process(
        target=_watch, args=(theirs, plan, len(seen), 1 if is_careful else _BATCH), name="imagine-edge-watch", daemon=True
    )
    process.start()
    theirs.close()
    silent_s = 0.0
    try:
        while len(seen) < len(plan.stills):
            if stopping():
                return False
            if ours.poll(_LOOK_S):
                seen += ours.recv()
                silent_s = 0.0
                continue
            silent_s += _LOOK_S
            if silent_s > _SILENT_S:
                return True
    except EOFError:
        return True
    finally:
        process.kill()
        process.join()
        ours.close()
    return True


def _watch(link: Connection, plan: WatchPlan, first: int, batch_size: int) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    die_with_parent()
    if hasattr(os, "nice"):
        os.nice(_NICENESS)
    batch: list[FootageFrame | None] = []
    for frame in _frames(plan, first):
        batch.append(frame)
        if len(batch) == batch_size:
            link.send(batch)
            batch = []
    link.send(batch)
    link.close()


def _frames(plan: WatchPlan, first: int) -> Iterator[FootageFrame | None]:
    from edge.pipeline.decode import check_pixels, check_whole, decode, read_bytes, read_facts
    from edge.pipeline.seabed.observer import SeabedObserver

    observer: SeabedObserver | None = None
    size: tuple[int, int] | None = None
    for path, at_s in plan.stills[first:]:
        if path is None:
            yield None
            continue
        try:
            data = read_bytes(path, max_file_bytes=plan.max_file_bytes)
            facts = read_facts(data, path.name)
            check_pixels(facts, plan.max_pixels)
            check_whole(data, facts)
            image = decode(data, facts)
        except InputError:
            yield None
            continue
        if observer is None or size != (facts.width_px, facts.height_px):
            size = facts.width_px, facts.height_px
            observer = SeabedObserver(*size, masks=plan.masks, line_height=plan.line_height, rate_hz=_rate_hz(plan.stills))
        seen = observer.observe(image, at_s)
        yield FootageFrame(
            at_s=at_s,
            width_px=facts.width_px,
            height_px=facts.height_px,
            detections=Detections.empty(),
            motion=seen.motion,
            lasers=seen.lasers,
            visibility=seen.visibility,
        )


def _rate_hz(stills: Sequence[tuple[Path | None, float]]) -> float:
    """How many stills a second there are."""
    steps = [later[1] - earlier[1] for earlier, later in itertools.pairwise(stills)]
    return 1.0 / max(median(steps), 1e-3) if steps else 1.0
