"""A push that is cut off at every request and at every commit: one task, every file once, nothing doubled, nothing lost."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import pytest

from annotator_bridge.cvat import tus
from annotator_bridge.cvat.plan import remote_suffix
from annotator_bridge.cvat.push import advance
from annotator_bridge.cvat.tools import PushTools
from annotator_bridge.cvat.values import PushRequest
from edge.errors import LinkDownError, ServerFailedError
from edge.store.connection import immediate
from edge.store.reads.cvat import jobs_of, proposals_of
from edge.store.writer import Work
from tests.helpers import seed
from tests.helpers.cvat_bench import Writes
from tests.helpers.cvat_push import BOX, HEIGHT_PX, OTHER, WIDTH_PX, PushHome
from tests.helpers.reviewed import Opening, Ship
from tests.simulators import cvat_documents as documents
from tests.simulators.cvat import Server, cvat
from tests.simulators.cvat_world import NEW, OLD, Task, World

T = TypeVar("T")
STATION = PushRequest(source="station", station="101", again=True)
STILLS = {"a.jpg": [BOX, OTHER], "b.jpg": [], "c.jpg": [OTHER]}


@pytest.fixture(params=[OLD, NEW], ids=["cvat 2.15", "cvat 2.80"])
def served(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[PushHome, Server]]:
    """A server of each generation; the newer one is asked through cvat-sdk."""
    yield from opened(tmp_path, monkeypatch, request.param)


@pytest.fixture
def old(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[PushHome, Server]]:
    yield from opened(tmp_path, monkeypatch, OLD)


def opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: str) -> Iterator[tuple[PushHome, Server]]:
    monkeypatch.setattr("annotator_bridge.cvat.proposals.FRAMES_AT_ONCE", 1)  # several batches of a small task
    world = World(tmp_path / "server", version=version)
    world.looks_until_ready = 1
    with cvat(world) as server:
        here = PushHome(tmp_path, world, server.url)
        here.station("101", STILLS)
        yield here, server
        here.close()


def check(here: PushHome, task_id: int) -> None:
    """What has to hold at the end, whatever happened on the way."""
    row = here.row(task_id)
    named = [task for task in here.world.tasks.values() if task.name.endswith(remote_suffix(row.uuid))]
    assert [task.id for task in named] == [row.remote_id]
    task: Task = named[0]
    assert row.step == "sent"
    assert [(task.folder / name).read_bytes() for name in task.files] == [(here.images / name).read_bytes() for name in STILLS]
    shapes = [one for job in here.world.jobs_of(task) for one in job.shapes]
    assert sorted((one["frame"], one["points"][0]) for one in shapes) == [(0, 4.0), (0, 30.0), (2, 30.0)]
    ids = {value["value"] for one in shapes for value in one["attributes"]}
    proposals = proposals_of(here.db, task_id)
    assert len(proposals) == 3
    assert {one.uuid for one in proposals} <= ids
    assert len(jobs_of(here.db, task_id)) == 2


def test_cut_off_at_every_request(served: tuple[PushHome, Server]) -> None:
    """The n-th request is done and nobody hears of it; then nobody answers for a while."""
    here, server = served
    requests = 0
    for cut_at in range(1, 60):
        planned = here.plan(STATION)
        server.dies_after(cut_at)
        try:
            here.advance(planned.task_id)
            requests = cut_at
        except LinkDownError:
            server.dies_after(None)
            here.advance(planned.task_id)
        server.dies_after(None)
        check(here, planned.task_id)
        if requests:
            break
    assert requests > 15, "every step was cut"


class PowerCutError(Exception):
    """The appliance is dead."""


class Dying(Writes):
    """Dies at the n-th piece of work: before it is durable, or as soon as it is."""

    left = 0
    is_after = False

    def call(self, work: Work[T], *, quiet: bool = False) -> T:
        self.left -= 1
        if self.left == 0 and not self.is_after:
            raise PowerCutError
        found = super().call(work, quiet=quiet)
        if self.left == 0:
            raise PowerCutError
        return found


@pytest.mark.parametrize("is_after", [False, True], ids=["before the commit", "after the commit"])
def test_killed_at_every_commit(old: tuple[PushHome, Server], monkeypatch: pytest.MonkeyPatch, *, is_after: bool) -> None:
    here, _ = old
    monkeypatch.setattr("annotator_bridge.cvat.push.NOTE_EVERY_S", 0.0)  # every file is noted
    commits = 0
    for cut_at in range(1, 60):
        planned = here.plan(STATION)
        dying = Dying(here.db)
        dying.left, dying.is_after = cut_at, is_after
        try:
            with here.server() as server:
                advance(replace(here.tools, writer=dying), server, planned.task_id)
            commits = cut_at
        except PowerCutError:
            here.advance(planned.task_id)
        check(here, planned.task_id)
        if commits:
            break
    assert commits > 10, "every commit was cut"


def test_a_person_who_deleted_meanwhile_is_not_overruled(served: tuple[PushHome, Server]) -> None:
    """The answer to a batch was lost; before we come back somebody deletes one of its shapes: it stays deleted."""
    here, server = served
    planned = here.plan(STATION)
    server.breaks("PATCH /api/tasks/.*/annotations", "lose_answer")
    with pytest.raises(LinkDownError):
        here.advance(planned.task_id)
    (task,) = here.world.tasks.values()
    job = here.world.jobs_of(task)[0]
    job.shapes = job.shapes[1:]
    assert here.advance(planned.task_id).step == "sent"
    assert [one["points"][0] for job in here.world.jobs_of(task) for one in job.shapes] == [30.0, 30.0]


def test_what_stood_before_stays(old: tuple[PushHome, Server]) -> None:
    here, server = old
    planned = here.plan(STATION)
    server.breaks("GET /api/labels", "status")
    with pytest.raises(ServerFailedError):
        here.advance(planned.task_id)
    (task,) = here.world.tasks.values()
    label = task.labels[0]
    mine = {"type": "rectangle", "frame": 1, "label_id": label.id, "points": [1.0, 1.0, 5.0, 5.0], "attributes": []}
    documents.add(here.world, task, {"version": 0, "shapes": [mine]})
    assert here.advance(planned.task_id).step == "sent"
    assert sum(len(job.shapes) for job in here.world.jobs_of(task)) == 4


def test_a_large_clip_goes_on_where_it_was_cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The offset is asked of the server; the newer one keeps even what came before the cut."""
    monkeypatch.setattr(tus, "PIECE_BYTES", 40_000)
    ship = Ship(tmp_path / "vessel")
    ship.add("S1", [Opening(frames=[1, 5])])
    size = ship.clips["S1"].stat().st_size
    for version in (OLD, NEW):
        world = World(tmp_path / version, version=version)
        with cvat(world) as server:
            here = PushHome.__new__(PushHome)
            here.home, here.world, here.url, here.db, here.told, here.stops = ship.home, world, server.url, ship.connection, [], False
            planned = here.plan(PushRequest(source="station", station="S1"))
            server.breaks("PATCH /api/tasks/.*/data/", "cut_body", times=1, after_bytes=10_000)
            with pytest.raises(LinkDownError):
                here.advance(planned.task_id)
            kept = here.row(planned.task_id).upload
            assert kept is not None
            assert list(kept["open"]), "where it goes on is written down"
            asked = len(server.asked)
            assert here.advance(planned.task_id).step == "sent"
            assert any(line.startswith("HEAD ") for line in server.asked[asked:])
            sent = sum(
                int(headers["Content-Length"])
                for line, headers in zip(server.asked, server.headers, strict=True)
                if line.startswith("PATCH") and "/data/" in line
            )
            assert sent <= size + 40_000
            (task,) = world.tasks.values()
            assert (task.folder / task.files[0]).read_bytes() == ship.clips["S1"].read_bytes()
    ship.connection.close()


