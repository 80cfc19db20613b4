"""Raw scans: read as they lie in the file, refused with the reason that is right, made into a clean picture."""

from __future__ import annotations

import struct
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
import tifffile
from numpy.typing import NDArray

from edge.errors import InputError, Reason
from edge.zooscan.project.config import read_settings
from edge.zooscan.raw import open_raw
from edge.zooscan.scan import CleanScan, Stopwatch, clean_scan
from edge.zooscan.segment import find_particles

GLASS = 54_000


def noise(seed: int, shape: tuple[int, int]) -> NDArray[np.uint16]:
    return np.random.default_rng(seed).integers(GLASS - 300, GLASS + 300, shape, dtype=np.uint16)


def framed(image: NDArray[np.uint16], edge_px: int) -> NDArray[np.uint16]:
    """The shadow of a frame: half the light at the edge, all of it from `edge_px` on."""
    light = [np.clip(0.5 + 0.5 * np.minimum(np.arange(side), np.arange(side)[::-1]) / edge_px, 0, 1) for side in image.shape]
    return (image * np.minimum(light[0][:, None], light[1][None, :])).astype(np.uint16)


def write_scan(folder: Path, *, spots: int = 6) -> tuple[Path, Path, Path]:
    """A scan of 3200 x 4800 with dark squares of 40 pixels, and two backgrounds at an eighth of it."""
    scan = noise(0, (4800, 3200))
    for number in range(spots):
        scan[400 + 200 * number : 440 + 200 * number, 700:740] = 20_000
    paths = folder / "scan.tif", folder / "back_1.tif", folder / "back_2.tif"
    tifffile.imwrite(paths[0], framed(scan, 152), resolution=(2400, 2400), rowsperstrip=7)
    for number, path in enumerate(paths[1:], start=1):
        tifffile.imwrite(path, framed(noise(number, (600, 400)), 19), resolution=(300, 300))
    return paths


def cleaned(paths: tuple[Path, Path, Path], watch: Stopwatch | None = None) -> CleanScan:
    with ExitStack() as stack:
        raw, first, second = (stack.enter_context(open_raw(path)) for path in paths)
        return clean_scan(raw, (first, second), read_settings(None, None), threads=2, watch=watch)


@pytest.mark.parametrize("byte_order", ["<", ">"])
@pytest.mark.parametrize("rows_per_strip", [1, 7, 64])
def test_rows_are_those_of_the_picture_wherever_they_lie(tmp_path: Path, byte_order: Literal["<", ">"], rows_per_strip: int) -> None:
    image = np.random.default_rng(1).integers(0, 65_536, (40, 30), dtype=np.uint16)
    tifffile.imwrite(tmp_path / "a.tif", image, byteorder=byte_order, rowsperstrip=rows_per_strip, resolution=(945, 945), resolutionunit=3)
    with open_raw(tmp_path / "a.tif") as raw:
        assert raw.header.resolution_dpi == pytest.approx(2400, abs=1)
        for top, bottom in ((0, 40), (5, 6), (6, 29)):
            rows = raw.rows(top, bottom)
            assert rows.dtype == np.uint16
            assert (rows == image[top:bottom]).all()


@pytest.mark.parametrize(
    ("written", "reason"),
    [
        ({"data": np.zeros((9, 9), np.uint8)}, Reason.UNSUPPORTED_PIXELS),
        ({"data": np.zeros((9, 9, 3), np.uint16), "photometric": "rgb"}, Reason.UNSUPPORTED_PIXELS),
        ({"data": np.zeros((9, 9), np.uint16), "compression": "zlib"}, Reason.UNSUPPORTED_PIXELS),
        ({"data": np.zeros((9, 9), np.uint16), "photometric": "miniswhite"}, Reason.UNSUPPORTED_PIXELS),
        ({"data": np.zeros((2, 9, 9), np.uint16)}, Reason.SEVERAL_IMAGES),
    ],
)
def test_other_pictures_are_refused(tmp_path: Path, written: dict[str, Any], reason: Reason) -> None:
    tifffile.imwrite(tmp_path / "a.tif", metadata=None, **written)
    with pytest.raises(InputError) as raised, open_raw(tmp_path / "a.tif"):
        pass
    assert raised.value.reason is reason


