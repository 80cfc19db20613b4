"""Which images belong together: to one tow, cast, station or sample.

Neighbouring frames show the same seabed, so whoever splits a data set, or asks how sure a figure is, must think in tows. Told, in
this order, by: a pattern that the user gives; the folder of the image; the time in its name, frames less than `TOW_GAP_S`
apart being one tow; the name without its running number.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime

from edge.errors import SettingsError
from models.datasets.draft import SPLIT_OF_FOLDER

TOW_GAP_S = 600.0  # a tow of ten minutes has frames all along, the steam to the next station takes longer
_TIME = re.compile(r"(\d{4})[-_]?(\d\d)[-_]?(\d\d)[T_ -]?(\d\d)[-_:]?(\d\d)[-_:]?(\d\d)")
_RUNNING_NUMBER = re.compile(r"[-_ .]*(?:frame|still|img|image|f)?[-_ .]*\d+$", re.IGNORECASE)
_NO_FOLDERS = frozenset({"images", "img", "data", "obj_train_data", *SPLIT_OF_FOLDER})
# What cameras and programs call every image.
_NO_NAMES = frozenset({"", "img", "image", "dsc", "dscn", "dscf", "gopr", "p", "frame", "still", "scene", "photo", "d", "image_d"})


def compile_pattern(pattern: str | None) -> re.Pattern[str] | None:
    """A user's pattern, looked for in the image's name; its group `tow`, its first group, or all of it names the tow.

    Raises:
        SettingsError: it is no regular expression.
    """
    if pattern is None:
        return None
    try:
        return re.compile(pattern)
    except re.error as error:
        raise SettingsError(f"--tow-pattern {pattern!r} is no regular expression: {error}") from error


def tows_of(names: Sequence[str], labels: Sequence[str], pattern: re.Pattern[str] | None) -> list[str | None]:
    """The tow of each image, by its name inside the data set.

    Args:
        names: with forward slashes.
        labels: names of classes, whose folders are no tows.
    """
    if pattern is not None:
        return [_by_pattern(name, pattern) for name in names]
    no_tows = _NO_FOLDERS | {label.lower() for label in labels}
    tows = [_by_folder(name, no_tows) for name in names]
    times = {index: time for index, name in enumerate(names) if tows[index] is None and (time := _time(name)) is not None}
    by_time = _by_time(times)
    return [tow or by_time.get(index) or _by_number(names[index]) for index, tow in enumerate(tows)]


def _by_pattern(name: str, pattern: re.Pattern[str]) -> str | None:
    found = pattern.search(name)
    if found is None:
        return None
    if "tow" in pattern.groupindex:
        return found["tow"]
    return found[1] if pattern.groups else found[0]


def _by_folder(name: str, no_tows: frozenset[str] | set[str]) -> str | None:
    folders = [folder for folder in name.split("/")[:-1] if folder.lower() not in no_tows]
    return "/".join(folders) or None


def _time(name: str) -> datetime | None:
    found = _TIME.search(name.rsplit("/", 1)[-1])
    if found is None:
        return None
    try:
        year, month, day, hour, minute, second = (int(part) for part in found.groups())
        return datetime(year, month, day, hour, minute, second, tzinfo=UTC)
    except ValueError:
        return None


def _by_time(times: dict[int, datetime]) -> dict[int, str]:
    """A tow is called after its first frame."""
    tows: dict[int, str] = {}
    first = last = None
    for index, time in sorted(times.items(), key=lambda item: item[1]):
        if last is None or (time - last).total_seconds() > TOW_GAP_S:
            first = time
        last = time
        tows[index] = f"{first:%Y-%m-%d %H:%M}"
    return tows


def _by_number(name: str) -> str | None:
    stem = name.rsplit("/", 1)[-1].rsplit(".", 1)[0]
    rest = _RUNNING_NUMBER.sub("", stem)
    return None if rest == stem or rest.lower().strip("-_ .") in _NO_NAMES else rest
