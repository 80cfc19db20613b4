"""What a model found on the images of a tow, sealed until the tow's counts are signed.

The rows of `objects` go into one blob per run and the run's counts become NULL; at the reveal they come back bit for bit. Sealing
is repeatable: a run that is sealed already, or that belongs to no blind tow, is left alone. An image that leaves a blind tow stays
as blind as that tow is (decision 0024): nobody sees what is on a tow by having its files belong to another, or to none. What is found
on files that wait for a station is sealed without a tow (`edge.store.waiting`), and goes with them to the tow that they come to.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import structlog

from edge.errors import StoreError
from edge.store import audit
from edge.store.analyses import open_analyses, seal_analyses
from edge.store.blindness import BLIND_TOWS, image_is_blind
from edge.store.clock import utc_now
from edge.store.facts import get_fact, put_fact
from edge.store.outbox import hold_back, let_out, let_out_rows
from edge.store.reads.ashore_blind import shown_again
from edge.store.seal import RUN_STEP_BYTES, Seal
from edge.store.sealed_decisions import open_decisions, seal_decisions
from edge.store.sqlite import Connection
from edge.store.waiting import forget_seen, image_waits, note_seen, note_seen_footage

log = structlog.get_logger()

LOG_HOLDS_SEALED = "log_holds_sealed_utc"  # a fact: since when the database's log may hold what was sealed
COUNTED_BLIND = "people count its station blind; compare it after their signatures"
# A fixed length for each object: the seal's steps of 8 KiB then hold 127 of them, and most stills look alike from outside.
_HEAD = struct.Struct("<qq")  # objects that count, candidates below the threshold
_OBJECT = struct.Struct("<qqqddddd")  # id (0: it never had one), ordinal, label, score, box

FoundObject = tuple[int, int, int, float, float, float, float, float]
"""id (0: it has none yet), ordinal, label_id, score, x_min_px, y_min_px, x_max_px, y_max_px."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundRun:
    """What one run found: how many objects count, how many are candidates, and all of them."""

    counted: int
    candidates: int
    objects: Sequence[FoundObject]


@dataclass(frozen=True, slots=True, kw_only=True)
class SealedTow:
    """A tow whose model results nobody may see yet."""

    tow_id: int
    station_id: int
    station: str


def seal_tow(connection: Connection, seal: Seal, tow_id: int, *, again: bool = False) -> int:
    """Seal what models found on the images attached to a tow, if the tow is blind. Returns how many runs were sealed now.

    What could be read until now is remembered, and counts of the tow are not blind; unless it is sealed `again`, for a new round.
    """
    if not is_blind(connection, tow_id):
        return 0
    if again:
        forget_seen(connection, tow_id)
    elif note_seen(connection, tow_id):
        _mark_open_counts(connection, tow_id)
    _no_longer_late(connection, tow_id)
    connection.execute(
        "UPDATE sealed_runs SET tow_id = ?1 WHERE tow_id IS NULL AND run_id IN "
        "(SELECT r.id FROM tow_images AS a JOIN runs AS r ON r.image_id = a.image_id WHERE a.tow_id = ?1)",
        (tow_id,),
    )
    seal_decisions(connection, seal, tow_id, fact=LOG_HOLDS_SEALED)
    runs = connection.execute(
        "SELECT r.id, r.object_count, r.candidate_count FROM tow_images AS a JOIN runs AS r ON r.image_id = a.image_id "
        "WHERE a.tow_id = ? AND r.object_count IS NOT NULL ORDER BY r.id",
        (tow_id,),
    ).fetchall()
    for run_id, counted, candidates in runs:
        objects = connection.execute(
            "SELECT id, ordinal, label_id, score, x_min_px, y_min_px, x_max_px, y_max_px FROM objects WHERE run_id = ? ORDER BY ordinal",
            (run_id,),
        )
        found = FoundRun(counted=counted, candidates=candidates, objects=[tuple(one) for one in objects.fetchall()])
        seal_run(connection, seal, tow_id, run_id, found)
    _wipe_comparisons(connection, tow_id)
    _wipe(connection, [run_id for run_id, *_ in runs])
    if seal_analyses(connection, seal, tow_id):
        put_fact(connection, LOG_HOLDS_SEALED, utc_now())
    return len(runs)


