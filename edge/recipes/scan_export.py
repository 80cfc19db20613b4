"""Export a scan: gather, look at everything that may be wrong, write whole or not at all."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge import __version__
from edge.errors import ExportRefusedError, SettingsError
from edge.export.folder import MADE_BY, MANIFEST_NAME, count_entries, replaced_folder
from edge.export.zooscan.ecotaxa import VignetteReader, check_export, write_ecotaxa_zip
from edge.export.zooscan.place import put_files
from edge.export.zooscan.rules import Problem
from edge.export.zooscan.table import file_stem
from edge.export.zooscan.tables import described_columns, write_objects, write_retired
from edge.export.zooscan.work_folder import WorkFolder, write_work_folder
from edge.recipes.scan_gather import Gathered, gather, one_scan
from edge.recipes.scan_header import log_header
from edge.store.clock import utc_now
from edge.store.connection import snapshot
from edge.store.out_folder import check_folder
from edge.store.reads.zooscan import entries_standing, scan_by_id, scan_texts
from edge.store.reads.zooscan_objects import outlines, standing_lines
from edge.store.sqlite import Connection
from edge.store.zooscan_tables import FEATURE_COLUMNS
from edge.zooscan.legacy_table import legacy_columns, legacy_lines
from edge.zooscan.measure.features import DERIVED, MEASURED
from edge.zooscan.quality import Finding, findings
from edge.zooscan.standing import meta_bytes

WORK = "_work"
_CLEAN = "clean.tif"
_DEFINITIONS = {one.name: one.definition for one in MEASURED} | DERIVED
_Writers = Mapping[str, Callable[[Path], object]]


class ScanFormat(StrEnum):
    """What a scan is written as."""

    ECOTAXA = "ecotaxa"
    LEGACY = "legacy"
    CSV = "csv"


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanExport:
    """What was written.

    Attributes:
        scan, format: of what.
        files: those that were written, or the folder.
        objects, multiples, labelled: how many; multiples hold as such, labelled have a category.
        retired: ids that are no more.
        signed_by: who signed the check; None: nobody.
        findings: of the checks before.
    """

    scan: str
    format: ScanFormat
    files: tuple[Path, ...]
    objects: int
    multiples: int
    labelled: int
    retired: int
    signed_by: str | None
    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportWish:
    """How a scan is wanted.

    Attributes:
        format: as what.
        is_legacy: with Zooprocess's derived figures, for going on with a time series.
        unsigned: also where nobody signed the check; every row then says so.
    """

    format: ScanFormat
    is_legacy: bool = False
    unsigned: bool = False


def export_scan(
    connection: Connection, home: Path, named: str, wish: ExportWish, out_dir: Path, *, watched: Iterable[Path] = ()
) -> ScanExport:
    """Write a scan's objects.

    Args:
        connection: a reader; it sees one moment.
        home: the home folder.
        named: the scan's name, `project/name` or uuid.
        wish: how.
        out_dir: the folder to write into; made if it is not there.
        watched: folders that an export must not lie in.

    Raises:
        ScanRefusedError: there is no such scan, or it has no result.
        ExportRefusedError: it is not signed; something is stated that cannot be read; EcoTaxa would refuse something.
        SettingsError: the folder cannot be used, or would lose what lies there.
        InputError: the files of the run are damaged.
        DiskFullError: no room.
    """
    with snapshot(connection):
        gathered = gather(connection, home, one_scan(connection, named), is_legacy=wish.is_legacy)
        found = tuple(findings(gathered.facts))
        refuse_what_must_not_leave(gathered, found, wish)
        work = work_folder_of(connection, home, gathered) if wish.format is ScanFormat.LEGACY else None
    writing = _Writing(gathered=gathered, found=found, out_dir=out_dir, watched=tuple(watched))
    if work is not None:
        files = _write_legacy(writing, work)
    else:
        files = _write_ecotaxa(writing) if wish.format is ScanFormat.ECOTAXA else _write_csv(writing)
    return ScanExport(
        scan=gathered.scan.name,
        format=wish.format,
        files=files,
        objects=len(gathered.scan.objects),
        multiples=sum(one.decision == "multiple" for one in gathered.scan.objects),
        labelled=sum(one.label is not None for one in gathered.scan.objects),
        retired=len(gathered.retired),
        signed_by=gathered.scan.run.signed_by,
        findings=found,
    )


def make_archive(connection: Connection, home: Path, scan_id: int, folder: Path, *, unsigned: bool = False) -> Path:
    """The import zip of a scan for sending it; returns where it lies.

    Args:
        connection: a reader.
        home: the home folder.
        scan_id: the scan.
        folder: is there, and gets the zip.
        unsigned: also where nobody signed the check.

    Raises:
        ScanRefusedError, ExportRefusedError, InputError: as `export_scan`.
    """
    with snapshot(connection):
        row = scan_by_id(connection, scan_id)
        gathered = gather(connection, home, one_scan(connection, row.uuid if row else str(scan_id)))
        refuse_what_must_not_leave(gathered, findings(gathered.facts), ExportWish(format=ScanFormat.ECOTAXA, unsigned=unsigned))
    path = folder / f"ecotaxa_{file_stem(gathered.scan.name).lower()}.zip"
    path.unlink(missing_ok=True)
    write_ecotaxa_zip(path, [gathered.scan])
    return path


def refuse_what_must_not_leave(gathered: Gathered, found: Sequence[Finding], wish: ExportWish) -> None:
    """Refuse a scan that nobody signed, or of which something is stated that cannot be read.

    Raises:
        ExportRefusedError: it does not leave as it is wished.
    """
    name = gathered.scan.name
    if not wish.unsigned and gathered.row.signed_by is None:
        raise ExportRefusedError(
            f"nobody signed the check of {name}",
            advice="Check and sign it on its page; or export it with --unsigned: every row then says that nobody signed it.",
        )
    wrong = [one for one in found if one.level == "wrong"]
    if wrong and wish.format is not ScanFormat.CSV:
        problems = tuple(Problem(where=name, column=one.check, what=one.words, advice=one.advice) for one in wrong)
        words = "; ".join(one.words for one in wrong)
        raise ExportRefusedError(f"{name} cannot leave so: {words}", advice=wrong[0].advice, problems=problems)


def _told(gathered: Gathered, found: Sequence[Finding]) -> dict[str, Any]:
    """What a sidecar says beside the files."""
    scan, run = gathered.scan, gathered.scan.run
    return {
        "written_utc": utc_now(),
        "software_version": __version__,
        "scan": scan.name,
        "scan_uuid": gathered.row.uuid,
        "project": scan.project,
        "sample_id": scan.sample_id,
        "fraction_id": scan.stated.get("fracid", ""),
        "run_uuid": run.uuid,
        "raw_sha256": run.raw_sha256,
        "settings_sha256": run.settings_sha256,
        "settings": dict(gathered.run.settings),
        "model": {"name": run.model, "manifest_sha256": run.model_sha256, "threshold": run.threshold},
        "separator": run.separator,
        "signed_by": run.signed_by,
        "signed_utc": gathered.row.signed_utc,
        "derived_figures": "zooprocess 8, from whole numbers" if scan.is_legacy else "from unrounded measures",
        "objects": len(scan.objects),
        "retired_ids": len(gathered.retired),
        "checks": [asdict(one) for one in found],
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class _Writing:
    """What is written, and where."""

    gathered: Gathered
    found: Sequence[Finding]
    out_dir: Path
    watched: Sequence[Path]


def _write_ecotaxa(writing: _Writing) -> tuple[Path, ...]:
    """The import zip; beside it, for EcoTaxa would drop it, the list of ids that are no more."""
    scan, retired = writing.gathered.scan, writing.gathered.retired
    stem = f"ecotaxa_{file_stem(scan.name).lower()}"
    with VignetteReader() as pictures:
        check_export([scan], pictures=pictures)
    writers: _Writers = {
        f"{stem}.zip": lambda path: write_ecotaxa_zip(path, [scan]),
        f"{stem}.retired_ids.csv": lambda path: write_retired(path, scan, retired),
    }
    return _put(writing, f"{stem}.json", writers, {"format": "ecotaxa"})


def _write_csv(writing: _Writing) -> tuple[Path, ...]:
    scan, retired = writing.gathered.scan, writing.gathered.retired
    stem = file_stem(scan.name)
    writers: _Writers = {
        f"{stem}.objects.csv": lambda path: write_objects(path, scan),
        f"{stem}.retired_ids.csv": lambda path: write_retired(path, scan, retired),
    }
    return _put(writing, f"{stem}.objects.json", writers, {"format": "csv", "columns": described_columns(scan, _DEFINITIONS)})


def _put(writing: _Writing, sidecar: str, writers: _Writers, told: dict[str, Any]) -> tuple[Path, ...]:
    gathered = writing.gathered
    put_files(
        writing.out_dir,
        sidecar,
        writers,
        told={**told, **_told(gathered, writing.found)},
        of={"scan_uuid": gathered.row.uuid, "format": told["format"]},
        watched=writing.watched,
    )
    return tuple(writing.out_dir.absolute() / name for name in (*writers, sidecar))


def _write_legacy(writing: _Writing, work: WorkFolder) -> tuple[Path, ...]:
    """`_work/<scan>/`, with a manifest by which an untouched one is known again."""
    gathered = writing.gathered
    folder = writing.out_dir.absolute() / WORK / file_stem(gathered.scan.name)
    check_folder(folder, writing.watched)
    _refuse_another(folder, gathered)
    with replaced_folder(folder, watched=writing.watched) as part:
        write_work_folder(part, gathered.scan, work)
        told = {"made_by": MADE_BY, "of": gathered.row.uuid, **_told(gathered, writing.found), "entries": count_entries(part)}
        (part / MANIFEST_NAME).write_text(json.dumps(told, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
    return (folder,)


def _refuse_another(folder: Path, gathered: Gathered) -> None:
    """Two projects may have scans of one name: the one never replaces the other."""
    try:
        of = json.loads((folder / MANIFEST_NAME).read_text("utf-8")).get("of")
    except (OSError, ValueError, AttributeError):
        return
    if of != gathered.row.uuid:
        raise SettingsError(f"{folder} is of another scan of this name", advice="Give --out another folder for this project.")


def work_folder_of(connection: Connection, home: Path, gathered: Gathered) -> WorkFolder:
    """What Zooprocess's work folder is made from; the caller holds the connection at one moment."""
    scan_id = gathered.row.id
    texts = scan_texts(connection, scan_id)
    lines = standing_lines(connection, scan_id)
    pixels = [line.pixels for line in lines] or [np.empty((0, 2), np.int32)]
    return WorkFolder(
        clean=home / gathered.run.folder / _CLEAN,
        outlines=dict(outlines(connection, scan_id)),
        lines=np.concatenate(pixels),
        header=log_header(gathered, texts.log, len(lines)),
        meta=meta_bytes(texts.meta, entries_standing(connection, scan_id)),
        measures=list(legacy_lines(gathered.scan.name, _measure_table(gathered))),
        columns=legacy_columns(),
    )


def _measure_table(gathered: Gathered) -> dict[str, NDArray[np.float64]]:
    """All measures, with the boxes, as `legacy_lines` wants them."""
    objects = gathered.scan.objects
    boxes = {"bx": "x_px", "by": "y_px", "width": "width_px", "height": "height_px"}
    table = {name: np.array([one.measures[name] for one in objects]) for name in FEATURE_COLUMNS}
    return table | {name: np.array([float(getattr(one, field)) for one in objects]) for name, field in boxes.items()}
