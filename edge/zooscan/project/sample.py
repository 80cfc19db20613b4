"""What a scan's META says of sample and net, with the field's ways of writing it.

The text is kept as it was typed; what follows from it is here, and what is wrong with it is told. Domain: Zooprocess, sections a1 and g.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime

from edge.zooscan.project.texts import KeyedText

NEEDED = ("SampleId", "Date", "Latitude", "Longitude", "Nettype", "Netmesh", "Zmax", "Zmin", "Vol", "FracId", "SubMethod", "Fracnb")
_DEGREES = re.compile(r"(?P<sign>-?)(?P<degrees>\d{1,3})(?:\.(?P<rest>\d+))?$")
_SCANS_OF_FRACTION = re.compile(r"_(?P<number>\d+)_sur_(?P<of>\d+)$", re.IGNORECASE)
_DECIMALS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """A sample and the part of it that was scanned. None: not stated, or stated to be unknown.

    Attributes:
        sample_id: such as `apero2023_tha_bioness_017_st66_d_n1`.
        at_local: when the net was hauled, as written.
        latitude_deg, longitude_deg: decimal, north and east positive.
        depth_min_m, depth_max_m: of the haul.
        net_type, net_mesh_um: of the net.
        volume_m3: of water, as stated; on-board fractioning may be in it already.
        fraction_id: such as `d2_2_sur_4`.
        scan_of_fraction: which of how many scans hold the fraction together; (1, 1) for one.
        split: the part of the fraction that was scanned is one of so many.
        fraction_min_um, fraction_max_um: sieves.
        problems: what is wrong or missing, in words.
    """

    sample_id: str | None
    at_local: datetime | None
    latitude_deg: float | None
    longitude_deg: float | None
    depth_min_m: float | None
    depth_max_m: float | None
    net_type: str | None
    net_mesh_um: float | None
    volume_m3: float | None
    fraction_id: str | None
    scan_of_fraction: tuple[int, int]
    split: float | None
    fraction_min_um: float | None
    fraction_max_um: float | None
    problems: tuple[str, ...]


def read_sample(meta: KeyedText, *, in_minutes: bool = True) -> Sample:
    """What a META says.

    Args:
        meta: its text.
        in_minutes: whether positions are written in degrees.minutes (51.5293 is 51 degrees 52.93 minutes), as Zooprocess has them, or in
            decimal degrees. The longitude is positive to the west in both.
    """
    problems = [f"{key} is missing" for key in NEEDED if meta.value(key) is None]

    def number(key: str) -> float | None:
        text = meta.known(key)
        if text is None:
            return None
        try:
            value = float(text.replace(",", "."))
        except ValueError:
            value = math.nan
        if not math.isfinite(value):
            problems.append(f"{key} is no number: {text}")
            return None
        return value

    latitude = _position(meta, "Latitude", 90, problems, in_minutes=in_minutes)
    longitude = _position(meta, "Longitude", 180, problems, in_minutes=in_minutes)
    at_local = _date(meta.known("Date"), problems)
    fraction_id = meta.known("FracId")
    sample = Sample(
        sample_id=meta.known("SampleId"),
        at_local=at_local,
        latitude_deg=latitude,
        longitude_deg=None if longitude is None else -longitude,
        depth_min_m=number("Zmin"),
        depth_max_m=number("Zmax"),
        net_type=meta.known("Nettype"),
        net_mesh_um=number("Netmesh"),
        volume_m3=number("Vol"),
        fraction_id=fraction_id,
        scan_of_fraction=_scan_of(fraction_id),
        split=number("Fracnb"),
        fraction_min_um=number("Fracmin"),
        fraction_max_um=number("Fracsup"),
        problems=(),
    )
    return replace(sample, problems=(*problems, *_contradictions(sample, meta.known("SubMethod"))))


def _contradictions(sample: Sample, method: str | None) -> Iterator[str]:
    """What cannot be, in words."""
    for key, depth_m in (("Zmin", sample.depth_min_m), ("Zmax", sample.depth_max_m)):
        if depth_m is not None and depth_m < 0:
            yield f"{key} is below 0: depths count downwards from the surface"
    if _is_above(sample.depth_min_m, sample.depth_max_m):
        yield "Zmin is deeper than Zmax"
    if _is_above(sample.fraction_min_um, sample.fraction_max_um) or (
        sample.fraction_min_um is not None and sample.fraction_min_um == sample.fraction_max_um
    ):
        yield "Fracmin is not below Fracsup"
    if _is_above(sample.net_mesh_um, sample.fraction_min_um):
        yield "Fracmin is finer than the net's mesh"
    if sample.volume_m3 is not None and sample.volume_m3 <= 0:
        yield "Vol is not above 0"
    if sample.split is not None and sample.split < 1:
        yield "Fracnb is below 1"
    elif sample.split is not None and (method or "").casefold() == "motoda" and math.log2(sample.split) % 1:
        yield f"Fracnb is {sample.split:g}, which a Motoda box cannot make: it halves"
    number, of = sample.scan_of_fraction
    if not 1 <= number <= of:
        yield f"FracId says scan {number} of {of}"


def _is_above(value: float | None, limit: float | None) -> bool:
    return value is not None and limit is not None and value > limit


def decimal_degrees(text: str, *, in_minutes: bool) -> float | None:
    """A position in decimal degrees, five decimals; None if the text is none.

    In degrees.minutes the first two digits behind the point are minutes, the others their decimals: 51.5293 is 51 + 52.93 / 60.
    """
    written = _DEGREES.match(text.strip().replace(",", "."))
    if written is None:
        return None
    degrees, rest = int(written["degrees"]), written["rest"] or ""
    minutes = 100 * float(f"0.{rest or 0}")
    if in_minutes and minutes >= 60:
        return None
    value = degrees + (minutes / 60 if in_minutes else minutes / 100)
    return round(-value if written["sign"] else value, _DECIMALS)


def _position(meta: KeyedText, key: str, limit: float, problems: list[str], *, in_minutes: bool) -> float | None:
    text = meta.known(key)
    if text is None:
        return None
    value = decimal_degrees(text, in_minutes=in_minutes)
    if value is None or abs(value) > limit:
        way = "degrees.minutes" if in_minutes else "decimal degrees"
        problems.append(f"{key} is no position in {way}: {text}")
        return None
    return value


def _date(text: str | None, problems: list[str]) -> datetime | None:
    if text is None:
        return None
    try:
        return datetime.strptime(text, "%Y%m%d-%H%M")  # noqa: DTZ007 - a META states no zone
    except ValueError:
        problems.append(f"Date is no YYYYMMDD-HHMM: {text}")
        return None


def _scan_of(fraction_id: str | None) -> tuple[int, int]:
    found = _SCANS_OF_FRACTION.search(fraction_id or "")
    return (int(found["number"]), int(found["of"])) if found else (1, 1)
