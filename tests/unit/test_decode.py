from __future__ import annotations

import io
import os
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image, ImageFile, ImageOps, TiffImagePlugin

from edge.errors import InputError, Reason
from edge.pipeline.decode import check_pixels, check_whole, decode, read_bytes, read_facts, reduction
from edge.pipeline.jpeg import jpeg_layout
from models.runtime.vision import cv2

SEABED = np.random.default_rng(7).normal(90, 25, (120, 200, 3)).clip(0, 255).astype(np.uint8)
SEABED = cv2.GaussianBlur(SEABED, (5, 5), 0)  # type: ignore[assignment]


def encode(extension: str, image: NDArray[Any] = SEABED, *parameters: int) -> bytes:
    done, data = cv2.imencode(extension, image, parameters)
    assert done
    return data.tobytes()


def encode_pillow(image_format: str, image: NDArray[Any] = SEABED, **options: Any) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(image).save(stream, image_format, **options)
    return stream.getvalue()


def exif_with(thumbnail: bytes = b"", **tags: Any) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = tags.get("orientation", 1)
    exif.get_ifd(0x8769)[0x9003] = tags.get("time", "2023:06:03 16:32:07")
    exif[0x010E] = thumbnail.hex()  # a long text, so that the segment is one
    return exif.tobytes()


def jpeg_with_thumbnail() -> bytes:
    """A JPEG whose EXIF segment holds a whole JPEG, end marker included."""
    thumbnail = encode(".jpg", SEABED[:30, :40])
    segment = b"Exif\0\0" + b"MM\0*\0\0\0\x08\0\0\0\0\0\0" + thumbnail
    whole = encode(".jpg")
    return whole[:2] + b"\xff\xe1" + struct.pack(">H", len(segment) + 2) + segment + whole[2:]


FILES = {
    "baseline.jpg": encode(".jpg", SEABED, cv2.IMWRITE_JPEG_QUALITY, 90),
    "grey.jpg": encode(".jpg", SEABED[:, :, 0]),
    "thumbnail.jpg": jpeg_with_thumbnail(),
    "progressive.jpg": encode(".jpg", SEABED, cv2.IMWRITE_JPEG_PROGRESSIVE, 1),
    "restarts.jpg": encode(".jpg", SEABED, cv2.IMWRITE_JPEG_RST_INTERVAL, 5),
    "colour.png": encode(".png"),
    "grey16.png": encode(".png", SEABED[:, :, 0].astype(np.uint16) * 257),
    "lzw.tif": encode(".tif"),
    "plain.tif": encode(".tif", SEABED, cv2.IMWRITE_TIFF_COMPRESSION, 1),
    "deflate.tif": encode_pillow("TIFF", compression="tiff_adobe_deflate"),
    "grey16.tif": encode(".tif", SEABED[:, :, 0].astype(np.uint16) * 257),
    "colour.bmp": encode(".bmp"),
}


def opencv_pixels(data: bytes) -> NDArray[Any]:
    image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    assert image is not None
    return image


def pixels_of(data: bytes, name: str) -> NDArray[np.uint8]:
    facts = read_facts(data, name)
    check_whole(data, facts)
    return decode(data, facts)


def reason_of(data: bytes, name: str) -> Reason:
    with pytest.raises(InputError) as caught:
        pixels_of(data, name)
    return caught.value.reason


@pytest.mark.parametrize("name", FILES)
def test_a_whole_file_is_decoded_as_opencv_does(name: str) -> None:
    assert np.array_equal(pixels_of(FILES[name], name), opencv_pixels(FILES[name]))


@pytest.mark.parametrize("name", FILES)
@given(share=st.floats(0, 1, exclude_max=True))
@settings(max_examples=60, deadline=None)
def test_a_file_cut_anywhere_is_refused(name: str, share: float) -> None:
    data = FILES[name][: int(share * len(FILES[name]))]
    reason = reason_of(data, name)
    if not data:
        assert reason is Reason.EMPTY_FILE
    elif name.endswith(".jpg"):
        assert reason is Reason.TRUNCATED
    else:
        assert reason in (Reason.TRUNCATED, Reason.CORRUPT)


@pytest.mark.parametrize("missing_bytes", range(1, 40))
def test_the_last_bytes_of_a_jpeg_count(missing_bytes: int) -> None:
    for name in ("baseline.jpg", "progressive.jpg", "thumbnail.jpg", "restarts.jpg"):
        assert reason_of(FILES[name][:-missing_bytes], name) is Reason.TRUNCATED


