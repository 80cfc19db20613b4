from __future__ import annotations

import ast
import csv
import hashlib
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from edge.cells import CsvFile, columns_of, from_cell, to_cell
from edge.export.names import flat_name, relative_name
from edge.export.yolo import data_yaml, label_line
from edge.store.export_rows import ExportResult, FoundObject

FORMULA_SIGNS = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")


def make_image(**changes: Any) -> ExportResult:
    name: bytes = changes.pop("name_bytes", b"still.jpg")
    folder: bytes = changes.pop("folder_bytes", b"tow 07")
    fields: dict[str, Any] = dict.fromkeys(columns_of(ExportResult), "")
    fields |= {"sha256": hashlib.sha256(name).hexdigest(), "format": "jpeg", "width_px": 200, "height_px": 100, "original": "present"}
    fields |= {"name_bytes": name, "name": name.decode("utf-8", "backslashreplace"), "root_id": 3, "copy_path": None}
    fields |= {"folder_bytes": folder, "folder": folder.decode("utf-8", "backslashreplace"), "root_path_bytes": b"/mnt"}
    return ExportResult(**(fields | changes))


def make_object(x_min: float, y_min: float, x_max: float, y_max: float, *, label: str = "opening", score: float = 0.5) -> FoundObject:
    return FoundObject(1, 0, label, None, score, 1, x_min, y_min, x_max, y_max)


# Cells -----------------------------------------------------------------------------------------------------------


@given(st.lists(st.text(), min_size=1, max_size=4))
@example(["=cmd|'/c calc'!A1"])
@example(["'=already guarded"])
@example(["a\r\nb\u202e\u2028", '"', "\u0000x"])
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_any_text_survives_a_csv_file(tmp_path: Path, texts: list[str]) -> None:
    path = tmp_path / "table.csv"
    with CsvFile(path, [f"column_{number}" for number in range(len(texts))]) as table:
        table.write(texts)
        assert table.rows == 1
    with path.open(encoding="utf-8", newline="") as file:
        _, cells = csv.reader(file)
    assert [from_cell(cell) for cell in cells] == texts
    assert not any(cell.startswith(FORMULA_SIGNS) for cell in cells)


@pytest.mark.parametrize(("value", "cell"), [("=1+1", "'=1+1"), ("a=1", "a=1"), ("", ""), (None, ""), (-1.5, -1.5), (0, 0), ("'", "''")])
def test_cells(value: str | float | None, cell: str | float) -> None:
    assert to_cell(value) == cell
    assert type(to_cell(value)) is type(cell)


# Names -----------------------------------------------------------------------------------------------------------

file_names = st.binary(min_size=1, max_size=255).filter(lambda raw: b"/" not in raw and b"\0" not in raw and raw not in (b".", b".."))


@given(file_names)
@example(b"..\\..\\evil.jpg")
@example(b"\xff\xfe.jpg")
@example("\u202egpj.exe".encode())
@example(b"new\nline.jpg")
@example(b"a" * 255)
@example(b".jpg")
@example(b"CON")
def test_a_flat_name_is_harmless_everywhere(name: bytes) -> None:
    flat = flat_name(make_image(name_bytes=name))
    assert flat.isascii()
    assert len(flat) <= 100
    assert not set(flat) & set('/\\:*?"<>|\n\r\t\x7f ')
    assert not flat.startswith((".", "-"))
    assert flat.endswith(".jpg")


def test_equal_stems_get_different_names_and_equal_contents_the_same() -> None:
    images = [
        make_image(sha256=hashlib.sha256(content).hexdigest(), folder_bytes=folder, name_bytes=name, format=kind)
        for content, folder, name, kind in (
            (b"1", b"tow 1", b"a.jpg", "jpeg"),
            (b"2", b"tow 2", b"a.jpg", "jpeg"),
            (b"3", b"tow 1", b"a.png", "png"),
        )
    ]
    assert len({Path(flat_name(image)).stem for image in images}) == 3
    assert flat_name(images[0]) == flat_name(images[0])


@pytest.mark.parametrize(
    ("changes", "several_roots", "expected"),
    [
        ({}, False, "tow 07/still.jpg"),
        ({"folder_bytes": b""}, False, "still.jpg"),
        ({}, True, "root-3/tow 07/still.jpg"),
        ({"original": "gone"}, False, "tow 07/still.jpg"),
        ({"original": "changed", "sha256": "ab" * 32}, False, "tow 07/still.abababababab.jpg"),
        ({"name_bytes": b"\xff.jpg", "sha256": "ab" * 32}, False, "tow 07/\\xff.abababababab.jpg"),
        ({"folder_bytes": b"\xff", "sha256": "ab" * 32}, False, "\\xff/still.abababababab.jpg"),
        ({"name_bytes": b"plain", "original": "changed", "sha256": "ab" * 32}, False, "tow 07/plain.abababababab"),
    ],
)
def test_a_relative_name_is_unique_where_names_are_not(changes: dict[str, Any], several_roots: bool, expected: str) -> None:
    assert relative_name(make_image(**changes), several_roots=several_roots) == expected


def test_the_bytes_are_read_where_the_file_system_has_them() -> None:
    assert os.fsencode(make_image(name_bytes=b"\xff.jpg").bytes_path) == b"/mnt/tow 07/\xff.jpg"
    assert make_image(copy_path="/home/media/x.jpg").bytes_path == Path("/home/media/x.jpg")


# YOLO ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("box", "line"),
    [
        ((0, 0, 200, 100), "0 0.500000 0.500000 1.000000 1.000000\n"),
        ((20, 10, 40, 30), "0 0.150000 0.200000 0.100000 0.200000\n"),
        ((-20, -10, 20, 10), "0 0.050000 0.050000 0.100000 0.100000\n"),
        ((190, 90, 400, 300), "0 0.975000 0.950000 0.050000 0.100000\n"),
    ],
)
def test_a_label_line_is_in_fractions_of_the_image(box: tuple[float, ...], line: str) -> None:
    assert label_line(make_image(), make_object(*box), 0) == line


coordinates = st.floats(-50, 250, allow_nan=False, width=32)


@given(st.tuples(coordinates, coordinates, coordinates, coordinates))
def test_a_label_line_never_leaves_the_image(box: tuple[float, float, float, float]) -> None:
    x_min, x_max = sorted((box[0], box[2]))
    y_min, y_max = sorted((box[1], box[3]))
    fields = [float(field) for field in label_line(make_image(), make_object(x_min, y_min, x_max, y_max), 0).split()[1:]]
    assert all(0 <= field <= 1 for field in fields)
    assert fields[0] + fields[2] / 2 <= 1 + 2e-6
    assert fields[1] - fields[3] / 2 >= -2e-6


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20), max_size=4))
@example(['quote " and \\', "line\nbreak", "\u2028\u0085", "🦐", "~", "no", "1", "\x7f"])
def test_any_class_name_is_read_back_from_data_yaml(names: list[str]) -> None:
    document = data_yaml(names)
    assert document.isascii()
    assert document.replace("\n", "").isprintable()
    head, _, scalars = document.partition("names:")
    assert f"\nnc: {len(names)}\n" in head
    # The escapes used are the same in YAML's double-quoted scalars and in Python's.
    lines = [line for line in scalars.splitlines() if line.startswith("  ")]
    assert [ast.literal_eval(line.split(": ", 1)[1]) for line in lines] == names


def test_data_yaml_of_no_class_at_all() -> None:
    assert data_yaml([]).endswith("nc: 0\nnames: {}\n")
