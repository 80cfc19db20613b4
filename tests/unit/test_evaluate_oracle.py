"""Average precision against pycocotools on sets that hypothesis makes: full of ties, crowds, doubles and cut lists."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from hypothesis import given, settings
from hypothesis import strategies as st

from models.evaluate import ImageFound, ImageTruth, match
from models.evaluate.matching import Matcher
from models.evaluate.precision import interpolated
from models.evaluate.values import ALL_AREAS_PX2
from tests.unit.coco_oracle import coco_precision, run_coco

COCO_AREAS_PX2 = (ALL_AREAS_PX2, (0.0, 32.0**2), (32.0**2, 96.0**2), (96.0**2, 1e10))

# Few places, sizes and scores: boxes coincide, overlap by exactly 0.5, lie on the borders of the ranges of areas, and tie.
PLACES = np.array([0, 4, 8, 12], np.float32)
SIDES = np.array([8, 16, 24, 32, 96], np.float32)
SCORES = np.array([0.25, 0.5, 0.75, 1.0], np.float32)


def dense_boxes(rng: np.random.Generator, count: int, n_sides: int) -> npt.NDArray[np.float32]:
    corners = rng.choice(PLACES, (count, 2))
    return np.hstack([corners, corners + rng.choice(SIDES[:n_sides], (count, 2))])


def dense_image(rng: np.random.Generator, most: int, n_labels: int, n_sides: int) -> tuple[ImageTruth, ImageFound]:
    n_true, n_found = int(rng.integers(0, most + 1)), int(rng.integers(0, most + 1))
    truth = ImageTruth(
        boxes_xyxy_px=dense_boxes(rng, n_true, n_sides),
        label_index=rng.integers(0, n_labels, n_true).astype(np.int32),
        crowd=rng.random(n_true) < 0.2,
    )
    found = ImageFound(
        boxes_xyxy_px=dense_boxes(rng, n_found, n_sides),
        label_index=rng.integers(0, n_labels, n_found).astype(np.int32),
        score=rng.choice(SCORES, n_found),
    )
    return truth, found


@settings(max_examples=250, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    n_images=st.integers(1, 4),
    most=st.integers(1, 12),
    n_labels=st.integers(1, 3),
    n_sides=st.integers(1, 5),
    max_found=st.sampled_from([1, 3, 100]),
    area=st.integers(0, 3),
)
def test_every_class_and_threshold_agrees_with_pycocotools(
    *, seed: int, n_images: int, most: int, n_labels: int, n_sides: int, max_found: int, area: int
) -> None:
    rng = np.random.default_rng(seed)
    images = [dense_image(rng, most, n_labels, n_sides) for _ in range(n_images)]
    truths, founds = [truth for truth, _ in images], [found for _, found in images]
    if not any(len(found.score) for found in founds):
        return  # pycocotools cannot load an empty list of results
    theirs = coco_precision(run_coco(truths, founds, max_found=max_found), area)
    matches = match(truths, founds, max_found=max_found, area_range_px2=COCO_AREAS_PX2[area])
    ours = {one.label_index: interpolated(one) for one in matches if one.n_truth}
    assert ours.keys() == theirs.keys()
    for index in theirs:
        np.testing.assert_allclose(ours[index], theirs[index], atol=1e-6)


def test_many_pairs_are_compared_in_pieces_without_losing_one() -> None:
    rng = np.random.default_rng(3)
    corners = rng.uniform(0, 500, (800, 2)).astype(np.float32)
    boxes = np.hstack([corners, corners + 30])
    truth = ImageTruth.of_one_class(boxes)
    found = ImageFound(boxes_xyxy_px=boxes, score=np.ones(800, np.float32), label_index=np.zeros(800, np.int32))
    matcher = Matcher([truth] * 3, [found] * 3, max_found=1000)  # 1.9 million pairs
    assert matcher.assign().hit.all()


def test_of_two_boxes_that_overlap_alike_the_later_is_taken() -> None:
    boxes = np.array([[0, 0, 24, 8], [8, 0, 32, 8]], np.float32)
    truth = ImageTruth.of_one_class(boxes)
    # The first detection lies in the middle between both; the second fits the earlier box exactly.
    found = ImageFound(
        boxes_xyxy_px=np.array([[4, 0, 28, 8], [0, 0, 24, 8]], np.float32),
        score=np.array([0.9, 0.8], np.float32),
        label_index=np.zeros(2, np.int32),
    )
    (ours,) = match([truth], [found])
    theirs = coco_precision(run_coco([truth], [found]))
    np.testing.assert_allclose(interpolated(ours), theirs[0], atol=1e-6)
    assert ours.hit[:5].all()
