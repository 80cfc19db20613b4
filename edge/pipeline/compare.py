"""Two models on the same file, by two worker processes of the kind that makes results of record.

    with Comparer(a, b, limits) as comparer:
        comparer.compare(path, name, sha256)      -> ComparedPair, or CompareError for this file

A and B never work at the same time: each file goes through one, then through the other, so that their times can be told apart.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from multiprocessing.connection import wait
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from edge.errors import ModelError
from edge.pipeline.messages import Broken, Done, Ready, Refused, Task, Unusable, WorkerSpec
from edge.pipeline.process import WorkerProcess
from edge.units import mib_to_bytes
from edge.values import Detections, ImageResult
from models.compare import CountedFile, match_boxes

LOWEST_PRIORITY = 19  # the workers that make results of record run at 5
START_LIMIT_S = 900.0  # TensorRT builds its engine at the first load
_LOOK_S = 0.25

Box = tuple[float, float, float, float, float, str, int | None]


class CompareError(ModelError):
    """One file could not be compared; the next one may."""

    code = "file_not_compared"


class CancelledError(ModelError):
    """Somebody wants it to end."""

    code = "cancelled"


@dataclass(frozen=True, slots=True, kw_only=True)
class CompareLimits:
    """What one file may take."""

    timeout_s: float
    memory_mb: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparedPair:
    """What A and B count in one file: figures, and boxes as (x_min, y_min, x_max, y_max, score, label, partner) in pixels."""

    counted: CountedFile
    a: tuple[Box, ...]
    b: tuple[Box, ...]


class Comparer:
    """Holds both workers; they start with the first file and again after one of them died."""

    def __init__(self, a: WorkerSpec, b: WorkerSpec, limits: CompareLimits, *, is_cancelled: Callable[[], bool] = lambda: False) -> None:
        """`is_cancelled` is asked several times a second."""
        self._sides = tuple(_Side(name, spec, limits, is_cancelled) for name, spec in (("A", a), ("B", b)))
        self._turn = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        for side in self._sides:
            side.kill()

    def compare(self, path: Path, name: str, sha256: str) -> ComparedPair:
        """Both models on one file, whose bytes must have this hash.

        Raises:
            CompareError: this file cannot be compared.
            ModelError: a model cannot be loaded at all.
            CancelledError: somebody wants it to end.
        """
        self._turn += 1
        task = Task(job_id=self._turn, path=path, name=name, sha256=sha256)
        order = self._sides if self._turn % 2 else tuple(reversed(self._sides))
        results = {side.name: side.process(task) for side in order}
        return _pair(results["A"], results["B"])


class _Side:
    def __init__(self, name: str, spec: WorkerSpec, limits: CompareLimits, is_cancelled: Callable[[], bool]) -> None:
        self.name = name
        self._spec = replace(spec, threads=1, niceness=LOWEST_PRIORITY)
        self._limits = limits
        self._is_cancelled = is_cancelled
        self._worker: WorkerProcess | None = None

    def process(self, task: Task) -> ImageResult:
        worker = self._worker or self._start()
        worker.send(task)
        message = self._answer(worker, self._limits.timeout_s)
        if isinstance(message, Done):
            return message.result
        if isinstance(message, Refused | Broken):
            raise CompareError(f"{message.reason.value.replace('_', ' ')}: {message.detail}")
        self.kill()
        raise CompareError(str(message))

    def kill(self) -> None:
        if self._worker is not None:
            self._worker.kill()
            self._worker = None

    def _start(self) -> WorkerProcess:
        self._worker = worker = WorkerProcess.start(self._spec)
        message = self._answer(worker, START_LIMIT_S)
        if isinstance(message, Ready):
            return worker
        self.kill()
        raise ModelError(f"model {self.name} cannot be loaded: {message.detail if isinstance(message, Unusable) else message}")

    def _answer(self, worker: WorkerProcess, limit_s: float) -> Done | Refused | Broken | Ready | Unusable | str:
        """What the worker says, or in words why it says nothing."""
        end_s = time.monotonic() + limit_s
        while time.monotonic() < end_s:
            wait([worker.link, worker.process.sentinel], _LOOK_S)
            has_ended = not worker.is_alive()
            for message in worker.drain():
                if isinstance(message, Done | Refused | Broken | Ready | Unusable):
                    return message
            if has_ended:
                return f"the process of model {self.name} died (exit code {worker.exit_code})"
            if worker.look_at_memory(time.monotonic()) > mib_to_bytes(self._limits.memory_mb):
                return f"model {self.name} needed more than the {self._limits.memory_mb} MiB of `worker_memory_mb`"
            if self._is_cancelled():
                raise CancelledError("it was cancelled")
        return f"model {self.name} gave no answer within {limit_s:.0f} s"


def _pair(a: ImageResult, b: ImageResult) -> ComparedPair:
    a_found, b_found = _counted(a), _counted(b)
    agreement = match_boxes(a_found.xyxy, b_found.xyxy)
    return ComparedPair(
        counted=CountedFile(
            a_count=len(a_found),
            b_count=len(b_found),
            matched=agreement.matched,
            a_infer_ms=a.stage_ms["infer"],
            b_infer_ms=b.stage_ms["infer"],
        ),
        a=_boxes(a, a_found, agreement.a_partner),
        b=_boxes(b, b_found, agreement.b_partner),
    )


def _counted(result: ImageResult) -> Detections:
    return result.detections.select(result.detections.score >= result.score_threshold)


def _boxes(result: ImageResult, found: Detections, partners: tuple[int | None, ...]) -> tuple[Box, ...]:
    rows: list[Any] = []
    for box, score, label, partner in zip(found.xyxy, found.score, found.label_index, partners, strict=True):
        rows.append((*(round(float(side), 1) for side in box), round(float(score), 3), result.labels[int(label)], partner))
    return tuple(rows)
