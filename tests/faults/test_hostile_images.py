"""Damaged and hostile image files of every format: a result or a reason, soon, within bounded memory, and the same one again."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from edge.errors import Reason
from models.runtime.vision import cv2
from tests.helpers.decoding_child import DecodingChild
from tests.helpers.images import LONG, SHORT, bmp_of, page_of, tiff_of

SCENE = np.asarray(cv2.GaussianBlur(np.random.default_rng(2).integers(0, 256, (90, 130, 3), np.uint8), (9, 9), 0), np.uint8)
GREY16 = SCENE[:, :, 0].astype(np.uint16) * 257
REASONS = {str(reason) for reason in Reason}


def saved(kind: str, mode: str = "RGB", **options: object) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = 6
    exif.get_ifd(0x8769)[0x9003] = "2023:06:03 16:32:07"
    if kind in ("JPEG", "PNG"):
        options["exif"] = exif
    stream = io.BytesIO()
    Image.fromarray(SCENE).convert(mode).save(stream, kind, **options)
    return stream.getvalue()


FILES = {
    "baseline.jpg": saved("JPEG"),
    "progressive.jpg": saved("JPEG", progressive=True),
    "cmyk.jpg": saved("JPEG", "CMYK"),
    "colour.png": saved("PNG"),
    "palette.png": saved("PNG", "P"),
    "one-bit.png": saved("PNG", "1"),
    "grey-alpha.png": saved("PNG", "LA"),
    "plain.tif": saved("TIFF"),
    "lzw.tif": saved("TIFF", compression="tiff_lzw"),
    "deflate.tif": saved("TIFF", compression="tiff_adobe_deflate"),
    "packbits.tif": saved("TIFF", compression="packbits"),
    "jpeg.tif": saved("TIFF", compression="jpeg"),
    "zstd.tif": saved("TIFF", compression="zstd"),
    "fax.tif": saved("TIFF", "1", compression="group4"),
    "palette.tif": saved("TIFF", "P"),
    "big16.tif": tiff_of(page_of(GREY16, order=">"), order=">", is_big=True),
    "tiles.tif": tiff_of(
        page_of(SCENE, pieces=[bytes(64 * 64 * 3)] * 6, t322=(SHORT, [64]), t323=(SHORT, [64]), is_tiled=True),
        page_of(SCENE[::2, ::2].copy(), t254=(LONG, [1])),
    ),
    "colour.bmp": saved("BMP"),
    "palette.bmp": saved("BMP", "P"),
    "565.bmp": bmp_of(GREY16.astype(np.uint32), bits=16, masks=(0xF800, 0x7E0, 0x1F)),
}


@pytest.fixture(scope="module")
def child() -> Iterator[DecodingChild]:
    with DecodingChild() as decoding:
        yield decoding


def is_an_answer(said: str) -> bool:
    return said.startswith("pixels ") or said in REASONS


@pytest.mark.timeout(600)
def test_the_files_are_read_when_nobody_touches_them(child: DecodingChild) -> None:
    said = {name: child.answer(data, name) for name, data in FILES.items()}
    assert {name: answer for name, answer in said.items() if not answer.startswith("pixels ")} == {}


_DAMAGE = st.lists(
    st.tuples(
        st.sampled_from(["set", "flip", "cut", "zeros", "copy", "grow"]),
        st.one_of(st.floats(0, 1, exclude_max=True), st.integers(0, 200), st.integers(-200, -1)),
        st.integers(0, 255),
    ),
    min_size=1,
    max_size=6,
)


def damaged(data: bytes, damage: list[tuple[str, float | int, int]]) -> bytes:
    """Places are a share of the file, or bytes from its beginning or end, where the structure is."""
    hurt = bytearray(data)
    for what, place, value in damage:
        if not hurt:
            break
        at = int(place * len(hurt)) if isinstance(place, float) else place % len(hurt)
        if what == "set":
            hurt[at] = value
        elif what == "flip":
            hurt[at] ^= 1 << value % 8
        elif what == "cut":
            del hurt[at:]
        elif what == "zeros":
            hurt[at : at + value] = bytes(len(hurt[at : at + value]))
        elif what == "copy":
            hurt[at:at] = hurt[:value]
        else:
            hurt += bytes([value]) * at
    return bytes(hurt)


@pytest.mark.timeout(900)
@pytest.mark.parametrize("name", FILES)
@given(damage=_DAMAGE)
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
def test_damage_gives_a_result_or_a_reason_and_the_same_again(
    child: DecodingChild, name: str, damage: list[tuple[str, float, int]]
) -> None:
    data = damaged(FILES[name], damage)
    said = child.answer(data, name)
    assert is_an_answer(said), said
    assert child.answer(data, name) == said


def png_bomb(width_px: int, height_px: int) -> bytes:
    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    rows = zlib.compress(bytes(100_000_000), 9)
    header = struct.pack(">IIBBBBB", width_px, height_px, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def larger_tiff(width_px: int, height_px: int, compression: int, pixels: bytes) -> bytes:
    small = np.zeros((1, 1, 3), np.uint8)
    tags = {"t256": (LONG, [width_px]), "t257": (LONG, [height_px]), "t259": (SHORT, [compression]), "t278": (LONG, [height_px])}
    return tiff_of(page_of(small, pieces=[pixels], **tags))  # type: ignore[arg-type]  # only tags


def bombs() -> dict[str, bytes]:
    inflated = zlib.compress(bytes(200_000_000), 9)
    small_bitmap = bmp_of(np.zeros((1, 1), np.uint32), bits=24)
    jpeg = bytearray(saved("JPEG"))
    frame = jpeg.index(b"\xff\xc0")
    jpeg[frame + 5 : frame + 9] = struct.pack(">HH", 65500, 65500)
    return {
        "many-pixels.png": png_bomb(20_000, 20_000),
        "more-rows-than-said.png": png_bomb(100, 100),
        "many-pixels.jpg": bytes(jpeg),
        "many-pixels.tif": larger_tiff(60_000, 60_000, 8, inflated),
        "more-rows-than-said.tif": larger_tiff(100, 100, 8, inflated),
        "many-pixels.bmp": small_bitmap[:18] + struct.pack("<ii", 30_000, 30_000) + small_bitmap[26:],
        "large-tiles.tif": tiff_of(
            page_of(SCENE, pieces=[b"x" * 50], t259=(SHORT, [5]), t322=(LONG, [1 << 20]), t323=(LONG, [1 << 20]), is_tiled=True)
        ),
        "many-strips.tif": tiff_of(page_of(SCENE, t273=(LONG, [8] * 500_000), t279=(LONG, [100] * 500_000), t278=(LONG, [1]))),
        "many-pages.tif": tiff_of(*[page_of(SCENE[:1, :1].copy(), t254=(LONG, [1])) for _ in range(3000)]),
    }


BOMBS = bombs()


@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_is_answered_within_bounded_memory(child: DecodingChild, name: str) -> None:
    """What inflates to more rows than a PNG's header says is left where it is; all else is refused."""
    said = child.answer(BOMBS[name], name)
    if name.startswith("many-pixels"):
        assert said == Reason.TOO_MANY_PIXELS
    elif name == "more-rows-than-said.png":
        assert is_an_answer(said), said
    else:
        assert said in REASONS, said
