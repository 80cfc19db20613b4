"""A task's way to CVAT, one step after the other, each written down before the next begins.

    planned    the server is asked whether it has the task already (its name ends in digits of ours), else it makes it
    created    the files go there; what is there is not sent again
    uploaded   the server makes frames of them
    ready      the frames are compared with ours; then what a model found goes along, some frames at a time
    sent       the end

The appliance or the server may die between any two requests. Existing annotations are never replaced or deleted. Before anything is added
that may have been added before, it is looked at what stands there. A batch is one transaction of the server's: all of it or nothing.
"""

from __future__ import annotations

import errno
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext, suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from annotator_bridge.cvat.labels import Vocabulary, labels_from_json
from annotator_bridge.cvat.plan import remote_name, remote_suffix
from annotator_bridge.cvat.proposals import Batch, ProposalSource, StillProposals, TagProposals, TrackProposals, edge_ids_of
from annotator_bridge.cvat.server import CvatServer, Sent, UploadFile
from annotator_bridge.cvat.tools import DataFailedError, FramesDifferError, PushTools, SourceChangedError, StoppedError, TaskGoneError
from annotator_bridge.cvat.values import Progress
from annotator_bridge.cvat.vignettes import VignetteFiles
from edge.errors import DiskFullError, InputError, ServerRefusedError, TransportError
from edge.export.names import flat_stem, split_name
from edge.store import cvat as store
from edge.store.connection import snapshot
from edge.store.cvat_sending import drop_unsent, settle_withheld, withhold
from edge.store.durable import file_sha256
from edge.store.reads.cvat import FrameRow, TaskRow, frames_of, proposals_of, task_by_id
from edge.store.reads.cvat_sources import originals_of
from edge.store.reads.footage import path_of_image
from edge.store.reads.zooscan import current_run
from edge.store.reads.zooscan_objects import standing_objects

if TYPE_CHECKING:
    from edge.store.sqlite import Connection

NOTE_EVERY_S = 1.0
LONGEST_LOOK_S = 120.0  # then others have their turn
OUT_FOLDER = "cvat"
_FIRST_POLL_S, _LONGEST_POLL_S = 0.5, 5.0
_NOT_FOUND = 404


def advance(tools: PushTools, server: CvatServer, task_id: int) -> TaskRow:
    """Take a task as far as it goes now: to its end, or until the server still works after two minutes.

    Args:
        tools: what it is given to work with.
        server: where the task goes.
        task_id: of a task that was planned.

    Returns:
        The task as it then is.

    Raises:
        TransportError: it cannot go on now; a `ServerRefusedError`: not before somebody does something.
        InputError: footage cannot be read.
        DiskFullError: there is no room for the vignettes on their way.
    """
    push = _Push(tools, server)
    row = push.row(task_id)
    try:
        while row.step != "sent" and not row.cancelled_utc and not row.gone_utc:
            tools.check_stop()
            if not push.step(row):
                break
            row = push.row(task_id)
    except StoppedError:
        push.tidy(push.row(task_id))
    except ServerRefusedError as error:
        if error.status == _NOT_FOUND and not isinstance(error, TaskGoneError):
            push.check_gone(push.row(task_id))
        raise
    return push.row(task_id)


