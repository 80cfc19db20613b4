"""Reads the tables that EcoTaxa exports: which object it calls what. A TSV, or the zip that holds it, UTF-8 with a mark or latin-1."""

from __future__ import annotations

import csv
import io
import lzma
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, NamedTuple

from edge.errors import InputError, Reason

MAX_TABLE_BYTES = 4 * 1024**3
_BOM = b"\xef\xbb\xbf"
_TYPES = ("[f]", "[t]")
_NEEDED = ("object_id", "object_annotation_status")
_CATEGORY = ("object_annotation_category", "object_annotation_category_id")


class Categorised(NamedTuple):
    """A row of an export; empty where it says nothing. `status` is such as "validated"; `at` is as the table writes it."""

    object_id: str
    category: str
    category_id: str
    hierarchy: str
    status: str
    person: str
    at: str


def read_categories(path: Path) -> Iterator[Categorised]:
    """Every row of the tables of an export, in their order. An object with several images has several rows.

    Raises:
        InputError: the file cannot be read, is damaged, or is no export with categories.
    """
    try:
        if zipfile.is_zipfile(path):
            yield from _of_zip(path)
        else:
            with path.open("rb") as file:
                yield from _rows(file, path.name)
    except OSError as error:
        raise InputError(Reason.UNREADABLE_FILE, f"{path} cannot be read: {error.strerror or error}") from error
    except (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, NotImplementedError, RuntimeError) as error:
        raise InputError(Reason.CORRUPT, f"{path.name} is a damaged archive: {error}", advice="Export it from EcoTaxa again.") from error


def _of_zip(path: Path) -> Iterator[Categorised]:
    with zipfile.ZipFile(path) as archive:
        tables = [one for one in archive.infolist() if one.filename.lower().endswith((".tsv", ".txt")) and not one.is_dir()]
        if not tables:
            raise InputError(Reason.UNKNOWN_FORMAT, f"{path.name} holds no table", advice="Export the project as TSV or as annotations.")
        for table in tables:
            if table.file_size > MAX_TABLE_BYTES:
                raise InputError(Reason.TOO_MANY_BYTES, f"{table.filename} of {path.name} has {table.file_size} bytes unpacked")
            with archive.open(table) as file:
                yield from _rows(file, table.filename)


def _rows(file: IO[bytes], name: str) -> Iterator[Categorised]:
    with as_text(file) as text:
        reader = csv.reader(text, delimiter="\t", quotechar='"')
        try:
            heading = [cell.strip().lower() for cell in next(reader, [])]
            places = {column: place for place, column in enumerate(heading)}
            if any(column not in places for column in _NEEDED) or not any(column in places for column in _CATEGORY):
                wanted = f"{', '.join(_NEEDED)} and {_CATEGORY[0]}"
                raise InputError(
                    Reason.UNKNOWN_FORMAT, f"{name} has not the columns {wanted}", advice="Export the project as TSV from EcoTaxa."
                )
            for cells in reader:
                if cells and not (reader.line_num == len(_TYPES) and set(cells) <= {*_TYPES, ""}):
                    yield _row(cells, places, len(heading), f"{name} line {reader.line_num}")
        except csv.Error as error:
            raise InputError(Reason.CORRUPT, f"{name} line {reader.line_num}: {error}", advice="Export it from EcoTaxa again.") from error


def _row(cells: list[str], places: Mapping[str, int], columns: int, where: str) -> Categorised:
    if len(cells) != columns:
        raise InputError(Reason.CORRUPT, f"{where} has {len(cells)} cells instead of {columns}", advice="Export it from EcoTaxa again.")

    def cell(column: str) -> str:
        place = places.get(column)
        return "" if place is None else cells[place].strip()

    at = " ".join(filter(None, (cell("object_annotation_date"), cell("object_annotation_time"))))
    return Categorised(
        object_id=cell("object_id"),
        category=cell("object_annotation_category"),
        category_id=cell("object_annotation_category_id"),
        hierarchy=cell("object_annotation_hierarchy"),
        status=cell("object_annotation_status").lower(),
        person=cell("object_annotation_person_name"),
        at=at,
    )


@contextmanager
def as_text(file: IO[bytes]) -> Iterator[IO[str]]:
    """The text of a table: UTF-8 where it begins with the mark, else latin-1, as EcoTaxa itself reads it."""
    buffered = io.BufferedReader(file) if not isinstance(file, io.BufferedReader) else file  # type: ignore[type-var]
    encoding = "utf-8-sig" if buffered.peek(len(_BOM))[: len(_BOM)] == _BOM else "latin-1"
    text = io.TextIOWrapper(buffered, encoding=encoding, errors="replace", newline="")
    try:
        yield text
    finally:
        text.detach()
