"""What the checks look at: gathered by the service, which alone knows all of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from edge.health.disk import DiskLevel
from edge.store.sqlite import Connection


@dataclass(frozen=True, slots=True, kw_only=True)
class FolderState:
    """A watched folder as the last inventory left it.

    Attributes:
        path: the folder.
        troubles: sentences; empty means that all was readable.
        known_files: whether files are known in it.
        ignored_files: files of no use to the recipe.
    """

    path: Path
    troubles: tuple[str, ...] = ()
    known_files: bool = False
    ignored_files: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthContext:
    """One look at the appliance.

    Attributes:
        connection: a reader, used by the thread that runs the checks only.
        home: the home folder.
        now_utc: the time of the look.
        disk_level: what the disk guard decided.
        free_bytes: free space as the disk guard counts it.
        floor_bytes: below this much nothing new is taken.
        backup_every_h: how often a daily backup is due.
        machine: the fingerprint under which variants were judged.
        folders: the watched folders.
        model_faults: by recipe, why its model does not serve; recipes that are served are not in it.
        worker_restarts: by recipe, how often its worker was replaced in the last ten minutes.
        sinks: names of the far sides of the settings.
    """

    connection: Connection
    home: Path
    now_utc: datetime
    disk_level: DiskLevel
    free_bytes: int
    floor_bytes: int
    backup_every_h: float
    machine: str
    folders: tuple[FolderState, ...] = ()
    model_faults: Mapping[str, str] = field(default_factory=dict)
    worker_restarts: Mapping[str, int] = field(default_factory=dict)
    sinks: tuple[str, ...] = ()
