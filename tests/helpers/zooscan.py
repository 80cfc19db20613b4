"""ZooScan in tests: a home with a scan in it that was found, measured and drawn for real, and small project folders to be processed.

seeded = seed_scan(connection, home=home, objects=12, multiples=3)       # a scan with a result, at most a tenth of a second
write_project(folder, scans=("st66_d1_1",))                             # a project as a scanner leaves it, 2400 x 1200 pixels
"""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import tifffile
from numpy.typing import NDArray

from edge.store.clock import uuid7
from edge.store.reads.zooscan_objects import pack_outline
from edge.store.sqlite import Connection
from edge.store.zooscan.runs import NewObject, NewRun, record_run
from edge.store.zooscan.scans import SeenScan, begin, put_project, put_scan
from edge.values import UInt8Array
from edge.zooscan.measure.table import measure_particles
from edge.zooscan.particle import Particle
from edge.zooscan.process.clean_file import CLEAN_NAME, write_clean
from edge.zooscan.process.keys import key_of
from edge.zooscan.process.vignette import vignette_png
from edge.zooscan.segment import SegmentSettings, find_particles

SCAN = "st66_d1_1"
PROJECT = "Zooscan_test_sn033"
GLASS_GREY = 40_000
THRESHOLD = 0.4
FRAME_PX = 100

META = {
    "SampleId": "st66",
    "Ship": "test",
    "Date": "20260612-1430",
    "Latitude": "51.3000",
    "Longitude": "12.1500",
    "Depth": "120",
    "Zmax": "100",
    "Zmin": "0",
    "Nettype": "wp2",
    "Netmesh": "200",
    "Netsurf": "0.25",
    "Vol": "25.5",
    "FracId": "d1",
    "Fracmin": "1000",
    "Fracsup": "999999",
    "Fracnb": "4",
    "SubMethod": "motoda",
}
"""What a META says: 51 degrees 30 minutes north, 12 degrees 15 minutes west."""


def meta_text(**changes: str | None) -> str:
    """A META's lines; None leaves a key out."""
    return "".join(f"{key}= {value}\r\n" for key, value in {**META, **changes}.items() if value is not None)


def log_text(*, date: str = "20260613_0915", serial: str = "sn033", resolution: str = "3", area: str = "large") -> str:
    """A scanner's LOG."""
    return (
        f"PID\r\n[Image]\r\nScanning_date= {date}\r\nScanning_area= {area}\r\n[Input]\r\nSource=Scanner\r\n"
        f"DefaultFolder=Y:\\\\Zooscan_test_{serial}\\\\Zooscan_scan\r\n[Input-Scanner-Flatbed]\r\nBitsPerPixel=3\r\n"
        f"ScanResolution={resolution}\r\n"
    )


def draw_objects(objects: int, *, seed: int = 1, touching: int = 0, columns: int = 6, cell_px: int = 200) -> UInt8Array:
    """A clean picture: dark ellipses on white, one in the middle of each cell of a grid; the first `touching` are pairs that touch."""
    chance = np.random.default_rng(seed)
    rows = -(-objects // columns)
    image = np.full((rows * cell_px, columns * cell_px), 255, np.uint8)
    y, x = np.mgrid[0:cell_px, 0:cell_px].astype(np.float64) - cell_px / 2
    for number in range(objects):
        row, column = divmod(number, columns)
        long, short, angle = chance.uniform(26, 40), chance.uniform(16, 24), chance.uniform(0, np.pi)
        dark = _ellipse(x, y, long, short, angle)
        if number < touching:  # a second one, one pixel deep in the first one's end
            away = 2 * long - 1
            dark |= _ellipse(x - away * np.cos(angle), y - away * np.sin(angle), long, short, angle)
        greys = np.clip(chance.normal(150, 25, dark.shape), 40, 230).astype(np.uint8)
        cell = image[row * cell_px : (row + 1) * cell_px, column * cell_px : (column + 1) * cell_px]
        cell[dark] = greys[dark]
    return image


def _ellipse(x: NDArray[np.float64], y: NDArray[np.float64], long: float, short: float, angle: float) -> NDArray[np.bool_]:
    along, across = x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle)
    inside: NDArray[np.bool_] = (along / long) ** 2 + (across / short) ** 2 <= 1
    return inside


