"""From the outbox to bundles in a folder: what waits is read, put together up to a size, written durably, and noted in one transaction.

A power cut between the file and the transaction leaves a file that nobody names: the next start takes it away (`sweep`). The other way
round cannot be: no row of the outbox is `bundled` before its bundle lies on the disk.
"""

from __future__ import annotations

import os
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import structlog

from edge.store import bundles
from edge.store.clock import utc_now, utc_text
from edge.store.durable import sync_file, sync_folder
from edge.store.outbox import hold_back_rows, let_out_rows, prune_sent
from edge.store.reads.ashore import Queries, Tables, Waiting, arrived_bundles, collected, kept_bundles, waiting
from edge.store.reads.ashore_blind import blind_among, shown_again
from edge.store.reads.ashore_kinds import QUERIES
from edge.store.sqlite import Connection
from edge.store.writer import Writes
from sync.bundle.files import SUFFIX
from sync.bundle.write import Bundle, Sender, make_bundle
from sync.densities import counts_ashore

log = structlog.get_logger()

BUNDLES_FOLDER = Path("sync") / "bundles"
MAX_ROWS = 2000
_FIRST_ROWS = 200
_AGAIN = timedelta(days=1)

_LOOK_EVERY_S = 60.0


def _by_queries(queries: Queries, connection: Connection, subjects: Sequence[str]) -> Tables:
    return collected(connection, queries, subjects)


KINDS: Mapping[str, Callable[[Connection, Sequence[str]], Tables]] = {
    **{kind: partial(_by_queries, queries) for kind, queries in QUERIES.items()},
    "counts": counts_ashore,
}
"""What reads each kind of result. A kind that is not here waits; nothing of it is lost."""

