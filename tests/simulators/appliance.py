"""A small appliance over a real database: everything the pages need, without workers or watchers."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal, TypeVar

from edge.annotation_work import annotation_desk
from edge.errors import ModelError, SettingsError
from edge.footage import FrameGiven, FrameWanted, SheetWanted, StripGiven, StripWanted
from edge.pipeline.frame_server import FrameServer
from edge.recipes.choices import FilesChoice, VariantChoice
from edge.recipes.model_tasks import ModelTask
from edge.settings import Settings
from edge.store import comparisons, jobs, packs
from edge.store.clock import utc_now
from edge.store.comparisons import ComparedSide, NewComparison
from edge.store.connection import DATABASE_NAME, immediate, migrate, open_reader, open_writer
from edge.store.reads.comparisons import newest_files
from edge.store.reads.footage import path_of_image
from edge.store.sqlite import Connection, sqlite3
from edge.survey.boxes_desk import BoxesDesk
from edge.survey.copy_desk import CopyDesk
from edge.survey.counting.desk import CountingDesk
from edge.survey.media_desk import MediaDesk
from edge.survey.people_desk import PeopleDesk
from edge.survey.people_secrets import Cost
from edge.survey.review_desk import ReviewDesk
from edge.survey.sheet_desk import SheetDesk
from edge.survey.tables_desk import TablesDesk
from edge.survey.tow_desk import TowDesk
from edge.survey.track_desk import TrackDesk
from edge.survey.waiting_desk import WaitingDesk
from edge.sync_work import sync_desk
from edge.web.appliance import CheckStatus, DiskStatus, LiveStatus, ModelStatus, Phase, RootStatus, WorkerStatus
from edge.zooscan.desk.desk import ScanDesk
from edge.zooscan.ecotaxa.desk import EcotaxaDesk
from edge.zooscan.engine.engine import PixelEngine
from edge.zooscan.engine.pictures import ScanPictures
from tests.helpers.seed import SEAL

GIB = 1 << 30
T = TypeVar("T")


class SimulatedAppliance:
    """Reads and changes a real database; `set_live` says what is happening, `asked` is what was asked for."""

    def __init__(self, home: Path, settings: Settings | None = None) -> None:
        self._home = home
        home.mkdir(parents=True, exist_ok=True)
        self.writer = open_writer(home / DATABASE_NAME)
        migrate(self.writer)
        self.asked: list[tuple[Any, ...]] = []
        self._changes = 1
        self._lock = threading.Lock()
        self._closed = False
        self._idle_readers: list[Connection] = []  # kept, as the service keeps them: to open one is to read the whole schema
        self._live = _watching(home)
        self.frozen_as_of_utc: str | None = None
        self.desk = SimulatedDesk(self)
        self.seal = SEAL
        self.copies = CopyDesk(home, DirectWriter(self), self.reader)
        self.media = MediaDesk(DirectWriter(self), self.reader, self.seal)
        self.waiting = WaitingDesk(DirectWriter(self), self.reader, self.seal)
        self.sheets = SheetDesk(DirectWriter(self), self.reader, self.seal)
        self.tables = TablesDesk(DirectWriter(self), self.reader, self.seal)
        self.tracks = TrackDesk(DirectWriter(self), self.reader)
        self.boxes = BoxesDesk(DirectWriter(self), self.reader)
        self.tows = TowDesk(DirectWriter(self), self.reader, self.seal, watch=lambda stills, stopping: None, path_of=path_of_image)
        self.reviews = ReviewDesk(DirectWriter(self), self.reader)
        self.scan_pictures = ScanPictures(home, self.reader)
        self.scans = ScanDesk(home, DirectWriter(self), self.reader, PixelEngine(home, classifier=lambda: None, processes=1))
        self.ecotaxa = EcotaxaDesk(
            home, DirectWriter(self), self.reader, server="http://127.0.0.1:9/api", project_id=42, make_archive=lambda _, folder: folder
        )
        self.annotation = annotation_desk(home, settings or Settings(), DirectWriter(self), self.reader)
        self.sync = sync_desk(home, settings or Settings(), DirectWriter(self), self.reader)
        self._clip_frames = FrameServer(max_pixels=100_000_000)
        self.people = PeopleDesk(DirectWriter(self), self.reader, cost=Cost(log2_n=4, r=8, p=1))
        self.counting = CountingDesk(DirectWriter(self), self.reader, self.seal, check_pin=self.people.check_pin)

    def clip_frame(self, wanted: FrameWanted) -> FrameGiven:
        return self._clip_frames.frame(wanted)

    def strip(self, wanted: StripWanted | SheetWanted) -> StripGiven:
        return self._clip_frames.strip(wanted)

    @property
    def home(self) -> Path:
        return self._home

    @contextmanager
    def reader(self) -> Iterator[Connection]:
        try:
            connection = self._idle_readers.pop()
        except IndexError:
            connection = open_reader(self._home / DATABASE_NAME)
        try:
            yield connection
        finally:
            if connection.in_transaction or self._closed:
                connection.close()
            else:
                self._idle_readers.append(connection)

    def live(self) -> LiveStatus:
        return dataclasses.replace(self._live, as_of_utc=self.frozen_as_of_utc or utc_now())

    def set_live(self, **changes: Any) -> None:
        self._live = dataclasses.replace(self._live, **changes)
        self.touch()

    def touch(self) -> None:
        with self._lock:
            self._changes += 1

    def change_count(self) -> int:
        return self._changes

    def checks(self) -> Sequence[CheckStatus]:
        return (
            CheckStatus(name="disk", title="There is room on the disk", holds=True, detail="412 GiB free", checked_utc=utc_now()),
            CheckStatus(name="clock", title="The clock does not jump", holds=None, detail="", checked_utc=None),
        )

    def machine(self) -> Mapping[str, str]:
        return {"Processor": "Intel(R) Xeon(R), 2 cores, AMX", "Memory": "24 GiB", "Accelerators": "none"}

    def retry(self, file_ids: Sequence[int] | None, actor: str, *, reason: str | None = None) -> int:
        self.asked.append(("retry", file_ids, reason, actor))
        if reason is not None:
            rows = self.writer.execute("SELECT id FROM sightings WHERE state = 'quarantined' AND reason = ?", (reason,))
            file_ids = [row["id"] for row in rows]
        with self._write() as connection:
            return jobs.retry_files(connection, None if file_ids is None else list(file_ids))

    def rescan(self, actor: str) -> None:
        self.asked.append(("rescan", actor))

    def reprocess(self, file_ids: Sequence[int] | None, recipe: str, actor: str) -> int:
        self.asked.append(("reprocess", file_ids, recipe, actor))
        with self._write() as connection:
            return jobs.reprocess(connection, recipe, sighting_ids=None if file_ids is None else list(file_ids))

    def activate(self, name: str, version: str, recipe: str, actor: str) -> None:
        with self._write() as connection:
            packs.activate(connection, recipe, packs.get_pack(connection, name, version).model_id, actor=actor)

    def rollback(self, recipe: str, actor: str) -> None:
        with self._write() as connection:
            packs.roll_back(connection, recipe, actor=actor)

    def pause(self, actor: str) -> None:
        self.asked.append(("pause", actor))
        self.set_live(phase=Phase.PAUSED, phase_detail="by a person")

    def resume(self, actor: str) -> None:
        self.asked.append(("resume", actor))
        self.set_live(phase=Phase.WATCHING, phase_detail="")

    def fail_model(self, detail: str) -> None:
        self.set_live(models=tuple(dataclasses.replace(model, state="failed", detail=detail) for model in self._live.models))

    def reopen(self) -> None:
        """Write on, after the database was exchanged."""
        self.forget_readers()
        self.writer = open_writer(self._home / DATABASE_NAME)

    def close(self) -> None:
        self.set_live(phase=Phase.STOPPING)
        self._clip_frames.close()
        self._closed = True
        self.forget_readers()
        with self._lock:  # a page's last request may still be in its transaction
            self.writer.close()

    def forget_readers(self) -> None:
        """Read through new connections from now on, such as after the database's file was exchanged."""
        while self._idle_readers:
            self._idle_readers.pop().close()

    @contextmanager
    def _write(self, *, quiet: bool = False) -> Iterator[Connection]:
        with self._lock, immediate(self.writer) as connection:
            yield connection
        if not quiet:
            self.touch()