@pytest.mark.parametrize("name", [name for name in FILES if name not in ("plain.tif", "colour.bmp", "grey16.tif")])
@given(share=st.floats(0.05, 1, exclude_max=True))
@settings(max_examples=40, deadline=None)
def test_a_tail_of_zeros_is_refused(name: str, share: float) -> None:
    whole = FILES[name]
    kept = int(share * (len(whole) - 1))
    data = whole[:kept] + bytes(len(whole) - kept)
    if data == whole:
        return
    assert reason_of(data, name) in (Reason.TRUNCATED, Reason.CORRUPT)


def test_bytes_behind_the_end_are_allowed() -> None:
    for name, data in FILES.items():
        assert pixels_of(data + b"appended by a camera", name).shape == (120, 200, 3)


@pytest.mark.parametrize("size_bytes", [512, 4096])
def test_a_lost_block_inside_a_jpeg_is_mostly_seen(size_bytes: int) -> None:
    """The honest figure: a zeroed block makes the decoder run out of data; nearly always, not always."""
    rng = np.random.default_rng(3)
    image = cv2.resize(SEABED, (1200, 700), interpolation=cv2.INTER_CUBIC)
    noisy = np.clip(image + rng.normal(0, 6, image.shape), 0, 255).astype(np.uint8)
    whole = encode(".jpg", noisy, cv2.IMWRITE_JPEG_QUALITY, 85)
    refused = 0
    for _ in range(40):
        start = int(rng.integers(1000, len(whole) - size_bytes - 2))
        data = whole[:start] + bytes(size_bytes) + whole[start + size_bytes :]
        try:
            pixels_of(data, "a.jpg")
        except InputError:
            refused += 1
    assert refused >= 36


def test_a_missing_restart_interval_is_corrupt() -> None:
    data = FILES["restarts.jpg"]
    first, second = data.index(b"\xff\xd1"), data.index(b"\xff\xd2")
    assert reason_of(data[:first] + data[second:], "a.jpg") is Reason.CORRUPT


@pytest.mark.parametrize("name", ["colour.png", "grey16.png"])
def test_every_changed_bit_of_a_png_is_seen(name: str) -> None:
    data = bytearray(FILES[name])
    for position in range(8, len(data), 97):
        data[position] ^= 4
        assert reason_of(bytes(data), name) in (Reason.CORRUPT, Reason.TRUNCATED, Reason.UNSUPPORTED_PIXELS)
        data[position] ^= 4


def test_damaged_compressed_tiff_data_is_corrupt() -> None:
    for name in ("lzw.tif", "deflate.tif"):
        data = bytearray(FILES[name])
        data[3000:9000] = bytes(6000)
        assert reason_of(bytes(data), name) is Reason.CORRUPT


@given(noise=st.binary(max_size=300), head=st.sampled_from(sorted(FILES)), kept=st.integers(0, 60))
@settings(max_examples=300, deadline=None)
def test_noise_behind_a_true_header_is_an_input_error(noise: bytes, head: str, kept: int) -> None:
    with pytest.raises(InputError):
        pixels_of(FILES[head][:kept] + noise, "name-without-extension")


@given(
    positions=st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), min_size=1, max_size=8),
    name=st.sampled_from(sorted(FILES)),
)
@settings(max_examples=300, deadline=None)
def test_changed_bytes_give_pixels_of_the_stated_size_or_an_input_error(positions: list[tuple[float, int]], name: str) -> None:
    data = bytearray(FILES[name])
    for share, value in positions:
        data[int(share * len(data))] = value
    try:
        facts = read_facts(bytes(data), name)
        check_pixels(facts, 10_000_000)
        check_whole(bytes(data), facts)
        image = decode(bytes(data), facts)
    except InputError:
        return
    assert image.shape == (facts.height_px, facts.width_px, 3)
    assert image.dtype == np.uint8


