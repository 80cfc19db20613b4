"""When a real still was taken, from its name."""

from __future__ import annotations

import re
from pathlib import Path


def taken_s(path: Path) -> float:
    """Seconds of the day, UTC."""
    found = re.search(r"T(\d+)-(\d+)-(\d+)-(\d+)Z", path.name)
    assert found is not None
    hours, minutes, seconds, micros = (int(part) for part in found.groups())
    return hours * 3600 + minutes * 60 + seconds + micros / 1e6
