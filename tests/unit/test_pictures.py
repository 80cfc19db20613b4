"""Converting pictures for the pages: bounded in size, number and space."""

from __future__ import annotations

import io
import threading
from pathlib import Path

import pytest
from PIL import Image

from edge.store.reads.files import FileState, Original, StoredAt
from edge.web.errors import RequestError
from edge.web.pictures import Conversion, PictureCache, media_type


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
    )


def picture(kind: str, mode: str = "RGB", size_px: tuple[int, int] = (400, 200), **options: object) -> io.BytesIO:
    out = io.BytesIO()
    Image.new(mode, size_px, 40_000 if mode == "I;16" else 0).save(out, kind, **options)
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


def test_sixteen_bits_keep_their_upper_eight(tmp_path: Path) -> None:
    grey = decoded(PictureCache(tmp_path).get(picture("TIFF", "I;16"), stored(), Conversion.FULL))
    assert grey.mode == "L"
    assert abs(grey.getpixel((5, 5)) - 40_000 // 256) <= 1  # type: ignore[operator]  # a grey pixel is a number


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
    assert media_type(picture("JPEG")) == "image/jpeg"
    assert media_type(picture("PNG")) == "image/png"
    assert media_type(picture("BMP")) is None
    assert media_type(io.BytesIO(b"<svg onload=alert(1)>")) is None
