"""What is looked at in a process of its own: frame times of clips, hashes of stills; a bad file is an error with a reason, and no more."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from edge.errors import InputError, Reason
from edge.export.dataset.thin import SAME_BITS
from edge.pipeline.footage_look import FootageLook
from tests.helpers.clips import Recipe, even_times, write_clip


@pytest.fixture(scope="module")
def look() -> Iterator[FootageLook]:
    look = FootageLook(max_pixels=1_000_000, max_file_bytes=10_000_000)
    yield look
    look.close()


def test_a_bad_file_is_told_and_the_next_one_is_read(look: FootageLook, tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "clip.mp4", Recipe(), even_times(10))
    (tmp_path / "text.mp4").write_text("no clip at all", "utf-8")
    with pytest.raises(InputError) as caught:
        look.frame_times(tmp_path / "text.mp4")
    assert caught.value.reason is Reason.UNKNOWN_FORMAT
    with pytest.raises(InputError) as caught:
        look.frame_times(tmp_path / "none.mp4")
    assert caught.value.reason is Reason.VANISHED
    assert look.frame_times(clip) == pytest.approx([number / 25 for number in range(10)])


def test_a_process_that_was_ended_is_told_and_begun_again(look: FootageLook, tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "clip.mp4", Recipe(), even_times(10))
    look.frame_times(clip)
    assert look._process is not None
    look._process.kill()
    look._process.join()
    assert len(look.frame_times(clip)) == 10


def test_a_hash_knows_a_picture_again_and_other_seabed_not(look: FootageLook, tmp_path: Path) -> None:
    hashes = {name: look.still_hash(save(tmp_path / name, *how)) for name, how in PICTURES.items()}
    assert distance(hashes["one.png"], hashes["again.jpg"]) <= SAME_BITS
    assert distance(hashes["one.png"], hashes["other.png"]) > 2 * SAME_BITS
    assert distance(hashes["one.png"], hashes["brighter.png"]) <= SAME_BITS


PICTURES = {"one.png": (1, 1.0), "again.jpg": (1, 1.0), "brighter.png": (1, 1.3), "other.png": (2, 1.0)}


def save(path: Path, seed: int, light: float) -> Path:
    """Seabed by chance under a lamp that falls off."""
    chance = np.random.default_rng(seed)
    coarse = chance.normal(0, 12, (60, 100))
    seabed = np.kron(coarse, np.ones((8, 8)))
    y, x = np.mgrid[-1 : 1 : seabed.shape[0] * 1j, -1 : 1 : seabed.shape[1] * 1j]
    lamp = light * (120 - 50 * (x**2 + y**2))
    Image.fromarray(np.clip(lamp + seabed, 0, 255).astype(np.uint8)).convert("RGB").save(path, quality=60)
    return path


def distance(first: int, second: int) -> int:
    return (first ^ second).bit_count()
