"""The reader that stands in for EcoTaxa's importer finds what that one refuses, crashes on or takes in changed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.helpers.small_import import KEYS, SCAN, good_files, make_zip, picture, rows_of, table, write_zip
from tests.simulators.ecotaxa_import import Known, check_import

Rows = list[dict[str, str]]
TABLE = f"ecotaxa_{SCAN}.tsv"


def problems(tmp_path: Path, spoil: Callable[[Rows], object], known: Known | None = None) -> list[str]:
    rows = rows_of()
    spoil(rows)
    files = {name: content for name, content in good_files().items() if name != TABLE}
    archive = write_zip(tmp_path / "a.zip", {TABLE: table(rows), **files})
    return [f"{problem.kind} {problem}" for problem in check_import(archive, known)]


def test_a_zip_of_all_rules_has_no_problem(tmp_path: Path) -> None:
    assert check_import(make_zip(tmp_path)) == []


def everywhere(**changes: str) -> Callable[[Rows], object]:
    return lambda rows: [row.update(changes) for row in rows]


def first(**changes: str) -> Callable[[Rows], object]:
    return lambda rows: rows[0].update(changes)


def without(name: str) -> Callable[[Rows], object]:
    return lambda rows: [row.pop(name) for row in rows]


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (without("acq_id"), "error ecotaxa_apero_st66_d_n1_d3_1.tsv: Field acq_id is mandatory, as there are acq columns"),
        (first(object_id=""), "Missing object_id"),
        (first(object_lat="91"), "Invalid position '91'"),
        (first(object_area="-inf"), "Invalid float value '-inf'"),
        (first(object_date="20231301"), "Invalid Date value"),
        (first(object_time="2561"), "Invalid Time value"),
        (first(img_file_name="other.png"), "Missing Image 'other.png'"),
        (first(acq_instrument="z" * 256), "crash ecotaxa_apero_st66_d_n1_d3_1.tsv line 3: acq_instrument has 256 characters"),
        (everywhere(sample_comment="c" * 251), "crash"),
        (everywhere(object_annotation_status="validated"), "there has to be a category"),
        (everywhere(object_annotation_category="Copepoda"), "it has to be with a status"),
        (everywhere(net_id="1"), "unknown prefix 'net'"),
        (everywhere(comment="1"), "must be Table_Field"),
        (first(sample_id="other_sample"), "belongs to sample"),
        (lambda rows: rows.append(dict(rows[0])), "is already in"),
        (first(process_id="another"), "loss ecotaxa_apero_st66_d_n1_d3_1.tsv line 4: another process than"),
        (everywhere(**{f"object_free{number}": "1" for number in range(22)}), "more than 20 free columns"),
        (everywhere(**{f"acq_free{number}": "1" for number in range(31)}), "more than 30 free columns"),
    ],
)
def test_each_broken_rule_is_told(tmp_path: Path, spoil: Callable[[Rows], object], told: str) -> None:
    assert any(told in problem for problem in problems(tmp_path, spoil)), problems(tmp_path, spoil)


def test_what_fits_exactly_is_taken(tmp_path: Path) -> None:
    spoil = everywhere(sample_comment="c" * 250, **{f"acq_free{number}": "1" for number in range(30)})
    assert problems(tmp_path, spoil) == []
    assert problems(tmp_path, first(object_area="nan", object_lat="", object_time="22:10:01")) == []


def test_upper_case_name_of_the_table_is_not_found(tmp_path: Path) -> None:
    files = good_files()
    archive = write_zip(tmp_path / "a.zip", {TABLE.replace("ecotaxa", "EcoTaxa"): files.pop(TABLE), **files})
    assert ["No object to import" in str(problem) for problem in check_import(archive)] == [True]


def test_a_table_without_its_line_of_types_loses_a_line_or_crashes(tmp_path: Path) -> None:
    archive = write_zip(tmp_path / "a.zip", {**good_files(), TABLE: table(rows_of(), types=False)})
    assert any("Invalid Type" in str(problem) for problem in check_import(archive))


def test_text_that_would_be_read_as_latin_1_is_told(tmp_path: Path) -> None:
    rows = rows_of()
    for row in rows:
        row["sample_ship"] = "Thalassa, côte"
    names = {name: content for name, content in good_files().items() if name != TABLE}
    plain = write_zip(tmp_path / "a.zip", {TABLE: table(rows), **names})
    marked = write_zip(tmp_path / "b.zip", {TABLE: table(rows, bom=True), **names})
    unmarked = write_zip(tmp_path / "c.zip", {TABLE: table(rows, bom=True)[3:], **names})
    assert check_import(plain) == []
    assert check_import(marked) == []
    assert ["byte order mark" in str(problem) for problem in check_import(unmarked)] == [True]


def test_damaged_pictures_archives_and_paths_are_told(tmp_path: Path) -> None:
    cut = picture()[:40]
    image = f"{SCAN}_{KEYS[0]}.png"
    assert any(
        "Error while reading image" in str(problem) for problem in check_import(write_zip(tmp_path / "a.zip", {**good_files(), image: cut}))
    )
    assert any("leaves the folder" in str(problem) for problem in check_import(write_zip(tmp_path / "b.zip", {"../x.tsv": b""})))
    whole = make_zip(tmp_path / "c").read_bytes()
    (tmp_path / "d.zip").write_bytes(whole[:-30])
    assert any("no zip" in str(problem) for problem in check_import(tmp_path / "d.zip"))


def test_what_a_project_has_already_counts(tmp_path: Path) -> None:
    known = Known(images={(f"{SCAN}_{KEYS[0]}", f"{SCAN}_{KEYS[0]}.png")})
    archive = make_zip(tmp_path)
    assert ["already in EcoTaxa" in str(problem) for problem in check_import(archive, known)] == [True]
    assert check_import(archive, known, skip_existing=True) == []