class DirectWriter:
    """Writes like the real writer, each piece of work in a transaction of its own, in the caller's thread."""

    def __init__(self, appliance: SimulatedAppliance) -> None:
        self._appliance = appliance

    def call(self, work: Callable[[Connection], T], *, quiet: bool = False) -> T:
        with self._appliance._write(quiet=quiet) as connection:
            return work(connection)


class SimulatedDesk:
    """Writes down what was asked for; `task` is what an install looks like, `removed` and comparisons reach the real database."""

    def __init__(self, appliance: SimulatedAppliance) -> None:
        self._appliance = appliance
        self.shown: list[ModelTask] = []
        self.uploaded: list[bytes] = []

    def tasks(self) -> Sequence[ModelTask]:
        return tuple(reversed(self.shown))

    def yielding_comparison(self) -> int | None:
        return None

    def install(self, source: Path, actor: str, *, subject: str | None = None, is_upload: bool = False) -> ModelTask:
        if is_upload:
            self.uploaded.append(source.read_bytes())
            source.unlink()
        elif not source.exists():
            raise SettingsError(f"there is no pack at {source}")
        return self._add("install", subject or str(source), actor)

    def prove(self, name: str, version: str, actor: str) -> ModelTask:
        with self._appliance.reader() as connection:
            row = packs.get_installed(connection, name, version)
        return self._add("prove", row.label, actor)

    def remove(self, name: str, version: str, actor: str) -> None:
        with self._appliance._write() as connection:
            packs.get_installed(connection, name, version)
            if needed := packs.needed_by(connection, name, version):
                raise ModelError("; ".join(needed))
            packs.remove_pack(connection, name, version)

    def compare(self, a: VariantChoice, b: VariantChoice, files: FilesChoice, actor: str) -> int:
        with self._appliance._write() as connection:
            sides = [
                ComparedSide(
                    model_id=packs.get_installed(connection, one.name, one.version).model_id,
                    variant=one.variant or "onnx-fp32",
                    device="CPU",
                    score_threshold=0.25,
                )
                for one in (a, b)
            ]
            ids = newest_files(connection, files.recipe, limit=files.limit, folder_id=files.folder_id)
            new = NewComparison(recipe=files.recipe, a=sides[0], b=sides[1], files_chosen=files.words, file_ids=tuple(ids), actor=actor)
            return comparisons.add_comparison(connection, new)

    def cancel_comparison(self, comparison_id: int, actor: str) -> None:
        with self._appliance._write() as connection:
            comparisons.end_comparison(connection, comparison_id, "cancelled")

    def delete_comparison(self, comparison_id: int, actor: str) -> None:
        with self._appliance._write() as connection:
            comparisons.delete_comparison(connection, comparison_id)

    def _add(self, kind: Literal["install", "prove"], subject: str, actor: str) -> ModelTask:
        task = ModelTask(
            task_id=len(self.shown) + 1,
            kind=kind,
            subject=subject,
            state="running",
            stage="proving",
            place=2,
            of=3,
            detail="goldens and speed of int8 on CPU",
            code="",
            advice="",
            model="openings",
            version="1.2.0",
            asked_by=actor,
            asked_utc=utc_now(),
            finished_utc=None,
        )
        self.shown.append(task)
        self._appliance.touch()
        return task

    def end(self, task_id: int, **changes: Any) -> None:
        """Let a task be over."""
        self.shown[task_id - 1] = dataclasses.replace(self.shown[task_id - 1], stage="ended", finished_utc=utc_now(), **changes)
        self._appliance.touch()


def _watching(home: Path) -> LiveStatus:
    model = ModelStatus(recipe="burrows", name="openings", version="1.0.0", variant="int8 on openvino, CPU", state="ready", detail="")
    return LiveStatus(
        as_of_utc=utc_now(),
        phase=Phase.WATCHING,
        phase_detail="",
        roots=(RootStatus(path=str(home / "inbox" / "burrows"), recipe="burrows", intake="in_place", reachable=True, detail=""),),
        images_per_s=None,
        in_flight=(),
        queue_length=0,
        eta_s=None,
        models=(model,),
        disk=DiskStatus(free_bytes=412 * GIB, total_bytes=931 * GIB, floor_bytes=GIB),
        workers=(WorkerStatus(recipe="burrows", pid=4242, state="running", rss_bytes=331_000_000, detail=""),),
        last_inventory_utc=utc_now(),
        started_utc=utc_now(),
        software_version="0.1.0",
        sqlite_version=sqlite3.sqlite_version,
    )
