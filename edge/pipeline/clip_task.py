"""A worker's task of reading a clip: check that it is the stored file, read it, send what was read part by part."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from pathlib import Path

from edge.errors import InputError, Reason
from edge.footage import ClipFacts
from edge.pipeline.clip import Part, ReadSoFar, read_clip
from edge.pipeline.messages import Beat, ClipDone, ClipPart, FromWorker, Interrupted, Task, WorkerSpec
from models.runtime.predict import LoadedModel

_CHUNK_BYTES = 4 * 1024 * 1024
_BEAT_S = 2.0


def read_clip_task(
    task: Task, spec: WorkerSpec, model: LoadedModel, *, answer: Callable[[FromWorker], None], cancelled: Callable[[], bool]
) -> ClipDone | Interrupted:
    """Read a clip; its parts go to `answer` as they come.

    Raises:
        InputError: this recipe takes no clips, the file is not the one that was stored, or it cannot be read.
        ModelError: the model failed.
    """
    if spec.clip is None:
        raise InputError(Reason.UNKNOWN_FORMAT, "this recipe looks at stills, not at clips")
    beat = _Beats(lambda: answer(Beat(job_id=task.job_id)))
    if not _is_as_stored(task, beat, cancelled):
        return Interrupted(job_id=task.job_id)
    told: list[ClipFacts] = []

    def pass_on(part: Part) -> None:
        answer(
            ClipPart(
                job_id=task.job_id,
                ordinal=part.ordinal,
                facts=told[0],
                model=model.key,
                score_threshold=model.manifest.thresholds.score,
                frames=part.frames,
                to_s=part.to_s,
                content=part.content,
                faults=part.faults,
                wall_s=part.wall_s,
                strip=part.strip,
            )
        )

    def is_cancelled() -> bool:
        beat()
        return cancelled()

    whole = read_clip(
        task.path,
        model,
        spec.detect,
        spec.clip,
        so_far=None if task.read_to_s is None else ReadSoFar(parts=task.parts, to_s=task.read_to_s, faults=task.faults),
        threads=spec.threads,
        on_facts=told.append,
        on_part=pass_on,
        cancelled=is_cancelled,
    )
    return Interrupted(job_id=task.job_id) if whole is None else ClipDone(job_id=task.job_id, parts=whole.parts, faults=whole.faults)


def _is_as_stored(task: Task, beat: Callable[[], None], cancelled: Callable[[], bool]) -> bool:
    """Whether the file is the one that was stored; False if the task was cancelled meanwhile.

    Raises:
        InputError: it is another, or cannot be read.
    """
    digest = hashlib.sha256()
    try:
        with Path(task.path).open("rb") as file:
            while chunk := file.read(_CHUNK_BYTES):
                digest.update(chunk)
                beat()
                if cancelled():
                    return False
    except FileNotFoundError as error:
        raise InputError(Reason.VANISHED, "the file is gone") from error
    except OSError as error:
        raise InputError(Reason.UNREADABLE_FILE, f"the file cannot be read: {error.strerror}") from error
    if digest.hexdigest() != task.sha256:
        raise InputError(Reason.CHANGED_WHILE_READ, "the file is no longer the one that was stored")
    return True


class _Beats:
    """Says now and then that the task goes on."""

    def __init__(self, say: Callable[[], None]) -> None:
        self._say = say
        self._last_s = time.monotonic()

    def __call__(self) -> None:
        now_s = time.monotonic()
        if now_s - self._last_s >= _BEAT_S:
            self._last_s = now_s
            self._say()
