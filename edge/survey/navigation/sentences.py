"""One sentence of NMEA 0183, or of a USBL system, as what it says.

pynmeagps reads the standard sentences (GGA, RMC, VTG, HDT, DBT, DPT): degrees and hemispheres, units, empty fields. What it
does not do is done here and in `nmea`: what stands before the `$`, the two USBL sentences (it gives their fields as bare texts),
dates for sentences that have only a time, and midnight. ZDA is read here too: there is one every second, and each is wanted.

USBL field layouts:
    $PTSAG   iXblue GAPS User Guide MU-GAPS-AN-005-H (November 2019), section I.4.1
    $PSONLLD Sonardyne Ranger 2, as the PosiView plug-in of QGIS documents it ("Protocol description of available sentences"); the
             uncertainty fields behind the depth as in WHOI's ds_sensors (sonardyne_usbl.cpp), not used here
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from functools import reduce
from operator import xor
from typing import Any

from pynmeagps import NMEAMessageError, NMEAParseError, NMEAReader, NMEATypeError

KNOTS_TO_M_PER_S = 1852 / 3600
ACOUSTIC = frozenset({b"PTSAG", b"PSONLLD"})
_SHIP_ID = 0
_LAST_BEACON = 128


class SentenceError(ValueError):
    """Why a sentence cannot be used, in words that many lines can share."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What a sentence says; None for what it is not about.

    Attributes:
        stream: where its position belongs, such as ("ship", "GPGGA").
        time_s: seconds of the day, UTC.
        day: its date, where it has one.
    """

    stream: tuple[str, str] | None = None
    time_s: float | None = None
    day: date | None = None
    latitude_deg: float | None = None
    longitude_deg: float | None = None
    depth_m: float | None = None
    heading_deg: float | None = None
    speed_m_per_s: float | None = None


def check_sum(sentence: bytes) -> None:
    """Hold a sentence (from `$` on) against its check sum.

    Raises:
        SentenceError: it has none, as a line that was cut has none, or another.
    """
    body, star, told = sentence.rpartition(b"*")
    if not star:
        raise SentenceError("no check sum")
    try:
        expected = int(told.strip()[:2], 16)
    except ValueError:
        raise SentenceError("no check sum") from None
    if reduce(xor, body[1:], 0) != expected:
        raise SentenceError("wrong check sum")


def time_s_of(text: bytes) -> float:
    """`hhmmss.sss` as seconds of the day.

    Raises:
        SentenceError: it is no time.
    """
    try:
        hours, minutes, seconds = int(text[:2]), int(text[2:4]), float(text[4:])
    except ValueError:
        raise SentenceError("no time") from None
    if not (0 <= hours < 24 and 0 <= minutes < 60 and 0 <= seconds < 61):
        raise SentenceError("no time")
    return hours * 3600.0 + minutes * 60.0 + seconds


def read_sentence(kind: bytes, sentence: bytes) -> Said:
    """What a sentence with a correct check sum says.

    Raises:
        SentenceError: it has no fix, or a field cannot be read.
    """
    if kind in ACOUSTIC:
        fields = sentence[: sentence.rfind(b"*")].decode("ascii", "replace").split(",")
        try:
            return _ptsag(fields) if kind == b"PTSAG" else _psonlld(fields)
        except (ValueError, IndexError) as error:
            raise error if isinstance(error, SentenceError) else SentenceError("a field cannot be read") from None
    if kind == b"ZDA":  # there is one every second, and outside of the window too: without a parser
        return _zda(sentence)
    try:
        message = NMEAReader.parse(sentence)
    except (NMEAParseError, NMEAMessageError, NMEATypeError, ValueError, TypeError, KeyError, IndexError, AttributeError):
        raise SentenceError("a field cannot be read") from None
    return _standard(kind.decode(), message)


def _standard(kind: str, message: Any) -> Said:
    def get(name: str) -> float | None:
        value = getattr(message, name, "")
        return None if value in {"", None} else float(value)

    try:
        if kind in {"GGA", "RMC"}:
            return _position(kind, message)
        if kind == "VTG":
            knots = get("sogn")
            return Said(speed_m_per_s=None if knots is None else knots * KNOTS_TO_M_PER_S)
        if kind == "HDT":
            return Said(heading_deg=get("headingT"))
        if kind == "DBT":
            return Said(depth_m=get("depthm"))
        depth_m = get("depth")  # DPT: below the transducer; a positive offset is how deep that is
        return Said(depth_m=None if depth_m is None else depth_m + max(get("offset") or 0.0, 0.0))
    except (ValueError, TypeError, AttributeError) as error:
        raise error if isinstance(error, SentenceError) else SentenceError("a field cannot be read") from None


def _zda(sentence: bytes) -> Said:
    """$--ZDA,hhmmss.ss,dd,mm,yyyy,..."""
    fields = sentence.split(b",", 5)
    try:
        return Said(day=date(int(fields[4]), int(fields[3]), int(fields[2])), time_s=time_s_of(fields[1]))
    except (ValueError, IndexError) as error:
        raise error if isinstance(error, SentenceError) else SentenceError("a field cannot be read") from None


def _position(kind: str, message: Any) -> Said:
    has_fix = message.quality not in {0, ""} if kind == "GGA" else message.status == "A"
    if not has_fix or message.lat in {"", None} or message.lon in {"", None}:
        raise SentenceError("no fix")
    day = message.date if kind == "RMC" else None
    knots = message.spd if kind == "RMC" else None
    return Said(
        stream=("ship", f"{message.talker}{kind}"),
        time_s=_clock(message),
        day=day if isinstance(day, date) else None,
        latitude_deg=float(message.lat),
        longitude_deg=float(message.lon),
        speed_m_per_s=None if knots in {"", None} else float(knots) * KNOTS_TO_M_PER_S,
    )


def _clock(message: Any) -> float:
    time = message.time
    if time in {"", None}:
        raise SentenceError("no time")
    return float(time.hour * 3600 + time.minute * 60 + time.second + time.microsecond / 1e6)


def _ptsag(fields: list[str]) -> Said:
    """$PTSAG,#frame,hhmmss.sss,dd,mm,yyyy,id,ddmm.mmmmm,N,dddmm.mmmmm,E,validity,depth,depth validity,sensor depth."""
    beacon = int(fields[6])
    if not _SHIP_ID <= beacon <= _LAST_BEACON:
        raise SentenceError("a transponder that the USBL system does not know")
    if int(fields[11], 16) == 0:
        raise SentenceError("position not valid")
    return Said(
        stream=("ship", "PTSAG ship") if beacon == _SHIP_ID else ("usbl", f"beacon {beacon}"),
        time_s=time_s_of(fields[2].encode()),
        day=date(int(fields[5]), int(fields[4]), int(fields[3])),
        latitude_deg=_degrees(fields[7], 2, fields[8], "NS"),
        longitude_deg=_degrees(fields[9], 3, fields[10], "EW"),
        depth_m=float(fields[12]) if beacon != _SHIP_ID and fields[13] in {"1", "2"} else None,
    )


def _psonlld(fields: list[str]) -> Said:
    """$PSONLLD,hhmmss.sss,id,status,latitude,longitude,depth,... in decimal degrees; status A is valid."""
    if fields[3] != "A":
        raise SentenceError("position not valid")
    return Said(
        stream=("usbl", f"beacon {fields[2].strip()}"),
        time_s=time_s_of(fields[1].encode()),
        latitude_deg=float(fields[4]),
        longitude_deg=float(fields[5]),
        depth_m=float(fields[6]) if fields[6] else None,
    )


def _degrees(text: str, degree_digits: int, hemisphere: str, both: str) -> float:
    if hemisphere not in both or not hemisphere:
        raise SentenceError("no hemisphere")
    minutes = float(text[degree_digits:])
    if not 0 <= minutes < 60:
        raise SentenceError("a field cannot be read")
    value = int(text[:degree_digits]) + minutes / 60
    return -value if hemisphere == both[1] else value
