"""Widths of view: each way against its own geometry, and what no camera can see refused."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.survey.width import (
    CLICK_SD_PX,
    LaserClicks,
    RangeFinder,
    ViewOf,
    WidthError,
    WidthMethod,
    fixed_width,
    laser_width,
    range_finder_width,
    table_width,
)

CLICKS = LaserClicks(
    left_px=(300.0, 573.0), right_px=(902.0, 573.0), image_width_px=1229, image_height_px=691, gap_m=0.5, gap_source="beams, test"
)
CAMERA = RangeFinder(range_m=1.0, offset_m=0.1, camera_angle_deg=35.0, vertical_view_deg=40.0, horizontal_view_deg=52.0)


def test_a_laser_pair_gives_scale_times_frame() -> None:
    found = laser_width(CLICKS, 0.83, "still 7")
    assert found.width_m == pytest.approx(0.5 / 602 * 1229)
    assert found.detail["rows_off"] == pytest.approx(573 / 691 - 0.83, abs=1e-3)
    assert found.uncertainty_m == pytest.approx(found.width_m * math.sqrt(2) * CLICK_SD_PX / 602)
    assert "assumes" in found.detail


@given(st.floats(0, 2 * math.pi), st.floats(20, 300), st.floats(0.05, 1.0))
def test_a_laser_width_does_not_hang_on_how_the_pair_lies(turn: float, gap_px: float, gap_m: float) -> None:
    x, y = 600 + gap_px * math.cos(turn), 345 + gap_px * math.sin(turn)
    clicks = replace(CLICKS, left_px=(600.0, 345.0), right_px=(x, y), gap_m=gap_m)
    expected = gap_m / gap_px * 1229
    if 0.1 <= expected <= 5:
        assert laser_width(clicks, 0.5, "x").width_m == pytest.approx(expected, rel=1e-9)


ANGLES = (st.floats(0, 55), st.floats(20, 60), st.floats(20, 80), st.floats(0.3, 1.5))


def camera_of(angle: float, vertical: float, horizontal: float, height: float, view_of: ViewOf) -> RangeFinder:
    return RangeFinder(
        range_m=height + 0.2,
        offset_m=0.2,
        camera_angle_deg=angle,
        vertical_view_deg=vertical,
        horizontal_view_deg=horizontal,
        horizontal_view_of=view_of,
    )


@given(*ANGLES)
def test_at_the_bottom_edge_the_range_finder_is_the_scottish_formula(
    angle: float, vertical: float, horizontal: float, height: float
) -> None:
    """NephAssess: 2 h / cos(camera angle - vertical view / 2) * tan(horizontal view / 2)."""
    down, half = math.radians(angle - vertical / 2), math.radians(horizontal / 2)
    expected = 2 * height / math.cos(down) * math.tan(half)
    if 0.1 <= expected <= 5:
        found = range_finder_width(camera_of(angle, vertical, horizontal, height, ViewOf.BOTTOM_EDGE), 1.0, "test")
        assert found.width_m == pytest.approx(expected, rel=1e-9)


@given(*ANGLES, st.floats(0.3, 1.0), st.sampled_from(ViewOf))
def test_the_range_finder_agrees_with_a_projection_of_the_seabed(
    angle: float, vertical: float, horizontal: float, height: float, row: float, view_of: ViewOf
) -> None:
    """A pinhole camera made here of vectors: a bar of the found width on the ground fills exactly the row of the picture.

    x is across, y along the tow, z up. The bar lies where the row's ray meets the ground; both its ends are projected.
    """
    camera = camera_of(angle, vertical, horizontal, height, view_of)
    turn, half = math.radians(angle), math.radians(vertical / 2)
    axis = np.array([0.0, math.sin(turn), -math.cos(turn)])
    across, down = np.array([1.0, 0.0, 0.0]), np.array([0.0, -math.cos(turn), -math.sin(turn)])  # the picture's x and y
    edge = np.array([0.0, math.tan(half)])  # the middle of the bottom edge on the picture at depth 1
    if view_of is ViewOf.BOTTOM_EDGE:  # the angle at the camera between the ends of the bottom edge
        reach = float(np.linalg.norm([edge[0], edge[1], 1.0])) * math.tan(math.radians(horizontal / 2))
    else:
        reach = math.tan(math.radians(horizontal / 2))
    ray = axis + (2 * row - 1) * edge[1] * down
    if ray[2] > -0.05:
        return  # that row sees the horizon, or nearly
    place = np.array([0.0, 0.0, height]) + ray * height / -ray[2]
    try:
        found = range_finder_width(camera, row, "test")
    except WidthError as error:
        assert "m wide" in str(error)  # noqa: PT017 (what no camera sees is refused, whatever the geometry)
        return
    for side in (-1, 1):
        point = place + side * found.width_m / 2 * across - np.array([0.0, 0.0, height])
        x, y = point @ across / (point @ axis), point @ down / (point @ axis)
        assert x == pytest.approx(side * reach, rel=1e-9)
        assert (y / edge[1] + 1) / 2 == pytest.approx(row, abs=1e-9)


def test_the_range_finder_carries_what_the_range_is_uncertain_by() -> None:
    sure, unsure = (range_finder_width(replace(CAMERA, range_sd_m=sd), 0.83, "test") for sd in (None, 0.03))
    assert sure.uncertainty_m is None
    further = range_finder_width(replace(CAMERA, range_m=1.03), 0.83, "test")
    assert unsure.uncertainty_m == pytest.approx(further.width_m - sure.width_m)


def test_a_row_above_the_horizon_has_no_width() -> None:
    with pytest.raises(WidthError, match="not at the seabed"):
        range_finder_width(replace(CAMERA, camera_angle_deg=80.0), 0.1, "test")
    for row in (0.0, 1.2, math.nan):
        with pytest.raises(WidthError, match="outside the frame"):
            range_finder_width(CAMERA, row, "test")


@pytest.mark.parametrize(
    ("camera", "words"),
    [
        (replace(CAMERA, range_m=0.1), "height"),
        (replace(CAMERA, range_m=math.nan), "height"),
        (replace(CAMERA, camera_angle_deg=90.0), "camera angle"),
        (replace(CAMERA, camera_angle_deg=-5.0), "camera angle"),
        (replace(CAMERA, vertical_view_deg=0.0), "angle of view"),
        (replace(CAMERA, horizontal_view_deg=180.0), "angle of view"),
        (replace(CAMERA, vertical_view_deg=math.nan), "angle of view"),
        (replace(CAMERA, range_m=90.0), "wide"),
    ],
)
def test_impossible_geometry_is_refused(camera: RangeFinder, words: str) -> None:
    with pytest.raises(WidthError, match=words):
        range_finder_width(camera, 0.83, "test")


@pytest.mark.parametrize(
    ("clicks", "words"),
    [
        (replace(CLICKS, right_px=(304.0, 573.0)), "px apart"),
        (replace(CLICKS, right_px=(1300.0, 573.0)), "outside of the frame"),
        (replace(CLICKS, left_px=(-1.0, 573.0)), "outside of the frame"),
        (replace(CLICKS, gap_m=0.0), "gap between the lasers"),
        (replace(CLICKS, gap_m=math.inf), "gap between the lasers"),
        (replace(CLICKS, gap_source=" "), "gap between the lasers"),
        (replace(CLICKS, gap_m=9.0), "m wide"),
    ],
)
def test_impossible_clicks_are_refused(clicks: LaserClicks, words: str) -> None:
    with pytest.raises(WidthError, match=words):
        laser_width(clicks, 0.83, "test")


def test_a_width_has_a_source_a_row_and_a_sane_value() -> None:
    assert fixed_width(0.75, 0.83, "tank", 0.01).method is WidthMethod.FIXED
    assert table_width(1.01, 0.83, "FOVMultiplier").method is WidthMethod.TABLE
    for width_m, row_height, source, uncertainty_m in (
        (0.75, 0.83, "  ", None),
        (0.0, 0.83, "x", None),
        (math.nan, 0.83, "x", None),
        (7.5, 0.83, "x", None),
        (0.75, 0.0, "x", None),
        (0.75, 1.2, "x", None),
        (0.75, math.nan, "x", None),
        (0.75, 0.83, "x", 0.8),
    ):
        with pytest.raises(WidthError):
            fixed_width(width_m, row_height, source, uncertainty_m)
