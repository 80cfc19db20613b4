"""A tow whose minutes are still to be counted blind to the model is in no export of tracks, in whichever format."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge.commands.export_hands import Hands
from edge.export import ExportFormat, ExportSummary, export
from edge.export.footage import TowChoice
from edge.export.tows import TowRequest
from edge.settings import Settings
from edge.store.connection import immediate
from edge.store.miss_checks import NewCheck, add_check, end_check
from edge.survey.miss_gate import footage_key
from tests.helpers.reviewed import Opening, Ship


@pytest.fixture(scope="module")
def hands(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hands]:
    hands = Hands(Settings())
    yield hands
    hands.close()


def run(ship: Ship, hands: Hands, form: ExportFormat, out: Path) -> ExportSummary:
    request = TowRequest(choice=TowChoice(), hands=hands, extract=form is ExportFormat.YOLO, header={})
    return export(ship.connection, format=form, out_dir=out, tows=request)


@pytest.mark.parametrize(
    "form", [ExportFormat.CVAT_VIDEO, ExportFormat.COCO, ExportFormat.VIAME, ExportFormat.IFDO, ExportFormat.YOLO], ids=str
)
def test_a_tow_is_left_out_until_its_minutes_are_counted_or_declined(hands: Hands, tmp_path: Path, form: ExportFormat) -> None:
    ship = Ship(tmp_path / "home")
    ship.add("S1", [Opening(frames=[0, 4, 8], decision="accepted")])
    analysis_id, tow_id, told = ship.connection.execute("SELECT id, tow_id, made_from_json FROM tow_analyses").fetchone()
    check = NewCheck(
        tow_id=tow_id,
        analysis_id=analysis_id,
        footage_sha256=footage_key(told),
        seed="a",
        pool=[1],
        minutes=[1],
        line_height=0.83,
        width_px=128,
        height_px=96,
        counter="rita",
    )
    with immediate(ship.connection):
        check_id = add_check(ship.connection, check, actor="rita")
    summary = run(ship, hands, form, tmp_path / "out")
    assert (summary.tows, summary.tracks) == (0, 0)
    (told_of,) = json.loads((tmp_path / "out" / "export_manifest.json").read_text())["tows_left_out"]
    assert told_of["reason"].startswith("minute 1 of it is to be counted blind to the model first")
    with immediate(ship.connection):
        end_check(ship.connection, check_id, "declined", actor="rita", reason="a test")
    assert run(ship, hands, form, tmp_path / "later").tows == 1
