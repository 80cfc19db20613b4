"""An intake at work on a folder, without models: what settles is queued and stays so."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from edge.ingest.intake import Intake, RootStatus
from edge.ingest.inventory import MOST_WAITING
from edge.recipes.recipe import FOOTAGE_EXTENSIONS
from edge.settings import Settings
from edge.store import files, jobs
from edge.store.connection import open_reader
from edge.store.open import open_store
from edge.store.sqlite import Row
from edge.store.writer import Writer

RECIPE = "burrows"
DEADLINE_S = 60.0
HINTS_ONLY: dict[str, object] = {"rescan_s": 3600, "full_rescan_s": 86_400}


class Watching:
    """A home folder whose intake watches one root, and what the database says of its files."""

    def __init__(
        self,
        home: Path,
        root: Path,
        *,
        watch: bool = True,
        patient: bool = True,
        intake: files.Intake = "in_place",
        most_waiting: int = MOST_WAITING,
        **options: object,
    ) -> None:
        self.home = home
        self.root = root
        home.mkdir(exist_ok=True)
        self.settings = Settings.model_validate({"settle_s": 0.2, "rescan_s": 1, "full_rescan_s": 10, "growing_limit_s": 1, **options})
        self.may_take = threading.Event()
        self.may_take.set()
        self.writer: Writer = open_store(home, on_commit=lambda: None)
        self.intake = Intake(
            self.settings, home, home / "edge.db", self.writer, may_take=self.may_take.is_set, patient=patient, most_waiting=most_waiting
        )
        row = self.writer.call(lambda connection: files.add_root(connection, root, RECIPE, intake))
        self.intake.add_root(row, FOOTAGE_EXTENSIONS, watch=watch)
        self.reader = open_reader(home / "edge.db")

    def start(self) -> None:
        self.intake.start()
        wait_until(lambda: self.intake.inventories > 0)

    def close(self) -> None:
        self.intake.stop()
        self.reader.close()
        self.writer.close()

    def rows(self) -> list[Row]:
        return self.reader.execute("SELECT * FROM v_files ORDER BY file_id").fetchall()

    def states(self) -> dict[str, str]:
        """Each current name with its state, or its reason, and what became of the original."""
        return {
            row["name"]: row["state"] if row["original"] == "present" else f"{row['state']}, {row['original']}"
            for row in self.rows()
            if row["original"] != "changed"
        }

    def reasons(self) -> dict[str, str | None]:
        return {row["name"]: row["reason"] for row in self.rows() if row["original"] != "changed"}

    def away(self) -> dict[str, int]:
        """Folders that are held to be away, each with the number of jobs that wait for it."""
        rows = self.reader.execute(
            "SELECT relative_path, (SELECT count(*) FROM jobs WHERE folder_id = folders.id AND state = 'queued') FROM folders "
            "WHERE away_utc IS NOT NULL"
        )
        return dict(rows.fetchall())

    def lease(self) -> list[str]:
        """Take everything that may be worked on, as a dispatcher would."""
        return [job.name for job in self.writer.call(lambda connection: jobs.lease_jobs(connection, RECIPE, owner="test", limit=1000))]

    @property
    def status(self) -> RootStatus:
        (status,) = self.intake.status()
        return status

    def until(self, states: dict[str, str]) -> None:
        """Wait for exactly these states."""
        wait_until(lambda: self.states() == states, lambda: f"{self.states()} is not {states}; failure: {self.intake.failure}")

    def rest(self) -> None:
        """Wait until nothing is open and an inventory that began from now on has ended."""
        before = self.intake.inventories
        self.intake.rescan()
        wait_until(lambda: self.intake.inventories > before and self.intake.idle, lambda: f"never at rest; failure: {self.intake.failure}")


@contextmanager
def watching(home: Path, root: Path, **options: object) -> Iterator[Watching]:
    """A started intake, closed at the end."""
    appliance = Watching(home, root, **options)  # type: ignore[arg-type]
    try:
        appliance.start()
        yield appliance
    finally:
        appliance.close()


def wait_until(
    holds: Callable[[], object], explain: Callable[[], str] = lambda: "it never came true", *, deadline_s: float = DEADLINE_S
) -> None:
    """Look again and again until it holds; the deadline is only there to end a failed test."""
    until_s = time.monotonic() + deadline_s
    while not holds():
        assert time.monotonic() < until_s, explain()
        time.sleep(0.02)
