"""EcoTaxa's import zip: the table and a PNG of each object."""

from __future__ import annotations

import csv
import io
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Self

from edge.errors import ExportRefusedError, InputError, Reason
from edge.export.zooscan.rules import MAX_TABLES, Problem, find_problems
from edge.export.zooscan.table import EcoTaxaTable, ecotaxa_table, file_stem, lines_of, picture_name, table_name
from edge.export.zooscan.values import ExportObject, ExportScan

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
# The importer reads Latin-1 unless there is a mark, and would turn every other letter into two: so there is always one.
ENCODING = "utf-8-sig"
_SHOWN = 20


def check_export(scans: Sequence[ExportScan], *, pictures: VignetteReader) -> list[EcoTaxaTable]:
    """The tables of scans, each looked at.

    Raises:
        ExportRefusedError: EcoTaxa would refuse something, or a picture is missing; `problems` has all of it.
    """
    tables = [ecotaxa_table(scan) for scan in scans]
    problems = [problem for table in tables for problem in find_problems(table)]
    for scan in scans:
        if not scan.objects:
            advice = "Export it as csv or legacy, which say so."
            problems.append(Problem(where=scan.name, column="object_id", what="no object was found on this scan", advice=advice))
        problems += pictures.problems(scan)
    if len(tables) > MAX_TABLES:
        advice = "Export fewer scans at a time."
        problems.append(Problem(where="the zip", column="tables", what=f"{len(tables)}; EcoTaxa takes {MAX_TABLES}", advice=advice))
    refuse(problems, "EcoTaxa")
    return tables


def refuse(problems: Sequence[Problem], by: str) -> None:
    """Refuse an export if there are problems.

    Raises:
        ExportRefusedError: there are.
    """
    if not problems:
        return
    first = "; ".join(str(problem) for problem in problems[:_SHOWN])
    rest = f"; and {len(problems) - _SHOWN} more" if len(problems) > _SHOWN else ""
    count = f"{len(problems)} things" if len(problems) > 1 else "one thing"
    advice = " ".join(dict.fromkeys(problem.advice for problem in problems[:3]))
    raise ExportRefusedError(f"{by} would refuse {count}: {first}{rest}", advice=advice, problems=tuple(problems))


def write_ecotaxa_zip(path: Path, scans: Sequence[ExportScan]) -> None:
    """Write the import zip of one or more scans; several lie in a folder each.

    Raises:
        ExportRefusedError: EcoTaxa would refuse something; nothing was written.
        InputError: a vignette is damaged.
    """
    with VignetteReader() as pictures:
        tables = check_export(scans, pictures=pictures)
        with zipfile.ZipFile(path, "x", zipfile.ZIP_DEFLATED) as archive:
            for scan, table in zip(scans, tables, strict=True):
                folder = "" if len(scans) == 1 else f"{file_stem(scan.name)}/"
                archive.writestr(f"{folder}{table_name(scan.name)}", table_bytes(table, ENCODING))
                for one in scan.objects:
                    archive.writestr(f"{folder}{picture_name(scan, one)}", pictures.png(one), zipfile.ZIP_STORED)


def table_bytes(table: EcoTaxaTable, encoding: str) -> bytes:
    """The table as it lies in a file: tabs between cells; a cell with a quotation mark in it is in quotation marks."""
    text = io.StringIO()
    csv.writer(text, delimiter="\t", quotechar='"', lineterminator="\n").writerows(lines_of(table))
    return text.getvalue().encode(encoding)


class VignetteReader:
    """Reads vignettes from the zips they lie in, each of which is opened once."""

    def __init__(self) -> None:
        self._open = ExitStack()
        self._archives: dict[Path, zipfile.ZipFile | None] = {}

    def problems(self, scan: ExportScan) -> Iterator[Problem]:
        """Pictures that are not there."""
        held: dict[Path, frozenset[str]] = {}
        for one in scan.objects:
            path, name = one.vignette
            if path not in held:
                archive = self._archive(path)
                held[path] = frozenset(archive.namelist()) if archive else frozenset()
            if name not in held[path]:
                yield Problem(
                    where=scan.object_id(one.key),
                    column="img_file_name",
                    what=f"its picture is not in {path}",
                    advice="Process the scan again: the files of its last run are damaged or gone.",
                )

    def png(self, one: ExportObject) -> bytes:
        """The bytes of a vignette.

        Raises:
            InputError: it is not there, or damaged.
        """
        path, name = one.vignette
        archive = self._archive(path)
        try:
            data = archive.read(name) if archive else b""
        except (KeyError, OSError, zipfile.BadZipFile) as error:
            raise InputError(Reason.CORRUPT, f"{name} of {path} cannot be read: {error}", advice=_AGAIN) from error
        if not data.startswith(PNG_SIGNATURE):
            raise InputError(Reason.CORRUPT, f"{name} of {path} is no PNG", advice=_AGAIN)
        return data

    def _archive(self, path: Path) -> zipfile.ZipFile | None:
        if path not in self._archives:
            try:
                self._archives[path] = self._open.enter_context(zipfile.ZipFile(path))
            except (OSError, zipfile.BadZipFile):
                self._archives[path] = None
        return self._archives[path]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()


_AGAIN = "Process the scan again: the files of its last run are damaged or gone."
