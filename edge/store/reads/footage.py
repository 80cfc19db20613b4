"""The footage of tows: clips and stills that are attached, what was read of them, and what it came to."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

from edge.store.analyses import FoundMinute, SeenSecond
from edge.store.reads.typed import as_values
from edge.store.sqlite import Connection


class TowClipRow(NamedTuple):
    """A clip that is attached to a tow, with its current reading; the reading's columns are None while it has none.

    Attributes:
        name: of the newest file with this content.
        at_s: its first frame on the tow's clock; None if that is not known.
        faults_json: what was wrong on the way through it; "[]" for a sound one.
        codec, width_px, height_px, first_pts_s, start_utc, start_local: as `edge.footage.ClipFacts` has them; what tells the parts of a
            recording that a camera split.
        folder_id: where the newest file with this content lies.
        seen_json: [folder id, name] of every file that has or had this content.
        sha256: of the content: what a clip is known by, whatever its file is called.
    """

    image_id: int
    name: str
    at_s: float | None
    capture_time_utc: str | None
    camera_id: int | None
    duration_s: float | None
    faults_json: str
    reading_id: int | None
    reading_uuid: str | None
    model_id: int | None
    rate_hz: float | None
    frames: int | None
    read_to_s: float | None
    codec: str = ""
    width_px: int | None = None
    height_px: int | None = None
    first_pts_s: float = 0.0
    start_utc: str | None = None
    start_local: str | None = None
    folder_id: int | None = None
    sha256: str = ""
    score_threshold: float | None = None
    seen_json: str = "[]"


class TowStillRow(NamedTuple):
    """A still that is attached to a tow, with its current run; `run_id` is None while it has none."""

    image_id: int
    at_s: float | None
    capture_time_utc: str | None
    camera_id: int | None
    sha256: str
    width_px: int | None
    height_px: int | None
    run_id: int | None
    model_id: int | None
    score_threshold: float | None = None


class AnalysisRow(NamedTuple):
    """What the frames of a tow came to; see `tow_analyses`. `is_sealed`: the figures are None because people count the tow blind."""

    id: int
    uuid: str
    tow_id: int
    made_from_sha256: str
    made_from_json: str
    model_id: int | None
    model: str | None
    model_version: str | None
    tracker: str
    software_version: str
    state: str
    reason: str
    frames: int
    seen_s: float
    openings: float | None
    openings_sd: float | None
    systems: float | None
    systems_sd: float | None
    is_sealed: int
    made_utc: str


_NAME = "(SELECT s.name FROM sightings AS s WHERE s.image_id = a.image_id ORDER BY s.original = 'present' DESC, s.id DESC LIMIT 1)"
_FOLDER = "(SELECT s.folder_id FROM sightings AS s WHERE s.image_id = a.image_id ORDER BY s.original = 'present' DESC, s.id DESC LIMIT 1)"

_SEEN = "(SELECT json_group_array(json_array(s.folder_id, s.name)) FROM sightings AS s WHERE s.image_id = a.image_id)"


def clips_of_tow(connection: Connection, tow_id: int) -> tuple[TowClipRow, ...]:
    """The clips of a tow, in the order of their times."""
    rows = connection.execute(
        f"SELECT a.image_id, coalesce({_NAME}, i.sha256) AS name, a.at_s, i.capture_time_utc, a.camera_id, c.duration_s, c.faults_json, "
        "r.id AS reading_id, r.uuid AS reading_uuid, r.model_id, r.rate_hz, r.frames, r.read_to_s, c.codec, i.width_px, i.height_px, "
        f"c.first_pts_s, c.start_utc, c.start_local, {_FOLDER} AS folder_id, i.sha256, r.score_threshold, {_SEEN} AS seen_json "
        "FROM tow_images AS a JOIN images AS i ON i.id = a.image_id "
        "JOIN clips AS c ON c.image_id = a.image_id LEFT JOIN readings AS r ON r.image_id = a.image_id AND r.is_current = 1 "
        "WHERE a.tow_id = ? ORDER BY a.at_s, i.capture_time_utc, 2, a.image_id",
        (tow_id,),
    )
    return as_values(TowClipRow, rows)


def stills_of_tow(connection: Connection, tow_id: int) -> tuple[TowStillRow, ...]:
    """The stills of a tow, in the order of their times."""
    rows = connection.execute(
        "SELECT a.image_id, a.at_s, i.capture_time_utc, a.camera_id, i.sha256, i.width_px, i.height_px, r.id AS run_id, r.model_id, "
        "r.score_threshold "
        "FROM tow_images AS a JOIN images AS i ON i.id = a.image_id LEFT JOIN runs AS r ON r.image_id = a.image_id AND r.is_current = 1 "
        "AND r.recipe = 'burrows' WHERE a.tow_id = ? AND NOT EXISTS (SELECT 1 FROM clips AS c WHERE c.image_id = a.image_id) "
        "ORDER BY a.at_s, i.capture_time_utc, a.image_id",
        (tow_id,),
    )
    return as_values(TowStillRow, rows)


def unfinished_of_tow(connection: Connection, tow_id: int) -> int:
    """How many files of a tow still wait for their result."""
    row = connection.execute(
        "SELECT count(DISTINCT j.image_id) FROM tow_images AS a JOIN jobs AS j ON j.image_id = a.image_id "
        "WHERE a.tow_id = ? AND j.state IN ('queued', 'leased')",
        (tow_id,),
    ).fetchone()
    return int(row[0])


def tows_with_footage(connection: Connection) -> tuple[int, ...]:
    """Tows that have files attached, the newest first."""
    return tuple(row[0] for row in connection.execute("SELECT DISTINCT tow_id FROM tow_images ORDER BY tow_id DESC"))


_ANALYSIS = (
    "SELECT a.id, a.uuid, a.tow_id, a.made_from_sha256, a.made_from_json, a.model_id, m.name, m.version, a.tracker, a.software_version, "
    "a.state, a.reason, a.frames, a.seen_s, a.openings, a.openings_sd, a.systems, a.systems_sd, a.sealed IS NOT NULL, a.made_utc "
    "FROM tow_analyses AS a LEFT JOIN models AS m ON m.id = a.model_id "
)


def analysis_of_tow(connection: Connection, tow_id: int) -> AnalysisRow | None:
    """What the frames of a tow came to last; None if nobody has looked yet."""
    row = connection.execute(_ANALYSIS + "WHERE a.tow_id = ? AND a.is_current = 1", (tow_id,)).fetchone()
    return None if row is None else AnalysisRow._make(row)


def analysis_by_id(connection: Connection, analysis_id: int) -> AnalysisRow | None:
    """An analysis, also one that is not the current one of its tow; None if there is no such."""
    row = connection.execute(_ANALYSIS + "WHERE a.id = ?", (analysis_id,)).fetchone()
    return None if row is None else AnalysisRow._make(row)


def analysed_minutes(connection: Connection, analysis_id: int) -> tuple[FoundMinute, ...]:
    """The minutes of an analysis; none while it is sealed."""
    columns = ", ".join(FoundMinute._fields)
    return as_values(
        FoundMinute, connection.execute(f"SELECT {columns} FROM tow_minutes WHERE analysis_id = ? ORDER BY minute", (analysis_id,))
    )


def seconds_of(connection: Connection, analysis_id: int) -> tuple[SeenSecond, ...]:
    """The seconds of an analysis; none while it is sealed."""
    columns = ", ".join(SeenSecond._fields)
    return as_values(
        SeenSecond, connection.execute(f"SELECT {columns} FROM tow_seconds WHERE analysis_id = ? ORDER BY second", (analysis_id,))
    )


def footage_states(connection: Connection, tow_id: int | None = None) -> dict[int, tuple[int, ...]]:
    """Tow -> figures that change whenever its files or what was read of them change, at little cost; the newest tows first.

    Told by the newest row of its attachments, of the runs and readings of its files, and by what the clips lie by on the tow's clock:
    cameras, the end of line, and the files that have their content.
    """
    where, values = ("", ()) if tow_id is None else ("WHERE a.tow_id = ?", (tow_id,))
    rows = connection.execute(
        "SELECT a.tow_id, count(*), coalesce(max(r.id), 0), coalesce(max(c.id), 0), coalesce(sum(c.id), 0), "
        "CAST(coalesce(sum(a.at_s), 0) * 1000 AS INTEGER), coalesce(sum(a.camera_id), 0), "
        "(SELECT coalesce(CAST(strftime('%s', t.end_utc) AS INTEGER), 0) FROM tows AS t WHERE t.id = a.tow_id) FROM tow_images AS a "
        "LEFT JOIN runs AS r ON r.image_id = a.image_id AND r.is_current = 1 "
        f"LEFT JOIN readings AS c ON c.image_id = a.image_id AND c.is_current = 1 {where} GROUP BY a.tow_id ORDER BY a.tow_id DESC",
        values,
    )
    clips = connection.execute(
        "SELECT a.tow_id, coalesce(sum(a.image_id * a.camera_id), 0), coalesce(sum((SELECT sum(s.id * (1 + (s.original = 'present'))) "
        "FROM sightings AS s WHERE s.image_id = k.image_id)), 0) FROM clips AS k JOIN tow_images AS a ON a.image_id = k.image_id "
        f"{where} GROUP BY a.tow_id",
        values,
    )
    places = {row[0]: tuple(row[1:]) for row in clips}
    return {row[0]: (*row[1:], *places.get(row[0], ())) for row in rows}


def newest_protocol(connection: Connection) -> int:
    """The id of the newest version of any survey's rules; 0 if there is none."""
    return int(connection.execute("SELECT coalesce(max(id), 0) FROM protocols").fetchone()[0])


