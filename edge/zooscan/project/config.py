"""How a project is processed: its look-up table and its configuration, and whether this appliance can do that."""

from __future__ import annotations

from dataclasses import dataclass

from edge.zooscan.grey import GreySettings
from edge.zooscan.project.texts import KeyedText, read_keyed_text
from edge.zooscan.segment import SegmentSettings

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
    """Read `lut.txt` and `process_install_both_config.txt`; what is missing, or no number, has the value that projects begin with."""
    table = dict(zip(_LUT_LINES, (line.strip() for line in (lut or "").splitlines()), strict=False))
    keys = read_keyed_text(config or "")
    grey = GreySettings(
        od_range=_number(table.get("odrange"), GreySettings().od_range), ratio=_number(table.get("ratio"), GreySettings().ratio)
    )
    plain = SegmentSettings()
    segment = SegmentSettings(
        upper_grey=int(_number(keys.value("upper"), plain.upper_grey)),
        min_esd_mm=_number(keys.value("minsizeesd_mm"), plain.min_esd_mm),
        max_esd_mm=_number(keys.value("maxsizeesd_mm"), plain.max_esd_mm),
        resolution_dpi=_number(keys.value("resolution"), plain.resolution_dpi),
    )
    return ProcessSettings(
        grey=grey,
        segment=segment,
        frame_darker=_number(keys.value("greytaux"), 0.9),
        not_done=tuple(_not_done(table, keys)),
    )


def _not_done(table: dict[str, str], keys: KeyedText) -> list[str]:
    """What the files ask for that is not done here."""
    asked = []
    if _number(table.get("gamma"), 1.0) != 1.0:
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


def _number(text: str | None, otherwise: float) -> float:
    try:
        return float(text) if text is not None else otherwise
    except ValueError:
        return otherwise