def seal_survey(connection: Connection, seal: Seal, survey_id: int) -> int:
    """Seal every tow of a survey: called where its first protocol comes into force. Returns how many runs were sealed now."""
    tows = connection.execute(
        "SELECT t.id FROM tows AS t JOIN stations AS s ON s.id = t.station_id WHERE s.survey_id = ?", (survey_id,)
    ).fetchall()
    return sum(seal_tow(connection, seal, tow_id) for (tow_id,) in tows)


def _mark_open_counts(connection: Connection, tow_id: int) -> None:
    """Whoever counts the tow at the moment may know what was found on the files that it got just now."""
    why = f"what models found on files of the tow could be read before they were attached to it on {utc_now()[:10]}"
    connection.execute("UPDATE counts SET not_blind = ? WHERE tow_id = ? AND state = 'open' AND not_blind = ''", (why, tow_id))


def seal_run(connection: Connection, seal: Seal, tow_id: int | None, run_id: int, found: FoundRun) -> None:
    """Keep what a run of a blind tow, or of a file that waits for one (None), found, sealed. Its row in `runs` must not tell the counts."""
    content = _HEAD.pack(found.counted, found.candidates) + b"".join(_OBJECT.pack(*one) for one in found.objects)
    uuid = _uuid_of(connection, run_id)
    sealed = seal.close(content, _subject(uuid), step_bytes=RUN_STEP_BYTES)
    connection.execute(
        "INSERT INTO sealed_runs (run_id, tow_id, sealed, sealed_utc) VALUES (?, ?, ?, ?)", (run_id, tow_id, sealed, utc_now())
    )
    hold_back(connection, "run", uuid)


def open_tow(connection: Connection, seal: Seal, tow_id: int) -> int:
    """Bring back what was sealed of a tow's images. Returns how many runs came back.

    What belongs to another tow that is still blind stays sealed with that one, and what waits for its own station with none: a file that
    was lent to this tow is not shown by its reveal. Where a key is not here the run stays sealed, and holds nothing up. An object has
    its own id again, unless it never had one or another object got that number meanwhile.
    """
    rows = connection.execute(
        f"SELECT z.run_id, z.sealed, r.image_id, {image_waits('r.image_id')} FROM sealed_runs AS z "
        "JOIN runs AS r ON r.id = z.run_id WHERE z.tow_id = ?1 "
        "OR r.image_id IN (SELECT image_id FROM former_tows WHERE tow_id = ?1) ORDER BY z.run_id",
        (tow_id,),
    ).fetchall()
    opened = 0
    for run_id, sealed, image_id, its_image_waits in rows:
        other = blind_tow_of_image(connection, image_id, besides=tow_id)
        if other is not None or its_image_waits:
            connection.execute("UPDATE sealed_runs SET tow_id = ? WHERE run_id = ?", (other and other.tow_id, run_id))
        elif _open_run(connection, seal, run_id, sealed):
            opened += 1
    open_decisions(connection, seal, sorted({row[2] for row in rows}))
    took_files = connection.execute(
        "SELECT DISTINCT a.tow_id FROM former_tows AS f JOIN tow_images AS a ON a.image_id = f.image_id WHERE f.tow_id = ?", (tow_id,)
    ).fetchall()
    for whose in {tow_id, *(row[0] for row in took_files)}:
        if not _waits_for(connection, whose, besides=tow_id):
            open_analyses(connection, seal, whose)
    let_out_rows(connection, shown_again(connection))
    return opened


