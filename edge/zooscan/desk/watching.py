"""Looks at the watched folders: which projects and scans there are, what each waits for, what was taken away or overwritten.

A folder that cannot be read, or that is gone, is a trouble of its project and never "empty": what is known of it stays as it was.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Literal

import structlog

from edge.store.files import shown
from edge.store.reads.zooscan import ScanRow, current_run, list_projects, project_of_folder, scans_of_folder
from edge.store.sqlite import Connection
from edge.store.writer import Writes
from edge.store.zooscan import scans
from edge.store.zooscan.scans import SeenScan
from edge.zooscan.desk.pairing import STILL_COPIED, seen_scan
from edge.zooscan.project.files import Background, Project, is_project_name, look_at_loose, look_at_project, name_and_serial, raw_folder

log = structlog.get_logger()

_ENDED = ("done", "failed")
_HASHED_BYTES = 4 * 1024 * 1024
_Size = tuple[int | None, int | None]
_Content = tuple[int, int | None, int | None]
"""A scan, and the size and time of a picture of it."""
_Fate = Literal["gone", "queue", "present", "changed"]


@dataclass(frozen=True, slots=True)
class _Look:
    size_bytes: int
    mtime_ns: int
    since_s: float


@dataclass(slots=True)
class LookTrouble:
    """A watched folder or a project that could not be looked at, and why."""

    folder: str
    trouble: str


@dataclass(slots=True, kw_only=True)
class ScanWatch:
    """Looks at folders, and remembers what it saw between two looks. For one thread at a time.

    Attributes:
        settle_s: a picture is whole when its size and time are equal on two looks so far apart.
        troubles: of the last look.
        is_settling: something was seen then that may still be copied.
    """

    writer: Writes
    reader: Callable[[], AbstractContextManager[Connection]]
    settle_s: float
    troubles: tuple[LookTrouble, ...] = ()
    is_settling: bool = False
    _looks: dict[Path, _Look] = field(default_factory=dict)
    _texts: dict[Path, tuple[int, int, bytes]] = field(default_factory=dict)
    _told: dict[tuple[str, str], tuple[SeenScan, str | None]] = field(default_factory=dict)
    _same: dict[_Content, bool] = field(default_factory=dict)
    _to_compare: dict[_Content, tuple[Path, str]] = field(default_factory=dict)

    def look(self, folders: Iterable[Path], now_s: float) -> None:
        """Compare every folder with the database.

        Args:
            folders: watched ones, and projects.
            now_s: monotonic.
        """
        troubles: list[LookTrouble] = []
        self.is_settling = False
        for folder in folders:
            try:
                projects = projects_in(folder)
            except OSError as error:
                troubles.append(LookTrouble(shown(os.fsencode(folder)), _told(folder, error)))
                for path in self._known_in(folder):
                    self._look_at(path, now_s)  # nothing of them is begun
                continue
            for path in sorted(self._known_in(folder) | set(projects)):
                trouble = self._look_at(path, now_s)
                if trouble:
                    troubles.append(LookTrouble(shown(os.fsencode(path)), trouble))
            if folder not in projects:
                try:
                    self._look_at_loose(folder, now_s)
                except OSError as error:
                    troubles.append(LookTrouble(shown(os.fsencode(folder)), _told(folder, error)))
        self.troubles = tuple(troubles)

    def look_at_file(self, raw: Path, backgrounds: tuple[Path, Path] | None, now_s: float) -> str:
        """Note one raw scan that lies in no project; the others of its folder are left alone. Returns its name.

        Args:
            raw: the picture.
            backgrounds: the two pictures of the empty glass; None: those that lie beside it.
            now_s: monotonic.

        Raises:
            OSError: the folder, or a text in it, cannot be read.
        """
        folder = shown(os.fsencode(raw.parent))
        with self.reader() as connection:
            rows = scans_of_folder(connection, folder)
        project = look_at_loose(raw.parent)
        chosen = tuple(scan for scan in project.scans if scan.raw is not None and scan.raw.name == raw.name)
        if backgrounds is not None:
            pair = Background(at_local=datetime.min, frame="given", first=backgrounds[0], second=backgrounds[1])  # noqa: DTZ901 (no zone is stated)
            project = replace(project, backgrounds=(pair,))
        self.is_settling = False
        self._note(
            replace(project, scans=chosen), [row for row in rows if row.name in {scan.name for scan in chosen}], now_s, is_loose=True
        )
        return chosen[0].name if chosen else ""

    def is_whole(self, path: Path, now_s: float, known: frozenset[_Size] = frozenset()) -> bool:
        """Whether a file has had its size and time for long enough, or had them when the database last heard of it."""
        try:
            status = path.stat()
        except OSError:
            self._looks.pop(path, None)
            return False
        before = self._looks.get(path)
        if before is None or (before.size_bytes, before.mtime_ns) != (status.st_size, status.st_mtime_ns):
            before = self._looks[path] = _Look(status.st_size, status.st_mtime_ns, now_s)
        has_settled = now_s - before.since_s >= self.settle_s or (status.st_size, status.st_mtime_ns) in known
        self.is_settling = self.is_settling or not has_settled
        return has_settled and status.st_size > 0

    def is_empty(self, path: Path, now_s: float) -> bool:
        """Whether a file that was looked at has had no bytes for long enough."""
        look = self._looks.get(path)
        return look is not None and look.size_bytes == 0 and now_s - look.since_s >= self.settle_s

    def _read(self, path: Path) -> bytes:
        """A small file, read again only when it is another one: projects lie on slow shares."""
        status = path.stat()
        kept = self._texts.get(path)
        if kept is None or kept[:2] != (status.st_size, status.st_mtime_ns):
            kept = self._texts[path] = (status.st_size, status.st_mtime_ns, path.read_bytes())
        return kept[2]

    def _known_in(self, folder: Path) -> set[Path]:
        """Projects that were seen in a watched folder once."""
        with self.reader() as connection:
            known = (Path(project.folder) for project in list_projects(connection))
            return {path for path in known if is_project_name(path.name) and folder in (path, path.parent)}

    def _look_at(self, path: Path, now_s: float) -> str:
        """Note what a project holds. Returns why it could not be looked at, or nothing."""
        folder = shown(os.fsencode(path))
        with self.reader() as connection:
            rows, known = scans_of_folder(connection, folder), project_of_folder(connection, folder)
        try:
            trouble = _gone(path, rows)
            if not trouble:
                project = look_at_project(path)
                trouble = _not_text(project)
                self._note(project, rows, now_s, is_loose=False)
        except OSError as error:
            trouble = _told(path, error)
        before = "" if known is None else known.trouble
        if trouble != before or known is None:
            name, serial = name_and_serial(path)
            self.writer.call(lambda connection: scans.put_project(connection, folder, name, serial, trouble=trouble))
            if trouble != before:
                log.warning("zooscan_project", folder=folder, trouble=trouble or "none any more")
        return trouble

    def _look_at_loose(self, folder: Path, now_s: float) -> None:
        """Scans that lie beside each other in a watched folder, in no project."""
        with self.reader() as connection:
            rows = scans_of_folder(connection, shown(os.fsencode(folder)))
        project = look_at_loose(folder)
        if project.scans or rows:
            self._note(project, rows, now_s, is_loose=True)

    def _note(self, project: Project, rows: Sequence[ScanRow], now_s: float, *, is_loose: bool) -> None:
        """Bring the database up to what a project holds."""
        known = {row.name: row for row in rows}
        found: dict[str, SeenScan] = {}
        for files in project.scans:
            row = known.get(files.name)
            remembered = (
                frozenset[_Size]() if row is None or row.state in ("waiting", "gone") else frozenset(((row.raw_bytes, row.raw_mtime_ns),))
            )
            if files.raw is None or _is_text(files.raw):
                found[files.name] = seen_scan(
                    project,
                    files,
                    partial(self.is_whole, now_s=now_s, known=remembered),
                    read=self._read,
                    is_empty=partial(self.is_empty, now_s=now_s),
                    is_loose=is_loose,
                )
        folder = shown(os.fsencode(project.folder))
        # With the signature: the texts of a signed scan are not taken, and are news again when it was withdrawn.
        telling = {name: (seen, known[name].signed_utc if name in known else None) for name, seen in found.items()}
        news = {
            name: seen for name, seen in found.items() if self._told.get((folder, name)) != telling[name] or _is_news(known.get(name), seen)
        }
        became = {row: fate for row in rows if (fate := self._fate(row, found.get(row.name))) is not None}
        if not news and not became:
            return

        def work(connection: Connection) -> None:
            project_id = scans.put_project(connection, folder, project.name, project.serial)
            for row, fate in became.items():
                _apply(connection, row, fate, found.get(row.name))
            for seen in news.values():
                scans.put_scan(connection, project_id, seen)

        self.writer.call(work)
        self._told |= {(folder, name): told for name, told in telling.items()}

    def _fate(self, row: ScanRow, seen: SeenScan | None) -> _Fate | None:
        """What became of the files of a scan that is known; None: nothing that the database does not know."""
        if seen is None:
            is_told = row.state == "gone" or (row.state in _ENDED and row.original == "gone") or row.state == "processing"
            return None if is_told else "gone"
        if row.state not in _ENDED:
            return None
        if seen.raw_path is None:
            return None if row.original == "gone" else "gone"
        is_same = (seen.raw_bytes, seen.raw_mtime_ns) == (row.raw_bytes, row.raw_mtime_ns)
        if row.state == "failed":
            has_news = not is_same or seen.background_paths != row.background_paths
            return "queue" if has_news and not seen.lacks else None
        if not is_same and any(STILL_COPIED in lack for lack in seen.lacks):
            return None
        is_equal = is_same or self._is_same_content(row, seen)
        if is_equal is None:
            return None
        now: _Fate = "present" if is_equal else "changed"
        return None if now == row.original and is_same else now

    def _is_same_content(self, row: ScanRow, seen: SeenScan) -> bool | None:
        """Whether a picture with another time is the one that was processed, copied again; None: that is compared after this look."""
        content = (row.id, seen.raw_bytes, seen.raw_mtime_ns)
        if content not in self._same:
            with self.reader() as connection:
                run = current_run(connection, row.id)
            if run is None or seen.raw_path is None or seen.raw_bytes != row.raw_bytes:
                self._same[content] = False
            else:
                self._to_compare[content] = (Path(seen.raw_path), run.raw_sha256)
                self.is_settling = True
        return self._same.get(content)

    def compare_one(self, stopping: Callable[[], bool]) -> None:
        """Read one of the pictures that a look found under another time, to say whether it is the one that was processed.

        A picture has 750 MB: one is read between two looks, and none to its end once `stopping` says so. For any thread.
        """
        try:
            content, (path, wanted) = self._to_compare.popitem()
        except KeyError:
            return
        digest = hashlib.sha256()
        try:
            with path.open("rb", buffering=0) as file:
                while piece := file.read(_HASHED_BYTES):
                    if stopping():
                        return
                    digest.update(piece)
            status = path.stat()
        except OSError as error:
            log.warning("zooscan_not_compared", path=str(path), error=str(error))
            return  # the next look asks again
        if (status.st_size, status.st_mtime_ns) == content[1:]:
            self._same[content] = digest.hexdigest() == wanted


def _is_news(row: ScanRow | None, seen: SeenScan) -> bool:
    """Whether the database says something else of a scan that has not begun yet."""
    if row is None or row.state == "gone":
        return True
    told = (row.lacks, row.raw_bytes, row.raw_mtime_ns, row.background_paths)
    return row.state in ("waiting", "queued") and told != (seen.lacks, seen.raw_bytes, seen.raw_mtime_ns, seen.background_paths)


def _apply(connection: Connection, row: ScanRow, fate: _Fate, seen: SeenScan | None) -> None:
    """Write down what became of the files of a scan."""
    match fate:
        case "gone":
            scans.set_gone(connection, row.id)
        case "queue":
            scans.queue_changed(connection, row.id)
            if seen is not None:
                scans.put_scan(connection, row.project_id, seen)
        case "present":
            if seen is not None and seen.raw_bytes is not None and seen.raw_mtime_ns is not None:
                scans.note_raw(connection, row.id, seen.raw_bytes, seen.raw_mtime_ns)
            scans.set_original(connection, row.id, "present")
        case "changed":
            scans.set_original(connection, row.id, "changed")


def projects_in(folder: Path) -> list[Path]:
    """A folder that is a project, or the projects in it.

    Raises:
        OSError: it is not there, or cannot be read.
    """
    if not folder.is_dir():
        raise FileNotFoundError(2, "No such directory", str(folder))
    if is_project_name(folder.name):
        return [folder]
    return sorted(path for path in folder.iterdir() if is_project_name(path.name) and path.is_dir())


def _gone(path: Path, rows: Sequence[ScanRow]) -> str:
    if not path.is_dir():
        return "the folder is not there: it was moved or deleted, or its medium is out"
    if any(row.raw_path for row in rows) and not raw_folder(path).is_dir():
        return "Zooscan_scan/_raw is not there: it was moved or deleted, or its medium is out"
    return ""


def _not_text(project: Project) -> str:
    strange = [scan.raw for scan in project.scans if scan.raw is not None and not _is_text(scan.raw)]
    return f"a name is no text and its scan is not taken: {shown(os.fsencode(strange[0].name))}" if strange else ""


def _is_text(path: Path) -> bool:
    try:
        str(path).encode()
    except UnicodeEncodeError:
        return False
    return True


def _told(path: Path, error: OSError) -> str:
    if isinstance(error, FileNotFoundError):
        return f"{shown(os.fsencode(path))} is not there: it was moved or deleted, or its medium is out"
    where = shown(os.fsencode(error.filename)) if isinstance(error.filename, str | bytes) else shown(os.fsencode(path))
    return f"{where} cannot be read: {error.strerror or error}"
