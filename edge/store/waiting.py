"""Files that wait for a station: what a model finds on them is sealed from the start where the home keeps blind surveys (decision 0033).

A file waits while it belongs to no tow that people can count; in such a tow, that tow says what is blind. One that leaves it before its
reveal waits again: that reveal opens nothing of it. One that comes to a tow whose counts were shown before it came goes on waiting, or a
file could be shown by lending it to such a tow. An administrator ends the waiting, with a reason: of the late files of a tow, or of a
folder whose files belong to no survey. What was seen is not unseen: a file with a result that anybody could read does not wait, and when
it becomes part of a blind tow `seen_files` remembers it.

Functions take the writer's connection, inside the writer's transaction, unless they only read.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from typing import NamedTuple

from edge.store import audit
from edge.store.clock import utc_now, uuid7
from edge.store.facts import get_fact, put_fact
from edge.store.sqlite import Connection

COUNTED_RECIPE = "burrows"  # what people count; what other recipes find tells no counter anything
TO_OPEN = "folders_to_open"  # a fact: sealed results of a folder that belongs to no survey are still to be opened

_SEPARATOR = f"x'{os.fsencode(os.sep).hex()}'"
_HAS_RULES = "SELECT 1 FROM stations AS of JOIN protocols AS by_rules ON by_rules.survey_id = of.survey_id WHERE of.id = to_tow.station_id"
_BELOW = f"""top.root_id = of_file.root_id AND (top.relative_path_bytes IN (x'', of_file.relative_path_bytes)
                OR substr(of_file.relative_path_bytes, 1, length(top.relative_path_bytes)) = top.relative_path_bytes
                    AND substr(of_file.relative_path_bytes, length(top.relative_path_bytes) + 1, 1) = {_SEPARATOR})"""
# Every place that the file was seen in has to be declared: a second copy of it in such a folder opens nothing.
_DECLARED = f"""
    EXISTS (SELECT 1 FROM folders_of_no_survey) AND EXISTS (SELECT 1 FROM sightings AS seen_at WHERE seen_at.image_id = {{image}})
    AND NOT EXISTS (SELECT 1 FROM sightings AS seen_at JOIN folders AS of_file ON of_file.id = seen_at.folder_id
        WHERE seen_at.image_id = {{image}} AND NOT EXISTS (SELECT 1 FROM folders_of_no_survey AS freed JOIN folders AS top
            ON top.id = freed.folder_id WHERE {_BELOW}))
"""


def image_waits(image: str) -> str:
    """A condition in SQL: the image waits for a station. `image`: its id, as the query has it."""
    return f"""(
        EXISTS (SELECT 1 FROM protocols)
        AND NOT EXISTS (SELECT 1 FROM runs AS shown WHERE shown.image_id = {image} AND shown.recipe = '{COUNTED_RECIPE}'
            AND shown.object_count IS NOT NULL)
        AND NOT EXISTS (SELECT 1 FROM tow_images AS now_in JOIN tows AS to_tow ON to_tow.id = now_in.tow_id
            WHERE now_in.image_id = {image} AND now_in.is_late = 0 AND (EXISTS ({_HAS_RULES}) OR EXISTS
            (SELECT 1 FROM tow_analyses AS told WHERE told.tow_id = to_tow.id AND told.state = 'done' AND told.sealed IS NULL)))
        AND NOT ({_DECLARED.format(image=image)}))"""


def has_rules(connection: Connection) -> bool:
    """Whether files wait at all: some survey of this home folder has a protocol."""
    return connection.execute("SELECT 1 FROM protocols LIMIT 1").fetchone() is not None


def waits(connection: Connection, image_id: int) -> bool:
    """Whether an image waits for a station."""
    return connection.execute(f"SELECT 1 WHERE {image_waits('?1')}", (image_id,)).fetchone() is not None


def late_files(connection: Connection, tow_id: int) -> int:
    """How many files of a tow came after its counts were shown and wait for that: what is found on them is sealed."""
    row = connection.execute(
        f"SELECT count(*) FROM tow_images AS a WHERE a.tow_id = ? AND a.is_late = 1 AND {image_waits('a.image_id')}", (tow_id,)
    ).fetchone()
    return int(row[0])


class SeenBefore(NamedTuple):
    """How many files of a tow had results that anybody could read, and until when the last of them."""

    files: int
    until_utc: str


def seen_before(connection: Connection, tow_id: int) -> SeenBefore | None:
    """What of a tow could be read before it was blind; None if nothing."""
    row = connection.execute(
        "SELECT count(*), max(s.until_utc) FROM seen_files AS s JOIN tow_images AS a ON a.image_id = s.image_id WHERE a.tow_id = ?",
        (tow_id,),
    ).fetchone()
    return SeenBefore(*row) if row[0] else None


def tows_seen_before(connection: Connection, survey_id: int) -> list[int]:
    """Tows of a survey that nobody counts, with files whose results could be read before."""
    rows = connection.execute(
        "SELECT DISTINCT t.id FROM seen_files AS s JOIN tow_images AS a ON a.image_id = s.image_id JOIN tows AS t ON t.id = a.tow_id "
        "JOIN stations AS e ON e.id = t.station_id WHERE e.survey_id = ? AND NOT EXISTS (SELECT 1 FROM counts AS c "
        "WHERE c.tow_id = t.id AND (c.state <> 'set_aside' OR c.revealed_utc IS NOT NULL)) "
        "AND NOT EXISTS (SELECT 1 FROM releases AS r WHERE r.tow_id = t.id) ORDER BY t.id",
        (survey_id,),
    )
    return [row[0] for row in rows]


def note_seen(connection: Connection, tow_id: int) -> bool:
    """A tow becomes blind: what could be read of its files so far is remembered. Returns whether there was something new."""
    before = connection.total_changes
    connection.execute(
        "INSERT OR IGNORE INTO seen_files (image_id, until_utc) SELECT a.image_id, ?1 FROM tow_images AS a WHERE a.tow_id = ?2 AND ("
        "EXISTS (SELECT 1 FROM runs AS r WHERE r.image_id = a.image_id AND r.recipe = ?3 AND r.object_count IS NOT NULL) OR EXISTS "
        "(SELECT 1 FROM tow_analyses AS t WHERE t.tow_id = ?2 AND t.state = 'done' AND t.sealed IS NULL AND NOT EXISTS "
        "(SELECT 1 FROM count_rounds AS k WHERE k.tow_id = ?2 AND k.begun_utc >= t.made_utc)))",  # a round says it
        (utc_now(), tow_id, COUNTED_RECIPE),
    )
    return connection.total_changes > before


def note_seen_footage(connection: Connection, image_ids: Sequence[int], *, but: int | None) -> None:
    """Images are about to leave their tows (all but one): what anybody could read of a tow's footage was of these too."""
    connection.execute(
        "INSERT OR IGNORE INTO seen_files (image_id, until_utc) SELECT a.image_id, ? FROM tow_images AS a "
        "JOIN clips AS c ON c.image_id = a.image_id WHERE a.image_id IN (SELECT value FROM json_each(?)) AND a.tow_id IS NOT ? AND EXISTS "
        "(SELECT 1 FROM tow_analyses AS t WHERE t.tow_id = a.tow_id AND t.state = 'done' AND t.sealed IS NULL)",
        (utc_now(), json.dumps(list(image_ids)), but),
    )


