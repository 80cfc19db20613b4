"""EcoTaxa's import zip: read back by other means; what its importer would not take is refused whole, with words."""

from __future__ import annotations

import csv
import math
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edge.errors import ExportRefusedError, InputError
from edge.export.zooscan.columns import DERIVED, MEASURES
from edge.export.zooscan.ecotaxa import write_ecotaxa_zip
from edge.export.zooscan.rules import Problem, find_problems
from edge.export.zooscan.table import EcoTaxaTable, ecotaxa_table, one_line
from edge.export.zooscan.values import ExportObject, ExportScan
from edge.zooscan.measure.derived import derive
from edge.zooscan.measure.features import DERIVED as DERIVED_FIGURES
from edge.zooscan.measure.features import MEASURED
from tests.helpers.ecotaxa_reader import ReadTable, objections, read_zip
from tests.helpers.export_scans import CALANUS, RUN, a_scan, an_object
from tests.simulators.ecotaxa_import import Known, check_import


def _written(folder: Path, *scans: ExportScan) -> list[ReadTable]:
    path = folder / "import.zip"
    path.unlink(missing_ok=True)
    write_ecotaxa_zip(path, scans)
    assert check_import(path, Known(taxa={"calanoida": 45074})) == []
    return read_zip(path)


def _problems(folder: Path, scan: ExportScan) -> list[Problem]:
    path = folder / "refused.zip"
    with pytest.raises(ExportRefusedError) as refused:
        write_ecotaxa_zip(path, [scan])
    assert not path.exists()
    assert refused.value.advice()
    found = [problem for problem in refused.value.problems if isinstance(problem, Problem)]
    assert all(problem.advice and problem.what and problem.column and problem.where for problem in found)
    return found


def test_a_scan_is_read_back_by_other_means(tmp_path: Path) -> None:
    (table,) = _written(tmp_path, a_scan(tmp_path))
    assert objections([table]) == []
    assert (table.name, table.encoding) == ("ecotaxa_tow_1_d1_1_sur_2_1.tsv", "utf-8-sig")
    first = table.rows[0]
    assert [row["object_id"] for row in table.rows] == [f"tow_1_d1_1_sur_2_1_x{x}yAwCh8" for x in ("28", "50", "78")]
    assert list(table.pictures.values()) == [(60, 40), (60, 41), (60, 42)]
    assert (first["object_lat"], first["object_lon"], first["object_lon_end"]) == ("47.846", "-15.437", "")
    assert (first["object_depth_min"], first["object_depth_max"]) == ("312", "419")
    assert (first["object_date"], first["object_time"]) == ("20230626", "08:28:00.000")
    assert (first["sample_id"], first["acq_id"], first["process_id"]) == ("tow_1", "d1_1_sur_2_tow_1", "imagine-edge_d1_1_sur_2_tow_1")
    assert (first["acq_sub_part"], first["sample_tot_vol"], first["acq_instrument"]) == ("4", "203.5", "zooscan_sn033")
    assert (first["process_particle_pixel_size_mm"], first["process_pixel_mm"]) == ("0.0106", "0.010583")
    assert (first["process_multiple_threshold"], first["process_checked_by"]) == ("0.4", "anna")
    assert (first["object_multiple_score"], first["object_multiple"], first["object_multiple_by"]) == ("0.25", "single", "model")


def test_columns_are_those_of_zooprocess_in_its_order_then_our_own(tmp_path: Path) -> None:
    (table,) = _written(tmp_path, a_scan(tmp_path))
    counts = {prefix: sum(column.startswith(f"{prefix}_") for column in table.types) for prefix in ("img", "object", "acq", "sample")}
    assert counts == {"img": 2, "object": 77 + 4, "acq": 30, "sample": 29 + 2}
    assert sum(column.startswith("process_") for column in table.types) == 16 + 11


def test_the_measures_and_their_decimals_are_those_that_are_documented() -> None:
    assert {name: decimals for name, decimals in MEASURES if decimals is not None} == {one.name: one.decimals for one in MEASURED}
    assert tuple(DERIVED_FIGURES) == DERIVED


def test_the_columns_are_those_of_a_genuine_table(shared_data: Path, tmp_path: Path) -> None:
    gold = _gold(shared_data, "2855_223")
    (table,) = _written(tmp_path, a_scan(tmp_path))
    own = [column for column in table.types if column in gold]
    assert own == list(gold)


