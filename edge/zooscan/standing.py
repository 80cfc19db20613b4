"""What stands about a scan's sample: the META as it was written, with what people typed over it. Nothing here changes either.

A field that was typed has the name of the META's key, whatever its case. Three more say what a META cannot:

    position_format       "degrees.minutes" or "decimal"; not said: degrees.minutes, as Zooprocess writes positions
    volume_filtered_m3    what the net filtered, where `Vol` is only the part of it that is left after fractioning on board
    volume_is             "filtered" or "fractioned": whether `Vol` is the former or the latter
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType

from edge.zooscan.project.files import scanned_at
from edge.zooscan.project.sample import Sample, decimal_degrees, read_sample
from edge.zooscan.project.texts import NOT_KNOWN, KeyedText, decode_text, read_keyed_text

POSITION_FORMAT, VOLUME_FILTERED, VOLUME_IS = "position_format", "volume_filtered_m3", "volume_is"
OWN_FIELDS = frozenset((POSITION_FORMAT, VOLUME_FILTERED, VOLUME_IS))
DECIMAL = "decimal"


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What stands about the sample of a scan.

    Attributes:
        meta, log: keys and values; of the META with what was typed over it.
        sample: what they say.
        values: what is known, by key in lower case; without what says that nobody knew.
        latitude_end_deg, longitude_end_deg: of the haul's end, decimal, north and east positive.
        in_minutes: how positions are written; is_format_said: whether somebody said so.
        volume_filtered_m3: what the net filtered, where it was said.
        volume_is: "filtered", "fractioned", or "" where nobody said.
        scanned_at: by the scanner's computer.
        problems: what is wrong with it, beyond `sample.problems`.
    """

    meta: KeyedText
    log: KeyedText
    sample: Sample
    values: Mapping[str, str]
    latitude_end_deg: float | None
    longitude_end_deg: float | None
    in_minutes: bool
    is_format_said: bool
    volume_filtered_m3: float | None
    volume_is: str
    scanned_at: datetime | None
    problems: tuple[str, ...]


def what_stands(meta: bytes | None, log: bytes | None, entries: Mapping[str, str]) -> Standing:
    """Read the texts of a scan.

    Args:
        meta, log: as they lie in the project; None where there is none.
        entries: what was typed and holds, by field.
    """
    stated = standing_meta(meta, entries)
    typed = {field.casefold(): value for field, value in entries.items()}
    in_minutes = typed.get(POSITION_FORMAT, "").strip().casefold() != DECIMAL
    read_log = read_keyed_text(decode_text(log or b""))
    problems: list[str] = []
    latitude_end = _end(stated, "latitude_end", 90, problems, in_minutes=in_minutes)
    longitude_end = _end(stated, "longitude_end", 180, problems, in_minutes=in_minutes)
    known = {key.casefold(): value for key, value in stated.sections[""].items() if _is_said(key.casefold(), value.casefold())}
    return Standing(
        meta=stated,
        log=read_log,
        sample=read_sample(stated, in_minutes=in_minutes),
        values=MappingProxyType(known),
        latitude_end_deg=latitude_end,
        longitude_end_deg=None if longitude_end is None else -longitude_end,
        in_minutes=in_minutes,
        is_format_said=bool(typed.get(POSITION_FORMAT, "").strip()),
        volume_filtered_m3=_volume(typed.get(VOLUME_FILTERED, ""), problems),
        volume_is=typed.get(VOLUME_IS, "").strip().casefold(),
        scanned_at=scanned_at(read_log.value("Scanning_date")),
        problems=tuple(problems),
    )


def _is_said(key: str, value: str) -> bool:
    """Of the coarser sieve 999999 is no "nobody knew": there is none, and tables have always said it so."""
    return value not in NOT_KNOWN or (key == "fracsup" and value.isdecimal())


def standing_meta(meta: bytes | None, entries: Mapping[str, str]) -> KeyedText:
    """The META's keys and values, with what was typed in their place; all under one heading."""
    text = read_keyed_text(decode_text(meta or b""))
    values: dict[str, str] = {}
    names: dict[str, str] = {}
    for section in text.sections.values():
        for key, value in section.items():
            values.setdefault(names.setdefault(key.casefold(), key), value)
    for field, value in entries.items():
        if field.casefold() not in OWN_FIELDS:
            values[names.setdefault(field.casefold(), field)] = value
    return KeyedText(sections=MappingProxyType({"": MappingProxyType(values)}), repeated=text.repeated)


def meta_bytes(meta: bytes | None, entries: Mapping[str, str]) -> bytes:
    """A META as a file: the bytes that were there if nothing was typed, else its keys and values as they stand."""
    if meta is not None and not any(field.casefold() not in OWN_FIELDS for field in entries):
        return meta
    values = standing_meta(meta, entries).sections[""]
    text = "".join(f"{key}= {' '.join(value.split())}\r\n" for key, value in values.items())
    plain = text.encode("cp1252", errors="replace")
    # Some texts in the encoding of a western Windows happen to be UTF-8 of another text.
    return plain if decode_text(plain) == text else text.encode("utf-8-sig", errors="replace")


def _end(stated: KeyedText, key: str, limit: float, problems: list[str], *, in_minutes: bool) -> float | None:
    text = stated.known(key)
    if text is None:
        return None
    value = decimal_degrees(text, in_minutes=in_minutes)
    if value is None or abs(value) > limit:
        way = "degrees.minutes" if in_minutes else "decimal degrees"
        problems.append(f"{key} is no position in {way}: {text}")
        return None
    return value


def _volume(text: str, problems: list[str]) -> float | None:
    plain = text.strip()
    if plain.casefold() in NOT_KNOWN:
        return None
    try:
        value = float(plain.replace(",", "."))
    except ValueError:
        value = math.nan
    if not (math.isfinite(value) and value > 0):
        problems.append(f"{VOLUME_FILTERED} is no volume: {plain}")
        return None
    return value
