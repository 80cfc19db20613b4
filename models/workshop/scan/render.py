"""A rendered ZooScan project: raw scan, backgrounds, texts, and what is true of it.

rendered = render_project(Path("out"), ScanOrder(seed=1, objects=1700))      a folder Zooscan_render_sn033 in out
sheet, truth = render_sheet(ScanOrder(seed=1, objects=30, width_px=2504, height_px=1504))      the clean picture alone, in memory
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from models.workshop.scan import texts
from models.workshop.scan.drawing import UInt8Array
from models.workshop.scan.glass import COUNTS_PER_LEVEL, MEDIAN, Glass, Noise
from models.workshop.scan.layout import Layout, LayoutError, ScanOrder, lay_out, paint
from models.workshop.scan.raw_tiff import write_raw
from models.workshop.scan.truth import TrueObject, objects_csv, parts_csv, truth_of

__all__ = ["LayoutError", "RenderedProject", "ScanOrder", "render_project", "render_sheet"]

UNFINISHED = f".{texts.PROJECT}.unfinished"
_ROWS = 200
_DPI, _BACKGROUND_DPI = 2400, 300
_LIGHTS = (0.998, 0.947)
_REDUCED_NOISE = 0.25
_WHITE = 255
LEAST_SIDE_PX = 800

OnRows = Callable[[int, int], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class RenderedProject:
    """A project folder and what is true of its one scan.

    Attributes:
        folder: `Zooscan_render_sn033`.
        scan: the scan's name.
        raw: the 16-bit scan.
        backgrounds: the two of the empty glass.
        truth: every object, by the rows of the boxes.
        specks: of dust.
    """

    folder: Path
    scan: str
    raw: Path
    backgrounds: tuple[Path, Path]
    truth: tuple[TrueObject, ...]
    specks: int


def render_project(out: Path, order: ScanOrder, *, on_rows: OnRows | None = None) -> RenderedProject:
    """Render a project folder `Zooscan_render_sn033` into `out`; it is there whole or not at all.

    The raw scan is written some rows at a time: a full one has 750 MB and takes no more memory than a small one.

    Args:
        out: a folder that holds no such project; made if it is not there.
        order: what is rendered; the same gives the same bytes.
        on_rows: told how many raw rows of how many are written.

    Raises:
        FileExistsError: there is such a project.
        LayoutError: there is no room for so many objects.
        ValueError: a size that makes no scan.
        OSError: it cannot be written; nothing of it is left.
    """
    _check(order)
    folder, unfinished = out / texts.PROJECT, out / UNFINISHED
    if folder.exists():
        raise FileExistsError(f"{folder} is there already")
    layout = lay_out(order)
    truth = truth_of(layout)
    has_made = not out.exists()
    try:
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(parents=True)
        stem, pair = _write_pictures(unfinished, order, layout, on_rows)
        _write_texts(unfinished, order, layout, truth)
        unfinished.rename(folder)
    except BaseException:
        shutil.rmtree(unfinished, ignore_errors=True)
        if has_made and out.is_dir() and not any(out.iterdir()):
            out.rmdir()
        raise
    backgrounds = (folder / "Zooscan_back" / pair[0], folder / "Zooscan_back" / pair[1])
    return RenderedProject(
        folder=folder,
        scan=scan_name(order),
        raw=folder / "Zooscan_scan" / "_raw" / f"{stem}.tif",
        backgrounds=backgrounds,
        truth=truth,
        specks=len(layout.specks),
    )


def render_sheet(order: ScanOrder) -> tuple[UInt8Array, tuple[TrueObject, ...]]:
    """The clean picture alone, as a perfect glass without a frame would give it: (H, W) uint8, dark on white, and its truth."""
    _check(order)
    layout = lay_out(order)
    dark = paint(layout, 0, order.width_px, order.height_px)
    if order.noise_levels:
        rng = np.random.default_rng([order.seed, 4])
        noise = rng.standard_normal(dark.shape, np.float32) * np.float32(order.noise_levels)
        dark = np.clip(np.rint(np.abs(dark + noise)), 0, _WHITE).astype(np.uint8)
    return np.asarray(_WHITE - dark, np.uint8), truth_of(layout)


def scan_name(order: ScanOrder) -> str:
    """The scan's name."""
    return f"{texts.sample_of(order.seed)}_tot_1"


