"""Which tow an image belongs to: by the folder it lies in, or by its time between start and end of a line. Never guessed.

An image that two tows or two cameras claim, or whose folder says one tow and whose time another, belongs to none until a person decides;
the reason is a sentence for them. Everything here is pure.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from edge.store.clock import utc_text
from edge.store.media import LineRow, MediaImage
from edge.store.reads.tow_media import CameraRow
from edge.store.surveys import Attachment, How

STATION_MARK = "{station}"
_EXIF = re.compile(r"(\d{4}):(\d\d):(\d\d) (.+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """When an image was taken; of a clip from its first frame to its last."""

    begin: datetime
    end: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A tow's line with its times; None where they are not known."""

    tow_id: int
    station: str
    start: datetime | None
    end: datetime | None

    def holds(self, span: Span) -> bool:
        """Whether a moment lies in it, both ends included; of a clip, any moment."""
        return self.start is not None and self.end is not None and self.start <= span.end and span.begin <= self.end


@dataclass(frozen=True, slots=True, kw_only=True)
class SurveyPlan:
    """A survey's cameras and lines, by which its files are attached."""

    name: str
    cameras: tuple[CameraRow, ...]
    lines: tuple[Line, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """Where an image belongs; `attachment` is None where it belongs to no tow, and `reason` then says why."""

    attachment: Attachment | None
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Claim:
    line: Line
    camera: CameraRow
    how: How
    at_s: float | None


@dataclass(slots=True)
class Placer:
    """Places images by the cameras and lines of every survey. For one thread: it remembers what each folder says."""

    surveys: Sequence[SurveyPlan]
    _folders: dict[tuple[int, str], tuple[bool, tuple[str, ...]]] = field(default_factory=dict)
    _sorted: dict[int, tuple[list[Line], list[datetime], timedelta]] = field(default_factory=dict)

    def place(self, image: MediaImage) -> Placed:
        """Where an image belongs by the rules; what a person decided is not looked at here."""
        claims: list[_Claim] = []
        reasons: list[str] = []
        for at, survey in enumerate(self.surveys):
            for camera in survey.cameras:
                is_mine, stations = self._folder(camera, survey, image.folder)
                if is_mine:
                    self._claim(at, survey, camera, stations, image, claims, reasons)
            if not any(claim.line in survey.lines for claim in claims):
                for camera in (one for one in survey.cameras if not one.folder_pattern):
                    self._claim_by_time(at, survey, camera, image, claims, reasons)
        return _decided(image, claims, reasons)

    def _folder(self, camera: CameraRow, survey: SurveyPlan, folder: str) -> tuple[bool, tuple[str, ...]]:
        """Whether a folder is a camera's, and the stations that its pattern reads in it."""
        if not camera.folder_pattern:
            return False, ()
        key = camera.id, folder
        if key not in self._folders:
            path = f"{folder}/"
            if STATION_MARK not in camera.folder_pattern:
                self._folders[key] = bool(pattern_of(camera.folder_pattern, "").fullmatch(path)), ()
            else:
                names = dict.fromkeys(line.station for line in survey.lines if line.station in path)
                found = tuple(name for name in names if pattern_of(camera.folder_pattern, name).fullmatch(path))
                self._folders[key] = bool(found), found
        return self._folders[key]

    def _claim(  # noqa: PLR0917
        self,
        at: int,
        survey: SurveyPlan,
        camera: CameraRow,
        stations: tuple[str, ...],
        image: MediaImage,
        claims: list[_Claim],
        reasons: list[str],
    ) -> None:
        if STATION_MARK not in camera.folder_pattern:
            self._claim_by_time(at, survey, camera, image, claims, reasons)
            return
        if len(stations) > 1:
            reasons.append(f"the folder names the stations {', '.join(stations)} of {survey.name}")
            return
        lines = [line for line in survey.lines if line.station == stations[0]]
        moment, span = moment_of(image, camera), span_of(image, camera)
        inside = [line for line in lines if span is not None and line.holds(span)]
        others = [line for line in self._lines_at(at, span) if line.station != stations[0]] if span is not None else []
        if others and not inside:
            reasons.append(f"its folder says station {stations[0]}, its time station {others[0].station} of {survey.name}")
        elif len(lines) == 1:
            claims.append(_Claim(line=lines[0], camera=camera, how="folder", at_s=_at_s(lines[0], moment)))
        elif len(inside) == 1:
            claims.append(_Claim(line=inside[0], camera=camera, how="folder", at_s=_at_s(inside[0], moment)))
        else:
            reasons.append(f"station {stations[0]} of {survey.name} has {len(lines)} tows, and its time does not tell which")

    def _claim_by_time(  # noqa: PLR0917
        self, at: int, survey: SurveyPlan, camera: CameraRow, image: MediaImage, claims: list[_Claim], reasons: list[str]
    ) -> None:
        moment, span = moment_of(image, camera), span_of(image, camera)
        if moment is None or span is None:
            reasons.append("the file has no time, and its folder says no station")
            return
        lines = self._lines_at(at, span)
        if len(lines) > 1:
            names = ", ".join(line.station for line in lines)
            told = "overlap at its time" if span.begin == span.end else "were both towed while it ran: attach it by hand to one of them"
            reasons.append(f"the lines of stations {names} of {survey.name} {told}")
        elif lines:
            claims.append(_Claim(line=lines[0], camera=camera, how="time", at_s=_at_s(lines[0], moment)))

    def _lines_at(self, at: int, span: Span) -> list[Line]:
        """The lines of a survey that hold a span: those that begin before its end, as far back as the longest line reaches."""
        if at not in self._sorted:
            timed = sorted((line for line in self.surveys[at].lines if line.start and line.end), key=lambda line: line.start or span.begin)
            longest = max((line.end - line.start for line in timed if line.start and line.end), default=timedelta())
            self._sorted[at] = timed, [line.start for line in timed if line.start], longest
        timed, starts, longest = self._sorted[at]
        found: list[Line] = []
        for line in reversed(timed[: bisect_right(starts, span.end)]):
            if line.start is not None and line.start + longest < span.begin:
                break
            if line.holds(span):
                found.append(line)
        return found


def pattern_of(pattern: str, station: str) -> re.Pattern[str]:
    """A camera's folder pattern as a regular expression on a folder's path that ends in "/".

    `*` stands for anything, `?` for one sign, `{station}` for the station's name, which is not a part of a longer number or word.
    A pattern holds for the folders below the one it names.
    """
    pieces = pattern.replace("\\", "/").rstrip("*").rstrip("/").split(STATION_MARK)
    first, last = (_CLASS[station[place].isdigit()] if station and station[place].isalnum() else "" for place in (0, -1))
    name = f"{f'(?<!{first})' if first else ''}{re.escape(station)}{f'(?!{last})' if last else ''}"
    parts = ["".join({"*": ".*", "?": "[^/]"}.get(sign) or re.escape(sign) for sign in piece) for piece in pieces]
    return re.compile(name.join(parts) + "/.*")


_CLASS = {True: "[0-9]", False: "[A-Za-z]"}


def moment_of(image: MediaImage, camera: CameraRow) -> datetime | None:
    """When an image was taken by the camera's corrected clock, in UTC; None if it has no time that can be read."""
    text = image.capture_time_utc or image.capture_time_local
    if text is None:
        return None
    exif = _EXIF.match(text)
    iso = f"{exif[1]}-{exif[2]}-{exif[3]}T{exif[4]}" if exif else text
    try:
        moment = datetime.fromisoformat(iso)
    except ValueError:
        return None
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return aware.astimezone(UTC) + timedelta(seconds=camera.time_offset_s)


def span_of(image: MediaImage, camera: CameraRow) -> Span | None:
    """From when to when an image was taken by the camera's corrected clock; a still at one moment."""
    moment = moment_of(image, camera)
    return None if moment is None else Span(begin=moment, end=moment + timedelta(seconds=image.duration_s))


def line_of(row: LineRow) -> Line:
    """A line with its times as such."""
    start, end = (None if text is None else datetime.fromisoformat(text) for text in (row.start_utc, row.end_utc))
    return Line(tow_id=row.tow_id, station=row.station, start=start, end=end)


def window_of(row: LineRow, cameras: Iterable[CameraRow]) -> tuple[str, str] | None:
    """From when to when, by uncorrected clocks, images of a line may have been taken: the widest over the cameras."""
    line, offsets_s = line_of(row), [camera.time_offset_s for camera in cameras]
    if line.start is None or line.end is None or not offsets_s:
        return None
    return utc_text(line.start - timedelta(seconds=max(offsets_s))), utc_text(line.end - timedelta(seconds=min(offsets_s)))


def at_s_of(image: MediaImage, row: LineRow, camera: CameraRow | None) -> float | None:
    """Seconds from the start of a tow to an image, by the camera's corrected clock; None if either is not known."""
    clock = camera or CameraRow(id=0, survey_id=0, name="", time_offset_s=0.0, time_offset_source="", folder_pattern="")
    return _at_s(line_of(row), moment_of(image, clock))


def plans(rows: Sequence[LineRow], names: Mapping[int, str], cameras: Mapping[int, Sequence[CameraRow]]) -> tuple[SurveyPlan, ...]:
    """The plan of every survey that has a camera."""
    lines: dict[int, list[Line]] = {}
    for row in rows:
        if row.survey_id is not None:
            lines.setdefault(row.survey_id, []).append(line_of(row))
    return tuple(
        SurveyPlan(name=names[survey_id], cameras=tuple(some), lines=tuple(lines.get(survey_id, [])))
        for survey_id, some in cameras.items()
        if some
    )


def _decided(image: MediaImage, claims: Sequence[_Claim], reasons: Sequence[str]) -> Placed:
    tows = dict.fromkeys(claim.line.tow_id for claim in claims)
    if len(tows) == 1:
        cameras = dict.fromkeys(claim.camera.id for claim in claims)
        if len(cameras) > 1:
            names = ", ".join(dict.fromkeys(claim.camera.name for claim in claims))
            return Placed(attachment=None, reason=f"the cameras {names} both claim it: give each a folder pattern")
        one = claims[0]
        made = Attachment(image_id=image.image_id, tow_id=one.line.tow_id, camera_id=one.camera.id, how=one.how, at_s=one.at_s)
        return Placed(attachment=made, reason="")
    if tows:
        names = ", ".join(dict.fromkeys(claim.line.station for claim in claims))
        return Placed(attachment=None, reason=f"the tows of stations {names} both claim it")
    return Placed(attachment=None, reason=reasons[0] if reasons else "no line holds its time, and no camera's folder pattern its folder")


def _at_s(line: Line, moment: datetime | None) -> float | None:
    return None if line.start is None or moment is None else round((moment - line.start).total_seconds(), 3)
