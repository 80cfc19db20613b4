"""Kinds of pixels that instruments and programs write: read to the right values, or refused with the true cause."""

from __future__ import annotations

import io
import shutil
import struct
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from edge.errors import InputError, Reason
from edge.pipeline.decode import check_whole, decode, read_facts
from edge.pipeline.jpeg import jpeg_layout, without_metadata
from edge.values import ImageFacts
from models.runtime.vision import cv2
from tests.helpers.images import LONG, SHORT, Page, bmp_of, page_of, tiff_of

RNG = np.random.default_rng(11)
GREY = np.asarray(cv2.GaussianBlur(RNG.integers(0, 256, (45, 70), np.uint8), (5, 5), 0), np.uint8)
COLOUR = np.asarray(cv2.GaussianBlur(RNG.integers(0, 256, (45, 70, 3), np.uint8), (5, 5), 0), np.uint8)  # RGB
IMAGEMAGICK = shutil.which("magick") or shutil.which("convert-im6")


def read(data: bytes, name: str = "x") -> tuple[NDArray[np.uint8], ImageFacts]:
    """As RGB."""
    facts = read_facts(data, name)
    check_whole(data, facts)
    image = decode(data, facts)
    assert image.shape == (facts.height_px, facts.width_px, 3)
    return image[:, :, ::-1], facts


def refusal(data: bytes) -> InputError:
    with pytest.raises(InputError) as caught:
        read(data)
    return caught.value


def saved(image: Image.Image, kind: str, **options: Any) -> bytes:
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def three(grey: NDArray[Any]) -> NDArray[Any]:
    return np.repeat(grey[:, :, None], 3, axis=2)


# PNG


def test_a_png_of_one_bit_is_black_and_white() -> None:
    image, facts = read(saved(Image.fromarray(GREY > 120), "PNG"))
    assert np.array_equal(image, three(np.where(GREY > 120, 255, 0)))
    assert (facts.channels, facts.bits_per_channel) == (1, 8)


def test_a_png_of_grey_and_alpha_keeps_its_grey() -> None:
    alpha = np.tile(np.linspace(0, 255, GREY.shape[1]).astype(np.uint8), (GREY.shape[0], 1))
    image, facts = read(saved(Image.fromarray(np.dstack([GREY, alpha]), "LA"), "PNG"))
    assert np.array_equal(image, three(GREY))
    assert facts.channels == 2


@pytest.mark.parametrize("colours", [2, 4, 16, 256])
def test_a_palette_gives_its_colours(colours: int) -> None:
    indexed = Image.fromarray(COLOUR).quantize(colours)
    expected = np.asarray(indexed.convert("RGB"))
    assert np.array_equal(read(saved(indexed, "PNG"))[0], expected)
    assert np.array_equal(read(saved(indexed, "PNG", transparency=1))[0], expected)
    assert np.array_equal(read(saved(indexed, "BMP"))[0], expected)
    assert np.array_equal(read(saved(indexed, "TIFF"))[0], expected)


def test_an_animated_png_is_several_images() -> None:
    frames = [Image.fromarray(COLOUR), Image.fromarray(COLOUR[::-1].copy())]
    error = refusal(saved(frames[0], "PNG", save_all=True, append_images=frames[1:]))
    assert error.reason is Reason.SEVERAL_IMAGES


# JPEG


def cmyk_jpeg(*, adobe: bool = True) -> bytes:
    data = saved(Image.fromarray(COLOUR).convert("CMYK"), "JPEG", quality=100, subsampling=0)
    marker = data.index(b"\xff\xee")
    if adobe:
        return data
    return data[:marker] + data[marker + 2 + int.from_bytes(data[marker + 2 : marker + 4], "big") :]


def test_cmyk_of_adobe_is_stored_inverted() -> None:
    image, facts = read(cmyk_jpeg(), "a.jpg")
    assert np.abs(image.astype(int) - COLOUR).mean() < 1.5
    assert facts.channels == 4


def test_cmyk_without_adobes_mark_is_not_inverted() -> None:
    ink = Image.open(io.BytesIO(cmyk_jpeg(adobe=False)))
    cyan, magenta, yellow, black = (np.asarray(band, int) for band in ink.split())
    expected = np.dstack([(255 - band) * (255 - black) / 255 for band in (cyan, magenta, yellow)])
    assert np.abs(read(cmyk_jpeg(adobe=False), "a.jpg")[0] - expected).max() <= 1


