"""The log that the ship's instruments write of a rendered tow: NMEA 0183 of the ship, USBL positions of the sledge.

True positions follow the way of the sledge on WGS84. What is logged is off, as at sea: the ship's receiver wanders by decimetres,
acoustic positions scatter, some are far off, some are missing, some are told to be invalid.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import reduce
from operator import xor

import numpy as np

from models.workshop.tow.path import KNOT_M_PER_S, MEAN_SPEED_M_PER_S, Floats, Path

LEAD_S = 60
"""The log begins so long before the first frame and ends as long after the last."""
USBL_SD_M = 0.7
BEACON = 1

_START = (51.2043, -7.4117)
_DEPTH_M = 104.0
_SHIP_SD_M = 0.35
_SHIP_AHEAD_M = 190.0
_EVEN_S = 15
_FAR_OFF_SHARE = 0.008
_INVALID_SHARE = 0.01
_GAP_EVERY_S = 170.0
_EQUATOR_M, _SQUARED_ECCENTRICITY = 6_378_137.0, 0.006_694_379_990_14


@dataclass(frozen=True, slots=True, kw_only=True)
class _Second:
    """What is true at one second of the log: positions in degrees, the ship's speed over ground."""

    at: datetime
    sledge: tuple[float, float]
    ship: tuple[float, float]
    speed_m_per_s: float
    heading_deg: float
    depth_m: float


def nmea_log(path: Path, *, seed: int, seconds: float, start_utc: datetime) -> Iterator[str]:
    """Lines of the log, with their line ends, in order of time.

    Raises:
        ValueError: the start has no time zone.
    """
    if start_utc.tzinfo is None:
        raise ValueError("the start of a tow is a UTC time")
    rng = np.random.default_rng([seed, 60])
    silent = _silent_seconds(seconds, rng)
    wander = np.zeros(2)
    for number, second in enumerate(_way(path, seconds, start_utc)):
        wander = 0.95 * wander + rng.normal(0, _SHIP_SD_M * 0.31, 2)
        ship = _moved(second.ship, wander)
        yield _sentence(f"GPZDA,{_clock(second.at)},{second.at:%d,%m,%Y},00,00")
        yield _sentence(f"GPGGA,{_clock(second.at)},{_position(ship)},2,11,0.8,12.0,M,54.0,M,,")
        knots = second.speed_m_per_s / KNOT_M_PER_S + float(rng.normal(0, 0.05))
        yield _sentence(f"GPRMC,{_clock(second.at)},A,{_position(ship)},{max(knots, 0):.2f},{second.heading_deg:.1f},{second.at:%d%m%y},,")
        yield _sentence(f"HEHDT,{(second.heading_deg + rng.normal(0, 0.4)) % 360:.2f},T")
        yield _sentence(f"SDDBT,{second.depth_m * 3.28084:.1f},f,{second.depth_m:.1f},M,{second.depth_m * 0.546807:.1f},F")
        usbl = _usbl(number, second, rng)  # drawn in silence too: a gap changes nothing of what comes after it
        if number not in silent:
            yield usbl


def _usbl(number: int, second: _Second, rng: np.random.Generator) -> str:
    """The acoustic position of the sledge in this second."""
    off = rng.normal(0, USBL_SD_M, 2)
    if rng.random() < _FAR_OFF_SHARE:
        bearing = rng.uniform(0, 2 * np.pi)
        off = off + rng.uniform(25, 80) * np.array([np.sin(bearing), np.cos(bearing)])
    validity = "0" if rng.random() < _INVALID_SHARE else "F"
    depth_m = second.depth_m + float(rng.normal(0, 0.3))
    when = f"{second.at:%H%M%S}.{second.at.microsecond // 1000:03d},{second.at:%d,%m,%Y}"
    place = _position(_moved(second.sledge, off))
    return _sentence(f"PTSAG,#{number % 100_000:05d},{when},{BEACON},{place},{validity},{depth_m:07.2f},1,9999.00")