def forget_seen(connection: Connection, tow_id: int) -> None:
    """A new round counts a tow as if for the first time; the round says that it was seen."""
    connection.execute("DELETE FROM seen_files WHERE image_id IN (SELECT image_id FROM tow_images WHERE tow_id = ?)", (tow_id,))


class FreedFolder(NamedTuple):
    """A folder whose files belong to no survey, and who said so."""

    folder_id: int
    folder: str
    reason: str
    declared_by: str
    declared_utc: str


def freed_folders(connection: Connection) -> tuple[FreedFolder, ...]:
    """The folders whose files belong to no survey, the newest declaration first."""
    rows = connection.execute(
        "SELECT d.folder_id, r.path || CASE f.relative_path WHEN '' THEN '' ELSE '/' || f.relative_path END, d.reason, d.declared_by, "
        "d.declared_utc FROM folders_of_no_survey AS d JOIN folders AS f ON f.id = d.folder_id JOIN roots AS r ON r.id = f.root_id "
        "ORDER BY d.declared_utc DESC, d.folder_id DESC"
    )
    return tuple(FreedFolder(*row) for row in rows.fetchall())


def free_folder(connection: Connection, folder_id: int, reason: str, *, actor: str) -> bool:
    """Let what models find in a folder, and below it, be seen: its files belong to no survey. Returns False if there is no such folder.

    What is sealed of them already is opened afterwards, some at a time: the fact `TO_OPEN` says that it is still to be done.
    """
    if connection.execute("SELECT 1 FROM folders WHERE id = ?", (folder_id,)).fetchone() is None:
        return False
    connection.execute(
        "INSERT INTO folders_of_no_survey (folder_id, reason, declared_by, declared_utc) VALUES (?, ?, ?, ?) "
        "ON CONFLICT (folder_id) DO UPDATE SET reason = excluded.reason, declared_by = excluded.declared_by, "
        "declared_utc = excluded.declared_utc",
        (folder_id, reason, actor, utc_now()),
    )
    put_fact(connection, TO_OPEN, uuid7())  # of its own, or who ends the opening of an earlier one forgets this
    audit.append(connection, actor, "folder_of_no_survey", f"folder/{folder_id}", {"reason": reason})
    return True


def note_opened(connection: Connection, asked: str) -> None:
    """What was asked for is open; another folder that was freed meanwhile is still to be opened."""
    connection.execute("DELETE FROM facts WHERE name = ? AND value = ?", (TO_OPEN, asked))


def take_folder_back(connection: Connection, folder_id: int, reason: str, *, actor: str) -> bool:
    """What is found in a folder from now on is sealed again; what was shown stays so. Returns False if it was not declared."""
    cursor = connection.execute("DELETE FROM folders_of_no_survey WHERE folder_id = ?", (folder_id,))
    if cursor.rowcount:
        audit.append(connection, actor, "folder_of_survey_again", f"folder/{folder_id}", {"reason": reason})
    return bool(cursor.rowcount)


def is_opening(connection: Connection) -> bool:
    """Whether what is sealed of a freed folder is still to be opened."""
    return get_fact(connection, TO_OPEN) is not None


def images_to_open(connection: Connection) -> list[int]:
    """Images in freed folders and below them, in order, with a result that is sealed without a tow."""
    rows = connection.execute(
        "SELECT DISTINCT s.image_id FROM folders_of_no_survey AS freed CROSS JOIN folders AS top ON top.id = freed.folder_id "
        f"CROSS JOIN folders AS of_file ON {_BELOW} CROSS JOIN sightings AS s ON s.folder_id = of_file.id "
        "CROSS JOIN runs AS r ON r.image_id = s.image_id CROSS JOIN sealed_runs AS z ON z.run_id = r.id "
        "WHERE z.tow_id IS NULL ORDER BY s.image_id"
    )
    return [row[0] for row in rows]
