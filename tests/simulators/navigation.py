"""A ship that tows a sledge along a path of known length, and the logs that its instruments would write of it."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import reduce
from operator import xor

from geographiclib.geodesic import Geodesic

START = datetime(2026, 7, 14, 22, 55, 0, tzinfo=UTC)
ORIGIN = (51.83, -6.61)
EARTH = Geodesic.WGS84


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where the sledge is at a time, true."""

    at: datetime
    latitude_deg: float
    longitude_deg: float
    depth_m: float
    speed_m_per_s: float
    heading_deg: float


def walk(
    duration_s: int,
    *,
    speed_m_per_s: Callable[[float], float] = lambda _: 0.41,
    heading_deg: Callable[[float], float] = lambda _: 35.0,
    start: datetime = START,
    origin: tuple[float, float] = ORIGIN,
) -> tuple[list[Place], float]:
    """A path, one true place a second, and its length in metres: the sum of its steps, each a geodesic of that length."""
    latitude, longitude = origin
    places, length_m = [], 0.0
    for second in range(duration_s + 1):
        speed, heading = speed_m_per_s(second), heading_deg(second)
        places.append(
            Place(
                at=start + timedelta(seconds=second),
                latitude_deg=latitude,
                longitude_deg=longitude,
                depth_m=104.0 + second / 200,
                speed_m_per_s=speed,
                heading_deg=heading % 360,
            )
        )
        if second < duration_s:
            there = EARTH.Direct(latitude, longitude, heading, speed)
            latitude, longitude = there["lat2"], there["lon2"]
            length_m += speed
    return places, length_m


def scattered(places: Sequence[Place], sd_m: float, seed: int = 1) -> list[Place]:
    """The same places as a USBL system sees them: each off by a normal error on both axes."""
    chance = random.Random(seed)
    found = []
    for place in places:
        away_m = math.hypot(east := chance.gauss(0, sd_m), north := chance.gauss(0, sd_m))
        there = EARTH.Direct(place.latitude_deg, place.longitude_deg, math.degrees(math.atan2(east, north)), away_m)
        found.append(
            Place(
                at=place.at,
                latitude_deg=there["lat2"],
                longitude_deg=there["lon2"],
                depth_m=place.depth_m,
                speed_m_per_s=place.speed_m_per_s,
                heading_deg=place.heading_deg,
            )
        )
    return found


def sentence(body: str) -> bytes:
    """A sentence with its check sum and line end."""
    return f"${body}*{reduce(xor, body.encode(), 0):02X}\r\n".encode()


def degrees_minutes(value: float, digits: int, hemispheres: str, decimals: int = 5) -> str:
    """`5149.80300,N`, as NMEA writes an angle."""
    units = 60 * 10**decimals
    total = round(abs(value) * units)
    degrees, rest = divmod(total, units)
    whole, part = divmod(rest, 10**decimals)
    return f"{degrees:0{digits}d}{whole:02d}.{part:0{decimals}d},{hemispheres[value < 0]}"


def clock(at: datetime) -> str:
    return at.strftime("%H%M%S.") + f"{at.microsecond // 10_000:02d}"


def position(place: Place) -> str:
    return f"{degrees_minutes(place.latitude_deg, 2, 'NS')},{degrees_minutes(place.longitude_deg, 3, 'EW')}"


def gga(place: Place, talker: str = "GP", quality: int = 2) -> bytes:
    return sentence(f"{talker}GGA,{clock(place.at)},{position(place)},{quality},09,0.9,12.0,M,54.0,M,,")


def rmc(place: Place, talker: str = "GP", status: str = "A") -> bytes:
    knots = place.speed_m_per_s * 3600 / 1852
    day = place.at.strftime("%d%m%y")
    return sentence(f"{talker}RMC,{clock(place.at)},{status},{position(place)},{knots:.2f},{place.heading_deg:.1f},{day},,")


def zda(at: datetime) -> bytes:
    return sentence(f"GPZDA,{clock(at)},{at:%d,%m,%Y},00,00")


def ptsag(place: Place, beacon: int = 1, validity: str = "F", frame: int = 1) -> bytes:
    when = f"{place.at:%H%M%S}.{place.at.microsecond // 1000:03d},{place.at:%d,%m,%Y}"
    return sentence(f"PTSAG,#{frame:05d},{when},{beacon},{position(place)},{validity},{place.depth_m:07.2f},1,9999.00")


def psonlld(place: Place, beacon: str = "2104", status: str = "A") -> bytes:
    when = f"{place.at:%H%M%S}.{place.at.microsecond // 1000:03d}"
    return sentence(
        f"PSONLLD,{when},{beacon},{status},{place.latitude_deg:.8f},{place.longitude_deg:.8f},{place.depth_m:.3f},1.2,1.1,30.0,0.4,,,,"
    )


def bridge_log(places: Sequence[Place], talker: str = "GP") -> Iterator[bytes]:
    """What a ship's logger writes: a second of several instruments after the other."""
    for place in places:
        yield zda(place.at)
        yield gga(place, talker)
        yield rmc(place, talker)
        yield sentence(f"HEHDT,{place.heading_deg:.2f},T")
        yield sentence(f"GPVTG,{place.heading_deg:.1f},T,,M,{place.speed_m_per_s * 3600 / 1852:.2f},N,,K,A")
        yield sentence(f"SDDBT,{place.depth_m * 3.28084:.1f},f,{place.depth_m:.1f},M,{place.depth_m * 0.546807:.1f},F")


def biviedes_table(places: Sequence[Place]) -> str:
    """The table that BIVIEDES reads."""
    rows = ["id,datetime,depth,heading,lon,lat,videotime"]
    for number, place in enumerate(places, start=1):
        video = timedelta(seconds=number - 1)
        rows.append(
            f"{number},{place.at:%d/%m/%Y %H:%M:%S},{place.depth_m:.2f},{place.heading_deg:.1f},"
            f"{place.longitude_deg:.8f},{place.latitude_deg:.8f},{str(video).zfill(8)}"
        )
    return "\n".join(rows) + "\n"
