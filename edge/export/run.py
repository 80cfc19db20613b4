"""One export: a moment of the database as files that other tools read, with a manifest that says what they are."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from edge import __version__
from edge.cells import CsvFile
from edge.errors import InputError, SettingsError, StoreError
from edge.export.coco import COCO_NAME, write_coco
from edge.export.csv_tables import (
    FAILURES_NAME,
    FILES_NAME,
    OBJECTS_NAME,
    open_failures,
    write_failure,
    write_files,
    write_image_failure,
    write_objects,
)
from edge.export.folder import MADE_BY, MANIFEST_NAME, count_entries, replaced_folder
from edge.export.footage import DEFAULT_LABEL
from edge.export.tows import TowRequest, TowTally, write_tows
from edge.export.yolo import write_yolo
from edge.store.clock import utc_now
from edge.store.connection import snapshot
from edge.store.durable import file_sha256
from edge.store.export_reviewed import iter_reviewed_results, list_reviewed_categories
from edge.store.export_rows import (
    ExportCategory,
    ExportFile,
    ExportFilter,
    ExportResult,
    FoundObject,
    count_files,
    count_results,
    iter_files,
    iter_results,
    list_categories,
)
from edge.store.export_tows import export_tows, opening_labels
from edge.store.files import list_roots
from edge.store.sqlite import Connection, sqlite3

_REPORT_EVERY = 100
Progress = Callable[[int, int], None]


class ExportFormat(StrEnum):
    """The formats of an export."""

    CSV = "csv"
    COCO = "coco"
    YOLO = "yolo"
    CVAT_VIDEO = "cvat-video"
    VIAME = "viame"
    IFDO = "ifdo"


OF_TOWS = frozenset((ExportFormat.CVAT_VIDEO, ExportFormat.VIAME, ExportFormat.IFDO))


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportSummary:
    """What was written.

    Attributes:
        files: names under which contents were seen.
        images: different contents with a result.
        results: runs that were exported.
        objects: objects that were exported.
        failures: files that became no result, and images that could not be copied.
        waiting: files that have no result yet. They and the failures are listed in failures.csv.
        sealed: files whose result is sealed until the counts of their station are signed; listed there too.
        tows: tows that were exported; tracks: their openings; frames: frames that were extracted from clips.
        tows_left_out: tows of which nothing was written; the manifest says why.
        missing_fields: required fields of an iFDO that nobody has told.
    """

    format: ExportFormat
    folder: Path
    files: int
    images: int
    results: int
    objects: int
    failures: int
    waiting: int
    sealed: int
    tows: int = 0
    tracks: int = 0
    frames: int = 0
    tows_left_out: int = 0
    missing_fields: tuple[str, ...] = ()


@dataclass(slots=True)
class _Tally:
    """Counts what passes through, and reports it now and then."""

    total: int
    progress: Progress
    files: int = 0
    images: int = 0
    results: int = 0
    objects: int = 0
    failures: int = 0
    waiting: int = 0
    sealed: int = 0
    of_tows: TowTally = field(default_factory=TowTally)
    _last_image_id: int = field(default=0)

    def through(self, pairs: Iterator[tuple[ExportResult, list[FoundObject]]]) -> Iterator[tuple[ExportResult, list[FoundObject]]]:
        """Results, counted."""
        for result, objects in pairs:
            self.results += 1
            self.objects += len(objects)
            self.images += result.image_id != self._last_image_id
            self._last_image_id = result.image_id
            if self.results % _REPORT_EVERY == 0:
                self.progress(self.results, self.total)
            yield result, objects


def export(
    connection: Connection,
    *,
    format: ExportFormat | str,  # noqa: A002 (the word that the command and the manifest use)
    out_dir: Path,
    recipe: str | None = None,
    min_score: float | None = None,
    all_runs: bool = False,
    copy_images: bool = False,
    reviewed: bool = False,
    tows: TowRequest | None = None,
    progress: Progress | None = None,
) -> ExportSummary:
    """Write what the database holds at this moment into a folder, which appears whole or not at all.

    Args:
        connection: a reader; it sees one moment from begin to end.
        format: csv, coco, yolo, cvat-video, viame or ifdo.
        out_dir: a new or empty folder, or an earlier export that nobody touched since, which is replaced.
        recipe: only this recipe.
        min_score: only objects of at least this score, candidates included; None counts as each run did.
        all_runs: earlier results of an image too (CSV only: in the other formats an image has one truth).
        copy_images: YOLO only: copy the images, each checked against its hash.
        reviewed: CSV, COCO and YOLO: of images that somebody called right as a whole, what stands after review.
        tows: what of tows is wanted; None means nothing. The formats of tows need it, a table has none.
        progress: called with results done and results in all, first with none done.

    Raises:
        SettingsError: the options contradict each other, or the folder cannot take the export.
        BusyError: another export to the same folder is being written.
        DiskFullError: no room; nothing is left behind.
        StoreError: the database cannot be read.
    """
    form = ExportFormat(format)
    which = ExportFilter(recipe=recipe, min_score=min_score, all_runs=all_runs, reviewed=reviewed)
    _check_options(form, which, copy_images=copy_images, tows=tows)
    moment: AbstractContextManager[object] = nullcontext() if connection.in_transaction else snapshot(connection)
    try:
        with moment:
            tally = _Tally(total=count_results(connection, which), progress=progress or (lambda _done, _total: None))
            tally.progress(0, tally.total)
            roots = [root.path for root in list_roots(connection)]
            with replaced_folder(out_dir, watched=roots) as folder:
                with open_failures(folder / FAILURES_NAME) as failures:
                    _write_failures(connection, which, failures, tally)
                    _write_format(
                        connection, folder, failures, form=form, which=which, tally=tally, roots=roots, copy_images=copy_images, tows=tows
                    )
                _write_manifest(folder, form, which, tally, copy_images=copy_images, tows=tows)
    except sqlite3.DatabaseError as error:
        raise StoreError(f"the database could not be read to its end: {error}") from error
    tally.progress(tally.results, tally.total)
    missing = tuple(tally.of_tows.missing_fields)
    return ExportSummary(format=form, folder=out_dir, **_counts(tally), **_tow_counts(tally), missing_fields=missing)


def _check_options(form: ExportFormat, which: ExportFilter, *, copy_images: bool, tows: TowRequest | None) -> None:
    if which.min_score is not None and not 0.0 <= which.min_score <= 1.0:
        raise SettingsError(f"min_score must lie in 0..1, not {which.min_score}", advice="Scores are fractions, such as 0.5.")
    if which.all_runs and form is not ExportFormat.CSV:
        raise SettingsError(f"earlier runs can be exported as CSV, not as {form}", advice="Ask for csv, or for current results.")
    if copy_images and form is not ExportFormat.YOLO:
        raise SettingsError(f"images are copied for yolo, not for {form}", advice="Ask for yolo, or leave the images where they are.")
    if which.reviewed and (which.all_runs or form in OF_TOWS):
        raise SettingsError("reviewed images have one truth, in csv, coco and yolo", advice="Leave --reviewed out.")
    if form in OF_TOWS and (which.recipe is not None or which.min_score is not None):
        raise SettingsError(f"{form} holds the openings of tows, not results of images", advice="Leave --recipe and --min-score out.")
    if tows is not None and tows.extract and form not in (ExportFormat.COCO, ExportFormat.YOLO):
        raise SettingsError(f"frames are extracted for coco and yolo, not for {form}", advice="Leave --frames out: the clip is named.")
    if tows is not None and tows.header and form is not ExportFormat.IFDO:
        raise SettingsError(f"a header is for ifdo, not for {form}", advice="Ask for ifdo, or leave --header out.")


def _write_failures(connection: Connection, which: ExportFilter, failures: CsvFile, tally: _Tally) -> None:
    tally.files = count_files(connection, which)
    for file in iter_files(connection, which, without_result=True):
        write_failure(failures, file)
        _count_failure(file, tally)


def _count_failure(file: ExportFile, tally: _Tally) -> None:
    if file.state == "quarantined":
        tally.failures += 1
    elif file.reason == "sealed":
        tally.sealed += 1
    else:
        tally.waiting += 1


def _write_format(
    connection: Connection,
    folder: Path,
    failures: CsvFile,
    *,
    form: ExportFormat,
    which: ExportFilter,
    tally: _Tally,
    roots: Sequence[Path],
    copy_images: bool,
    tows: TowRequest | None,
) -> None:
    if form in OF_TOWS:
        assert tows is not None, "a format of tows needs to know what is wanted of them"
        tally.of_tows = write_tows(connection, folder, form, tows)
        return
    results = tally.through((iter_reviewed_results if which.reviewed else iter_results)(connection, which))
    if form is ExportFormat.CSV:
        write_files(folder / FILES_NAME, iter_files(connection, which))
        write_objects(folder / OBJECTS_NAME, results, reviewed=which.reviewed)
        return
    categories = (list_reviewed_categories if which.reviewed else list_categories)(connection, which)
    if form is ExportFormat.COCO:
        info = {"description": "Detections by iMagine Edge", "version": __version__, "date_created": utc_now(), "contributor": MADE_BY}
        write_coco(folder / COCO_NAME, results, categories, info=info, several_roots=len(roots) > 1, reviewed=which.reviewed)
        if tows is not None and export_tows(connection):
            tally.of_tows = write_tows(connection, folder, form, tows)
        return

    def on_image_failure(result: ExportResult, error: InputError) -> None:
        tally.failures += 1
        write_image_failure(failures, result, error.reason, str(error))

    if tows is not None and tows.extract:
        categories = _with_openings(connection, categories)
    write_yolo(folder, results, categories, copy_images=copy_images, on_image_failure=on_image_failure, reviewed=which.reviewed)
    if tows is not None and export_tows(connection):
        tally.of_tows = write_tows(connection, folder, form, tows, classes=[category.name for category in categories])


def _with_openings(connection: Connection, categories: tuple[ExportCategory, ...]) -> tuple[ExportCategory, ...]:
    """The classes of stills and those of openings in clips, each once."""
    found = [ExportCategory(name=name or DEFAULT_LABEL, aphia_id=aphia_id) for name, aphia_id in opening_labels(connection)]
    known = {category.name for category in categories}
    return (*categories, *(category for category in found if category.name not in known))


def _write_manifest(
    folder: Path, form: ExportFormat, which: ExportFilter, tally: _Tally, *, copy_images: bool, tows: TowRequest | None
) -> None:
    manifest: dict[str, Any] = {
        "made_by": MADE_BY,
        "format": form,
        "software_version": __version__,
        "made_utc": utc_now(),
        "filters": {**dataclasses.asdict(which), "copy_images": copy_images},
        "counts": _counts(tally),
        "files": {
            path.name: {"sha256": file_sha256(path), "size_bytes": path.stat().st_size}
            for path in sorted(folder.iterdir())
            if path.suffix in (".csv", ".json", ".txt", ".yaml", ".xml")
        },
        "entries": count_entries(folder),
    }
    if tows is not None:
        of_tows = tally.of_tows
        manifest["filters"] |= {**dataclasses.asdict(tows.choice), "frames": tows.extract}
        manifest["counts"] |= _tow_counts(tally)
        manifest["tows"] = of_tows.tows
        manifest["tows_left_out"] = [one._asdict() for one in of_tows.left_out]
        manifest["missing_fields"] = of_tows.missing_fields
    (folder / MANIFEST_NAME).write_text(json.dumps(manifest, indent=2) + "\n", "utf-8")


def _counts(tally: _Tally) -> dict[str, int]:
    return {name: getattr(tally, name) for name in ("files", "images", "results", "objects", "failures", "waiting", "sealed")}


def _tow_counts(tally: _Tally) -> dict[str, int]:
    of_tows = tally.of_tows
    return {"tows": len(of_tows.tows), "tracks": of_tows.tracks, "frames": of_tows.frames, "tows_left_out": len(of_tows.left_out)}
