"""What crosses the border between the appliance and a worker: ids, names, small arrays."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from edge.errors import Reason
from edge.footage import ClipFacts, StripTile
from edge.pipeline.plan import ClipSettings, DetectSettings
from edge.values import ImageResult, ModelKey


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerSpec:
    """What a worker is started with: one variant of one pack, where it runs, and how to treat images.

    `cache_dir` is where the drivers of GPUs keep what they compiled; `measure` names the function that
    measures images that are crops of one particle each (a `MeasureCrop`), as `package.module:function`: only a worker loads it.
    """

    pack_path: Path
    variant: str
    device: str = "CPU"
    cache_dir: Path | None = None
    threads: int
    detect: DetectSettings
    clip: ClipSettings | None = None
    measure: str | None = None
    max_file_bytes: int
    niceness: int = 5  # pages and queue stay quick while every core infers


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """Process this file; its bytes must have this hash.

    Of a clip that was read in part before, `parts` are there and reach to the frame at `read_to_s`; `faults` were told of them.
    """

    job_id: int
    path: Path
    name: str
    sha256: str
    parts: int = 0
    read_to_s: float | None = None
    faults: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Cancel:
    """Read no further in this clip: hand over what was read, then say `Interrupted`."""

    job_id: int


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
class Beat:
    """A thread of the worker is still busy with this task."""

    job_id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ClipPart:
    """What was read of a clip since its last part.

    Attributes:
        ordinal: 0 for the clip's first part.
        to_s: time of its last frame.
        content: its frames as `edge.footage_pack` packs them.
        faults: what was wrong so far, earlier attempts included, in words.
        wall_s: how long it took.
        strip: the frame strip of these frames.
    """

    job_id: int
    ordinal: int
    facts: ClipFacts
    model: ModelKey
    score_threshold: float
    frames: int
    to_s: float
    content: bytes
    faults: tuple[str, ...]
    wall_s: float
    strip: tuple[StripTile, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ClipDone:
    """A clip was read to its end, or as far as it can be read. `faults` are told to people; `parts` it has in all."""

    job_id: int
    parts: int
    faults: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Interrupted:
    """A clip was put down at its last part, as asked."""

    job_id: int


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


FromWorker = Ready | Unusable | Started | Beat | Done | ClipPart | ClipDone | Interrupted | Refused | Broken
