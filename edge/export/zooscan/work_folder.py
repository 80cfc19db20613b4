"""Zooprocess's work folder of a scan (`_work/<scan>/`), so that what was built around it goes on."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tifffile
from numpy.typing import NDArray
from PIL import Image

from edge.errors import InputError, Reason
from edge.export.zooscan.columns import MEASURES, WHOLE_IN_LEGACY, ZERO_IN_LEGACY
from edge.export.zooscan.ecotaxa import VignetteReader, refuse, table_bytes
from edge.export.zooscan.rules import find_problems
from edge.export.zooscan.table import ecotaxa_table, file_stem, number_text, picture_name, table_name
from edge.export.zooscan.values import ExportObject, ExportScan
from edge.values import Int32Array, UInt8Array

UInt16Array = NDArray[np.uint16]

_ROWS_TOGETHER = 512
_JPEG_QUALITY = 100
_WHITE, _BLACK = 255, 0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class WorkFolder:
    """What the work folder holds beside the objects.

    Attributes:
        clean: the picture without background, 8-bit TIFF, uncompressed.
        outlines: by key (N, 2), x and y in the object's box of its outer border's pixels.
        lines: (N, 2), x and y in the scan of the pixels of every separation line.
        header: the log with the sections that processing adds, up to `[Data]`.
        meta: the META as it stands.
        measures: lines of the table of measures, each with its end.
        columns: that table's columns, from `Label` on.
    """

    clean: Path
    outlines: dict[str, UInt16Array]
    lines: Int32Array
    header: str
    meta: bytes
    measures: Sequence[str]
    columns: Sequence[str]


def write_work_folder(folder: Path, scan: ExportScan, work: WorkFolder) -> None:
    """Write the files of the work folder into `folder`, which exists and is empty.

    Raises:
        ExportRefusedError: EcoTaxa would refuse the table, or a picture is missing.
        InputError: the clean picture or a vignette is damaged.
    """
    name = file_stem(scan.name)
    table = ecotaxa_table(scan, numbered=True)
    with VignetteReader() as pictures:
        refuse([*find_problems(table), *pictures.problems(scan)], "EcoTaxa")
        for one in scan.objects:
            _write_jpeg(folder / picture_name(scan, one, numbered=True), pictures.png(one), scan.run.resolution_dpi)
    text = table_bytes(table, "utf-8")
    # What other programs of the laboratory read is plain text of the western Windows, as it was, unless there are letters that it lacks.
    (folder / table_name(scan.name)).write_bytes(_latin(text) or table_bytes(table, "utf-8-sig"))
    (folder / f"{name}_meas.txt").write_text("".join(work.measures), encoding="utf-8", newline="")
    (folder / f"{name}_meta.txt").write_bytes(work.meta)
    (folder / f"{name}_log.txt").write_text(work.header, encoding="utf-8", newline="")
    (folder / f"{name}_dat1.pid").write_text("".join((work.header, *pid_lines(scan, work.columns))), encoding="utf-8", newline="")
    _write_pictures(folder, name, scan, work)


def _latin(text: bytes) -> bytes | None:
    try:
        return text.decode("utf-8").encode("latin-1")
    except UnicodeEncodeError:
        return None


def pid_lines(scan: ExportScan, columns: Sequence[str]) -> Iterator[str]:
    """The data of a PID: a line for each object, its measures with EcoTaxa's decimals, and the tag that every object has."""
    decimals = dict(MEASURES)
    yield "[Data]\n"
    yield ";".join(("!Item", *columns, "Tag")) + "\n"
    for one in scan.objects:
        box = {"bx": one.x_px, "by": one.y_px, "width": one.width_px, "height": one.height_px}
        cells = [scan.name]
        for column in columns[1:]:
            name = column.lower()
            places = 0 if name in WHOLE_IN_LEGACY else None if name == ZERO_IN_LEGACY else decimals[name]
            value = float(box[name]) if name in box else one.measures.get(name)
            cells.append("0" if places is None else number_text(value, places) or "NaN")
        yield ";".join((str(one.number), *cells, "1")) + "\n"


