"""What the stations of a survey say against each other: lines that overlap in time, and positions that cannot be.

A wrong sign or a wrong degree shows as a station far from all others, or on land; where the place mirrored at the equator or at
Greenwich lies among them, or at sea, the message says so. The grid of land is coarse: what lies near a coast passes.
"""

from __future__ import annotations

import statistics
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from edge.survey.sheet.land import is_land
from edge.survey.sheet.reading import distance_m

FAR_M = 150_000.0  # grounds of one real survey lie 110 km apart
FAR_FACTOR = 4.0
FEWEST_OTHERS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A tow as the checks see it. Times are ISO 8601 in UTC, positions (latitude, longitude) in degrees."""

    tow_id: int
    station: str
    start_utc: str | None
    end_utc: str | None
    place_deg: tuple[float, float] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class LineFault:
    """Something wrong with a tow among the others of its survey, in which field, and what that does."""

    tow_id: int
    station: str
    field: str
    message: str
    effect: str


def check_lines(lines: Sequence[Line], *, year: int | None = None) -> tuple[LineFault, ...]:
    """Everything that the lines of a survey say against each other and against the survey's year."""
    far = _far_off(lines)
    return (*_overlaps(lines), *far, *_on_land(lines, {one.tow_id for one in far}), *_other_years(lines, year))


def _overlaps(lines: Sequence[Line]) -> list[LineFault]:
    timed = sorted((one for one in lines if one.start_utc and one.end_utc), key=lambda one: (one.start_utc or "", one.tow_id))
    faults: list[LineFault] = []
    for at, first in enumerate(timed):
        end = first.end_utc or ""
        for second in timed[at + 1 :]:
            if (second.start_utc or "") >= end:
                break
            for one, other in ((first, second), (second, first)):
                message = f"its line overlaps in time with that of station {other.station} ({_span(other)})"
                effect = "Files of the time that both claim are attached to neither by time; their folder or a person decides."
                faults.append(LineFault(tow_id=one.tow_id, station=one.station, field="start_time", message=message, effect=effect))
    return faults


def _span(line: Line) -> str:
    return f"{(line.start_utc or '')[:19].replace('T', ' ')} to {(line.end_utc or '')[11:19]}Z"


def _far_off(lines: Sequence[Line]) -> list[LineFault]:
    placed = [(one, one.place_deg) for one in lines if one.place_deg is not None]
    if len(placed) <= FEWEST_OTHERS:
        return []
    # One far station moves a median next to nothing, so every station is compared with the centre of all.
    centre = statistics.median(place[0] for _, place in placed), statistics.median(place[1] for _, place in placed)
    distances = [distance_m(place, centre) for _, place in placed]
    limit_m = max(FAR_M, FAR_FACTOR * statistics.median(distances))
    return [
        LineFault(
            tow_id=one.tow_id,
            station=one.station,
            field="start_latitude_degrees",
            message=_far_words(place, centre, far_m, limit_m),
            effect=_FAR_EFFECT,
        )
        for (one, place), far_m in zip(placed, distances, strict=True)
        if far_m > limit_m
    ]


def _on_land(lines: Sequence[Line], told: Collection[int]) -> list[LineFault]:
    return [
        LineFault(
            tow_id=one.tow_id,
            station=one.station,
            field="start_latitude_degrees",
            message=_land_words(one.place_deg),
            effect=_FAR_EFFECT,
        )
        for one in lines
        if one.place_deg is not None and one.tow_id not in told and is_land(*one.place_deg)
    ]


def _land_words(place: tuple[float, float]) -> str:
    words = f"its position ({place[0]:.2f}, {place[1]:.2f} degrees) is on land"
    if not is_land(place[0], -place[1]):
        taken, meant = ("east", "west") if place[1] > 0 else ("west", "east")
        return f"{words}; {meant} of Greenwich it would be at sea: was {meant} typed as {taken}?"
    return f"{words}: a degree or a sign is wrong"


def _far_words(place: tuple[float, float], centre: tuple[float, float], far_m: float, limit_m: float) -> str:
    words = f"it is {far_m / 1000:,.0f} km from the middle of the survey"
    mirrored = {"the sign of its longitude": (place[0], -place[1]), "the sign of its latitude": (-place[0], place[1])}
    for what, other in mirrored.items():
        if distance_m(other, centre) <= limit_m:
            return f"{words}: {what} is wrong"
    return f"{words}: a degree or a sign is wrong, or it is on land"


_FAR_EFFECT = "The map and a track's check would be of another place; count, area and density of the station do not depend on it."


def _other_years(lines: Sequence[Line], year: int | None) -> list[LineFault]:
    return [
        LineFault(
            tow_id=one.tow_id,
            station=one.station,
            field="start_date",
            message=f"it is of {one.start_utc[:4]}, the survey of {year}",
            effect="No file of this survey falls into its line, so none is attached by time.",
        )
        for one in lines
        if year is not None and one.start_utc is not None and one.start_utc[:4] != str(year)
    ]
