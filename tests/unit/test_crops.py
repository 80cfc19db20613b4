"""Training crops: wherever a crop is cut, scaled, mirrored or turned, its boxes stay on the things they were drawn around."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from models.workshop import synthetic
from models.workshop.crops import Crop, CropPlan, crop_batches, cut, label_path, read_still

_PLAN = CropPlan(side_px=320, scale=0.78)


def _one_bright_box(seed: int) -> Crop:
    image = np.full((691, 1229, 3), 40, np.uint8)
    box = np.array([[560, 300, 640, 350]], np.float32)
    image[300:350, 560:640] = 220
    return cut(image, box, _PLAN, np.random.default_rng(seed))


@pytest.mark.parametrize("seed", range(40))
def test_a_box_stays_on_its_object(seed: int) -> None:
    crop = _one_bright_box(seed)
    assert crop.image.shape == (320, 320, 3)
    # However the light varies, mud stays below 100 and the object above.
    rows, columns = np.nonzero(crop.image.max(axis=2) > 100)
    if len(crop.boxes) == 0:
        assert rows.size < 0.6 * 80 * 50 * (_PLAN.scale * _PLAN.jitter) ** 2
        return
    seen = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
    assert np.allclose(crop.boxes[0], seen, atol=3.0)


def test_crops_of_one_seed_are_the_same_and_differ_between_seeds() -> None:
    assert np.array_equal(_one_bright_box(3).image, _one_bright_box(3).image)
    assert not np.array_equal(_one_bright_box(3).image, _one_bright_box(4).image)


def test_batches_come_from_a_written_data_set(tmp_path: Path) -> None:
    synthetic.write_dataset(tmp_path, seed=60, n_train=2, n_val=0)
    images = sorted((tmp_path / "images" / "train").glob("*.jpg"))
    batch = next(crop_batches(images, _PLAN, batch_size=8, seed=1))
    assert len(batch) == 8
    for crop in batch:
        assert crop.boxes.min(initial=0) >= 0
        assert crop.boxes.max(initial=0) <= 320


def test_a_batch_follows_from_its_step_alone(tmp_path: Path) -> None:
    synthetic.write_dataset(tmp_path, seed=62, n_train=3, n_val=0)
    images = sorted((tmp_path / "images" / "train").glob("*.jpg"))
    with (
        closing(crop_batches(images, _PLAN, 4, seed=1)) as all_steps,
        closing(crop_batches(images, _PLAN, 4, seed=1, first_step=3)) as later,
    ):
        batches = [next(all_steps) for _ in range(3)]
        for crop, other in zip(batches[2], next(later), strict=True):
            assert np.array_equal(crop.image, other.image)
            assert np.array_equal(crop.boxes, other.boxes)
    assert not np.array_equal(batches[0][0].image, batches[2][0].image)


def test_labels_lie_beside_images_and_an_unreadable_still_is_an_error(tmp_path: Path) -> None:
    assert label_path(Path("/a/images/b/images/train/x.jpg")) == Path("/a/images/b/labels/train/x.txt")
    broken = tmp_path / "images" / "x.jpg"
    broken.parent.mkdir()
    broken.write_bytes(b"no picture")
    with pytest.raises(OSError, match="cannot read"):
        read_still(broken)


def test_a_still_that_cannot_be_read_ends_the_batches(tmp_path: Path) -> None:
    missing = tmp_path / "images" / "gone.jpg"
    with pytest.raises(OSError, match="cannot read"):
        next(crop_batches([missing], _PLAN, batch_size=2, seed=1))


def test_labels_give_the_boxes_of_the_still(tmp_path: Path) -> None:
    synthetic.write_dataset(tmp_path, seed=61, n_train=1, n_val=0)
    path = next((tmp_path / "images" / "train").glob("*.jpg"))
    image, boxes = read_still(path)
    assert image.shape == (691, 1229, 3)
    assert np.allclose(boxes, synthetic.render_still(seed=61).boxes_xyxy_px, atol=0.01)
