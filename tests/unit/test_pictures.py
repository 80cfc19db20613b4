"""Converting pictures for the pages: bounded in size, number and space."""

from __future__ import annotations

import io
import threading
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from edge.pipeline.decode import decode, read_facts
from edge.store.reads.files import FileState, Original, StoredAt
from edge.web.converting import convert
from edge.web.errors import RequestError
from edge.web.pictures import Conversion, PictureCache, media_type
from tests.helpers.images import page_of, tiff_of


def stored(sha256: str = "a" * 64, *, size_px: tuple[int, int] = (400, 200), state: FileState = FileState.DONE) -> StoredAt:
    return StoredAt(
        root_path_bytes=b"/x",
        relative_path_bytes=b"",
        name_bytes=b"y",
        size_bytes=1,
        mtime_ns=1,
        original=Original.PRESENT,
        copy_path=None,
        image_size_bytes=1,
        sha256=sha256,
        format="tiff",
        width_px=size_px[0],
        height_px=size_px[1],
        state=state,
        reason="several_images" if state is FileState.QUARANTINED else None,
        detail="the TIFF holds 3 images" if state is FileState.QUARANTINED else None,
    )


def picture(kind: str, mode: str = "RGB", size_px: tuple[int, int] = (400, 200), **options: object) -> io.BytesIO:
    return file_of(Image.new(mode, size_px, 40_000 if mode == "I;16" else 0), kind, **options)


def file_of(image: Image.Image, kind: str, **options: object) -> io.BytesIO:
    out = io.BytesIO()
    image.save(out, kind, **options)
    out.seek(0)
    return out


def decoded(jpeg: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(jpeg))
    image.load()
    return image


@pytest.mark.parametrize(
    ("kind", "mode"),
    [
        ("JPEG", "RGB"),
        ("JPEG", "L"),
        ("PNG", "RGBA"),
        ("PNG", "P"),
        ("PNG", "I;16"),
        ("TIFF", "I;16"),
        ("TIFF", "L"),
        ("BMP", "RGB"),
        ("TIFF", "1"),
    ],
)
def test_every_format_that_is_read_is_shown(tmp_path: Path, kind: str, mode: str) -> None:
    thumbnail = decoded(PictureCache(tmp_path).get(picture(kind, mode), stored(), Conversion.THUMBNAIL))
    assert thumbnail.size == (240, 120)
    full = decoded(PictureCache(tmp_path).get(picture(kind, mode), stored(), Conversion.FULL))
    assert full.size == (400, 200)


RAMP = np.tile(np.linspace(1000, 1400, 400), (200, 1)).astype(np.uint16)  # what a 12-bit camera gives in dim light


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_sixteen_bits_are_stretched_for_the_eye(tmp_path: Path, kind: str) -> None:
    grey = decoded(PictureCache(tmp_path).get(file_of(Image.fromarray(RAMP), kind), stored(), Conversion.FULL))
    assert grey.mode == "L"
    levels = np.asarray(grey).astype(int)
    assert (levels[:, 0].max(), levels[:, -1].min()) == (0, 255)
    assert np.abs(levels[100] - np.linspace(0, 255, 400)).max() < 6


def test_sixteen_bits_of_one_level_are_shown(tmp_path: Path) -> None:
    assert decoded(PictureCache(tmp_path).get(picture("TIFF", "I;16"), stored(), Conversion.FULL)).size == (400, 200)


def test_white_may_be_zero(tmp_path: Path) -> None:
    data = io.BytesIO(tiff_of(page_of(RAMP, photometric=0)))
    levels = np.asarray(decoded(PictureCache(tmp_path).get(data, stored(), Conversion.FULL))).astype(int)
    assert levels[100, 0] > 250
    assert levels[100, -1] < 5


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize(("kind", "longest_px"), [("JPEG", 240), ("PNG", 4096), ("TIFF", 4096)])
def test_a_picture_is_turned_as_the_model_sees_it(orientation: int, kind: str, longest_px: int) -> None:
    scene = np.zeros((200, 400, 3), np.uint8)
    scene[:50, :100], scene[150:], scene[:, 350:] = (255, 0, 0), (0, 0, 255), (0, 255, 0)
    exif = Image.Exif()
    exif[0x0112] = orientation
    options: dict[str, object] = {"tiffinfo": {274: orientation}} if kind == "TIFF" else {"exif": exif}
    data = file_of(Image.fromarray(scene), kind, **options).getvalue()
    seen = decode(data, read_facts(data, ""))[:, :, ::-1]
    shown = np.asarray(decoded(convert(data, longest_px=longest_px, jpeg_quality=95)).resize((seen.shape[1], seen.shape[0])))
    assert np.abs(shown.astype(int) - seen).mean() < 8