def path_of_image(connection: Connection, image_id: int) -> Path | None:
    """Where the bytes of an image lie: our own copy, else the newest original that is there; None if nowhere."""
    row = connection.execute(
        "SELECT i.copy_path, d.path_bytes, f.relative_path_bytes, s.name_bytes FROM images AS i LEFT JOIN sightings AS s ON s.id = "
        "(SELECT n.id FROM sightings AS n WHERE n.image_id = i.id AND n.original = 'present' ORDER BY n.id DESC LIMIT 1) "
        "LEFT JOIN folders AS f ON f.id = s.folder_id LEFT JOIN roots AS d ON d.id = f.root_id WHERE i.id = ?",
        (image_id,),
    ).fetchone()
    if row is None or (row[0] is None and row[3] is None):
        return None
    return Path(row[0]) if row[0] is not None else Path(os.fsdecode(os.path.join(row[1], row[2], row[3])))


def label_indexes(connection: Connection) -> dict[int, int]:
    """Id of every label -> its index among those of its model."""
    return {row[0]: row[1] for row in connection.execute("SELECT id, label_index FROM labels")}


class ClipFactsRow(NamedTuple):
    """A clip of a tow as its page shows it; `read_to_s` is how far it is read, of a reading that still goes on too.

    Attributes:
        state: of the newest reading, None where there is none; `job`: of the newest job.
    """

    image_id: int
    name: str
    at_s: float | None
    container: str
    codec: str
    width_px: int | None
    height_px: int | None
    duration_s: float | None
    frame_rate_hz: float | None
    is_interlaced: int
    is_variable_rate: int
    faults_json: str
    state: str | None
    rate_hz: float | None
    frames: int | None
    read_to_s: float | None
    job: str | None


