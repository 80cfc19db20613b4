"""Crops side by side: the right place of the right frame, black beyond the edge, moved with the seabed, and a reason where it fails."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from edge.errors import InputError, Reason
from edge.footage import Crop, StripWanted
from edge.pipeline.crop_strip import make_strip
from edge.pipeline.frame_server import FrameServer
from edge.pipeline.video.exact import ClipFrames
from tests.helpers.clips import Recipe, even_times, write_clip

MAX_PIXELS = 1_000_000
WHITE, BLACK = 255, 0


@pytest.fixture
def clips() -> Iterator[ClipFrames]:
    found = ClipFrames()
    yield found
    found.close()


@pytest.fixture
def still(tmp_path: Path) -> Path:
    """Grey, with a white square of 20 px around (50, 30)."""
    pixels = np.full((80, 100, 3), 100, np.uint8)
    pixels[20:40, 40:60] = WHITE
    Image.fromarray(pixels).save(tmp_path / "still.png")
    return tmp_path / "still.png"


def crop(path: Path, middle_px: tuple[float, float], side_px: float, **changes: object) -> Crop:
    values: dict[str, object] = {"path": path, "at_s": None, "middle_px": middle_px, "side_px": side_px, **changes}
    return Crop(**values)  # type: ignore[arg-type]


def test_tiles_stand_side_by_side(clips: ClipFrames, still: Path) -> None:
    wanted = StripWanted(crops=(crop(still, (50, 30), 20), crop(still, (50, 30), 40), crop(still, (10, 70), 10)), tile_px=40)
    strip = make_strip(clips, wanted, max_pixels=MAX_PIXELS)
    assert strip.shape == (40, 120, 3)
    assert (strip[:, :40] == WHITE).all()
    assert (strip[12:28, 52:68] == WHITE).all()
    assert (strip[:8, 40:80] == 100).all()
    assert (strip[:, 80:] == 100).all()


def test_beyond_the_edge_it_is_black(clips: ClipFrames, still: Path) -> None:
    strip = make_strip(
        clips, StripWanted(crops=(crop(still, (100, 0), 40), crop(still, (500, 500), 40)), tile_px=40), max_pixels=MAX_PIXELS
    )
    assert (strip[20:, :20] == 100).all()
    assert (strip[:20, :40] == BLACK).all()
    assert (strip[:, 20:] == BLACK).all()


def test_the_middle_moves_with_the_frame_that_was_on_the_screen(clips: ClipFrames, tmp_path: Path) -> None:
    pictures = []
    for number in range(10):  # a bar that moves 4 px a frame, 100 px a second
        picture = np.full((96, 128, 3), 60, np.uint8)
        picture[:, 20 + 4 * number : 28 + 4 * number] = 220
        pictures.append(picture)
    path = write_clip(tmp_path / "bar.mp4", Recipe(), even_times(10), pictures=pictures)
    moving = crop(path, (24 + 4 * 5.75, 48), 16, at_s=5.75 / 25, drift_px_per_s=(100.0, 0.0))  # three quarters of a frame after the fifth
    strip = make_strip(clips, StripWanted(crops=(moving,), tile_px=16), max_pixels=MAX_PIXELS)
    bright = np.flatnonzero(strip[8, :, 0] > 140)
    assert (bright[0], bright[-1]) == (4, 11)


def test_a_file_that_cannot_be_read_says_why(tmp_path: Path, still: Path) -> None:
    (tmp_path / "bad.png").write_bytes(b"no picture at all")
    server = FrameServer(max_pixels=MAX_PIXELS)
    try:
        for path, at_s, reason in (
            (tmp_path / "bad.png", None, Reason.UNKNOWN_FORMAT),
            (tmp_path / "gone.mp4", 1.0, Reason.VANISHED),
            (tmp_path / "gone.png", None, Reason.VANISHED),
        ):
            with pytest.raises(InputError) as refused:
                server.strip(StripWanted(crops=(crop(still, (50, 30), 20), crop(path, (50, 30), 20, at_s=at_s))))
            assert refused.value.reason is reason
        with pytest.raises(InputError, match="no crop"):
            server.strip(StripWanted(crops=()))
        assert server.strip(StripWanted(crops=(crop(still, (50, 30), 20),))).jpeg.startswith(b"\xff\xd8\xff")
    finally:
        server.close()


def test_a_gigantic_still_is_refused(clips: ClipFrames, still: Path) -> None:
    with pytest.raises(InputError) as refused:
        make_strip(clips, StripWanted(crops=(crop(still, (50, 30), 20),)), max_pixels=1000)
    assert refused.value.reason is Reason.TOO_MANY_PIXELS
