"""Out with the real push and back with the real pull: what nobody touched is kept, for boxes, tracks that jobs cut, and tags."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from annotator_bridge.cvat.pull import PullSummary, pull_task
from annotator_bridge.cvat.values import PushRequest
from edge.commands.export_hands import Hands
from edge.export.dataset import BuildRequest, build_dataset
from edge.settings import Settings
from edge.store.reads.cvat import TaskRow, agreement, annotations_of, current_pulls
from tests.helpers.cvat_bench import Writes
from tests.helpers.cvat_push import BOX, OTHER, PushHome
from tests.helpers.reviewed import Opening, Ship
from tests.simulators.cvat import Server, cvat
from tests.simulators.cvat_world import NEW, OLD, World


@pytest.fixture(params=[OLD, NEW], ids=["cvat 2.15", "cvat 2.80"])
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Server]:
    world = World(tmp_path / "server", version=request.param)
    with cvat(world) as server:
        yield server


@pytest.fixture
def old_server(tmp_path: Path) -> Iterator[Server]:
    with cvat(World(tmp_path / "server", version=OLD)) as server:
        yield server


def home_of(ship: Ship, server: Server) -> PushHome:
    """A home folder with clips, as a push needs it."""
    here = PushHome.__new__(PushHome)
    here.home, here.world, here.url, here.db, here.told, here.stops = ship.home, server.world, server.url, ship.connection, [], False
    return here


def pull(here: PushHome, row: TaskRow) -> PullSummary:
    with here.server() as server:
        return pull_task(Writes(here.db), here.reader, server, row.id, actor="rita")


def verdicts(here: PushHome, row: TaskRow) -> set[str]:
    return {one.verdict for pulled in current_pulls(here.db, row.id) for one in annotations_of(here.db, pulled.id)}


def test_boxes_of_stills(server: Server, tmp_path: Path) -> None:
    here = PushHome(tmp_path, server.world, server.url)
    here.station("101", {"a.jpg": [BOX, OTHER], "b c.jpg": [], "c.jpg": [OTHER]})
    row = here.push(PushRequest(source="station", station="101"))
    for job in server.world.jobs.values():
        job.state = "completed"
    summary = pull(here, row)
    assert (summary.verdicts, summary.refused) == ({"kept": 3, "moved": 0, "relabelled": 0, "added": 0, "removed": 0}, ())
    (told,) = agreement(here.db).stations
    assert (told.kept, told.compared, told.f1, told.mean_difference) == (3, 3, 1.0, 0.0)
    here.close()


@pytest.mark.parametrize("job_frames", [7, 1])
def test_tracks_of_a_clip_that_jobs_cut(old_server: Server, tmp_path: Path, job_frames: int) -> None:
    server = old_server
    ship = Ship(tmp_path / "vessel")
    ship.add("S1", [Opening(frames=range(0, 20, 5)), Opening(frames=[13, 16]), Opening(frames=[30, 39])])
    here = home_of(ship, server)
    row = here.push(PushRequest(source="station", station="S1", job_frames=job_frames))
    assert pull(here, row).refused == ()
    assert verdicts(here, row) == {"kept"}


def test_tags_of_a_scan(server: Server, tmp_path: Path) -> None:
    here = PushHome(tmp_path, server.world, server.url)
    here.scan("s1", {"a": (0.9, None), "b": (0.1, None), "c": (None, None)})
    row = here.push(PushRequest(source="scan", scan="s1"))
    assert (pull(here, row).verdicts or {})["kept"] == 2
    assert verdicts(here, row) == {"kept"}
    here.close()


def test_a_clip_that_was_completed_there_teaches_by_what_went_out_and_not_by_what_cvat_drew(old_server: Server, tmp_path: Path) -> None:
    """Jobs of two frames: CVAT puts a keyframe on every other frame that an opening is seen on."""
    server = old_server
    ship = Ship(tmp_path / "vessel")
    here = home_of(ship, server)
    for name in ("S1", "S2", "S3"):
        ship.add(name, [Opening(frames=[0, 3, 6]), Opening(frames=[3, 6, 8], x_px=80.0)])
        row = here.push(PushRequest(source="station", station=name))
        for job in server.world.jobs.values():
            job.state = "completed"
        pull(here, row)
    hands = Hands(Settings())
    summary = build_dataset(ship.connection, hands, tmp_path / "set", BuildRequest(overlap_limit=1.0))
    hands.close()
    assert (sum(summary.pictures.values()), sum(summary.objects.values()), summary.from_cvat) == (12, 18, 12)