def test_a_lost_block_inside_a_cmyk_jpeg_is_mostly_seen() -> None:
    large = np.asarray(cv2.resize(COLOUR, (1050, 675), interpolation=cv2.INTER_CUBIC), np.uint8)
    whole = saved(Image.fromarray(large).convert("CMYK"), "JPEG", quality=85)
    assert read(whole)[0].shape == large.shape
    refused = 0
    for start in range(2000, len(whole) - 3000, len(whole) // 20):
        try:
            read(whole[:start] + bytes(1024) + whole[start + 1024 :])
        except InputError:
            refused += 1
    assert refused >= 15


def test_what_only_tells_about_a_jpeg_is_left_out() -> None:
    exif = Image.Exif()
    exif[0x010E] = "x" * 500
    data = saved(Image.fromarray(COLOUR), "JPEG", exif=exif, comment=b"a comment", icc_profile=b"profile" * 50)
    bare = without_metadata(data)
    assert len(bare) < len(data) - 800
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(bare))), np.asarray(Image.open(io.BytesIO(data))))


@pytest.mark.parametrize(("marker", "word"), [(0xC3, "lossless"), (0xC9, "arithmetic"), (0xC5, "0xc5")])
def test_rare_kinds_of_jpeg_are_named(marker: int, word: str) -> None:
    data = bytearray(saved(Image.fromarray(COLOUR), "JPEG"))
    data[data.index(b"\xff\xc0") + 1] = marker
    error = refusal(bytes(data))
    assert error.reason is Reason.UNSUPPORTED_PIXELS
    assert word in str(error)


def test_a_jpeg_of_twelve_bits_is_named() -> None:
    data = bytearray(saved(Image.fromarray(COLOUR), "JPEG"))
    data[data.index(b"\xff\xc0") + 4] = 12
    assert "12 bits" in str(refusal(bytes(data)))


def test_a_jpeg_of_thousands_of_scans_is_refused() -> None:
    data = saved(Image.fromarray(COLOUR), "JPEG", progressive=True)
    start = data.index(b"\xff\xda")
    scan = data[start : start + 14]
    many = data[:start] + scan * 300 + data[start:]
    assert jpeg_layout(many).scan_count > 300
    assert refusal(many).reason is Reason.CORRUPT


# BMP


@pytest.mark.parametrize("bits", [1, 4, 8])
@pytest.mark.parametrize("top_down", [False, True])
def test_bitmaps_with_a_palette(bits: int, *, top_down: bool) -> None:
    palette = [tuple(int(value) for value in RNG.integers(0, 256, 3)) for _ in range(2**bits)]
    rows = RNG.integers(0, 2**bits, (13, 21), np.uint32)
    image, _ = read(bmp_of(rows, bits=bits, palette=palette, top_down=top_down), "a.bmp")  # type: ignore[arg-type]
    assert np.array_equal(image[:, :, ::-1], np.array(palette, np.uint8)[rows])


@pytest.mark.parametrize(("masks", "shifts"), [((0xF800, 0x7E0, 0x1F), (5, 6, 5)), ((0x7C00, 0x3E0, 0x1F), (5, 5, 5)), ((), (5, 5, 5))])
@pytest.mark.parametrize("top_down", [False, True])
def test_bitmaps_of_sixteen_bits(masks: tuple[int, ...], shifts: tuple[int, int, int], *, top_down: bool) -> None:
    red, green, blue = (RNG.integers(0, 2**bits, (13, 21), np.uint32) for bits in shifts)
    rows = (red << (shifts[1] + shifts[2])) | (green << shifts[2]) | blue
    image, _ = read(bmp_of(rows.astype(np.uint32), bits=16, masks=masks, top_down=top_down), "a.bmp")
    expected = np.dstack([channel * 255 / (2**bits - 1) for channel, bits in zip((red, green, blue), shifts, strict=True)])
    assert np.abs(image - expected).max() <= 1


