"""A home folder with scans that have results, a desk that talks to an EcoTaxa on the loopback, and a clock that tests turn."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from edge.errors import ExportRefusedError
from edge.store.clock import utc_now, uuid7
from edge.store.connection import DATABASE_NAME, open_reader
from edge.store.open import open_store
from edge.store.reads.zooscan_uploads import UploadRow, upload_by_id
from edge.store.sqlite import Connection
from edge.store.writer import Writes
from edge.zooscan.ecotaxa.desk import EcotaxaDesk
from edge.zooscan.ecotaxa.login import Login, keep_login
from tests.helpers.small_import import KEYS, SAMPLE, SCAN, make_zip
from tests.simulators.ecotaxa_world import PASSWORD, PROJECT, USER


def add_scan(writer: Writes, folder: Path, project: str, name: str) -> int:
    """A scan of a project; the project is made if it is not there."""

    def work(connection: Connection) -> int:
        connection.execute(
            "INSERT INTO zooscan_projects (uuid, folder, name, seen_utc) VALUES (?, ?, ?, ?) ON CONFLICT (folder) DO NOTHING",
            (uuid7(), str(folder), project, utc_now()),
        )
        (project_id,) = connection.execute("SELECT id FROM zooscan_projects WHERE folder = ?", (str(folder),)).fetchone()
        cursor = connection.execute(
            "INSERT INTO zooscan_scans (uuid, project_id, name, state, seen_utc, changed_utc) VALUES (?, ?, ?, 'done', ?, ?)",
            (uuid7(), project_id, name, utc_now(), utc_now()),
        )
        return int(cursor.lastrowid or 0)

    return writer.call(work)


def add_run(writer: Writes, scan_id: int, keys: Sequence[str], *, retired: Sequence[str] = ()) -> None:
    """Another result of a scan."""
    values = {
        "uuid": uuid7(),
        "scan_id": scan_id,
        "raw_sha256": "0" * 64,
        "background": "b",
        "software_version": "0.1",
        "settings_json": "{}",
        "settings_sha256": "0" * 64,
        "width_px": 900,
        "height_px": 600,
        "pixel_mm": 0.010583,
        "grey_min": 0,
        "grey_max": 65535,
        "frame_json": "{}",
        "black_share": 0.02,
        "elapsed_s": 1.0,
        "peak_rss_mib": 9.0,
        "folder": "f",
        "finished_utc": utc_now(),
        "is_current": 1,
    }

    def work(connection: Connection) -> None:
        connection.execute("UPDATE zooscan_runs SET is_current = 0 WHERE scan_id = ?", (scan_id,))
        places = ", ".join("?" * len(values))
        run_id = connection.execute(f"INSERT INTO zooscan_runs ({', '.join(values)}) VALUES ({places})", tuple(values.values())).lastrowid
        connection.executemany(
            "INSERT INTO zooscan_objects (uuid, run_id, key, x_px, y_px, width_px, height_px, outline, vignettes, retired_utc) "
            "VALUES (?, ?, ?, 1, 1, 9, 9, x'', 'vignettes.zip/a', ?)",
            [(uuid7(), run_id, key, utc_now() if key in retired else None) for key in (*keys, *retired)],
        )

    writer.call(work)


class EcotaxaHome:
    """Rows in a real database; `desk` is stepped by hand."""

    def __init__(self, home: Path, server: str) -> None:
        self.home = home
        self.server = server
        home.mkdir(parents=True, exist_ok=True)
        self.writer = open_store(home, on_commit=lambda: None)
        self.moment = datetime(2026, 11, 22, 4, 0, tzinfo=UTC)
        self.keys: dict[int, tuple[str, Sequence[str], str]] = {}
        self.archives = 0
        self.desk = self.new_desk()

    def new_desk(self, **changes: Any) -> EcotaxaDesk:
        """A desk as it is after a start of the appliance."""
        how: dict[str, Any] = {"server": self.server, "project_id": PROJECT, "make_archive": self.make_archive, "now": lambda: self.moment}
        return EcotaxaDesk(self.home, self.writer, self.reader, **{**how, **changes})

    @contextmanager
    def reader(self) -> Iterator[Connection]:
        connection = open_reader(self.home / DATABASE_NAME)
        try:
            yield connection
        finally:
            connection.close()

    def make_archive(self, scan_id: int, folder: Path) -> Path:
        """Stands in for the export: a small zip of the scan's present keys; none where its signature was withdrawn."""
        with self.reader() as connection:
            signed = "SELECT count(*), count(withdrawn_utc) FROM zooscan_signatures WHERE scan_id = ?"
            times, withdrawn = connection.execute(signed, (scan_id,)).fetchone()
        if withdrawn and times == withdrawn:
            raise ExportRefusedError(f"nobody signed the check of {self.keys[scan_id][0]}")
        self.archives += 1
        scan, keys, sample = self.keys[scan_id]
        return make_zip(folder, scan, keys, sample)

    def add_scan(
        self, name: str = SCAN, keys: Sequence[str] = KEYS, *, sample: str = SAMPLE, project: str = "apero", folder: Path | None = None
    ) -> int:
        """A scan with a result."""
        scan_id = add_scan(self.writer, folder or self.home / f"Zooscan_{project}_sn033", project, name)
        self.add_run(scan_id, keys)
        self.keys[scan_id] = (name, keys, sample)
        return scan_id

    def add_run(self, scan_id: int, keys: Sequence[str], *, retired: Sequence[str] = ()) -> None:
        """Another result of a scan."""
        add_run(self.writer, scan_id, keys, retired=retired)

    def sign(self, scan_id: int) -> None:
        """Sign the check of a scan's present result."""

        def work(connection: Connection) -> None:
            connection.execute(
                "INSERT INTO zooscan_signatures (uuid, scan_id, run_id, objects, multiples, content_sha256, actor, signed_utc) "
                "SELECT ?, scan_id, id, 0, 0, '', 'mary', ? FROM zooscan_runs WHERE scan_id = ? AND is_current = 1",
                (uuid7(), utc_now(), scan_id),
            )

        self.writer.call(work)

    def withdraw(self, scan_id: int) -> None:
        """Withdraw the signature of a scan."""

        def work(connection: Connection) -> None:
            connection.execute("UPDATE zooscan_signatures SET withdrawn_utc = ? WHERE scan_id = ?", (utc_now(), scan_id))

        self.writer.call(work)

    def sign_in(self, *, keep_password: bool = True) -> None:
        """As after `zooscan login`, without asking the server."""
        password = PASSWORD if keep_password else None
        keep_login(self.home, Login(server=self.server, username=USER, token=None, password=password))

    def row(self, upload_id: int) -> UploadRow:
        with self.reader() as connection:
            row = upload_by_id(connection, upload_id)
        assert row is not None
        return row

    def labels(self) -> list[tuple[Any, ...]]:
        """Every label: scan, key, category, its number, status."""
        with self.reader() as connection:
            rows = connection.execute(
                "SELECT scan_id, object_key, category, category_id, status FROM zooscan_labels ORDER BY id"
            ).fetchall()
        return [tuple(row) for row in rows]

    def later(self, seconds: float) -> None:
        """Turn the clock."""
        self.moment += timedelta(seconds=seconds)

    def run(self, upload_id: int, *, steps: int = 40, desk: EcotaxaDesk | None = None) -> UploadRow:
        """Step, and turn the clock to when something is due, until the transfer is at its end, asks, or has no more steps."""
        for _ in range(steps):
            row = self.row(upload_id)
            if row.state in ("done", "failed", "cancelled") or (row.state == "asking" and row.answer is None):
                return row
            self.later((desk or self.desk).step())
        return self.row(upload_id)

    def close(self) -> None:
        self.desk.stop()
        self.writer.close()