def _write_jpeg(path: Path, png: bytes, resolution_dpi: float) -> None:
    try:
        with Image.open(io.BytesIO(png)) as picture:
            picture.convert("L").save(path, "JPEG", quality=_JPEG_QUALITY, dpi=(resolution_dpi, resolution_dpi))
    except (OSError, SyntaxError, ValueError) as error:
        raise InputError(Reason.CORRUPT, f"the picture of {path.name} cannot be read: {error}") from error


def _write_pictures(folder: Path, name: str, scan: ExportScan, work: WorkFolder) -> None:
    """The picture, and beside it its three masks, one after the other in one array: 375 million pixels each."""
    clean = _open_clean(work.clean)
    with ThreadPoolExecutor(max_workers=1) as beside:
        packed = beside.submit(_pack, folder / f"{name}_vis1.zip", work.clean, f"{name}_vis1.tif")
        _draw_masks(folder, name, scan, work, clean)
        packed.result()


def _pack(path: Path, picture: Path, name: str) -> None:
    with zipfile.ZipFile(path, "x", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        archive.write(picture, name)


def _draw_masks(folder: Path, name: str, scan: ExportScan, work: WorkFolder, clean: UInt8Array) -> None:
    drawn = np.empty(clean.shape, np.uint8)
    drawings: tuple[tuple[str, Callable[[UInt8Array], None]], ...] = (
        ("msk1", lambda canvas: _draw_mask(canvas, clean, scan.run.upper_grey, work.lines)),
        ("out1", lambda canvas: _draw_outlines(canvas, scan.objects, work.outlines)),
        ("sep", lambda canvas: _draw_lines(canvas, work.lines)),
    )
    for what, draw in drawings:
        draw(drawn)
        _write_gif(folder / f"{name}_{what}.gif", drawn)


def _open_clean(path: Path) -> UInt8Array:
    try:
        mapped = tifffile.memmap(path, mode="r")
    except (OSError, tifffile.TiffFileError, ValueError) as error:
        advice = "Process the scan again: the files of its last run are damaged or gone."
        raise InputError(Reason.UNREADABLE_FILE, f"{path} cannot be read: {error}", advice=advice) from error
    assert mapped.ndim == 2
    return mapped


def _draw_mask(canvas: UInt8Array, clean: UInt8Array, upper_grey: int, lines: Int32Array) -> None:
    """Pixels of objects black on white; the lines are white."""
    for top in range(0, len(canvas), _ROWS_TOGETHER):
        np.multiply(clean[top : top + _ROWS_TOGETHER] > upper_grey, np.uint8(_WHITE), out=canvas[top : top + _ROWS_TOGETHER])
    canvas[lines[:, 1], lines[:, 0]] = _WHITE


def _draw_outlines(canvas: UInt8Array, objects: Sequence[ExportObject], outlines: dict[str, UInt16Array]) -> None:
    """Outlines white on black."""
    canvas.fill(_BLACK)
    for one in objects:
        outline = outlines[one.key].astype(np.int64)
        canvas[outline[:, 1] + one.y_px, outline[:, 0] + one.x_px] = _WHITE


def _draw_lines(canvas: UInt8Array, lines: Int32Array) -> None:
    """Separation lines white on black."""
    canvas.fill(_BLACK)
    canvas[lines[:, 1], lines[:, 0]] = _WHITE


def _write_gif(path: Path, picture: UInt8Array) -> None:
    """Greys as they are: neither looked for a smaller palette nor interlaced, each of which would copy 375 million pixels."""
    height, width = picture.shape
    Image.frombuffer("L", (width, height), picture, "raw", "L", 0, 1).save(path, "GIF", optimize=False, interlace=0)
