"""What EcoTaxa's importer makes of a zip, read independently of what writes ours (facts: domain notes on ZooScan, section b).

check_import(Path("ecotaxa_scan.zip"))  ->  problems, worst first; empty if every line goes in as it was written
"""

from __future__ import annotations

import csv
import io
import math
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, time
from pathlib import Path
from typing import Literal

from PIL import Image

Kind = Literal["error", "crash", "loss"]
MAX_TABLES = 2000
FREE_TEXT_LIMIT = 250
NAME_LIMIT = 255
DESCRIPTOR_LIMIT = 8000
COLUMN_LIMITS = {("object", "n"): 500, ("object", "t"): 20, ("sample", "t"): 60, ("acq", "t"): 30, ("process", "t"): 30}
STATES = ("predicted", "validated", "dubious", "discarded", "noid")
PREFIXES = ("object", "acq", "process", "sample")
TEXTS = {
    "object_id": NAME_LIMIT,
    "sample_id": NAME_LIMIT,
    "acq_id": NAME_LIMIT,
    "process_id": NAME_LIMIT,
    "img_file_name": NAME_LIMIT,
    "object_link": NAME_LIMIT,
    "acq_instrument": NAME_LIMIT,
    "sample_dataportal_descriptor": DESCRIPTOR_LIMIT,
    "object_date": 10,
    "object_time": 12,
    "object_annotation_status": NAME_LIMIT,
    "object_annotation_category": NAME_LIMIT,
    "object_annotation_date": 10,
    "object_annotation_time": 12,
    "object_annotation_person_name": NAME_LIMIT,
    "object_annotation_person_email": NAME_LIMIT,
    "object_annotation_hierarchy": 100_000,
    "complement_info": 100_000,
}
NUMBERS = ("object_lat", "object_lon", "object_depth_min", "object_depth_max", "object_annotation_category_id", "img_rank")
PREDEFINED = {*TEXTS, *NUMBERS}
_IMAGES = ("PNG", "JPEG", "GIF")
_KEPT_SUFFIXES = (".tsv", ".txt", ".csv", ".zip", ".gz", ".tar", ".png", ".jpg", ".jpeg", ".gif", ".tif", ".tiff")


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """`error`: the importer lists it, takes nothing. `crash`: it passes the check, the job ends half-way. `loss`: it goes in changed."""

    kind: Kind
    where: str
    what: str

    def __str__(self) -> str:
        return f"{self.where}: {self.what}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One object with one image, by cleaned column names."""

    values: dict[str, str]
    where: str

    def text(self, name: str) -> str:
        return self.values.get(name, "")


@dataclass(slots=True, kw_only=True)
class Known:
    """What a project has already: its free columns, its objects, whose acquisition is whose; taxa and users of the server."""

    columns: dict[str, str] = field(default_factory=dict)
    images: set[tuple[str, str]] = field(default_factory=set)
    sample_of: dict[str, str] = field(default_factory=dict)
    taxa: dict[str, int] = field(default_factory=dict)
    users: dict[str, int] = field(default_factory=dict)


@dataclass(slots=True, kw_only=True)
class Checked:
    """A folder as the importer sees it."""

    problems: list[Problem] = field(default_factory=list)
    lines: list[Line] = field(default_factory=list)
    columns: dict[str, str] = field(default_factory=dict)
    taxa: set[str] = field(default_factory=set)
    users: set[str] = field(default_factory=set)


def check_import(archive: Path, known: Known | None = None, *, skip_existing: bool = False, update: bool = False) -> list[Problem]:
    """The problems of a zip; for a project that is empty, or as it is `known`."""
    try:
        with zipfile.ZipFile(archive) as file:
            files = {name: file.read(name) for name in file.namelist() if not name.endswith("/")}
    except (OSError, zipfile.BadZipFile, ValueError, EOFError) as error:
        return [Problem(kind="error", where=archive.name, what=f"no zip that can be unpacked: {error}")]
    escapes = [name for name in files if name.startswith("/") or ".." in Path(name).parts or "\\" in name]
    if escapes:
        return [Problem(kind="error", where=name, what="leaves the folder that it is unpacked into") for name in escapes]
    checked = check_files(files, known or Known(), skip_existing=skip_existing, update=update)
    order: tuple[Kind, ...] = ("error", "crash", "loss")
    return sorted(checked.problems, key=lambda problem: order.index(problem.kind))


