"""The engine of the desk of scans: each scan is processed in a process of its own, single objects are cut here."""

from __future__ import annotations

import contextlib
import hashlib
import json
import multiprocessing
import os
import shutil
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING

from edge.errors import InputError, ModelError, Reason
from edge.store.clock import uuid7
from edge.store.reads.zooscan_objects import FamilyMember, pack_outline, pack_pixels
from edge.store.zooscan.runs import NewLine, NewObject, NewRun
from edge.values import Int32Array
from edge.zooscan.desk.engine import Cut, CutTask, ScanStoppedError, ScanTask, ScanWorkerLostError
from edge.zooscan.engine.worker import STOP, Answer, WorkerTask, worker_main
from edge.zooscan.process.folder import VIGNETTES_NAME, forget_unfinished

if TYPE_CHECKING:
    from edge.zooscan.multiples import ClassifierSpec
    from edge.zooscan.process.values import FoundObject

MULTIPLE_SCORE = 0.4
RUNS_FOLDER = "zooscan"
_CONTEXT = multiprocessing.get_context("spawn")
_LOOK_S = 0.1
_GRACE_S = 15.0
_MOST_S = 3600.0  # a share that does not answer must not hold up all others for ever


@dataclass(frozen=True, slots=True, kw_only=True)
class ServingClassifier:
    """What tells multiples at the moment: its number in the store and how to load it."""

    model_id: int
    spec: ClassifierSpec


class PixelEngine:
    """See `edge.zooscan.desk.engine.ScanEngine`."""

    def __init__(
        self,
        home: Path,
        *,
        classifier: Callable[[], ServingClassifier | None],
        threshold: float = MULTIPLE_SCORE,
        separate: bool = True,
        processes: int | None = None,
    ) -> None:
        """Take a home folder.

        Args:
            home: runs are kept below it.
            classifier: what tells multiples now; None if nothing does.
            threshold: a score above it says multiple.
            separate: whether multiples are cut.
            processes: that measure beside each other; None: as many as there are cores.
        """
        self._home = home
        self._classifier = classifier
        self._threshold = threshold
        self._separate = separate
        self._processes = processes or _cores()

    def process(self, task: ScanTask, stopping: Callable[[], bool], on_stage: Callable[[str], None] = lambda _: None) -> NewRun:
        """See `ScanEngine.process`."""
        began_s = time.monotonic()
        run_uuid = uuid7()
        folder = f"{RUNS_FOLDER}/{task.scan_uuid}/{run_uuid}"
        serving: list[ServingClassifier | None] = []

        def given() -> WorkerTask:
            serving.append(self._classifier())
            return WorkerTask(
                scan=task,
                folder=self._home / folder,
                classifier=None if serving[0] is None else serving[0].spec,
                threshold=self._threshold,
                separate=self._separate,
                processes=self._processes,
            )

        try:
            answer = _asked(task.raw.name, given, stopping, on_stage)
            _refuse(answer)
        except BaseException:
            shutil.rmtree(self._home / folder, ignore_errors=True)
            forget_unfinished((self._home / folder).parent)  # of a process that was killed; one scan is in hand at a time
            raise
        return self._run(task, answer, run_uuid, folder, serving[0], elapsed_s=time.monotonic() - began_s)

    def clip(self, member: FamilyMember, pixels: Int32Array) -> Int32Array:
        """See `ScanEngine.clip`."""
        from edge.zooscan.engine.recut import clip  # loads OpenCV, which a service that never cuts does without

        return clip(member, pixels)

    def cut(self, task: CutTask) -> Cut:
        """See `ScanEngine.cut`."""
        from edge.zooscan.engine.recut import recut

        return recut(task)

    def _run(
        self, task: ScanTask, answer: Answer, run_uuid: str, folder: str, serving: ServingClassifier | None, *, elapsed_s: float
    ) -> NewRun:
        found = answer.processed
        assert found is not None, "only a scan that is done comes here"
        settings_json = json.dumps(answer.settings, sort_keys=True)
        stages_s = dict(answer.stages_s)
        stages_s["start"] = max(0.0, elapsed_s - stages_s.pop("scan") - stages_s.get("load", 0.0))
        return NewRun(
            uuid=run_uuid,
            raw_sha256=found.raw_sha256,
            background=task.background,
            background_sha256=answer.background_sha256,
            settings_json=settings_json,
            settings_sha256=hashlib.sha256(settings_json.encode()).hexdigest(),
            width_px=found.width_px,
            height_px=found.height_px,
            pixel_mm=found.pixel_mm,
            grey_min=found.window.darkest,
            grey_max=found.window.brightest,
            grey_median=found.window.median,
            frame={**asdict(found.frame), "missing": list(found.frame.missing)},
            black_share=found.black_share,
            concerns=found.concerns,
            classifier_model_id=None if serving is None else serving.model_id,
            multiple_threshold=None if serving is None else self._threshold,
            separator=answer.separator,
            stages_s=stages_s,
            elapsed_s=elapsed_s,
            peak_rss_mib=found.peak_rss_mib,
            folder=folder,
            objects=[_object(one) for one in found.objects] + [_object(one, is_retired=True) for one in found.retired],
            lines=[
                *task.kept,
                *(NewLine(object_key=one.object_key, pixels=pack_pixels(one.pixels), score=one.score) for one in found.lines),
            ],
        )