def open_images(connection: Connection, seal: Seal, image_ids: Sequence[int]) -> int:
    """Bring back what is sealed of images that are not blind any more. Returns how many runs came back."""
    rows = connection.execute(
        "SELECT z.run_id, z.sealed, r.image_id FROM runs AS r JOIN sealed_runs AS z ON z.run_id = r.id "
        f"WHERE r.image_id IN (SELECT value FROM json_each(?)) AND NOT {image_is_blind('r.image_id')} ORDER BY z.run_id",
        (json.dumps(list(image_ids)),),
    ).fetchall()
    opened = sum(_open_run(connection, seal, run_id, sealed) for run_id, sealed, _ in rows)
    open_decisions(connection, seal, sorted({row[2] for row in rows}))
    let_out_rows(connection, shown_again(connection))
    return opened


def open_analyses_of_free_tows(connection: Connection, seal: Seal) -> int:
    """Bring back analyses of tows none of whose files is blind any more, such as those of a freed folder. Returns how many."""
    tows = [row[0] for row in connection.execute("SELECT DISTINCT tow_id FROM tow_analyses WHERE sealed IS NOT NULL ORDER BY tow_id")]
    return sum(open_analyses(connection, seal, tow_id) for tow_id in tows if not holds_blind_files(connection, tow_id))


def open_late(connection: Connection, seal: Seal, tow_id: int, reason: str, *, actor: str) -> int:
    """Let what models found be seen on files that came to a tow after its counts were shown. Returns how many runs came back."""
    late = [row[0] for row in connection.execute("SELECT image_id FROM tow_images WHERE tow_id = ? AND is_late = 1", (tow_id,))]
    _no_longer_late(connection, tow_id)
    runs = open_images(connection, seal, late)
    if not _waits_for(connection, tow_id, besides=0):
        open_analyses(connection, seal, tow_id)
    audit.append(connection, actor, "late_files_release", f"tow/{tow_id}", {"reason": reason, "model_results": runs})
    return runs


def _no_longer_late(connection: Connection, tow_id: int) -> None:
    connection.execute("UPDATE tow_images SET is_late = 0 WHERE tow_id = ? AND is_late = 1", (tow_id,))


def _open_run(connection: Connection, seal: Seal, run_id: int, sealed: bytes) -> bool:
    uuid = _uuid_of(connection, run_id)
    try:
        found = _unpacked(seal.open(sealed, _subject(uuid)))
    except StoreError as error:
        log.warning("seal_does_not_open", run_id=run_id, reason=str(error))
        return False
    connection.executemany(
        "INSERT INTO objects (id, run_id, ordinal, label_id, score, x_min_px, y_min_px, x_max_px, y_max_px) "
        "VALUES (CASE WHEN ?1 = 0 OR EXISTS (SELECT 1 FROM objects WHERE id = ?1) THEN NULL ELSE ?1 END, "
        "?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
        [(one[0], run_id, *one[1:]) for one in found.objects],
    )
    connection.execute("UPDATE runs SET object_count = ?, candidate_count = ? WHERE id = ?", (found.counted, found.candidates, run_id))
    connection.execute("DELETE FROM sealed_runs WHERE run_id = ?", (run_id,))
    let_out(connection, "run", uuid)
    return True


def release_tow(connection: Connection, seal: Seal, tow_id: int, reason: str, *, actor: str) -> int:
    """Let what models found on a tow be seen although nobody signed a count of it. Returns how many runs came back.

    Whoever counts the tow afterwards does not count it blind, and each of those counts says so.
    """
    connection.execute(
        "INSERT INTO releases (tow_id, reason, released_by, released_utc) VALUES (?, ?, ?, ?)", (tow_id, reason, actor, utc_now())
    )
    runs = open_tow(connection, seal, tow_id)
    audit.append(connection, actor, "results_release", f"tow/{tow_id}", {"reason": reason, "model_results": runs})
    return runs


class ReleaseRow(NamedTuple):
    """Why and by whom what models found on a tow was released."""

    reason: str
    released_by: str
    released_utc: str


def release_of(connection: Connection, tow_id: int) -> ReleaseRow | None:
    """The release of a tow, or None."""
    row = connection.execute("SELECT reason, released_by, released_utc FROM releases WHERE tow_id = ?", (tow_id,)).fetchone()
    return None if row is None else ReleaseRow(*row)


