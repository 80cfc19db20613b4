"""What the steps of a transfer work with."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from edge.errors import EdgeError
from edge.store.reads.zooscan_uploads import UploadRow, upload_by_id
from edge.store.sqlite import Connection
from edge.store.writer import Writes
from edge.store.zooscan import uploads as store

MakeArchive = Callable[[int, Path], Path]
"""Makes the import archive of a scan (its id) in a folder; raises an `EdgeError` if the scan cannot be exported. Returns the file."""

FOLDER = "zooscan/ecotaxa"
FLOOR_BYTES = 64 * 1024**2
PROJECT_FILE = "Zooscan_config/ecotaxa_project.txt"
LONGEST_WAIT_S = 3600.0  # what a server may ask for; a header says anything


class StoppedError(EdgeError):
    """The appliance ends, or a person cancelled what was being done."""

    code = "transfer_stopped"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tools:
    """Of one home folder.

    Attributes:
        make_archive: see `MakeArchive`.
        stopping: whether the work shall be put down.
    """

    home: Path
    writer: Writes
    reader: Callable[[], AbstractContextManager[Connection]]
    make_archive: MakeArchive
    stopping: Callable[[], bool]

    def go_on(self, row: UploadRow, to: store.State | None = None, *, quiet: bool = False, **values: Any) -> UploadRow | None:
        """Note a step; `quiet` for one that nobody needs to see. Returns the row as it is then; None if it was cancelled meanwhile."""
        step = partial(store.go_on, upload_id=row.id, of=row.state, to=to, **values)  # type: ignore[arg-type]
        written = self.writer.call(step, quiet=quiet)
        return self.row(row.id) if written else None

    def row(self, upload_id: int) -> UploadRow | None:
        """A transfer as it is now."""
        with self.reader() as connection:
            return upload_by_id(connection, upload_id)

    def folder(self, row: UploadRow) -> Path:
        """Where the files of a transfer lie."""
        return self.home / FOLDER / row.uuid

    def room_bytes(self) -> int:
        """How much a file that is fetched may take."""
        return max(0, shutil.disk_usage(self.home).free - FLOOR_BYTES)

    def tidy(self, row: UploadRow) -> None:
        """The files of a transfer are not needed any more."""
        with suppress(OSError):
            shutil.rmtree(self.folder(row))
