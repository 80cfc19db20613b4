"""What a scan's LOG says: when, in which frame, how finely and by which scanner it was scanned."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime

from edge.zooscan.project.files import scanned_at
from edge.zooscan.project.texts import decode_text, read_keyed_text

# VueScan numbers the resolutions of the scanner's list; these are the two that Zooprocess uses.
_RESOLUTIONS_DPI = {"3": 2400.0, "4": 1200.0}
_SERIAL = re.compile(r"zooscan_\w*?_?(sn\d+)", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanLog:
    """What a LOG says. None: it does not.

    Attributes:
        at_local: when it was scanned, by the scanner's computer.
        frame: "large" or "narrow".
        resolution_dpi: pixels per inch.
        serial: of the scanner, such as `sn033`, as the folder that it was scanned into says.
    """

    at_local: datetime | None
    frame: str | None
    resolution_dpi: float | None
    serial: str | None


def read_log(data: bytes) -> ScanLog:
    """Read a LOG; nothing is refused."""
    content = decode_text(data)
    text = read_keyed_text(content)
    frame = (text.value("Scanning_area") or "").casefold()
    index = next(
        (
            value
            for heading, values in text.sections.items()
            if heading.casefold().startswith("input-")
            for key, value in values.items()
            if key.casefold() == "scanresolution"
        ),
        None,
    )
    serial = _SERIAL.search(content)
    return ScanLog(
        at_local=scanned_at(text.value("Scanning_date")),
        frame=frame if frame in ("large", "narrow") else None,
        resolution_dpi=_RESOLUTIONS_DPI.get(index or ""),
        serial=serial[1].lower() if serial else None,
    )
