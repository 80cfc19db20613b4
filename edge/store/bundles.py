"""Bundles as they were made, and where each has to arrive. Functions take the writer's connection, inside the writer's transaction."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from edge.store.clock import utc_now
from edge.store.reads.ashore_blind import blind_among
from edge.store.sqlite import Connection


def next_sequence(connection: Connection, now_ms: int) -> int:
    """The number of the next bundle: it grows whatever the clock does, and over a database that was restored from a backup."""
    last = connection.execute("SELECT max(sequence) FROM bundles").fetchone()[0]
    return now_ms if last is None else max(now_ms, int(last) + 1)


def record_bundle(
    connection: Connection,
    outbox_ids: Sequence[int],
    sinks: Sequence[str],
    *,
    sequence: int,
    sha256: str,
    size_bytes: int,
    rows: Mapping[str, int],
) -> int | None:
    """A bundle is made of these rows of the outbox and has to arrive at these far sides. Returns its id.

    None: one of the rows does not wait any more, or tells of what people count blind since; nothing is noted then.
    """
    chosen = json.dumps(list(outbox_ids))
    row = connection.execute(
        "SELECT count(*), min(priority) FROM outbox WHERE state = 'waiting' AND id IN (SELECT value FROM json_each(?))", (chosen,)
    ).fetchone()
    if row[0] != len(outbox_ids) or blind_among(connection, outbox_ids):
        return None
    cursor = connection.execute(
        "INSERT INTO bundles (sequence, sha256, priority, size_bytes, results, rows_json, made_utc) VALUES (?, ?, ?, ?, ?, ?, ?)",
        (sequence, sha256, row[1], size_bytes, len(outbox_ids), json.dumps(dict(rows)), utc_now()),
    )
    bundle_id = int(cursor.lastrowid or 0)
    connection.execute(
        "UPDATE outbox SET state = 'bundled', bundle_id = ? WHERE id IN (SELECT value FROM json_each(?))", (bundle_id, chosen)
    )
    for sink in sinks:
        connection.execute("INSERT INTO deliveries (bundle_id, sink, state) VALUES (?, ?, 'waiting')", (bundle_id, sink))
    return bundle_id


def put_off(connection: Connection, outbox_id: int, *, words: str, until_utc: str) -> None:
    """A result cannot be put into a bundle as it is; the others go on without it."""
    connection.execute(
        "UPDATE outbox SET attempts = attempts + 1, last_error = ?, not_before_utc = ? WHERE id = ? AND state = 'waiting'",
        (words, until_utc, outbox_id),
    )


def confirm(connection: Connection, bundle_id: int, sink: str) -> None:
    """The far side has a bundle, with its size and its hash. When every one has it, its results are sent."""
    connection.execute(
        "UPDATE deliveries SET state = 'confirmed', confirmed_utc = ?, error = '', error_code = '', next_try_utc = NULL, "
        "upload_json = NULL WHERE bundle_id = ? AND sink = ? AND state <> 'confirmed'",
        (utc_now(), bundle_id, sink),
    )
    connection.execute(
        "UPDATE outbox SET state = 'sent' WHERE bundle_id = ?1 AND state = 'bundled' "
        "AND NOT EXISTS (SELECT 1 FROM deliveries WHERE bundle_id = ?1 AND state <> 'confirmed')",
        (bundle_id,),
    )


def note_attempt(connection: Connection, bundle_id: int, sink: str) -> None:
    """A bundle is being sent."""
    connection.execute(
        "UPDATE deliveries SET state = 'sending', attempts = attempts + 1 WHERE bundle_id = ? AND sink = ? AND state <> 'confirmed'",
        (bundle_id, sink),
    )


def note_failure(
    connection: Connection, bundle_id: int, sink: str, *, code: str, words: str, next_try_utc: str | None, is_refused: bool = False
) -> None:
    """An attempt failed. `is_refused`: trying again will not help before a person has looked."""
    connection.execute(
        "UPDATE deliveries SET state = ?, error = ?, error_code = ?, next_try_utc = ? "
        "WHERE bundle_id = ? AND sink = ? AND state <> 'confirmed'",
        ("refused" if is_refused else "waiting", words, code, next_try_utc, bundle_id, sink),
    )


def note_upload(connection: Connection, bundle_id: int, sink: str, upload: Mapping[str, object] | None) -> None:
    """Where an upload in parts stands."""
    text = None if upload is None else json.dumps(upload)
    connection.execute("UPDATE deliveries SET upload_json = ? WHERE bundle_id = ? AND sink = ?", (text, bundle_id, sink))


def take_back(connection: Connection, bundle_id: int) -> None:
    """The file of a bundle is gone or damaged: what no far side has yet waits again, and the bundle goes to nobody any more."""
    connection.execute("UPDATE outbox SET state = 'waiting', bundle_id = NULL WHERE bundle_id = ? AND state = 'bundled'", (bundle_id,))
    connection.execute("DELETE FROM deliveries WHERE bundle_id = ? AND state <> 'confirmed'", (bundle_id,))
    drop_file(connection, bundle_id)


def drop_file(connection: Connection, bundle_id: int) -> None:
    """The file of a bundle is let go."""
    connection.execute("UPDATE bundles SET dropped_utc = ? WHERE id = ?", (utc_now(), bundle_id))


def count_bytes(connection: Connection, link: str, day: str, *, up_bytes: int, down_bytes: int) -> None:
    """Add to what a link cost on a day."""
    connection.execute(
        "INSERT INTO link_days (day, link, up_bytes, down_bytes) VALUES (?1, ?2, ?3, ?4) "
        "ON CONFLICT (day, link) DO UPDATE SET up_bytes = up_bytes + ?3, down_bytes = down_bytes + ?4",
        (day, link, up_bytes, down_bytes),
    )


def note_contact(connection: Connection, link: str, *, is_reached: bool, code: str = "", words: str = "") -> None:
    """A far side was tried. Of each the last hundred times are kept."""
    connection.execute(
        "INSERT INTO link_contacts (link, at_utc, outcome, code, words) VALUES (?, ?, ?, ?, ?)",
        (link, utc_now(), "reached" if is_reached else "failed", code, words),
    )
    connection.execute(
        "DELETE FROM link_contacts WHERE link = ?1 AND id <= "
        "(SELECT id FROM link_contacts WHERE link = ?1 ORDER BY id DESC LIMIT 1 OFFSET 100)",
        (link,),
    )
