"""Counts: opened, saved sealed, signed, revealed or set aside. Functions take the writer's connection, in its transaction.

Until the reveal a count's content is one blob of whole steps; a save changes nothing else, so that nobody can tell from the
outside whether a counter marked something.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from edge.errors import CountRefusedError
from edge.store import audit
from edge.store.clock import utc_now, uuid7
from edge.store.facts import put_fact
from edge.store.outbox import PRIORITY_URGENT, put_out
from edge.store.reads.counts import CountedMinute, CountMark
from edge.store.reads.qualifications import QualificationRule, rule_fact
from edge.store.seal import COUNT_STEP_BYTES, Seal
from edge.store.sealed_runs import open_tow
from edge.store.sqlite import Connection
from edge.store.waiting import seen_before


@dataclass(frozen=True, slots=True, kw_only=True)
class NewCount:
    """A count that begins. `counter` is the name that stands in tables; `content` is what is sealed first.

    `not_blind`: why its counter may know what others or a model found; "" for a blind count.
    """

    tow_id: int
    protocol_id: int
    person_id: int | None
    counter: str
    content: bytes
    not_blind: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewQualification:
    """How a person did on a reference set. `ccc` and `bias` over all its stations, None where they cannot be computed."""

    person_id: int
    survey_id: int
    ccc: float | None
    bias: float | None
    stations: int
    passed: bool
    detail_json: str


def open_count(connection: Connection, seal: Seal, new: NewCount, *, actor: str) -> int:
    """Begin a count. Returns its id.

    Raises:
        CountRefusedError: this counter has a count of the tow already.
    """
    taken = connection.execute(
        "SELECT 1 FROM counts WHERE tow_id = ? AND counter = ? AND state <> 'set_aside'", (new.tow_id, new.counter)
    ).fetchone()
    if taken is not None:
        raise CountRefusedError(f"{new.counter} counts this tow already")
    count_uuid = uuid7()
    cursor = connection.execute(
        "INSERT INTO counts (uuid, tow_id, protocol_id, person_id, counter, ordinal, state, origin, sealed, opened_utc, "
        "not_blind) VALUES (?, ?, ?, ?, ?, (SELECT 1 + count(*) FROM counts WHERE tow_id = ?2), 'open', 'counted', ?, ?, ?)",
        (
            count_uuid,
            new.tow_id,
            new.protocol_id,
            new.person_id,
            new.counter,
            seal.close(new.content, _subject(count_uuid), step_bytes=COUNT_STEP_BYTES),
            utc_now(),
            new.not_blind,
        ),
    )
    detail = {"count": count_uuid, "counter": new.counter} | ({"not_blind": new.not_blind} if new.not_blind else {})
    audit.append(connection, actor, "count_open", f"tow/{new.tow_id}", detail)
    return int(cursor.lastrowid or 0)


def sealed_content(connection: Connection, seal: Seal, count_id: int) -> bytes:
    """What is in a count that is not revealed.

    Raises:
        CountRefusedError: there is no such count, or it is revealed.
        StoreError: its seal does not open.
    """
    row = connection.execute("SELECT uuid, sealed FROM counts WHERE id = ?", (count_id,)).fetchone()
    if row is None or row["sealed"] is None:
        raise CountRefusedError(f"the count {count_id} is not sealed", advice="Look at it on the Compare page of its station.")
    return seal.open(row["sealed"], _subject(row["uuid"]))


def save_content(connection: Connection, seal: Seal, count_id: int, content: bytes) -> None:
    """Replace what is in an open count, and nothing else."""
    (count_uuid,) = connection.execute("SELECT uuid FROM counts WHERE id = ?", (count_id,)).fetchone()
    sealed = seal.close(content, _subject(count_uuid), step_bytes=COUNT_STEP_BYTES)
    connection.execute("UPDATE counts SET sealed = ? WHERE id = ? AND state = 'open'", (sealed, count_id))


def sign(connection: Connection, count_id: int, *, actor: str, clock_json: str | None = None) -> None:
    """From now on its content cannot change. `clock_json`: by what it was counted; that is no secret."""
    connection.execute(
        "UPDATE counts SET state = 'signed', signed_utc = ?, clock_json = ? WHERE id = ? AND state = 'open'",
        (utc_now(), clock_json, count_id),
    )
    (count_uuid,) = connection.execute("SELECT uuid FROM counts WHERE id = ?", (count_id,)).fetchone()
    audit.append(connection, actor, "count_sign", f"count/{count_uuid}", {})


def reveal(connection: Connection, count_id: int, minutes: Iterable[CountedMinute], marks: Sequence[CountMark]) -> None:
    """Write a count's content into the public tables and drop its seal."""
    connection.executemany(
        "INSERT INTO count_minutes (count_id, minute, systems, lost_s, nephrops_in, nephrops_out, note) VALUES (?, ?, ?, ?, ?, ?, ?)",
        [(count_id, *one) for one in minutes],
    )
    connection.executemany(
        "INSERT INTO count_marks (count_id, image_id, at_s, minute, feature, x_fraction, y_fraction, marked_utc) "
        "VALUES (?, (SELECT id FROM images WHERE id = ?), ?, ?, ?, ?, ?, ?)",  # a page that names no image must not hold the reveal up
        [(count_id, *one) for one in marks],
    )
    connection.execute("UPDATE counts SET revealed_utc = ?, sealed = NULL WHERE id = ?", (utc_now(), count_id))


