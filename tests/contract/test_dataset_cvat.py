"""`dataset build` with what people corrected in CVAT: completed jobs teach, what people disagree about does not, blind stations never."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from edge.commands.export_hands import Hands
from edge.export.dataset import BuildRequest, BuildSummary, build_dataset
from edge.export.dataset.build import NothingReviewedError
from edge.export.dataset.cvat import whole_frames
from edge.settings import Settings
from edge.store import cvat as store
from edge.store import surveys
from edge.store.connection import immediate
from edge.store.cvat import NewAnnotation, NewFrame, NewJob, NewPull, NewTask
from edge.store.cvat_dataset_rows import Keyframe
from edge.store.decisions import add_image_decision, decided_run
from edge.store.sqlite import Connection
from tests.helpers import seed
from tests.helpers.clips import HEIGHT_PX, WIDTH_PX
from tests.helpers.counted import make_protocol
from tests.helpers.cvat_results import answer, plan
from tests.helpers.reviewed import FRAMES, Opening, Ship

SIZE_PX = (96, 64)
AT = (10.0, 10.0, 30.0, 30.0, "opening")
FAR = (50.0, 20.0, 80.0, 50.0, "opening")
NOT_COMPLETED = "of jobs in CVAT that are not completed, or were not brought in since"
Key = tuple[int, tuple[float, float, float, float], bool]


@pytest.fixture(scope="module")
def hands() -> Iterator[Hands]:
    hands = Hands(Settings())
    yield hands
    hands.close()


@pytest.fixture
def db(tmp_path: Path) -> Iterator[Connection]:
    connection = seed.open_database(tmp_path / "home")
    yield connection
    connection.close()


@pytest.fixture
def images(db: Connection, tmp_path: Path) -> list[int]:
    """Two stills in each of three folders, with a result of one object each."""
    pack = seed.add_model(db)
    found = []
    for folder in range(3):
        station = seed.add_station(db, tmp_path / "inbox", b"S%d" % folder, make=True)
        for number in range(2):
            path = tmp_path / "inbox" / f"S{folder}" / f"{number}.jpg"
            noise = np.random.default_rng(10 * folder + number).integers(0, 255, (SIZE_PX[1], SIZE_PX[0], 3), np.uint8)
            Image.fromarray(noise).save(path, quality=95)
            boxes = [(*AT[:4], 0.9, 0)]
            done = seed.done(db, station, path.name.encode(), pack, boxes=boxes, content=path.read_bytes(), size_px=SIZE_PX)
            found.append(done.image_id)
    return found


def build(db: Connection, hands: Hands, out: Path, **wanted: Any) -> tuple[BuildSummary, dict[str, Any]]:
    summary = build_dataset(db, hands, out, BuildRequest(**{"overlap_limit": 1.0, **wanted}))
    return summary, json.loads((out / "manifest.json").read_text("utf-8"))


def review(db: Connection, image_id: int) -> None:
    run = decided_run(db, db.execute("SELECT uuid FROM runs WHERE image_id = ?", (image_id,)).fetchone()[0])
    assert run is not None
    with immediate(db):
        add_image_decision(db, run, "reviewed", decided_by="jd")


def test_stills_of_completed_jobs_teach_with_who_and_which_job(db: Connection, images: list[int], hands: Hands, tmp_path: Path) -> None:
    task = plan(db, images, model_id=1)
    answer(db, task, {0: [AT, FAR], 2: [AT], 4: [FAR]}, by="anna")
    summary, manifest = build(db, hands, tmp_path / "set")
    assert (sum(summary.pictures.values()), sum(summary.objects.values()), summary.from_cvat) == (6, 4, 6)
    assert (summary.cvat_left_out, manifest["reviewers"], manifest["models"]) == ({}, ["anna"], ["openings 1.0.0"])
    empty = [one for one in manifest["sources"] if one["objects"] == 0]
    assert len(empty) == 3, "a picture of a completed job on which nothing stands is background"
    (source,) = [one for one in manifest["sources"] if one["objects"] == 2]
    number = db.execute("SELECT remote_id FROM cvat_tasks").fetchone()[0]
    about = source["cvat"]
    assert (about["task"], about["job"], about["state"], about["assignee"], about["frame"]) == (number, 100 * task, "completed", "anna", 0)
    assert about["pulled_utc"].endswith("Z")
    coco = [json.loads((tmp_path / "set" / "annotations" / f"instances_{part}.json").read_text("utf-8")) for part in summary.pictures]
    assert sorted(one["bbox"] for content in coco for one in content["annotations"]) == [[10, 10, 20, 20]] * 2 + [[50, 20, 30, 30]] * 2
    assert {one["origin"] for content in coco for one in content["annotations"]} == {"CVAT, added"}


def test_without_cvat_only_reviews_teach(db: Connection, images: list[int], hands: Hands, tmp_path: Path) -> None:
    answer(db, plan(db, images), {0: [AT]})
    for image_id in images[::2]:
        review(db, image_id)
    summary, _ = build(db, hands, tmp_path / "set", with_cvat=False)
    assert (sum(summary.pictures.values()), summary.from_cvat) == (3, 0)


@pytest.mark.parametrize(("state", "stage"), [("in progress", "annotation"), ("new", "validation"), ("rejected", "validation")])
def test_jobs_that_are_not_completed_teach_nothing_and_are_counted(
    db: Connection, images: list[int], hands: Hands, tmp_path: Path, state: str, stage: str
) -> None:
    task = plan(db, images)
    answer(db, task, {0: [AT]}, span=(0, 4), job=0)
    answer(db, task, {5: [AT]}, span=(5, 5), job=1, state=state, stage=stage)
    summary, _ = build(db, hands, tmp_path / "set")
    assert sum(summary.pictures.values()) == 5
    words = "of jobs in CVAT that were rejected" if state == "rejected" else NOT_COMPLETED
    assert summary.cvat_left_out == {words: 1}


def test_what_people_disagree_about_is_left_out_and_named(db: Connection, images: list[int], hands: Hands, tmp_path: Path) -> None:
    every = {place: [AT] for place in range(6)}
    answer(db, plan(db, images), every)
    answer(db, plan(db, images[:2]), {0: [AT, FAR], 1: [(11.0, 10.0, 31.0, 30.0, "opening")]})
    review(db, images[2])
    answer(db, plan(db, images[4:]), {0: [AT], 1: [AT]})
    for image_id in images[3:4]:
        review(db, image_id)
    db.execute("UPDATE cvat_annotations SET label = 'crab' WHERE image_id = ?", (images[3],))
    summary, manifest = build(db, hands, tmp_path / "set")
    taken = {one["image_uuid"] for one in manifest["sources"]}
    ids = dict(db.execute("SELECT id, uuid FROM images").fetchall())
    assert taken == {ids[images[place]] for place in (1, 2, 4, 5)}
    assert sorted(one["image_uuid"] for one in summary.disputed) == sorted(ids[images[place]] for place in (0, 3))
    assert {one["station"] for one in manifest["left_out"]["disputed"]} == {"S0", "S1"}
    (words,) = summary.cvat_left_out
    assert ("people disagree" in words, summary.cvat_left_out[words]) == (True, 2)
    reviewed = [one for one in manifest["sources"] if one["cvat"] is None]
    assert [one["reviewers"] for one in reviewed] == [["jd"]], "what a review here and CVAT agree about is the review's"


def test_other_shapes_give_their_boxes_and_say_so(db: Connection, images: list[int], hands: Hands, tmp_path: Path) -> None:
    polygon = NewAnnotation(
        frame=0,
        verdict="added",
        label="opening",
        shape="polygon",
        points=(10, 10, 40, 12, 20, 30),
        x_min_px=10,
        y_min_px=10,
        x_max_px=40,
        y_max_px=30,
    )
    dots = NewAnnotation(
        frame=1, verdict="added", label="opening", shape="points", points=(3, 3), x_min_px=3, y_min_px=3, x_max_px=3, y_max_px=3
    )
    answer(db, plan(db, images), {}, others=[polygon, dots])
    summary, _ = build(db, hands, tmp_path / "set", form="coco")
    found = [json.loads(path.read_text("utf-8"))["annotations"] for path in (tmp_path / "set" / "annotations").iterdir()]
    assert [(one["bbox"], one["origin"]) for rows in found for one in rows] == [([10, 10, 30, 20], "CVAT, added, what a polygon covers")]
    assert [count for words, count in summary.cvat_left_out.items() if "no box" in words] == [1]
    assert sum(summary.pictures.values()) == 5


def test_where_nothing_is_left_it_says_why(db: Connection, images: list[int], hands: Hands, tmp_path: Path) -> None:
    answer(db, plan(db, images), {0: [AT]}, state="in progress")
    with pytest.raises(NothingReviewedError, match="6 pictures are left out: of jobs in CVAT that are not completed"):
        build(db, hands, tmp_path / "set")
    assert not (tmp_path / "set").exists()


# Clips --------------------------------------------------------------------------------------------------------------------


def correct(ship: Ship, station: str, tracks: Sequence[Sequence[Key]], *, state: str = "completed") -> int:
    """A clip's task with tracks, of one job."""
    db = ship.connection
    tow_id, image_id = db.execute(
        "SELECT a.tow_id, a.image_id FROM tow_images AS a JOIN tows AS t ON t.id = a.tow_id JOIN stations AS s ON s.id = t.station_id "
        "WHERE s.name = ?",
        (station,),
    ).fetchone()
    frames = [NewFrame(name="clip.mp4", width_px=WIDTH_PX, height_px=HEIGHT_PX, image_id=image_id)] * FRAMES
    new = NewTask(
        server_url="http://127.0.0.1:9",
        source="station",
        media="clip",
        title=station,
        recipe="burrows",
        labels=[{"name": "burrow opening", "type": "rectangle"}],
        job_size=100,
        frames=frames,
        asked_by="rita",
        tow_id=tow_id,
    )
    rows = [
        NewAnnotation(
            frame=frame,
            verdict="added",
            label="burrow opening",
            shape="rectangle",
            track=number,
            points=box,
            x_min_px=box[0],
            y_min_px=box[1],
            x_max_px=box[2],
            y_max_px=box[3],
            is_outside=gone,
        )
        for number, track in enumerate(tracks)
        for frame, box, gone in track
    ]
    pull = NewPull(
        stage="annotation",
        state=state,
        assignee="anna",
        remote_updated_utc=None,
        server_version="2.15.0",
        content={},
        same=[station, state],
        pulled_by="rita",
        annotations=rows,
    )
    with immediate(db):
        task_id = store.plan_task(db, new)
        store.note_step(db, task_id, "sent", remote_id=task_id)
        ids = store.put_jobs(
            db, task_id, [NewJob(remote_id=task_id, first_frame=0, last_frame=FRAMES - 1, stage="annotation", state=state, assignee="anna")]
        )
        store.record_pull(db, ids[task_id], pull)
    return task_id


