"""What EcoTaxa's importer takes: every rule looked at before anything is written, and all that is wrong told at once.

The importer has no dry run, and what it does not look at ends its job in the middle. Domain: the EcoTaxa import contract.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime

from edge.export.zooscan.columns import NUMERIC_PREDEFINED, PREDEFINED, TEXT_PREDEFINED
from edge.export.zooscan.table import EcoTaxaTable

PREFIXES = ("object", "acq", "process", "sample", "img")
MAX_TEXT, MAX_NAME, MAX_DESCRIPTOR = 250, 255, 8000
MAX_OBJECT_NUMBERS, MAX_OBJECT_TEXTS = 500, 20
MAX_COLUMNS = {"sample": 60, "acq": 30, "process": 30}
MAX_TABLES = 2000
STATUSES = ("predicted", "validated", "dubious", "discarded", "noid")
_NAMES = frozenset(("object_id", "img_file_name", "object_link", "acq_id", "acq_instrument", "process_id", "sample_id"))
_NEEDED = ("object_id", "img_file_name", "acq_id", "process_id", "sample_id")
_SHOWN_LETTERS = 60
_COLUMN = re.compile(r"[a-z]+_[^\s]+")
_PICTURES = (".png", ".jpg", ".jpeg", ".gif")

_NUMBER_ADVICE = "Correct it on the scan's form; a number has digits and a point."


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """What EcoTaxa would refuse, or stumble over.

    Attributes:
        where: the object, or "every object" or "the table".
        column: the column.
        what: in words.
        advice: what to do.
    """

    where: str
    column: str
    what: str
    advice: str

    def __str__(self) -> str:
        return f"{self.where}, {self.column}: {self.what}"


def find_problems(table: EcoTaxaTable) -> list[Problem]:
    """Everything that is wrong with a table; none if EcoTaxa takes it."""
    problems = [*_column_problems(table)]
    for place, (column, kind) in enumerate(zip(table.columns, table.types, strict=True)):
        problems += _cell_problems(table, place, column, kind)
    return [*problems, *_pair_problems(table), *_repeated(table), *_shared_acquisitions(table)]


def _column_problems(table: EcoTaxaTable) -> Iterator[Problem]:
    advice = "This is a fault of the appliance: report it."
    for column, times in Counter(table.columns).items():
        prefix, _, name = column.partition("_")
        if times > 1:
            yield Problem(where="the table", column=column, what=f"there {times} times", advice=advice)
        if prefix not in PREFIXES or not name or not _COLUMN.fullmatch(column) or column != column.lower():
            yield Problem(where="the table", column=column, what="EcoTaxa knows no such column", advice=advice)
        elif f"{prefix}_id" not in table.columns and prefix != "img":
            yield Problem(where="the table", column=column, what=f"{prefix}_id is not in the table", advice=advice)
    for column, kind in zip(table.columns, table.types, strict=True):
        if kind not in {"f", "t"} or (column in NUMERIC_PREDEFINED and kind != "f") or (column in TEXT_PREDEFINED and kind != "t"):
            yield Problem(where="the table", column=column, what=f"its type is [{kind}]", advice=advice)
    yield from _too_many(table, advice)


def _too_many(table: EcoTaxaTable, advice: str) -> Iterator[Problem]:
    free = [(column.partition("_")[0], kind) for column, kind in zip(table.columns, table.types, strict=True) if column not in PREDEFINED]
    limits = [
        ("object columns of numbers", free.count(("object", "f")), MAX_OBJECT_NUMBERS),
        ("object columns of text", free.count(("object", "t")), MAX_OBJECT_TEXTS),
        *((f"{prefix} columns", sum(one == prefix for one, _ in free), most) for prefix, most in MAX_COLUMNS.items()),
    ]
    for what, count, most in limits:
        if count > most:
            yield Problem(where="the table", column=what, what=f"{count}; EcoTaxa keeps {most}", advice=advice)


def _cell_problems(table: EcoTaxaTable, place: int, column: str, kind: str) -> Iterator[Problem]:
    """Each different text is looked at once; one that every object has is told once."""
    cells = [row[place] for row in table.rows]
    for text in dict.fromkeys(cells):
        for what, advice in _text_problems(column, kind, text):
            bad = [name for name, cell in zip(table.names, cells, strict=True) if cell == text]
            if len(bad) == len(cells):
                yield Problem(where="every object", column=column, what=what, advice=advice)
            else:
                yield from (Problem(where=name, column=column, what=what, advice=advice) for name in bad)


def _text_problems(column: str, kind: str, text: str) -> Iterator[tuple[str, str]]:
    if not text:
        if column in _NEEDED:
            yield f"{column} is empty", _EMPTY_ADVICE.get(column, "This is a fault of the appliance: report it.")
        return
    most = MAX_DESCRIPTOR if column == "sample_dataportal_descriptor" else MAX_NAME if column in _NAMES else MAX_TEXT
    if len(text) > most:
        yield f"{len(text)} letters; EcoTaxa keeps {most}", f"Shorten it on the scan's form: {_shown(text)}"
    if wrong := _unwritable(text):
        yield f"holds {wrong}, which EcoTaxa's database does not keep: {_shown(text)}", "Type it again on the scan's form."
    if text != text.strip():
        yield "begins or ends with a blank", "Type it again on the scan's form."
    if kind == "f":
        yield from _number_problems(column, text)
    if check := _FORMS.get(column):
        yield from check(text)


_EMPTY_ADVICE = {
    "sample_id": "State SampleId on the scan's form.",
    "acq_id": "State FracId and SampleId on the scan's form.",
    "process_id": "State FracId and SampleId on the scan's form.",
}


def _unwritable(text: str) -> str | None:
    """The first character that cannot be stored or that would end a cell."""
    for letter in text:
        if unicodedata.category(letter) in {"Cc", "Cs", "Zl", "Zp"}:
            return f"U+{ord(letter):04X}"
    return None


def _shown(text: str) -> str:
    shown = "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in text)
    return shown if len(shown) <= _SHOWN_LETTERS else shown[:_SHOWN_LETTERS] + "..."


def _number_problems(column: str, text: str) -> Iterator[tuple[str, str]]:
    try:
        value = float(text)
    except ValueError:
        yield f"no number: {_shown(text)}", _NUMBER_ADVICE
        return
    if math.isinf(value):
        yield "an infinite number", "EcoTaxa takes none. Look at the object: what was measured of it is damaged."
    elif math.isnan(value):
        yield "no number: nan", _NUMBER_ADVICE
    elif abs(value) > _LIMITS.get(column, math.inf):
        yield f"{text} is beyond {_LIMITS[column]}", "Correct the position on the scan's form; it says how positions are written."


_LIMITS = {"object_lat": 90.0, "object_lat_end": 90.0, "object_lon": 180.0, "object_lon_end": 180.0}


def _date_problems(text: str) -> Iterator[tuple[str, str]]:
    yield from _time_problems(text, r"\d{8}|\d{4}-\d{2}-\d{2}", ("%Y%m%d", "%Y-%m-%d"), "YYYYMMDD")


def _clock_problems(text: str) -> Iterator[tuple[str, str]]:
    yield from _time_problems(text, r"\d{4}|\d{6}|\d{2}:\d{2}:\d{2}(\.\d{1,3})?", ("%H%M", "%H%M%S", "%H:%M:%S", "%H:%M:%S.%f"), "HH:MM:SS")


def _time_problems(text: str, form: str, ways: tuple[str, ...], words: str) -> Iterator[tuple[str, str]]:
    if not re.fullmatch(form, text, re.ASCII) or not any(_is_time(text, way) for way in ways):
        yield f"no {words}: {_shown(text)}", "Correct the date on the scan's form."


def _is_time(text: str, way: str) -> bool:
    try:
        return bool(datetime.strptime(text, way))  # noqa: DTZ007 - only its form is looked at
    except ValueError:
        return False


def _picture_problems(text: str) -> Iterator[tuple[str, str]]:
    if not text.lower().endswith(_PICTURES) or re.search(r'[\\:*?"<>|]', text) or text.startswith("/") or ".." in text.split("/"):
        yield f"no name of a picture: {_shown(text)}", "This is a fault of the appliance: report it."


def _status_problems(text: str) -> Iterator[tuple[str, str]]:
    if text not in STATUSES:
        yield f"no status that EcoTaxa knows: {_shown(text)}", f"It knows {', '.join(STATUSES)}."


def _category_id_problems(text: str) -> Iterator[tuple[str, str]]:
    if not (text.isascii() and text.isdigit()):
        yield f"no number of a category: {_shown(text)}", "Pull the categories from EcoTaxa again."


_FORMS: dict[str, Callable[[str], Iterator[tuple[str, str]]]] = {
    "img_file_name": _picture_problems,
    "object_date": _date_problems,
    "object_time": _clock_problems,
    "object_annotation_date": _date_problems,
    "object_annotation_time": _clock_problems,
    "object_annotation_status": _status_problems,
    "object_annotation_category_id": _category_id_problems,
}


def _pair_problems(table: EcoTaxaTable) -> Iterator[Problem]:
    """A status stands only with a category, and a category only with a status."""
    places = {column: place for place, column in enumerate(table.columns)}
    status, *categories = (places.get(f"object_annotation_{what}") for what in ("status", "category", "category_id"))
    for name, row in zip(table.names, table.rows, strict=True):
        has_status = status is not None and bool(row[status])
        has_category = any(place is not None and bool(row[place]) for place in categories)
        if has_status != has_category:
            what = "a status without a category" if has_status else "a category without a status"
            yield Problem(where=name, column="object_annotation_status", what=what, advice="Pull the categories from EcoTaxa again.")


def _repeated(table: EcoTaxaTable) -> Iterator[Problem]:
    places = [table.columns.index(column) for column in ("object_id", "img_file_name") if column in table.columns]
    for pair, times in Counter(tuple(row[place] for place in places) for row in table.rows).items():
        if times > 1:
            what = f"the pair {' and '.join(pair)} is there {times} times"
            yield Problem(where=pair[0], column="img_file_name", what=what, advice="This is a fault of the appliance: report it.")


def _shared_acquisitions(table: EcoTaxaTable) -> Iterator[Problem]:
    """An acquisition belongs to one sample, and has one process."""
    if "acq_id" not in table.columns:
        return
    own = table.columns.index("acq_id")
    for prefix, what in (("sample_", "sample"), ("process_", "process")):
        if f"{prefix}id" not in table.columns:
            continue
        other = table.columns.index(f"{prefix}id")
        pairs = {(row[own], row[other]) for row in table.rows}
        for acquisition, times in Counter(first for first, _ in pairs).items():
            if times > 1:
                yield Problem(
                    where=acquisition,
                    column=f"{prefix}id",
                    what=f"the acquisition belongs to {times} of these; EcoTaxa takes one {what}",
                    advice="State a FracId of its own for each scan on its form.",
                )