def publish_tow(connection: Connection, seal: Seal, tow_id: int, *, actor: str, why: str) -> None:
    """After the reveal of a tow's counts: what models found there comes back, and the ship's outbox and audit are told."""
    runs = open_tow(connection, seal, tow_id)
    (tow_uuid,) = connection.execute("SELECT uuid FROM tows WHERE id = ?", (tow_id,)).fetchone()
    put_out(connection, "counts", f"{tow_uuid}/{uuid7()}", priority=PRIORITY_URGENT)
    (still_sealed,) = connection.execute("SELECT count(*) FROM sealed_runs WHERE tow_id = ?", (tow_id,)).fetchone()
    audit.append(connection, actor, "counts_reveal", f"tow/{tow_id}", {"why": why, "model_results": runs, "still_sealed": still_sealed})


def why_not_blind(connection: Connection, tow_id: int) -> str:
    """Why whoever begins to count this tow now may know what is on it; "" if it can be counted blind."""
    released = connection.execute("SELECT released_utc FROM releases WHERE tow_id = ?", (tow_id,)).fetchone()
    if released is not None:
        return f"what models found was released on {released[0][:10]}, before it was begun"
    revealed = connection.execute("SELECT min(revealed_utc) FROM counts WHERE tow_id = ?", (tow_id,)).fetchone()
    if revealed[0] is not None:
        return f"counts of the tow were revealed on {revealed[0][:10]}, before it was begun"
    seen = seen_before(connection, tow_id)
    if seen is None:
        return ""
    files = "1 file" if seen.files == 1 else f"{seen.files} files"
    return f"what models found on {files} of the tow could be read until {seen.until_utc[:10]}, before it was begun"


def mark_not_blind(connection: Connection, tow_id: int, why: str) -> None:
    """Counts of a tow that are still open are not blind from now on."""
    connection.execute("UPDATE counts SET not_blind = ? WHERE tow_id = ? AND state = 'open'", (why, tow_id))


def set_aside(connection: Connection, count_id: int, reason: str, *, actor: str) -> None:
    """It does not count any more; what is in it stays, sealed or revealed as it was."""
    connection.execute("UPDATE counts SET state = 'set_aside', set_aside_reason = ? WHERE id = ?", (reason, count_id))
    (count_uuid,) = connection.execute("SELECT uuid FROM counts WHERE id = ?", (count_id,)).fetchone()
    audit.append(connection, actor, "count_set_aside", f"count/{count_uuid}", {"reason": reason})


def add_imported(
    connection: Connection,
    seal: Seal,
    *,
    tow_id: int,
    protocol_id: int,
    counter: str,
    minutes: Sequence[CountedMinute],
    marks: Sequence[CountMark] = (),
    signed_utc: str | None = None,
    actor: str,
) -> int:
    """A count that a table brought: signed and revealed at once, and with it what models found on its tow. Returns its id.

    Raises:
        CountRefusedError: somebody counts this tow blind at the moment, or this counter has a count of it already.
    """
    blind = connection.execute(
        "SELECT 1 FROM counts WHERE tow_id = ? AND sealed IS NOT NULL AND state <> 'set_aside'", (tow_id,)
    ).fetchone()
    if blind is not None:
        advice = "Import it after the counts here are signed, or let an administrator set them aside."
        raise CountRefusedError(f"the tow of {counter}'s imported count is being counted blind", advice=advice)
    new = NewCount(tow_id=tow_id, protocol_id=protocol_id, person_id=None, counter=counter, content=b"")
    count_id = open_count(connection, seal, new, actor=actor)
    connection.execute(
        "UPDATE counts SET state = 'signed', origin = 'imported', signed_utc = ? WHERE id = ?", (signed_utc or utc_now(), count_id)
    )
    reveal(connection, count_id, minutes, marks)
    publish_tow(connection, seal, tow_id, actor=actor, why="imported")
    return count_id


def add_qualification(connection: Connection, new: NewQualification) -> None:
    """Keep how a person did on a reference set; earlier results stay."""
    connection.execute(
        "INSERT INTO qualifications (person_id, survey_id, ccc, bias, stations, passed, detail_json, at_utc) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (new.person_id, new.survey_id, new.ccc, new.bias, new.stations, int(new.passed), new.detail_json, utc_now()),
    )


def set_qualification_rule(connection: Connection, survey_id: int, rule: QualificationRule, *, actor: str) -> None:
    """What is asked of counters from now on; results that exist stay as they were judged."""
    put_fact(connection, rule_fact(survey_id), json.dumps(rule._asdict()))
    audit.append(connection, actor, "qualification_rule", f"survey/{survey_id}", rule._asdict())


def set_reference(connection: Connection, tow_id: int, minutes: Mapping[int, float], source: str, *, actor: str) -> None:
    """The known counts of a tow of a reference set, instead of those before. The audit trail says where from, not how many."""
    if not source.strip():
        raise CountRefusedError("reference counts need a source", advice="Say who counted them, and when.")
    connection.execute("DELETE FROM reference_minutes WHERE tow_id = ?", (tow_id,))
    connection.executemany(
        "INSERT INTO reference_minutes (tow_id, minute, systems, source) VALUES (?, ?, ?, ?)",
        [(tow_id, minute, systems, source.strip()) for minute, systems in minutes.items()],
    )
    audit.append(connection, actor, "reference_set", f"tow/{tow_id}", {"minutes": sorted(minutes), "source": source.strip()})


def _subject(count_uuid: str) -> str:
    return f"count/{count_uuid}"