def _way(path: Path, seconds: float, start_utc: datetime) -> Iterator[_Second]:
    """True seconds from `LEAD_S` before the first frame to `LEAD_S` after the last; outside of the tow at the mean speed.

    The ship goes the same way some time earlier, but evenly: the swell that jerks the sledge hardly moves it.
    """
    clock = np.arange(-LEAD_S, math.ceil(seconds) + LEAD_S + 1, dtype=np.float64)
    along = _along_m(path, clock, seconds)
    evenly = np.mean([_along_m(path, clock + late_s, seconds) for late_s in range(-_EVEN_S, _EVEN_S + 1)], axis=0)
    heading = np.radians(path.heading_deg(clock))
    towards = np.column_stack((np.sin(heading), np.cos(heading)))
    sledge = _START
    ship = _moved(_START, _SHIP_AHEAD_M * towards[0])
    for number, at_s in enumerate(clock):
        after = min(number + 1, len(clock) - 1)
        yield _Second(
            at=start_utc + timedelta(seconds=float(at_s)),
            sledge=sledge,
            ship=ship,
            speed_m_per_s=float(evenly[after] - evenly[number]),
            heading_deg=float(np.degrees(heading[number]) % 360),
            depth_m=_DEPTH_M + 0.004 * float(along[number]),
        )
        sledge = _moved(sledge, float(along[after] - along[number]) * towards[number])
        ship = _moved(ship, float(evenly[after] - evenly[number]) * towards[number])


def _along_m(path: Path, clock_s: Floats, seconds: float) -> Floats:
    inside = path.along_m(np.clip(clock_s, 0.0, seconds))
    return np.asarray(inside + MEAN_SPEED_M_PER_S * (clock_s - np.clip(clock_s, 0.0, seconds)), np.float64)


def _moved(place: tuple[float, float], east_north_m: Floats) -> tuple[float, float]:
    """Latitude and longitude so many metres away, by the radii of the ellipsoid: good to 1e-6 of distances below 1 km."""
    sine = math.sin(math.radians(place[0]))
    bow = 1 - _SQUARED_ECCENTRICITY * sine * sine
    north_m = math.radians(1) * _EQUATOR_M * (1 - _SQUARED_ECCENTRICITY) / bow**1.5
    east_m = math.radians(1) * _EQUATOR_M / math.sqrt(bow) * math.cos(math.radians(place[0]))
    return place[0] + float(east_north_m[1]) / north_m, place[1] + float(east_north_m[0]) / east_m


def _silent_seconds(seconds: float, rng: np.random.Generator) -> set[int]:
    """Numbers of the seconds of the log without an acoustic position."""
    silent: set[int] = set()
    at_s = LEAD_S + float(rng.exponential(_GAP_EVERY_S))
    while at_s < LEAD_S + seconds:
        length_s = int(rng.integers(4, 19))
        silent.update(range(int(at_s), int(at_s) + length_s))
        at_s += length_s + float(rng.exponential(_GAP_EVERY_S))
    return silent


def _sentence(body: str) -> str:
    return f"${body}*{reduce(xor, body.encode(), 0):02X}\r\n"


def _clock(at: datetime) -> str:
    return f"{at:%H%M%S}.{at.microsecond // 10_000:02d}"


def _position(place: tuple[float, float]) -> str:
    return f"{_angle(place[0], 2, 'NS')},{_angle(place[1], 3, 'EW')}"


def _angle(value: float, digits: int, hemispheres: str) -> str:
    """`5149.80300,N`, as NMEA writes an angle."""
    degrees, rest = divmod(round(abs(value) * 6_000_000), 6_000_000)
    whole, part = divmod(rest, 100_000)
    return f"{degrees:0{digits}d}{whole:02d}.{part:05d},{hemispheres[value < 0]}"
