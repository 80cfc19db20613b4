"""A scan as its exports and checks get it: what the database, the texts and the files of its run say, put together."""

from __future__ import annotations

import math
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from ipaddress import ip_address
from pathlib import Path

import numpy as np

from edge.errors import ScanRefusedError
from edge.export.zooscan.values import ExportLabel, ExportObject, ExportRun, ExportScan, RetiredObject
from edge.store.reads.zooscan import RunRow, ScanRow, current_run, entries_standing, find_scan, scan_by_id, scan_texts
from edge.store.reads.zooscan_exports import LabelRow, labels_of, model_of_run, neighbours, retired_with_parts, same_raw
from edge.store.reads.zooscan_objects import ObjectRow, standing_lines, standing_objects
from edge.store.sqlite import Connection
from edge.zooscan.counted import CountedObject
from edge.zooscan.measure.derived import derive
from edge.zooscan.quality import Relative, ScanFacts
from edge.zooscan.sizes import measures_in_mm
from edge.zooscan.standing import Standing, what_stands

_DPI_OF_MM = 25.4
_SAMPLE_KEYS = frozenset(
    (
        *("ship", "scientificprog", "stationid", "date", "latitude", "longitude", "depth", "ctdref", "townb", "towtype", "nettype"),
        *("netmesh", "netsurf", "zmax", "zmin", "vol", "latitude_end", "longitude_end"),
    )
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Gathered:
    """A scan with a result.

    Attributes:
        row, run: of the database.
        scan: as exports get it.
        standing: what stands about its sample.
        retired: objects that are no more.
        facts: what the checks look at.
    """

    row: ScanRow
    run: RunRow
    scan: ExportScan
    standing: Standing
    retired: tuple[RetiredObject, ...]
    facts: ScanFacts


def one_scan(connection: Connection, named: str) -> ScanRow:
    """The scan that is meant by a name, `project/name` or a uuid.

    Raises:
        ScanRefusedError: there is none, or there are several.
    """
    found = find_scan(connection, named)
    project, slash, name = named.rpartition("/")
    if not found and slash:
        found = find_scan(connection, name, project=project)
    if not found:
        raise ScanRefusedError(f"there is no scan {named}", advice="The list of scans names those that there are; `zooscan list` too.")
    if len(found) > 1:
        names = ", ".join(f"{one.project}/{one.name}" for one in found)
        raise ScanRefusedError(f"several scans are called {named}: {names}", advice="Name one of them with its project, or by its uuid.")
    return found[0]


def standing_of(connection: Connection, scan_id: int) -> Standing:
    """What stands about the sample of a scan."""
    texts = scan_texts(connection, scan_id)
    return what_stands(texts.meta, texts.log, entries_standing(connection, scan_id))


def gather(connection: Connection, home: Path, row: ScanRow, *, is_legacy: bool = False) -> Gathered:
    """Put a scan together.

    Args:
        connection: a reader; the caller holds it at one moment.
        home: the home folder, which the run's files lie below.
        row: the scan.
        is_legacy: with Zooprocess's derived figures.

    Raises:
        ScanRefusedError: it has no result.
    """
    run = current_run(connection, row.id)
    if run is None:
        advice = "The list of scans says what it waits for, or why it failed."
        raise ScanRefusedError(f"the scan {row.name} has no result yet: it is {row.state}", advice=advice)
    standing = standing_of(connection, row.id)
    scan = ExportScan(
        name=row.name,
        project=row.project,
        instrument=f"zooscan_{row.serial}" if row.serial else "zooscan",
        stated=standing.values,
        log=_log_values(standing),
        latitude_deg=standing.sample.latitude_deg,
        longitude_deg=standing.sample.longitude_deg,
        latitude_end_deg=standing.latitude_end_deg,
        longitude_end_deg=standing.longitude_end_deg,
        at_utc=standing.sample.at_local,
        depth_min_m=standing.sample.depth_min_m,
        depth_max_m=standing.sample.depth_max_m,
        scanned_at=standing.scanned_at,
        run=_run(connection, row, run),
        objects=scan_objects(connection, home, run, is_legacy=is_legacy),
        is_legacy=is_legacy,
        volume_filtered_m3=standing.volume_filtered_m3,
        volume_is=standing.volume_is,
    )
    retired = tuple(
        RetiredObject(key=one.key, retired_utc=one.since_utc, why="separated" if one.was_cut else "processed again", became=one.became)
        for one in retired_with_parts(connection, row.id)
    )
    return Gathered(row=row, run=run, scan=scan, standing=standing, retired=retired, facts=_facts(connection, row, run, standing, scan))


def scan_objects(connection: Connection, home: Path, run: RunRow, *, is_legacy: bool = False) -> tuple[ExportObject, ...]:
    """The standing objects of a scan's current run."""
    rows = tuple(standing_objects(connection, run.scan_id))
    return tuple(_objects(rows, labels_of(connection, run.scan_id), run, home, is_legacy=is_legacy))


def _objects(
    rows: Sequence[ObjectRow], labels: Mapping[str, LabelRow], run: RunRow, home: Path, *, is_legacy: bool
) -> Iterator[ExportObject]:
    if not rows:
        return
    table = {name: np.array([_or_nan(one.measures[name]) for one in rows]) for name in rows[0].measures}
    derived = derive(table, legacy=is_legacy)
    for number, one in enumerate(rows):
        measures = {name: float(values[number]) for name, values in table.items()}
        archive, _, member = one.vignette.partition("/")
        label = labels.get(one.key)
        yield ExportObject(
            key=one.key,
            number=number + 1,
            x_px=one.x_px,
            y_px=one.y_px,
            width_px=one.width_px,
            height_px=one.height_px,
            measures=measures,
            derived={name: float(values[number]) for name, values in derived.items()},
            measures_mm=measures_in_mm(measures, run.pixel_mm),
            multiple_score=one.multiple_score,
            decision="" if one.is_multiple is None else "multiple" if one.is_multiple else "single",
            decided_by=person_of(one.decided_by or "") or ("model" if one.is_multiple is not None else ""),
            cut_from=one.cut_from,
            label=None if label is None else ExportLabel(**label._asdict()),
            vignette=(home / run.folder / archive, member),
        )


def person_of(actor: str) -> str:
    """Who did something, without the address that they did it from: that is for the audit trail, and does not leave the ship."""
    name, _, address = actor.rpartition(" ")
    try:
        ip_address(address)
    except ValueError:
        return actor
    return name or actor


def _or_nan(value: float | None) -> float:
    return math.nan if value is None else value


def counted(objects: Sequence[ExportObject]) -> tuple[CountedObject, ...]:
    """Objects as abundances and checks look at them."""
    return tuple(
        CountedObject(
            category=one.label.category if one.label else None,
            hierarchy=one.label.hierarchy if one.label else None,
            status=one.label.status if one.label else None,
            category_id=one.label.category_id if one.label else None,
            ellipsoid_mm3=one.measures_mm["ellipsoid_mm3"],
            sphere_mm3=one.measures_mm["sphere_mm3"],
            is_multiple=one.decision == "multiple",
        )
        for one in objects
    )


def _run(connection: Connection, row: ScanRow, run: RunRow) -> ExportRun:
    grey, segment = run.settings.get("grey", {}), run.settings.get("segment", {})
    model = model_of_run(connection, run.classifier_model_id)
    return ExportRun(
        uuid=run.uuid,
        raw_sha256=run.raw_sha256,
        settings_sha256=run.settings_sha256,
        software_version=run.software_version,
        width_px=run.width_px,
        height_px=run.height_px,
        resolution_dpi=_resolution(run),
        pixel_mm=run.pixel_mm,
        upper_grey=int(segment.get("upper_grey", 243)),
        min_esd_mm=float(segment.get("min_esd_mm", 0.3)),
        max_esd_mm=float(segment.get("max_esd_mm", 100.0)),
        grey_min=run.grey_min,
        grey_max=run.grey_max,
        grey_median=run.grey_median,
        od_range=float(grey.get("od_range", 1.8)),
        ratio=float(grey.get("ratio", 1.15)),
        background=run.background,
        black_share=run.black_share,
        model=f"{model.name} {model.version}" if model else "",
        model_sha256=model.manifest_sha256 if model else "",
        threshold=run.multiple_threshold,
        separator=run.separator,
        finished_at=_utc(run.finished_utc),
        signed_by=person_of(row.signed_by) if row.signed_by else None,
        signed_at=_utc(row.signed_utc) if row.signed_utc else None,
    )


def _resolution(run: RunRow) -> float:
    return float(run.settings.get("segment", {}).get("resolution_dpi", round(_DPI_OF_MM / run.pixel_mm)))


def _utc(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def _log_values(standing: Standing) -> dict[str, str]:
    """What the scanner's log says, by key; what Zooprocess adds to its copy of the log and a raw one lacks is taken from elsewhere."""
    values: dict[str, str] = {}
    for heading, section in standing.log.sections.items():
        if heading.casefold() != "lut":
            for key, value in section.items():
                if value and value.casefold() != "nan":
                    values.setdefault(key.casefold(), value)
    values.setdefault("imagetype", "zooscan")
    for key, other in (("software", values.get("vuescan_version")), ("author", standing.values.get("scanop"))):
        if other:
            values.setdefault(key, other)
    return values


def _facts(connection: Connection, row: ScanRow, run: RunRow, standing: Standing, scan: ExportScan) -> ScanFacts:
    return ScanFacts(
        name=row.name,
        raw=row.original,
        duplicates=same_raw(connection, row.id, run.raw_sha256),
        black_share=run.black_share,
        pixel_mm=run.pixel_mm,
        resolution_dpi=_resolution(run),
        concerns=run.concerns,
        objects=counted(scan.objects),
        lines=len(standing_lines(connection, row.id)),
        separator=run.separator,
        signed=row.signed_by is not None,
        undecided=undecided(scan.objects, run),
        standing=standing,
        instrument=scan.instrument,
        relatives=tuple(_relatives(connection, row, standing)),
        vignettes=_vignettes(scan.objects),
        work_files=_work_files(row),
    )


def undecided(objects: Sequence[ExportObject], run: RunRow) -> int:
    """Proposed multiples that nobody looked at."""
    limit = math.inf if run.multiple_threshold is None else run.multiple_threshold
    return sum(one.decided_by == "model" and one.multiple_score is not None and one.multiple_score > limit for one in objects)


def _relatives(connection: Connection, row: ScanRow, standing: Standing) -> Iterator[Relative]:
    """Other scans of the project that state the same sample."""
    own = standing.sample.sample_id
    for other in neighbours(connection, row.project_id):
        if other.id == row.id or own is None:
            continue
        stated = what_stands(other.meta, other.log, entries_standing(connection, other.id))
        if stated.sample.sample_id == own:
            yield Relative(
                name=other.name,
                fraction_id=stated.sample.fraction_id or "",
                has_same_sample=all(stated.values.get(key) == standing.values.get(key) for key in _SAMPLE_KEYS),
                sieves_um=(stated.sample.fraction_min_um, stated.sample.fraction_max_um),
            )


def _vignettes(objects: Sequence[ExportObject]) -> int:
    """How many objects have their picture."""
    held: dict[Path, frozenset[str]] = {}
    for path, _ in (one.vignette for one in objects):
        if path not in held:
            held[path] = _members(path)
    return sum(name in held[path] for path, name in (one.vignette for one in objects))


def _members(path: Path) -> frozenset[str]:
    try:
        with zipfile.ZipFile(path) as archive:
            return frozenset(archive.namelist())
    except (OSError, zipfile.BadZipFile):
        return frozenset()


def _work_files(row: ScanRow) -> frozenset[str] | None:
    """Names in the project's own work folder of the scan; None if there is none, or it cannot be read."""
    folder = Path(row.project_folder) / "Zooscan_scan" / "_work" / row.name
    try:
        return frozenset(path.name for path in folder.iterdir())
    except OSError:
        return None


def facts_of(connection: Connection, home: Path, scan_id: int) -> ScanFacts:
    """What the checks of a scan look at.

    Raises:
        ScanRefusedError: there is no such scan, or it has no result.
    """
    row = scan_by_id(connection, scan_id)
    if row is None:
        raise ScanRefusedError(f"there is no scan {scan_id}", advice="The list of scans names those that there are.")
    return gather(connection, home, row).facts