@pytest.mark.parametrize("bits", [24, 32])
@pytest.mark.parametrize("top_down", [False, True])
def test_bitmaps_of_full_colour(bits: int, *, top_down: bool) -> None:
    channels = COLOUR.astype(np.uint32)
    rows = (channels[:, :, 0] << 16) | (channels[:, :, 1] << 8) | channels[:, :, 2]
    assert np.array_equal(read(bmp_of(rows.astype(np.uint32), bits=bits, top_down=top_down), "a.bmp")[0], COLOUR)


def test_a_bitmap_of_os2_is_read() -> None:
    windows = bmp_of(np.zeros((4, 4), np.uint32), bits=24)
    pixels = windows[54:-1] + b"\xff"
    data = b"BM" + struct.pack("<IHHI", 26 + len(pixels), 0, 0, 26) + struct.pack("<IHHHH", 12, 4, 4, 1, 24) + pixels
    image, _ = read(data, "a.bmp")
    assert image[0, 3].tolist() == [255, 0, 0]
    assert image[1:].max() == 0


@pytest.mark.parametrize(("compression", "word"), [(1, "RLE8"), (2, "RLE4"), (4, "JPEG"), (5, "PNG")])
def test_compressed_bitmaps_are_named(compression: int, word: str) -> None:
    error = refusal(bmp_of(np.zeros((4, 4), np.uint32), bits=8, palette=[(0, 0, 0)] * 256, compression=compression))
    assert error.reason is Reason.UNSUPPORTED_PIXELS
    assert word in str(error)


# TIFF

SIXTEEN = GREY.astype(np.uint16) * 257 + 3
SIXTEEN_AS_EIGHT = np.rint(SIXTEEN * (255 / 65535))


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("is_big", [False, True])
def test_byte_orders_and_big_tiffs(order: Any, *, is_big: bool) -> None:
    for image, expected in ((GREY, three(GREY)), (COLOUR, COLOUR), (SIXTEEN, three(SIXTEEN_AS_EIGHT))):
        read_back, facts = read(tiff_of(page_of(image, order=order), order=order, is_big=is_big), "a.tif")
        assert np.array_equal(read_back, expected)
        assert facts.bits_per_channel == 8 * image.dtype.itemsize


@pytest.mark.parametrize("compression", ["raw", "tiff_lzw", "tiff_adobe_deflate", "packbits", "jpeg", "zstd", "lzma"])
@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_compressions(compression: str, mode: str) -> None:
    source = Image.fromarray(COLOUR).convert(mode)
    options = {} if compression == "raw" else {"compression": compression}
    image, _ = read(saved(source, "TIFF", **options, **({"quality": 98} if compression == "jpeg" else {})), "a.tif")
    difference = np.abs(image.astype(int) - np.asarray(source.convert("RGB")))
    assert difference.mean() < 2.5 if compression == "jpeg" else difference.max() == 0


