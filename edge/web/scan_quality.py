"""The checks of a scan's quality for its pages: they look at every object, so they are made anew only when something changed."""

from __future__ import annotations

import threading
from pathlib import Path

from edge.recipes.scan_checks import checks_of
from edge.store.reads.zooscan_check import quality_stamp
from edge.store.sqlite import Connection
from edge.zooscan.quality import Finding

_KEPT = 64


class ScanQuality:
    """What the checks of scans found. For any thread."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self._made: dict[int, tuple[str, tuple[Finding, ...]]] = {}
        self._lock = threading.Lock()

    def of(self, connection: Connection, scan_id: int) -> tuple[Finding, ...]:
        """Every check of a scan with a result, the worst first.

        Raises:
            ScanRefusedError: there is no such scan, or it has no result.
        """
        stamp = quality_stamp(connection, scan_id)
        with self._lock:
            made = self._made.get(scan_id)
        if made is not None and made[0] == stamp:
            return made[1]
        found = checks_of(connection, self._home, scan_id)
        with self._lock:
            self._made[scan_id] = (stamp, found)
            while len(self._made) > _KEPT:
                del self._made[next(iter(self._made))]
        return found
