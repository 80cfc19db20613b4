"""Which images an imported model is tried on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from models.importing import pictures
from models.importing.facts import ImportRefusedError
from models.importing.pictures import pictures_of
from models.runtime.vision import cv2


@pytest.mark.parametrize(("count", "tried"), [(100, 24), (47, 24), (24, 24), (5, 5)])
def test_a_large_folder_is_sampled_from_its_beginning_to_its_end(tmp_path: Path, count: int, tried: int) -> None:
    for number in range(count):
        (tmp_path / f"{number:03d}.png").write_bytes(cv2.imencode(".png", np.zeros((8, 8, 3), np.uint8))[1].tobytes())
    chosen = [int(path.stem) for path in pictures_of(tmp_path, tmp_path / "work").paths]
    assert len(set(chosen)) == tried
    assert (chosen[0], chosen[-1] >= count * 0.9 - 1) == (0, True)


def test_images_too_large_to_travel_are_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pictures, "_MAX_PIXELS", 100)
    for side in (10, 11):
        cv2.imwrite(str(tmp_path / f"{side}.png"), np.zeros((side, side, 3), np.uint8))
    assert [path.name for path in pictures_of(tmp_path, tmp_path).paths] == ["10.png"]
    monkeypatch.setattr(pictures, "_MAX_BYTES", 10)
    with pytest.raises(ImportRefusedError, match="no image that can be tried"):
        pictures_of(tmp_path, tmp_path)


def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(ImportRefusedError, match="there is no folder"):
        pictures_of(tmp_path / "nowhere", tmp_path)


def test_without_a_folder_scenes_are_rendered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pictures, "_SCENES", range(990_000, 990_001))
    found = pictures_of(None, tmp_path / "work")
    assert [cv2.imread(str(path)) is not None for path in found.paths] == [True]
    assert "rendered scenes" in found.source
