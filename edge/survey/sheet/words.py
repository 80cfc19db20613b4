"""What one cell of a station sheet says: numbers, yes and no, ratings, and the many ways to write that there is nothing.

Cells of real sheets carry decimal commas, units, sentinels such as NA and -9, and yes as -1 (Access). Nothing here guesses: a text
that can mean two things is `Unreadable` and says both.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

_NOTHING = frozenset({"", "na", "n/a", "#n/a", "n.a.", "nan", "null", "none", "nil", "-", "--", "?"})
_NUMERIC_SENTINELS = frozenset({-9.0, -99.0, -999.0, -9999.0, 9999.0, 99999.0})
_TRUE = frozenset({"1", "-1", "true", "t", "yes", "y"})  # Access writes -1
_FALSE = frozenset({"0", "false", "f", "no", "n"})
_NUMBER = re.compile(r"[+-]?(?:\d+[.,]?\d*|[.,]\d+)(?:[eE][+-]?\d+)?")
_THOUSANDS = re.compile(r"[+-]?\d{1,3}(?P<mark>[.,])\d{3}")
_MINUS_SIGNS = str.maketrans({"\N{MINUS SIGN}": "-", "\N{EN DASH}": "-", "\N{NO-BREAK SPACE}": " "})

RATINGS = ("Excellent", "Good", "OK", "Poor", "Very Poor")
USBL_STATES = ("Operational", "Not operational")


class Unreadable(ValueError):  # noqa: N818 (it is what a cell is, and no failure of the program)
    """What a cell says cannot be read, or can be read in two ways. The message says why, in words for the person who typed it."""


def tidy(text: str) -> str:
    """Without blanks at the ends; typographic minus signs and blanks as plain ones."""
    return text.translate(_MINUS_SIGNS).strip()


def is_nothing(text: str) -> bool:
    """Whether a cell says in words that there is nothing: empty, NA, N/A, NULL and their like."""
    return tidy(text).lower() in _NOTHING


def read_number(text: str, *, low: float, high: float, unit: str = "") -> float | None:
    """A number within `low`..`high`, or None where the cell says that there is none.

    A comma is a decimal comma; where it could be a thousands separator as well, and both readings are possible, nothing is read.

    Raises:
        Unreadable: no number, out of range, or two numbers at once.
    """
    cell = tidy(text)
    if is_nothing(cell):
        return None
    bare = cell[: -len(unit)].rstrip() if unit and cell.lower().endswith(unit.lower()) else cell
    if not _NUMBER.fullmatch(bare):
        raise Unreadable(f"{cell!r} is no number")
    value = float(bare.replace(",", "."))
    if value in _NUMERIC_SENTINELS and not low <= value <= high:
        return None
    readings = [value]
    if "," in bare and _THOUSANDS.fullmatch(bare):
        readings.append(float(bare.replace(",", "")))
    possible = [one for one in readings if math.isfinite(one) and low <= one <= high]
    if len(possible) > 1:
        raise Unreadable(f"{cell!r} can be {possible[0]:g} or {possible[1]:g}: write it with a decimal point")
    if not possible:
        raise Unreadable(f"{value:g} is not within {low:g} to {high:g}{' ' + unit if unit else ''}")
    return possible[0]


def read_flag(text: str) -> bool | None:
    """Yes or no, or None where the cell says nothing.

    Raises:
        Unreadable: neither.
    """
    cell = tidy(text).lower().removesuffix(".0")
    if cell in _TRUE:
        return True
    if cell in _FALSE:
        return False
    if is_nothing(cell):
        return None
    raise Unreadable(f"{tidy(text)!r} is neither yes (1) nor no (0)")


def read_code(text: str, codes: Sequence[str]) -> str:
    """The code of a list that a cell names, whatever its capitals; empty where it says nothing.

    Raises:
        Unreadable: it is not in the list.
    """
    cell = tidy(text)
    if is_nothing(cell):
        return ""
    folded = " ".join(cell.lower().split())
    for code in codes:
        if folded == code.lower():
            return code
    raise Unreadable(f"{cell!r} is not one of {', '.join(codes)}")


def read_text(text: str) -> str:
    """Free text without blanks around it; empty where the cell says that there is nothing."""
    return "" if is_nothing(text) else text.strip()
