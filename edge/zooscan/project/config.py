"""How a project is processed: its look-up table and its configuration, and whether this appliance can do that."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass

from edge.errors import InputError, Reason
from edge.zooscan.grey import GreySettings
from edge.zooscan.project.texts import KeyedText, read_keyed_text
from edge.zooscan.segment import SegmentSettings

LUT_FILE, CONFIG_FILE = "lut.txt", "process_install_both_config.txt"
_NUMBER = re.compile(r"[+-]?[0-9]+(?:[.,][0-9]*)?(?:[eE][+-]?[0-9]+)?")
_LUT_LINES = (
    "min",
    "max",
    "gamma",
    "order",
    "adjust",
    "odrange",
    "ratio",
    "sizelimit",
    "overlap",
    "medianchoice",
    "medianvalue",
    "resolutionreduct",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessSettings:
    """What a project's two configuration files ask for.

    Attributes:
        grey: how 16 bits become 8.
        segment: what is an object.
        frame_darker: share of the glass's grey below which a strip is frame (`greytaux`).
        not_done: what they ask for that is done otherwise here, in words; results then differ from the legacy software's.
    """

    grey: GreySettings
    segment: SegmentSettings
    frame_darker: float
    not_done: tuple[str, ...]


def read_settings(lut: str | None, config: str | None) -> ProcessSettings:
    """Read `lut.txt` and `process_install_both_config.txt`; what is missing, or empty, has the value that projects begin with.

    A number may have a point or a comma. What is there and cannot be is never replaced by something else: objects of 0.3 mm where 0.5 mm
    were wanted would look like a result.

    Raises:
        InputError: BAD_SETTINGS, something is no number, or none that can be; file and key are named.
    """
    table = dict(zip(_LUT_LINES, (line.strip() for line in (lut or "").splitlines()), strict=False))
    keys = read_keyed_text(config or "")

    def of_lut(key: str, otherwise: float) -> float:
        where = f"line {_LUT_LINES.index(key) + 1} of {LUT_FILE} ({key})"
        return _number(where, table.get(key), otherwise, lambda value: 0.001 <= value <= 10, "between 0.001 and 10")

    grey = GreySettings(od_range=of_lut("odrange", GreySettings().od_range), ratio=of_lut("ratio", GreySettings().ratio))
    gamma = of_lut("gamma", 1.0)
    if grey.ratio**2 * 10**grey.od_range <= 1:  # the darkest grey of the window would not be below the brightest
        words = f"odrange and ratio of {LUT_FILE} leave no greys between black and white: {grey.od_range:g} and {grey.ratio:g}"
        raise InputError(Reason.BAD_SETTINGS, words)
    return ProcessSettings(
        grey=grey,
        segment=_segment(keys),
        frame_darker=_number(f"greytaux of {CONFIG_FILE}", keys.value("greytaux"), 0.9, lambda value: 0 <= value <= 1, "between 0 and 1"),
        not_done=tuple(_not_done(table, keys, gamma)),
    )


def _segment(keys: KeyedText) -> SegmentSettings:
    plain = SegmentSettings()

    def positive(key: str, otherwise: float) -> float:
        fits, wanted = (lambda value: 0.001 <= value <= 100_000), "between 0.001 and 100000"
        return _number(f"{key} of {CONFIG_FILE}", keys.value(key), otherwise, fits, wanted)

    upper_grey = _number(
        f"upper of {CONFIG_FILE}",
        keys.value("upper"),
        plain.upper_grey,
        lambda value: 1 <= value <= 254 and value.is_integer(),
        "a whole number between 1 and 254",
    )
    segment = SegmentSettings(
        upper_grey=int(upper_grey),
        min_esd_mm=positive("minsizeesd_mm", plain.min_esd_mm),
        max_esd_mm=positive("maxsizeesd_mm", plain.max_esd_mm),
        resolution_dpi=positive("resolution", plain.resolution_dpi),
    )
    if segment.min_esd_mm >= segment.max_esd_mm:
        raise InputError(
            Reason.BAD_SETTINGS,
            f"minsizeesd_mm of {CONFIG_FILE} is not below maxsizeesd_mm: {segment.min_esd_mm:g} and {segment.max_esd_mm:g}",
        )
    return segment


def _not_done(table: dict[str, str], keys: KeyedText, gamma: float) -> list[str]:
    """What the files ask for that is not done here."""
    asked = []
    if gamma != 1.0:
        asked.append(f"a gamma of {table['gamma']}; 1 is used")
    if table.get("adjust", "yes").casefold() != "yes":
        asked.append("fixed greys; they follow from the scan's median")
    if table.get("medianchoice", "no").casefold() != "no":
        asked.append("a median filter; none is used")
    method = keys.value("method")
    if method not in (None, "neutral"):
        asked.append(f"the method {method}; neutral is used")
    process = keys.value("background_process")
    if process not in (None, "last", "select"):
        asked.append(f"the background {process}; the last one before the scan is used")
    return asked


def _number(where: str, text: str | None, otherwise: float, fits: Callable[[float], bool], wanted: str) -> float:
    """A number that fits; `otherwise` where nothing is stated."""
    if not text:
        return otherwise
    if _NUMBER.fullmatch(text) is None:
        raise InputError(Reason.BAD_SETTINGS, f"{where} is no number: {text[:80]}")
    value = float(text.replace(",", "."))
    if not (math.isfinite(value) and fits(value)):
        raise InputError(Reason.BAD_SETTINGS, f"{where} is not {wanted}: {text[:80]}")
    return value
