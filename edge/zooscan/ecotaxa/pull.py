"""The way back of a scan's categories: EcoTaxa exports them in a job, the table is fetched and matched to our objects.

queued     the export is asked for; asked for twice it costs a job of theirs, and nothing else
importing  the job is followed, its file fetched, the labels written together with the end of the pull
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import Any

from edge.errors import ImportFailedError, ServerFailedError, ServerRefusedError, SettingsError
from edge.store.durable import file_sha256
from edge.store.reads.zooscan import entries_standing, scan_texts
from edge.store.reads.zooscan_uploads import ScanName, UploadRow, all_scans, find_scans, keys_of_scan, upload_by_id
from edge.store.sqlite import Connection
from edge.store.zooscan import uploads as store
from edge.store.zooscan.labels import Added, add_labels
from edge.zooscan.ecotaxa.categories import read_categories
from edge.zooscan.ecotaxa.client import EcoTaxa
from edge.zooscan.ecotaxa.matching import KnownScan, Matched, match
from edge.zooscan.ecotaxa.push import After, poll_s
from edge.zooscan.ecotaxa.tools import StoppedError, Tools
from edge.zooscan.standing import standing_meta

_TABLE_NAME = "categories.zip"


class Pull:
    """Takes a pull as far as it goes now."""

    def __init__(self, tools: Tools, client: EcoTaxa) -> None:
        self._tools = tools
        self._client = client

    def work(self, row: UploadRow) -> float | None:
        """Go on with a pull. Returns in how many seconds it is to be looked at again; None if it is at its end.

        Raises:
            TransportError: it cannot go on now (or never, if the error is a `ServerRefusedError`).
            EdgeError: what came cannot be used.
        """
        after: After = row
        while isinstance(after, UploadRow):
            if self._tools.stopping():
                raise StoppedError("the appliance ends")
            after = self._follow(after) if after.state == "importing" else self._ask(after) if after.state == "queued" else None
        return after

    def _ask(self, row: UploadRow) -> After:
        samples = self._samples(row)
        job_id = self._client.begin_export(row.ecotaxa_project_id, samples)
        return self._tools.go_on(row, "importing", remote_job_id=job_id, detail="EcoTaxa makes the table", attempts=0)

    def _samples(self, row: UploadRow) -> list[int]:
        """The samples that the scan can be of: that of its META, and those whose id its name begins with.

        Raises:
            ServerRefusedError: the project has none of them.
        """
        with self._tools.reader() as connection:
            stated = standing_meta(scan_texts(connection, row.scan_id).meta, entries_standing(connection, row.scan_id)).known("SampleId")
        found = self._client.samples(row.ecotaxa_project_id, "*")
        fitting = [number for name, number in found.items() if name in (stated, row.scan) or row.scan.startswith(f"{name}_")]
        if not fitting:
            raise ServerRefusedError(
                f"project {row.ecotaxa_project_id} has no sample that {row.scan} can be of",
                advice="Is it the right project? If its samples were renamed there, export it by hand and take in the file.",
            )
        return fitting

    def _follow(self, row: UploadRow) -> After:
        job = None if row.remote_job_id is None else self._client.job(row.remote_job_id)
        if job is None:
            return self._tools.go_on(row, "queued", remote_job_id=None, detail="the export is asked for anew")
        if job.state in ("E", "A"):
            raise ImportFailedError(
                f"EcoTaxa's export {job.id} ended: {'; '.join(job.errors) or job.message}",
                advice="Look at the project there, then pull again.",
            )
        if job.state != "F":
            if job.progress != row.progress:
                self._tools.go_on(row, progress=job.progress, attempts=0)
            return poll_s(row)
        folder = self._tools.folder(row)
        folder.mkdir(parents=True, exist_ok=True)
        table = folder / _TABLE_NAME
        self._client.fetch(job.id, table, room_bytes=self._tools.room_bytes())
        if not zipfile.is_zipfile(table):
            raise ServerFailedError(f"{row.server} sent something else than the table of job {job.id}")
        self._take(row, table)
        self._client.delete_job(job.id)
        self._tools.tidy(row)
        return None

    def _take(self, row: UploadRow, table: Path) -> None:
        """Match the table and write labels and the end of the pull in one transaction."""
        with self._tools.reader() as connection:
            known = KnownScan(scan_id=row.scan_id, keys=keys_of_scan(connection, row.scan_id))
            others = {scan.name for scan in all_scans(connection)} - {row.scan}
        prefixes = tuple(f"{name}_" for name in others)
        rows = [one for one in read_categories(table) if one.object_id.startswith(f"{row.scan}_") or not one.object_id.startswith(prefixes)]
        matched = match(rows, {row.scan: known})
        source = f"{row.server} project {row.ecotaxa_project_id}"

        def write(connection: Connection) -> None:
            now = upload_by_id(connection, row.id)
            if now is None or now.state != row.state:  # it was cancelled
                return
            labels = matched.labels.get(row.scan_id, [])
            added = add_labels(connection, row.scan_id, labels, source=source, actor=row.actor, as_of_now=True)
            report = matched.report(added)
            store.go_on(connection, row.id, "importing", "done", progress=1.0, detail=told(report), report_json=report)

        self._tools.writer.call(write)


def take_file(tools: Tools, path: Path, *, scan: str | None, actor: str) -> dict[str, Any]:
    """Take categories from a table that a person exported from EcoTaxa. Returns the report.

    Args:
        tools: of the home folder.
        path: the TSV or zip.
        scan: only of this scan; None: of all.
        actor: who asked.

    Raises:
        InputError: the file is no such table.
        SettingsError: two scans have one name, so that an id could be of both.
    """
    with tools.reader() as connection:
        known = _known(connection, all_scans(connection) if scan is None else find_scans(connection, scan))
    matched = match(read_categories(path), known)
    source = f"file {path.name} sha256 {file_sha256(path)}"
    added = tools.writer.call(partial(_add_all, matched=matched, source=source, actor=actor))
    return matched.report(*added)


def _known(connection: Connection, scans: Iterable[ScanName]) -> dict[str, KnownScan]:
    """The scans by name; those of one name are one only if all but one of them never had a result."""
    known: dict[str, KnownScan] = {}
    for scan in scans:
        keys = keys_of_scan(connection, scan.id)
        if not keys.standing and not keys.retired and scan.name in known:
            continue
        before = known.get(scan.name)
        if before is not None and (before.keys.standing or before.keys.retired):
            raise SettingsError(
                f"two projects have a scan {scan.name}: its categories could be of both", advice="Name one of them: `--scan PROJECT/SCAN`."
            )
        known[scan.name] = KnownScan(scan_id=scan.id, keys=keys)
    return known


def _add_all(connection: Connection, matched: Matched, source: str, actor: str) -> list[Added]:
    return [add_labels(connection, scan_id, labels, source=source, actor=actor) for scan_id, labels in matched.labels.items()]


def told(report: dict[str, Any]) -> str:
    """A report in a sentence."""
    states = ", ".join(f"{count} {status}" for status, count in report["by_status"].items())
    parts = [f"{report['objects']} objects have a category ({states})" if states else "no object has a category"]
    if states:
        parts.append(f"{report['new_labels']} of them are new")
    words = {
        "reset": "set back there: they have no category any more",
        "older": "not taken: what stands here was said later",
        "unclassified": "without a category",
        "retired": "of objects that are no more",
        "numbered": "with a number instead of a place",
        "unknown": "of no object of the scan",
        "foreign": "of no scan here",
        "contradictory": "called several things",
        "absent": "of the scan that are not in the table",
    }
    parts += [f"{report[name]['count']} {word}" for name, word in words.items() if report[name]["count"]]
    return "; ".join(parts)