class _Push:
    """One push in hand."""

    def __init__(self, tools: PushTools, server: CvatServer) -> None:
        self._tools, self._server = tools, server
        self._steps: dict[str, Callable[[TaskRow], bool]] = {
            "planned": self._create,
            "created": self._upload,
            "uploaded": self._await,
            "ready": self._send,
        }

    def row(self, task_id: int) -> TaskRow:
        """The task as it is."""
        with self._tools.reader() as connection:
            row = task_by_id(connection, task_id)
        assert row is not None  # tasks are never deleted
        return row

    def step(self, row: TaskRow) -> bool:
        """One step. Returns False if it is to be gone on with later."""
        self._tools.tell(Progress(step=row.step, frames_sent=row.sent_frames, frames_total=row.frames))  # type: ignore[arg-type]
        return self._steps[row.step](row)

    def check_gone(self, row: TaskRow) -> None:
        """Notes it where the server has the task no more.

        Raises:
            TaskGoneError: so it is.
        """
        if row.remote_id is not None and self._server.task(row.remote_id) is None:
            self._tools.writer.call(partial(store.note_gone, task_id=row.id))
            raise TaskGoneError(f"CVAT has task {row.remote_id} ({row.title}) no more", status=_NOT_FOUND)

    def tidy(self, row: TaskRow) -> None:
        """A task that was cancelled on its way leaves nothing behind that nobody can use: one of ours without frames is deleted."""
        if not row.cancelled_utc or row.remote_id is None or row.step != "created":
            return
        with suppress(TransportError):
            task = self._server.task(row.remote_id)
            is_ours = task is not None and task.frames == 0 and task.name.endswith(remote_suffix(row.uuid))
            if is_ours and self._server.data_status(row.remote_id, None).state == "none":
                self._server.delete_task(row.remote_id)

    # planned -> created ------------------------------------------------------------------------------------------

    def _create(self, row: TaskRow) -> bool:
        found = self._server.find_task(remote_suffix(row.uuid))
        if found is None:
            name = remote_name(row.title, row.uuid)
            number = self._server.create_task(name, labels_from_json(row.labels), row.job_size)
        else:
            number = found.id
        self._note(row, "created", remote_id=number)
        return True

    # created -> uploaded -----------------------------------------------------------------------------------------

    def _upload(self, row: TaskRow) -> bool:
        number = _number(row)
        kept = dict(row.upload or {})
        status = self._server.data_status(number, kept.get("work"))
        if status.state in ("working", "done"):  # the answer was lost, or we died before it was written down
            self._note(row, "uploaded", upload=kept)
            return True
        if status.state == "failed" and not kept.get("failed"):
            self._note(row, "created", upload={**kept, "failed": True})
            raise DataFailedError(f"CVAT could not make frames of {row.title}: {status.message or 'it does not say why'}")
        kept.pop("failed", None)  # somebody asks again
        with self._files(row, frozenset(kept.get("done", ()))) as files:
            keeper = _Keeper(self._tools, row, kept)
            total = sum(file.size_bytes for file in files)
            try:
                work = self._server.upload(number, files, kept=kept, keep=keeper.keep, sent=self._teller(row))
            except OSError as error:
                raise SourceChangedError(f"a file of {row.title} cannot be read: {error}") from error
            finally:
                keeper.flush()
        self._tools.tell(Progress(step="uploaded", bytes_sent=total, bytes_total=total, frames_total=row.frames))
        self._note(row, "uploaded", upload={**keeper.kept, "work": work})
        return True

    def _teller(self, row: TaskRow) -> Sent:
        """Tells how far the sending is; ends it when the appliance ends, or when it was cancelled, which is looked at now and then."""
        looked_s = time.monotonic()

        def tell(out_bytes: int, of_bytes: int) -> None:
            nonlocal looked_s
            self._tools.check_stop()
            if time.monotonic() - looked_s >= NOTE_EVERY_S:
                looked_s = time.monotonic()
                if self.row(row.id).cancelled_utc:
                    raise StoppedError("it was cancelled")
            self._tools.tell(Progress(step="created", bytes_sent=out_bytes, bytes_total=of_bytes, frames_total=row.frames))

        return tell

    @contextmanager
    def _files(self, row: TaskRow, done: frozenset[str]) -> Iterator[list[UploadFile]]:
        """What goes there, by the names of the frames; vignettes lie in a folder of their own until they were sent."""
        if row.media != "vignettes":
            yield self._originals(row, done)
            return
        folder = self._tools.home / OUT_FOLDER / row.uuid
        try:
            yield self._vignettes(row, folder)
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def _originals(self, row: TaskRow, done: frozenset[str]) -> list[UploadFile]:
        """The files as they were processed: other bytes must not become frames of their results."""
        with self._tools.reader() as connection:
            places = [(one, path_of_image(connection, one.image_id)) for one in originals_of(connection, row.id)]
        files = []
        for one, path in places:
            self._tools.check_stop()
            name = one.frame_name if row.media == "images" else f"{flat_stem(one.name, one.sha256)}{split_name(one.name)[1].lower()}"
            try:
                if path is None:
                    raise FileNotFoundError(one.name)
                if name not in done and file_sha256(path) != one.sha256:
                    raise SourceChangedError(f"{one.name} is another file than was processed")
            except OSError as error:
                raise SourceChangedError(f"{one.name} cannot be read: its disk may be away") from error
            files.append(UploadFile(name=name, path=path, size_bytes=one.size_bytes))
        return files

    def _vignettes(self, row: TaskRow, folder: Path) -> list[UploadFile]:
        assert row.scan_id is not None
        with self._tools.reader() as connection, snapshot(connection):
            frames = frames_of(connection, row.id)
            run = current_run(connection, row.scan_id)
            objects = {one.key: one.vignette for one in standing_objects(connection, row.scan_id)}
        if run is None or any(one.object_key not in objects for one in frames):
            raise SourceChangedError(f"objects of {row.title} are there no more: the scan was cut or processed since")
        files = []
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with VignetteFiles(self._tools.home / run.folder) as vignettes:
                for one in frames:
                    path = folder / one.name
                    path.write_bytes(vignettes.content(objects[one.object_key or ""]))
                    files.append(UploadFile(name=one.name, path=path, size_bytes=path.stat().st_size))
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise DiskFullError(f"there is no room for the vignettes of {row.title}") from error
            raise
        except InputError as error:
            raise SourceChangedError(f"a vignette of {row.title} cannot be sent: {error}") from error
        return files

    # uploaded -> ready -------------------------------------------------------------------------------------------

    def _await(self, row: TaskRow) -> bool:
        kept = dict(row.upload or {})
        pause_s, begun_s = _FIRST_POLL_S, time.monotonic()
        while True:
            status = self._server.data_status(_number(row), kept.get("work"))
            if status.state == "done":
                self._note(row, "ready", sent_frames=0)
                return True
            if status.state == "none":  # the server forgot the work: it is told again
                self._note(row, "created", upload={**kept, "work": None})
                return True
            if status.state == "failed":
                self._note(row, "created", upload={**kept, "failed": True})
                raise DataFailedError(f"CVAT could not make frames of {row.title}: {status.message or 'it does not say why'}")
            self._tools.tell(Progress(step="uploaded", frames_total=row.frames, words=status.message))
            if time.monotonic() - begun_s > LONGEST_LOOK_S:
                return False
            if self._tools.wait(pause_s):
                raise StoppedError("the appliance ends")
            pause_s = min(_LONGEST_POLL_S, 1.5 * pause_s)

    # ready -> sent -----------------------------------------------------------------------------------------------

    def _send(self, row: TaskRow) -> bool:
        number = _number(row)
        with self._tools.reader() as connection:
            frames = frames_of(connection, row.id)
        self._compare(row, frames)
        self._note_jobs(row)
        if row.with_model:
            vocabulary = Vocabulary(self._server.labels(number))
            hands = self._tools.hands() if row.media == "clip" else nullcontext()
            with hands as opened:
                self._send_batches(row, vocabulary, _source(row, frames, vocabulary, opened))
            self._tools.writer.call(partial(settle_withheld, task_id=row.id))
        self._note(row, "sent", sent_frames=row.frames)
        self._tools.tell(Progress(step="sent", frames_sent=row.frames, frames_total=row.frames))
        return True

    def _send_batches(self, row: TaskRow, vocabulary: Vocabulary, source: ProposalSource) -> None:
        there: frozenset[str] | None = None
        frame = row.sent_frames
        while frame < row.frames:
            self._tools.check_stop()
            with self._tools.reader() as connection:
                with snapshot(connection):
                    batch = source.batch(connection, frame)
                known = [one.uuid for one in proposals_of(connection, row.id) if batch.first_frame <= one.frame < batch.next_frame]
            if known and there is None:
                there = edge_ids_of(self._server.task_annotations(_number(row)), vocabulary.edge_ids())
            if not there or there.isdisjoint(known):
                self._send_batch(row, batch, known)
            frame = batch.next_frame
            self._note(row, "ready", sent_frames=frame)
            self._tools.tell(Progress(step="ready", frames_sent=frame, frames_total=row.frames))

    def _send_batch(self, row: TaskRow, batch: Batch, known: list[str]) -> None:
        """Write down what goes along, then let it go. What was written down before and never went is forgotten first."""

        def work(connection: Connection) -> None:
            if known:
                drop_unsent(connection, row.id, known)
            store.put_proposals(connection, row.id, batch.proposals)
            if batch.withheld:
                withhold(connection, row.id, batch.withheld)

        self._tools.writer.call(work)
        if batch.proposals:
            self._server.add_annotations(_number(row), batch.document)

    def _compare(self, row: TaskRow, frames: tuple[FrameRow, ...]) -> None:
        """Whether the server's frames are ours: a box on another frame would be a wrong one, and nobody would see it."""
        meta = self._server.meta(_number(row))
        if len(meta.frames) != len(frames):
            raise FramesDifferError(f"CVAT sees {len(meta.frames)} frames in {row.title}, and we {len(frames)}")
        for mine, theirs in zip(frames, meta.frames, strict=True):
            if row.media != "clip" and split_name(theirs.name)[0].rpartition("/")[2] != split_name(mine.name)[0]:
                raise FramesDifferError(f"frame {mine.frame} of {row.title} is {theirs.name} in CVAT, and {mine.name} here")
            if (mine.width_px, mine.height_px) != (theirs.width_px, theirs.height_px):
                sizes = f"{theirs.width_px} x {theirs.height_px} pixels in CVAT, and {mine.width_px} x {mine.height_px} here"
                raise FramesDifferError(f"frame {mine.frame} of {row.title} has {sizes}")

    def _note_jobs(self, row: TaskRow) -> None:
        jobs = [
            store.NewJob(
                remote_id=job.id,
                first_frame=job.first_frame,
                last_frame=job.last_frame,
                stage=job.stage,
                state=job.state,
                assignee=job.assignee,
                remote_updated_utc=job.updated_utc,
            )
            for job in self._server.jobs(_number(row))
            if job.kind == "annotation"
        ]
        self._tools.writer.call(lambda connection: store.put_jobs(connection, row.id, jobs))

    def _note(self, row: TaskRow, step: store.Step, **about: Any) -> None:
        """Write down how far it is.

        Raises:
            StoppedError: it was cancelled meanwhile.
        """
        if not self._tools.writer.call(partial(store.note_step, task_id=row.id, step=step, **about)):
            raise StoppedError("it was cancelled")


