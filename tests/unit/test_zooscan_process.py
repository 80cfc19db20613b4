"""One scan from raw files to a folder with objects, vignettes and the clean picture."""

from __future__ import annotations

import hashlib
import io
import math
import zipfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image

from edge.values import Float32Array, UInt8Array
from edge.zooscan.legacy_table import legacy_columns
from edge.zooscan.measure.table import measure_particles
from edge.zooscan.process.clean_file import open_clean
from edge.zooscan.process.flow import process_scan
from edge.zooscan.process.keys import box_of
from edge.zooscan.process.resegment import filled_of
from edge.zooscan.process.values import ProcessedScan, ScanInput
from edge.zooscan.scan import Stopwatch
from edge.zooscan.segment import find_particles
from edge.zooscan.separate import WatershedSeparator
from tests.helpers.scans import lone, touching, write_raw


def processed(scan: ScanInput, folder: Path, **asked: Any) -> ProcessedScan:
    given: dict[str, Any] = {"classifier": None, "separator": None, "processes": 2, "watch": Stopwatch(), "stopping": lambda: False}
    return process_scan(scan, folder, **(given | asked))


@pytest.fixture(scope="module")
def scan(tmp_path_factory: pytest.TempPathFactory) -> ScanInput:
    return write_raw(tmp_path_factory.mktemp("raw"), lone(9))


@pytest.fixture(scope="module")
def run(scan: ScanInput, tmp_path_factory: pytest.TempPathFactory) -> tuple[ProcessedScan, Path]:
    folder = tmp_path_factory.mktemp("runs") / "run"
    return processed(scan, folder), folder


def test_every_animal_becomes_an_object_with_all_measures(run: tuple[ProcessedScan, Path], scan: ScanInput) -> None:
    found, folder = run
    clean = open_clean(folder / "clean.tif")
    assert (found.height_px, found.width_px) == clean.shape
    assert found.concerns == ()
    assert found.raw_sha256 == hashlib.sha256(scan.raw.read_bytes()).hexdigest()
    assert len(found.objects) == 9
    particles = list(find_particles(clean, scan.settings.segment))
    table = measure_particles(particles, found.pixel_mm)
    for row, (one, particle) in enumerate(zip(found.objects, particles, strict=True)):
        assert one.measures == pytest.approx({name: values[row] for name, values in table.items()}, nan_ok=True)
        assert one.outline.dtype == np.dtype("<u2")
        assert (filled_of(box_of(particle), one.outline) == particle.filled).all()
    assert {column.lower() for column in legacy_columns()} >= set(found.objects[0].measures)
    assert found.peak_rss_mib > 0


def test_the_folder_has_the_clean_picture_and_a_vignette_of_each_object(run: tuple[ProcessedScan, Path]) -> None:
    found, folder = run
    assert sorted(path.name for path in folder.iterdir()) == ["clean.tif", "overview.tif", "vignettes.zip"]
    assert [path.name for path in folder.parent.iterdir()] == ["run"]
    with tifffile.TiffFile(folder / "clean.tif") as tiff:
        page = tiff.pages.first
        assert (page.asarray() == open_clean(folder / "clean.tif")).all()
        assert page.tags["XResolution"].value == (2_400_000, 1000)
    with zipfile.ZipFile(folder / "vignettes.zip") as archive:
        assert archive.testzip() is None
        assert set(archive.namelist()) == {one.vignette for one in found.objects}
        assert {info.compress_type for info in archive.infolist()} == {zipfile.ZIP_STORED}
        one = found.objects[0]
        picture = Image.open(io.BytesIO(archive.read(one.vignette)))
        assert picture.size == (round(max(1.4 * one.width_px, 2400 / 25.4 + 20)), round(1.4 * one.height_px + 31))
        assert picture.mode == "L"
        assert picture.info["dpi"] == pytest.approx((2400, 2400), abs=0.1)


