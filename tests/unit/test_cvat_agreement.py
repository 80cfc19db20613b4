"""How far a model and people agree, against an independent evaluation; and that nothing of it is told while people count blind."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.store import cvat as store
from edge.store.connection import immediate
from edge.store.cvat import NewAnnotation, NewProposal
from edge.store.reads.box_matching import LabelledBox, matched_boxes
from edge.store.reads.cvat import AgreementRow, agreement, conflicts, task_by_id
from edge.store.sqlite import Connection
from tests.helpers import seed
from tests.helpers.counted import make_blind_survey
from tests.helpers.cvat_results import Boxes, answer, plan
from tests.helpers.waiting import reveal
from tests.simulators.appliance import SimulatedAppliance

NAMES = ("opening", "crab")
Corners = tuple[float, float, float, float]
AT = (100.0, 100.0, 140.0, 150.0)
NEAR = (104.0, 100.0, 144.0, 150.0)  # IoU with AT: 36 / 44
FAR = (400.0, 400.0, 440.0, 450.0)


@pytest.fixture
def db(tmp_path: Path) -> Iterator[Connection]:
    connection = seed.open_database(tmp_path)
    yield connection
    connection.close()


def stills(db: Connection, found: Sequence[Sequence[Corners]]) -> tuple[list[int], int]:
    """Images with a result each. Returns their ids and the model's."""
    folder = seed.add_station(db, Path("/footage"), b"tow")
    pack = seed.add_model(db, labels=[(name, None) for name in NAMES])
    with immediate(db):
        ids = [
            seed.done(db, folder, b"%03d.jpg" % place, pack, boxes=[(*box, 0.9 - rank / 50, 0) for rank, box in enumerate(boxes)]).image_id
            for place, boxes in enumerate(found)
        ]
    return ids, pack.model_id


def only(rows: tuple[AgreementRow, ...]) -> AgreementRow:
    (row,) = rows
    return row


def test_matched_missed_and_wrong_objects_are_counted(db: Connection) -> None:
    images, model_id = stills(db, [[AT, FAR], [], [AT]])
    task = plan(db, images, model_id=model_id)
    answer(db, task, {0: [(*NEAR, "opening")], 1: [(*FAR, "opening")], 2: [(*AT, "crab")]})
    row = only(agreement(db).tasks)
    assert (row.compared, row.matched, row.only_model, row.only_person) == (3, 1, 2, 2)
    assert (row.precision, row.recall, row.f1) == pytest.approx((1 / 3, 1 / 3, 1 / 3))
    assert row.mean_difference == pytest.approx(0)
    assert (row.jobs, row.frames, row.kept, row.words) == (1, 3, None, "")


def test_images_of_jobs_that_are_not_completed_are_not_in_it(db: Connection) -> None:
    images, model_id = stills(db, [[AT], [AT], [AT], [AT]])
    task = plan(db, images, model_id=model_id)
    states = (("completed", "annotation"), ("in progress", "annotation"), ("new", "validation"), ("rejected", "validation"))
    for place, (state, stage) in enumerate(states):
        answer(db, task, {place: []}, span=(place, place), job=place, state=state, stage=stage)
    row = only(agreement(db).tasks)
    assert (row.jobs, row.frames, row.compared, row.only_model) == (2, 2, 2, 2)
    store.cancel_task(db, task, "rita")
    assert agreement(db).tasks == ()


def test_frames_that_were_taken_out_are_not_in_it(db: Connection) -> None:
    images, model_id = stills(db, [[AT], [AT]])
    task = plan(db, images, model_id=model_id)
    answer(db, task, {0: [(*AT, "opening")], 1: []})
    store.note_deleted_frames(db, task, [1])
    row = only(agreement(db).tasks)
    assert (row.frames, row.compared, row.matched, row.only_model) == (1, 1, 1, 0)


def test_a_later_result_of_another_model_changes_nothing(db: Connection) -> None:
    images, model_id = stills(db, [[AT]])
    task = plan(db, images, model_id=model_id)
    answer(db, task, {0: [(*AT, "opening")]})
    sha256 = db.execute("SELECT sha256 FROM images").fetchone()[0]
    folder_id = db.execute("SELECT id FROM folders").fetchone()[0]
    other = seed.add_model(db, "others")
    folder = seed.Station(folder_id=folder_id, recipe="burrows", path_bytes=b"")
    seed.done_again(db, folder, sha256, other, boxes=[(*FAR, 0.9, 0)])
    assert only(agreement(db).tasks).matched == 1


