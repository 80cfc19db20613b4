"""What crosses the border between the appliance and a worker: ids, names, small arrays."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from edge.errors import Reason
from edge.pipeline.plan import DetectSettings
from edge.values import ImageResult


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerSpec:
    """What a worker is started with: one variant of one pack, where it runs, and how to treat images.

    `cache_dir` is where the drivers of GPUs keep what they compiled.
    """

    pack_path: Path
    variant: str
    device: str = "CPU"
    cache_dir: Path | None = None
    threads: int
    detect: DetectSettings
    max_file_bytes: int
    niceness: int = 5  # pages and queue stay quick while every core infers


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """Process this file; its bytes must have this hash."""

    job_id: int
    path: Path
    name: str
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Ready:
    """The worker has loaded its model and takes tasks. `device` is where it runs."""

    device: str
    load_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Unusable:
    """The worker could not load its model, and ends."""

    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Started:
    """A thread of the worker has this task in its hands."""

    job_id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """The task's result."""

    job_id: int
    result: ImageResult


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """The file cannot become a result; trying again would say the same."""

    job_id: int
    reason: Reason
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Broken:
    """The worker failed on this task; another attempt may succeed."""

    job_id: int
    reason: Reason
    detail: str


FromWorker = Ready | Unusable | Started | Done | Refused | Broken
