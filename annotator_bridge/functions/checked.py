"""Numbers of a call and of an answer, looked at one by one: CVAT stores what it gets, and draws it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from annotator_bridge.functions.function import BadCallError
from edge.errors import ModelError

Box = tuple[float, float, float, float]
_DECIMALS = 2  # of a pixel, as the server shows them


def clip_box(xyxy: Sequence[float], width_px: int, height_px: int) -> Box | None:
    """A box as it is sent: corners within the image, rounded to 2 decimals.

    Args:
        xyxy: left, top, right, bottom in pixels of the image, origin top left, half open.

    Returns:
        None where nothing of it lies within the image, or where it has no area (inverted, or thinner than a hundredth of a pixel).

    Raises:
        ModelError: a number of it is none (NaN, infinite), or there are not four of them.
    """
    if len(xyxy) != 4:
        raise ModelError(f"a box of {len(xyxy)} numbers came out of a model")
    left, top, right, bottom = (float(value) for value in xyxy)
    if not all(map(math.isfinite, (left, top, right, bottom))):
        raise ModelError(f"a box that is not a number came out of a model: {left}, {top}, {right}, {bottom}")
    left, right = (round(min(max(value, 0.0), float(width_px)), _DECIMALS) for value in (left, right))
    top, bottom = (round(min(max(value, 0.0), float(height_px)), _DECIMALS) for value in (top, bottom))
    if right <= left or bottom <= top:
        return None
    return left, top, right, bottom


def clip_point(xy: Sequence[float], width_px: int, height_px: int) -> tuple[float, float]:
    """A point within the image, rounded to 2 decimals.

    Raises:
        ModelError: it is no pair of numbers.
    """
    if len(xy) != 2 or not all(math.isfinite(float(value)) for value in xy):
        raise ModelError(f"a point that is not two numbers came out of a model: {list(xy)}")
    x, y = float(xy[0]), float(xy[1])
    return round(min(max(x, 0.0), float(width_px)), _DECIMALS), round(min(max(y, 0.0), float(height_px)), _DECIMALS)


def number(value: object, what: str, *, least: float = -math.inf, greatest: float = math.inf) -> float:
    """A number of a call.

    Args:
        what: how it is called in the message, such as "the threshold".

    Raises:
        BadCallError: it is no number (texts, booleans, NaN and infinities are none), or not within the limits.
    """
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise BadCallError(f"{what} is a {type(value).__name__}, not a number")
    try:
        found = float(value)
    except OverflowError as error:
        raise BadCallError(f"{what} is a number without end") from error
    if not math.isfinite(found):
        raise BadCallError(f"{what} is {found}")
    if not least <= found <= greatest:
        raise BadCallError(f"{what} is {found:g}; it must lie in {least:g}..{greatest:g}")
    return found


def numbers(value: object, what: str, *, count: int | None = None) -> tuple[float, ...]:
    """A list of numbers of a call.

    Args:
        count: how many there must be; None: any number of them.

    Raises:
        BadCallError: it is none.
    """
    if not isinstance(value, list):
        raise BadCallError(f"{what} is a {type(value).__name__}, not a list of numbers")
    if count is not None and len(value) != count:
        raise BadCallError(f"{what} has {len(value)} numbers, not {count}")
    return tuple(number(one, f"a number of {what}") for one in value)


def sent_box(value: object, what: str, *, width_px: int, height_px: int) -> Box:
    """A box that a person drew: four numbers, its corners in any order, cut to the image.

    Raises:
        BadCallError: it is none, or lies outside of the image.
    """
    x1, y1, x2, y2 = numbers(value, what, count=4)
    box = clip_box((min(x1, x2), min(y1, y2), max(x1, x2), max(y1, y2)), width_px, height_px)
    if box is None:
        raise BadCallError(f"{what} lies outside of the image of {width_px} x {height_px} pixels, or has no area")
    return box


def sent_point(value: object, what: str, *, width_px: int, height_px: int) -> tuple[float, float]:
    """A point that a person clicked, in pixels.

    Raises:
        BadCallError: it is none, or lies more than a pixel outside of the image.
    """
    x, y = numbers(value, what, count=2)
    if not (-1 <= x <= width_px + 1 and -1 <= y <= height_px + 1):
        raise BadCallError(f"{what} lies outside of the image of {width_px} x {height_px} pixels")
    return min(max(x, 0.0), width_px), min(max(y, 0.0), height_px)


def sent_list(payload: Mapping[str, Any], name: str, *, at_most: int) -> list[Any]:
    """A list of a call; one that is left out or null is empty.

    Raises:
        BadCallError: it is something else, or longer than `at_most`.
    """
    value = payload.get(name)
    if value is None:
        return []
    if not isinstance(value, list):
        raise BadCallError(f"{name} is a {type(value).__name__}, not a list")
    if len(value) > at_most:
        raise BadCallError(f"{name} has {len(value)} entries; at most {at_most} are answered in one call")
    return value


def confidence_attributes(score: float, *, text: str = "confidence", percent: str = "confidence_percent") -> list[dict[str, str]]:
    """A score as CVAT keeps it: as a text ("0.91"), and as a whole number in per cent to sort and filter by. Values are always texts.

    Raises:
        ModelError: it is no score in 0..1.
    """
    if not 0.0 <= score <= 1.0:  # false of a NaN too
        raise ModelError(f"a score of {score} came out of a model")
    rounded = f"{score:.2f}"
    return [{"name": text, "value": rounded}, {"name": percent, "value": str(round(float(rounded) * 100))}]