def test_a_cut_scan_a_text_and_no_file_are_told_apart(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "cut.tif", noise(0, (50, 50)))
    whole = (tmp_path / "cut.tif").read_bytes()
    (tmp_path / "cut.tif").write_bytes(whole[:-2])
    (tmp_path / "text.tif").write_text("no picture", encoding="utf-8")
    (tmp_path / "torn.tif").write_bytes(whole[:12])
    told = {}
    for name in ("cut", "text", "torn", "none"):
        with pytest.raises(InputError) as raised, open_raw(tmp_path / f"{name}.tif"):
            pass
        told[name] = raised.value.reason
    assert told == {"cut": Reason.TRUNCATED, "text": Reason.UNKNOWN_FORMAT, "torn": Reason.CORRUPT, "none": Reason.VANISHED}


@pytest.mark.parametrize("size", [4, 8, 100, 5000])
def test_a_scan_cut_before_its_directory_is_not_several_pictures(tmp_path: Path, size: int) -> None:
    pixels = noise(0, (50, 50)).tobytes()
    tags = [(256, 50), (257, 50), (258, 16), (259, 1), (262, 1), (273, 8), (277, 1), (278, 50), (279, len(pixels))]
    directory = struct.pack("<H", len(tags)) + b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags) + bytes(4)
    whole = b"II*\0" + struct.pack("<I", 8 + len(pixels)) + pixels + directory
    (tmp_path / "a.tif").write_bytes(whole)
    with open_raw(tmp_path / "a.tif") as raw:
        assert raw.header.height_px == 50
    (tmp_path / "a.tif").write_bytes(whole[:size])
    with pytest.raises(InputError) as raised, open_raw(tmp_path / "a.tif"):
        pass
    assert raised.value.reason is (Reason.CORRUPT if size == 4 else Reason.TRUNCATED)
    assert "pictures" not in str(raised.value)


def test_what_is_left_of_a_scan_is_what_lay_on_the_glass(tmp_path: Path) -> None:
    watch = Stopwatch()
    clean = cleaned(write_scan(tmp_path), watch)
    found = list(find_particles(clean.image, read_settings(None, None).segment))
    assert [(one.width_px, one.height_px) for one in found] == [(40, 40)] * 6
    # The way of the carriage is the picture's x, from the right; what lay across is its y, from below.
    assert {one.y_px for one in found} == {3200 - 740}
    assert sorted(one.x_px for one in found) == [4800 - 440 - 200 * number for number in reversed(range(6))]
    assert clean.concerns == ()
    assert set(watch.stages_s) == {"background", "convert", "frame"}


def test_an_empty_glass_is_a_concern_and_so_is_a_missing_frame(tmp_path: Path) -> None:
    paths = write_scan(tmp_path, spots=0)
    image = tifffile.imread(paths[0])
    image[:, :152] = image[:, 200:352]  # the side that lies below
    tifffile.imwrite(paths[0], image)
    # The shadow that the backgrounds have there runs against the frame's other lines.
    assert cleaned(paths).concerns == (
        "no frame was seen on these sides: bottom",
        "objects that lie across the frame are left out: left 1, right 1",
    )


@pytest.mark.parametrize("shape", [(300, 400), (600, 300), (1600, 1066)])
def test_backgrounds_of_another_glass_are_refused(tmp_path: Path, shape: tuple[int, int]) -> None:
    paths = write_scan(tmp_path)
    for path in paths[1:]:
        tifffile.imwrite(path, noise(1, shape))
    with pytest.raises(InputError, match="same glass") as raised:
        cleaned(paths)
    assert raised.value.reason is Reason.BACKGROUND_MISMATCH


def test_two_backgrounds_of_different_sizes_are_refused(tmp_path: Path) -> None:
    paths = write_scan(tmp_path)
    tifffile.imwrite(paths[2], noise(1, (590, 400)))
    with pytest.raises(InputError, match="different sizes"):
        cleaned(paths)