def test_a_picture_stands_upright(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # Orientation: turn a quarter to the right
    assert decoded(PictureCache(tmp_path).get(picture("JPEG", exif=exif), stored(), Conversion.FULL)).size == (200, 400)


def test_a_conversion_is_kept_and_used_again(tmp_path: Path) -> None:
    cache = PictureCache(tmp_path / "made" / "when needed")
    first = cache.get(picture("TIFF"), stored(), Conversion.THUMBNAIL)
    assert cache.get(io.BytesIO(b"never read"), stored(), Conversion.THUMBNAIL) == first


def test_the_folder_stays_small(tmp_path: Path) -> None:
    size_bytes = len(PictureCache(tmp_path / "one").get(picture("BMP"), stored(), Conversion.THUMBNAIL))
    limit_bytes = 5 * size_bytes
    for _ in range(2):  # the second finds a folder that is full already
        cache = PictureCache(tmp_path / "many", limit_bytes=limit_bytes)
        for number in range(20):
            cache.get(picture("BMP"), stored(f"{number:064x}"), Conversion.THUMBNAIL)
            assert sum(path.stat().st_size for path in (tmp_path / "many").iterdir()) <= limit_bytes
    assert list((tmp_path / "many").iterdir())


def test_a_folder_that_cannot_be_written_costs_only_the_cache(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_bytes(b"")
    assert PictureCache(blocked / "below").get(picture("BMP"), stored(), Conversion.THUMBNAIL)


@pytest.mark.parametrize(
    ("content", "given", "status"),
    [
        (picture("TIFF"), stored(size_px=(20_000, 20_000)), 413),
        (picture("TIFF", "1", (20_000, 10_000)), stored(), 413),
        (picture("TIFF"), stored(state=FileState.QUARANTINED), 409),
        (io.BytesIO(b"no picture at all"), stored(), 415),
        (io.BytesIO(picture("JPEG").getvalue()[:200]), stored(), 415),
        (picture("GIF", "P"), stored(), 415),
    ],
)
@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_what_is_not_converted(tmp_path: Path, content: io.BytesIO, given: StoredAt, status: int) -> None:
    with pytest.raises(RequestError) as refused:
        PictureCache(tmp_path).get(content, given, Conversion.THUMBNAIL)
    assert refused.value.status == status


def test_many_threads_may_convert_the_same_picture(tmp_path: Path) -> None:
    cache = PictureCache(tmp_path)
    answers: list[bytes] = []
    threads = [
        threading.Thread(target=lambda: answers.append(cache.get(picture("TIFF"), stored(), Conversion.THUMBNAIL))) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(answers) == 8
    assert len(set(answers)) == 1
    assert [path.suffix for path in tmp_path.iterdir()] == [".jpg"]


def test_a_browser_shows_jpeg_and_png_itself() -> None:
    assert media_type(picture("JPEG"), stored()) == "image/jpeg"
    assert media_type(picture("PNG"), stored()) == "image/png"
    assert media_type(picture("BMP"), stored()) is None
    assert media_type(io.BytesIO(b"<svg onload=alert(1)>"), stored()) is None


def test_a_browser_is_not_given_what_it_shows_badly() -> None:
    """Sixteen bits it shows nearly black; hundreds of megabytes it may not show at all."""
    assert media_type(file_of(Image.fromarray(RAMP), "PNG"), stored()) is None
    assert media_type(picture("JPEG"), stored(size_px=(5000, 3000))) is None
    assert media_type(picture("JPEG"), stored(size_px=(4096, 3000))) == "image/jpeg"
    bomb = picture("PNG", "1", (20_000, 20_000))
    assert media_type(bomb, stored(state=FileState.QUEUED)) is None


def test_a_picture_that_is_not_shown_says_why_and_what_to_do(tmp_path: Path) -> None:
    said = {}
    for state in (FileState.QUARANTINED, FileState.QUEUED):
        with pytest.raises(RequestError) as refused:
            PictureCache(tmp_path).get(picture("TIFF"), stored(state=state), Conversion.FULL)
        said[state] = refused.value.problem
    assert "the TIFF holds 3 images" in said[FileState.QUARANTINED].message
    assert "Save each image" in said[FileState.QUARANTINED].advice
    assert "queued" in said[FileState.QUEUED].message
    assert "Wait" in said[FileState.QUEUED].advice
