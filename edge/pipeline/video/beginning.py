"""When a recording began, as its container says. The name of the file is asked elsewhere.

* `com.apple.quicktime.creationdate` (QuickTime metadata): the camera's time with its zone.
* `creation_time` (ISO/IEC 14496-12, 8.2.2; Matroska DateUTC): UTC by the standard. A camera that knows no zone writes its clock there.
* `ICRD`, `IDIT` (AVI): the camera's clock.
* MDPM (AVCHD): the camera's clock in the stream of the picture itself, binary coded decimals in a message of H.264.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

_FIRST_YEAR = 1995  # a clock that was never set says 1904, 1970 or 1980
_APPLE = "com.apple.quicktime.creationdate"
_AVI_KEYS = ("date", "ICRD", "creation_time")
_AVI_PATTERNS = ("%Y-%m-%d %H:%M:%S", "%Y:%m:%d %H:%M:%S", "%a %b %d %H:%M:%S %Y", "%Y-%m-%dT%H:%M:%S")
# ISO/IEC 11578 name of the message, then "MDPM"; what follows is the number of entries, each a tag and four bytes.
_MDPM = bytes.fromhex("17ee8c60f84d11d98cd60800200c9a66") + b"MDPM"
_MDPM_DATE, _MDPM_TIME = 0x18, 0x19
_EMULATED = re.compile(rb"\x00\x00\x03(?=[\x00-\x03])")


@dataclass(frozen=True, slots=True, kw_only=True)
class Beginning:
    """When a recording began: in UTC, or as its clock said where no zone is known; both None where nothing is said.

    Attributes:
        utc: ISO 8601 with milliseconds and a Z.
        local: ISO 8601 without a zone.
        source: the name of what said it, such as "creation_time".
    """

    utc: str | None = None
    local: str | None = None
    source: str | None = None


def beginning_of(tags: Mapping[str, str], clip_format: str) -> Beginning:
    """The best of the tags of a container."""
    if (moment := _iso(tags.get(_APPLE))) is not None:
        return _beginning(moment, _APPLE)
    if clip_format == "avi":
        return next((found for key in _AVI_KEYS if (found := _clock(tags.get(key), key)) is not None), Beginning())
    if (moment := _iso(tags.get("creation_time"))) is not None:
        return _beginning(moment, "creation_time")
    return Beginning()


def beginning_in_picture(packet: bytes) -> Beginning | None:
    """The clock that an AVCHD camera writes into its pictures (H.264, user data in front of a key frame), if there is one."""
    position = packet.find(_MDPM)
    if position < 0:
        return None
    data = _EMULATED.sub(b"\x00\x00", packet[position + len(_MDPM) : position + len(_MDPM) + 400])
    entries = {data[at]: data[at + 1 : at + 5] for at in range(1, 1 + 5 * data[0], 5) if at + 5 <= len(data)} if data else {}
    date, time = entries.get(_MDPM_DATE), entries.get(_MDPM_TIME)
    if date is None or time is None:
        return None
    century, year, month, day, hour, minute, second = (_decimal(byte) for byte in (date[1], date[2], date[3], *time))
    try:
        moment = datetime(100 * century + year, month, day, hour, minute, second)  # noqa: DTZ001
    except ValueError:
        return None
    return _beginning(moment, "MDPM") if moment.year >= _FIRST_YEAR else None


def _decimal(byte: int) -> int:
    return 10 * (byte >> 4) + (byte & 15)


def _iso(text: str | None) -> datetime | None:
    """A moment with or without a zone; None for what is none, or is from before there were such cameras."""
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError:
        return None
    return moment if moment.year >= _FIRST_YEAR else None


def _clock(text: str | None, source: str) -> Beginning | None:
    for pattern in _AVI_PATTERNS:
        try:
            moment = datetime.strptime((text or "").strip().rstrip("Z").split(".")[0], pattern)  # noqa: DTZ007
        except ValueError:
            continue
        if moment.year >= _FIRST_YEAR:
            return _beginning(moment, source)
    return None


def _beginning(moment: datetime, source: str) -> Beginning:
    if moment.tzinfo is None:
        return Beginning(local=moment.isoformat(timespec="milliseconds"), source=source)
    utc = moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="milliseconds")
    return Beginning(utc=f"{utc}Z", source=source)
