"""Tasks out without what must not go: blind stations, stills that wait, reviews that keep something back; and what stands after review."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from uuid import uuid4

import pytest

from annotator_bridge.cvat.tools import WITHHELD_BLIND
from annotator_bridge.cvat.values import PushRequest
from edge.errors import ServerFailedError
from edge.store import surveys
from edge.store.connection import immediate
from edge.store.decisions import BoxPx, Decision
from edge.store.reads.cvat import proposals_of
from edge.store.sealed_runs import seal_survey
from edge.survey.boxes_desk import BoxesDesk
from tests.helpers.counted import make_protocol
from tests.helpers.cvat_bench import Writes
from tests.helpers.cvat_push import BOX, HEIGHT_PX, OTHER, WIDTH_PX, PushHome, only_task, served, stored, values_of
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


def test_a_blind_station_goes_without_anything_of_the_model(either: tuple[PushHome, Server]) -> None:
    here, _ = either
    tow_id = here.station("101", {"a.jpg": [BOX], "b.jpg": [OTHER]})
    here.blind()
    row = here.push(STATION)
    assert (row.step, row.with_model, row.withheld, row.is_blind) == ("sent", False, WITHHELD_BLIND, True)
    assert stored(here, "shapes") == []
    assert proposals_of(here.db, row.id) == ()
    here.release(tow_id)
    later = here.push(PushRequest(source="station", station="101", again=True))
    assert (later.with_model, later.withheld) == (True, "")


def test_a_station_that_becomes_blind_on_the_way_goes_without(old: tuple[PushHome, Server]) -> None:
    """Between asking and sending lie hours: it is asked again in the transaction that reads the objects."""
    here, server = old
    here.station("101", {"a.jpg": [BOX]})
    planned = here.plan(STATION)
    server.breaks("GET /api/labels", "status", status=500)
    with pytest.raises(ServerFailedError):
        here.advance(planned.task_id)
    here.blind()
    row = here.advance(planned.task_id)
    assert (row.step, row.withheld, row.with_model) == ("sent", WITHHELD_BLIND, False)
    assert stored(here, "shapes") == []
    assert proposals_of(here.db, row.id) == ()


def test_one_blind_still_in_a_selection_goes_without(old: tuple[PushHome, Server]) -> None:
    here, _ = old
    here.still("free.jpg", [BOX])
    here.station("101", {"z blind.jpg": [OTHER]})
    with immediate(here.db):  # what was found before there were rules stays shown elsewhere
        surveys.add_protocol(here.db, here.survey_id, make_protocol(), reason="the manual", actor="test")
        seal_survey(here.db, here.seal, here.survey_id)
    row = here.push(PushRequest(source="selection", folder="tow"))
    assert row.with_model
    assert row.withheld == f"{WITHHELD_BLIND} (1 of 2 stills)"
    assert [one["points"] for one in stored(here, "shapes")] == [[4.0, 5.5, 20.25, 21.0]]


def test_without_the_model_when_nobody_wants_it(old: tuple[PushHome, Server]) -> None:
    here, _ = old
    here.station("101", {"a.jpg": [BOX]})
    row = here.push(PushRequest(source="station", station="101", with_model=False))
    assert (row.step, row.with_model, row.withheld, stored(here, "shapes")) == ("sent", False, "", [])


def test_what_stands_after_review_goes_out_and_not_the_models_result(old: tuple[PushHome, Server]) -> None:
    """One moved, one added; the score belongs to what the model said, and not to what a person said instead."""
    here, _ = old
    image_id = here.still("a.jpg", [BOX, OTHER])
    here.still("b.jpg", [BOX])
    run_id, run_uuid = here.db.execute("SELECT id, uuid FROM runs WHERE image_id = ?", (image_id,)).fetchone()
    ids = [row[0] for row in here.db.execute("SELECT id FROM objects WHERE run_id = ? ORDER BY ordinal", (run_id,))]
    decisions = (
        Decision(uuid=str(uuid4()), object_id=ids[0], added_uuid=None, decision="moved", label=None, box=BoxPx(5, 6, 22, 23)),
        Decision(uuid=str(uuid4()), object_id=ids[1], added_uuid=None, decision="rejected", label=None, box=None),
        Decision(uuid=str(uuid4()), object_id=None, added_uuid=str(uuid4()), decision="added", label="Munida", box=BoxPx(40, 30, 60, 44)),
    )
    desk = BoxesDesk(Writes(here.db), here.reader)
    desk.decide(run_uuid, decisions, revision=0, reviewed=True, decided_by="ana", actor="ana")
    row = here.push(PushRequest(source="selection", folder="tow"))
    names = {label.id: label.name for label in only_task(here).labels}
    found = [
        (one["frame"], names[one["label_id"]], one["points"], values_of(here, one)["confidence"], one["source"])
        for one in stored(here, "shapes")
    ]
    assert found == [
        (0, "opening", [5.0, 6.0, 22.0, 23.0], "", "manual"),
        (0, "Munida", [40.0, 30.0, 60.0, 44.0], "", "manual"),
        (1, "opening", [4.0, 5.5, 20.25, 21.0], "0.91", "auto"),
    ]
    assert [one.ordinal for one in proposals_of(here.db, row.id)] == [0, None, 0]


def test_what_a_review_keeps_back_does_not_go_along(old: tuple[PushHome, Server], monkeypatch: pytest.MonkeyPatch) -> None:
    """Minutes that are counted blind to the model come first: as for every export, nothing leaves until they are."""
    here, _ = old
    here.station("101", {"a.jpg": [BOX]})
    here.still("free.jpg", [OTHER])
    monkeypatch.setattr("annotator_bridge.cvat.proposals.analysis_of_tow", lambda *_: SimpleNamespace(is_sealed=0))
    monkeypatch.setattr("annotator_bridge.cvat.proposals.withheld_words", lambda *_: "minute 2 of it is to be counted blind")
    row = here.push(PushRequest(source="selection", folder="tow"))
    assert (row.withheld, row.with_model) == ("minute 2 of it is to be counted blind", True)
    assert [one["points"] for one in stored(here, "shapes")] == [[30.0, 8.0, 41.0, 19.0]]


def test_a_still_that_waits_for_its_station_goes_without(old: tuple[PushHome, Server]) -> None:
    """It may come to a station that is counted blind."""
    here, _ = old
    here.blind()
    here.still("waits.jpg", [BOX])
    row = here.push(PushRequest(source="selection", folder="tow"))
    assert (row.step, row.withheld, row.with_model) == ("sent", WITHHELD_BLIND, False)
    assert stored(here, "shapes") == []


def test_boxes_lie_within_their_frame(old: tuple[PushHome, Server]) -> None:
    """CVAT stores any numbers without a word."""
    here, _ = old
    here.still("a.jpg", [(-3.0, -0.5, 90.0, 60.0, 0.9, 0), (63.999, 10.0, 64.0, 12.0, 0.8, 0)])
    here.push(PushRequest(source="selection", folder="tow"))
    for one in stored(here, "shapes"):
        left, top, right, bottom = one["points"]
        assert 0 <= left < right <= WIDTH_PX
        assert 0 <= top < bottom <= HEIGHT_PX
