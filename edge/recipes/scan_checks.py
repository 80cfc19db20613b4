"""The checks of a scan as its page shows them: those of its quality, and what an export to EcoTaxa would refuse."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from edge.errors import ScanRefusedError
from edge.export.zooscan.rules import find_problems
from edge.export.zooscan.table import ecotaxa_table
from edge.export.zooscan.values import ExportScan
from edge.recipes.scan_gather import gather
from edge.store.reads.zooscan import scan_by_id
from edge.store.sqlite import Connection
from edge.zooscan.quality import Finding, findings

_SHOWN = 10


def checks_of(connection: Connection, home: Path, scan_id: int) -> tuple[Finding, ...]:
    """Every check of a scan with a result, the worst first.

    Raises:
        ScanRefusedError: there is no such scan, or it has no result.
    """
    row = scan_by_id(connection, scan_id)
    if row is None:
        raise ScanRefusedError(f"there is no scan {scan_id}", advice="The list of scans names those that there are.")
    gathered = gather(connection, home, row)
    return (*_refused(gathered.scan), *findings(gathered.facts))


def _refused(scan: ExportScan) -> Iterator[Finding]:
    """What EcoTaxa would refuse of the scan's table, each thing once however many objects have it."""
    if not scan.objects:
        return
    told = dict.fromkeys((f"{problem.column}: {problem.what}", problem.advice) for problem in find_problems(ecotaxa_table(scan)))
    for words, advice in [*told][:_SHOWN]:
        yield Finding(check="export", level="wrong", words=words, advice=advice)
    if len(told) > _SHOWN:
        words = f"and {len(told) - _SHOWN} things more that EcoTaxa would refuse"
        yield Finding(check="export", level="wrong", words=words, advice="Export it: all of them are listed.")