def check_files(files: dict[str, bytes], known: Known, *, skip_existing: bool = False, update: bool = False) -> Checked:
    """The problems and the lines of an unpacked folder."""
    checked = Checked(columns=dict(known.columns))
    dropped = [name for name in files if not name.lower().endswith(_KEPT_SUFFIXES)]
    for name in dropped:
        checked.problems.append(Problem(kind="loss", where=name, what="is of no kind that is kept at upload"))
    kept = {name: content for name, content in files.items() if name not in dropped}
    tables = [name for name in sorted(kept) if Path(name).name.startswith("ecotaxa") and name.endswith((".tsv", ".txt"))]
    if len(tables) > MAX_TABLES:
        checked.problems.append(Problem(kind="error", where="zip", what=f"{len(tables)} tables; at most {MAX_TABLES} are taken"))
        return checked
    if not tables:
        checked.problems.append(
            Problem(kind="error", where="zip", what="No object to import: no .txt or .tsv whose name begins with 'ecotaxa'")
        )
        return checked
    seen: dict[tuple[str, str], str] = {}
    for name in tables:
        _Table(name, kept[name], kept, known, checked, update=update).check(seen, skip_existing=skip_existing)
    if not checked.lines and not any(problem.kind == "error" for problem in checked.problems):
        checked.problems.append(Problem(kind="error", where="zip", what="No object to import: the tables are empty"))
    _check_processes(checked)
    return checked


def _check_processes(checked: Checked) -> None:
    """Lines of one acquisition take the process of the first of them."""
    first: dict[str, tuple[str, dict[str, str]]] = {}
    for line in checked.lines:
        process = {name: value for name, value in line.values.items() if name.startswith("process_")}
        acquisition = line.text("acq_id")
        where, expected = first.setdefault(acquisition, (line.where, process))
        if process != expected:
            checked.problems.append(Problem(kind="loss", where=line.where, what=f"another process than {where}, of the same acquisition"))


