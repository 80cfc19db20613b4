"""A scan with a result goes out as EcoTaxa's zip, Zooprocess's work folder and a table; what must not leave does not."""

from __future__ import annotations

import csv
import json
import zipfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from edge.errors import ExportRefusedError, InputError, ScanRefusedError, SettingsError
from edge.recipes.scan_export import ExportWish, ScanExport, ScanFormat, export_scan, make_archive
from edge.recipes.scan_gather import facts_of, one_scan, person_of
from edge.store.connection import DATABASE_NAME, open_reader
from edge.store.open import open_store
from edge.store.reads.zooscan_objects import outlines, standing_lines, standing_objects
from edge.store.sqlite import Connection
from edge.store.writer import Writer
from edge.store.zooscan.entries import add_entries
from edge.store.zooscan.labels import NewLabel, add_labels
from edge.zooscan.desk.desk import ScanDesk
from edge.zooscan.engine.engine import PixelEngine
from edge.zooscan.project.texts import decode_text, read_keyed_text
from edge.zooscan.quality import findings, wanted_files
from tests.helpers.ecotaxa_reader import ReadTable, objections, read_zip
from tests.helpers.zooscan import SCAN, SeededScan, seed_scan
from tests.simulators.ecotaxa_import import Known, check_import

ECOTAXA, LEGACY, CSV = (ExportWish(format=form) for form in ScanFormat)