def holds_blind_files(connection: Connection, tow_id: int) -> bool:
    """Whether a tow, or one that a file of it came from, is blind: what is found along it has to stay sealed then."""
    return _waits_for(connection, tow_id, besides=0)


def _waits_for(connection: Connection, tow_id: int, *, besides: int) -> bool:
    query = f"SELECT 1 FROM tow_images AS a WHERE a.tow_id = ? AND {image_is_blind('a.image_id', besides)} LIMIT 1"
    is_so = tow_id != besides and is_blind(connection, tow_id)
    return is_so or connection.execute(query, (tow_id,)).fetchone() is not None


def remember_tows(connection: Connection, image_ids: Sequence[int], *, but: int | None = None) -> None:
    """Images are about to leave their tows (all but one): they stay blind as long as those are."""
    note_seen_footage(connection, image_ids, but=but)
    connection.execute(
        "INSERT OR IGNORE INTO former_tows (image_id, tow_id, left_utc) SELECT image_id, tow_id, ? FROM tow_images "
        f"WHERE image_id IN (SELECT value FROM json_each(?)) AND tow_id IS NOT ? AND tow_id IN ({BLIND_TOWS})",
        (utc_now(), json.dumps(list(image_ids)), but),
    )


def follow_seals(connection: Connection, image_ids: Sequence[int], tow_id: int) -> None:
    """What is sealed of images goes with them to another blind tow: it opens when neither that one nor one they left is blind."""
    connection.execute(
        "UPDATE sealed_runs SET tow_id = ? WHERE tow_id IS NOT ? AND run_id IN "
        "(SELECT id FROM runs WHERE image_id IN (SELECT value FROM json_each(?)))",
        (tow_id, tow_id, json.dumps(list(image_ids))),
    )


def counted_objects(connection: Connection, seal: Seal, run_ids: Sequence[int]) -> dict[int, list[FoundObject]]:
    """The objects at or above its threshold of each run, sealed or not; for whoever works under the seal, never for a page.

    Raises:
        StoreError: a seal does not open.
    """
    found: dict[int, list[FoundObject]] = {run_id: [] for run_id in run_ids}
    chosen = json.dumps(list(run_ids))
    rows = connection.execute(
        "SELECT o.run_id, o.id, o.ordinal, o.label_id, o.score, o.x_min_px, o.y_min_px, o.x_max_px, o.y_max_px FROM objects AS o "
        "JOIN runs AS r ON r.id = o.run_id WHERE o.run_id IN (SELECT value FROM json_each(?)) AND o.score >= r.score_threshold",
        (chosen,),
    )
    for run_id, *one in rows:
        found[run_id].append(tuple(one))
    sealed = connection.execute(
        "SELECT z.run_id, r.uuid, r.score_threshold, z.sealed FROM sealed_runs AS z JOIN runs AS r ON r.id = z.run_id "
        "WHERE z.run_id IN (SELECT value FROM json_each(?))",
        (chosen,),
    )
    for run_id, uuid, threshold, blob in sealed:
        found[run_id] = [one for one in _unpacked(seal.open(blob, _subject(uuid))).objects if one[3] >= threshold]
    return found


def is_blind(connection: Connection, tow_id: int) -> bool:
    """Whether what is known of a tow's burrows has to stay sealed."""
    return connection.execute(f"SELECT 1 WHERE ? IN ({BLIND_TOWS})", (tow_id,)).fetchone() is not None


def is_shown(connection: Connection, tow_id: int) -> bool:
    """Whether what models found on a tow may be seen by everybody, so that a file that comes to it now would be shown with it."""
    row = connection.execute(
        "SELECT 1 FROM tows AS t JOIN stations AS s ON s.id = t.station_id WHERE t.id = ?1 AND (EXISTS (SELECT 1 FROM protocols AS p "
        "WHERE p.survey_id = s.survey_id) OR EXISTS (SELECT 1 FROM tow_analyses AS a WHERE a.tow_id = ?1 AND a.state = 'done' "
        f"AND a.sealed IS NULL)) AND t.id NOT IN ({BLIND_TOWS})",
        (tow_id,),
    ).fetchone()
    return row is not None


