"""The result of a scan: run, objects, the separator's lines and the outbox row in the writer's one transaction."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from edge import __version__
from edge.store.clock import utc_now, utc_text, uuid7
from edge.store.outbox import put_out
from edge.store.sqlite import Connection
from edge.store.zooscan_tables import FEATURE_COLUMNS


@dataclass(frozen=True, slots=True, kw_only=True)
class NewObject:
    """An object as it was found.

    Attributes:
        key: see `zooscan_objects` in docs/schema.md.
        x_px, y_px, width_px, height_px: its box in the clean scan.
        measures: by the keys of `FEATURE_COLUMNS`; what is missing or NaN is not known.
        outline: (N, 2) little-endian uint16 as bytes, x and y in the box.
        multiple_score: 0 to 1; None if no model looked.
        cut_from: key of the object that it is a part of.
        vignettes: archive and member, `vignettes.zip/x3A0y1F4w5Ch77.png`.
        is_retired: it was cut into parts by the separator.
    """

    key: str
    x_px: int
    y_px: int
    width_px: int
    height_px: int
    measures: Mapping[str, float]
    outline: bytes
    multiple_score: float | None
    cut_from: str | None
    vignettes: str
    is_retired: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class NewLine:
    """A separation line: the object it was drawn on, its pixels as (N, 2) little-endian int32 bytes, and the separator's score.

    `made_by`: the separator of an earlier run, whose line people kept; None: that of this run.
    """

    object_key: str
    pixels: bytes
    score: float | None
    made_by: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NewRun:
    """One processing of a scan; see `zooscan_runs` in docs/schema.md."""

    uuid: str
    raw_sha256: str
    background: str
    settings_json: str
    settings_sha256: str
    width_px: int
    height_px: int
    pixel_mm: float
    grey_min: int
    grey_max: int
    frame: Mapping[str, object]
    black_share: float
    concerns: tuple[str, ...]
    classifier_model_id: int | None
    multiple_threshold: float | None
    separator: str
    stages_s: Mapping[str, float]
    elapsed_s: float
    peak_rss_mib: float
    folder: str
    objects: Sequence[NewObject] = field(repr=False)
    lines: Sequence[NewLine] = ()
    grey_median: float | None = None
    background_sha256: tuple[str, ...] = ()


_OBJECT_COLUMNS = (
    "uuid",
    "run_id",
    "key",
    "x_px",
    "y_px",
    "width_px",
    "height_px",
    *FEATURE_COLUMNS.values(),
    "outline",
    "multiple_score",
    "cut_from",
    "vignettes",
    "retired_utc",
)
_INSERT_OBJECT = f"INSERT INTO zooscan_objects ({', '.join(_OBJECT_COLUMNS)}) VALUES ({', '.join('?' * len(_OBJECT_COLUMNS))})"


def record_run(connection: Connection, scan_id: int, run: NewRun, *, raw: tuple[int, int] | None = None) -> int | None:
    """Write a result; it is the current one of its scan from now on, and the scan is done.

    Args:
        scan_id: the scan.
        run: what was found.
        raw: size (bytes) and time of the last change (ns) of the picture that was read.

    Returns:
        The run's id; None if the scan is not processed any more, or is signed: nothing is written, and the folder of this run is nobody's.
    """
    now = utc_now()
    done = connection.execute(
        "UPDATE zooscan_scans SET state = 'done', reason = '', detail = '', original = 'present', original_utc = NULL, "
        "raw_bytes = coalesce(?, raw_bytes), raw_mtime_ns = coalesce(?, raw_mtime_ns), changed_utc = ? "
        "WHERE id = ? AND state = 'processing' AND id NOT IN (SELECT scan_id FROM zooscan_signatures WHERE withdrawn_utc IS NULL)",
        (*(raw or (None, None)), now, scan_id),
    )
    if done.rowcount != 1:
        return None
    connection.execute("UPDATE zooscan_runs SET is_current = 0 WHERE scan_id = ? AND is_current = 1", (scan_id,))
    run_id = _insert_run(connection, scan_id, run, now)
    add_objects(connection, run_id, run.objects, at_utc=now)
    connection.executemany(
        "INSERT INTO zooscan_lines (uuid, scan_id, run_id, object_key, pixels, score, made_by, is_human, made_utc) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, 0, ?)",
        [(uuid7(), scan_id, run_id, line.object_key, line.pixels, line.score, line.made_by or run.separator, now) for line in run.lines],
    )
    put_out(connection, "zooscan_run", run.uuid)
    return run_id


def add_objects(connection: Connection, run_id: int, objects: Iterable[NewObject], *, at_utc: str | None = None) -> None:
    """Objects that the run did not have yet. One that its run's own separator cut is retired when the run ended: it never stood."""
    now = at_utc or utc_now()
    for one in objects:
        values = (one.measures.get(name) for name in FEATURE_COLUMNS)
        connection.execute(
            _INSERT_OBJECT,
            (
                uuid7(),
                run_id,
                one.key,
                one.x_px,
                one.y_px,
                one.width_px,
                one.height_px,
                *(None if value is None or value != value else float(value) for value in values),  # noqa: PLR0124 - NaN differs from itself
                one.outline,
                one.multiple_score,
                one.cut_from,
                one.vignettes,
                now if one.is_retired else None,
            ),
        )


