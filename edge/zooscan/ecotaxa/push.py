"""A scan's way to EcoTaxa, one step after the other, each written down before the next begins.

    queued     the archive is made and hashed
    sending    it goes to a folder of its own; what is there already is looked at first, and another attempt gets another folder
    importing  the job is begun once, and followed to its end
    asking     the job waits for an answer

The appliance may die between any two of them. What was sent is known again by the names in its folder. Whether a job was begun is known by
the account's list of jobs, which tells the folder each was begun with; and where the job is gone, by the objects in the project. Weeks may
pass before there is a link: a scan that was changed meanwhile, or whose signature was withdrawn, is not sent as it was.
"""

from __future__ import annotations

import errno
import re
import shutil
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from edge.errors import DiskFullError, ImportFailedError, ServerRefusedError
from edge.store.durable import file_sha256
from edge.store.reads.zooscan_uploads import Signed, UploadRow, keys_of_namesakes, keys_of_scan, signed_now
from edge.zooscan.ecotaxa.archive import Contents, read_contents
from edge.zooscan.ecotaxa.client import EcoTaxa, Job, remote_name
from edge.zooscan.ecotaxa.tools import PROJECT_FILE, StoppedError, Tools

TELL_EVERY_S = 1.0
POLL_ASKING_S = 300.0
LISTED = 10_000
_SHOWN_ERRORS = 20
_ATTEMPT = re.compile(r"/imagine-edge-[0-9a-f-]{36}-(?P<number>\d+)/")

After = UploadRow | float | None
"""The row with which it goes on at once; or in how many seconds it goes on; or None: it does not."""