class _Table:
    """One TSV and its images."""

    def __init__(self, name: str, content: bytes, files: dict[str, bytes], known: Known, checked: Checked, *, update: bool) -> None:
        self.name = name
        self.files = files
        self.known = known
        self.checked = checked
        self.update = update
        self.folder = name.rpartition("/")[0]
        self.types: dict[str, str] = {}
        self.content = content

    def note(self, what: str, *, line: int | None = None, kind: Kind = "error") -> None:
        where = self.name if line is None else f"{self.name} line {line}"
        self.checked.problems.append(Problem(kind=kind, where=where, what=what))

    def check(self, seen: dict[tuple[str, str], str], *, skip_existing: bool) -> None:
        reader = csv.DictReader(io.StringIO(self._decode(), newline=""), delimiter="\t", quotechar='"')
        raw_names = list(reader.fieldnames or [])
        names = {raw: raw.strip(" \t").lower() for raw in raw_names}
        if len(set(names.values())) != len(raw_names):
            self.note("a column stands twice in the header", kind="loss")
        types = next(reader, None)
        if types is None:
            self.note("there is no line of types", kind="crash" if set(names.values()) - PREDEFINED else "error")
            return
        self.types = {names[raw]: value or "" for raw, value in types.items() if raw is not None}
        self._check_header(list(names.values()))
        for number, row in enumerate(reader, 3):
            if None in row:
                self.note(f"value(s) {row[None]} in a column without a header", line=number)
                continue
            values = {names[raw]: (value or "").strip() for raw, value in row.items()}
            self._check_line(Line(values=values, where=f"{self.name} line {number}"), number, seen, skip_existing=skip_existing)

    def _decode(self) -> str:
        if self.content.startswith(b"\xef\xbb\xbf"):
            return self.content.decode("utf-8-sig")
        try:
            if not self.content.isascii() and self.content.decode("utf-8"):
                self.note("UTF-8 without a byte order mark is read as latin-1", kind="loss")
        except UnicodeDecodeError:
            pass
        return self.content.decode("latin-1")

    def _check_header(self, names: list[str]) -> None:
        for name in names:
            prefix, _, rest = name.partition("_")
            if not rest:
                self.note(f"Invalid Header '{name}': it must be Table_Field")
            elif name not in PREDEFINED and name not in self.checked.columns:
                self._add_column(name, prefix)
        for prefix in PREFIXES:
            if any(name.startswith(f"{prefix}_") for name in names) and f"{prefix}_id" not in names:
                self.note(f"Field {prefix}_id is mandatory, as there are {prefix} columns")
        for name in ("object_id", "img_file_name"):
            if name not in names:
                self.note(f"there is no column {name}")

    def _add_column(self, name: str, prefix: str) -> None:
        if prefix not in PREFIXES:
            self.note(f"Invalid Header '{name}': unknown prefix '{prefix}'")
            return
        kind = {"[f]": "n", "[t]": "t"}.get(self.types.get(name, "")) if prefix == "object" else "t"
        if kind is None:
            self.note(f"Invalid Type '{self.types.get(name, '')}' for field '{name}'")
            return
        used = sum(column.startswith(f"{prefix}_") and of == kind for column, of in self.checked.columns.items())
        if used >= COLUMN_LIMITS[prefix, kind]:
            self.note(f"Field {name} cannot be mapped: more than {COLUMN_LIMITS[prefix, kind]} free columns of its kind")
            return
        self.checked.columns[name] = kind

    def _check_line(self, line: Line, number: int, seen: dict[tuple[str, str], str], *, skip_existing: bool) -> None:
        for name, value in line.values.items():
            if value:
                for kind, what in self._value_problems(name, value):
                    self.note(what, line=number, kind=kind)
        key = (line.text("object_id"), line.text("img_file_name"))
        if not key[0]:
            self.note("Missing object_id", line=number)
        self._check_image(key[1], number)
        if key in seen:
            self.note(f"(Object '{key[0]}', Image '{key[1]}') is already in {seen[key]}", line=number)
        elif not skip_existing and key in self.known.images:
            self.note(f"(Object '{key[0]}', Image '{key[1]}') is already in EcoTaxa or being imported", line=number)
        seen.setdefault(key, line.where)
        self._check_parents(line, number)
        self._check_annotation(line, number)
        self.checked.lines.append(line)

    def _value_problems(self, name: str, value: str) -> Iterator[tuple[Kind, str]]:
        is_number = name in NUMBERS or self.checked.columns.get(name) == "n"
        limit = TEXTS.get(name, FREE_TEXT_LIMIT)
        if is_number:
            if value.lower() in ("nan", "na"):
                return
            figure = _figure(value)
            if figure is None:
                yield "error", f"Invalid float value '{value}' for field '{name}'"
            elif (name == "object_lat" and not -90 <= figure <= 90) or (name == "object_lon" and not -180 <= figure <= 180):
                yield "error", f"Invalid position '{value}' for field '{name}'"
            elif name == "object_annotation_category_id" and int(figure) not in self.known.taxa.values():
                yield "error", f"classif_id {value} does not exist"
        elif name in ("object_date", "object_annotation_date") and not _is_date(value):
            yield "error", f"Invalid Date value '{value}' for field '{name}'"
        elif name in ("object_time", "object_annotation_time") and not _is_time(value):
            yield "error", f"Invalid Time value '{value}' for field '{name}'"
        elif name == "object_annotation_status" and value.lower() not in STATES:
            yield "error", f"Invalid Annotation Status '{value}'"
        elif len(value) > limit:
            yield "crash", f"{name} has {len(value)} characters; the column holds {limit}"

    def _check_image(self, name: str, number: int) -> None:
        content = self.files.get(f"{self.folder}/{name}" if self.folder else name) if name else None
        if content is None:
            if not self.update:
                self.note(f"Missing Image '{name}'", line=number)
            return
        try:
            with Image.open(io.BytesIO(content)) as image:
                kind = image.format
                image.verify()
            if kind not in _IMAGES:
                self.note(f"Error while reading image '{name}': it is a {kind}", line=number)
        except (OSError, SyntaxError, ValueError) as error:
            self.note(f"Error while reading image '{name}': {error}", line=number)

    def _check_parents(self, line: Line, number: int) -> None:
        sample, acquisition = line.text("sample_id"), line.text("acq_id")
        if self.update or not sample or not acquisition:
            return
        of = self.known.sample_of.setdefault(acquisition, sample)
        if of != sample:
            self.note(f"acquisition '{acquisition}' belongs to sample '{of}' already, it cannot belong to '{sample}' too", line=number)

    def _check_annotation(self, line: Line, number: int) -> None:
        status = line.text("object_annotation_status")
        category, category_id = line.text("object_annotation_category"), line.text("object_annotation_category_id")
        if status and not (category or category_id):
            self.note(f"When annotation status '{status}' is provided there has to be a category", line=number)
        if (category or category_id) and not status:
            self.note(f"When a category ({category or category_id}) is provided it has to be with a status", line=number)
        if category and not category_id and category.lower() not in self.known.taxa:
            self.checked.taxa.add(category.lower())
        person = line.text("object_annotation_person_name").lower()
        if person and person not in self.known.users and line.text("object_annotation_person_email").lower() not in self.known.users:
            self.checked.users.add(person)


def _figure(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return None if value == -math.inf else value


def _is_date(text: str) -> bool:
    plain = text.replace("-", "") if text[4:5] == text[7:8] == "-" else text
    try:
        date(int(plain[:4]), int(plain[4:6]), int(plain[6:8]))
    except ValueError:
        return False
    return True


def _is_time(text: str) -> bool:
    if text[2:3] == text[5:6] == ":":
        parts = text[0:2], text[3:5], text[6:8]
    else:
        digits = text.zfill(4)
        digits += "0" * (6 - len(digits))
        parts = digits[0:2], digits[2:4], digits[4:6]
    try:
        time(int(parts[0]), int(parts[1]), int(parts[2]))
    except ValueError:
        return False
    return True
