"""Width of view by second from laser pairs: at the counting row by the motion, steady against jumps, honest where pairs are missing."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from edge.footage import FootageFrame, LaserPair, Motion
from edge.survey.tow.laser_width import WidthSecond, steady, widths_per_second
from edge.values import Detections

_WIDTH_PX, _HEIGHT_PX, _RATE_HZ = 1229, 691, 6
_LINE_PX = 0.83 * _HEIGHT_PX
_GAP_M, _LASER_ROW = 0.6, 365.0
_NOTHING = Detections(xyxy=np.zeros((0, 4), np.float32), score=np.zeros(0, np.float32), label_index=np.zeros(0, np.int32))


def _motion(slope: float, step_px: float) -> Motion:
    """Straight ahead over a plane whose scale grows by `slope` per pixel below the line, `step_px` at the line."""
    to_centred = np.array([[1, 0, -_WIDTH_PX / 2], [0, 1, -_LINE_PX], [0, 0, 1.0]])
    flat = np.array([[1, 0, 0], [0, 1, 0], [0, slope, 1.0]])
    shift = np.array([[1, 0, 0], [0, 1, step_px], [0, 0, 1.0]])
    whole = np.linalg.inv(to_centred) @ np.linalg.inv(flat) @ shift @ flat @ to_centred
    return Motion(homography=np.asarray(whole / whole[2, 2], np.float64), sd_px=0.1, source="registered")


def _tow(seconds: int, width_m: float = 1.0, slope: float = 0.0, seed: int = 1) -> list[FootageFrame]:
    rng = np.random.default_rng(seed)
    gap_px = _GAP_M / width_m * _WIDTH_PX * (1 + slope * (_LASER_ROW - _LINE_PX))
    frames = []
    for number in range(seconds * _RATE_HZ):
        half = (gap_px + rng.normal(0, 1.0)) / 2
        pair = LaserPair(left_px=(614 - half, _LASER_ROW), right_px=(614 + half, _LASER_ROW), strength=70.0)
        step = _motion(slope, 90 + 20 * rng.random()) if number else None
        frames.append(
            FootageFrame(
                at_s=number / _RATE_HZ,
                width_px=_WIDTH_PX,
                height_px=_HEIGHT_PX,
                detections=_NOTHING,
                motion=step,
                lasers=pair,
                visibility=None,
            )
        )
    return frames


def _widths(frames: list[FootageFrame], gap_sd_m: float = 0.0) -> list[WidthSecond]:
    return widths_per_second(frames, gap_m=_GAP_M, gap_sd_m=gap_sd_m, line_height=0.83)


@pytest.mark.parametrize("slope", [0.0, 0.0003, 0.0006])
def test_the_width_is_that_at_the_counting_row_however_oblique_the_view(slope: float) -> None:
    widths = _widths(_tow(6, 1.01, slope))
    assert [one.second for one in widths] == list(range(6))
    for one in widths:
        assert one.width_m == pytest.approx(1.01, rel=0.01)
        assert abs(one.width_m - 1.01) < 4 * one.sd_m + 0.002
        assert (one.pairs, one.source) == (6, "lasers")


def test_what_the_gap_is_uncertain_by_does_not_average_out() -> None:
    exact, unsure = _widths(_tow(3)), _widths(_tow(3), gap_sd_m=0.012)
    assert all(one.sd_m >= 0.02 * one.width_m for one in unsure)
    assert all(sharp.sd_m < 0.01 * sharp.width_m for sharp in exact)


def test_a_beam_that_jumps_in_silt_is_left_out() -> None:
    frames = _tow(5)
    for number in (13, 14):
        frames[number] = dataclasses.replace(
            frames[number], lasers=LaserPair(left_px=(150.0, _LASER_ROW), right_px=(1090.0, _LASER_ROW), strength=40.0)
        )
    widths = {one.second: one for one in _widths(frames)}
    assert widths[2].pairs == 4
    assert widths[2].width_m == pytest.approx(1.0, rel=0.01)


def test_a_few_seconds_without_a_pair_are_bridged_less_surely_and_many_are_not() -> None:
    frames = [dataclasses.replace(f, lasers=None) if 3 <= f.at_s < 6 or 9 <= f.at_s < 16 else f for f in _tow(20)]
    widths = {one.second: one for one in _widths(frames)}
    assert set(range(20)) - set(widths) == set(range(9, 16))
    assert widths[4].source == "bridged"
    assert widths[4].pairs == 0
    assert widths[4].sd_m > 3 * widths[2].sd_m


def test_no_pair_at_all_is_no_width_never_a_default() -> None:
    assert _widths([dataclasses.replace(frame, lasers=None) for frame in _tow(3)]) == []


def test_without_motion_the_slope_of_the_view_is_told_as_unknown() -> None:
    still = [dataclasses.replace(frame, motion=None) for frame in _tow(3)]
    assert all(one.sd_m > 0.05 * one.width_m for one in _widths(still))


def test_a_gap_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="positive"):
        widths_per_second(_tow(1), gap_m=0.0, gap_sd_m=0.0, line_height=0.83)


def test_a_sledge_that_lifts_is_no_outlier() -> None:
    at_s = np.arange(0, 20, 1 / 6)
    gap_px = 715 * (1 + 0.14 * np.sin(at_s * 2 * np.pi / 9))
    assert steady(at_s, gap_px).mean() > 0.95
    gap_px[40] *= 1.15
    assert not steady(at_s, gap_px)[40]
