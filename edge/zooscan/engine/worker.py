"""The process that works on one scan, seen from inside: it processes, answers once and ends."""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from edge.errors import DiskFullError, EdgeError, InputError, ModelError, Reason
from edge.zooscan.desk.engine import ScanTask
from models.runtime.orphans import die_with_parent

if TYPE_CHECKING:
    from edge.zooscan.multiples import ClassifierSpec
    from edge.zooscan.process.values import ProcessedScan
    from edge.zooscan.scan import Stopwatch

STOP = "stop"
_SAME_RESOLUTION = 0.02


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerTask:
    """What the process is given.

    Attributes:
        scan: to be processed.
        folder: of the run, not there yet.
        classifier: how to load what tells multiples; None: nothing does.
        threshold: a score above it says multiple.
        separate: whether multiples are cut.
        processes: that measure beside each other.
    """

    scan: ScanTask
    folder: Path
    classifier: ClassifierSpec | None
    threshold: float
    separate: bool
    processes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """How it ended.

    Attributes:
        kind: "done"; "input", "model": whose fault; "full": the disk; "stopped"; "fault": anything else.
        reason: of an input error.
        detail, advice: in words.
        processed, settings, separator, background_sha256: of a scan that is done.
        stages_s: seconds of each stage.
    """

    kind: Literal["done", "input", "model", "full", "stopped", "fault"]
    reason: str = ""
    detail: str = ""
    advice: str = ""
    processed: ProcessedScan | None = None
    settings: dict[str, Any] = field(default_factory=dict)
    separator: str = ""
    background_sha256: tuple[str, ...] = ()
    stages_s: dict[str, float] = field(default_factory=dict)


def worker_main(link: Connection) -> None:
    """Process the scan that the link gives, and tell each stage as it begins; a second word on the link, or its end, says stop."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent decides
    die_with_parent()
    import edge.zooscan.multiples
    import edge.zooscan.process.flow  # noqa: F401 (while the parent still looks for the classifier)

    try:
        task: WorkerTask = link.recv()
    except (EOFError, OSError):
        os._exit(0)  # there is none
    stopping = threading.Event()
    threading.Thread(target=_listen, args=(link, stopping), name="listen", daemon=True).start()
    answer = _answer(task, link, stopping)
    try:
        link.send(answer)
    except (BrokenPipeError, OSError):
        os._exit(0)  # nobody wants it any more


def _listen(link: Connection, stopping: threading.Event) -> None:
    with contextlib.suppress(EOFError, OSError):
        link.recv()
    stopping.set()


def _answer(task: WorkerTask, link: Connection, stopping: threading.Event) -> Answer:
    from edge.zooscan.process.values import ScanStoppedError

    try:
        return _process(task, link, stopping)
    except InputError as error:
        return Answer(kind="input", reason=error.reason.value, detail=str(error), advice=error.advice())
    except ModelError as error:
        return Answer(kind="model", detail=str(error), advice=error.advice())
    except ScanStoppedError:
        return Answer(kind="stopped")
    except DiskFullError as error:
        return Answer(kind="full", detail=str(error))
    except OSError as error:
        kind: Literal["full", "fault"] = "full" if error.errno in (errno.ENOSPC, errno.EDQUOT) else "fault"
        return Answer(kind=kind, detail=str(error))
    except MemoryError:
        return Answer(kind="input", reason=Reason.OUT_OF_MEMORY.value, detail="there was not enough memory for the scan")
    except EdgeError as error:
        return Answer(kind="fault", detail=str(error), advice=error.advice())
    except Exception as error:  # noqa: BLE001 (the process border: whatever happened is the answer)
        return Answer(kind="fault", detail=f"{type(error).__name__}: {error}")


def _stopwatch(link: Connection) -> Stopwatch:
    """One that tells who waits for the answer what is done now."""
    from edge.zooscan.scan import Stopwatch

    class ToldStopwatch(Stopwatch):
        @contextlib.contextmanager
        def stage(self, name: str) -> Iterator[None]:
            with contextlib.suppress(OSError):  # nobody waits any more: `stopping` is about to say so
                link.send(name)
            with super().stage(name):
                yield

    return ToldStopwatch()


def _process(task: WorkerTask, link: Connection, stopping: threading.Event) -> Answer:
    from edge.zooscan.multiples import load_classifier
    from edge.zooscan.process.cleaning import check_going_on, file_sha256
    from edge.zooscan.process.flow import process_scan
    from edge.zooscan.process.values import ScanInput
    from edge.zooscan.project.config import read_settings
    from edge.zooscan.separate import watershed_of

    watch = _stopwatch(link)
    settings = read_settings(*task.scan.config)
    check_log(task.scan, settings.segment.resolution_dpi)
    with watch.stage("load"):
        classifier = None if task.classifier is None else load_classifier(task.classifier, threads=task.processes)
        separator = watershed_of(settings.segment) if task.separate else None
    began_s = time.monotonic()
    beside = ThreadPoolExecutor(1)  # beside the one that reads them, so that the medium gives them once
    hashing = beside.submit(lambda: tuple(file_sha256(path, stopping.is_set) for path in task.scan.backgrounds))
    beside.shutdown(wait=False)
    processed = process_scan(
        ScanInput(
            raw=task.scan.raw,
            backgrounds=task.scan.backgrounds,
            settings=settings,
            human_lines=task.scan.human_lines,
            spared=task.scan.spared,
            wanted=task.scan.wanted,
        ),
        task.folder,
        classifier=classifier,
        separator=separator,
        processes=task.processes,
        watch=watch,
        stopping=stopping.is_set,
        threshold=task.threshold,
    )
    background_sha256 = hashing.result()
    check_going_on(stopping.is_set)  # one that was told to stop is no whole one
    watch.stages_s["scan"] = time.monotonic() - began_s
    return Answer(
        kind="done",
        processed=processed,
        settings=asdict(settings),
        separator="" if separator is None else separator.name,
        background_sha256=background_sha256,
        stages_s=dict(watch.stages_s),
    )


def check_log(scan: ScanTask, wanted_dpi: float) -> None:
    """A scan of another resolution than its project says would have wrong sizes; what the picture says is looked at with the picture.

    Raises:
        InputError: WRONG_RESOLUTION, its LOG says another.
    """
    found = scan.resolution_dpi
    if found is not None and abs(found / wanted_dpi - 1) > _SAME_RESOLUTION:
        raise InputError(
            Reason.WRONG_RESOLUTION, f"{scan.raw.name} has {found:g} pixels per inch by its LOG, its project says {wanted_dpi:g}"
        )
