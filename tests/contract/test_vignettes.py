"""Crops of single particles, from the folder to the table: `ingest --recipe vignettes` and `vignettes table`."""

from __future__ import annotations

import csv
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge.pipeline.keeper import ModelKeeper
from edge.store import packs
from edge.store.open import open_store
from models.runtime.vision import cv2
from tests.helpers.tiny_home import SETTINGS, query
from tests.helpers.web import serving
from tests.simulators.appliance import SimulatedAppliance
from tests.unit import tiny_models
from tests.unit.tiny_models import make_tiny_pack


def program(home: Path, *arguments: str) -> Any:
    command = [str(Path(sys.executable).with_name("imagine-edge")), "--home", str(home), *arguments, "--json"]
    ended = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=True)
    return json.loads(ended.stdout.splitlines()[-1])


def write_crop(path: Path, *, tinge: int, disc: bool = True) -> None:
    picture = np.full((60, 80, 3), 180, np.uint8)
    if disc:
        cv2.circle(picture, (40, 30), 15, (60, 60, 60), cv2.FILLED)
    picture[:, :, 2 - tinge] += 20
    path.write_bytes(cv2.imencode(".png", picture)[1].tobytes())


@pytest.fixture(scope="module")
def taken(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """A home whose classifier knows colours, and what one pass over three crops and a broken one said."""
    folder = tmp_path_factory.mktemp("vignettes")
    home, crops = folder / "home", folder / "crops"
    home.mkdir()
    crops.mkdir()
    (home / "settings.toml").write_text(SETTINGS)
    classify: dict[str, Any] = {"task": "classify", "head": "classify", "input": {"width_px": 64, "height_px": 64, "fit": "stretch"}}
    expected = {"score": [0.3339, 0.3339, 0.3322]}  # its golden has as much red as green
    pack = make_tiny_pack(folder / "pack", name="colours", onnx=tiny_models.classifier_onnx(), ir=False, expected=expected, **classify)
    writer = open_store(home, on_commit=lambda: None)
    try:
        row = ModelKeeper(home, writer).install(pack.path)
        writer.call(lambda connection: packs.activate(connection, "vignettes", row.model_id, actor="test"))
    finally:
        writer.close()
    write_crop(crops / "a-red.png", tinge=0)
    write_crop(crops / "b-green.png", tinge=1)
    write_crop(crops / "c-empty.png", tinge=1, disc=False)
    (crops / "d-broken.png").write_bytes((crops / "a-red.png").read_bytes()[:60])
    return home, program(home, "ingest", str(crops), "--recipe", "vignettes")


def test_crops_are_classified_and_measured_and_a_broken_one_is_listed(taken: tuple[Path, dict[str, Any]]) -> None:
    home, answer = taken
    assert (answer["files"], answer["done"], answer["quarantined"]) == (4, 3, 1)
    rows = query(home, "SELECT found, width_px, height_px, background_grey, touches_edge, area_px2 FROM crop_measures ORDER BY run_id")
    assert sorted(row[0] for row in rows) == [0, 1, 1]
    assert [row[1:3] for row in rows if row[0]] == [(31, 31)] * 2
    assert all(690 < row[5] < 760 for row in rows if row[0])
    assert [row[1:] for row in rows if not row[0]] == [(None,) * 5]
    assert query(home, "SELECT count(*), min(ordinal), max(ordinal) FROM class_scores") == [(9, 0, 2)]
    sums = query(home, "SELECT round(sum(score), 3) FROM class_scores GROUP BY run_id")
    assert sums == [(1.0,)] * 3
    best = query(home, "SELECT count(*) FROM class_scores c JOIN objects o USING (run_id, label_id) WHERE c.ordinal = 0")
    assert best == [(3,)], "the whole crop is one object of the best class"


def test_the_table_has_classes_with_aphia_ids_and_measures(taken: tuple[Path, dict[str, Any]], tmp_path: Path) -> None:
    table = tmp_path / "crops.csv"
    assert program(taken[0], "vignettes", "table", "--out", str(table), "--pixel-um", "2") == {"crops": 3, "table": str(table)}
    with table.open(encoding="utf-8", newline="") as file:
        rows = {row["name"]: row for row in csv.DictReader(file)}
    assert list(rows) == ["a-red.png", "b-green.png", "c-empty.png"]
    red, green, empty = rows.values()
    assert (red["class"], red["aphia_id"], green["class"], green["aphia_id"]) == ("red", "", "green", "107254")
    assert float(green["score"]) > float(green["score_2"]) >= float(green["score_3"])
    assert green["class_4"] == ""
    assert green["model"] == "colours 1.0.0"
    assert float(green["area_um2"]) == 4 * float(green["area"])
    assert float(green["esd_um"]) == pytest.approx(2 * float(green["esd"]), rel=1e-3)
    assert (empty["class"], empty["area"], empty["esd"], empty["touches_edge"]) == ("green", "", "", "")


def test_no_worker_and_no_inbox_for_who_has_no_crops(tmp_path: Path) -> None:
    """The recipe begins where a folder is taken from with it, or its inbox was made by hand."""
    from edge.service import Service
    from edge.settings import Settings

    service = Service(tmp_path / "home", Settings(ballast_mb=1, min_free_mb=16))
    service.open()
    try:
        assert list(service.dispatchers) == ["burrows"]
        service.watch_all()
        assert not (tmp_path / "home" / "inbox" / "vignettes").exists()
        (tmp_path / "crops").mkdir()
        service.take_from(tmp_path / "crops", "vignettes", "in_place", watch=False)
        assert list(service.dispatchers) == ["burrows", "vignettes"]
    finally:
        service.close()
    again = Service(tmp_path / "home", Settings(ballast_mb=1, min_free_mb=16))
    again.open()
    try:
        assert list(again.dispatchers) == ["burrows", "vignettes"], "what was once taken may still wait"
    finally:
        again.close()


def test_the_page_of_a_crop_tells_its_classes_and_its_particle(taken: tuple[Path, dict[str, Any]]) -> None:
    ids = dict(query(taken[0], "SELECT name, id FROM sightings"))
    appliance = SimulatedAppliance(taken[0])
    try:
        with serving(appliance) as client:
            pages = {name: client.get(f"/files/{ids[name]}").text for name in ("b-green.png", "c-empty.png")}
    finally:
        appliance.close()
    assert "AphiaID 107254" in pages["b-green.png"]
    assert re.search(r"31 \S 31 px, area \d", pages["b-green.png"])
    assert "nothing is darker than the background" in pages["c-empty.png"]