class Push:
    """Takes a push as far as it goes now."""

    def __init__(self, tools: Tools, client: EcoTaxa) -> None:
        self._tools = tools
        self._client = client
        self._steps: dict[str, Callable[[UploadRow], After]] = {
            "queued": self._make,
            "sending": self._send,
            "importing": self._import,
            "asking": self._ask,
        }

    def work(self, row: UploadRow) -> float | None:
        """Go on with a push. Returns in how many seconds it is to be looked at again; None if it is at its end.

        Raises:
            TransportError: it cannot go on now (or never, if the error is a `ServerRefusedError`).
            EdgeError: the scan cannot be exported; the disk is full.
            StoppedError: it was put down.
        """
        after: After = row
        while isinstance(after, UploadRow):
            if self._tools.stopping():
                raise StoppedError("the appliance ends")
            step = self._steps.get(after.state)
            after = None if step is None else step(after)
        return after

    def _make(self, row: UploadRow) -> After:
        """Queued -> sending: the archive is there."""
        folder = self._tools.folder(row)
        shutil.rmtree(folder, ignore_errors=True)  # of an attempt that died
        signed = self._signed(row)  # before it is made: what changes meanwhile is seen before it is sent
        try:
            folder.mkdir(parents=True)
            archive = self._tools.make_archive(row.scan_id, folder)
            sha256 = file_sha256(archive)
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise DiskFullError(f"there is no room for the archive of {row.scan}") from error
            raise
        read_contents(archive)
        name = archive.relative_to(self._tools.home).as_posix()
        remote = _next_folder(row)  # of an archive that was made again, what lies in the one before is something else
        made = {"archive": name, "archive_sha256": sha256, **signed._asdict()}
        return self._tools.go_on(row, "sending", **made, remote_path=remote, progress=0.0, detail="", attempts=0)

    def _send(self, row: UploadRow) -> After:
        """Sending -> importing: the archive is at the server, whole."""
        archive = self._archive(row)
        if archive is None:
            return self._tools.go_on(row, "queued", archive=None, archive_sha256=None, detail="its archive is made again")
        if self._is_stale(row):
            return self._make_again(row)
        contents = read_contents(archive)
        folder = (row.remote_path or "").strip("/")
        lies = self._lies_there(folder, archive, contents)
        if lies == "part":
            self._client.remove(folder)
            return self._tools.go_on(row, remote_path=_next_folder(row), progress=0.0, detail="a broken attempt is sent again")
        if lies == "nothing":
            self._look_before(row, contents)
            source = self._client.send(archive, folder, self._teller(row))
        else:
            source = f"/{folder}/"
        return self._tools.go_on(row, "importing", remote_path=source, progress=None, detail="", attempts=0)

    def _import(self, row: UploadRow) -> After:
        """Importing -> asking, done or failed; the job is begun if it never was."""
        if row.remote_job_id is None:
            return self._begin(row)
        job = self._client.job(row.remote_job_id)
        if job is None:
            return self._tools.go_on(row, remote_job_id=None, detail=f"EcoTaxa has no job {row.remote_job_id} any more")
        if job.state == "F":
            return self._finish(row)
        if job.state == "E":
            if (row.remote_path or "").endswith("/"):
                self._client.remove(row.remote_path or "")
            raise ImportFailedError(_errors(job))
        if job.state == "A":
            asked = f"EcoTaxa asks: {_question(job)}"
            return self._tools.go_on(row, "asking", question_json=job.question, answer_json=None, detail=asked, attempts=0)
        told = f"job {job.id}: {job.message}"
        if job.progress != row.progress or told != row.detail:
            self._tools.go_on(row, progress=job.progress, detail=told, attempts=0)
        return poll_s(row)

    def _ask(self, row: UploadRow) -> After:
        """Asking -> importing: a person answered, here or at the server."""
        assert row.remote_job_id is not None
        job = self._client.job(row.remote_job_id)
        if job is not None and job.state == "A":
            if row.answer is None:
                return POLL_ASKING_S
            self._client.answer(job.id, row.answer)
        return self._tools.go_on(row, "importing", detail="answered", attempts=0)

    def _begin(self, row: UploadRow) -> After:
        """Begin the job, unless the server shows that it was begun before."""
        source = row.remote_path or ""
        begun = [job.id for job in self._client.imports() if job.source_path == source]
        if begun:
            return self._tools.go_on(row, remote_job_id=max(begun))
        archive = self._archive(row)
        if source.endswith("/") and self._client.entries(source) is None:  # an import that went well puts it into the trash
            if archive is not None and not self._missing(row, read_contents(archive)):
                return self._finish(row)
            return self._tools.go_on(row, "sending", remote_path=_next_folder(row), progress=0.0, detail="what was sent is gone there")
        if self._is_stale(row):
            return self._make_again(row)
        job_id = self._client.begin_import(row.ecotaxa_project_id, source, row.mode)
        return self._tools.go_on(row, remote_job_id=job_id, attempts=0)

    def _finish(self, row: UploadRow) -> After:
        """Importing -> done, if the objects are there."""
        archive = self._archive(row)
        if archive is None:
            return self._end(row, f"imported into project {row.ecotaxa_project_id}; its archive is gone, so it was not compared", {})
        contents = read_contents(archive)
        there = self._there(row, contents)
        missing = sorted(contents.object_ids - there)
        older = sorted(one for one in there - contents.object_ids if one.startswith(f"{row.scan}_"))
        report = {
            "objects": len(contents.object_ids),
            "missing": {"count": len(missing), "ids": missing[:LISTED]},
            "older": {"count": len(older), "ids": older[:LISTED]},
        }
        if missing:
            self._tools.go_on(row, report_json=report)
            raise ImportFailedError(
                f"EcoTaxa says that the import is done, but {len(missing)} of {len(contents.object_ids)} objects are not in the project",
                advice="Look at the project there; push the scan again, adding what is not there.",
            )
        detail = f"{len(contents.object_ids)} objects are in project {row.ecotaxa_project_id}"
        if older:
            detail += f"; {len(older)} of this scan are there that it has no more"
        return self._end(row, detail, report)

    def _end(self, row: UploadRow, detail: str, report: dict[str, object]) -> After:
        self._tools.go_on(row, "done", progress=1.0, detail=detail, report_json=report)
        self._tools.tidy(row)
        return None

    def _signed(self, row: UploadRow) -> Signed:
        with self._tools.reader() as connection:
            return signed_now(connection, row.scan_id)

    def _is_stale(self, row: UploadRow) -> bool:
        """Whether the scan has another result since its archive was made, or its signature was withdrawn: weeks may lie between."""
        return self._signed(row) != Signed(row.run_uuid, row.signature_id)

    def _make_again(self, row: UploadRow) -> After:
        """Back to queued, from where an archive is made of what is signed now; or refused, if nothing is."""
        if (row.remote_path or "").endswith("/"):
            self._client.remove(row.remote_path or "")
        detail = "the scan was changed since: its archive is made again"
        return self._tools.go_on(row, "queued", archive=None, archive_sha256=None, detail=detail)

    def _archive(self, row: UploadRow) -> Path | None:
        """The archive as it was hashed; None if it is gone or another one."""
        path = self._tools.home / (row.archive or "")
        if row.archive is None or not path.is_file() or file_sha256(path) != row.archive_sha256:
            return None
        return path

    def _lies_there(self, folder: str, archive: Path, contents: Contents) -> str:
        """What of the archive is at the server: "nothing", "part" or "all". An archive that is still there is not unpacked yet."""
        entries = self._client.entries(folder)
        if not entries:
            return "nothing"
        names = {entry.name for entry in entries}
        name = remote_name(archive)
        unpacked = name.removesuffix(".zip")
        inside = {entry.name for entry in self._client.entries(f"{folder}/{unpacked}") or ()} if unpacked in names else set()
        is_whole = name not in names and (contents.names <= names or contents.names <= inside)
        return "all" if is_whole else "part"

    def _look_before(self, row: UploadRow, contents: Contents) -> None:
        """Before anything goes over the link: may we import, does the project have what it must not have, or lack what it must have?"""
        if self._client.right(row.ecotaxa_project_id) == "View":
            advice = "Ask a manager of the project for the right to annotate it, or push into another one."
            raise ServerRefusedError(f"the account may look at project {row.ecotaxa_project_id}, but not import into it", advice=advice)
        in_project = self._there(row, contents)
        self._refuse_namesakes(row, in_project)
        there = in_project & contents.object_ids
        count = f"{len(there)} of {len(contents.object_ids)} objects of {row.scan} are in project {row.ecotaxa_project_id} already"
        if row.mode == "new" and there:
            advice = "Push it with --add for those that are not there yet, or with --update to write the measures of those that are."
            raise ServerRefusedError(count, advice=advice)
        if row.mode == "add" and there == contents.object_ids:
            raise ServerRefusedError(count, advice="There is nothing to add; --update writes their measures anew.")
        if row.mode == "update" and there != contents.object_ids:
            raise ServerRefusedError(f"only {count}: an update leaves the others out", advice="Push it with --add first.")

    def _refuse_namesakes(self, row: UploadRow, in_project: frozenset[str]) -> None:
        """Two ZooScan projects may have scans of one name: EcoTaxa would put both into one acquisition, and neither be told apart again."""
        with self._tools.reader() as connection:
            own = keys_of_scan(connection, row.scan_id)
            namesakes = keys_of_namesakes(connection, row.scan_id)
        for project, keys in namesakes.items():
            if theirs := in_project & {f"{row.scan}_{key}" for key in keys - own.standing - own.retired}:
                raise ServerRefusedError(
                    f"{len(theirs)} objects of the scan of the same name in {project} are in project {row.ecotaxa_project_id}: "
                    "EcoTaxa would take both for one",
                    advice=f"Push into another EcoTaxa project, one for each ZooScan project: it stands in {PROJECT_FILE}.",
                )

    def _missing(self, row: UploadRow, contents: Contents) -> bool:
        return not contents.object_ids <= self._there(row, contents)

    def _there(self, row: UploadRow, contents: Contents) -> frozenset[str]:
        """The ids of all objects that the project has of these samples."""
        numbers = [
            number
            for sample in sorted(contents.samples)
            for found, number in self._client.samples(row.ecotaxa_project_id, sample).items()
            if found == sample
        ]
        return self._client.object_ids(row.ecotaxa_project_id, numbers)

    def _teller(self, row: UploadRow) -> Callable[[int, int], None]:
        """Notes how far the sending is, now and then; ends it when it was cancelled."""
        told_s = time.monotonic()

        def tell(out_bytes: int, of_bytes: int) -> None:
            nonlocal told_s
            if self._tools.stopping():
                raise StoppedError("the appliance ends")
            if time.monotonic() - told_s < TELL_EVERY_S:
                return
            told_s = time.monotonic()
            if self._tools.go_on(row, progress=out_bytes / max(1, of_bytes)) is None:
                raise StoppedError("it was cancelled")

        return tell


def poll_s(row: UploadRow) -> float:
    """How soon a job is looked at again: at once when it has just begun, seldom when it takes long."""
    age_s = (datetime.now(UTC) - datetime.fromisoformat(row.changed_utc)).total_seconds()
    return min(15.0, max(0.5, age_s / 10))


def _next_folder(row: UploadRow) -> str:
    found = _ATTEMPT.match(row.remote_path or "")
    number = int(found["number"]) + 1 if found else 1 if row.remote_path is None else 2
    return f"/imagine-edge-{row.uuid}-{number}/"


def _errors(job: Job) -> str:
    shown = "; ".join(job.errors[:_SHOWN_ERRORS])
    more = f"; and {len(job.errors) - _SHOWN_ERRORS} more" if len(job.errors) > _SHOWN_ERRORS else ""
    return f"EcoTaxa's job {job.id} ended: {shown or job.message}{more}"


def _question(job: Job) -> str:
    parts = []
    for name, what in (("missing_taxa", "taxa that it does not know"), ("missing_users", "people that it does not know")):
        if missing := job.question.get(name):
            parts.append(f"{what}: {', '.join(map(str, missing))}")
    return "; ".join(parts) or "something that this version does not know"