@pytest.mark.parametrize(
    ("data", "name", "reason"),
    [
        (b"", "a.jpg", Reason.EMPTY_FILE),
        (b"\xff\xd8", "a.jpg", Reason.TRUNCATED),
        (b"GIF89a", "a.gif", Reason.UNKNOWN_FORMAT),
        (bytes(5000), "a.jpg", Reason.UNKNOWN_FORMAT),
        (FILES["colour.png"], "a.jpg", Reason.EXTENSION_MISMATCH),
        (FILES["baseline.jpg"], "a.TIFF", Reason.EXTENSION_MISMATCH),
        (b"\xff\xd8\xff\xd9", "a.jpg", Reason.CORRUPT),
    ],
)
def test_what_is_no_image_of_its_name_is_refused(data: bytes, name: str, reason: Reason) -> None:
    assert reason_of(data, name) is reason


def test_the_header_tells_the_facts() -> None:
    told = {name: read_facts(data, name) for name, data in FILES.items()}
    assert {(facts.width_px, facts.height_px) for facts in told.values()} == {(200, 120)}
    assert {name: facts.format for name, facts in told.items() if facts.bits_per_channel == 16} == {
        "grey16.png": "png",
        "grey16.tif": "tiff",
    }
    assert {name for name, facts in told.items() if facts.channels == 1} == {"grey.jpg", "grey16.png", "grey16.tif"}
    assert read_facts(encode(".png", np.dstack([SEABED, SEABED[:, :, 0]]).astype(np.uint16) * 257), "a.png").bits_per_channel == 16


def test_exif_time_is_kept_verbatim() -> None:
    for image_format, name in (("JPEG", "a.jpg"), ("PNG", "a.png")):
        data = encode_pillow(image_format, exif=exif_with(time="2023:06:03 16:32:07"))
        assert read_facts(data, name).exif_time_local == "2023:06:03 16:32:07"
    assert read_facts(FILES["baseline.jpg"], "a.jpg").exif_time_local is None


@pytest.mark.filterwarnings("ignore::UserWarning:PIL")
def test_damaged_exif_is_no_exif_and_no_error() -> None:
    data = encode_pillow("JPEG", exif=exif_with())
    start = data.index(b"Exif\0\0") + 6
    for offset in range(4, 60):
        broken = data[: start + offset] + b"\xff\xfe" + data[start + offset + 2 :]
        assert pixels_of(broken, "a.jpg").shape[2] == 3


def png_with_exif_behind_its_pixels(**tags: Any) -> bytes:
    plain = encode(".png")
    end = plain.index(b"IEND") - 4
    payload = b"eXIf" + exif_with(**tags).removeprefix(b"Exif\0\0")
    return plain[:end] + struct.pack(">I", len(payload) - 4) + payload + struct.pack(">I", zlib.crc32(payload)) + plain[end:]


def test_exif_behind_the_pixels_of_a_png_counts() -> None:
    data = png_with_exif_behind_its_pixels(time="2023:06:03 16:32:07", orientation=6)
    facts = read_facts(data, "a.png")
    assert facts.exif_time_local == "2023:06:03 16:32:07"
    check_whole(data, facts)
    assert decode(data, facts).shape == (facts.height_px, facts.width_px, 3)