def _asked(name: str, given: Callable[[], WorkerTask], stopping: Callable[[], bool], on_stage: Callable[[str], None]) -> Answer:
    """Have a process do it, and wait for its answer.

    Args:
        name: of the scan's file.
        given: makes the task, while the process imports what it needs: either takes some tenths of a second.
        stopping, on_stage: see `PixelEngine.process`.
    """
    ours, theirs = _CONTEXT.Pipe(duplex=True)
    # No daemon: it has children of its own. It ends with this process whatever happens (`die_with_parent`).
    process = _CONTEXT.Process(target=worker_main, args=(theirs,), name="imagine-edge-scan", daemon=False)
    try:
        process.start()
    except OSError as error:  # no process or no memory is to be had
        ours.close()
        raise ScanWorkerLostError(f"no process could be started for {name}: {error.strerror}") from error
    finally:
        theirs.close()
    try:
        work = given()
        try:
            ours.send(work)
            return _listened(ours, name, stopping, on_stage)
        except (EOFError, OSError) as error:
            process.join(_GRACE_S)
            raise ScanWorkerLostError(f"the process that worked on {name} ended with exit code {process.exitcode}") from error
    finally:
        ours.close()
        process.join(1.0)
        if process.is_alive():
            process.kill()
            process.join()


def _listened(link: Connection, name: str, stopping: Callable[[], bool], on_stage: Callable[[str], None]) -> Answer:
    """What a process that works on a scan answers, after it told its stages.

    Raises:
        EOFError or OSError: it ended.
        InputError: TIMED_OUT.
    """
    began_s, told_s = time.monotonic(), None
    while True:
        if told_s is None and stopping():
            told_s = time.monotonic()
            with contextlib.suppress(OSError):
                link.send(STOP)
        if link.poll(_LOOK_S):
            answer: Answer | str = link.recv()
            if isinstance(answer, Answer):
                return answer
            on_stage(answer)
        if told_s is not None and time.monotonic() - told_s > _GRACE_S:
            return Answer(kind="stopped")
        if time.monotonic() - began_s > _MOST_S:
            advice = "Look at the medium or the share that it lies on, then press Retry."
            raise InputError(Reason.TIMED_OUT, f"{name} was not processed within an hour", advice=advice)


def _refuse(answer: Answer) -> None:
    match answer.kind:
        case "done":
            return
        case "input":
            raise InputError(Reason(answer.reason), answer.detail, advice=answer.advice or None)
        case "model":
            raise ModelError(answer.detail, advice=answer.advice or None)
        case "stopped":
            raise ScanStoppedError("the scan was put down")
        case "full":
            raise ScanStoppedError("the disk has no room for the result")
        case _:
            raise ScanWorkerLostError(answer.detail, advice=answer.advice or None)


def _object(one: FoundObject, *, is_retired: bool = False) -> NewObject:
    return NewObject(
        key=one.key,
        x_px=one.x_px,
        y_px=one.y_px,
        width_px=one.width_px,
        height_px=one.height_px,
        measures=one.measures,
        outline=pack_outline(one.outline),
        multiple_score=one.multiple_score,
        cut_from=one.cut_from,
        vignettes=f"{VIGNETTES_NAME}/{one.vignette}",
        is_retired=is_retired,
    )


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
