"""What a CVAT server holds and does, without HTTP: accounts, tasks and their labels, uploads, frames, jobs, annotations, two generations.

Read in CVAT's source (github.com/cvat-ai/cvat): cvat/apps/engine/views.py (tasks, data, annotations, jobs, labels), mixins.py and tus.py
(uploads), serializers.py, task.py (segments), cvat/apps/dataset_manager/task.py; and in the packages cvat-sdk 2.15.0 and 2.80.0. Data of
a task goes one step on whenever somebody looks at it, so that a test needs no clock.
"""

from __future__ import annotations

import mimetypes
import secrets
import shutil
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from tests.simulators.cvat_labels import LabelSpec, read_labels
from tests.simulators.cvat_media import Frame, MediaError, read_frames
from tests.simulators.cvat_refusal import RefusedError

USER, PASSWORD = "rita", "s3cret Nephrops"
OTHER, OTHER_PASSWORD = "anna", "other Plankton"
OLD, NEW = "2.15.0", "2.80.0"
_BEGIN = datetime(2026, 6, 1, 8, 0, tzinfo=UTC)


@dataclass(slots=True, kw_only=True)
class Account:
    """An account. `role` "worker" may not make tasks."""

    id: int
    name: str
    password: str
    role: str = "user"


@dataclass(slots=True, kw_only=True)
class Upload:
    """A TUS upload that is not at its end."""

    id: str
    name: str
    size: int
    offset: int = 0


@dataclass(slots=True, kw_only=True)
class Job:
    """A job with what stands in it."""

    id: int
    task_id: int
    start: int
    stop: int
    kind: str = "annotation"
    stage: str = "annotation"
    state: str = "new"
    assignee: str | None = None
    updated: str = ""
    tags: list[dict[str, Any]] = field(default_factory=list)
    shapes: list[dict[str, Any]] = field(default_factory=list)
    tracks: list[dict[str, Any]] = field(default_factory=list)


@dataclass(slots=True, kw_only=True)
class Task:
    """A task. `state` is that of the making of its data: "" before, then Queued, Started, Finished or Failed."""

    id: int
    name: str
    owner: str
    labels: list[LabelSpec]
    segment_size: int
    overlap: int | None
    created: str
    folder: Path
    has_data: bool = False
    uploads: dict[str, Upload] = field(default_factory=dict)
    files: list[str] = field(default_factory=list)
    state: str = ""
    message: str = ""
    looks: int = 0
    quality: int = 0
    is_video: bool = False
    frames: list[Frame] = field(default_factory=list)
    deleted_frames: list[int] = field(default_factory=list)
    rq_is_gone: bool = False

    @property
    def rq_id(self) -> str:
        return f"action=create&target=task&id={self.id}"


