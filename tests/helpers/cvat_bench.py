"""A task that went out to a simulated CVAT, made with the real client, and people who correct it there by its own REST.

bench = Bench(tmp_path, world, server.url)
task = bench.send(images=3, boxes={0: [BOX]}, job_size=2)
task.edit(0, lambda document: document["shapes"].clear())
bench.pull(task)
"""

from __future__ import annotations

import copy
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import cv2
import numpy as np

from annotator_bridge.cvat.digest import sent_points, shape_digest, track_digest
from annotator_bridge.cvat.labels import Vocabulary, attribute_values, make_labels
from annotator_bridge.cvat.login import Login
from annotator_bridge.cvat.plan import remote_name
from annotator_bridge.cvat.pull import PullSummary, pull_task
from annotator_bridge.cvat.server import CvatServer, UploadFile
from annotator_bridge.cvat.session import open_server
from edge.store import cvat as store
from edge.store.clock import uuid7
from edge.store.connection import DATABASE_NAME, immediate, open_reader
from edge.store.cvat import NewFrame, NewProposal, NewTask
from edge.store.reads import cvat as reads
from edge.store.sqlite import Connection
from edge.store.writer import Work
from tests.helpers import seed
from tests.simulators.cvat_world import PASSWORD, USER, Job, World

T = TypeVar("T")
Box = tuple[float, float, float, float]
Document = dict[str, Any]
LABELS = ("opening", "crab")
WIDTH_PX, HEIGHT_PX = 64, 48
ACTOR = "rita 127.0.0.1"
FOUND: tuple[Box, ...] = ((4.0, 5.0, 20.0, 21.0), (30.0, 8.5, 41.25, 19.0))


class Writes:
    """Stands in for the writer: each piece of work is a transaction."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection

    def call(self, work: Work[T], *, quiet: bool = False) -> T:
        """See `edge.store.writer.Writes`."""
        del quiet
        with immediate(self.connection):
            return work(self.connection)


@dataclass(frozen=True, slots=True, kw_only=True)
class SentTask:
    """A task here and there. `edge_ids` by frame, in the order of its boxes; `tracks` those of its tracks."""

    id: int
    uuid: str
    remote_id: int
    image_ids: tuple[int, ...]
    edge_ids: Mapping[int, tuple[str, ...]]
    tracks: tuple[str, ...]
    world: World

    def job(self, place: int) -> Job:
        """The job at a place in the order of frames."""
        return self.world.jobs_of(self.world.tasks[self.remote_id])[place]

    def edit(self, place: int, change: Callable[[Document], object]) -> None:
        """Somebody changes what stands in a job."""
        job = self.job(place)
        document = copy.deepcopy({"tags": job.tags, "shapes": job.shapes, "tracks": job.tracks})
        change(document)
        job.tags, job.shapes, job.tracks = document["tags"], document["shapes"], document["tracks"]
        job.updated = self.world.now()

    def set_state(self, place: int, state: str, *, stage: str = "annotation", assignee: str | None = "anna") -> None:
        """Somebody says how far a job is."""
        job = self.job(place)
        job.state, job.stage, job.assignee, job.updated = state, stage, assignee, self.world.now()

    def spec(self, label: str, attribute: str) -> tuple[int, int]:
        """The server's numbers of a label and of an attribute of it."""
        found = next(one for one in self.world.tasks[self.remote_id].labels if one.name == label)
        return found.id, next(one.id for one in found.attributes if one.name == attribute)

    def shape(self, frame: int, box: Sequence[float], *, label: str = "opening", kind: str = "rectangle", edge_id: str = "") -> Document:
        """A shape as CVAT holds it, drawn by a person."""
        label_id, spec_id = self.spec(label, "edge_id")
        return {
            "id": self.world.new_id(),
            "frame": frame,
            "label_id": label_id,
            "group": 0,
            "source": "manual",
            "attributes": [{"spec_id": spec_id, "value": edge_id}] if edge_id else [],
            "type": kind,
            "points": list(box),
            "occluded": False,
            "outside": False,
            "z_order": 0,
            "rotation": 0.0,
            "elements": [],
        }