def blind_tow_of_image(connection: Connection, image_id: int, *, besides: int | None = None) -> SealedTow | None:
    """The blind tow that an image belongs to, or one that it left; None: what was found on it may be shown, unless it waits for one.

    `besides`: a tow that is not asked about.
    """
    row = connection.execute(
        "SELECT t.id, s.id, s.name FROM (SELECT tow_id, 0 AS place FROM tow_images WHERE image_id = ?1 "
        "UNION ALL SELECT tow_id, 1 FROM former_tows WHERE image_id = ?1) AS a "
        "JOIN tows AS t ON t.id = a.tow_id JOIN stations AS s ON s.id = t.station_id "
        f"WHERE t.id IS NOT ?2 AND t.id IN ({BLIND_TOWS}) ORDER BY a.place, t.id LIMIT 1",
        (image_id, besides),
    ).fetchone()
    return None if row is None else SealedTow(tow_id=row[0], station_id=row[1], station=row[2])


def _wipe(connection: Connection, run_ids: list[int]) -> None:
    """Leave nothing of what was sealed in the pages of the database.

    Every value is first overwritten where it stands (a value of the same length stays in its place), all of them before the first
    row goes: pages that empty are merged, and a merge leaves copies of rows behind in what it frees. The log of the database keeps
    the pages as they were until it is emptied: `empty_log`.
    """
    if not run_ids:
        return
    chosen = json.dumps(run_ids)
    here = "run_id IN (SELECT value FROM json_each(?))"
    connection.execute(
        f"UPDATE objects SET score = 0.5, x_min_px = 0.5, y_min_px = 0.5, x_max_px = 0.5, y_max_px = 0.5 WHERE {here}", (chosen,)
    )
    connection.execute(f"DELETE FROM objects WHERE {here}", (chosen,))
    connection.execute(
        "UPDATE runs SET object_count = NULL, candidate_count = NULL WHERE id IN (SELECT value FROM json_each(?))", (chosen,)
    )
    put_fact(connection, LOG_HOLDS_SEALED, utc_now())


def _wipe_comparisons(connection: Connection, tow_id: int) -> None:
    """A comparison of two models is no result of record: what it shows of these images goes, and can be made again later."""
    connection.execute(
        "UPDATE comparison_files SET state = 'failed', detail = ?, a_count = NULL, b_count = NULL, matched = NULL, only_a = NULL, "
        "only_b = NULL, a_infer_ms = NULL, b_infer_ms = NULL, boxes_json = NULL WHERE state <> 'waiting' AND sighting_id IN "
        "(SELECT s.id FROM tow_images AS a JOIN sightings AS s ON s.image_id = a.image_id WHERE a.tow_id = ?)",
        (COUNTED_BLIND, tow_id),
    )


def empty_log(connection: Connection) -> bool:
    """Empty the database's log if pages from before a sealing stand in it; outside of any transaction.

    Returns:
        False if a reader still needs it: try again soon.
    """
    if get_fact(connection, LOG_HOLDS_SEALED) is None:
        return True
    (busy, *_) = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    if busy:
        return False
    connection.execute("DELETE FROM facts WHERE name = ?", (LOG_HOLDS_SEALED,))
    return True


def _unpacked(content: bytes) -> FoundRun:
    counted, candidates = _HEAD.unpack_from(content)
    return FoundRun(counted=counted, candidates=candidates, objects=list(_OBJECT.iter_unpack(content[_HEAD.size :])))


def _uuid_of(connection: Connection, run_id: int) -> str:
    return str(connection.execute("SELECT uuid FROM runs WHERE id = ?", (run_id,)).fetchone()[0])


def _subject(run_uuid: str) -> str:
    return f"run/{run_uuid}"
