from __future__ import annotations

import itertools

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from models.manifest import InputSpec
from models.runtime.tiling import plan_tiles, plan_views


def spec(width_px: int = 64, height_px: int = 32, overlap: float = 0.25) -> InputSpec:
    return InputSpec(width_px=width_px, height_px=height_px, tile_overlap=overlap, fit="tiles")


@given(
    width_px=st.integers(1, 900),
    height_px=st.integers(1, 900),
    tile_width_px=st.integers(32, 300),
    tile_height_px=st.integers(32, 300),
    overlap=st.floats(0, 0.5),
)
@settings(max_examples=200, deadline=None)
def test_tiles_cover_the_image_and_overlap_enough(
    width_px: int, height_px: int, tile_width_px: int, tile_height_px: int, overlap: float
) -> None:
    tiles = plan_tiles(width_px, height_px, spec(tile_width_px, tile_height_px, overlap))
    seen = np.zeros((height_px, width_px), np.uint8)
    for tile in tiles:
        assert tile.width_px == min(tile_width_px, width_px)
        assert tile.height_px == min(tile_height_px, height_px)
        assert tile.x_min_px >= 0
        assert tile.y_min_px >= 0
        seen[tile.y_min_px : tile.y_max_px, tile.x_min_px : tile.x_max_px] = 1
    assert seen.all()
    lefts = sorted({tile.x_min_px for tile in tiles})
    assert all(second - first <= tile_width_px - overlap * tile_width_px for first, second in itertools.pairwise(lefts))


def test_an_image_of_the_tile_size_is_one_tile() -> None:
    assert len(plan_tiles(64, 32, spec())) == 1
    assert len(plan_tiles(65, 32, spec())) == 2
    assert len(plan_tiles(640, 320, spec(overlap=0.0))) == 100


def test_a_view_gives_full_image_pixels_and_pads_small_images() -> None:
    image = np.arange(40 * 100 * 3, dtype=np.uint32).reshape(40, 100, 3).astype(np.uint8)
    views = plan_views(100, 40, spec())
    assert [view.part.xyxy for view in views] == [(0, 0, 64, 32), (36, 0, 100, 32), (0, 8, 64, 40), (36, 8, 100, 40)]
    last = views[-1]
    assert np.array_equal(last.cut(image), image[8:40, 36:100])
    assert np.shares_memory(last.cut(image), image)
    assert last.to_image(np.array([[1, 2, 99, 99]], np.float32)).tolist() == [[37, 10, 100, 40]]
    (only,) = plan_views(10, 10, spec())
    tensor = only.tensor(only.cut(image[:10, :10]), spec())
    assert tensor.shape == (1, 3, 32, 64)
    assert np.allclose(tensor[0, :, 20:], 114 / 255)


def test_fit_can_be_overruled() -> None:
    assert len(plan_views(640, 320, spec(), fit="letterbox")) == 1
    assert len(plan_views(640, 320, spec())) > 1
    (view,) = plan_views(100, 10, spec(), fit="stretch")
    assert (view.placement.content_width_px, view.placement.content_height_px) == (64, 32)


@given(
    width_px=st.integers(1, 900), height_px=st.integers(1, 900), input_width_px=st.integers(32, 300), input_height_px=st.integers(32, 300)
)
@settings(max_examples=200, deadline=None)
def test_the_middle_is_as_large_as_its_aspect_allows(width_px: int, height_px: int, input_width_px: int, input_height_px: int) -> None:
    (view,) = plan_views(width_px, height_px, spec(input_width_px, input_height_px), fit="crop")
    part = view.part
    assert 0 <= part.x_min_px < part.x_max_px <= width_px
    assert 0 <= part.y_min_px < part.y_max_px <= height_px
    assert part.width_px == width_px or part.height_px == height_px
    assert abs(part.x_min_px - (width_px - part.x_max_px)) <= 1
    assert abs(part.y_min_px - (height_px - part.y_max_px)) <= 1
    assert abs(part.width_px * input_height_px - part.height_px * input_width_px) <= max(input_width_px, input_height_px)
    image = np.arange(width_px * height_px * 3, dtype=np.uint8).reshape(height_px, width_px, 3)
    assert view.cut(image).shape == (input_height_px, input_width_px, 3)
