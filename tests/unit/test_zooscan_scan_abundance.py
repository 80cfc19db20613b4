"""Abundances of seeded scans, as tables; and the commands, as a data manager calls them."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from edge.cli import app
from edge.store.open import open_store
from edge.store.writer import Writer
from edge.store.zooscan.labels import NewLabel, add_labels
from edge.zooscan.desk.desk import ScanDesk
from edge.zooscan.engine.engine import PixelEngine
from tests.helpers.ecotaxa_reader import objections, read_zip
from tests.helpers.zooscan import SeededScan, meta_text, seed_scan


@dataclass(frozen=True, kw_only=True)
class Lab:
    """A home with the two halves of one fraction of a sample, both signed."""

    home: Path
    writer: Writer
    halves: tuple[SeededScan, SeededScan]

    def call(self, *arguments: str | Path) -> tuple[int, str, str]:
        result = CliRunner().invoke(app, ["--home", str(self.home), "zooscan", *map(str, arguments)], env={"COLUMNS": "200"})
        return result.exit_code, result.stdout, result.stderr

    def answered(self, *arguments: str | Path) -> tuple[int, Any]:
        code, told, _ = self.call(*arguments, "--json")
        return code, json.loads(told.splitlines()[-1])

    def sign(self, scan: SeededScan) -> None:
        from edge.commands.common import reading

        desk = ScanDesk(self.home, self.writer, lambda: reading(self.home), PixelEngine(self.home, classifier=lambda: None, processes=1))
        desk.sign(scan.scan_uuid, actor="mary")

    def seed(self, name: str, meta: str, **changes: Any) -> SeededScan:
        return self.writer.call(lambda connection: seed_scan(connection, home=self.home, name=name, meta=meta, **changes))


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    home = tmp_path / "home"
    home.mkdir()
    writer = open_store(home, on_commit=lambda: None)
    kept = Lab(home=home, writer=writer, halves=())  # type: ignore[arg-type]
    first = kept.seed("st66_d1_1_sur_2_1", meta_text(FracId="d1_1_sur_2"), objects=4)
    second = kept.seed("st66_d1_2_sur_2_1", meta_text(FracId="d1_2_sur_2"), objects=3, seed=3)
    whole = Lab(home=home, writer=writer, halves=(first, second))
    whole.sign(first)
    whole.sign(second)
    yield whole
    writer.close()


def _label(lab: Lab, scan: SeededScan, *categories: str) -> None:
    labels = [
        NewLabel(
            object_key=key,
            category=category,
            category_id=None,
            hierarchy=f"living>{category}",
            status="validated",
            labelled_by=None,
            labelled_at=None,
        )
        for key, category in zip(scan.keys, categories, strict=False)
    ]
    lab.writer.call(lambda connection: add_labels(connection, scan.scan_id, labels, source="x", actor="mary"))


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_both_halves_make_the_abundance_of_the_sample(lab: Lab, tmp_path: Path) -> None:
    _label(lab, lab.halves[0], "Calanoida", "Calanoida", "Salpida", "Salpida")
    _label(lab, lab.halves[1], "Calanoida", "Calanoida", "Calanoida")
    code, told = lab.answered("abundance", "st66", "--out", tmp_path)
    assert (code, told["samples"], told["refused"]) == (0, ["st66"], [])
    rows = {row["category"]: row for row in _rows(tmp_path / "st66.abundance.csv")}
    assert {name: row["objects"] for name, row in rows.items()} == {"all objects": "7", "Calanoida": "5", "Salpida": "2"}
    # META: a quarter of the sample, 25.5 m3.
    assert float(rows["Calanoida"]["abundance_m3"]) == pytest.approx(5 * 4 / 25.5)
    assert (rows["Calanoida"]["is_complete"], rows["Calanoida"]["fractions"], rows["Calanoida"]["is_signed"]) == ("1", "d1", "1")
    spectrum = [row for row in _rows(tmp_path / "st66.nbss.csv") if row["category"] == "all objects"]
    total = sum(float(row["nbss_m3"]) * float(row["width_mm3"]) for row in spectrum)
    assert total == pytest.approx(float(rows["all objects"]["ellipsoid_mm3_m3"]))
    told = json.loads((tmp_path / "st66.abundance.json").read_text())
    assert [scan["fracnb"] for scan in told["samples"][0]["scans"]] == [4, 4]
    assert [column["name"] for column in told["columns"]["abundance"]] == list(_rows(tmp_path / "st66.abundance.csv")[0])


def test_a_half_alone_has_no_abundance(lab: Lab, tmp_path: Path) -> None:
    lab.sign(lab.seed("st67_d2_2_sur_2_1", meta_text(SampleId="st67", FracId="d2_2_sur_2"), objects=2, seed=5))
    code, told = lab.answered("abundance", "st67", "--out", tmp_path / "out")
    (problem,) = told["error"]["problems"]
    assert (code, told["error"]["code"]) == (2, "export_refused")
    assert problem["what"] == "it lies on 2 scans, and these are not here: 1_sur_2"
    assert not (tmp_path / "out").exists()
    code, _, error = lab.call("abundance", "st67", "--out", tmp_path / "out")
    assert "1_sur_2" in error


def test_a_project_is_written_with_what_was_left_out(lab: Lab, tmp_path: Path) -> None:
    _label(lab, lab.halves[0], "Calanoida", "Calanoida", "Salpida", "Salpida")
    _label(lab, lab.halves[1], "Calanoida", "Calanoida", "Calanoida")
    lab.sign(lab.seed("st67_d2_2_sur_2_1", meta_text(SampleId="st67", FracId="d2_2_sur_2"), objects=2, seed=5))
    whole = lab.seed("st68_tot_1", meta_text(SampleId="st68", FracId="tot"), objects=2, seed=6)
    _label(lab, whole, "Calanoida", "Calanoida")
    lab.sign(whole)
    lab.seed("st69_tot_1", meta_text(SampleId="st69", FracId="tot"), objects=2, seed=8)
    code, told = lab.answered("abundance", "--project", "test", "--out", tmp_path)
    assert (code, told["samples"]) == (0, ["st66", "st68"])
    assert [one["sample_id"] for one in told["refused"]] == ["st67", "st69"]
    rows = {(row["sample_id"], row["category"]): row for row in _rows(tmp_path / "test.abundance.csv")}
    assert (rows["st68", "Salpida"]["objects"], rows["st68", "Salpida"]["abundance_m3"]) == ("0", "0.0")
    code, told = lab.answered("abundance", "--project", "test", "--out", tmp_path, "--unsigned")
    rows = {(row["sample_id"], row["category"]): row for row in _rows(tmp_path / "test.abundance.csv")}
    # Nobody said what is on st69: nobody looked for salps there, and what is not known is no nought.
    assert (rows["st69", "Salpida"]["objects"], rows["st69", "Salpida"]["abundance_m3"]) == ("", "")
    assert (rows["st69", "all objects"]["is_signed"], rows["st69", "not classified"]["objects"]) == ("0", "2")


def test_nothing_named_and_nothing_found_are_told(lab: Lab, tmp_path: Path) -> None:
    assert lab.answered("abundance", "--out", tmp_path)[1]["error"]["code"] == "settings_invalid"
    assert "no project has" in lab.answered("abundance", "nobody", "--out", tmp_path)[1]["error"]["message"]
    assert "no scan of the sample" in lab.answered("abundance", "nobody", "--project", "test", "--out", tmp_path)[1]["error"]["message"]
    assert "no project" in lab.answered("abundance", "--project", "nobody", "--out", tmp_path)[1]["error"]["message"]


def test_a_scan_is_exported_by_its_name(lab: Lab, tmp_path: Path) -> None:
    code, told = lab.answered("export", "st66_d1_1_sur_2_1", "--format", "ecotaxa", "--out", tmp_path)
    assert (code, told["objects"], told["signed_by"]) == (0, 4, "mary")
    tables = read_zip(tmp_path / "ecotaxa_st66_d1_1_sur_2_1.zip")
    assert objections(tables) == []
    for form in ("legacy", "csv"):
        code, shown, _ = lab.call("export", "test/st66_d1_1_sur_2_1", "--format", form, "--out", tmp_path)
        assert code == 0, form
        assert "signed by mary" in shown
    assert (tmp_path / "_work" / "st66_d1_1_sur_2_1").is_dir()


def test_what_is_wrong_is_shown_as_a_table_and_as_json(lab: Lab, tmp_path: Path) -> None:
    unsigned = lab.seed("st70_tot_1", meta_text(SampleId="st70", FracId="tot", Latitude="51.75", Sample_comment="x" * 300), objects=2)
    assert unsigned.keys
    code, _, error = lab.call("export", "st70_tot_1", "--format", "ecotaxa", "--out", tmp_path / "out")
    assert (code, "nobody signed" in error, "--unsigned" in error) == (2, True, True)
    code, told = lab.answered("export", "st70_tot_1", "--format", "ecotaxa", "--out", tmp_path / "out", "--unsigned")
    assert [problem["column"] for problem in told["error"]["problems"]] == ["statements"]
    code, _, error = lab.call("export", "st70_tot_1", "--format", "ecotaxa", "--out", tmp_path / "out", "--unsigned")
    # How wide the table is depends on where the tests run.
    assert (code, [word for word in ("Latitude", "51.75", "Correct it on") if word not in error]) == (2, [])
    assert not (tmp_path / "out").exists()


def test_the_work_folder_may_lie_in_the_project_and_nothing_where_scans_are_taken_from(lab: Lab, tmp_path: Path) -> None:
    code, told = lab.answered("export", "st66_d1_1_sur_2_1", "--format", "csv", "--out", "/scans/Zooscan_test_sn033/Zooscan_scan/_raw")
    assert (code, "watched folder" in told["error"]["message"]) == (2, True)