def _check(order: ScanOrder) -> None:
    if min(order.width_px, order.height_px) < LEAST_SIDE_PX:
        raise ValueError(f"a scan has {LEAST_SIDE_PX} pixels on each side at least")
    if order.objects < 0 or not 0 <= order.touching <= 1 or order.seed < 0:
        raise ValueError("a scan has no negative number of objects or seed, and a share of touching ones from 0 to 1")


def _write_pictures(folder: Path, order: ScanOrder, layout: Layout, on_rows: OnRows | None) -> tuple[str, list[str]]:
    raw, back = folder / "Zooscan_scan" / "_raw", folder / "Zooscan_back"
    raw.mkdir(parents=True)
    back.mkdir()
    glass = Glass(np.random.default_rng([order.seed, 2]), order.width_px, order.height_px)
    stem = f"{texts.sample_of(order.seed)}_tot_raw_1"
    strips = _strips(order, layout, glass, on_rows)
    write_raw(raw / f"{stem}.tif", strips, width_px=order.height_px, height_px=order.width_px, dpi=_DPI, rows_per_strip=_ROWS)
    names = [f"{texts.BACKGROUND_AT}_back_large_raw_{number}.tif" for number in (1, 2)]
    for number, (name, light) in enumerate(zip(names, _LIGHTS, strict=True)):
        picture = glass.reduced(light)
        noise = Noise(np.random.default_rng([order.seed, 5, number]), picture.shape[1], order.noise_levels * _REDUCED_NOISE)
        for top in range(0, len(picture), _ROWS):
            noise.add(picture[top : top + _ROWS])
        high, wide = picture.shape
        write_raw(back / name, [picture], width_px=wide, height_px=high, dpi=_BACKGROUND_DPI, rows_per_strip=high)
    return stem, names


def _strips(order: ScanOrder, layout: Layout, glass: Glass, on_rows: OnRows | None) -> Iterator[npt.NDArray[np.uint16]]:
    """The raw scan from its first row: its rows are the upright scan's columns from the right, read from below."""
    noise = Noise(np.random.default_rng([order.seed, 3]), order.height_px, order.noise_levels)
    counts = np.rint(np.arange(_WHITE + 1) * COUNTS_PER_LEVEL).astype(np.uint16)
    for top in range(0, order.width_px, _ROWS):
        bottom = min(top + _ROWS, order.width_px)
        dark = paint(layout, order.width_px - bottom, order.width_px - top, order.height_px)
        strip = glass.strip(top, bottom)
        cv2.subtract(strip, counts[cv2.flip(cv2.transpose(dark), -1)], dst=strip)
        noise.add(strip)
        if on_rows is not None:
            on_rows(bottom, order.width_px)
        yield strip


def _write_texts(folder: Path, order: ScanOrder, layout: Layout, truth: tuple[TrueObject, ...]) -> None:
    name, values = scan_name(order), texts.meta_values(order.seed)
    raw, back = folder / "Zooscan_scan" / "_raw", folder / "Zooscan_back"
    config, meta = folder / "Zooscan_config", folder / "Zooscan_meta"
    (folder / "Zooscan_scan" / "_work").mkdir()
    config.mkdir()
    meta.mkdir()
    numbers = {"objects": order.objects, "seed": order.seed, "width_px": order.width_px, "height_px": order.height_px}
    readme = texts.README.format(**numbers, touching=order.touching, specks=len(layout.specks))
    _write(raw / f"{name}_log.txt", texts.scan_log(f"{texts.sample_of(order.seed)}_tot_raw_1"))
    _write(raw / f"{name}_meta.txt", texts.meta_text(values))
    medians = (MEDIAN * _LIGHTS[0], MEDIAN * _LIGHTS[1])
    _write(back / f"{texts.BACKGROUND_AT}_back_large_manual_log.txt", texts.background_log(medians))
    _write(config / "lut.txt", texts.LUT)
    _write(config / "process_install_both_config.txt", texts.CONFIG)
    _write(meta / "zooscan_sample_header_table.csv", texts.sample_table(values))
    _write(meta / "zooscan_scan_header_table.csv", texts.scan_table(values, name))
    _write(folder / "README.txt", readme)
    _write(folder / "parts.csv", "".join(parts_csv(layout)))
    _write(folder / "truth.csv", "".join(objects_csv(truth)))


def _write(path: Path, text: str) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
