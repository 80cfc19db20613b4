"""What the frames of a tow came to: its openings, systems, minutes and seconds; sealed while people count the tow blind.

A sealed analysis is one blob in the row of the analysis, whose figures are NULL; at the reveal its rows come out of it. Functions
take the writer's connection, inside the writer's transaction.
"""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, Literal, NamedTuple

import structlog

from edge import __version__
from edge.errors import StoreError
from edge.store.clock import utc_now, uuid7
from edge.store.outbox import hold_back, let_out, put_out
from edge.store.seal import READING_STEP_BYTES, Seal
from edge.store.sqlite import Connection

log = structlog.get_logger()

AnalysisState = Literal["done", "refused", "failed"]


class FoundSystem(NamedTuple):
    """Openings that are proposed to be one burrow system; see `tow_systems`."""

    ordinal: int
    crossing_s: float | None
    openings: int
    confidence: float


class FoundOpening(NamedTuple):
    """A unique opening; see `tow_openings`. `system` is the ordinal of its system; `boxes` are packed as the schema says."""

    ordinal: int
    system: int | None
    first_s: float
    last_s: float
    crossing_s: float | None
    along_px: float
    across_px: float
    along_sd_px: float
    along_m: float | None
    across_m: float | None
    score: float
    confidence: float
    frames: int
    missed: int
    is_extrapolated: int
    label_index: int
    boxes: bytes


class FoundMinute(NamedTuple):
    """What crossed the line in a minute; see `tow_minutes`."""

    minute: int
    openings: float
    openings_sd: float
    systems: float
    systems_sd: float
    hidden_s: float


class SeenSecond(NamedTuple):
    """What was measured in a second; see `tow_seconds`."""

    second: int
    frames: int
    speed_px_per_s: float | None
    width_m: float | None
    width_sd_m: float | None
    mean_luminance: float | None
    contrast: float | None
    sharpness: float | None
    silt_fraction: float | None
    dark_fraction: float | None
    not_countable: int


@dataclass(frozen=True, slots=True, kw_only=True)
class NewAnalysis:
    """What the frames of a tow came to.

    Attributes:
        made_from: everything that it was made from, as JSON; the same again gives the same.
        state: "refused" where the footage allows no count: `reason` says why and the figures are None.
        seen_s: how much of the tow the frames cover.
    """

    made_from: str
    made_from_sha256: str
    model_id: int | None
    tracker: str
    state: AnalysisState
    reason: str = ""
    frames: int = 0
    seen_s: float = 0.0
    openings: float | None = None
    openings_sd: float | None = None
    systems: float | None = None
    systems_sd: float | None = None
    found_systems: Sequence[FoundSystem] = ()
    found_openings: Sequence[FoundOpening] = ()
    minutes: Sequence[FoundMinute] = ()
    seconds: Sequence[SeenSecond] = ()


_FIGURES = ("openings", "openings_sd", "systems", "systems_sd")


def record_analysis(connection: Connection, seal: Seal, tow_id: int, made: NewAnalysis, *, is_sealed: bool) -> int:
    """Keep an analysis as the current one of its tow. Returns its id.

    `is_sealed`: the tow is counted blind, so nothing of it may stand in a plain row.
    """
    connection.execute("UPDATE tow_analyses SET is_current = 0 WHERE tow_id = ? AND is_current = 1", (tow_id,))
    uuid = uuid7()
    figures = [None if is_sealed else getattr(made, name) for name in _FIGURES]
    row = connection.execute(
        "INSERT INTO tow_analyses (uuid, tow_id, made_from_sha256, made_from_json, model_id, tracker, software_version, state, reason, "
        "frames, seen_s, openings, openings_sd, systems, systems_sd, sealed, made_utc, is_current) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 1) RETURNING id",
        (
            uuid,
            tow_id,
            made.made_from_sha256,
            made.made_from,
            made.model_id,
            made.tracker,
            __version__,
            made.state,
            made.reason,
            made.frames,
            made.seen_s,
            *figures,
            _sealed(seal, uuid, made) if is_sealed else None,
            utc_now(),
        ),
    ).fetchone()
    if not is_sealed:
        _insert_rows(connection, int(row[0]), made)
    put_out(connection, "tow_analysis", uuid, is_sealed=is_sealed)
    return int(row[0])


def seal_analyses(connection: Connection, seal: Seal, tow_id: int) -> int:
    """Seal the analyses of a tow that is blind from now on. Returns how many were sealed now.

    An analysis with decisions of people stays as it is: it has been seen.
    """
    rows = connection.execute(
        "SELECT id, uuid FROM tow_analyses AS a WHERE tow_id = ? AND state = 'done' AND sealed IS NULL AND NOT EXISTS "
        "(SELECT 1 FROM tow_openings AS o WHERE o.analysis_id = a.id AND (EXISTS (SELECT 1 FROM opening_decisions WHERE opening_id = o.id) "
        "OR EXISTS (SELECT 1 FROM opening_groups WHERE opening_id = o.id)))",
        (tow_id,),
    ).fetchall()
    for analysis_id, uuid in rows:
        made = _read_rows(connection, analysis_id)
        connection.execute("UPDATE tow_openings SET boxes = zeroblob(length(boxes)) WHERE analysis_id = ?", (analysis_id,))
        for table in ("tow_openings", "tow_systems", "tow_minutes", "tow_seconds"):
            connection.execute(f"DELETE FROM {table} WHERE analysis_id = ?", (analysis_id,))
        connection.execute(
            "UPDATE tow_analyses SET openings = NULL, openings_sd = NULL, systems = NULL, systems_sd = NULL, sealed = ? WHERE id = ?",
            (_sealed(seal, uuid, made), analysis_id),
        )
        hold_back(connection, "tow_analysis", uuid)
    return len(rows)