def test_results_of_another_model_are_not_told_as_the_tasks(db: Connection) -> None:
    images, model_id = stills(db, [[AT]])
    other = seed.add_model(db, "others")
    with immediate(db):
        folder = seed.add_station(db, Path("/footage"), b"other")
        images.append(seed.done(db, folder, b"900.jpg", other, boxes=[(*FAR, 0.9, 0)]).image_id)
    answer(db, plan(db, images, model_id=model_id), {0: [(*AT, "opening")], 1: [(*AT, "opening")]})
    row = only(agreement(db).tasks)
    assert (row.model, row.frames, row.compared, row.matched, row.only_model, row.only_person) == ("openings", 2, 1, 1, 0, 0)


def test_a_task_that_names_no_model_is_told_of_what_serves(db: Connection) -> None:
    images, _ = stills(db, [[AT]])
    answer(db, plan(db, images), {0: [(*AT, "opening")]})
    assert only(agreement(db).tasks).matched == 1


def test_a_track_through_several_jobs_is_one_object(db: Connection) -> None:
    images, model_id = stills(db, [[], []])
    task = plan(db, images, model_id=model_id, with_model=True)
    names = ("kept", "moved", "half gone", "gone")
    with immediate(db):
        store.put_proposals(db, task, [NewProposal(uuid=name, frame=0, label="opening", digest="d", keyframes={0: "d"}) for name in names])
    ids = dict(db.execute("SELECT uuid, id FROM cvat_proposals").fetchall())

    def row(frame: int, name: str, verdict: str, track: int) -> NewAnnotation:
        there = verdict != "removed"
        return NewAnnotation(
            frame=frame,
            verdict=verdict,  # type: ignore[arg-type]
            label="opening",
            proposal_id=ids.get(name),
            shape="rectangle" if there else None,
            track=track if there else None,
        )

    first = [row(0, "kept", "kept", 0), row(0, "moved", "kept", 1), row(0, "half gone", "kept", 2), row(0, "gone", "removed", 3)]
    second = [row(1, "kept", "kept", 0), row(1, "moved", "moved", 1), row(1, "half gone", "removed", 2), row(1, "gone", "removed", 3)]
    answer(db, task, {}, span=(0, 0), job=0, others=first)
    answer(db, task, {}, span=(1, 1), job=1, others=[*second, row(1, "", "added", 4), row(1, "", "added", 4)])
    found = only(agreement(db).tasks)
    assert (found.kept, found.moved, found.relabelled, found.removed, found.added) == (1, 2, 0, 1, 1)


def test_tags_of_whole_pictures_are_not_compared_with_boxes(db: Connection) -> None:
    images, model_id = stills(db, [[AT]])
    task = plan(db, images, model_id=model_id, shape="tag")
    answer(db, task, {0: []})
    row = only(agreement(db).tasks)
    assert (row.compared, row.precision) == (0, None)
    assert "tags" in row.words


def test_images_without_a_result_are_not_taken_for_empty_ones(db: Connection) -> None:
    images, model_id = stills(db, [[AT]])
    db.execute("UPDATE runs SET object_count = NULL")
    task = plan(db, images, model_id=model_id)
    answer(db, task, {0: [(*AT, "opening")]})
    row = only(agreement(db).tasks)
    assert (row.compared, row.only_person, row.recall, row.mean_difference) == (0, 0, None, None)
    assert "no result" in row.words


def test_of_two_boxes_on_one_object_one_has_a_partner() -> None:
    twice = [LabelledBox("opening", *AT, 0.9), LabelledBox("opening", *NEAR, 0.8)]
    assert matched_boxes(twice, [LabelledBox("opening", *AT)]) == [(0, 0)]
    assert len(matched_boxes(twice, [LabelledBox("opening", *AT), LabelledBox("opening", *NEAR)])) == 2