def retire_objects(connection: Connection, run_id: int, keys: Iterable[str]) -> None:
    """Objects that were cut, or became part of a whole again, are listed as such and stand no more."""
    now = utc_now()
    (finished_utc,) = connection.execute("SELECT finished_utc FROM zooscan_runs WHERE id = ?", (run_id,)).fetchone()
    if now == finished_utc:  # that is the time of those that never stood
        now = utc_text(datetime.fromisoformat(now) + timedelta(milliseconds=1))
    connection.executemany(
        "UPDATE zooscan_objects SET retired_utc = ? WHERE run_id = ? AND key = ? AND retired_utc IS NULL",
        [(now, run_id, key) for key in keys],
    )


def restore_objects(connection: Connection, run_id: int, keys: Iterable[str]) -> None:
    """Objects that were retired stand again."""
    connection.executemany("UPDATE zooscan_objects SET retired_utc = NULL WHERE run_id = ? AND key = ?", [(run_id, key) for key in keys])


def _insert_run(connection: Connection, scan_id: int, run: NewRun, now: str) -> int:
    values = {
        "uuid": run.uuid,
        "scan_id": scan_id,
        "raw_sha256": run.raw_sha256,
        "background": run.background,
        "background1_sha256": run.background_sha256[0] if run.background_sha256 else None,
        "background2_sha256": run.background_sha256[1] if run.background_sha256 else None,
        "software_version": __version__,
        "settings_json": run.settings_json,
        "settings_sha256": run.settings_sha256,
        "width_px": run.width_px,
        "height_px": run.height_px,
        "pixel_mm": run.pixel_mm,
        "grey_min": run.grey_min,
        "grey_max": run.grey_max,
        "grey_median": run.grey_median,
        "frame_json": json.dumps(dict(run.frame)),
        "black_share": run.black_share,
        "concerns_json": json.dumps(run.concerns, ensure_ascii=False),
        "classifier_model_id": run.classifier_model_id,
        "multiple_threshold": run.multiple_threshold,
        "separator": run.separator,
        "stages_json": json.dumps({name: round(seconds, 4) for name, seconds in run.stages_s.items()}),
        "elapsed_s": run.elapsed_s,
        "peak_rss_mib": run.peak_rss_mib,
        "folder": run.folder,
        "finished_utc": now,
        "is_current": 1,
    }
    cursor = connection.execute(
        f"INSERT INTO zooscan_runs ({', '.join(values)}) VALUES ({', '.join('?' * len(values))})", tuple(values.values())
    )
    return int(cursor.lastrowid or 0)
