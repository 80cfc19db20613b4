"""What the JSON API says of one object of a scan, of a line that would cut it, and of a check before it is signed."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from edge.store.reads import zooscan_check as reads
from edge.store.reads.zooscan import ScanRow
from edge.store.reads.zooscan_check import CheckRun, ObjectPlace
from edge.store.reads.zooscan_objects import FamilyMember, LineRow, members_of_run, object_by_key, standing_lines, whole_of, wholes
from edge.store.sqlite import Connection
from edge.web.scan_answers import points_of
from edge.web.text import number
from edge.zooscan.check_values import CutPreview, crop_place
from edge.zooscan.quality import Finding


@dataclass(frozen=True, slots=True, kw_only=True)
class StageAnswer:
    """The part of the clean scan that an object is enlarged in: of the object `key`, which it may have been cut from."""

    key: str
    x_px: int
    y_px: int
    width_px: int
    height_px: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PlacedOutlineAnswer:
    """An object's box in the clean scan, and its outline in that."""

    key: str
    x_px: int
    y_px: int
    width_px: int
    height_px: int
    outline: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class LineAnswer:
    """A separation line that stands; pixels of the clean scan, x and y."""

    uuid: str
    object: str
    score: float | None
    made_by: str
    is_human: bool
    made_utc: str
    pixels: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CardAnswer:
    """One object.

    Attributes:
        measures: by legacy name; null where one is not defined.
        stage: what is shown around it.
        outlines: of it, and of the others that were cut from the same one.
        lines: that cut it, or that it was cut by.
        words: what to say of it, name and value.
    """

    key: str
    run: str
    pixel_mm: float
    cut_from: str | None
    measures: dict[str, float | None]
    stage: StageAnswer
    outlines: tuple[PlacedOutlineAnswer, ...]
    lines: tuple[LineAnswer, ...]
    words: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PartAnswer:
    """What a line would leave of an object."""

    key: None
    x_px: int
    y_px: int
    width_px: int
    height_px: int
    area_px2: int
    outline: tuple[tuple[int, int], ...]
    words: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PreviewAnswer:
    """A line that is not kept yet. `cuts`: two parts or more would stand; less than an object is left out."""

    cuts: bool
    pixels: tuple[tuple[int, int], ...]
    parts: tuple[PartAnswer, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class FindingAnswer:
    """A check of a scan's quality. `level`: ok; look: somebody should; wrong: it is not exported so; unknown: it could not be looked at."""

    check: str
    level: str
    words: str
    advice: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckAnswer:
    """A check before it is signed. `words`: what is signed, name and value; `may_sign`: nothing forbids it."""

    revision: str
    may_sign: bool
    objects: int
    decided: int
    multiples: int
    words: tuple[tuple[str, str], ...]
    findings: tuple[FindingAnswer, ...]


def told_card(connection: Connection, run: CheckRun, place: ObjectPlace) -> CardAnswer:
    """An object as the API says it."""
    row = object_by_key(connection, run.scan_id, place.key)
    members = members_of_run(connection, run.id)
    root = _root_of(members, place.key)
    family = {root}
    for key, one in members.items():  # a part stands behind what it was cut from
        if one.cut_from in family:
            family.add(key)
    whole = members[root]
    cut_from = wholes(connection, run.scan_id)  # a line may have been drawn on a part that only an earlier run had
    around = crop_place(run, whole)
    measures = dict(row.measures) if row else {}
    return CardAnswer(
        key=place.key,
        run=run.uuid,
        pixel_mm=run.pixel_mm,
        cut_from=place.cut_from,
        measures=measures,
        stage=StageAnswer(key=root, x_px=around.x_px, y_px=around.y_px, width_px=around.width_px, height_px=around.height_px),
        outlines=tuple(_outline(one) for one in members.values() if one.key in family and not one.is_retired),
        lines=tuple(_line(one) for one in standing_lines(connection, run.scan_id) if whole_of(one.object_key, cut_from) == root),
        words=_words(run, place, measures),
    )


def _root_of(members: Mapping[str, FamilyMember], key: str) -> str:
    """What an object was part of before any line."""
    while (whole := members[key].cut_from) is not None and whole in members:
        key = whole
    return key


def _line(one: LineRow) -> LineAnswer:
    return LineAnswer(
        uuid=one.uuid,
        object=one.object_key,
        score=one.score,
        made_by=one.made_by,
        is_human=one.is_human,
        made_utc=one.made_utc,
        pixels=tuple((int(x), int(y)) for x, y in one.pixels),
    )


def _outline(one: FamilyMember) -> PlacedOutlineAnswer:
    return PlacedOutlineAnswer(
        key=one.key, x_px=one.x_px, y_px=one.y_px, width_px=one.width_px, height_px=one.height_px, outline=points_of(one.outline)
    )


def _words(run: CheckRun, place: ObjectPlace, measures: dict[str, float | None]) -> tuple[tuple[str, str], ...]:
    size = f"{place.width_px * run.pixel_mm:.2f} x {place.height_px * run.pixel_mm:.2f} mm"
    found = [("size", size), ("box", f"{place.width_px} x {place.height_px} px at {place.x_px}, {place.y_px}")]
    area = measures.get("area")
    if area is not None:
        found.append(("area", f"{area * run.pixel_mm**2:.3f} mm2, ESD {_esd_mm(area, run.pixel_mm):.3f} mm"))
    for name, words, digits in (("mean", "mean grey", 1), ("feret", "Feret, px", 1), ("circ.", "circularity", 3)):
        value = measures.get(name)
        if value is not None:
            found.append((words, f"{value:.{digits}f}"))
    if place.cut_from:
        found.append(("cut from", place.cut_from))
    return tuple(found)


def _esd_mm(area_px2: float, pixel_mm: float) -> float:
    """Diameter of the circle of the same area."""
    return 2 * math.sqrt(area_px2 / math.pi) * pixel_mm


def told_preview(run: CheckRun, found: CutPreview) -> PreviewAnswer:
    """A line that is not kept yet as the API says it."""
    parts = tuple(
        PartAnswer(
            key=None,
            x_px=one.x_px,
            y_px=one.y_px,
            width_px=one.width_px,
            height_px=one.height_px,
            area_px2=one.area_px2,
            outline=tuple((int(x), int(y)) for x, y in one.outline),
            words=f"{one.area_px2 * run.pixel_mm**2:.3f} mm2, ESD {_esd_mm(one.area_px2, run.pixel_mm):.2f} mm",
        )
        for one in found.parts
    )
    return PreviewAnswer(cuts=found.cuts, pixels=tuple((int(x), int(y)) for x, y in found.pixels), parts=parts)


def told_check(connection: Connection, scan: ScanRow, run: CheckRun, found: Sequence[Finding]) -> CheckAnswer:
    """What would be signed."""
    tally = reads.check_tally(connection, run)
    words = [
        ("objects", number(tally.objects)),
        ("looked at", f"{number(tally.decided)} of {number(tally.objects)}"),
        ("multiple", f"{number(tally.multiples)}; by its score the model proposed {number(tally.proposed)}"),
        ("cut from others", number(tally.parts)),
        ("separation lines", f"{number(tally.human_lines)} by people, {number(tally.separator_lines)} by the separator"),
    ]
    return CheckAnswer(
        revision=reads.check_revision(connection, run),
        may_sign=scan.signed_utc is None,
        objects=tally.objects,
        decided=tally.decided,
        multiples=tally.multiples,
        words=tuple(words),
        findings=tuple(told_finding(one) for one in found),
    )


def told_finding(one: Finding) -> FindingAnswer:
    """What a check found as the API says it."""
    return FindingAnswer(check=one.check, level=one.level, words=one.words, advice=one.advice)
