"""Abundances of one sample, or of every sample of a project, as tables."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from edge import __version__
from edge.cells import Cell
from edge.errors import ExportRefusedError, ScanRefusedError
from edge.export.zooscan.abundances import CLASS_COLUMNS, SIZE_COLUMNS, described, write_rows
from edge.export.zooscan.place import put_files
from edge.export.zooscan.table import file_stem
from edge.recipes.scan_gather import counted, scan_objects, standing_of, undecided
from edge.store.clock import utc_now
from edge.store.connection import snapshot
from edge.store.reads.zooscan import ProjectRow, current_run, list_projects, scan_by_id
from edge.store.reads.zooscan_exports import neighbours
from edge.store.sqlite import Connection
from edge.zooscan.abundance import ClassAbundance, SizeAbundance, class_abundances, size_abundances, taxa_of
from edge.zooscan.counted import CountedScan, Refusal, Wanted, refusals
from edge.zooscan.sizes import sphere_mm3
from edge.zooscan.standing import Standing

_SMALLEST_MM = 0.3
_OF_FIGURES = ("Vol", "Fracnb", "FracId", "volume_filtered_m3")


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleScans:
    """The scans of a sample; `smallest_mm3`: of the spheres that are objects; `runs`: which results."""

    sample_id: str
    scans: tuple[CountedScan, ...]
    volume_is: str
    smallest_mm3: float
    runs: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class AbundanceReport:
    """What was written.

    Attributes:
        files: the two tables and what tells about them.
        samples: those with figures.
        classes, sizes: rows of the tables.
        refused: why others have none; only where a whole project was asked for.
    """

    files: tuple[Path, ...]
    samples: tuple[str, ...]
    classes: int
    sizes: int
    refused: tuple[Refusal, ...]


def write_abundances(
    connection: Connection,
    home: Path,
    out_dir: Path,
    wanted: Wanted,
    *,
    sample: str | None = None,
    project: str | None = None,
    watched: Iterable[Path] = (),
) -> AbundanceReport:
    """Write the abundances of a sample, or of all samples of a project that have some.

    Args:
        connection: a reader.
        home: the home folder.
        out_dir: the folder to write into; made if it is not there.
        wanted: what is asked for.
        sample: a SampleId; None for all.
        project: the project's name, folder or uuid; None: the one that has the sample.
        watched: folders that an export must not lie in.

    Raises:
        ScanRefusedError: there is no such project or sample, or several projects have it.
        ExportRefusedError: the sample has no abundance yet, or none of the project has.
        SettingsError: the folder cannot be used, or would lose what lies there.
        DiskFullError: no room.
    """
    with snapshot(connection):
        of = _project(connection, sample, project)
        samples = samples_of(connection, home, of.id, sample)
    if not samples:
        raise ScanRefusedError(f"{of.name} has no scan of the sample {sample}", advice="A scan's form names its sample: SampleId.")
    refused = [refusal for one in samples for refusal in refusals(one.scans, wanted)]
    whole = [one for one in samples if not any(refusals(one.scans, wanted))]
    if not whole:
        raise _refusal(sample or of.name, refused)
    taxa = sorted(taxa_of(scan for one in whole for scan in one.scans))
    classes = [_class_row(one, row) for one in whole for row in class_abundances(one.scans, wanted, taxa)]
    sizes = [_size_row(row) for one in whole for row in size_abundances(one.scans, _with_limit(wanted, one), taxa)]
    stem = file_stem(sample or of.name)
    told = _told(of, whole, refused, wanted)
    writers = {
        f"{stem}.abundance.csv": lambda path: write_rows(path, CLASS_COLUMNS, classes),
        f"{stem}.nbss.csv": lambda path: write_rows(path, SIZE_COLUMNS, sizes),
    }
    what = {"project_uuid": of.uuid, "sample_id": sample or "", "format": "abundance"}
    put_files(out_dir, f"{stem}.abundance.json", writers, told=told, of=what, watched=watched)
    return AbundanceReport(
        files=tuple(out_dir.absolute() / name for name in (*writers, f"{stem}.abundance.json")),
        samples=tuple(one.sample_id for one in whole),
        classes=len(classes),
        sizes=len(sizes),
        refused=tuple(refused),
    )


def samples_of(connection: Connection, home: Path, project_id: int, sample: str | None = None) -> list[SampleScans]:
    """The samples of a project, with every scan that is known of each; scans that state none are a sample each without a name.

    Args:
        connection: a reader.
        home: the home folder.
        project_id: the project.
        sample: only this one.
    """
    found: dict[str, list[tuple[CountedScan, Standing, float, str]]] = defaultdict(list)
    for other in neighbours(connection, project_id):
        standing = standing_of(connection, other.id)
        if sample is not None and standing.sample.sample_id != sample:
            continue
        scan, smallest_mm3, run = _counted_scan(connection, home, other.id, standing)
        found[scan.sample_id or f"\0{other.name}"].append((scan, standing, smallest_mm3, run))
    return [
        SampleScans(
            sample_id=together[0][0].sample_id,
            scans=tuple(scan for scan, _, _, _ in together),
            volume_is=next((standing.volume_is for _, standing, _, _ in together if standing.volume_is), ""),
            smallest_mm3=max(smallest for _, _, smallest, _ in together),
            runs=tuple(run for _, _, _, run in together if run),
        )
        for _, together in sorted(found.items())
    ]


def _counted_scan(connection: Connection, home: Path, scan_id: int, standing: Standing) -> tuple[CountedScan, float, str]:
    """A scan as abundances need it, the biovolume of the smallest sphere that is an object, and its run."""
    row = scan_by_id(connection, scan_id)
    assert row is not None
    sample = standing.sample
    run = current_run(connection, scan_id)
    objects = () if run is None else scan_objects(connection, home, run)
    problems = [problem for problem in (*sample.problems, *standing.problems) if problem.startswith(_OF_FIGURES)]
    counted_scan = CountedScan(
        name=row.name,
        sample_id=sample.sample_id or "",
        fraction_id=sample.fraction_id or "",
        scan_of_fraction=sample.scan_of_fraction,
        split=sample.split,
        volume_m3=sample.volume_m3,
        volume_filtered_m3=standing.volume_filtered_m3,
        fraction_min_um=sample.fraction_min_um,
        fraction_max_um=sample.fraction_max_um,
        problems=tuple(problem for problem in problems if not problem.endswith(" is missing")),
        signed=row.signed_by is not None,
        undecided=0 if run is None else undecided(objects, run),
        objects=None if run is None else counted(objects),
        raw_sha256="" if run is None else run.raw_sha256,
    )
    smallest_mm = 0.0 if run is None else float(run.settings.get("segment", {}).get("min_esd_mm", _SMALLEST_MM))
    return counted_scan, sphere_mm3(math.pi / 4 * smallest_mm**2), run.uuid if run else ""


def _project(connection: Connection, sample: str | None, project: str | None) -> ProjectRow:
    projects = list_projects(connection)
    if project is not None:
        chosen = [one for one in projects if project in {one.name, one.uuid, one.folder, Path(one.folder).name}]
        words = f"there is no project {project}"
    else:
        chosen = [one for one in projects if _has_sample(connection, one, sample)]
        words = f"no project has a scan of the sample {sample}"
    if not chosen:
        raise ScanRefusedError(words, advice="The list of scans names the projects; a scan's form names its sample.")
    if len(chosen) > 1:
        folders = ", ".join(one.folder for one in chosen)
        raise ScanRefusedError(f"several projects are meant: {folders}", advice="Name one of them with --project and its folder.")
    return chosen[0]


def _has_sample(connection: Connection, project: ProjectRow, sample: str | None) -> bool:
    return any(standing_of(connection, one.id).sample.sample_id == sample for one in neighbours(connection, project.id))


def _refusal(name: str, refused: Sequence[Refusal]) -> ExportRefusedError:
    words = "; ".join(map(str, refused))
    advice = " ".join(dict.fromkeys(one.advice for one in refused[:3]))
    return ExportRefusedError(f"{name} has no abundance yet: {words}", advice=advice, problems=tuple(refused))


def _with_limit(wanted: Wanted, one: SampleScans) -> Wanted:
    return Wanted(
        every_status=wanted.every_status,
        step=wanted.step,
        body=wanted.body,
        unsigned=wanted.unsigned,
        unresolved=wanted.unresolved,
        smallest_mm3=one.smallest_mm3,
    )


def _class_row(one: SampleScans, row: ClassAbundance) -> dict[str, Cell]:
    return {
        "sample_id": row.sample_id,
        "fractions": "+".join(row.fractions),
        "scans": " ".join(row.scans),
        "category": row.category,
        "hierarchy": row.hierarchy,
        "category_id": row.category_id,
        "status": row.status,
        "objects": row.objects,
        "multiples": row.multiples,
        "abundance_m3": row.abundance_m3,
        "ellipsoid_mm3_m3": row.ellipsoid_mm3_m3,
        "sphere_mm3_m3": row.sphere_mm3_m3,
        "is_complete": int(row.is_complete),
        "not_classified": row.not_said,
        "volume_m3": row.volume_m3,
        "volume_filtered_m3": row.volume_filtered_m3,
        "volume_is": one.volume_is,
        "is_signed": int(all(scan.signed for scan in one.scans)),
    }


def _size_row(row: SizeAbundance) -> dict[str, Cell]:
    return {
        "sample_id": row.sample_id,
        "category": row.category,
        "hierarchy": row.hierarchy,
        "category_id": row.category_id,
        "status": row.status,
        "body": row.body.value,
        "size_class": row.size.number,
        "lower_mm3": row.size.lower_mm3,
        "upper_mm3": row.size.upper_mm3,
        "width_mm3": row.size.width_mm3,
        "objects": row.objects,
        "abundance_m3": row.abundance_m3,
        "biovolume_mm3_m3": row.biovolume_mm3_m3,
        "nbss_m3": row.nbss_m3,
        "is_cut": int(row.is_cut),
    }


def _told(of: ProjectRow, whole: Sequence[SampleScans], refused: Sequence[Refusal], wanted: Wanted) -> dict[str, object]:
    return {
        "written_utc": utc_now(),
        "software_version": __version__,
        "project": of.name,
        "statuses": "each by itself" if wanted.every_status else "validated",
        "size_classes": wanted.step.value,
        "body": wanted.body.value,
        "unsigned_taken": wanted.unsigned,
        "unresolved_taken": wanted.unsigned or wanted.unresolved,
        "samples": [
            {
                "sample_id": one.sample_id,
                "runs": list(one.runs),
                "scans": [
                    {
                        "name": scan.name,
                        "fraction_id": scan.fraction_id,
                        "fracnb": scan.split,
                        "volume_m3": scan.volume_m3,
                        "sieves_um": [scan.fraction_min_um, scan.fraction_max_um],
                        "objects": len(scan.objects or ()),
                        "is_signed": scan.signed,
                    }
                    for scan in one.scans
                ],
            }
            for one in whole
        ],
        "left_out": [asdict(one) for one in refused],
        "columns": {"abundance": described(CLASS_COLUMNS), "nbss": described(SIZE_COLUMNS)},
    }