BOX = (20.0, 20.0, 40.0, 40.0)
TRACKS: list[list[Key]] = [[(3, BOX, False), (9, BOX, False), (12, BOX, True)], [(9, (60.0, 20.0, 80.0, 40.0), False), (10, BOX, True)]]


@pytest.fixture
def ship(tmp_path: Path) -> Ship:
    ship = Ship(tmp_path / "home")
    for name in ("S1", "S2", "S3"):
        ship.add(name, [Opening(frames=[0, 4])])
        correct(ship, name, TRACKS)
    return ship


def test_frames_teach_where_every_track_has_a_keyframe(ship: Ship, hands: Hands, tmp_path: Path) -> None:
    summary, manifest = build(ship.connection, hands, tmp_path / "set")
    assert sorted((one["frame"], one["objects"]) for one in manifest["sources"]) == sorted([(3, 1), (9, 2)] * 3)
    assert {one["cvat"]["frame"] for one in manifest["sources"]} == {3, 9}
    assert summary.from_cvat == 6
    times = {one["at_s"] for one in manifest["sources"] if one["frame"] == 9}
    assert len(times) == 1


def test_frames_of_the_same_seabed_are_thinned(ship: Ship, hands: Hands, tmp_path: Path) -> None:
    """At 500 px/s frames 3 and 9 lie 120 px apart, which is the height of the picture."""
    summary, manifest = build(ship.connection, hands, tmp_path / "set", overlap_limit=0.0)
    assert {one["frame"] for one in manifest["sources"]} <= {3, 9}
    assert sum(summary.pictures.values()) + summary.repeated == 6


