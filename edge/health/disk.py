"""The disk of the home folder: when to stop taking files, when to stop working, when to let the ballast go.

    OK    free space is above the floor: everything runs
    LOW   below the floor: nothing new is taken, what is queued is finished
    FULL  not even that is safe: workers rest, and the ballast is released so that SQLite can finish

Free space is always judged as if the ballast were held: letting it go must not look like room gained.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import structlog

from edge.settings import Settings
from edge.store.ballast import BALLAST_NAME, Ballast
from edge.units import mib_to_bytes

log = structlog.get_logger()

_FULL_BYTES = mib_to_bytes(64)
_RETURN_MARGIN = 1.05


class DiskLevel(StrEnum):
    """How much room the disk has."""

    OK = "ok"
    LOW = "low"
    FULL = "full"


@dataclass(frozen=True, slots=True, kw_only=True)
class DiskFloor:
    """The two limits: below `floor_bytes` free the disk is low, below `full_bytes` it is full."""

    floor_bytes: int
    full_bytes: int

    @classmethod
    def of_bytes(cls, floor_bytes: int) -> DiskFloor:
        """Limits for a floor: full is 64 MiB, or a quarter of the floor if that is less."""
        return cls(floor_bytes=floor_bytes, full_bytes=min(_FULL_BYTES, floor_bytes // 4))

    def judge(self, free_bytes: int, before: DiskLevel) -> DiskLevel:
        """The level at this much free space; a level is left only 5 % above its limit, so that it does not flutter."""
        if free_bytes < self.full_bytes * (_RETURN_MARGIN if before is DiskLevel.FULL else 1.0):
            return DiskLevel.FULL
        if free_bytes < self.floor_bytes * (1.0 if before is DiskLevel.OK else _RETURN_MARGIN):
            return DiskLevel.LOW
        return DiskLevel.OK


class DiskGuard:
    """Looks at the disk of a home folder, and holds or releases its ballast. Used by one thread, read by all."""

    def __init__(self, home: Path, floor: DiskFloor, ballast: Ballast) -> None:
        self._home = home
        self._floor = floor
        self._ballast = ballast
        self.level = DiskLevel.OK
        self.free_bytes = 0
        self.total_bytes = 0
        self.look()

    @classmethod
    def for_home(cls, home: Path, settings: Settings) -> DiskGuard:
        """The guard that the settings describe."""
        ballast = Ballast(home / BALLAST_NAME, mib_to_bytes(settings.ballast_mb))
        return cls(home, DiskFloor.of_bytes(mib_to_bytes(settings.min_free_mb)), ballast)

    @property
    def floor_bytes(self) -> int:
        """Below this much free space nothing new is taken."""
        return self._floor.floor_bytes

    def look(self) -> DiskLevel:
        """Measure, decide, act on the ballast; returns the level.

        Raises:
            OSError: the home folder cannot be examined; the level stays as it was.
        """
        usage = shutil.disk_usage(self._home)
        missing_ballast_bytes = max(0, self._ballast.size_bytes - self._ballast.held_bytes())
        self.total_bytes = usage.total
        self.free_bytes = max(0, usage.free - missing_ballast_bytes)
        self.level = self._floor.judge(self.free_bytes, self.level)
        if self.level is DiskLevel.FULL:
            self._release()
        elif self.level is DiskLevel.OK and missing_ballast_bytes:
            self._ballast.hold()
        return self.level

    def note_full(self) -> None:
        """A write failed for want of room: the level is FULL at once, whatever the last look said."""
        self.level = DiskLevel.FULL
        self._release()

    def _release(self) -> None:
        released_bytes = self._ballast.release()
        if released_bytes:
            log.warning("ballast_released", released_bytes=released_bytes, free_bytes=self.free_bytes)
