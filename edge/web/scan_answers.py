"""What the JSON API says of scans and of the objects that are checked on them."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from edge.store.reads import zooscan_check as reads
from edge.store.reads.zooscan import ScanRow
from edge.store.reads.zooscan_check import CheckObject, CheckRun
from edge.store.reads.zooscan_objects import OutlineArray, unpack_outline
from edge.store.sqlite import Connection


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanAnswer:
    """A scan: where it is in its life, and what came of it. Figures are null while it has no result.

    Attributes:
        state: waiting (for `lacks`), queued, processing, done, failed (`reason`, `detail`) or gone.
        original: whether its 16-bit picture is still there as it was read.
        multiples: objects that stand for several animals, by what people decided, else by score.
        undecided: objects with a score that nobody has looked at.
        validated: objects whose category somebody validated in EcoTaxa.
    """

    id: int
    uuid: str
    project: str
    name: str
    state: str
    lacks: tuple[str, ...]
    reason: str
    detail: str
    scanned_local: str | None
    original: str
    run: str | None
    finished_utc: str | None
    objects: int | None
    multiples: int | None
    undecided: int | None
    validated: int | None
    signed_by: str | None
    signed_utc: str | None


def told_scan(row: ScanRow) -> ScanAnswer:
    """A scan as the API says it."""
    return ScanAnswer(
        id=row.id,
        uuid=row.uuid,
        project=row.project,
        name=row.name,
        state=row.state,
        lacks=row.lacks,
        reason=row.reason,
        detail=row.detail,
        scanned_local=row.scanned_local,
        original=row.original,
        run=row.run_uuid,
        finished_utc=row.finished_utc,
        objects=row.objects,
        multiples=row.multiples,
        undecided=row.undecided,
        validated=row.validated,
        signed_by=row.signed_by,
        signed_utc=row.signed_utc,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanObjectAnswer:
    """An object of a scan with what holds of it.

    Attributes:
        multiple_score: 0 to 1 that it is several animals; null if no model looked.
        decision: single or multiple, by a person; null if nobody looked.
        cut_from: the key of the object that it was a part of.
        vignette: changes when its picture does.
    """

    key: str
    x_px: int
    y_px: int
    width_px: int
    height_px: int
    area_px2: float | None
    mean_grey: float | None
    feret_px: float | None
    multiple_score: float | None
    decision: str | None
    decided_by: str | None
    decided_utc: str | None
    cut_from: str | None
    label: str | None
    label_status: str | None
    vignette: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanObjectsAnswer:
    """The objects of a scan that stand, from its top to its bottom.

    Attributes:
        revision: changes with everything that is said here.
        threshold: a score above which an object is proposed as multiple; null if no model looked.
        signed: nothing is changed while this is true.
    """

    scan_id: int
    run: str
    revision: str
    width_px: int
    height_px: int
    pixel_mm: float
    threshold: float | None
    signed: bool
    objects: tuple[ScanObjectAnswer, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class OutlineAnswer:
    """The outer border of an object: x and y in its box of each pixel, clockwise."""

    key: str
    points: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangedAnswer:
    """What an act changed.

    Attributes:
        objects: those that are new or of which something else holds now.
        gone: keys that stand no more.
        outlines: of the new ones.
    """

    revision: str
    objects: tuple[ScanObjectAnswer, ...]
    gone: tuple[str, ...]
    outlines: tuple[OutlineAnswer, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """The objects of a scan at one moment, by key."""

    run: CheckRun
    revision: str
    rows: Mapping[str, CheckObject]


def standing(connection: Connection, run: CheckRun) -> Standing:
    """The objects of a scan as they are now."""
    rows = {row.key: row for row in reads.check_objects(connection, run)}
    return Standing(run=run, revision=reads.check_revision(connection, run), rows=rows)


def told_object(run: CheckRun, row: CheckObject) -> ScanObjectAnswer:
    """An object as the API says it."""
    values = row._asdict()
    return ScanObjectAnswer(vignette=f"{run.uuid}/{values.pop('vignettes')}", **values)


def told_objects(now: Standing, *, signed: bool) -> ScanObjectsAnswer:
    """All objects as the API says them."""
    run = now.run
    return ScanObjectsAnswer(
        scan_id=run.scan_id,
        run=run.uuid,
        revision=now.revision,
        width_px=run.width_px,
        height_px=run.height_px,
        pixel_mm=run.pixel_mm,
        threshold=run.threshold,
        signed=signed,
        objects=tuple(told_object(run, row) for row in now.rows.values()),
    )


def told_change(connection: Connection, before: Standing, also: Iterable[str] = ()) -> ChangedAnswer:
    """What is otherwise than before; `also`: keys that are told in any case."""
    now = standing(connection, before.run)
    asked = frozenset(also)
    changed = [row for key, row in now.rows.items() if key in asked or before.rows.get(key) != row]
    fresh = [row.key for row in changed if row.key not in before.rows]
    return ChangedAnswer(
        revision=now.revision,
        objects=tuple(told_object(now.run, row) for row in changed),
        gone=tuple(key for key in before.rows if key not in now.rows),
        outlines=tuple(OutlineAnswer(key=key, points=_outline(connection, now.run, key)) for key in fresh),
    )


def _outline(connection: Connection, run: CheckRun, key: str) -> tuple[tuple[int, int], ...]:
    place = reads.object_place(connection, run.id, key)
    return () if place is None else points_of(unpack_outline(place.outline))


def points_of(outline: OutlineArray) -> tuple[tuple[int, int], ...]:
    """An outline as pairs of numbers."""
    return tuple((int(x), int(y)) for x, y in outline)


def packed_outlines(found: Iterable[tuple[str, OutlineArray]]) -> bytes:
    """Many outlines for a browser: the length of an index as uint32, the index [[key, points], ...] as JSON, then x and y as uint16.

    Numbers are little-endian; the index is filled up with blanks to a multiple of four bytes.
    """
    every = [(key, outline) for key, outline in found]
    index = json.dumps([[key, len(outline)] for key, outline in every]).encode()
    index += b" " * (-len(index) % 4)
    return b"".join([struct.pack("<I", len(index)), index, *(outline.astype("<u2").tobytes() for _, outline in every)])