def test_a_review_of_openings_and_cvat_about_one_frame(ship: Ship, hands: Hands, tmp_path: Path) -> None:
    """The review here has an opening on frame 4 at its own place: CVAT, asked about frame 4, says something else or the same."""
    for name in ("S1", "S2", "S3"):
        tow_id = ship.connection.execute(
            "SELECT t.id FROM tows AS t JOIN stations AS s ON s.id = t.station_id WHERE s.name = ?", (name,)
        ).fetchone()[0]
        ship.decide(tow_id, {1: "accepted"})
    _, before = build(ship.connection, hands, tmp_path / "before", with_cvat=False)
    box = next(one for one in before["sources"] if one["frame"] == 4)
    assert box["cvat"] is None
    correct(ship, "S1", [[(4, (90.0, 60.0, 110.0, 80.0), False), (5, BOX, True)]])
    _, manifest = build(ship.connection, hands, tmp_path / "set")
    of_frame = [one for one in manifest["sources"] if one["frame"] == 4]
    assert sorted(one["station"] for one in of_frame) == ["S2", "S3"]
    assert [(one["station"], one["frame"]) for one in manifest["left_out"]["disputed"]] == [("S1", 4)]


def test_a_blind_stations_corrections_are_left_out(ship: Ship, hands: Hands, tmp_path: Path) -> None:
    ship.add("S4", [Opening(frames=[0, 4])])
    correct(ship, "S4", TRACKS)
    with immediate(ship.connection):
        other = surveys.add_survey(ship.connection, "CV26002", actor="test")
        surveys.add_protocol(ship.connection, other, make_protocol(), reason="the manual", actor="test")
        ship.connection.execute("UPDATE stations SET survey_id = ? WHERE name = 'S4'", (other,))
    summary, manifest = build(ship.connection, hands, tmp_path / "set")
    assert {one["station"] for one in manifest["sources"]} == {"S1", "S2", "S3"}
    assert summary.cvat_left_out == {"of tasks in CVAT whose station is counted blind, whole or in minutes": FRAMES}


def key(frame: int, track: int | None, *, gone: bool = False, shape: str = "rectangle") -> Keyframe:
    return Keyframe("u", frame, track, shape, "opening", "added", gone, 1.0, 1.0, 5.0, 5.0)


@pytest.mark.parametrize(
    ("keyframes", "frames"),
    [
        ([key(2, 0), key(5, 0)], [2, 5]),
        ([key(2, 0), key(5, 1)], [2]),
        ([key(2, 0), key(4, 0, gone=True), key(5, 1)], [2, 5]),
        ([key(2, 0), key(4, 0, gone=True), key(4, 1)], [2, 4]),
        ([key(2, 0), key(3, None)], [2]),
        ([key(3, None), key(5, 0)], [3, 5]),
        ([key(2, 0, shape="points"), key(3, 1)], []),
        ([key(2, 0, gone=True)], []),
        ([], []),
    ],
)
def test_which_frames_are_whole(keyframes: list[Keyframe], frames: list[int]) -> None:
    assert list(whole_frames(keyframes)) == frames
