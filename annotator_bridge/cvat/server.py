"""What is asked of a CVAT server, whoever asks it: plain REST (`rest`) or CVAT's own package where it matches the server (`sdk`).

Documents of annotations are CVAT's own JSON: `{"version", "tags", "shapes", "tracks"}`. Nothing here replaces or deletes an annotation.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

from annotator_bridge.functions.function import Label

Document = dict[str, Any]
"""Annotations as CVAT's JSON."""

Sent = Callable[[int, int], None]
"""Told how many bytes of how many are at the server; raises what shall end the sending."""

DataState = Literal["none", "working", "done", "failed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerAbout:
    """What a server says of itself. `generation` is (major, minor) of its version; None if that cannot be read."""

    name: str
    version: str
    generation: tuple[int, int] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteTask:
    """A task of the server.

    Attributes:
        frames: how many frames its data has; 0 while it has none.
        url: where people see it.
    """

    id: int
    name: str
    frames: int
    url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DataStatus:
    """How far the server is with the data of a task; `message` is what it says when it failed, or does now."""

    state: DataState
    message: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteFrame:
    """A frame of a task as the server decoded it. A video's frames all have the video's name or none."""

    name: str
    width_px: int
    height_px: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskMeta:
    """The frames of a task in their order; `deleted` are numbers of frames that people took out."""

    frames: tuple[RemoteFrame, ...]
    deleted: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteJob:
    """A job of a task: frames from `first_frame` to `last_frame`, both included.

    Attributes:
        kind: "annotation", or "ground_truth" and "consensus_replica", which are copies for checking and not of the work itself.
        stage: "annotation", "validation" or "acceptance".
        state: "new", "in progress", "completed" or "rejected".
        assignee: name of the account that it was given to; None: nobody.
    """

    id: int
    task_id: int
    first_frame: int
    last_frame: int
    stage: str
    state: str
    assignee: str | None
    updated_utc: str | None
    kind: str = "annotation"


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteAttribute:
    """An attribute of a label, by the server's number of it (`spec_id` in a document)."""

    id: int
    name: str
    input_type: str
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteLabel:
    """A label of a task, by the server's number of it (`label_id` in a document)."""

    id: int
    name: str
    shape: str
    attributes: tuple[RemoteAttribute, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class UploadFile:
    """A file that goes to the server under a name of our own; its bytes are those of the original."""

    name: str
    path: Path
    size_bytes: int


class CvatServer(Protocol):
    """A server as one account sees it. For one thread at a time.

    Every call raises a `TransportError`: `LinkDownError` (nobody answers), `ServerFailedError` (not now, or that is no answer of CVAT),
    `LoginNeededError`, or `ServerRefusedError` with the status of HTTP; 404 is a task or job that is not there (any more).
    """

    @property
    def how(self) -> Literal["rest", "sdk"]:
        """Which of the two it is."""

    def about(self) -> ServerAbout:
        """What it is; needs no sign-in."""

    def who(self) -> str:
        """The name of the account."""

    def plugins(self) -> Mapping[str, bool]:
        """What is switched on, such as "MODELS"; needs no sign-in."""

    def functions(self) -> tuple[str, ...]:
        """The ids of the functions that the server sees at what it takes for Nuclio."""

    def find_task(self, suffix: str) -> RemoteTask | None:
        """The task whose name ends so; the oldest where there are several."""

    def task(self, task_id: int) -> RemoteTask | None:
        """A task; None if there is none of that number, or not for us."""

    def create_task(self, name: str, labels: Sequence[Label], segment_size: int) -> int:
        """Make a task without data. Returns its number. To be asked once: look with `find_task` first."""

    def delete_task(self, task_id: int) -> None:
        """Delete a task. Only ever called for one of ours that has no data."""

    def upload(
        self, task_id: int, files: Sequence[UploadFile], *, kept: Mapping[str, Any], keep: Callable[[dict[str, Any]], None], sent: Sent
    ) -> str | None:
        """Bring files to a task, in this order, and let the server make frames of them.

        Args:
            task_id: a task without data.
            files: images in the order of the frames, or one video.
            kept: what `keep` was told last time; empty the first time. It then goes on where it was.
            keep: told where it stands, as JSON, to be written down before it goes on.
            sent: told about bytes.

        Returns:
            The server's name of the work that it does now; None where it gives none.

        Raises:
            OSError: a file cannot be read.
        """

    def data_status(self, task_id: int, work: str | None) -> DataStatus:
        """How far the server is. `work` is what `upload` returned; without it, what can be told from the task itself."""

    def meta(self, task_id: int) -> TaskMeta:
        """The frames of a task."""

    def jobs(self, task_id: int) -> tuple[RemoteJob, ...]:
        """The jobs of a task, by their first frame."""

    def labels(self, task_id: int) -> tuple[RemoteLabel, ...]:
        """The labels of a task."""

    def job_annotations(self, job_id: int) -> Document:
        """What stands in a job."""

    def task_annotations(self, task_id: int) -> Document:
        """What stands in a task."""

    def add_annotations(self, task_id: int, document: Document) -> None:
        """Add to what stands in a task (PATCH action=create). To be asked once: look at what stands there first."""


def generation_of(version: str) -> tuple[int, int] | None:
    """(major, minor) of a version such as "2.15.0" or "2.80.1.dev2"; None if it is none."""
    parts = version.split(".")
    if len(parts) < 2 or not parts[0].isdecimal() or not parts[1].isdecimal():
        return None
    return int(parts[0]), int(parts[1])


def merged(documents: Iterable[Document]) -> Document:
    """Several documents as one."""
    found: Document = {"version": 0, "tags": [], "shapes": [], "tracks": []}
    for document in documents:
        for name in ("tags", "shapes", "tracks"):
            found[name].extend(document.get(name) or ())
    return found
