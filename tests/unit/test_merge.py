from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from edge.values import Detections
from models.manifest import InputSpec
from models.runtime.merge import merge_views
from models.runtime.tiling import View, plan_views

WIDTH_PX, HEIGHT_PX = 500, 400


def views_of(overlap: float, side_px: int = 128) -> tuple[View, ...]:
    return plan_views(WIDTH_PX, HEIGHT_PX, InputSpec(width_px=side_px, height_px=side_px, tile_overlap=overlap, fit="tiles"))


def detections(boxes: Sequence[Sequence[float]], scores: Sequence[float] = (), labels: Sequence[int] = ()) -> Detections:
    count = len(boxes)
    return Detections(
        xyxy=np.array(boxes, np.float32).reshape(-1, 4),
        score=np.array(scores or [0.9] * count, np.float32),
        label_index=np.array(labels or [0] * count, np.int32),
    )


def seen_by(view: View, truth: Detections, smallest_px: float, wobble: NDArray[np.float32] | None = None) -> Detections:
    """What a good detector shows of the objects in a tile: those parts that are large enough to be seen."""
    left, top, right, bottom = view.part.xyxy
    boxes = truth.xyxy if wobble is None else truth.xyxy + wobble
    cut = np.clip(boxes, [left, top, left, top], [right, bottom, right, bottom]).astype(np.float32)
    shown = ((cut[:, 2:] - cut[:, :2]) >= smallest_px).all(axis=1)
    return Detections(xyxy=cut[shown], score=truth.score[shown], label_index=truth.label_index[shown])


def merged(views: tuple[View, ...], found: Sequence[Detections]) -> Detections:
    return merge_views(views, found, iou=0.5, width_px=WIDTH_PX, height_px=HEIGHT_PX)


def same_set(first: Detections, second: Detections, tolerance_px: float) -> bool:
    if len(first) != len(second):
        return False
    distance = np.abs(first.xyxy[:, None] - second.xyxy[None]).max(axis=-1)
    distance[first.label_index[:, None] != second.label_index[None]] = np.inf
    return bool((distance.min(axis=0, initial=np.inf) <= tolerance_px).all()) if len(first) else True


@pytest.mark.parametrize("overlap", [0.0, 0.1, 0.2, 0.5])
@pytest.mark.parametrize(
    "box",
    [
        (100, 100, 140, 130),  # over a corner where four tiles meet
        (10, 10, 30, 30),  # inside one tile
        (90, 10, 110, 40),  # over one border
        (20, 50, 300, 90),  # longer than two tiles
        (60, 60, 440, 340),  # larger than a tile in both directions
        (0, 0, 500, 400),  # the whole image
        (126, 5, 130, 60),  # thin, on a border
    ],
)
def test_one_object_comes_out_once_and_whole(overlap: float, box: tuple[float, ...]) -> None:
    views = views_of(overlap)
    truth = detections([box])
    found = [seen_by(view, truth, 1.0) for view in views]
    assert sum(len(one) for one in found) >= 1
    assert merged(views, found).xyxy.tolist() == truth.xyxy.tolist()


def test_neighbours_stay_two_objects() -> None:
    views = views_of(0.2)
    truth = detections([(95, 50, 112, 70), (113, 50, 130, 70), (95, 71, 112, 91)])
    assert same_set(merged(views, [seen_by(view, truth, 2.0) for view in views]), truth, 0.01)


def test_classes_are_never_merged() -> None:
    views = views_of(0.2)
    truth = detections([(95, 50, 130, 70), (95, 50, 130, 70)], labels=(0, 1))
    assert sorted(merged(views, [seen_by(view, truth, 2.0) for view in views]).label_index.tolist()) == [0, 1]


def test_the_best_score_leads_and_the_whole_box_is_taken() -> None:
    views = views_of(0.2)
    whole, piece = views[1].part, views[0].part
    box = (whole.x_min_px + 10.0, 20.0, piece.x_max_px + 9.0, 40.0)
    found = [Detections.empty() for _ in views]
    found[0] = detections([(box[0], box[1], piece.x_max_px, box[3])], scores=[0.95])
    found[1] = detections([box], scores=[0.6])
    result = merged(views, found)
    assert np.allclose(result.xyxy, [box])
    assert np.allclose(result.score, [0.95])


def test_nothing_in_any_tile_is_nothing() -> None:
    views = views_of(0.2)
    assert len(merged(views, [Detections.empty() for _ in views])) == 0


def scattered(seed: int, count: int, largest_px: float, smallest_px: float = 8) -> Detections:
    """Objects that touch no other of their class, of many shapes."""
    rng = np.random.default_rng(seed)
    boxes: list[NDArray[np.float64]] = []
    for _ in range(count * 10):
        size = rng.uniform(smallest_px, largest_px, 2)
        corner = rng.uniform(0, 1, 2) * np.maximum((WIDTH_PX, HEIGHT_PX) - size, 0)
        box = np.concatenate([corner, np.minimum(corner + size, (WIDTH_PX, HEIGHT_PX))])
        apart = all(box[0] > o[2] + 12 or o[0] > box[2] + 12 or box[1] > o[3] + 12 or o[1] > box[3] + 12 for o in boxes)
        if apart:
            boxes.append(box)
        if len(boxes) == count:
            break
    return Detections(
        xyxy=np.array(boxes, np.float32).reshape(-1, 4),
        score=rng.uniform(0.3, 1, len(boxes)).astype(np.float32),
        label_index=rng.integers(0, 2, len(boxes)).astype(np.int32),
    )


@given(
    seed=st.integers(0, 100_000),
    count=st.integers(1, 12),
    overlap=st.sampled_from([0.0, 0.1, 0.2, 0.35, 0.5]),
    largest_px=st.sampled_from([30, 90, 300]),
)
@settings(max_examples=300, deadline=None)
def test_every_object_comes_out_once_and_whole(seed: int, count: int, overlap: float, largest_px: int) -> None:
    views, truth = views_of(overlap), scattered(seed, count, largest_px)
    assert same_set(merged(views, [seen_by(view, truth, 1.0) for view in views]), truth, 1.01)


@given(seed=st.integers(0, 100_000), count=st.integers(1, 12))
@settings(max_examples=150, deadline=None)
def test_a_detector_that_wobbles_and_misses_slivers_gives_each_object_once(seed: int, count: int) -> None:
    """Objects of 16 px up to the overlap's size, boxes off by up to a pixel, pieces thinner than 6 px unseen."""
    rng = np.random.default_rng(seed)
    views, truth = views_of(0.3), scattered(seed, count, 35, 16)
    found = [seen_by(view, truth, 6.0, rng.uniform(-1, 1, truth.xyxy.shape).astype(np.float32)) for view in views]
    assert same_set(merged(views, found), truth, 2.5)


@given(seed=st.integers(0, 100_000))
@settings(max_examples=50, deadline=None)
def test_the_order_of_the_tiles_does_not_matter(seed: int) -> None:
    rng = np.random.default_rng(seed)
    views, truth = views_of(0.2), scattered(seed, 10, 120)
    found = [seen_by(view, truth, 2.0) for view in views]
    order = rng.permutation(len(views))
    shuffled = merge_views([views[i] for i in order], [found[i] for i in order], iou=0.5, width_px=WIDTH_PX, height_px=HEIGHT_PX)
    assert same_set(shuffled, merged(views, found), 0.01)
