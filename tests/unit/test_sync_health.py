"""The check of what goes ashore: silence while nothing has to go, a notice of a long silence, a warning of what a person must do."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from edge.health.checks import sync
from edge.health.context import HealthContext
from edge.health.disk import DiskLevel
from edge.health.issue import IssueCode
from edge.store.clock import utc_text
from edge.store.connection import DATABASE_NAME, open_writer
from edge.store.sqlite import Connection
from tests.helpers.going_ashore import seed_results

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[Connection]:
    """Two results: one in a bundle for the share, one in none."""
    seed_results(tmp_path, tmp_path / "inbox", 2)
    connection = open_writer(tmp_path / DATABASE_NAME)
    connection.execute(
        "INSERT INTO bundles (id, sequence, sha256, priority, size_bytes, results, rows_json, made_utc) "
        "VALUES (1, 1, 'a', 1, 9, 1, '{}', ?)",
        (ago(1),),
    )
    connection.execute("INSERT INTO deliveries (bundle_id, sink, state) VALUES (1, 'nas', 'waiting')")
    connection.execute("UPDATE outbox SET state = 'bundled', bundle_id = 1 WHERE id = 1")
    connection.execute("UPDATE outbox SET created_utc = ?", (ago(1),))
    yield connection
    connection.close()


def ago(days: float) -> str:
    return utc_text(NOW - timedelta(days=days))


def codes(connection: Connection, *sinks: str) -> list[tuple[IssueCode, str]]:
    context = HealthContext(
        connection=connection,
        home=Path("/"),
        now_utc=NOW,
        disk_level=DiskLevel.OK,
        free_bytes=1,
        floor_bytes=0,
        backup_every_h=24,
        machine="",
        sinks=sinks,
    )
    return [(issue.code, issue.reference) for issue in sync.run_check(context)]


def contact(connection: Connection, sink: str, days: float, outcome: str, code: str = "") -> None:
    connection.execute(
        "INSERT INTO link_contacts (link, at_utc, outcome, code, words) VALUES (?, ?, ?, ?, 'no room')", (sink, ago(days), outcome, code)
    )


@pytest.mark.parametrize(
    ("days", "reached", "expected"),
    [
        (1, None, None),
        (8, None, IssueCode.SYNC_NO_CONTACT),
        (8, 8, IssueCode.SYNC_NO_CONTACT),
        (8, 2, None),
        (31, 0.1, IssueCode.SYNC_BACKLOG_OLD),
    ],
)
def test_how_long_results_wait(connection: Connection, days: float, reached: float | None, expected: IssueCode | None) -> None:
    connection.execute("UPDATE outbox SET created_utc = ?", (ago(days),))
    if reached is not None:
        contact(connection, "nas", reached, "reached")
    assert codes(connection, "nas") == ([] if expected is None else [(expected, "nas")])
    assert codes(connection) == [], "without a far side nothing has to go"


def test_a_bundle_that_waits_counts_as_well(connection: Connection) -> None:
    connection.execute("DELETE FROM outbox WHERE state = 'waiting'")
    assert codes(connection, "nas") == []
    connection.execute("UPDATE bundles SET made_utc = ?", (ago(9),))
    assert codes(connection, "nas", "cloud") == [(IssueCode.SYNC_NO_CONTACT, "nas")]


def test_what_needs_a_person(connection: Connection) -> None:
    connection.execute("UPDATE deliveries SET state = 'refused', error = 'no such bucket'")
    assert codes(connection, "nas") == [(IssueCode.SYNC_REFUSED, "nas")]
    contact(connection, "usb", 1, "failed", "sink_full")
    assert codes(connection) == [(IssueCode.SYNC_FULL, "usb")]
    contact(connection, "usb", 0.5, "reached")
    assert codes(connection) == []
