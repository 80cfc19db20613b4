"""Tasks out, to a simulated server of either generation over real HTTP: stations, scans, selections, blind ones, asked for twice."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from annotator_bridge.cvat.push import advance
from annotator_bridge.cvat.tools import (
    DataFailedError,
    FramesDifferError,
    PushRefusedError,
    SourceChangedError,
    TaskGoneError,
)
from annotator_bridge.cvat.values import PushRequest
from edge.errors import DiskFullError, LinkDownError, LoginNeededError, ServerFailedError, ServerRefusedError, SettingsError, TransportError
from edge.store import cvat as store
from edge.store.connection import immediate
from edge.store.reads.cvat import frames_of, jobs_of, proposals_of
from tests.helpers import seed
from tests.helpers.cvat_push import BOX, HEIGHT_PX, OTHER, WIDTH_PX, PushHome, only_task, served, stored, values_of
from tests.helpers.reviewed import Opening, Ship
from tests.simulators.cvat import Server
from tests.simulators.cvat_world import NEW, OLD

STATION = PushRequest(source="station", station="101")


@pytest.fixture(params=[OLD, NEW], ids=["cvat 2.15", "cvat 2.80"])
def either(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[PushHome, Server]]:
    """A server of each generation; the newer one is asked through cvat-sdk."""
    yield from served(tmp_path, request.param)


@pytest.fixture
def old(tmp_path: Path) -> Iterator[tuple[PushHome, Server]]:
    yield from served(tmp_path, OLD)


def test_a_station_becomes_a_task_with_jobs_and_what_the_model_found(either: tuple[PushHome, Server]) -> None:
    here, _ = either
    here.station("101", {"a.jpg": [BOX, OTHER], "b c.jpg": [], "c.jpg": [OTHER]})
    row = here.push(STATION)
    task = only_task(here)
    assert (row.step, row.frames, row.with_model, row.withheld, row.remote_id) == ("sent", 3, True, "", task.id)
    assert task.name == f"CV26001 101 tow 1 [{row.uuid.replace('-', '')[-12:]}]"
    assert [frame.name.split("_")[0] for frame in task.frames] == ["000000", "000001", "000002"]
    assert [(task.folder / name).read_bytes() for name in task.files] == [
        (here.images / name).read_bytes() for name in ("a.jpg", "b c.jpg", "c.jpg")
    ]
    assert [(job.first_frame, job.last_frame) for job in jobs_of(here.db, row.id)] == [(0, 1), (2, 2)]
    shapes = stored(here, "shapes")
    assert [(one["frame"], one["points"]) for one in shapes] == [
        (0, [4.0, 5.5, 20.25, 21.0]),
        (0, [30.0, 8.0, 41.0, 19.0]),
        (2, [30.0, 8.0, 41.0, 19.0]),
    ]
    first = values_of(here, shapes[0])
    assert (first["confidence"], first["confidence_percent"]) == ("0.91", "91")
    assert [values_of(here, one)["edge_id"] for one in shapes] == [one.uuid for one in proposals_of(here.db, row.id)]
    assert here.told[-1].step == "sent"


def test_a_clip_becomes_a_video_task_whose_tracks_are_closed(either: tuple[PushHome, Server], tmp_path: Path) -> None:
    here, server = either
    ship = Ship(tmp_path / "vessel")
    ship.add("S1", [Opening(frames=range(0, 20, 5)), Opening(frames=[10, 15], decision="rejected"), Opening(frames=[30, 39])])
    aboard = PushHome.__new__(PushHome)
    aboard.home, aboard.world, aboard.url, aboard.db, aboard.told, aboard.stops = (
        ship.home,
        here.world,
        server.url,
        ship.connection,
        [],
        False,
    )
    row = aboard.push(PushRequest(source="station", station="S1", job_frames=25))
    assert (row.step, row.media, row.frames) == ("sent", "clip", 40)
    tracks = [
        (job.start, [(one["frame"], one["outside"]) for one in track["shapes"]])
        for job in here.world.jobs_of(only_task(here))
        for track in job.tracks
    ]
    assert tracks == [
        (0, [(0, False), (5, False), (10, False), (15, False), (16, True)]),
        (25, [(30, False), (39, False)]),
    ]
    found = proposals_of(aboard.db, row.id)
    assert [(one.frame, sorted(one.keyframes or ())) for one in found] == [(0, [0, 5, 10, 15, 16]), (30, [30, 39])]
    ship.connection.close()


def test_vignettes_of_a_scan_become_tags(either: tuple[PushHome, Server]) -> None:
    here, _ = either
    here.scan("scan_1", {"k1": (0.75, None), "k2": (0.1, None), "k3": (0.9, "single"), "k4": (None, None)})
    row = here.push(PushRequest(source="scan", scan="scan_1"))
    names = {label.id: label.name for label in only_task(here).labels}
    tags = [(names[one["label_id"]], values_of(here, one)["confidence"], one["source"]) for one in stored(here, "tags")]
    assert tags == [("multiple", "0.75", "auto"), ("single", "0.90", "auto"), ("single", "", "manual")]
    assert [one.object_key for one in frames_of(here.db, row.id)] == ["k1", "k2", "k3", "k4"]
    assert next(frame.name for frame in only_task(here).frames) == "000000_scan_1_k1.png"
    assert not (here.home / "cvat" / row.uuid).exists()


def test_a_selection_is_a_folder_or_uuids_and_says_what_is_left_out(old: tuple[PushHome, Server]) -> None:
    here, _ = old
    here.still("a.jpg", [BOX])
    here.still("gone.jpg")
    here.still("other.jpg")
    (here.images / "gone.jpg").unlink()
    (here.images / "other.jpg").write_bytes(b"shorter")
    seed.quarantined(here.db, here.folder, b"bad.jpg")
    seed.queued(here.db, here.folder, b"new.jpg", b"not looked at yet")
    planned = here.plan(PushRequest(source="selection", folder=str(here.images)))
    assert {one.name: one.code for one in planned.left_out} == {
        "gone.jpg": "vanished",
        "other.jpg": "changed_while_read",
        "bad.jpg": "corrupt",
        "new.jpg": "waiting",
    }
    assert all(one.reason for one in planned.left_out)
    assert here.advance(planned.task_id).frames == 1
    (uuid,) = here.db.execute("SELECT uuid FROM images WHERE id = (SELECT image_id FROM sightings WHERE name = 'a.jpg')").fetchone()
    again = here.plan(PushRequest(source="selection", images=(uuid,)))
    assert (again.task_id, again.stood) == (planned.task_id, True)


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        (PushRequest(source="station", station="nowhere"), "has no footage"),
        (PushRequest(source="station"), "no station"),
        (PushRequest(source="scan", scan="none"), "no scan"),
        (PushRequest(source="selection"), "either"),
        (PushRequest(source="selection", images=("0" * 36,)), "no still"),
        (PushRequest(source="selection", folder="/nowhere"), "no file"),
        (PushRequest(source="station", station="101", media="clip"), "no such clip"),
        (PushRequest(source="station", station="102"), "vanished"),
    ],
)
def test_what_cannot_go_is_refused_with_a_word(old: tuple[PushHome, Server], request_: PushRequest, words: str) -> None:
    here, server = old
    here.station("101", {"a.jpg": []})
    here.station("102", {"b.jpg": []})
    (here.images / "b.jpg").unlink()
    with pytest.raises(PushRefusedError, match="the file is not there" if words == "vanished" else words) as refused:
        here.plan(request_)
    assert refused.value.advice()
    assert not server.asked
    assert here.db.execute("SELECT count(*) FROM cvat_tasks").fetchone()[0] == 0


def test_without_an_address_nothing_is_planned(old: tuple[PushHome, Server]) -> None:
    here, _ = old
    here.station("101", {"a.jpg": []})
    here.url = ""
    with pytest.raises(SettingsError, match="no CVAT server"):
        here.plan(STATION)


def test_asked_for_twice_it_is_one_task_unless_again(old: tuple[PushHome, Server]) -> None:
    here, server = old
    here.station("101", {"a.jpg": [BOX]})
    first = here.push(STATION)
    second = here.plan(STATION)
    assert (second.task_id, second.stood) == (first.id, True)
    asked = len(server.asked)
    assert here.advance(second.task_id).step == "sent"
    assert server.asked[asked:] == ["GET /api/server/about"]
    third = here.plan(PushRequest(source="station", station="101", again=True))
    assert (third.stood, here.advance(third.task_id).step, len(here.world.tasks)) == (False, "sent", 2)


def test_what_stands_says_which_stills_came_since(old: tuple[PushHome, Server]) -> None:
    here, _ = old
    tow_id = here.station("101", {"a.jpg": []})
    first = here.plan(STATION)
    image_id = here.still("z.jpg")
    with immediate(here.db):
        from edge.store import surveys

        attached = [surveys.Attachment(image_id=image_id, tow_id=tow_id, camera_id=None, how="hand", at_s=9.0)]
        surveys.attach_images(here.db, attached, actor="test")
    second = here.plan(STATION)
    assert (second.task_id, [one.code for one in second.left_out]) == (first.task_id, ["came_later"])


def test_a_task_that_somebody_deleted_is_told_and_not_made_anew(old: tuple[PushHome, Server]) -> None:
    here, server = old
    here.station("101", {"a.jpg": [BOX]})
    planned = here.plan(STATION)
    server.breaks("PATCH /api/tasks/.*/annotations", "status", times=1, status=500)
    with pytest.raises(ServerFailedError):
        here.advance(planned.task_id)
    here.world.delete_task(only_task(here))
    with pytest.raises(TaskGoneError):
        here.advance(planned.task_id)
    assert here.row(planned.task_id).gone_utc
    assert not here.world.tasks
    assert here.advance(planned.task_id).step == "ready"
    assert not here.world.tasks


def test_other_frames_than_ours_get_nothing(old: tuple[PushHome, Server]) -> None:
    """A still that CVAT turns, or leaves out, would get boxes of another one."""
    here, server = old
    here.station("101", {"a.jpg": [BOX], "b.jpg": [OTHER]})
    planned = here.plan(STATION)
    frames = [{"name": "000000_x.jpg", "width": HEIGHT_PX, "height": WIDTH_PX}] * 2
    server.breaks("GET .*/data/meta", "lie", value={"size": 2, "frames": frames, "deleted_frames": []})
    with pytest.raises(FramesDifferError, match="frame 0"):
        here.advance(planned.task_id)
    assert stored(here, "shapes") == []
    assert here.advance(planned.task_id).step == "sent"


def test_frames_that_cvat_cannot_make_are_told_and_tried_again_when_asked(old: tuple[PushHome, Server]) -> None:
    here, server = old
    here.station("101", {"a.jpg": [BOX]})
    here.world.fails_data_of = "101"
    planned = here.plan(STATION)
    with pytest.raises(DataFailedError, match="No space left"):
        here.advance(planned.task_id)
    here.world.fails_data_of = None
    assert here.advance(planned.task_id).step == "sent"
    assert server.count("PATCH /api/tasks/.*/data/") == 1, "files that are there are not sent again"


def test_a_file_that_changed_since_is_not_sent(old: tuple[PushHome, Server]) -> None:
    here, server = old
    here.station("101", {"a.jpg": [BOX]})
    planned = here.plan(STATION)
    content = (here.images / "a.jpg").read_bytes()
    (here.images / "a.jpg").write_bytes(bytes(reversed(content)))
    with pytest.raises(SourceChangedError, match=r"a\.jpg"):
        here.advance(planned.task_id)
    assert server.count("Upload|/data/$") == 0
    (here.images / "a.jpg").write_bytes(content)
    assert here.advance(planned.task_id).step == "sent"


def test_a_cancelled_task_goes_no_further(old: tuple[PushHome, Server]) -> None:
    here, server = old
    here.station("101", {"a.jpg": [BOX]})
    planned = here.plan(STATION)
    with immediate(here.db):
        store.cancel_task(here.db, planned.task_id, "rita")
    asked = len(server.asked)
    assert here.advance(planned.task_id).step == "planned"
    assert server.asked[asked:] == ["GET /api/server/about"]
    assert not here.plan(STATION).stood


def test_cancelled_while_it_is_sent_leaves_no_task_without_frames(old: tuple[PushHome, Server], monkeypatch: pytest.MonkeyPatch) -> None:
    here, server = old
    monkeypatch.setattr("annotator_bridge.cvat.push.NOTE_EVERY_S", 0.0)
    here.station("101", {"a.jpg": [BOX], "b.jpg": [BOX]})
    planned = here.plan(STATION)
    tools = replace(here.tools, tell=lambda progress: cancel(here, planned.task_id) if progress.bytes_sent else None)
    with here.server() as opened:
        assert advance(tools, opened, planned.task_id).cancelled_utc
    assert not here.world.tasks
    assert server.count("PATCH /api/tasks/.*/data/") == 1


def cancel(here: PushHome, task_id: int) -> None:
    with immediate(here.db):
        store.cancel_task(here.db, task_id, "rita")


def test_cancelled_with_frames_leaves_the_task_as_it_is(old: tuple[PushHome, Server]) -> None:
    here, _ = old
    here.station("101", {"a.jpg": [BOX]})
    planned = here.plan(STATION)
    tools = replace(here.tools, tell=lambda progress: cancel(here, planned.task_id) if progress.step == "ready" else None)
    with here.server() as opened:
        assert advance(tools, opened, planned.task_id).step == "ready"
    assert len(here.world.tasks) == 1


@pytest.mark.parametrize(
    ("how", "about", "error"),
    [
        ("status", {"status": 403}, ServerRefusedError),
        ("status", {"status": 429, "after_s": 3}, ServerFailedError),
        ("status", {"status": 401}, LoginNeededError),
        ("page", {}, ServerFailedError),
        ("redirect", {}, ServerFailedError),
        ("cut_answer", {}, LinkDownError),
    ],
)
def test_every_way_in_which_a_server_fails_is_told_with_what_to_do(
    old: tuple[PushHome, Server], how: Any, about: dict[str, Any], error: type[TransportError]
) -> None:
    here, server = old
    here.station("101", {"a.jpg": [BOX]})
    planned = here.plan(STATION)
    server.breaks("POST /api/tasks$", how, **about)
    with pytest.raises(error) as told:
        here.advance(planned.task_id)
    assert told.value.advice()
    assert here.row(planned.task_id).step == "planned"
    row = here.advance(planned.task_id)
    assert (row.step, len(here.world.tasks)) == ("sent", 1)


def test_a_limit_of_tasks_is_told_in_the_servers_words(old: tuple[PushHome, Server]) -> None:
    here, _ = old
    here.station("101", {"a.jpg": []})
    here.world.max_tasks = 0
    with pytest.raises(ServerRefusedError, match="maximum number of tasks"):
        here.push(STATION)


def test_a_disk_without_room_for_vignettes_leaves_nothing_half(old: tuple[PushHome, Server], monkeypatch: pytest.MonkeyPatch) -> None:
    here, _ = old
    here.scan("scan_1", {"k1": (0.75, None)})
    planned = here.plan(PushRequest(source="scan", scan="scan_1"))

    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, "no space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", full)
        with pytest.raises(DiskFullError):
            here.advance(planned.task_id)
    assert not any((here.home / "cvat").iterdir())
    assert here.advance(planned.task_id).step == "sent"


def test_a_scan_that_was_cut_since_is_not_sent_as_it_was(old: tuple[PushHome, Server]) -> None:
    here, server = old
    scan_id = here.scan("scan_1", {"k1": (0.75, None), "k2": (0.2, None)})
    planned = here.plan(PushRequest(source="scan", scan="scan_1"))
    here.db.execute("UPDATE zooscan_objects SET retired_utc = '2026-11-22T00:00:00Z' WHERE key = 'k2'")
    with pytest.raises(SourceChangedError, match="cut or processed"):
        here.advance(planned.task_id)
    assert server.count("Upload|/data/$") == 0
    (here.home / "scans" / "scan_1" / "vignettes.zip").unlink()
    with pytest.raises(PushRefusedError, match="no vignettes"):
        here.plan(PushRequest(source="scan", scan="apero/scan_1", again=True))
    assert scan_id
