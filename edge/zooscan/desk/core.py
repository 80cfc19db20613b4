"""What every part of the desk of scans works with."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from edge.errors import ScanRefusedError
from edge.store.reads.zooscan import RunRow, ScanRow, current_run, scan_by_uuid
from edge.store.sqlite import Connection
from edge.store.writer import Writes
from edge.zooscan.desk.engine import ScanEngine


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckedScan:
    """A scan that may be worked on, and its current run."""

    scan: ScanRow
    run: RunRow


class DeskCore:
    """Reads, writes, and has pixels looked at. For any thread."""

    def __init__(self, home: Path, writer: Writes, reader: Callable[[], AbstractContextManager[Connection]], engine: ScanEngine) -> None:
        """Take the home folder, its writer, what opens readers, and who looks at pixels."""
        self.home = home
        self.writer = writer
        self.reader = reader
        self.engine = engine
        self.editing = threading.Lock()
        """Held while the objects or lines of a scan are changed: each change follows from what stands before it."""

    def scan_of(self, scan_uuid: str) -> ScanRow:
        """A scan.

        Raises:
            ScanRefusedError: there is none.
        """
        with self.reader() as connection:
            scan = scan_by_uuid(connection, scan_uuid)
        if scan is None:
            raise ScanRefusedError(f"there is no scan {scan_uuid}", advice="The list of scans names those that there are.")
        return scan

    def editable(self, connection: Connection, scan_uuid: str) -> CheckedScan:
        """A scan that people may work on.

        Raises:
            ScanRefusedError: there is none, it has no result, is being processed anew, or is signed.
        """
        scan = scan_by_uuid(connection, scan_uuid)
        if scan is None:
            raise ScanRefusedError(f"there is no scan {scan_uuid}", advice="The list of scans names those that there are.")
        refuse_frozen(scan)
        run = current_run(connection, scan.id)
        if run is None:
            raise ScanRefusedError(f"the scan {scan.name} has no result yet")
        return CheckedScan(scan=scan, run=run)


def refuse_frozen(scan: ScanRow) -> None:
    """Nothing may be changed about a signed scan, nor while it is processed anew.

    Raises:
        ScanRefusedError: that is so.
    """
    if scan.signed_by is not None:
        raise ScanRefusedError(
            f"the scan {scan.name} was signed by {scan.signed_by}; nothing about it can be changed",
            advice="Withdraw the signature with a reason, change what is wrong, and sign it again.",
        )
    if scan.state == "processing":
        raise ScanRefusedError(f"the scan {scan.name} is being processed anew", advice="Wait until it is done, then do it again.")
