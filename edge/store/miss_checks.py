"""Minutes that a reviewer counts blind to the model: drawn, saved, finished or declined. Nothing of it is ever drawn a second time.

Functions take the writer's connection, inside the writer's transaction.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from edge.errors import CountOutdatedError, CountRefusedError
from edge.store import audit
from edge.store.clock import utc_now, uuid7
from edge.store.outbox import put_out
from edge.store.sqlite import Connection


@dataclass(frozen=True, slots=True, kw_only=True)
class NewCheck:
    """Minutes that were drawn; see `miss_checks`. `counter` is the person's name, empty where there are no accounts."""

    tow_id: int
    analysis_id: int
    footage_sha256: str
    seed: str
    pool: Sequence[int]
    minutes: Sequence[int]
    line_height: float
    width_px: int
    height_px: int
    counter: str


def add_check(connection: Connection, new: NewCheck, *, actor: str) -> int:
    """Keep what was drawn, with the seed in the audit trail. Returns the check's id."""
    uuid = uuid7()
    row = connection.execute(
        "INSERT INTO miss_checks (uuid, tow_id, analysis_id, footage_sha256, seed, pool_json, minutes_json, line_height, width_px, "
        "height_px, state, counter, drawn_by, drawn_utc) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 'open', ?, ?, ?) RETURNING id",
        (
            uuid,
            new.tow_id,
            new.analysis_id,
            new.footage_sha256,
            new.seed,
            json.dumps(list(new.pool)),
            json.dumps(list(new.minutes)),
            new.line_height,
            new.width_px,
            new.height_px,
            new.counter,
            actor,
            utc_now(),
        ),
    ).fetchone()
    detail = {"check": uuid, "seed": new.seed, "pool": list(new.pool), "minutes": list(new.minutes)}
    audit.append(connection, actor, "miss_check_drawn", f"tow/{new.tow_id}", detail)
    return int(row[0])


def save_check(connection: Connection, check_id: int, content_json: str, *, revision: int) -> int:
    """Replace the content. Returns the revision after it; the same content sent again is one save.

    Raises:
        CountOutdatedError: another window saved since.
        CountRefusedError: it is done or declined.
    """
    row = connection.execute("SELECT state, revision, content_json FROM miss_checks WHERE id = ?", (check_id,)).fetchone()
    if row["state"] != "open":
        raise CountRefusedError(f"the check is {row['state']}: nothing of it changes any more", advice="Load the page again.")
    if row["revision"] == revision + 1 and row["content_json"] == content_json:
        return revision + 1
    if row["revision"] != revision:
        raise CountOutdatedError("the check was saved from another window since")
    connection.execute("UPDATE miss_checks SET content_json = ?, revision = revision + 1 WHERE id = ?", (content_json, check_id))
    return revision + 1


def take_over_check(connection: Connection, check_id: int, counter: str, *, actor: str) -> None:
    """Let a person count the minutes of a check that was drawn while there were no accounts.

    Raises:
        CountRefusedError: it is not open any more, or somebody counts it.
    """
    row = connection.execute(
        "UPDATE miss_checks SET counter = ? WHERE id = ? AND state = 'open' AND counter = '' RETURNING uuid, tow_id, revision",
        (counter, check_id),
    ).fetchone()
    if row is None:
        raise CountRefusedError("the check is not open any more", advice="Load the page again.")
    detail = {"check": row["uuid"], "counter": counter, "revision": row["revision"]}
    audit.append(connection, actor, "miss_check_taken_over", f"tow/{row['tow_id']}", detail)


def end_check(connection: Connection, check_id: int, state: Literal["done", "declined"], *, actor: str, reason: str = "") -> None:
    """Finish or decline a check that is open, for good.

    Raises:
        CountRefusedError: it is not open any more.
    """
    row = connection.execute(
        "UPDATE miss_checks SET state = ?, reason = ?, ended_by = ?, ended_utc = ? WHERE id = ? AND state = 'open' "
        "RETURNING uuid, tow_id, minutes_json",
        (state, reason, actor, utc_now(), check_id),
    ).fetchone()
    if row is None:
        raise CountRefusedError("the check is not open any more", advice="Load the page again.")
    put_out(connection, "miss_check", row["uuid"])
    detail = {"check": row["uuid"], "minutes": json.loads(row["minutes_json"]), "reason": reason}
    audit.append(connection, actor, f"miss_check_{state}", f"tow/{row['tow_id']}", detail)