def tiles_of(image: NDArray[Any], side_px: int = 16) -> list[bytes]:
    height_px, width_px = image.shape[:2]
    grown = np.zeros((-(-height_px // side_px) * side_px, -(-width_px // side_px) * side_px, *image.shape[2:]), image.dtype)
    grown[:height_px, :width_px] = image
    rows, columns = grown.shape[0] // side_px, grown.shape[1] // side_px
    cuts = [(row * side_px, column * side_px) for row in range(rows) for column in range(columns)]
    return [grown[top : top + side_px, left : left + side_px].tobytes() for top, left in cuts]


@pytest.mark.parametrize(("image", "expected"), [(COLOUR, COLOUR), (GREY, three(GREY)), (SIXTEEN, three(SIXTEEN_AS_EIGHT))])
def test_tiles(image: NDArray[Any], expected: NDArray[Any]) -> None:
    page = page_of(image, pieces=tiles_of(image), t322=(SHORT, [16]), t323=(SHORT, [16]), is_tiled=True)
    assert np.array_equal(read(tiff_of(page), "a.tif")[0], expected)


def test_channels_one_behind_the_other() -> None:
    planes = [np.ascontiguousarray(COLOUR[:, :, index]).tobytes() for index in range(3)]
    assert np.array_equal(read(tiff_of(page_of(COLOUR, pieces=planes, t284=(SHORT, [2]))), "a.tif")[0], COLOUR)
    sixteen = COLOUR.astype(np.uint16) * 257
    planes = [np.ascontiguousarray(sixteen[:, :, index]).tobytes() for index in range(3)]
    assert "one behind the other" in str(refusal(tiff_of(page_of(sixteen, pieces=planes, t284=(SHORT, [2])))))


def test_zero_may_be_white() -> None:
    assert np.array_equal(read(tiff_of(page_of(GREY, photometric=0)))[0], three(255 - GREY))
    assert np.abs(read(tiff_of(page_of(SIXTEEN, photometric=0)))[0] - three(255 - SIXTEEN_AS_EIGHT)).max() <= 1


@pytest.mark.parametrize("bits", [1, 4])
def test_few_bits_are_spread_over_eight(bits: int) -> None:
    levels = RNG.integers(0, 2**bits, (11, 16), np.uint32)
    packed = bmp_of(levels[::-1], bits=bits)[54:]  # a bitmap packs its pixels the same way, but pads its rows
    row_bytes = 16 * bits // 8
    rows = b"".join(packed[row * (-(-row_bytes // 4) * 4) :][:row_bytes] for row in range(11))
    page = page_of(levels.astype(np.uint8), pieces=[rows], t258=(SHORT, [bits]))
    assert np.array_equal(read(tiff_of(page))[0], three(levels * 255 // (2**bits - 1)))


def test_grey_and_alpha_and_cmyk() -> None:
    alpha = np.tile(np.linspace(0, 255, 70).astype(np.uint8), (45, 1))
    image, facts = read(tiff_of(page_of(np.dstack([GREY, alpha]), t338=(SHORT, [2]))))
    assert np.array_equal(image, three(GREY))
    assert facts.channels == 2
    ink = np.dstack([255 - COLOUR, alpha[:, :, None] // 2])
    expected = COLOUR.astype(int) * (255 - ink[:, :, 3:].astype(int)) / 255
    assert np.abs(read(tiff_of(page_of(ink, photometric=5)))[0] - expected).max() <= 1


@pytest.mark.parametrize(
    ("page", "word"),
    [
        (page_of(GREY.astype(np.float32), t339=(SHORT, [3])), "floating-point"),
        (page_of(COLOUR.astype(np.float32), t339=(SHORT, [3, 3, 3])), "floating-point"),
        (page_of(GREY.astype(np.float16), t339=(SHORT, [3])), "floating-point"),
        (page_of(SIXTEEN.astype(np.int16), t339=(SHORT, [2])), "signed"),
        (page_of(GREY.astype(np.uint32)), "32 bits"),
        (page_of(SIXTEEN, t258=(SHORT, [12])), "12 bits"),
        (page_of(np.dstack([SIXTEEN, SIXTEEN]), t338=(SHORT, [2])), "2 channels of 16 bits"),
        (page_of(np.dstack([COLOUR, COLOUR[:, :, :2]])), "5 channels"),
        (page_of(COLOUR, t258=(SHORT, [5, 6, 5])), "different depths"),
        (page_of(GREY, photometric=32803), "raw sensor data"),
        (page_of(COLOUR, photometric=8), "L*a*b*"),
        (page_of(COLOUR, t259=(SHORT, [6])), "old-style JPEG"),
        (page_of(COLOUR, t259=(SHORT, [34712])), "JPEG 2000"),
    ],
)
def test_what_is_not_read_is_named(page: Page, word: str) -> None:
    error = refusal(tiff_of(page))
    assert error.reason is Reason.UNSUPPORTED_PIXELS
    assert word in str(error)


def test_a_stack_is_refused_and_says_how_many_images_it_holds() -> None:
    error = refusal(tiff_of(page_of(GREY), page_of(GREY), page_of(GREY)))
    assert error.reason is Reason.SEVERAL_IMAGES
    assert "3 images" in str(error)
    assert "Save each image" in error.advice()


def test_previews_and_masks_behind_an_image_are_passed_over() -> None:
    small = GREY[::2, ::2].copy()
    marks: tuple[dict[str, Any], ...] = ({"t254": (LONG, [1])}, {"t254": (LONG, [4])}, {"t254": (LONG, [5])}, {"t255": (SHORT, [2])})
    for mark in marks:
        data = tiff_of(page_of(COLOUR), page_of(small, **mark), page_of(small, **mark))
        assert np.array_equal(read(data)[0], COLOUR)


def test_a_preview_in_front_of_an_image_is_not_taken_for_it() -> None:
    error = refusal(tiff_of(page_of(GREY[::2, ::2].copy(), t254=(LONG, [1])), page_of(GREY)))
    assert error.reason is Reason.SEVERAL_IMAGES
    assert "preview" in str(error)


def test_a_chain_of_pages_that_runs_in_a_circle_is_corrupt() -> None:
    data = bytearray(tiff_of(page_of(GREY), page_of(GREY[::2].copy(), t254=(LONG, [1]))))
    data[-4:] = data[4:8]
    assert refusal(bytes(data)).reason is Reason.CORRUPT


def test_a_lost_block_inside_a_jpeg_in_a_tiff_is_seen() -> None:
    data = bytearray(saved(Image.fromarray(cv2.resize(COLOUR, (700, 450))), "TIFF", compression="jpeg", quality=95))
    middle = len(data) // 2
    data[middle : middle + 512] = bytes(512)
    assert refusal(bytes(data)).reason is Reason.CORRUPT


def test_parts_in_the_same_place_are_corrupt() -> None:
    strip = GREY[:15].tobytes()
    page = page_of(GREY, pieces=[strip] * 3, t278=(LONG, [15]))
    assert refusal(tiff_of(Page(tags={**page.tags, 273: (LONG, [8, 8, 8])}, pieces=page.pieces))).reason is Reason.CORRUPT


def test_tiles_much_larger_than_the_image_are_corrupt() -> None:
    page = page_of(COLOUR, pieces=[b"x" * 50], t259=(SHORT, [5]), t322=(LONG, [1 << 20]), t323=(LONG, [1 << 20]), is_tiled=True)
    assert "much larger" in str(refusal(tiff_of(page)))


# An independent witness


@pytest.mark.skipif(IMAGEMAGICK is None, reason="ImageMagick is not installed")
@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("PNG:grey-alpha.png", ["-colorspace", "Gray", "-alpha", "on", "-define", "png:color-type=4"]),
        ("PNG:sixteen.png", ["-depth", "16", "-define", "png:bit-depth=16"]),
        ("PNG:interlaced.png", ["-interlace", "PNG"]),
        ("JPEG:cmyk.jpg", ["-colorspace", "CMYK"]),
        ("BMP3:palette.bmp", ["-colors", "16", "-type", "palette", "-compress", "none"]),
        ("BMP:565.bmp", ["-define", "bmp:subtype=RGB565"]),
        ("BMP:alpha.bmp", ["-alpha", "on"]),
        ("TIFF:group4.tif", ["-monochrome", "-compress", "Group4"]),
        ("TIFF:jpeg.tif", ["-compress", "JPEG"]),
        ("TIFF:cmyk.tif", ["-colorspace", "CMYK", "-compress", "LZW"]),
        ("TIFF:big-endian.tif", ["-endian", "MSB", "-depth", "16", "-compress", "Zip"]),
        ("TIFF64:big.tif", ["-compress", "LZW"]),
        ("TIFF:planes.tif", ["-interlace", "plane", "-compress", "Zip"]),
        ("TIFF:tiles.tif", ["-define", "tiff:tile-geometry=32x32", "-compress", "LZW"]),
        ("TIFF:grey-alpha.tif", ["-colorspace", "Gray", "-alpha", "on", "-compress", "LZW"]),
        ("TIFF:white.tif", ["-colorspace", "Gray", "-define", "quantum:polarity=min-is-white", "-depth", "16"]),
    ],
)
def test_imagemagick_sees_the_same_pixels(tmp_path: Path, name: str, options: list[str]) -> None:
    assert IMAGEMAGICK is not None
    source, made = tmp_path / "source.png", tmp_path / name.partition(":")[2]
    Image.fromarray(COLOUR).save(source)
    subprocess.run([IMAGEMAGICK, str(source), *options, f"{name.partition(':')[0]}:{made}"], check=True)
    told = subprocess.run(
        [IMAGEMAGICK, str(made), "-alpha", "off", "-colorspace", "sRGB", "-depth", "8", "rgb:-"], check=True, capture_output=True
    ).stdout
    seen = np.frombuffer(told, np.uint8).reshape(COLOUR.shape).astype(int)
    assert np.abs(read(made.read_bytes(), made.name)[0] - seen).max() <= 1
