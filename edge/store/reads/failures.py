"""Failures: files that became no result, by reason, and reprocessing that failed while the old result stands."""

from __future__ import annotations

from dataclasses import dataclass

from edge.store.reads.typed import as_values
from edge.store.sqlite import Connection


@dataclass(frozen=True, slots=True, kw_only=True)
class ReasonCount:
    """How many quarantined files share a reason. `reason` is one of the codes in `edge.errors.Reason`."""

    reason: str
    files: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ReprocessFailure:
    """A file whose reprocessing failed; its earlier result still stands."""

    job_id: int
    file_id: int | None
    name: str | None
    recipe: str
    reason: str | None
    detail: str | None
    attempts: int
    finished_utc: str | None


def quarantined_by_reason(connection: Connection) -> tuple[ReasonCount, ...]:
    """Quarantined files by reason, the most frequent first."""
    rows = connection.execute(
        "SELECT reason, count(*) FROM sightings INDEXED BY sightings_failed WHERE state = 'quarantined' GROUP BY reason"
    )
    counts = (ReasonCount(reason=reason or "unknown", files=files) for reason, files in rows)
    return tuple(sorted(counts, key=lambda count: (-count.files, count.reason)))


def reprocess_failures(connection: Connection, *, limit: int) -> tuple[ReprocessFailure, ...]:
    """Reprocess jobs that ended in quarantine, newest first."""
    rows = connection.execute(
        "SELECT j.id AS job_id, s.id AS file_id, s.name, j.recipe, j.reason, j.detail, j.attempts, j.finished_utc "
        "FROM jobs AS j LEFT JOIN sightings AS s "
        "ON s.id = (SELECT max(id) FROM sightings WHERE image_id = j.image_id AND recipe = j.recipe) "
        "WHERE j.kind = 'reprocess' AND j.state = 'quarantined' ORDER BY j.id DESC LIMIT ?",
        (limit,),
    )
    return as_values(ReprocessFailure, rows)