def test_stopping_puts_it_down_between_two_requests(old: tuple[PushHome, Server]) -> None:
    here, server = old
    planned = here.plan(STATION)
    tools: PushTools = replace(here.tools, wait=lambda _: len(server.asked) > 6)
    with here.server() as opened:
        assert advance(tools, opened, planned.task_id).step == "created"
    here.advance(planned.task_id)
    check(here, planned.task_id)


def test_what_was_written_down_and_never_went_is_forgotten(old: tuple[PushHome, Server]) -> None:
    """A model looked again before we came back: the proposals that are kept are those that went."""
    here, server = old
    planned = here.plan(STATION)
    server.breaks("PATCH /api/tasks/.*/annotations", "status")
    with pytest.raises(ServerFailedError):
        here.advance(planned.task_id)
    (sha256,) = here.db.execute("SELECT sha256 FROM images WHERE id = (SELECT image_id FROM sightings WHERE name = 'a.jpg')").fetchone()
    with immediate(here.db):
        seed.done_again(here.db, here.folder, sha256, here.pack, boxes=[(1.0, 2.0, 9.0, 9.0, 0.75, 0)], size_px=(WIDTH_PX, HEIGHT_PX))
    assert here.advance(planned.task_id).step == "sent"
    (task,) = here.world.tasks.values()
    shapes = [one for job in here.world.jobs_of(task) for one in job.shapes]
    assert [one["points"][0] for one in shapes] == [1.0, 30.0]
    ids = {value["value"] for one in shapes for value in one["attributes"]}
    assert {one.uuid for one in proposals_of(here.db, planned.task_id)} <= ids
