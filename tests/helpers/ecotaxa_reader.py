"""Reads an EcoTaxa import zip as its importer does, by means of its own, and says what the importer would not take."""

from __future__ import annotations

import csv
import datetime as dt
import io
import re
import zipfile
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

NUMBERS_OF_ITS_OWN = {"object_lat", "object_lon", "object_depth_min", "object_depth_max", "img_rank"}
TEXTS_OF_ITS_OWN = {"object_id", "object_link", "object_date", "object_time", "acq_id", "acq_instrument", "process_id", "sample_id"}
TEXTS_OF_ITS_OWN |= {"img_file_name", "sample_dataportal_descriptor"}
ANNOTATION = "object_annotation_"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadTable:
    """A table of the zip: `rows` by column, text as it stands; `pictures`: sizes of the images it names."""

    name: str
    encoding: str
    types: dict[str, str]
    rows: list[dict[str, str]]
    pictures: dict[str, tuple[int, int]]


def read_zip(path: Path) -> list[ReadTable]:
    """Every table of a zip, with its pictures opened."""
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        names = archive.namelist()
        tables = [name for name in names if re.fullmatch(r"(?:.*/)?ecotaxa[^/]*\.(?:tsv|txt)", name)]
        assert len(tables) <= 2000
        found = [_read_table(archive, name) for name in tables]
        named = {f"{_folder(table.name)}{picture}" for table in found for picture in table.pictures}
        assert set(names) - set(tables) - {name for name in names if name.endswith("/")} == named
        return found


def _folder(name: str) -> str:
    return name[: name.rfind("/") + 1]


def _read_table(archive: zipfile.ZipFile, name: str) -> ReadTable:
    data = archive.read(name)
    encoding = "utf-8-sig" if data.startswith(b"\xef\xbb\xbf") else "latin-1"
    lines = csv.reader(io.StringIO(data.decode(encoding), newline=""), delimiter="\t", quotechar='"', strict=True)
    heading = [cell.strip().lower() for cell in next(lines)]
    assert len(set(heading)) == len(heading)
    types = dict(zip(heading, next(lines), strict=True))
    rows = [dict(zip(heading, line, strict=True)) for line in lines]
    pictures = {row["img_file_name"]: _size(archive.read(_folder(name) + row["img_file_name"])) for row in rows}
    return ReadTable(name=name, encoding=encoding, types=types, rows=rows, pictures=pictures)


def _size(data: bytes) -> tuple[int, int]:
    with Image.open(io.BytesIO(data)) as picture:
        picture.load()
        assert picture.format in {"PNG", "JPEG", "GIF"}
        return picture.size


def objections(tables: list[ReadTable]) -> list[str]:
    """What the importer would not take, or what would end its job in the middle."""
    found = [wrong for table in tables for wrong in (*_of_columns(table), *_of_cells(table))]
    rows = [row for table in tables for row in table.rows]
    pairs = [(row["object_id"], row["img_file_name"]) for row in rows]
    found += ["an object and its image are there twice"] * (len(set(pairs)) != len(pairs))
    for other in ("sample_id", "process_id"):
        owners = {(row.get("acq_id"), row.get(other)) for row in rows}
        found += [f"an acquisition with several {other}"] * (len({one for one, _ in owners}) != len(owners))
    return found


def _of_columns(table: ReadTable) -> list[str]:
    found = []
    for prefix in {column.split("_")[0] for column in table.types}:
        if prefix not in {"object", "acq", "process", "sample", "img"}:
            found.append(f"prefix {prefix}")
        elif prefix != "img" and f"{prefix}_id" not in table.types:
            found.append(f"no {prefix}_id")
    for column, kind in table.types.items():
        if kind not in {"[f]", "[t]"}:
            found.append(f"{column}: type {kind}")
        if (column in NUMBERS_OF_ITS_OWN) != (kind == "[f]") and column in NUMBERS_OF_ITS_OWN | TEXTS_OF_ITS_OWN:
            found.append(f"{column}: type {kind}")
    free = [c for c in table.types if c not in NUMBERS_OF_ITS_OWN | TEXTS_OF_ITS_OWN and not c.startswith(ANNOTATION)]
    counts = {
        "numbers": (sum(c.startswith("object_") and table.types[c] == "[f]" for c in free), 500),
        "texts": (sum(c.startswith("object_") and table.types[c] == "[t]" for c in free), 20),
        "sample": (sum(c.startswith("sample_") for c in free), 60),
        "acq": (sum(c.startswith("acq_") for c in free), 30),
        "process": (sum(c.startswith("process_") for c in free), 30),
    }
    return found + [f"{count} {what}" for what, (count, most) in counts.items() if count > most]


def _of_cells(table: ReadTable) -> list[str]:
    found = []
    for row in table.rows:
        for column, text in row.items():
            found += [f"{column}: {wrong}" for wrong in _of_cell(column, table.types[column], text)]
        if not row.get("object_id") or not row.get("img_file_name"):
            found.append("a line without an id")
        found += [f"{name} is empty" for name in ("acq_id", "process_id", "sample_id") if name in row and not row[name]]
        has_status, has_category = bool(row.get(f"{ANNOTATION}status")), bool(row.get(f"{ANNOTATION}category"))
        found += ["a status without its category, or the other way round"] * (has_status != has_category)
    return found


def _of_cell(column: str, kind: str, text: str) -> list[str]:
    if not text:
        return []
    found = []
    ids = TEXTS_OF_ITS_OWN - {"object_date", "object_time", "sample_dataportal_descriptor"}
    longest = 8000 if column == "sample_dataportal_descriptor" else 255 if column in ids else 250
    if len(text) > longest:
        found.append(f"{len(text)} letters")
    if re.search(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff\u2028\u2029]", text):
        found.append("a letter that no database keeps")
    if kind == "[f]" and text.lower() not in {"nan", "na"}:
        value = float(text)
        edge = {"object_lat": 90, "object_lon": 180}.get(column, 1e300)
        found += ["beyond its range"] * (not -edge <= value <= edge)
    if column in {"object_date", f"{ANNOTATION}date"}:
        dt.datetime.strptime(text, "%Y%m%d")
    if column in {"object_time", f"{ANNOTATION}time"}:
        dt.datetime.strptime(text, "%H:%M:%S.%f")
    if column == f"{ANNOTATION}status" and text not in {"predicted", "validated", "dubious", "discarded", "noid"}:
        found.append("an unknown status")
    return found