def open_analyses(connection: Connection, seal: Seal, tow_id: int) -> int:
    """Bring the analyses of a tow back. Returns how many came; one whose key is not here stays sealed and holds nothing up."""
    rows = connection.execute("SELECT id, uuid, sealed FROM tow_analyses WHERE tow_id = ? AND sealed IS NOT NULL", (tow_id,)).fetchall()
    opened = 0
    for analysis_id, uuid, sealed in rows:
        try:
            made = _unpacked(seal.open(sealed, _subject(uuid)))
        except StoreError as error:
            log.warning("seal_does_not_open", analysis_id=analysis_id, reason=str(error))
            continue
        _insert_rows(connection, analysis_id, made)
        connection.execute(
            "UPDATE tow_analyses SET openings = ?, openings_sd = ?, systems = ?, systems_sd = ?, sealed = NULL WHERE id = ?",
            (*(getattr(made, name) for name in _FIGURES), analysis_id),
        )
        let_out(connection, "tow_analysis", uuid)
        opened += 1
    return opened


def _insert_rows(connection: Connection, analysis_id: int, made: NewAnalysis) -> None:
    _insert(connection, "tow_systems", FoundSystem, analysis_id, made.found_systems)
    _insert(connection, "tow_minutes", FoundMinute, analysis_id, made.minutes)
    _insert(connection, "tow_seconds", SeenSecond, analysis_id, made.seconds)
    systems = dict(connection.execute("SELECT ordinal, id FROM tow_systems WHERE analysis_id = ?", (analysis_id,)).fetchall())
    names = ["system_id" if name == "system" else name for name in FoundOpening._fields]
    marks = ", ".join("?" * (len(names) + 2))
    connection.executemany(
        f"INSERT INTO tow_openings (uuid, analysis_id, {', '.join(names)}) VALUES ({marks})",
        [(uuid7(), analysis_id, *one._replace(system=None if one.system is None else systems[one.system])) for one in made.found_openings],
    )


def _insert(connection: Connection, table: str, kind: type[Any], analysis_id: int, rows: Sequence[tuple[Any, ...]]) -> None:
    names = ", ".join(kind._fields)
    marks = ", ".join("?" * (len(kind._fields) + 1))
    connection.executemany(f"INSERT INTO {table} (analysis_id, {names}) VALUES ({marks})", [(analysis_id, *row) for row in rows])


def _read_rows(connection: Connection, analysis_id: int) -> NewAnalysis:
    head = connection.execute(
        "SELECT made_from_json, made_from_sha256, model_id, tracker, state, reason, frames, seen_s, openings, openings_sd, systems, "
        "systems_sd FROM tow_analyses WHERE id = ?",
        (analysis_id,),
    ).fetchone()
    openings = ", ".join("s.ordinal" if name == "system" else f"o.{name}" for name in FoundOpening._fields)
    return NewAnalysis(
        **dict(zip((one.name for one in fields(NewAnalysis)), tuple(head), strict=False)),
        found_systems=[FoundSystem(*row) for row in _rows(connection, "tow_systems", FoundSystem, analysis_id)],
        found_openings=[
            FoundOpening(*row)
            for row in connection.execute(
                f"SELECT {openings} FROM tow_openings AS o LEFT JOIN tow_systems AS s ON s.id = o.system_id "
                "WHERE o.analysis_id = ? ORDER BY o.ordinal",
                (analysis_id,),
            )
        ],
        minutes=[FoundMinute(*row) for row in _rows(connection, "tow_minutes", FoundMinute, analysis_id)],
        seconds=[SeenSecond(*row) for row in _rows(connection, "tow_seconds", SeenSecond, analysis_id)],
    )


def _rows(connection: Connection, table: str, kind: type[Any], analysis_id: int) -> list[Any]:
    query = f"SELECT {', '.join(kind._fields)} FROM {table} WHERE analysis_id = ? ORDER BY {kind._fields[0]}"
    return connection.execute(query, (analysis_id,)).fetchall()


def _sealed(seal: Seal, uuid: str, made: NewAnalysis) -> bytes:
    content = {
        **{one.name: getattr(made, one.name) for one in fields(NewAnalysis)},
        "found_openings": [[*one[:-1], base64.b64encode(one.boxes).decode("ascii")] for one in made.found_openings],
    }
    packed = zlib.compress(json.dumps(content, allow_nan=False).encode())
    return seal.close(packed, _subject(uuid), step_bytes=READING_STEP_BYTES)


def _unpacked(packed: bytes) -> NewAnalysis:
    content = json.loads(zlib.decompress(packed))
    content["found_systems"] = [FoundSystem(*row) for row in content["found_systems"]]
    content["found_openings"] = [FoundOpening._make([*row[:-1], base64.b64decode(row[-1])]) for row in content["found_openings"]]
    content["minutes"] = [FoundMinute(*row) for row in content["minutes"]]
    content["seconds"] = [SeenSecond(*row) for row in content["seconds"]]
    return NewAnalysis(**content)


def _subject(analysis_uuid: str) -> str:
    return f"tow_analysis/{analysis_uuid}"
