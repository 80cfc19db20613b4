"""Decisions about objects on images: what holds after them, what is refused, and what a blind tow hides."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from edge.errors import DecisionOutdatedError, DecisionRefusedError
from edge.store import decisions as store
from edge.store.connection import immediate
from edge.store.decisions import BoxPx, Decision, ObjectDecision
from edge.store.reads.decisions import (
    decisions_of,
    judged_objects,
    labels_for,
    review_state,
    reviewed_images,
    reviewed_objects,
)
from edge.store.sealed_runs import LOG_HOLDS_SEALED, open_tow, seal_tow
from edge.survey.boxes_desk import BoxesDesk
from tests.helpers import seed
from tests.helpers.counted import make_blind_survey
from tests.simulators.appliance import DirectWriter, SimulatedAppliance

BOXES: list[seed.Box] = [(10, 20, 60, 50, 0.9, 0), (100, 40, 140, 70, 0.4, 0), (200, 90, 230, 120, 0.125, 0)]
NEW_BOX = BoxPx(5, 6, 50, 60)


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """One image with a result: two objects that count, one candidate."""

    appliance: SimulatedAppliance
    desk: BoxesDesk
    image_id: int
    run: str
    objects: tuple[int, ...]

    def decide(self, *decisions: Decision, reviewed: bool | None = None, revision: int | None = None, run: str | None = None) -> int:
        now = decisions_of(self.appliance.writer, self.image_id) if revision is None else revision
        return self.desk.decide(run or self.run, decisions, revision=now, reviewed=reviewed, decided_by="ana", actor="ana 127.0.0.1")

    def standing(self) -> list[tuple[str, str, float | None, BoxPx]]:
        rows = reviewed_objects(self.appliance.writer, self.image_id)
        return [(one.origin, one.label, one.score, BoxPx(one.x_min_px, one.y_min_px, one.x_max_px, one.y_max_px)) for one in rows]


@pytest.fixture
def image(tmp_path: Path) -> Iterator[Image]:
    appliance = SimulatedAppliance(tmp_path / "home")
    db = appliance.writer
    station, pack = seed.add_station(db, tmp_path / "inbox"), seed.add_model(db)
    found = seed.done(db, station, b"one.jpg", pack, boxes=BOXES)
    seed.done(db, station, b"other.jpg", pack, boxes=BOXES)
    run, image_id = db.execute(
        "SELECT r.uuid, i.id FROM runs AS r JOIN images AS i ON i.id = r.image_id WHERE i.sha256 = ?", (found.sha256,)
    ).fetchone()
    objects = tuple(one.object_id or 0 for one in judged_objects(db, run, candidates=True))
    yield Image(appliance=appliance, desk=BoxesDesk(DirectWriter(appliance), appliance.reader), image_id=image_id, run=run, objects=objects)
    appliance.close()


def about(object_id: int, decision: ObjectDecision, *, label: str | None = None, box: BoxPx | None = None) -> Decision:
    return Decision(uuid=str(uuid.uuid4()), object_id=object_id, added_uuid=None, decision=decision, label=label, box=box)


def added(name: str, decision: ObjectDecision = "added", *, label: str | None = "opening", box: BoxPx | None = NEW_BOX) -> Decision:
    return Decision(uuid=str(uuid.uuid4()), object_id=None, added_uuid=name, decision=decision, label=label, box=box)


def test_the_newest_decision_of_each_object_holds(image: Image) -> None:
    one, two, three = image.objects
    name = str(uuid.uuid4())
    assert image.decide(about(one, "moved", box=NEW_BOX), about(two, "rejected"), about(three, "confirmed"), added(name)) == 4
    origins = [(origin, label, score) for origin, label, score, _ in image.standing()]
    assert origins == [
        ("model, moved", "opening", pytest.approx(0.9)),
        ("model, confirmed", "opening", pytest.approx(0.125)),
        ("person", "opening", None),
    ]
    assert image.standing()[0][3] == image.standing()[2][3] == NEW_BOX
    image.decide(about(one, "relabelled", label="burrow", box=NEW_BOX), about(two, "cleared"), added(name, "cleared", label=None, box=None))
    assert [origin for origin, *_ in image.standing()] == ["model, moved and relabelled", "model", "model, confirmed"]
    rows = image.appliance.writer.execute("SELECT count(*), max(decided_by), min(decided_by) FROM object_decisions").fetchone()
    assert tuple(rows) == (7, "ana", "ana"), "nothing is ever updated or deleted"


def test_what_the_model_found_stays_what_it_was(image: Image) -> None:
    before = [tuple(row) for row in image.appliance.writer.execute("SELECT * FROM v_objects ORDER BY object_id")]
    image.decide(*(about(one, "rejected") for one in image.objects), added(str(uuid.uuid4())))
    assert [tuple(row) for row in image.appliance.writer.execute("SELECT * FROM v_objects ORDER BY object_id")] == before


def test_all_of_an_image_is_right_until_somebody_decides_again(image: Image) -> None:
    assert list(reviewed_images(image.appliance.writer)) == []
    image.decide(about(image.objects[0], "confirmed"), reviewed=True)
    (reviewed,) = reviewed_images(image.appliance.writer)
    assert (reviewed.image_id, reviewed.run_uuid, reviewed.reviewed_by) == (image.image_id, image.run, "ana")
    image.decide(about(image.objects[1], "rejected"))
    assert list(reviewed_images(image.appliance.writer)) == []
    image.decide(reviewed=True)
    assert len(list(reviewed_images(image.appliance.writer, recipe=seed.RECIPE))) == 1
    assert list(reviewed_images(image.appliance.writer, recipe="other")) == []
    image.decide(reviewed=False)
    assert list(reviewed_images(image.appliance.writer)) == []


def test_an_image_on_which_nothing_is_can_be_reviewed(image: Image) -> None:
    image.decide(*(about(one, "rejected") for one in image.objects), reviewed=True)
    assert len(list(reviewed_images(image.appliance.writer))) == 1
    assert image.standing() == []


def test_a_later_result_changes_no_review_by_itself(image: Image) -> None:
    db = image.appliance.writer
    name = str(uuid.uuid4())
    image.decide(about(image.objects[0], "moved", box=NEW_BOX), added(name), reviewed=True)
    before = image.standing()
    (sha256,) = db.execute("SELECT sha256 FROM images WHERE id = ?", (image.image_id,)).fetchone()
    station = seed.add_station(db, image.appliance.home / "second")
    seed.done_again(db, station, sha256, seed.add_model(db, version="2.0.0"), boxes=BOXES[:1])
    assert image.standing() == before
    (newer,) = db.execute("SELECT uuid FROM runs WHERE image_id = ? AND is_current = 1", (image.image_id,)).fetchone()
    image.decide(reviewed=True, run=newer)
    assert [origin for origin, *_ in image.standing()] == ["model", "person"]
    state = review_state(db, image.image_id, seed.RECIPE)
    assert state is not None
    assert (state.run_uuid, state.is_reviewed) == (newer, True)


def test_what_was_sent_twice_is_one_decision_and_an_old_page_is_refused(image: Image) -> None:
    decision = about(image.objects[0], "confirmed")
    assert image.decide(decision, revision=0) == image.decide(decision, revision=0) == 1
    assert image.decide(reviewed=True, revision=1) == image.decide(reviewed=True, revision=1) == 2
    with pytest.raises(DecisionOutdatedError, match="since it was loaded"):
        image.decide(about(image.objects[1], "rejected"), revision=1)
    with pytest.raises(DecisionOutdatedError):
        image.decide(reviewed=False, revision=1)
    assert decisions_of(image.appliance.writer, image.image_id) == 2


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda image: about(10**6, "confirmed"), "no object"),
        (lambda image: about(image.objects[0], "added", label="x", box=NEW_BOX), "not added by a person"),
        (lambda image: about(image.objects[0], "moved"), "has a box"),
        (lambda image: about(image.objects[0], "relabelled"), "has a label"),
        (lambda image: about(image.objects[0], "rejected", box=NEW_BOX), "the model's box"),
        (lambda image: about(image.objects[0], "moved", box=BoxPx(-1, 0, 5, 5)), "beyond the image"),
        (lambda image: about(image.objects[0], "moved", box=BoxPx(0, 0, 1230, 5)), "beyond the image"),
        (lambda image: about(image.objects[0], "moved", box=BoxPx(9, 9, 9.5, 20)), "at least 1 px"),
        (lambda image: about(image.objects[0], "moved", box=BoxPx(9, float("nan"), 20, 20)), "no number"),
        (lambda image: about(image.objects[0], "relabelled", label=" opening"), "a label is"),
        (lambda image: about(image.objects[0], "relabelled", label="o" * 61), "a label is"),
        (lambda image: about(image.objects[0], "relabelled", label="a\nb"), "a label is"),
        (lambda image: added(str(uuid.uuid4()), "moved"), "nobody added"),
        (lambda image: added(str(uuid.uuid4()), "rejected"), "there or cleared"),
        (lambda image: added(str(uuid.uuid4()), label=None), "has a box and a label"),
        (lambda image: added("no uuid"), "no uuid"),
    ],
)
def test_what_cannot_be_is_refused_with_all_that_came_with_it(image: Image, make: Any, words: str) -> None:
    with pytest.raises(DecisionRefusedError, match=words):
        image.decide(about(image.objects[1], "confirmed"), make(image), reviewed=True)
    assert decisions_of(image.appliance.writer, image.image_id) == 0
    assert image.appliance.writer.execute("SELECT count(*) FROM audit WHERE action = 'boxes_decided'").fetchone()[0] == 0


def test_too_many_at_once_and_an_unknown_result_are_refused(image: Image) -> None:
    with pytest.raises(DecisionRefusedError, match="2001 decisions"):
        image.decide(*(about(image.objects[0], "confirmed") for _ in range(2001)))
    with pytest.raises(DecisionRefusedError, match="no result"):
        image.decide(run="nothing", reviewed=True)
    twice = about(image.objects[0], "confirmed")
    with pytest.raises(DecisionRefusedError, match="same uuid"):
        image.decide(twice, twice)


def test_labels_are_the_models_and_those_that_people_gave(image: Image) -> None:
    image.decide(about(image.objects[0], "relabelled", label="Nephrops"), added(str(uuid.uuid4()), label="Munida"))
    assert labels_for(image.appliance.writer, image.run) == ("opening", "Munida", "Nephrops")


def test_candidates_come_when_they_are_asked_for_or_were_decided(image: Image) -> None:
    db = image.appliance.writer
    assert [one.stands for one in judged_objects(db, image.run, candidates=True)] == [True, True, False]
    assert len(judged_objects(db, image.run, candidates=False)) == 2
    image.decide(about(image.objects[2], "confirmed"))
    assert [one.stands for one in judged_objects(db, image.run, candidates=False)] == [True, True, True]


def test_a_decision_is_in_the_audit_trail_and_on_its_way_ashore(image: Image) -> None:
    image.decide(about(image.objects[0], "rejected"), reviewed=True)
    row = image.appliance.writer.execute("SELECT actor, subject, detail_json FROM audit WHERE action = 'boxes_decided'").fetchone()
    assert tuple(row) == ("ana 127.0.0.1", f"run/{image.run}", '{"decisions": ["rejected", "reviewed"]}')
    assert image.appliance.writer.execute("SELECT count(*) FROM outbox WHERE kind = 'object_decision'").fetchone()[0] == 2


def test_a_blind_image_is_not_decided_about(tmp_path: Path) -> None:
    appliance = SimulatedAppliance(tmp_path / "home")
    blind = make_blind_survey(appliance, stills=2)
    desk = BoxesDesk(DirectWriter(appliance), appliance.reader)
    (run,) = appliance.writer.execute("SELECT uuid FROM runs WHERE image_id = ?", (blind.image_ids[0],)).fetchone()
    for decisions, reviewed in (((added(str(uuid.uuid4())),), None), ((), True)):
        with pytest.raises(DecisionRefusedError, match="station 101, which is counted blind"):
            desk.decide(run, decisions, revision=0, reviewed=reviewed, decided_by="ana", actor="ana")
    appliance.close()


def test_decisions_are_sealed_with_the_tow_and_come_back_with_its_objects(tmp_path: Path) -> None:
    appliance = SimulatedAppliance(tmp_path / "home")
    db = appliance.writer
    blind = make_blind_survey(appliance, stills=3, sealed=False)
    db.execute("CREATE TEMP TABLE aside AS SELECT * FROM tow_images")
    db.execute("DELETE FROM tow_images")
    desk = BoxesDesk(DirectWriter(appliance), appliance.reader)
    image_id = blind.image_ids[0]
    run_id, run = db.execute("SELECT id, uuid FROM runs WHERE image_id = ?", (image_id,)).fetchone()
    (found,) = db.execute("SELECT id FROM objects WHERE run_id = ? AND ordinal = 0", (run_id,)).fetchone()
    decisions = (about(found, "moved", box=BoxPx(111.0625, 112, 113, 114)), added(str(uuid.uuid4()), label="Nephrops norvegicus"))
    desk.decide(run, decisions, revision=0, reviewed=True, decided_by="ana", actor="ana")
    before = reviewed_objects(db, image_id)
    assert len(before) == 4
    db.execute("INSERT INTO tow_images SELECT * FROM aside")
    with immediate(db):
        seal_tow(db, appliance.seal, blind.tow_id)
    for name in ("object_decisions", "v_reviewed_images", "v_reviewed_objects"):
        assert db.execute(f"SELECT count(*) FROM {name}").fetchone()[0] == 0
    assert reviewed_objects(db, image_id) == ()
    assert list(reviewed_images(db)) == []
    assert db.execute("SELECT 1 FROM facts WHERE name = ?", (LOG_HOLDS_SEALED,)).fetchone()
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    assert b"Nephrops norvegicus" not in (appliance.home / "edge.db").read_bytes()
    with immediate(db):
        open_tow(db, appliance.seal, blind.tow_id)
    assert reviewed_objects(db, image_id) == before
    assert [one.image_id for one in reviewed_images(db)] == [image_id]
    assert db.execute("SELECT count(*) FROM sealed_decisions").fetchone()[0] == 0
    appliance.close()


def test_the_newest_rows_say_what_holds_even_where_two_objects_were_decided_apart(image: Image) -> None:
    run = store.decided_run(image.appliance.writer, image.run)
    assert run is not None
    assert not run.is_sealed
    image.decide(about(image.objects[0], "rejected"))
    image.decide(about(image.objects[1], "confirmed"))
    assert [one.decision for one in judged_objects(image.appliance.writer, image.run, candidates=True)] == ["rejected", "confirmed", None]