COORDINATE = st.integers(0, 4).map(lambda value: value * 8.0)
BOX = st.tuples(COORDINATE, COORDINATE, st.sampled_from([16.0, 24.0, 32.0]), st.sampled_from([16.0, 24.0]), st.sampled_from(NAMES))


@settings(max_examples=60, deadline=None)
@given(st.lists(BOX, max_size=7), st.lists(BOX, max_size=7))
def test_boxes_are_matched_as_pycocotools_matches_them(
    found: list[tuple[float, float, float, float, str]], truth: list[tuple[float, float, float, float, str]]
) -> None:
    """Scores differ, so that the order is no matter of chance."""
    surest = [LabelledBox(label, x, y, x + w, y + h, 0.9 - place / 100) for place, (x, y, w, h, label) in enumerate(found)]
    drawn = [LabelledBox(label, x, y, x + w, y + h) for x, y, w, h, label in truth]
    assert len(matched_boxes(surest, drawn)) == by_coco(surest, drawn)


def by_coco(found: Sequence[LabelledBox], truth: Sequence[LabelledBox]) -> int:
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    def rows(boxes: Sequence[LabelledBox]) -> list[dict[str, object]]:
        return [
            {
                "id": number,
                "image_id": 1,
                "category_id": 1 + NAMES.index(one.label),
                "bbox": [one.x_min_px, one.y_min_px, one.x_max_px - one.x_min_px, one.y_max_px - one.y_min_px],
                "area": (one.x_max_px - one.x_min_px) * (one.y_max_px - one.y_min_px),
                "iscrowd": 0,
                "score": one.score,
            }
            for number, one in enumerate(boxes, start=1)
        ]

    if not found or not truth:
        return 0
    with contextlib.redirect_stdout(io.StringIO()):
        known = COCO()
        known.dataset = {
            "info": {},
            "images": [{"id": 1}],
            "annotations": rows(truth),
            "categories": [{"id": 1 + place, "name": name} for place, name in enumerate(NAMES)],
        }
        known.createIndex()
        evaluation = COCOeval(known, known.loadRes(rows(found)), "bbox")
        evaluation.params.iouThrs = np.array([0.5])
        evaluation.params.areaRng, evaluation.params.areaRngLbl = [[0, 1e10]], ["all"]
        evaluation.evaluate()
    return sum(int((one["dtMatches"] > 0).sum()) for one in evaluation.evalImgs if one is not None)


def test_of_a_station_that_is_counted_blind_nothing_is_told(tmp_path: Path) -> None:
    appliance = SimulatedAppliance(tmp_path / "home")
    blind = make_blind_survey(appliance, stills=4)
    db = appliance.writer
    model_id = db.execute("SELECT id FROM models").fetchone()[0]
    task, other = (plan(db, blind.image_ids, tow_id=tow_id, model_id=model_id) for tow_id in (blind.tow_id, None))
    boxes: dict[int, Boxes] = {0: [(*AT, "opening")]}
    answer(db, task, boxes)
    answer(db, other, {}, state="completed")
    answer(db, task, {1: [(*AT, "opening")]}, state="rejected")
    answer(db, task, boxes)
    for row in agreement(db).tasks:
        told = (row.compared, row.matched, row.only_model, row.only_person, row.precision, row.mean_difference, row.added)
        assert told == (0, 0, 0, 0, None, None, None)
        assert "blind" in row.words
    assert conflicts(db) == ()
    assert db.execute("SELECT count(*) FROM v_cvat_annotations").fetchone()[0] == 0
    assert [one.is_blind for one in (task_by_id(db, task), task_by_id(db, other)) if one is not None] == [True, True]
    reveal(blind, blind.tow_id)
    found = {row.task_uuid: row for row in agreement(db).tasks}
    assert {(row.compared, row.only_model + row.matched) for row in found.values()} == {(4, 12)}
    (station,) = agreement(db).stations
    assert (station.survey, station.station, station.compared, station.words) == ("CV26001", "101", 4, "")
    assert {one.kind for one in conflicts(db)} == {"two_tasks", "changed_after_completed"}
    assert db.execute("SELECT count(*) FROM v_cvat_annotations").fetchone()[0] == 1
    appliance.close()