def test_the_same_scan_gives_the_same_folder_again(scan: ScanInput, run: tuple[ProcessedScan, Path], tmp_path: Path) -> None:
    found, folder = run
    again = processed(scan, tmp_path / "again", processes=1)
    assert [one.key for one in again.objects] == [one.key for one in found.objects]
    for name in ("clean.tif", "vignettes.zip"):
        assert (tmp_path / "again" / name).read_bytes() == (folder / name).read_bytes()
    for one, other in zip(found.objects, again.objects, strict=True):
        assert all(math.isclose(one.measures[name], other.measures[name]) for name in one.measures if not math.isnan(one.measures[name]))


# Multiples and lines -------------------------------------------------------------------------------------------------


class BySize:
    """Takes what covers much for several animals."""

    def __init__(self) -> None:
        self.seen: list[int] = []

    def scores(self, crops: Sequence[UInt8Array]) -> Float32Array:
        """More pixels, a higher score."""
        self.seen += [crop.size for crop in crops]
        return np.array([min(1.0, float((crop < 255).sum()) / 6000) for crop in crops], np.float32)


def test_multiples_are_cut_and_their_parts_measured(tmp_path: Path) -> None:
    scan = write_raw(tmp_path / "raw", [*lone(4), *touching()])
    classifier, separator = BySize(), WatershedSeparator()
    watch = Stopwatch()
    found = processed(scan, tmp_path / "run", classifier=classifier, separator=separator, threshold=0.8, watch=watch)
    (whole,) = found.retired
    (line,) = found.lines
    assert line.object_key == whole.key
    assert whole.multiple_score is not None
    assert whole.multiple_score > 0.8
    parts = [one for one in found.objects if one.cut_from is not None]
    assert [one.cut_from for one in parts] == [whole.key] * 2
    assert len(found.objects) == 6
    assert len(classifier.seen) == 5 + 2
    assert all(one.multiple_score is not None for one in found.objects)
    clean = open_clean(tmp_path / "run" / "clean.tif").copy()
    clean[line.pixels[:, 1], line.pixels[:, 0]] = 255
    again = {(one.x_px, one.y_px, one.width_px, one.height_px) for one in find_particles(clean, scan.settings.segment)}
    assert {(one.x_px, one.y_px, one.width_px, one.height_px) for one in found.objects} == again
    with zipfile.ZipFile(tmp_path / "run" / "vignettes.zip") as archive:
        assert set(archive.namelist()) == {one.vignette for one in (*found.objects, *found.retired)}
    assert {"background", "convert", "frame", "segment", "classify", "separate", "measure", "write"} == set(watch.stages_s)


def test_an_erased_line_is_not_drawn_again_and_a_drawn_one_is(tmp_path: Path) -> None:
    scan = write_raw(tmp_path / "raw", [*lone(2), *touching()])
    asked: dict[str, Any] = {"classifier": BySize(), "separator": WatershedSeparator(), "threshold": 0.8}
    first = processed(scan, tmp_path / "first", **asked)
    (whole,) = first.retired
    spared = processed(replace(scan, spared=(whole.key,)), tmp_path / "spared", **asked)
    assert (spared.retired, spared.lines) == ((), ())
    assert whole.key in {one.key for one in spared.objects}
    x = whole.x_px + whole.width_px // 3
    drawn = np.array([(x, y) for y in range(whole.y_px - 5, whole.y_px + whole.height_px + 5)], np.int32)
    human = processed(replace(scan, spared=(whole.key,), human_lines=drawn), tmp_path / "human", **asked)
    assert [one.key for one in human.retired] == [whole.key]
    assert human.lines == ()
    assert {one.cut_from for one in human.objects} == {None, whole.key}
    assert len(human.objects) == 4
    assert (tmp_path / "human" / "clean.tif").read_bytes() == (tmp_path / "first" / "clean.tif").read_bytes()
    wanted = processed(replace(scan, wanted=(whole.key,)), tmp_path / "wanted", classifier=None, separator=WatershedSeparator())
    assert [one.key for one in wanted.retired] == [whole.key]
    assert all(one.multiple_score is None for one in wanted.objects)