@pytest.mark.parametrize("name", FILES)
def test_reading_the_header_decodes_no_pixels(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The size is judged after the header was read: whatever decodes before that is open to a bomb."""

    def refuse(*_: object) -> None:
        raise AssertionError("pixels were decoded")

    monkeypatch.setattr(ImageFile.ImageFile, "load", refuse)
    monkeypatch.setattr(TiffImagePlugin.TiffImageFile, "load", refuse)
    assert read_facts(FILES[name], name).width_px > 0


@pytest.mark.parametrize("image_format", ["JPEG", "PNG", "TIFF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_is_applied_and_the_facts_say_so(image_format: str, orientation: int) -> None:
    image = np.zeros((40, 60, 3), np.uint8)
    image[:10, :20], image[30:], image[:, 50:] = (255, 0, 0), (0, 0, 255), (0, 255, 0)
    options: dict[str, Any] = {"tiffinfo": {274: orientation}} if image_format == "TIFF" else {"exif": exif_with(orientation=orientation)}
    data = encode_pillow(image_format, image, **options)
    expected = np.asarray(ImageOps.exif_transpose(Image.open(io.BytesIO(data))).convert("RGB"))[:, :, ::-1]
    pixels = pixels_of(data, f"a.{image_format.lower()}")
    assert pixels.shape == expected.shape
    assert np.abs(pixels.astype(int) - expected).mean() < 3


def test_sixteen_bits_are_scaled_without_stretching() -> None:
    levels = np.array([[0, 128, 129, 257, 32768, 65535]], np.uint16)
    for extension in (".png", ".tif"):
        image = pixels_of(encode(extension, levels), f"a{extension}")
        assert image[0, :, 0].tolist() == [0, 0, 1, 1, 128, 255]
        assert (image == image[:, :, :1]).all()


@pytest.mark.parametrize("image_format", ["PNG", "TIFF"])
def test_alpha_is_dropped_and_the_colours_stay(image_format: str) -> None:
    rgba = np.zeros((20, 20, 4), np.uint8)
    rgba[..., :3], rgba[..., 3] = (200, 100, 50), np.arange(20) * 12
    image = pixels_of(encode_pillow(image_format, rgba), f"a.{image_format.lower()}")
    assert (image == (50, 100, 200)).all()


@pytest.mark.parametrize("mode", ["F", "I"])
def test_other_pixels_are_refused(mode: str) -> None:
    stream = io.BytesIO()
    Image.new(mode, (20, 10)).save(stream, "TIFF")
    assert reason_of(stream.getvalue(), "x") is Reason.UNSUPPORTED_PIXELS


def test_a_png_bomb_is_refused_by_its_header() -> None:
    header = b"IHDR" + struct.pack(">IIBBBBB", 20_000, 20_000, 8, 2, 0, 0, 0)
    data = b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + header + struct.pack(">I", zlib.crc32(header)) + FILES["colour.png"][33:]
    with pytest.raises(InputError) as caught:
        check_pixels(read_facts(data, "bomb.png"), 100_000_000)
    assert caught.value.reason is Reason.TOO_MANY_PIXELS


@pytest.mark.parametrize("factor", [2, 4, 8])
def test_a_jpeg_is_reduced_while_it_is_decoded(factor: int) -> None:
    data = encode(".jpg", cv2.resize(SEABED, (203, 121)))
    facts = read_facts(data, "a.jpg")
    reduced = decode(data, facts, reduce=factor)
    assert reduced.shape == (-(-121 // factor), -(-203 // factor), 3)
    assert abs(float(reduced.mean()) - float(decode(data, facts).mean())) < 1


def test_reduction_leaves_twice_what_the_network_sees() -> None:
    facts = read_facts(FILES["baseline.jpg"], "a.jpg")
    assert reduction(facts, content_width_px=50, content_height_px=30) == 2
    assert reduction(facts, content_width_px=51, content_height_px=30) == 1
    assert reduction(facts, content_width_px=50, content_height_px=31) == 1
    assert reduction(facts, content_width_px=12, content_height_px=7) == 8
    assert reduction(read_facts(FILES["colour.png"], "a.png"), content_width_px=12, content_height_px=7) == 1


def test_the_layout_of_a_jpeg_skips_the_thumbnail() -> None:
    data = FILES["thumbnail.jpg"]
    layout = jpeg_layout(data)
    assert layout.end_offset == len(data) - 2
    assert data.index(b"\xff\xd9") < layout.end_offset
    assert (layout.frame_marker, layout.scan_count) == (0xC0, 1)
    assert jpeg_layout(FILES["progressive.jpg"]).scan_count > 1


def test_read_bytes_reads_regular_files_only(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"12345")
    (tmp_path / "empty").write_bytes(b"")
    (tmp_path / "link").symlink_to(tmp_path / "file")
    os.mkfifo(tmp_path / "pipe")
    assert read_bytes(tmp_path / "file", max_file_bytes=5) == b"12345"
    reasons = {}
    for name in ("link", "pipe", "empty", "gone", "."):
        with pytest.raises(InputError) as caught:
            read_bytes(tmp_path / name, max_file_bytes=5)
        reasons[name] = caught.value.reason
    assert reasons == {
        "link": Reason.NOT_A_REGULAR_FILE,
        "pipe": Reason.NOT_A_REGULAR_FILE,
        "empty": Reason.EMPTY_FILE,
        "gone": Reason.VANISHED,
        ".": Reason.NOT_A_REGULAR_FILE,
    }
    with pytest.raises(InputError) as caught:
        read_bytes(tmp_path / "file", max_file_bytes=4)
    assert caught.value.reason is Reason.TOO_MANY_BYTES


def test_real_stills_are_whole_and_decoded_to_the_same_pixels(real_stills: list[Path]) -> None:
    for path in real_stills:
        data = path.read_bytes()
        assert np.array_equal(pixels_of(data, path.name), opencv_pixels(data))
