"""What was read of clips: kept part by part as it comes, so that an interrupted reading goes on where its last part ends.

A part is sealed for good (`edge.store.seal`): it tells what a model found on footage that people may be counting blind. What is
made of the parts of a tow stands in tables of its own as soon as nobody counts the tow blind any more.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from edge import __version__
from edge.errors import StoreRefusedError
from edge.footage import ClipFacts, StripTile
from edge.store.clock import utc_now, uuid7
from edge.store.outbox import put_out
from edge.store.runs import RunContext, finish_job
from edge.store.seal import READING_STEP_BYTES, Seal
from edge.store.sqlite import Connection
from edge.store.strips import add_strip, drop_old_strips
from edge.values import ModelKey


@dataclass(frozen=True, slots=True, kw_only=True)
class NewPart:
    """What was read of a clip since its last part.

    Attributes:
        ordinal: 0 for its first.
        to_s: time of its last frame, on the clip's own clock.
        content: its frames as `edge.footage_pack` packs them.
        faults: what was wrong on the way so far, earlier attempts included.
        strip: the frame strip of its frames.
    """

    ordinal: int
    facts: ClipFacts
    model: ModelKey
    score_threshold: float
    rate_hz: float
    frames: int
    to_s: float
    content: bytes
    faults: tuple[str, ...]
    wall_s: float
    strip: tuple[StripTile, ...] = ()


class Unfinished(NamedTuple):
    """A reading that was interrupted: how many parts it has, the time of the last frame in them, and what was wrong there."""

    parts: int
    read_to_s: float
    faults: tuple[str, ...] = ()


def unfinished_reading(connection: Connection, context: RunContext, weights_sha256: str | None = None) -> Unfinished | None:
    """What an interrupted reading of this job left to go on from; None if there is nothing, or it was another model's or recipe's."""
    row = connection.execute(
        "SELECT count(p.id), r.read_to_s, c.faults_json FROM readings AS r JOIN reading_parts AS p ON p.reading_id = r.id "
        "JOIN clips AS c ON c.image_id = r.image_id "
        "WHERE r.job_id = ?1 AND r.state = 'reading' AND r.model_id = ?2 AND r.recipe_sha256 = ?3 "
        "AND (?4 IS NULL OR r.weights_sha256 = ?4) GROUP BY r.id",
        (context.job_id, context.model_id, context.recipe_sha256, weights_sha256),
    ).fetchone()
    return None if row is None else Unfinished(int(row[0]), float(row[1]), tuple(json.loads(row[2])))


def add_part(connection: Connection, seal: Seal, context: RunContext, part: NewPart) -> bool:
    """Keep a part. The first one begins a reading, and what another attempt had left unfinished goes.

    Returns:
        False if the job is not leased any more: another attempt reads this clip.

    Raises:
        StoreRefusedError: parts are missing before it.
    """
    if connection.execute("SELECT 1 FROM jobs WHERE id = ? AND state = 'leased'", (context.job_id,)).fetchone() is None:
        return False
    if part.ordinal == 0:
        _abandon(connection, context)
        reading_id, uuid = _begin(connection, context, part)
    else:
        reading_id, uuid = _go_on(connection, context, part)
    sealed = seal.close(part.content, _subject(uuid, part.ordinal), step_bytes=READING_STEP_BYTES)
    connection.execute(
        "INSERT INTO reading_parts (reading_id, ordinal, to_s, frames, sealed) VALUES (?, ?, ?, ?, ?)",
        (reading_id, part.ordinal, part.to_s, part.frames, sealed),
    )
    add_strip(connection, reading_id, part.ordinal, part.strip)
    connection.execute(
        "UPDATE readings SET frames = frames + ?, read_to_s = ?, wall_s = wall_s + ? WHERE id = ?",
        (part.frames, part.to_s, part.wall_s, reading_id),
    )
    _tell_faults(connection, context.image_id, part.faults)
    return True


def finish_reading(connection: Connection, context: RunContext, *, parts: int, faults: Sequence[str]) -> bool:
    """The clip was read as far as it can be: its reading is the current one, its job is done.

    Returns:
        False if the job is not leased any more.

    Raises:
        StoreRefusedError: not all of its parts were kept.
    """
    row = connection.execute(
        "SELECT r.id, r.uuid, (SELECT count(*) FROM reading_parts AS p WHERE p.reading_id = r.id) FROM readings AS r "
        "WHERE r.job_id = ? AND r.state = 'reading' ORDER BY r.id DESC LIMIT 1",
        (context.job_id,),
    ).fetchone()
    if row is None or row[2] != parts:
        raise StoreRefusedError(f"a clip was read in {parts} parts, and {0 if row is None else row[2]} of them are kept")
    if not finish_job(connection, context.job_id):
        return False
    connection.execute(
        "UPDATE readings SET is_current = 0 WHERE image_id = ? AND recipe = ? AND is_current = 1", (context.image_id, context.recipe)
    )
    connection.execute("UPDATE readings SET state = 'done', is_current = 1, finished_utc = ? WHERE id = ?", (utc_now(), row[0]))
    drop_old_strips(connection, context.image_id, context.recipe)
    _tell_faults(connection, context.image_id, faults)
    put_out(connection, "reading", row[1])
    return True


def open_parts(connection: Connection, seal: Seal, reading_id: int) -> Iterator[bytes]:
    """The parts of a reading in their order, packed, one at a time: an hour's are many.

    Raises:
        StoreError: the key that they were sealed with is not here, or one is damaged.
    """
    uuid = connection.execute("SELECT uuid FROM readings WHERE id = ?", (reading_id,)).fetchone()[0]
    rows = connection.execute("SELECT ordinal, sealed FROM reading_parts WHERE reading_id = ? ORDER BY ordinal", (reading_id,))
    for ordinal, sealed in rows:
        yield seal.open(sealed, _subject(uuid, ordinal))


def _begin(connection: Connection, context: RunContext, part: NewPart) -> tuple[int, str]:
    _describe_clip(connection, context.image_id, part.facts)
    uuid = uuid7()
    row = connection.execute(
        "INSERT INTO readings (uuid, image_id, job_id, recipe, recipe_sha256, model_id, weights_sha256, runtime, precision, "
        "software_version, score_threshold, rate_hz, state, began_utc) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 'reading', ?) "
        "RETURNING id",
        (
            uuid,
            context.image_id,
            context.job_id,
            context.recipe,
            context.recipe_sha256,
            context.model_id,
            part.model.sha256,
            part.model.runtime,
            part.model.precision,
            __version__,
            part.score_threshold,
            part.rate_hz,
            utc_now(),
        ),
    ).fetchone()
    return int(row[0]), uuid


def _go_on(connection: Connection, context: RunContext, part: NewPart) -> tuple[int, str]:
    row = connection.execute(
        "SELECT r.id, r.uuid, (SELECT count(*) FROM reading_parts AS p WHERE p.reading_id = r.id) FROM readings AS r "
        "WHERE r.job_id = ? AND r.state = 'reading' AND r.weights_sha256 = ? ORDER BY r.id DESC LIMIT 1",
        (context.job_id, part.model.sha256),
    ).fetchone()
    if row is None or row[2] != part.ordinal:
        raise StoreRefusedError(f"part {part.ordinal} of a clip came, and {0 if row is None else row[2]} parts are kept")
    return int(row[0]), str(row[1])


def _abandon(connection: Connection, context: RunContext) -> None:
    """What an earlier attempt left unfinished, by another model or from before a setting changed, will never be finished."""
    left = connection.execute(
        "SELECT id FROM readings WHERE image_id = ? AND recipe = ? AND state = 'reading'", (context.image_id, context.recipe)
    ).fetchall()
    connection.executemany("DELETE FROM reading_parts WHERE reading_id = ?", left)
    connection.executemany("DELETE FROM strip_tiles WHERE reading_id = ?", left)
    connection.executemany("UPDATE readings SET state = 'abandoned' WHERE id = ?", left)


def _describe_clip(connection: Connection, image_id: int, facts: ClipFacts) -> None:
    connection.execute(
        "INSERT INTO clips (image_id, container, codec, first_pts_s, duration_s, frame_rate_hz, is_interlaced, is_variable_rate, "
        "start_utc, start_local) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (image_id) DO NOTHING",
        (
            image_id,
            facts.container,
            facts.codec,
            facts.first_pts_s,
            facts.duration_s,
            facts.average_rate_hz,
            int(facts.is_interlaced),
            int(facts.is_variable_rate),
            facts.start_utc,
            facts.start_local,
        ),
    )
    connection.execute(
        "UPDATE images SET format = ?, width_px = ?, height_px = ? WHERE id = ?",
        (facts.container, facts.width_px, facts.height_px, image_id),
    )


def _tell_faults(connection: Connection, image_id: int, faults: Sequence[str]) -> None:
    connection.execute("UPDATE clips SET faults_json = ? WHERE image_id = ?", (json.dumps(list(faults)), image_id))


def _subject(reading_uuid: str, ordinal: int) -> str:
    return f"reading/{reading_uuid}/{ordinal}"
