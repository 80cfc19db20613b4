"""Exports with `--reviewed`: what stands after review where somebody called an image right, the model's objects elsewhere."""

from __future__ import annotations

import json
import uuid
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import pytest

from edge.errors import SettingsError
from edge.store.connection import immediate
from edge.store.decisions import BoxPx, Decision, ObjectDecision
from edge.store.reads.decisions import decisions_of
from edge.store.sqlite import Connection
from edge.survey.boxes_desk import BoxesDesk
from tests.helpers.season import Season, make_season, read_coco, read_csv, run
from tests.helpers.seed import add_model, done_again

T = TypeVar("T")


@pytest.fixture
def season(tmp_path: Path) -> Season:
    return make_season(tmp_path)


class Writing:
    """Writes in the connection of a season."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection

    def call(self, work: Callable[[Connection], T], *, quiet: bool = False) -> T:
        with immediate(self.connection) as connection:
            return work(connection)


def decide(season: Season, name: str, *decisions: Decision, reviewed: bool | None = True) -> None:
    run_uuid, image_id = season.connection.execute(
        "SELECT r.uuid, i.id FROM runs AS r JOIN images AS i ON i.id = r.image_id WHERE i.sha256 = ? AND r.is_current = 1",
        (season.sha256[name],),
    ).fetchone()
    desk = BoxesDesk(Writing(season.connection), season.reader)
    revision = decisions_of(season.connection, image_id)
    desk.decide(run_uuid, decisions, revision=revision, reviewed=reviewed, decided_by="=ana", actor="ana")


def about(
    season: Season, name: str, place: int, decision: ObjectDecision, *, label: str | None = None, box: BoxPx | None = None
) -> Decision:
    (found,) = season.connection.execute(
        "SELECT o.id FROM objects AS o JOIN runs AS r ON r.id = o.run_id JOIN images AS i ON i.id = r.image_id "
        "WHERE i.sha256 = ? AND r.is_current = 1 AND o.ordinal = ?",
        (season.sha256[name], place),
    ).fetchone()
    return Decision(uuid=str(uuid.uuid4()), object_id=found, added_uuid=None, decision=decision, label=label, box=box)


def added(label: str) -> Decision:
    names = (str(uuid.uuid4()), str(uuid.uuid4()))
    return Decision(uuid=names[0], object_id=None, added_uuid=names[1], decision="added", label=label, box=BoxPx(5, 6, 25, 46))


def review(season: Season) -> None:
    """Of the image a: the first object moved, the second rejected, the candidate confirmed, one added. A change elsewhere only begun."""
    moved = about(season, "a", 0, "moved", box=BoxPx(11, 21, 31, 41))
    decide(season, "a", moved, about(season, "a", 1, "rejected"), about(season, "a", 2, "confirmed"), added("Munida"))
    decide(season, "small", about(season, "small", 0, "rejected"), reviewed=None)


def test_each_row_of_a_reviewed_export_says_where_it_comes_from(season: Season, tmp_path: Path) -> None:
    review(season)
    run(season, "csv", tmp_path / "out", reviewed=True)
    rows = [row for row in read_csv(tmp_path / "out" / "objects.csv") if row["sha256"] == season.sha256["a"]]
    assert [(row["origin"], row["label"], row["aphia_id"], row["score"], row["x_min_px"]) for row in rows] == [
        ("model, moved", "opening", "107254", "0.9", "11.0"),
        ("model, confirmed", "opening", "107254", "0.125", "1.0"),
        ("person", "Munida", "", "", "5.0"),
    ]
    assert {(row["decided_by"], row["reviewed_by"]) for row in rows} == {("=ana", "=ana")}
    assert b",'=ana," in (tmp_path / "out" / "objects.csv").read_bytes(), "no spreadsheet runs a name"
    others = [row for row in read_csv(tmp_path / "out" / "objects.csv") if row["sha256"] != season.sha256["a"]]
    assert Counter((row["origin"], row["reviewed_by"]) for row in others) == {("model", ""): 2}, "only begun: as the model found it"
    manifest = json.loads((tmp_path / "out" / "export_manifest.json").read_text())
    assert manifest["filters"]["reviewed"] is True


def test_without_the_option_an_export_is_the_models(season: Season, tmp_path: Path) -> None:
    run(season, "csv", tmp_path / "before")
    review(season)
    run(season, "csv", tmp_path / "after")
    assert (tmp_path / "after" / "objects.csv").read_bytes() == (tmp_path / "before" / "objects.csv").read_bytes()


def test_coco_has_the_classes_that_people_gave(season: Season, tmp_path: Path) -> None:
    review(season)
    run(season, "coco", tmp_path / "out", reviewed=True)
    coco = read_coco(tmp_path / "out" / "coco.json")
    names = {one["id"]: one["name"] for one in coco.dataset["categories"]}
    (image,) = [one for one in coco.dataset["images"] if one["sha256"] == season.sha256["a"]]
    assert image["reviewed_by"] == "=ana"
    found = coco.loadAnns(coco.getAnnIds(imgIds=[image["id"]]))
    assert sorted((names[one["category_id"]], one["origin"], one.get("score")) for one in found if one["origin"] == "person") == [
        ("Munida", "person", None)
    ]
    assert len({one["id"] for one in coco.dataset["annotations"]}) == len(coco.dataset["annotations"]) == 5


def test_yolo_says_the_origin_of_every_line(season: Season, tmp_path: Path) -> None:
    review(season)
    decide(season, "zero")
    run(season, "yolo", tmp_path / "out", reviewed=True)
    rows = {row["sha256"]: row for row in read_csv(tmp_path / "out" / "images.csv")}
    assert rows[season.sha256["a"]]["origins"] == "model, moved; model, confirmed; person"
    assert (rows[season.sha256["zero"]]["origins"], rows[season.sha256["zero"]]["reviewed_by"]) == ("", "=ana")
    label = (tmp_path / "out" / "labels" / rows[season.sha256["a"]]["name"]).with_suffix(".txt")
    assert len(label.read_text().splitlines()) == 3
    assert "Munida" in (tmp_path / "out" / "data.yaml").read_text()


def test_a_reviewed_image_keeps_the_result_that_was_reviewed(season: Season, tmp_path: Path) -> None:
    review(season)
    newer = add_model(season.connection, version="9.0.0", labels=[("opening", 107254)])
    done_again(season.connection, season.station, season.sha256["a"], newer, boxes=[(1, 1, 9, 9, 0.99, 0)])
    run(season, "csv", tmp_path / "out", reviewed=True)
    rows = [row for row in read_csv(tmp_path / "out" / "objects.csv") if row["sha256"] == season.sha256["a"]]
    assert [row["origin"] for row in rows] == ["model, moved", "model, confirmed", "person"]
    assert {row["model_version"] for row in rows} == {season.pack.version}


@pytest.mark.parametrize(("form", "options"), [("csv", {"all_runs": True}), ("viame", {})])
def test_what_has_no_review_is_refused(season: Season, tmp_path: Path, form: str, options: dict[str, bool]) -> None:
    with pytest.raises(SettingsError, match="one truth"):
        run(season, form, tmp_path / "out", reviewed=True, **options)
