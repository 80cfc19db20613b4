"""A scan's exports for pages and the API: what EcoTaxa would refuse, single files, the figures of its sample."""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from edge.errors import ExportRefusedError
from edge.export.zooscan.ecotaxa import VignetteReader, check_export, write_ecotaxa_zip
from edge.export.zooscan.rules import Problem
from edge.export.zooscan.table import file_stem
from edge.export.zooscan.tables import write_objects, write_retired
from edge.export.zooscan.work_folder import WorkFolder, write_work_folder
from edge.recipes.scan_abundance import samples_of
from edge.recipes.scan_export import WORK, ExportWish, ScanFormat, refuse_what_must_not_leave, work_folder_of
from edge.recipes.scan_gather import Gathered, gather
from edge.store.connection import snapshot
from edge.store.reads.zooscan import ScanRow
from edge.store.sqlite import Connection
from edge.zooscan.abundance import ClassAbundance, class_abundances
from edge.zooscan.counted import Refusal, Wanted, refusals
from edge.zooscan.quality import findings


class Download(StrEnum):
    """A single file of a scan's export."""

    ECOTAXA = "ecotaxa"
    CSV = "csv"
    RETIRED_IDS = "retired_ids"


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportLook:
    """What an export of a scan would be.

    Attributes:
        objects, multiples, labelled, retired: how many.
        problems: what EcoTaxa would refuse, and what is stated that cannot be read; none if it may leave but for a signature.
        signed_by: who signed the check; None: nobody.
    """

    objects: int
    multiples: int
    labelled: int
    retired: int
    problems: tuple[Problem, ...]
    signed_by: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleFigures:
    """The abundances of a scan's sample, or why there are none.

    Attributes:
        sample_id: of the sample; "" if nobody stated it.
        scans: their names.
        refused: why there are no figures.
        rows: of each class.
    """

    sample_id: str
    scans: tuple[str, ...]
    refused: tuple[Refusal, ...]
    rows: tuple[ClassAbundance, ...]


def look_at_export(connection: Connection, home: Path, row: ScanRow) -> ExportLook:
    """What an export of a scan with a result would be; the caller holds the connection at one moment.

    Raises:
        ScanRefusedError: it has no result.
    """
    gathered = gather(connection, home, row)
    problems: list[Problem] = []
    for look in (_look_at_statements, _look_at_table):
        try:
            look(gathered)
        except ExportRefusedError as error:
            problems += [problem for problem in error.problems if isinstance(problem, Problem)]
    return ExportLook(
        objects=len(gathered.scan.objects),
        multiples=sum(one.decision == "multiple" for one in gathered.scan.objects),
        labelled=sum(one.label is not None for one in gathered.scan.objects),
        retired=len(gathered.retired),
        problems=tuple(problems),
        signed_by=gathered.scan.run.signed_by,
    )


def _look_at_statements(gathered: Gathered) -> None:
    refuse_what_must_not_leave(gathered, findings(gathered.facts), ExportWish(format=ScanFormat.ECOTAXA, unsigned=True))


def _look_at_table(gathered: Gathered) -> None:
    with VignetteReader() as pictures:
        check_export([gathered.scan], pictures=pictures)


def gathered_for(connection: Connection, home: Path, row: ScanRow, wish: ExportWish) -> Gathered:
    """A scan that may leave as it is wished.

    Raises:
        ScanRefusedError: it has no result.
        ExportRefusedError: it is not signed, or something that is stated cannot be read.
    """
    with snapshot(connection):
        gathered = gather(connection, home, row, is_legacy=wish.is_legacy)
    refuse_what_must_not_leave(gathered, findings(gathered.facts), wish)
    return gathered


def work_for(connection: Connection, home: Path, row: ScanRow, wish: ExportWish) -> tuple[Gathered, WorkFolder]:
    """A scan that may leave as Zooprocess's work folder, and what that is made from.

    Raises:
        ScanRefusedError, ExportRefusedError: as `gathered_for`.
    """
    with snapshot(connection):
        gathered = gather(connection, home, row, is_legacy=wish.is_legacy)
        refuse_what_must_not_leave(gathered, findings(gathered.facts), wish)
        return gathered, work_folder_of(connection, home, gathered)


def write_work_zip(gathered: Gathered, work: WorkFolder, folder: Path) -> Path:
    """Write Zooprocess's work folder into a folder that is there, and zip it; returns where the zip lies. Takes memory for a whole scan.

    Raises:
        ExportRefusedError: EcoTaxa would refuse something.
        InputError: the files of the run are damaged.
        OSError: the disk is full.
    """
    stem = file_stem(gathered.scan.name)
    place = folder / WORK / stem
    place.mkdir(parents=True)
    write_work_folder(place, gathered.scan, work)
    path = folder / f"{stem}_work.zip"
    with zipfile.ZipFile(path, "x", zipfile.ZIP_STORED) as archive:  # its large files are packed already
        for one in sorted(place.iterdir()):
            archive.write(one, f"{WORK}/{stem}/{one.name}")
            one.unlink()
    return path


def write_download(gathered: Gathered, what: Download, folder: Path) -> Path:
    """Write a single file of an export into a folder that is there; returns where it lies.

    Raises:
        ExportRefusedError: EcoTaxa would refuse something.
        InputError: the files of the run are damaged.
        OSError: the disk is full.
    """
    stem = file_stem(gathered.scan.name)
    match what:
        case Download.ECOTAXA:
            path = folder / f"ecotaxa_{stem.lower()}.zip"
            write_ecotaxa_zip(path, [gathered.scan])
        case Download.CSV:
            path = folder / f"{stem}.objects.csv"
            write_objects(path, gathered.scan)
        case Download.RETIRED_IDS:
            path = folder / f"{stem}.retired_ids.csv"
            write_retired(path, gathered.scan, gathered.retired)
    return path


def figures_of(connection: Connection, home: Path, row: ScanRow, sample_id: str | None, *, unsigned: bool = False) -> SampleFigures:
    """Individuals and biovolume per m3 of the sample that a scan is of; the caller holds the connection at one moment."""
    wanted = Wanted(unsigned=unsigned)
    if not sample_id:
        advice = "State SampleId on the scan's form."
        nobody = Refusal(sample_id="", where=row.name, what="no SampleId is stated", advice=advice)
        return SampleFigures(sample_id="", scans=(row.name,), refused=(nobody,), rows=())
    found = samples_of(connection, home, row.project_id, sample_id)
    if not found:
        advice = "Its files were taken away before it had a result; where they are back it is processed."
        gone = Refusal(sample_id=sample_id, where=row.name, what=f"no scan of the sample {sample_id} is there", advice=advice)
        return SampleFigures(sample_id=sample_id, scans=(row.name,), refused=(gone,), rows=())
    (sample,) = found
    refused = tuple(refusals(sample.scans, wanted))
    return SampleFigures(
        sample_id=sample_id,
        scans=tuple(scan.name for scan in sample.scans),
        refused=refused,
        rows=() if refused else tuple(class_abundances(sample.scans, wanted)),
    )
