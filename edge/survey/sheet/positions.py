"""Positions as station sheets write them: degrees and minutes with a letter or a sign, or decimal degrees.

Real tables write 6 degrees west as "-6", "37.0", "W": sign and letter then say the same thing once, not twice. Where neither says
which side of the equator or of Greenwich a position is on, degrees with minutes are not read.
"""

from __future__ import annotations

import re
from typing import Literal

from edge.survey.sheet.words import Unreadable, is_nothing, tidy

Axis = Literal["latitude", "longitude"]

_LETTERS: dict[Axis, dict[str, int]] = {"latitude": {"N": 1, "S": -1}, "longitude": {"E": 1, "W": -1}}
_LIMIT_DEG: dict[Axis, float] = {"latitude": 90.0, "longitude": 180.0}
_UNITS = re.compile("[\N{DEGREE SIGN}\N{MASCULINE ORDINAL INDICATOR}'\"\N{PRIME}\N{DOUBLE PRIME}\N{RIGHT SINGLE QUOTATION MARK}:]")
_NUMBER = re.compile(r"([+-]?)(\d+(?:[.,]\d*)?)")
_SENTINELS = frozenset({"-99", "-999", "-9999", "999", "9999"})


def read_position(degrees: str, minutes: str, letter: str, axis: Axis) -> float | None:
    """Degrees north or east, or None where nothing is stated.

    Args:
        degrees: whole degrees with or without a sign; or the whole position, such as "51 13.4107 N" or "-6.61675".
        minutes: decimal minutes, 0 to below 60; empty where `degrees` holds them.
        letter: N, S, E or W; empty where a sign or `degrees` holds it.
        axis: which of the two.

    Raises:
        Unreadable: no position, sign and letter contradict each other, or the side is not stated.
    """
    cells = [tidy(cell) for cell in (degrees, minutes, letter)]
    if _is_nothing(cells[0], cells[1]):
        return None
    if is_nothing(cells[0]):
        raise Unreadable("the degrees are missing")
    if is_nothing(cells[1]) and _looks_whole(cells[0]):
        raise Unreadable("the minutes are missing")
    text = " ".join(cell for cell in cells if not is_nothing(cell))
    numbers, letters = _parts(text, axis)
    return _combined(text, numbers, letters, axis)


def in_words(value_deg: float, axis: Axis) -> str:
    """A position in degrees and decimal minutes to 0.0001 minutes, about 0.2 m, such as "51 13.4108 N"."""
    positive, negative = _LETTERS[axis]
    units = round(abs(value_deg) * 600_000)
    return f"{units // 600_000} {units % 600_000 / 10_000:07.4f} {positive if value_deg >= 0 else negative}"


def _is_nothing(degrees: str, minutes: str) -> bool:
    if is_nothing(degrees) and is_nothing(minutes):
        return True
    if degrees.removesuffix(".0") in _SENTINELS and (is_nothing(minutes) or minutes.removesuffix(".0") in _SENTINELS):
        return True
    return degrees.removesuffix(".0") == "-9" == minutes.removesuffix(".0")  # -9 alone is a longitude of the Porcupine Bank


def _looks_whole(degrees: str) -> bool:
    return re.fullmatch(r"[+-]?\d+\s*[NSEWnsew]?", degrees) is not None


def _parts(text: str, axis: Axis) -> tuple[list[tuple[str, str]], str]:
    plain = _UNITS.sub(" ", text).replace(", ", " ")
    letters = "".join(re.findall(r"[A-Za-z]+", plain)).upper()
    rest = re.sub(r"[A-Za-z]+", " ", plain).split()
    found = [_NUMBER.fullmatch(one) for one in rest]
    if len(letters) > 1 or not 1 <= len(found) <= 3 or not all(found):
        raise Unreadable(f"{text!r} is no {axis}; write 51 13.4107 N")
    if letters and letters not in _LETTERS[axis]:
        raise Unreadable(f"{letters!r} is no side of a {axis}; it is {' or '.join(_LETTERS[axis])}")
    return [(one[1], one[2].replace(",", ".")) for one in found if one], letters


def _combined(text: str, numbers: list[tuple[str, str]], letter: str, axis: Axis) -> float:
    sign = numbers[0][0]
    if any(one for one, _ in numbers[1:]):
        raise Unreadable(f"{text!r}: a sign belongs before the degrees")
    if any("." in one for _, one in numbers[:-1]):
        raise Unreadable(f"{text!r}: degrees with a fraction leave no minutes")
    values = [float(one) for _, one in numbers]
    if any(value >= 60 for value in values[1:]):
        raise Unreadable(f"{text!r}: minutes and seconds are below 60")
    if not sign and not letter and len(values) > 1:
        raise Unreadable(f"{text!r}: neither a sign nor {' or '.join(_LETTERS[axis])} says which side it is on")
    side = _LETTERS[axis].get(letter, -1 if sign == "-" else 1)
    if letter and ((sign == "-" and side > 0) or (sign == "+" and side < 0)):
        raise Unreadable(f"{text!r}: the sign says one side and {letter} the other")
    value_deg = side * sum(value / scale for value, scale in zip(values, (1.0, 60.0, 3600.0), strict=False))
    if abs(value_deg) > _LIMIT_DEG[axis]:
        raise Unreadable(f"{text!r}: a {axis} is at most {_LIMIT_DEG[axis]:g} degrees")
    return value_deg