class World:
    """One server's state; outlives the server that shows it."""

    def __init__(self, folder: Path, *, version: str = OLD) -> None:
        self.folder = folder
        self.version = version
        self.accounts = {
            USER: Account(id=1, name=USER, password=PASSWORD),
            OTHER: Account(id=2, name=OTHER, password=OTHER_PASSWORD),
        }
        self.tokens: dict[str, str] = {}
        self.access_tokens: dict[str, str] = {}
        self.tasks: dict[int, Task] = {}
        self.jobs: dict[int, Job] = {}
        self.nuclio_url: str | None = None
        self.is_serverless = True
        self.host_rule: str | None = None
        self.looks_until_ready = 2
        self.fails_data_of: str | None = None
        self.max_tasks: int | None = None
        self.logins = 0
        self._next_id = 100
        self._now = _BEGIN

    @property
    def is_new(self) -> bool:
        return self.version != OLD

    def new_id(self) -> int:
        self._next_id += 1
        return self._next_id

    def now(self) -> str:
        """The server's time; it goes on by a second whenever somebody asks."""
        self._now += timedelta(seconds=1)
        return self._now.isoformat().replace("+00:00", "Z")

    # Accounts

    def login(self, given: dict[str, Any]) -> str:
        account = self.accounts.get(str(given.get("username")))
        if account is None or account.password != given.get("password"):
            raise RefusedError(400, {"non_field_errors": ["Unable to log in with provided credentials."]})
        self.logins += 1
        token = next((token for token, name in self.tokens.items() if name == account.name), None) or secrets.token_hex(20)
        self.tokens[token] = account.name  # the server has one such token for an account, and answers it again
        return token

    def make_access_token(self, name: str = USER) -> str:
        """A personal access token, as people make them in the settings of their account since 2.48."""
        token = f"{secrets.token_hex(4)}.{secrets.token_hex(20)}"
        self.access_tokens[token] = name
        return token

    def account_of(self, authorization: str | None) -> Account:
        scheme, _, token = (authorization or "").partition(" ")
        known = self.tokens if scheme == "Token" else self.access_tokens if scheme == "Bearer" and self.is_new else {}
        if token not in known:
            detail = "Invalid token." if token else "Authentication credentials were not provided."
            raise RefusedError(401, {"detail": detail})
        return self.accounts[known[token]]

    def expire_tokens(self) -> None:
        self.tokens.clear()
        self.access_tokens.clear()

    # Tasks

    def task(self, account: Account, task_id: int) -> Task:
        task = self.tasks.get(task_id)
        if task is None:
            raise RefusedError(404, {"detail": "Not found." if not self.is_new else "No Task matches the given query."})
        if task.owner != account.name and account.role != "admin":
            raise RefusedError(403, {"detail": "You do not have permission to perform this action."})
        return task

    def make_task(self, account: Account, given: dict[str, Any]) -> Task:
        if account.role == "worker":
            raise RefusedError(403, ["not_enough_permissions"])
        if self.max_tasks is not None and len(self.tasks) >= self.max_tasks:
            raise RefusedError(403, ["You've reached the maximum number of tasks."])
        name = given.get("name")
        if not isinstance(name, str) or not name:
            raise RefusedError(400, {"name": ["This field is required."]})
        if len(name) > 256:
            raise RefusedError(400, {"name": ["Ensure this field has no more than 256 characters."]})
        labels = read_labels(given.get("labels") or [], self.new_id)
        segment_size, overlap = given.get("segment_size", 0), given.get("overlap")
        if not isinstance(segment_size, int) or segment_size < 0:
            raise RefusedError(400, {"segment_size": ["Ensure this value is greater than or equal to 0."]})
        number = self.new_id()
        folder = self.folder / f"task-{number}"
        task = Task(
            id=number,
            name=name,
            owner=account.name,
            labels=labels,
            segment_size=segment_size,
            overlap=overlap,
            created=self.now(),
            folder=folder,
        )
        self.tasks[number] = task
        return task

    def delete_task(self, task: Task) -> None:
        """With everything in it."""
        del self.tasks[task.id]
        for job in self.jobs_of(task):
            del self.jobs[job.id]
        shutil.rmtree(task.folder, ignore_errors=True)

    # Uploads (TUS 1.0.0 with CVAT's own two messages around it)

    def receive(self, task: Task) -> None:
        """A POST to a task's data: it has some from now on, and may get no more than once."""
        if task.frames:
            raise RefusedError(400, "Adding more data is not supported")
        task.has_data = True
        task.folder.mkdir(parents=True, exist_ok=True)

    def begin_file(self, task: Task, account: Account, name: str, size: int) -> Upload:
        """Raises 409 where a file of that name is there whole."""
        if not name or not (task.folder / name).resolve().is_relative_to(task.folder.resolve()):
            raise RefusedError(400, f"File name {name} is not allowed")
        if len(name.encode()) > 255:
            raise RefusedError(500, "OSError: File name too long")
        if (task.folder / name).exists():
            raise RefusedError(409, "File with same name already exists")
        number = str(uuid.uuid4())
        upload = Upload(id=f"{account.id}_{number}" if self.is_new else number, name=name, size=size)
        (task.folder / upload.id).write_bytes(b"")
        task.uploads[upload.id] = upload
        if name not in task.files:
            task.files.append(name)
        return upload

    def upload(self, task: Task, upload_id: str) -> Upload:
        upload = task.uploads.get(upload_id)
        if upload is None:  # the newer server asserts that the file of the upload is there, which ends in a page of an error
            raise RefusedError(500 if self.is_new else 404, "AssertionError" if self.is_new else {"detail": "Not found."})
        return upload

    def write(self, task: Task, upload: Upload, offset: int, piece: bytes, *, is_cut: bool = False) -> None:
        """Raises 409 where the offset is another. What came of a connection that was cut stays on the newer server only."""
        if offset != upload.offset:
            raise RefusedError(409, None)
        if offset + len(piece) > upload.size:
            raise RefusedError(413, None)
        if is_cut and not self.is_new:
            return
        with (task.folder / upload.id).open("ab") as file:
            file.write(piece)
        upload.offset += len(piece)
        if upload.offset == upload.size:
            (task.folder / upload.id).rename(task.folder / upload.name)
            del task.uploads[upload.id]

    def finish(self, task: Task, given: dict[str, Any]) -> str:
        """The server begins to make frames. Returns the name of that work."""
        quality = given.get("image_quality")
        if not isinstance(quality, int) or not 0 <= quality <= 100:
            raise RefusedError(400, {"image_quality": ["This field is required."]})
        if task.state in ("Queued", "Started"):
            raise RefusedError(409, {"rq_id": task.rq_id} if self.is_new else "Task is being processed")
        order = list(given.get("upload_file_order") or [])
        if given.get("sorting_method") == "predefined" and order and set(order) != set(task.files):
            raise RefusedError(400, ["Uploaded files do not match the 'upload_file_order' field contents."])
        task.files = order if given.get("sorting_method") == "predefined" and order else sorted(task.files)
        task.quality = quality
        task.state, task.message, task.looks, task.rq_is_gone = "Queued", "", 0, False
        return task.rq_id

    def look(self, task: Task) -> None:
        """The work goes one step on."""
        if task.state == "Queued":
            task.state = "Started"
            task.message = "Images are being processed"
        if task.state != "Started":
            return
        task.looks += 1
        if task.looks >= self.looks_until_ready:
            self._make_frames(task)

    def _make_frames(self, task: Task) -> None:
        try:
            task.frames = self._frames_of(task)
        except MediaError as error:
            task.state, task.message = "Failed", str(error)
            return
        task.state, task.message = "Finished", ""
        self._make_jobs(task)

    def _frames_of(self, task: Task) -> list[Frame]:
        if self.fails_data_of is not None and self.fails_data_of in task.name:
            raise MediaError("OSError: [Errno 28] No space left on device")
        if not task.files:
            raise MediaError("ValueError: No media data found")
        paths = [task.folder / name for name in task.files]
        if missing := [path.name for path in paths if not path.is_file()]:
            raise MediaError(f"FileNotFoundError: {missing[0]}")
        kinds = [(mimetypes.guess_type(path.name)[0] or "").partition("/")[0] for path in paths]
        task.is_video = "video" in kinds
        if task.is_video and len(paths) > 1:
            raise MediaError("ValueError: Only one video, archive, pdf, zip or many images can be used at once")
        return [frame for path in paths for frame in read_frames(path)]

    def _make_jobs(self, task: Task) -> None:
        """Segments as cvat/apps/engine/task.py makes them: a video's overlap by five frames unless the task says otherwise."""
        size = len(task.frames)
        length = min(task.segment_size, size) if task.segment_size else size
        default = 5 if task.is_video else 0
        overlap = min(default if task.overlap is None else task.overlap, length // 2)
        start = 0
        while start < size:
            stop = min(start + length - 1, size - 1)
            job = Job(id=self.new_id(), task_id=task.id, start=start, stop=stop, updated=self.now())
            self.jobs[job.id] = job
            start += length - overlap
            if stop == size - 1:
                break

    def jobs_of(self, task: Task) -> list[Job]:
        return sorted((job for job in self.jobs.values() if job.task_id == task.id), key=lambda job: (job.start, job.id))

    def job(self, account: Account, job_id: int) -> Job:
        job = self.jobs.get(job_id)
        if job is None:
            raise RefusedError(404, {"detail": "Not found."})
        self.task(account, job.task_id)
        return job