@dataclass(frozen=True, slots=True, kw_only=True)
class SeededScan:
    """A scan with a result. `folder`: of its run, there if `seed_scan` was given a home."""

    scan_id: int
    scan_uuid: str
    project_id: int
    run_id: int
    run_uuid: str
    keys: tuple[str, ...]
    folder: str
    clean: UInt8Array = field(repr=False)


def seed_scan(
    connection: Connection,
    *,
    home: Path | None = None,
    name: str = SCAN,
    project: str = PROJECT,
    objects: int = 12,
    multiples: int = 0,
    touching: int = 0,
    scored: bool = True,
    seed: int = 1,
    meta: str | None = None,
) -> SeededScan:
    """A scan that was processed.

    Args:
        connection: a writing one.
        home: the home folder, if the run's files shall be there.
        objects: how many were found; `touching` of them are pairs that touch.
        multiples: so many have a score above the threshold, the first ones.
        scored: a classifier looked at them.
        meta: of the scan; else `meta_text()`.
    """
    clean = draw_objects(objects, seed=seed, touching=touching)
    settings = SegmentSettings()
    found = list(find_particles(clean, settings))
    assert len(found) == objects, f"{len(found)} objects were drawn"
    project_id = put_project(connection, f"/scans/{project}", project.split("_")[1], project.rpartition("_")[2])
    seen = SeenScan(
        name=name,
        raw_path=f"/scans/{project}/Zooscan_scan/_raw/{name.rpartition('_')[0]}_raw_1.tif",
        raw_bytes=1000,
        raw_mtime_ns=1,
        log=log_text().encode(),
        meta=(meta or meta_text()).encode(),
        background="20260613_0805_background_large_manual.tif",
        background_paths=(f"/scans/{project}/Zooscan_back/1.tif", f"/scans/{project}/Zooscan_back/2.tif"),
        scanned_local="2026-06-13T09:15",
    )
    scan_id = put_scan(connection, project_id, seen)
    (scan_uuid,) = connection.execute("SELECT uuid FROM zooscan_scans WHERE id = ?", (scan_id,)).fetchone()
    assert begin(connection, scan_id)
    scores = [0.9 - 0.01 * number if number < multiples else 0.1 for number in range(objects)] if scored else None
    run = _run_of(clean, found, scores, scan_uuid)
    if home is not None:
        _write_run(home / run.folder, clean, found, [one.key for one in run.objects])
    run_id = record_run(connection, scan_id, run)
    assert run_id is not None
    return SeededScan(
        scan_id=scan_id,
        scan_uuid=scan_uuid,
        project_id=project_id,
        run_id=run_id,
        run_uuid=run.uuid,
        keys=tuple(one.key for one in run.objects),
        folder=run.folder,
        clean=clean,
    )


def _run_of(clean: UInt8Array, found: list[Particle], scores: Sequence[float] | None, scan_uuid: str) -> NewRun:
    table = measure_particles(found, SegmentSettings().pixel_mm)
    keys = [key_of(one) for one in found]
    objects = [
        NewObject(
            key=key,
            x_px=one.x_px,
            y_px=one.y_px,
            width_px=one.width_px,
            height_px=one.height_px,
            measures={measure: float(values[number]) for measure, values in table.items()},
            outline=pack_outline(one.chain.astype(np.uint16)),
            multiple_score=None if scores is None else scores[number],
            cut_from=None,
            vignettes=f"vignettes.zip/{key}.png",
        )
        for number, (key, one) in enumerate(zip(keys, found, strict=True))
    ]
    height_px, width_px = clean.shape
    run_uuid = uuid7()
    settings_json = json.dumps({"upper": 243})
    return NewRun(
        uuid=run_uuid,
        raw_sha256=hashlib.sha256(clean.tobytes()).hexdigest(),
        background="20260613_0805_background_large_manual.tif",
        settings_json=settings_json,
        settings_sha256=hashlib.sha256(settings_json.encode()).hexdigest(),
        width_px=width_px,
        height_px=height_px,
        pixel_mm=SegmentSettings().pixel_mm,
        grey_min=551,
        grey_max=46_000,
        frame={"left": 0, "top": 0, "right": width_px, "bottom": height_px, "width": width_px, "height": height_px, "missing": []},
        black_share=0.05,
        concerns=(),
        classifier_model_id=None,
        multiple_threshold=None if scores is None else THRESHOLD,
        separator="",
        stages_s={"convert": 0.5, "measure": 1.25},
        elapsed_s=2.5,
        peak_rss_mib=310.0,
        folder=f"zooscan/{scan_uuid}/{run_uuid}",
        objects=objects,
    )