@dataclass(frozen=True, kw_only=True)
class Lab:
    """A home with one signed scan, of which one object was cut by hand."""

    desk: ScanDesk
    writer: Writer
    scan: SeededScan
    home: Path
    cut: str
    parts: tuple[str, ...]

    def reader(self) -> AbstractContextManager[Connection]:
        return self.desk.reader()

    def export(self, wish: ExportWish, out: Path, named: str = SCAN) -> ScanExport:
        with self.reader() as connection:
            return export_scan(connection, self.home, named, wish, out, watched=[Path("/scans")])


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    home = tmp_path / "home"
    home.mkdir()
    writer = open_store(home, on_commit=lambda: None)
    scan = writer.call(lambda connection: seed_scan(connection, home=home, objects=6, multiples=2, touching=2))

    @contextmanager
    def reader() -> Iterator[Connection]:
        connection = open_reader(home / DATABASE_NAME)
        try:
            yield connection
        finally:
            connection.close()

    desk = ScanDesk(home, writer, reader, PixelEngine(home, classifier=lambda: None, processes=1))
    cut = scan.keys[0]
    with reader() as connection:
        (whole,) = (one for one in standing_objects(connection, scan.scan_id) if one.key == cut)
    dark = scan.clean[whole.y_px : whole.y_px + whole.height_px, whole.x_px : whole.x_px + whole.width_px] <= 243
    if whole.width_px >= whole.height_px:
        middle = slice(whole.width_px // 4, -whole.width_px // 4)
        x = whole.x_px + middle.start + int(dark.sum(axis=0)[middle].argmin())
        line = [(x, whole.y_px), (x, whole.y_px + whole.height_px - 1)]
    else:
        middle = slice(whole.height_px // 4, -whole.height_px // 4)
        y = whole.y_px + middle.start + int(dark.sum(axis=1)[middle].argmin())
        line = [(whole.x_px, y), (whole.x_px + whole.width_px - 1, y)]
    done = desk.add_line(scan.scan_uuid, cut, line, actor="mary")
    desk.sign(scan.scan_uuid, actor="mary 10.0.0.7")
    yield Lab(desk=desk, writer=writer, scan=scan, home=home, cut=cut, parts=tuple(done.standing))
    writer.close()


def _label(key: str, status: str = "validated") -> NewLabel:
    return NewLabel(
        object_key=key,
        category="Calanoida",
        category_id="45074",
        hierarchy="living>Crustacea>Copepoda>Calanoida",
        status=status,  # type: ignore[arg-type]
        labelled_by="ann@lab.org",
        labelled_at="2026-11-22T09:00:00Z",
    )


def _zip_table(folder: Path) -> ReadTable:
    path = folder / f"ecotaxa_{SCAN}.zip"
    assert check_import(path, Known(taxa={"calanoida": 45074}, users={"ann@lab.org": 1})) == []
    (table,) = read_zip(path)
    assert objections([table]) == []
    return table


def test_a_scan_goes_to_ecotaxa_as_it_stands(lab: Lab, tmp_path: Path) -> None:
    report = lab.export(ECOTAXA, tmp_path / "out")
    table = _zip_table(tmp_path / "out")
    keys = {row["object_id"].removeprefix(f"{SCAN}_") for row in table.rows}
    assert keys == set(lab.scan.keys) - {lab.cut} | set(lab.parts)
    parts = [row for row in table.rows if row["object_cut_from"]]
    assert [row["object_cut_from"] for row in parts] == [f"{SCAN}_{lab.cut}"] * len(lab.parts)
    first = table.rows[0]
    assert (first["object_lat"], first["object_lon"], first["object_depth_min"], first["object_depth_max"]) == (
        "51.5",
        "-12.25",
        "0",
        "100",
    )
    assert (first["object_date"], first["object_time"], first["sample_id"], first["acq_id"]) == (
        "20260612",
        "14:30:00.000",
        "st66",
        "d1_st66",
    )
    assert (first["acq_scan_date"], first["acq_instrument"], first["acq_lut_min"]) == ("20260613", "zooscan_sn033", "551")
    assert (first["process_checked_by"], first["process_multiple_threshold"]) == ("mary", "0.4")
    assert (report.objects, report.retired, report.signed_by, report.multiples) == (len(keys), 1, "mary", 1)
    assert {path.name for path in report.files} == {path.name for path in (tmp_path / "out").iterdir()}


def test_ids_that_are_no_more_lie_beside_the_zip_with_what_became_of_them(lab: Lab, tmp_path: Path) -> None:
    lab.export(ECOTAXA, tmp_path)
    with (tmp_path / f"ecotaxa_{SCAN}.retired_ids.csv").open(newline="") as file:
        (row,) = csv.DictReader(file)
    assert (row["object_id"], row["why"]) == (f"{SCAN}_{lab.cut}", "separated")
    assert row["became"].split() == [f"{SCAN}_{key}" for key in lab.parts]


def test_derived_figures_are_unrounded_unless_the_legacy_ones_are_asked_for(lab: Lab, tmp_path: Path) -> None:
    lab.export(ECOTAXA, tmp_path / "right")
    lab.export(replace(ECOTAXA, is_legacy=True), tmp_path / "legacy")
    right, legacy = _zip_table(tmp_path / "right"), _zip_table(tmp_path / "legacy")
    assert {row["object_cdexc"] == "0" for row in right.rows} == {False}
    assert "0" in {row["object_centroids"] for row in legacy.rows}
    for ours, theirs in zip(right.rows, legacy.rows, strict=True):
        assert ours["object_esd"] == theirs["object_esd"]
        # The figure itself has more decimals than the axes it is told with.
        assert float(ours["object_elongation"]) == pytest.approx(float(ours["object_major"]) / float(ours["object_minor"]), abs=0.01)
        whole = round(float(ours["object_major"])), round(float(ours["object_minor"]))
        assert float(theirs["object_elongation"]) == pytest.approx(whole[0] / whole[1], abs=0.03)


def test_labels_go_with_the_objects(lab: Lab, tmp_path: Path) -> None:
    key = lab.scan.keys[3]
    lab.writer.call(lambda connection: add_labels(connection, lab.scan.scan_id, [_label(key)], source="x", actor="mary"))
    lab.export(ECOTAXA, tmp_path)
    rows = {row["object_id"]: row for row in _zip_table(tmp_path).rows}
    said = rows[f"{SCAN}_{key}"]
    assert (said["object_annotation_category"], said["object_annotation_person_email"]) == ("Calanoida", "ann@lab.org")
    assert sum(bool(row["object_annotation_status"]) for row in rows.values()) == 1


def test_an_unsigned_scan_leaves_only_when_that_is_asked_for_and_says_so(lab: Lab, tmp_path: Path) -> None:
    lab.desk.withdraw(lab.scan.scan_uuid, reason="one more line", actor="mary")
    for wish in (ECOTAXA, LEGACY, CSV):
        with pytest.raises(ExportRefusedError, match="nobody signed the check"):
            lab.export(wish, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    lab.export(replace(ECOTAXA, unsigned=True), tmp_path)
    assert {row["process_checked_by"] for row in _zip_table(tmp_path).rows} == {"nobody: not signed"}


def _typed(lab: Lab, **entries: str | None) -> None:
    lab.desk.withdraw(lab.scan.scan_uuid, reason="typed wrong", actor="mary")
    lab.writer.call(lambda connection: add_entries(connection, lab.scan.scan_id, entries, actor="mary"))
    lab.desk.sign(lab.scan.scan_uuid, actor="mary")


def test_what_was_typed_goes_out_in_place_of_the_meta(lab: Lab, tmp_path: Path) -> None:
    _typed(lab, Ship="Thalassa II", position_format="decimal", Vol="26,5")
    lab.export(ECOTAXA, tmp_path)
    first = _zip_table(tmp_path).rows[0]
    assert (first["sample_ship"], first["object_lat"], first["sample_tot_vol"]) == ("Thalassa II", "51.3", "26.5")


@pytest.mark.parametrize("wish", [ECOTAXA, LEGACY])
def test_a_position_that_cannot_be_read_does_not_leave_as_none(lab: Lab, tmp_path: Path, wish: ExportWish) -> None:
    _typed(lab, Latitude="51.75")
    with pytest.raises(ExportRefusedError, match="Latitude is no position"):
        lab.export(wish, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    assert lab.export(CSV, tmp_path / "out").objects == 7


def test_two_scans_of_one_fraction_do_not_leave_as_one_acquisition(lab: Lab, tmp_path: Path) -> None:
    twin = lab.writer.call(lambda connection: seed_scan(connection, home=lab.home, name="st66_d1_2", objects=2, seed=4))
    for wish in (ECOTAXA, LEGACY):
        with pytest.raises(ExportRefusedError, match="of the same fraction of the same sample: st66_d1_2"):
            lab.export(wish, tmp_path / "out")
    with lab.reader() as connection, pytest.raises(ExportRefusedError, match="the same fraction"):
        make_archive(connection, lab.home, lab.scan.scan_id, tmp_path)
    assert lab.export(CSV, tmp_path / "out").objects
    lab.writer.call(lambda connection: add_entries(connection, twin.scan_id, {"FracId": "d9"}, actor="mary"))
    assert lab.export(ECOTAXA, tmp_path / "zip").objects


def test_a_sieve_that_there_is_not_is_told_as_it_was_typed(lab: Lab, tmp_path: Path) -> None:
    lab.export(ECOTAXA, tmp_path)
    assert {row["acq_max_mesh"] for row in _zip_table(tmp_path).rows} == {"999999"}


def test_a_text_that_is_too_long_for_ecotaxa_is_told_with_its_column(lab: Lab, tmp_path: Path) -> None:
    _typed(lab, Sample_comment="x" * 251)
    with pytest.raises(ExportRefusedError, match="sample_comment: 251 letters"):
        lab.export(ECOTAXA, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_the_table_has_every_measure_with_its_unit_and_where_it_comes_from(lab: Lab, tmp_path: Path) -> None:
    lab.export(CSV, tmp_path)
    with (tmp_path / f"{SCAN}.objects.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    told = json.loads((tmp_path / f"{SCAN}.objects.json").read_text())
    assert [column["name"] for column in told["columns"]] == list(rows[0])
    units = {column["name"]: column["unit"] for column in told["columns"]}
    assert (units["major_px"], units["area_mm2"], units["mean_grey"], units["key"]) == ("px", "mm2", "grey", "")
    assert {column["name"] for column in told["columns"] if not column["description"]} & {"esd_px", "fractal", "decision"} == set()
    with lab.reader() as connection:
        standing = {one.key: one for one in standing_objects(connection, lab.scan.scan_id)}
    assert [row["key"] for row in rows] == list(standing)
    for row in rows:
        one = standing[row["key"]]
        assert float(row["major_px"]) == pytest.approx(one.measures["major"], abs=1e-6)
        assert float(row["major_mm"]) == pytest.approx((one.measures["major"] or 0) * 25.4 / 2400, abs=1e-6)
        assert (row["run_uuid"], row["signed_by"], row["scan"], row["bx_px"]) == (lab.scan.run_uuid, "mary", SCAN, str(one.x_px))
    assert {check["check"] for check in told["checks"]} >= {"black_white_ratio", "signature"}


def test_the_work_folder_is_the_one_that_zooprocess_leaves(lab: Lab, tmp_path: Path) -> None:
    (folder,) = lab.export(LEGACY, tmp_path).files
    names = {path.name for path in folder.iterdir()}
    assert folder == tmp_path / "_work" / SCAN
    texts = {f"{SCAN}_meas.txt", f"{SCAN}_log.txt", f"{SCAN}_meta.txt", "export_manifest.json"}
    pictures = {f"{SCAN}_{number}.jpg" for number in range(1, 8)}
    assert names == {*wanted_files(SCAN, with_separation=True), *texts, *pictures}
    with Image.open(folder / f"{SCAN}_1.jpg") as picture:
        assert (picture.format, picture.mode, picture.info["dpi"]) == ("JPEG", "L", (2400, 2400))
    table = list(csv.DictReader((folder / f"ecotaxa_{SCAN}.tsv").read_text("latin-1").splitlines()[:1] * 2, delimiter="\t"))
    assert table[0]["object_id"] == "object_id"
    rows = (folder / f"ecotaxa_{SCAN}.tsv").read_text("latin-1").splitlines()[2:]
    assert [row.split("\t")[0] for row in rows] == [f"{SCAN}_{number}.jpg" for number in range(1, 8)]


def test_the_pictures_of_the_work_folder_show_the_scan(lab: Lab, tmp_path: Path) -> None:
    (folder,) = lab.export(LEGACY, tmp_path).files
    with zipfile.ZipFile(folder / f"{SCAN}_vis1.zip") as archive, archive.open(f"{SCAN}_vis1.tif") as file:
        assert np.array_equal(tifffile.imread(file), lab.scan.clean)
    with lab.reader() as connection:
        lines = np.concatenate([line.pixels for line in standing_lines(connection, lab.scan.scan_id)])
        standing = list(standing_objects(connection, lab.scan.scan_id))
        border = dict(outlines(connection, lab.scan.scan_id))
    sep = np.zeros_like(lab.scan.clean)
    sep[lines[:, 1], lines[:, 0]] = 255
    out = np.zeros_like(lab.scan.clean)
    for one in standing:
        out[border[one.key][:, 1].astype(int) + one.y_px, border[one.key][:, 0].astype(int) + one.x_px] = 255
    wanted = {"sep": sep, "out1": out, "msk1": np.where((lab.scan.clean <= 243) & (sep == 0), np.uint8(0), np.uint8(255))}
    for name, picture in wanted.items():
        with Image.open(folder / f"{SCAN}_{name}.gif") as found:
            assert found.mode == "L", name
            assert np.array_equal(np.asarray(found), picture), name


def test_log_pid_and_measures_are_read_as_zooprocess_writes_them(lab: Lab, tmp_path: Path) -> None:
    (folder,) = lab.export(LEGACY, tmp_path).files
    pid = (folder / f"{SCAN}_dat1.pid").read_text()
    log = read_keyed_text((folder / f"{SCAN}_log.txt").read_text())
    assert pid.startswith((folder / f"{SCAN}_log.txt").read_text())
    assert (log.value("SampleId", "Sample"), log.value("SubPart", "Subsample"), log.value("PixSize")) == ("st66", "4", "0.0106")
    assert (log.value("Separation_lines"), log.value("Analysed_Objects"), log.value("B/W_ratio")) == ("1", "7", "0.0500")
    assert (log.value("Scanning_date", "Image"), log.value("Min", "LUT")) == ("20260613_0915", "551")
    heading, *rows = pid.split("[Data]\n")[1].splitlines()
    assert heading.split(";")[:3] == ["!Item", "Label", "Area"]
    assert all(len(row.split(";")) == len(heading.split(";")) == 56 for row in rows)
    measures = list(csv.reader((folder / f"{SCAN}_meas.txt").read_text().splitlines(), delimiter="\t"))
    assert (len(measures), len(measures[0]), measures[1][1]) == (8, 55, SCAN)
    areas = [row[measures[0].index("Area")] for row in measures[1:]]
    assert [row.split(";")[2] for row in rows] == areas
    meta = decode_text((folder / f"{SCAN}_meta.txt").read_bytes())
    assert read_keyed_text(meta).value("Vol") == "25.5"


def test_an_export_is_replaced_by_its_like_and_by_nothing_else(lab: Lab, tmp_path: Path) -> None:
    lab.export(ECOTAXA, tmp_path)
    lab.export(ECOTAXA, tmp_path)
    lab.export(LEGACY, tmp_path)
    lab.export(LEGACY, tmp_path)
    path = tmp_path / f"ecotaxa_{SCAN}.zip"
    path.write_bytes(b"somebody's work")
    with pytest.raises(SettingsError, match="would be lost"):
        lab.export(ECOTAXA, tmp_path)
    assert path.read_bytes() == b"somebody's work"
    (tmp_path / "_work" / SCAN / "notes.txt").write_text("mine")
    with pytest.raises(SettingsError, match="not empty"):
        lab.export(LEGACY, tmp_path)
    assert not [left for left in tmp_path.rglob("*") if ".part" in left.name]


def test_another_projects_scan_of_the_same_name_is_not_overwritten(lab: Lab, tmp_path: Path) -> None:
    other = lab.writer.call(lambda connection: seed_scan(connection, home=lab.home, project="Zooscan_other_sn044", objects=2, seed=7))
    lab.desk.sign(other.scan_uuid, actor="mary 10.0.0.7")
    with pytest.raises(ScanRefusedError, match="several scans are called"):
        lab.export(ECOTAXA, tmp_path)
    for wish in (ECOTAXA, LEGACY, CSV):
        lab.export(wish, tmp_path, f"test/{SCAN}")
        with pytest.raises(SettingsError):
            lab.export(wish, tmp_path, other.scan_uuid)
    assert {row["acq_instrument"] for row in _zip_table(tmp_path).rows} == {"zooscan_sn033"}


@pytest.mark.parametrize(
    ("actor", "person"),
    [("mary 10.0.0.7", "mary"), ("Mary Ann fe80::1", "Mary Ann"), ("mary", "mary"), ("Mary Ann", "Mary Ann"), ("10.0.0.7", "10.0.0.7")],
)
def test_addresses_stay_aboard(actor: str, person: str) -> None:
    assert person_of(actor) == person


def test_a_lost_picture_or_clean_scan_is_told_and_nothing_is_written(lab: Lab, tmp_path: Path) -> None:
    folder = lab.home / lab.scan.folder
    (folder / "clean.tif").unlink()
    with pytest.raises(InputError, match=r"clean\.tif"):
        lab.export(LEGACY, tmp_path / "out")
    (folder / "vignettes.zip").write_bytes(b"damaged")
    with pytest.raises(ExportRefusedError, match="pictures of 7 objects"):
        lab.export(ECOTAXA, tmp_path / "out")
    assert not list((tmp_path / "out").rglob("*.*"))


def test_a_scan_that_is_not_there_is_told(lab: Lab, tmp_path: Path) -> None:
    with pytest.raises(ScanRefusedError, match="there is no scan"):
        lab.export(ECOTAXA, tmp_path, "nobody")
    with pytest.raises(SettingsError, match="watched folder"):
        lab.export(ECOTAXA, Path("/scans/out"))


def test_the_archive_for_sending_is_the_one_of_the_export(lab: Lab, tmp_path: Path) -> None:
    with lab.reader() as connection:
        path = make_archive(connection, lab.home, lab.scan.scan_id, tmp_path)
    assert path == tmp_path / f"ecotaxa_{SCAN}.zip"
    assert len(_zip_table(tmp_path).rows) == 7
    lab.desk.withdraw(lab.scan.scan_uuid, reason="wrong", actor="mary")
    with lab.reader() as connection, pytest.raises(ExportRefusedError):
        make_archive(connection, lab.home, lab.scan.scan_id, tmp_path)


def test_the_checks_see_the_scan_as_it_stands(lab: Lab) -> None:
    twin = lab.writer.call(lambda connection: seed_scan(connection, name="st66_d1_2", objects=2, seed=9))
    with lab.reader() as connection:
        facts = facts_of(connection, lab.home, lab.scan.scan_id)
        assert one_scan(connection, twin.scan_uuid).name == "st66_d1_2"
    assert (len(facts.objects), facts.lines, facts.signed, facts.vignettes, facts.undecided) == (7, 1, True, 7, 1)
    assert [(one.name, one.fraction_id, one.has_same_sample) for one in facts.relatives] == [("st66_d1_2", "d1", True)]
    levels = {one.check: one.level for one in findings(facts)}
    assert (levels["fraction"], levels["signature"], levels["object_count"], levels["vignettes"]) == ("wrong", "look", "look", "ok")
