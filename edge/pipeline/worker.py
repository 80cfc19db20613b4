"""The child process: a few threads, each taking a file from bytes to result.

Decoding and inference run outside Python's lock, so threads that do the whole path one after the other keep every core
busy; while one decodes another infers. The child holds at most one image per thread. Clips take minutes: they have a thread
of their own that reads one at a time, while stills go on beside it. The child ends when its parent does.
"""

from __future__ import annotations

import hashlib
import importlib
import os
import queue
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from functools import cache, partial
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING

from edge.errors import EdgeError, InputError, ModelError, Reason
from edge.formats import is_clip_name
from edge.pipeline.messages import (
    Broken,
    Cancel,
    ClipDone,
    Done,
    FromWorker,
    Interrupted,
    Ready,
    Refused,
    Started,
    Task,
    Unusable,
    WorkerSpec,
)
from edge.units import s_to_ms
from models.runtime.orphans import die_with_parent
from models.runtime.quiet import give_freed_memory_back

if TYPE_CHECKING:
    from edge.pipeline.detect import LoadedModel
    from edge.pipeline.plan import MeasureCrop

IDLE_S = 5.0


def worker_main(link: Connection, spec: WorkerSpec) -> None:
    """Load the model, then answer tasks until the link closes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent decides
    if hasattr(os, "nice"):
        os.nice(spec.niceness)
    die_with_parent()
    begun_s = time.monotonic()
    try:
        model = _load(spec)
    except Exception as error:  # noqa: BLE001 (the process border: whatever stopped the load is the answer)
        link.send(Unusable(detail=_told(error)))
        return
    link.send(Ready(device=model.device, load_s=time.monotonic() - begun_s))
    _serve(link, spec, model)


def _load(spec: WorkerSpec) -> LoadedModel:
    from edge.pipeline.detect import load_model

    return load_model(spec.pack_path, spec.variant, threads=spec.threads, device=spec.device, cache_dir=spec.cache_dir)


def _serve(link: Connection, spec: WorkerSpec, model: LoadedModel) -> None:
    images: queue.SimpleQueue[Task | None] = queue.SimpleQueue()
    clips: queue.SimpleQueue[Task | None] = queue.SimpleQueue()
    cancelled: set[int] = set()
    answer = _locked_sender(link)
    read = partial(_read_clip, answer=answer, spec=spec, model=model, cancelled=cancelled)
    look = partial(_look_at_image, spec=spec, model=model)
    threads = [
        threading.Thread(target=_work, args=(images, answer, look), name=f"image-{index}", daemon=True) for index in range(spec.threads)
    ]
    threads.append(threading.Thread(target=_work, args=(clips, answer, read), name="clip", daemon=True))
    for thread in threads:
        thread.start()
    try:
        while (asked := _next_asked(link)) is not None:
            if isinstance(asked, Cancel):
                cancelled.add(asked.job_id)
            else:
                (clips if is_clip_name(asked.name) else images).put(asked)
    except (EOFError, OSError):
        os._exit(0)  # the parent is gone: nobody wants the answers, the leases end by themselves
    for _ in range(spec.threads):
        images.put(None)
    clips.put(None)
    for thread in threads:
        thread.join()


def _next_asked(link: Connection) -> Task | Cancel | None:
    """What the parent asks next; an idle worker gives the memory of its last images back meanwhile."""
    if not link.poll(IDLE_S):
        give_freed_memory_back()
    asked: Task | Cancel | None = link.recv()
    return asked


class _locked_sender:  # noqa: N801 (reads as a function)
    def __init__(self, link: Connection) -> None:
        self._link = link
        self._lock = threading.Lock()

    def __call__(self, message: FromWorker) -> None:
        with self._lock:
            try:
                self._link.send(message)
            except (BrokenPipeError, OSError):
                os._exit(0)


def _work(tasks: queue.SimpleQueue[Task | None], answer: _locked_sender, do: Callable[[Task], Done | ClipDone | Interrupted]) -> None:
    while (task := tasks.get()) is not None:
        answer(Started(job_id=task.job_id))
        answer(_answer(task, do))


def _answer(task: Task, do: Callable[[Task], Done | ClipDone | Interrupted]) -> Done | ClipDone | Interrupted | Refused | Broken:
    try:
        return do(task)
    except InputError as error:
        return Refused(job_id=task.job_id, reason=error.reason, detail=str(error))
    except MemoryError as error:
        return Broken(job_id=task.job_id, reason=Reason.OUT_OF_MEMORY, detail=_told(error))
    except ModelError as error:
        return Broken(job_id=task.job_id, reason=Reason.MODEL_FAILED, detail=_told(error))
    except Exception as error:  # noqa: BLE001 (the process border: an unforeseen fault of one file must not end the others)
        return Broken(job_id=task.job_id, reason=Reason.WORKER_DIED, detail=_told(error))


def _look_at_image(task: Task, *, spec: WorkerSpec, model: LoadedModel) -> Done:
    from edge.pipeline.decode import read_bytes
    from edge.pipeline.detect import process_image

    begun_s = time.perf_counter()
    data = read_bytes(task.path, max_file_bytes=spec.max_file_bytes)
    if hashlib.sha256(data).hexdigest() != task.sha256:
        raise InputError(Reason.CHANGED_WHILE_READ, "the file is no longer the one that was stored")
    read_ms = s_to_ms(time.perf_counter() - begun_s)
    result = process_image(data, task.name, model, spec.detect, measure=_named(spec.measure))
    return Done(job_id=task.job_id, result=replace(result, stage_ms={**result.stage_ms, "read": read_ms}))


@cache
def _named(measure: str | None) -> MeasureCrop | None:
    if measure is None:
        return None
    module, _, function = measure.partition(":")
    found: MeasureCrop = getattr(importlib.import_module(module), function)
    return found


def _read_clip(task: Task, *, answer: _locked_sender, spec: WorkerSpec, model: LoadedModel, cancelled: set[int]) -> ClipDone | Interrupted:
    from edge.pipeline.clip_task import read_clip_task

    try:
        return read_clip_task(task, spec, model, answer=answer, cancelled=lambda: task.job_id in cancelled)
    finally:
        give_freed_memory_back()  # the parent, which now follows what was found, needs some


def _told(error: BaseException) -> str:
    if isinstance(error, EdgeError):
        return str(error)
    return f"{type(error).__name__}: {error}"