Reader = Callable[[], AbstractContextManager[Connection]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Packed:
    """A bundle that was made. `results`: how many of the outbox are in it."""

    bundle_id: int
    sha256: str
    size_bytes: int
    results: int


class Packer:
    """Makes bundles of one home folder. For one thread."""

    def __init__(self, home: Path, writer: Writes, reader: Reader, sender: Sender, *, max_bytes: int, keep_days: int | None = None) -> None:
        """`max_bytes`: no bundle is larger, unless one result alone is. `keep_days`: see `let_go`; None: all stay."""
        self.folder = home / BUNDLES_FOLDER
        self._writer, self._reader, self._sender, self._max_bytes = writer, reader, sender, max_bytes
        self._rows, self._keep_days = _FIRST_ROWS, keep_days
        self._looked_s: float | None = None

    @property
    def full_rows(self) -> int:
        """About how many results make a full bundle, by the last one."""
        return self._rows

    def pack(self, sinks: Sequence[str], *, priority: int | None = None) -> Packed | None:
        """Make the next bundle, which has to arrive at `sinks`; of one priority only where one is named. None: nothing waits.

        Raises:
            OSError: it cannot be written; nothing is noted.
        """
        self._look_around(every_s=_LOOK_EVERY_S)
        while True:
            with self._reader() as connection:
                rows = waiting(connection, tuple(KINDS), now_utc=utc_now(), limit=self._rows, priority=priority)
                if not rows:
                    return None
                blind = blind_among(connection, [row.id for row in rows])
                tables = {} if blind else _collected(connection, rows)
            if blind:
                self._writer.call(partial(hold_back_rows, outbox_ids=blind))
                continue
            sequence = self._writer.call(partial(bundles.next_sequence, now_ms=time.time_ns() // 1_000_000))
            try:
                made = make_bundle(tables, sender=self._sender, sequence=sequence, made_utc=utc_now())
            except ValueError as error:
                self._set_aside(rows, error)
                continue
            if len(made.content) > self._max_bytes and len(rows) > 1:
                self._rows = max(1, min(len(rows) - 1, len(rows) * self._max_bytes * 9 // (len(made.content) * 10)))
                continue
            packed = self._kept(made, rows, sinks, sequence)
            if packed is not None:
                self._rows = max(1, min(MAX_ROWS, len(rows) * self._max_bytes * 9 // (len(made.content) * 10)))
                return packed

    def path_of(self, sha256: str) -> Path:
        """Where the file of a bundle lies."""
        return self.folder / f"{sha256}{SUFFIX}"

    def sweep(self) -> int:
        """Take away files that no bundle names. Returns how many."""
        if not self.folder.is_dir():
            return 0
        with self._reader() as connection:
            named = kept_bundles(connection)
        left = [path for path in self.folder.iterdir() if path.name.removesuffix(SUFFIX) not in named]
        for path in left:
            path.unlink(missing_ok=True)
        return len(left)

    def let_go(self, keep_days: int) -> int:
        """Let bundles go that arrived everywhere so many days ago, and the outbox' rows of them; the results stay. Returns how many.

        What a far side refused, or has not got yet, stays whatever its age.
        """
        before_utc = utc_text(datetime.now(UTC) - timedelta(days=keep_days))
        with self._reader() as connection:
            arrived = arrived_bundles(connection, before_utc)
        for bundle_id, sha256 in arrived:
            self._writer.call(partial(bundles.drop_file, bundle_id=bundle_id))  # a file that a power cut leaves is swept
            self.path_of(sha256).unlink(missing_ok=True)
        if arrived:
            pruned = self._writer.call(partial(prune_sent, before_utc=before_utc))
            log.info("bundles_let_go", bundles=len(arrived), outbox_rows=pruned)
        return len(arrived)

    def _look_around(self, *, every_s: float) -> None:
        """Now and then: what was held back because people counted it blind goes when they do not any more, and old files go."""
        now_s = time.monotonic()
        if self._looked_s is not None and now_s - self._looked_s < every_s:
            return
        with self._reader() as connection:
            shown = shown_again(connection)
        if shown:
            self._writer.call(partial(let_out_rows, outbox_ids=shown))
        if self._keep_days is not None:
            self.let_go(self._keep_days)
        self._looked_s = now_s

    def _set_aside(self, rows: Sequence[Waiting], error: ValueError) -> None:
        """One of the results holds something that no bundle can: find which by halves, put it off, and let the others go."""
        if len(rows) > 1:
            self._rows = len(rows) // 2
            return
        until_utc = utc_text(datetime.now(UTC) + _AGAIN)
        log.error("result_unfit_for_a_bundle", kind=rows[0].kind, subject=rows[0].subject, error=str(error))
        self._writer.call(partial(bundles.put_off, outbox_id=rows[0].id, words=str(error), until_utc=until_utc))
        self._rows = _FIRST_ROWS

    def _kept(self, made: Bundle, rows: Sequence[Waiting], sinks: Sequence[str], sequence: int) -> Packed | None:
        """None: one of the results was sealed meanwhile; what is in the file must not leave, and it goes at once."""
        path = self._written(made)
        note = partial(
            bundles.record_bundle,
            outbox_ids=[row.id for row in rows],
            sinks=sinks,
            sequence=sequence,
            sha256=made.sha256,
            size_bytes=len(made.content),
            rows=made.rows,
        )
        bundle_id = self._writer.call(note)
        if bundle_id is None:
            path.unlink(missing_ok=True)
            return None
        log.info("bundle_made", sha256=made.sha256, size_bytes=len(made.content), results=len(rows), **made.rows)
        return Packed(bundle_id=bundle_id, sha256=made.sha256, size_bytes=len(made.content), results=len(rows))

    def _written(self, made: Bundle) -> Path:
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.path_of(made.sha256)
        part = path.with_name(f".{path.name}.{os.getpid()}")
        part.write_bytes(made.content)
        sync_file(part)
        part.replace(path)
        sync_folder(self.folder)
        return path


def _collected(connection: Connection, rows: Sequence[Waiting]) -> Tables:
    """All rows as they are at one moment, each once."""
    by_kind: dict[str, list[str]] = defaultdict(list)
    for row in rows:
        by_kind[row.kind].append(row.subject)
    found: dict[str, dict[tuple[Any, ...], None]] = defaultdict(dict)
    connection.execute("BEGIN")
    try:
        for kind, subjects in by_kind.items():
            for name, values in KINDS[kind](connection, subjects).items():
                found[name].update(dict.fromkeys(values))
    finally:
        connection.execute("ROLLBACK")
    return {name: list(values) for name, values in found.items()}