class Bench:
    """A home folder beside a simulated server."""

    def __init__(self, folder: Path, world: World, url: str) -> None:
        self.home = folder / "home"
        self.world, self.url = world, url
        self.db = seed.open_database(self.home)
        self.writer = Writes(self.db)
        self.inbox = folder / "inbox"
        self.station = seed.add_station(self.db, self.inbox, b"tow", make=True)
        self.pack = seed.add_model(self.db, labels=[(name, None) for name in LABELS])
        self.login = Login(server=url, username=USER, token=world.login({"username": USER, "password": PASSWORD}))
        self._made = 0

    @contextmanager
    def reader(self) -> Iterator[Connection]:
        """A connection that reads."""
        connection = open_reader(self.home / DATABASE_NAME)
        try:
            yield connection
        finally:
            connection.close()

    @contextmanager
    def server(self) -> Iterator[CvatServer]:
        """The server by the way that fits it."""
        with open_server(self.login, wait=lambda _: threading.Event().is_set()) as server:
            yield server

    def image(self, boxes: Sequence[Box] = FOUND, *, label: int = 0) -> int:
        """A still of noise with a result of the model; the surest box first."""
        self._made += 1
        name = f"still-{self._made:03d}.png"
        pixels = np.random.default_rng(self._made).integers(0, 255, (HEIGHT_PX, WIDTH_PX, 3), np.uint8)
        path = self.inbox / "tow" / name
        assert cv2.imwrite(str(path), pixels)
        found = [(*box, 0.9 - place / 100, label) for place, box in enumerate(boxes)]
        with immediate(self.db):
            done = seed.done(
                self.db, self.station, name.encode(), self.pack, boxes=found, content=path.read_bytes(), size_px=(WIDTH_PX, HEIGHT_PX)
            )
        return done.image_id

    def send(
        self,
        image_ids: Sequence[int] = (),
        *,
        boxes: Mapping[int, Sequence[Box]] | None = None,
        tracks: Sequence[Sequence[tuple[int, Box, bool]]] = (),
        job_size: int = 100,
        with_model: bool = True,
        tow_id: int | None = None,
        title: str = "station 101",
    ) -> SentTask:
        """A task of stills with boxes by frame, and tracks of (frame, box, outside)."""
        images = tuple(image_ids) or (self.image(),)
        paths = [self._path(image_id) for image_id in images]
        names = [f"{place:06d}.png" for place in range(len(paths))]
        frames = [
            NewFrame(name=name, width_px=WIDTH_PX, height_px=HEIGHT_PX, image_id=one) for name, one in zip(names, images, strict=True)
        ]
        new = NewTask(
            server_url=self.url,
            source="selection" if tow_id is None else "station",
            media="images",
            title=title,
            recipe="burrows",
            labels=[{"name": name, "type": "rectangle"} for name in LABELS],
            job_size=job_size,
            frames=frames,
            asked_by=ACTOR,
            tow_id=tow_id,
            model_id=self.pack.model_id,
            with_model=with_model,
        )
        task_id = self.writer.call(lambda connection: store.plan_task(connection, new))
        with self.server() as server:
            remote_id = server.create_task(remote_name(title, new.uuid), make_labels(LABELS, "rectangle"), job_size)
            files = [UploadFile(name=name, path=path, size_bytes=path.stat().st_size) for name, path in zip(names, paths, strict=True)]
            work = server.upload(remote_id, files, kept={}, keep=lambda _: None, sent=lambda _, __: None)
            while server.data_status(remote_id, work).state != "done":
                pass
            edge_ids, track_ids = self._propose(server, task_id, remote_id, boxes or {}, tracks)
        self.writer.call(lambda connection: store.note_step(connection, task_id, "sent", remote_id=remote_id))
        return SentTask(
            id=task_id, uuid=new.uuid, remote_id=remote_id, image_ids=images, edge_ids=edge_ids, tracks=track_ids, world=self.world
        )

    def _propose(
        self,
        server: CvatServer,
        task_id: int,
        remote_id: int,
        boxes: Mapping[int, Sequence[Box]],
        tracks: Sequence[Sequence[tuple[int, Box, bool]]],
    ) -> tuple[dict[int, tuple[str, ...]], tuple[str, ...]]:
        vocabulary = Vocabulary(server.labels(remote_id))
        document: Document = {"version": 0, "tags": [], "shapes": [], "tracks": []}
        proposals: list[NewProposal] = []
        edge_ids: dict[int, tuple[str, ...]] = {}
        for frame, some in boxes.items():
            image_id = self.db.execute("SELECT image_id FROM cvat_frames WHERE task_id = ? AND frame = ?", (task_id, frame)).fetchone()[0]
            run = self.db.execute("SELECT id FROM runs WHERE image_id = ? AND is_current = 1", (image_id,)).fetchone()
            for place, box in enumerate(some):
                uuid, points = uuid7(), sent_points(box)
                digest = shape_digest(LABELS[0], "rectangle", points)
                proposals.append(NewProposal(uuid=uuid, frame=frame, label=LABELS[0], digest=digest, run_id=run[0], ordinal=place))
                document["shapes"].append({**_common(vocabulary, frame, uuid), **_rectangle(points)})
                edge_ids[frame] = (*edge_ids.get(frame, ()), uuid)
        for one in tracks:
            uuid = uuid7()
            shapes = [{"frame": frame, **_rectangle(sent_points(box)), "outside": gone, "attributes": []} for frame, box, gone in one]
            digests = {frame: shape_digest(LABELS[0], "rectangle", box, is_outside=gone) for frame, box, gone in one}
            document["tracks"].append({**_common(vocabulary, one[0][0], uuid), "shapes": shapes})
            proposals.append(
                NewProposal(
                    uuid=uuid,
                    frame=one[0][0],
                    label=LABELS[0],
                    digest=track_digest(digests),
                    keyframes=digests,
                    opening_uuid=uuid7(),
                )
            )
        self.writer.call(lambda connection: store.put_proposals(connection, task_id, proposals))
        if proposals:
            server.add_annotations(remote_id, document)
        return edge_ids, tuple(one.uuid for one in proposals if one.keyframes is not None)

    def pull(self, task: SentTask, *, actor: str = ACTOR) -> PullSummary:
        """Bring a task in."""
        with self.server() as server:
            return pull_task(self.writer, self.reader, server, task.id, actor=actor)

    def verdicts(self, task: SentTask) -> list[tuple[int, str]]:
        """Frame and verdict of every row of the current versions."""
        return [(one.frame, one.verdict) for one in self.rows(task)]

    def rows(self, task: SentTask) -> list[reads.AnnotationRow]:
        """Every row of the current versions, by frame."""
        with self.reader() as connection:
            return [row for pull in reads.current_pulls(connection, task.id) for row in reads.annotations_of(connection, pull.id)]

    def _path(self, image_id: int) -> Path:
        return Path(self.db.execute("SELECT path FROM sightings WHERE image_id = ?", (image_id,)).fetchone()[0])


def _common(vocabulary: Vocabulary, frame: int, uuid: str) -> Document:
    values = vocabulary.attributes(LABELS[0], attribute_values(uuid, 0.9))
    return {"label_id": vocabulary.label_id(LABELS[0]), "frame": frame, "group": 0, "source": "auto", "attributes": values}


def _rectangle(points: Sequence[float]) -> Document:
    return {"type": "rectangle", "points": list(points), "occluded": False, "outside": False, "z_order": 0, "rotation": 0.0}