def _gold(shared_data: Path, which: str) -> dict[str, str]:
    path = shared_data / "zooscan" / "zooprocess_lib_gold" / f"ecotaxa_{which}.tsv"
    if not path.exists():
        pytest.skip(f"no genuine table at {path}")
    with path.open(encoding="latin-1", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    return rows[1]


@pytest.mark.parametrize("which", ["2855_223", "13892_13563"])
def test_a_genuine_objects_figures_come_out_as_zooprocess_writes_them(shared_data: Path, tmp_path: Path, which: str) -> None:
    gold = _gold(shared_data, which)
    path = shared_data / "zooscan" / "zooprocess_lib_gold" / f"meas_{which}.csv"
    with path.open(newline="") as file:
        (row,) = csv.DictReader(file, delimiter="\t")
    measures = {name.lower(): float(text) for name, text in row.items() if name.strip() and name != "Label"}
    derived = derive({name: np.array([value]) for name, value in measures.items()}, legacy=True)
    archive = a_scan(tmp_path, 1).objects[0].vignette
    one = an_object(
        1,
        archive,
        **{f"{edge}_px": int(measures[name]) for edge, name in (("x", "bx"), ("y", "by"), ("width", "width"), ("height", "height"))},
        measures=measures,
        derived={name: float(values[0]) for name, values in derived.items()},
    )
    (table,) = _written(tmp_path, a_scan(tmp_path, 1, objects=[one], is_legacy=True))
    names = [f"object_{name}" for name, _ in MEASURES] + [f"object_{name}" for name in DERIVED] + ["object_tag"]
    # What EcoTaxa is told with two decimals was rounded from more than the three of the table that it is made from here.
    allowed = {f"object_{name}": 0.01000001 for name, decimals in MEASURES if decimals == 2}
    wrong = {
        name: (table.rows[0][name], gold[name])
        for name in names
        if not math.isclose(*_both(table, gold, name), rel_tol=1e-12, abs_tol=allowed.get(name, 0.0))
    }
    assert wrong == {}


def _both(table: ReadTable, gold: dict[str, str], name: str) -> tuple[float, float]:
    return float(table.rows[0][name]), float(gold[name])


def test_what_is_never_filled_is_empty_and_not_nought_but_in_the_legacy_way(tmp_path: Path) -> None:
    scan = a_scan(tmp_path)
    (right,), (legacy,) = _written(tmp_path, scan), _written(tmp_path, replace(scan, is_legacy=True))
    for column in ("object_xmg5", "object_compmean"):
        assert (right.rows[0][column], legacy.rows[0][column]) == ("", "0")
    assert (right.rows[0]["object_nb3"], legacy.rows[0]["object_nb3"]) == ("38", "0")
    assert right.rows[0]["process_derived_figures"] != legacy.rows[0]["process_derived_figures"]


def test_a_measure_that_is_not_defined_is_empty_and_an_infinite_one_is_refused(tmp_path: Path) -> None:
    scan = a_scan(tmp_path)
    strange = [
        replace(one, measures={**one.measures, "skew": value}) for one, value in zip(scan.objects, (math.nan, 1.0, 2.0), strict=True)
    ]
    (table,) = _written(tmp_path, replace(scan, objects=tuple(strange)))
    assert [row["object_skew"] for row in table.rows] == ["", "1", "2"]
    endless = [replace(one, derived={**one.derived, "cv": -math.inf}) for one in scan.objects[:1]]
    (problem,) = _problems(tmp_path, replace(scan, objects=(*endless, *scan.objects[1:])))
    assert (problem.where, problem.column) == (scan.object_id(endless[0].key), "object_cv")


def test_labels_go_out_with_their_status_and_an_object_without_one_has_neither(tmp_path: Path) -> None:
    scan = a_scan(tmp_path)
    first = replace(scan.objects[0], label=CALANUS)
    (table,) = _written(tmp_path, replace(scan, objects=(first, *scan.objects[1:])))
    assert objections([table]) == []
    said = [tuple(row[f"object_annotation_{what}"] for what in ("status", "category", "person_name", "date", "time")) for row in table.rows]
    assert said == [("validated", "Calanoida", "Anna Ray", "20261122", "09:00:00.000"), ("",) * 5, ("",) * 5]
    (bare,) = _written(tmp_path, scan)
    assert not any("annotation" in column for column in bare.types)


def _without(*keys: str) -> Callable[[ExportScan], ExportScan]:
    return lambda scan: replace(scan, stated={key: text for key, text in scan.stated.items() if key not in keys})


def _stating(key: str, text: str) -> Callable[[ExportScan], ExportScan]:
    return lambda scan: replace(scan, stated={**scan.stated, key: text})


def _labelled(**changes: str) -> Callable[[ExportScan], ExportScan]:
    def change(scan: ExportScan) -> ExportScan:
        return replace(scan, objects=(replace(scan.objects[0], label=replace(CALANUS, **changes)), *scan.objects[1:]))

    return change


@pytest.mark.parametrize(
    ("change", "columns"),
    [
        (_without("sampleid"), {"sample_id", "acq_id", "process_id"}),
        (_without("fracid"), {"acq_id", "process_id"}),
        (_stating("sample_comment", "x" * 251), {"sample_comment"}),
        (_stating("sampleid", "x" * 256), {"sample_id", "acq_id", "process_id"}),
        (_stating("ship", "a\x00b"), {"sample_ship"}),
        (lambda scan: replace(scan, latitude_deg=90.5), {"object_lat"}),
        (lambda scan: replace(scan, longitude_deg=-181.0), {"object_lon"}),
        (lambda scan: replace(scan, name="n" * 250), {"object_id"}),
        (lambda scan: replace(scan, objects=()), {"object_id"}),
        (lambda scan: replace(scan, objects=(*scan.objects, scan.objects[0])), {"img_file_name"}),
        (_labelled(status="sure"), {"object_annotation_status"}),
        (_labelled(category="", category_id=""), {"object_annotation_status"}),
        (_labelled(status=""), {"object_annotation_status"}),
        (_labelled(category_id="4x"), {"object_annotation_category_id"}),
    ],
)
def test_what_ecotaxa_would_not_take_is_told_and_nothing_is_written(
    tmp_path: Path, change: Callable[[ExportScan], ExportScan], columns: set[str]
) -> None:
    assert {problem.column for problem in _problems(tmp_path, change(a_scan(tmp_path)))} == columns


def test_all_problems_are_told_at_once(tmp_path: Path) -> None:
    scan = replace(_stating("sample_comment", "x" * 251)(_without("fracid")(a_scan(tmp_path))), latitude_deg=91.0)
    assert {"acq_id", "process_id", "sample_comment", "object_lat"} == {problem.column for problem in _problems(tmp_path, scan)}


def test_missing_and_damaged_pictures_are_refused(tmp_path: Path) -> None:
    scan = a_scan(tmp_path)
    archive, _ = scan.objects[0].vignette
    gone = replace(scan.objects[1], vignette=(archive, "9.png"))
    (problem,) = _problems(tmp_path, replace(scan, objects=(scan.objects[0], gone)))
    assert problem.where == scan.object_id(gone.key)
    assert (
        len(_problems(tmp_path, replace(scan, objects=tuple(replace(o, vignette=(tmp_path / "no.zip", "0.png")) for o in scan.objects))))
        == 3
    )
    with zipfile.ZipFile(archive, "a") as opened:
        opened.writestr("text.png", "no picture")
    with pytest.raises(InputError, match="no PNG"):
        write_ecotaxa_zip(tmp_path / "x.zip", [replace(scan, objects=(replace(scan.objects[0], vignette=(archive, "text.png")),))])


def _table(columns: tuple[str, ...], types: str, *rows: tuple[str, ...]) -> EcoTaxaTable:
    return EcoTaxaTable(columns=columns, types=tuple(types), rows=rows, names=tuple(row[0] for row in rows))


_IDS = ("object_id", "img_file_name")


@pytest.mark.parametrize(
    ("table", "words"),
    [
        (_table((*_IDS, "sample_ship"), "ttt", ("a", "a.png", "x")), "sample_id is not in the table"),
        (_table((*_IDS, "net_mesh"), "ttt", ("a", "a.png", "x")), "EcoTaxa knows no such column"),
        (_table((*_IDS, "object_Area"), "ttf", ("a", "a.png", "1")), "EcoTaxa knows no such column"),
        (_table((*_IDS, "object_lat"), "ttt", ("a", "a.png", "1")), "its type is [t]"),
        (_table((*_IDS, *(f"object_t{n}" for n in range(21))), "t" * 23, ("a", "a.png", *["x"] * 21)), "21; EcoTaxa keeps 20"),
        (_table((*_IDS, *(f"object_n{n}" for n in range(501))), "tt" + "f" * 501, ("a", "a.png", *["1"] * 501)), "501; EcoTaxa keeps 500"),
        (_table((*_IDS, "acq_id", *(f"acq_n{n}" for n in range(31))), "t" * 34, ("a", "a.png", *["x"] * 32)), "31; EcoTaxa keeps 30"),
        (_table((*_IDS, "object_date"), "ttt", ("a", "a.png", "20230231")), "no YYYYMMDD: 20230231"),
        (_table((*_IDS, "object_time"), "ttt", ("a", "a.png", "24:00:00")), "no HH:MM:SS: 24:00:00"),
        (_table((*_IDS, "object_n"), "ttf", ("a", "a.png", "1,5")), "no number: 1,5"),
        (_table(_IDS, "tt", ("a", "../a.png")), "no name of a picture: ../a.png"),
        (
            _table((*_IDS, "acq_id", "sample_id"), "tttt", ("a", "a.png", "q", "s"), ("b", "b.png", "q", "t")),
            "the acquisition belongs to 2 of these; EcoTaxa takes one sample",
        ),
    ],
)
def test_rules_that_our_own_tables_cannot_break(table: EcoTaxaTable, words: str) -> None:
    assert words in [problem.what for problem in find_problems(table)]


def test_several_scans_lie_in_a_folder_each(tmp_path: Path) -> None:
    scan = a_scan(tmp_path)
    other = replace(_stating("fracid", "d2")(scan), name="tow_1_d2_1")
    tables = _written(tmp_path, scan, other)
    assert [table.name.split("/")[0] for table in tables] == ["tow_1_d1_1_sur_2_1", "tow_1_d2_1"]
    assert objections(tables) == []


def test_a_name_that_no_disk_takes_becomes_one_that_every_disk_takes(tmp_path: Path) -> None:
    (table,) = _written(tmp_path, replace(a_scan(tmp_path), name='Tów "1": d1/2'))
    assert table.name == "ecotaxa_t_w_1_d1_2.tsv"
    assert table.rows[0]["object_id"].startswith('Tów "1": d1/2_x')
    assert objections([table]) == []


_TEXTS = st.text(max_size=300) | st.text(st.characters(categories=["L", "N", "P", "S", "Zs"]), max_size=260)


@given(st.dictionaries(st.sampled_from(["sampleid", "ship", "sample_comment", "vol", "observation", "fracid", "nb_jar", "zmax"]), _TEXTS))
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_was_typed_goes_out_or_is_refused_with_words(tmp_path: Path, typed: dict[str, str]) -> None:
    scan = a_scan(tmp_path, 1)
    scan = replace(scan, stated={**scan.stated, **typed})
    if find_problems(ecotaxa_table(scan)):
        assert _problems(tmp_path, scan)
        return
    (table,) = _written(tmp_path, scan)
    assert objections([table]) == []
    for key, column in (("ship", "sample_ship"), ("sample_comment", "sample_comment"), ("sampleid", "sample_id")):
        assert table.rows[0][column] == one_line(scan.stated.get(key, ""))


@given(st.text(max_size=40))
def test_a_text_on_one_line_loses_nothing_but_breaks_and_blanks_at_its_ends(text: str) -> None:
    line = one_line(text)
    assert "".join(line.split()) == "".join(text.split())
    assert not set(line) & set("\t\n\r\v\f\x1c\x1d\x1e\x85\u2028\u2029")


def test_the_importers_own_example_is_one_that_our_reader_reads(shared_data: Path) -> None:
    path = shared_data / "zooscan" / "ecotaxa_import" / "import_test.zip"
    if not path.exists():
        pytest.skip(f"no example at {path}")
    with zipfile.ZipFile(path) as archive:
        names = [name for name in archive.namelist() if name.endswith(".tsv")]
        heading = archive.read(names[0]).decode("latin-1").splitlines()[0].lower().split("\t")
    assert {"object_id", "img_file_name", "sample_id", "acq_id", "process_id"} <= set(heading)


def test_two_thousand_objects_are_looked_at(tmp_path: Path) -> None:
    scan = a_scan(tmp_path, 1)
    many: list[ExportObject] = [replace(scan.objects[0], key=f"x{n:X}yAwCh8", number=n + 1) for n in range(2000)]
    table = ecotaxa_table(replace(scan, objects=tuple(many)))
    assert (find_problems(table), len(table.rows), len(table.columns)) == ([], 2000, len(set(table.columns)))


def test_a_scan_that_nobody_signed_says_so_in_every_row(tmp_path: Path) -> None:
    scan = a_scan(tmp_path)
    (table,) = _written(tmp_path, replace(scan, run=replace(RUN, signed_by=None, signed_at=None)))
    assert {row["process_checked_by"] for row in table.rows} == {"nobody: not signed"}