def _write_run(folder: Path, clean: UInt8Array, found: list[Particle], keys: list[str]) -> None:
    folder.mkdir(parents=True)
    write_clean(folder / CLEAN_NAME, clean, 2400.0)
    with zipfile.ZipFile(folder / "vignettes.zip", "w") as archive:
        for key, one in zip(keys, found, strict=True):
            archive.writestr(f"{key}.png", vignette_png(one.alone, 2400.0))


def write_project(
    folder: Path,
    *,
    scans: Sequence[str] = (SCAN,),
    objects: int = 12,
    touching: int = 0,
    meta: str | None = None,
    log: str | None = None,
    background: str = "20260613_0805",
    seed: int = 1,
) -> Path:
    """A project folder with scans and one pair of backgrounds of before them, each scan 2400 x 1200 pixels with its texts."""
    raw, back = folder / "Zooscan_scan" / "_raw", folder / "Zooscan_back"
    for part in (raw, back, folder / "Zooscan_config"):
        part.mkdir(parents=True, exist_ok=True)
    write_backgrounds(back, background)
    for number, name in enumerate(scans):
        stem, _, last = name.rpartition("_")
        write_raw(raw / f"{stem}_raw_{last}.tif", draw_objects(objects, seed=seed + number, touching=touching))
        (raw / f"{name}_log.txt").write_bytes((log or log_text()).encode("cp1252"))
        (raw / f"{name}_meta.txt").write_bytes((meta or meta_text()).encode("cp1252"))
    return folder


def write_raw(path: Path, clean: UInt8Array, *, height_px: int = 1200, width_px: int = 2400) -> Path:
    """A raw scan, 16 bits and upright only after it is turned, that shows a clean picture in the middle of glass; a frame at the right."""
    upright = np.full((height_px, width_px), GLASS_GREY, np.float64)
    top, left = (height_px - clean.shape[0]) // 2, (width_px - clean.shape[1]) // 2
    upright[top : top + clean.shape[0], left : left + clean.shape[1]] *= clean / 255.0
    upright[:, -FRAME_PX:] *= 0.4
    upright += np.random.default_rng(0).normal(0, 60, upright.shape)
    path.parent.mkdir(parents=True, exist_ok=True)
    raw = np.ascontiguousarray(np.rot90(np.flipud(upright), 1).astype(np.uint16))
    tifffile.imwrite(path, raw, photometric="minisblack", resolution=(2400, 2400), resolutionunit="INCH")
    return path


def write_backgrounds(folder: Path, at: str, *, frame: str = "large", height_px: int = 1200, width_px: int = 2400) -> tuple[Path, Path]:
    """Two scans of the empty glass at 300 dpi, of one moment."""
    paths = (folder / f"{at}_back_{frame}_raw_1.tif", folder / f"{at}_back_{frame}_raw_2.tif")
    folder.mkdir(parents=True, exist_ok=True)
    for number, path in enumerate(paths):
        noise = np.random.default_rng(number).normal(0, 60, (width_px // 8, height_px // 8))
        glass = (GLASS_GREY + noise).astype(np.uint16)
        tifffile.imwrite(path, glass, photometric="minisblack", resolution=(300, 300), resolutionunit="INCH")
    return paths