def clip_facts_of_tow(connection: Connection, tow_id: int) -> tuple[ClipFactsRow, ...]:
    """The clips of a tow with what is known of each, in the order of their times."""
    rows = connection.execute(
        f"SELECT a.image_id, coalesce({_NAME}, i.sha256) AS name, a.at_s, c.container, c.codec, i.width_px, i.height_px, c.duration_s, "
        "c.frame_rate_hz, c.is_interlaced, c.is_variable_rate, c.faults_json, r.state, r.rate_hz, r.frames, r.read_to_s, "
        "(SELECT j.state FROM jobs AS j WHERE j.image_id = a.image_id ORDER BY j.id DESC LIMIT 1) AS job "
        "FROM tow_images AS a JOIN images AS i ON i.id = a.image_id JOIN clips AS c ON c.image_id = a.image_id "
        "LEFT JOIN readings AS r ON r.id = (SELECT n.id FROM readings AS n WHERE n.image_id = a.image_id AND n.state <> 'abandoned' "
        "ORDER BY n.is_current DESC, n.id DESC LIMIT 1) WHERE a.tow_id = ? ORDER BY a.at_s, i.capture_time_utc, 2, a.image_id",
        (tow_id,),
    )
    return as_values(ClipFactsRow, rows)


class ClipFileRow(NamedTuple):
    """A clip as its file's page tells of it; `frames` were looked at so far, `station` is that of the tow that it is attached to."""

    container: str
    codec: str
    duration_s: float | None
    frame_rate_hz: float | None
    is_interlaced: int
    is_variable_rate: int
    faults_json: str
    frames: int | None
    is_read: int
    tow_id: int | None
    station_id: int | None
    station: str | None


def clip_of_content(connection: Connection, sha256: str) -> ClipFileRow | None:
    """What is known of a content that is a clip; None if it is none, or nobody has opened it yet."""
    row = connection.execute(
        "SELECT c.container, c.codec, c.duration_s, c.frame_rate_hz, c.is_interlaced, c.is_variable_rate, c.faults_json, r.frames, "
        "coalesce(r.state = 'done', 0), t.id, s.id, s.name FROM images AS i JOIN clips AS c ON c.image_id = i.id "
        "LEFT JOIN readings AS r ON r.id = (SELECT max(n.id) FROM readings AS n WHERE n.image_id = i.id AND n.state <> 'abandoned') "
        "LEFT JOIN tow_images AS a ON a.image_id = i.id LEFT JOIN tows AS t ON t.id = a.tow_id "
        "LEFT JOIN stations AS s ON s.id = t.station_id WHERE i.sha256 = ?",
        (sha256,),
    ).fetchone()
    return None if row is None else ClipFileRow._make(row)
