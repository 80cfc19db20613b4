"""When an image was taken: as its EXIF data say, else as its name says, else unknown. Never the file's mtime."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from edge.store.clock import utc_text
from edge.values import CaptureTime

_EXIF_TIME = re.compile(r"(?P<time>\d{4}:\d\d:\d\d \d\d:\d\d:\d\d)(?:\.(?P<fraction>\d+))?(?P<offset>[+-]\d\d:\d\d)?.*", re.DOTALL)
_PATTERNS = ("%Y:%m:%d %H:%M:%S.%f", "%Y:%m:%d %H:%M:%S.%f%z")


def capture_time(exif_time_local: str | None, name: str, pattern: str) -> CaptureTime | None:
    """The capture time of an image, or None where neither source has a real date.

    Args:
        exif_time_local: DateTimeOriginal verbatim, such as "2023:06:03 16:32:07", perhaps with ".504" and "+02:00" behind it;
            with an offset the time in UTC follows.
        name: the file's name.
        pattern: a regular expression with the groups year, month, day, hour, minute, second, and optionally microsecond
            (digits of the fraction, up to six) and utc (there is one if it matches).
    """
    if exif_time_local is not None and (moment := _exif_moment(exif_time_local)) is not None:
        utc = utc_text(moment) if moment.tzinfo else None
        return CaptureTime(utc=utc, local=exif_time_local, source="exif")
    return _from_name(name, pattern)


def _exif_moment(text: str) -> datetime | None:
    """In UTC if the text has an offset, else without a zone; None for a text that is no moment."""
    # Cameras without a set clock write zeros or blanks (EXIF 2.32, 4.6.6.F).
    parts = _EXIF_TIME.fullmatch(text)
    if parts is None:
        return None
    fraction = (parts["fraction"] or "").ljust(6, "0")[:6]
    try:
        moment = datetime.strptime(f"{parts['time']}.{fraction}{parts['offset'] or ''}", _PATTERNS[bool(parts["offset"])])  # noqa: DTZ007
        return moment.astimezone(UTC) if moment.tzinfo else moment
    except (ValueError, OverflowError):
        return None


def _from_name(name: str, pattern: str) -> CaptureTime | None:
    match = re.search(pattern, name)
    if match is None:
        return None
    parts = match.groupdict()
    fraction = (parts.get("microsecond") or "").ljust(6, "0")[:6]
    numbers = [int(parts[unit]) for unit in ("year", "month", "day", "hour", "minute", "second")]
    try:
        moment = datetime(*numbers, microsecond=int(fraction), tzinfo=UTC)  # type: ignore[misc, arg-type]
    except ValueError:
        return None
    if parts.get("utc"):
        return CaptureTime(utc=utc_text(moment), local=None, source="file_name")
    return CaptureTime(utc=None, local=moment.replace(tzinfo=None).isoformat(timespec="milliseconds"), source="file_name")