class _Keeper:
    """Writes down where an upload stands, at most once a second: what was sent since is asked for again, not sent again."""

    def __init__(self, tools: PushTools, row: TaskRow, kept: Mapping[str, Any]) -> None:
        self._tools, self._row = tools, row
        self.kept: dict[str, Any] = dict(kept)
        self._noted_s = time.monotonic()
        self._is_noted = True

    def keep(self, kept: dict[str, Any]) -> None:
        """See `CvatServer.upload`."""
        self.kept, self._is_noted = kept, False
        if time.monotonic() - self._noted_s >= NOTE_EVERY_S or kept.get("open"):
            self.flush()

    def flush(self) -> None:
        """Write it down now."""
        if self._is_noted:
            return
        self._noted_s, self._is_noted = time.monotonic(), True
        self._tools.writer.call(partial(store.note_step, task_id=self._row.id, step="created", upload=self.kept))


def _source(row: TaskRow, frames: tuple[FrameRow, ...], vocabulary: Vocabulary, hands: Any) -> ProposalSource:
    if row.media == "clip":
        return TrackProposals(row, frames, vocabulary, hands)
    return TagProposals(row, frames, vocabulary) if row.media == "vignettes" else StillProposals(row, frames, vocabulary)


def _number(row: TaskRow) -> int:
    assert row.remote_id is not None  # from "created" on
    return row.remote_id
