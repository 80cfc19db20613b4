"""Motion of the seabed from frame to frame: rendered sledges of known motion, known warps, and the runs of the real stills."""

from __future__ import annotations

import itertools
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge.footage import Float64Array, Motion
from edge.pipeline.plan import Mask
from edge.pipeline.seabed.observer import SeabedObserver, Seen
from edge.pipeline.seabed.plane import apply
from edge.pipeline.seabed.register import MAP_SIZE, _power
from edge.values import UInt8Array
from tests.helpers.sledge import HEIGHT_PX, LINE_HEIGHT, WIDTH_PX, Pose, Sight, Sledge, Weather, swell
from tests.helpers.still_times import taken_s

_LINE = np.array([[WIDTH_PX / 2, LINE_HEIGHT * HEIGHT_PX]])
_TEXT = (Mask(y_max_px=22),)


def _observer(rate_hz: float = 6.0) -> SeabedObserver:
    return SeabedObserver(WIDTH_PX, HEIGHT_PX, masks=_TEXT, line_height=LINE_HEIGHT, rate_hz=rate_hz)


def _watched(sledge: Sledge, poses: list[Pose]) -> list[tuple[Sight, Seen]]:
    observer = _observer()
    return [(sight, observer.observe(sight.image, sight.at_s)) for sight in sledge.sail(poses, 6.0)]


def _error_px(motion: Motion, sight: Sight) -> float:
    assert sight.homography is not None
    return float(np.abs(apply(motion.homography, _LINE) - apply(sight.homography, _LINE)).max())


def _registered(watched: list[tuple[Sight, Seen]]) -> list[tuple[Sight, Motion]]:
    return [(sight, seen.motion) for sight, seen in watched if seen.motion is not None and seen.motion.source == "registered"]


def test_surging_swaying_turning_is_followed_within_a_pixel_and_the_sd_is_honest() -> None:
    watched = _watched(Sledge(11), swell(14, 6.0, 11))
    assert watched[0][1].motion is None
    found = _registered(watched)
    assert len(found) == 13
    errors = np.array([_error_px(motion, sight) for sight, motion in found])
    assert errors.max() < 1.0
    ratio = np.median(errors / [motion.sd_px for _, motion in found])
    assert 0.2 < ratio < 2.5


def test_a_sledge_that_stalls_and_slips_back_is_followed() -> None:
    watched = _watched(Sledge(31), swell(14, 6.0, 31, mean=60, surge=260))
    steps = [(apply(sight.homography, _LINE) - _LINE)[0, 1] for sight, _ in watched if sight.homography is not None]
    assert min(steps) < -5  # it does slip back
    assert max(_error_px(motion, sight) for sight, motion in _registered(watched)) < 1.0
    assert len(_registered(watched)) == 13


def test_faint_mud_under_lamps_text_lasers_and_dirt_is_not_taken_for_standing_still() -> None:
    watched = _watched(Sledge(41, Weather(texture=0.35, specks=40)), swell(8, 6.0, 41))
    assert len(_registered(watched)) == 7
    assert max(_error_px(motion, sight) for sight, motion in _registered(watched)) < 2.0


def test_the_lamps_falloff_alone_is_no_motion() -> None:
    sledge = Sledge(2, Weather(texture=0.0, specks=0))
    watched = _watched(sledge, swell(5, 6.0, 2))
    assert not any(seen.motion is not None and seen.motion.source == "registered" for _, seen in watched)


@pytest.mark.parametrize("drifts", [True, False])
def test_the_seabed_beside_a_cloud_is_followed_not_the_cloud(drifts: bool) -> None:
    weather = Weather(silt=dict.fromkeys(range(4, 12), 0.55), silt_drifts=drifts)
    watched = _watched(Sledge(61, weather), swell(12, 6.0, 61))
    behind = [(sight, motion) for sight, motion in _registered(watched) if sight.hidden.mean() > 0.3]
    assert len(behind) >= 6
    assert max(_error_px(motion, sight) for sight, motion in behind) < 5.0


def test_behind_a_whole_cloud_the_motion_is_carried_less_and_less_surely_and_found_again() -> None:
    watched = _watched(Sledge(71, Weather(silt=dict.fromkeys(range(6, 12), 0.97))), swell(15, 6.0, 71))
    carried = [seen.motion for sight, seen in watched if sight.hidden.mean() > 0.9]
    assert all(motion is not None and motion.source == "carried" for motion in carried)
    sds = [motion.sd_px for motion in carried if motion is not None]
    assert sds == sorted(sds)
    assert sds[0] > 5
    after = [(sight, seen.motion) for sight, seen in watched[-2:]]
    assert all(motion is not None and motion.source == "registered" and _error_px(motion, sight) < 1 for sight, motion in after)


def test_black_frames_have_no_motion_and_no_invented_one() -> None:
    observer, black = _observer(), np.full((HEIGHT_PX, WIDTH_PX, 3), 3, np.uint8)
    seen = [observer.observe(black, number / 6) for number in range(4)]
    assert [one.motion for one in seen] == [None] * 4
    assert seen[-1].visibility.dark_fraction == 1.0
    assert all(one.lasers is None for one in seen)


def test_a_gap_and_a_break_end_the_chain() -> None:
    observer = _observer()
    sights = list(Sledge(11).sail(swell(4, 6.0, 11), 6.0))
    assert observer.observe(sights[0].image, 0.0).motion is None
    assert observer.observe(sights[1].image, 1 / 6).motion is not None
    assert observer.observe(sights[2].image, 1 / 6 + 1.6).motion is None
    observer.break_()
    assert observer.observe(sights[3].image, 2.0).motion is None


def test_half_the_frame_tells_the_same_in_pixels_of_the_whole() -> None:
    observer = _observer()
    for sight in Sledge(11).sail(swell(4, 6.0, 11), 6.0):
        small = cv2.resize(sight.image, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
        seen = observer.observe(np.asarray(small, np.uint8), sight.at_s)
        if sight.homography is not None:
            assert seen.motion is not None
            assert _error_px(seen.motion, sight) < 2.0


def test_straight_down_it_is_the_shift_that_opencv_finds_in_the_whole_frame() -> None:
    poses = [Pose(along_px=along, pitch=0.0) for along in (0.0, 90.0)]
    first, second = Sledge(5, Weather(text=False, lasers=False, specks=0)).sail(poses, 6.0)
    observer = _observer()
    observer.observe(first.image, 0.0)
    motion = observer.observe(second.image, 1 / 6).motion
    assert motion is not None

    def even(image: UInt8Array) -> Float64Array:
        grey = np.log(np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), np.float64) + 6)
        return np.asarray(grey - cv2.GaussianBlur(grey, (0, 0), 20), np.float64)

    theirs, _ = cv2.phaseCorrelate(
        even(first.image), even(second.image), np.asarray(cv2.createHanningWindow((WIDTH_PX, HEIGHT_PX), cv2.CV_64F))
    )
    ours = (apply(motion.homography, _LINE) - _LINE)[0]
    assert ours == pytest.approx(theirs, abs=0.5)


def test_a_real_still_moved_by_a_known_homography_is_registered(real_stills: list[Path]) -> None:
    rng = np.random.default_rng(4)
    for path in real_stills[10::30]:
        still = np.asarray(cv2.imread(str(path)), np.uint8)
        turn, forward = rng.normal(0, 0.01), rng.uniform(30, 160)
        known = np.array([[1, -turn, rng.normal(0, 8)], [turn, 1, forward], [0, -1e-5, 1]])
        moved = np.asarray(cv2.warpPerspective(still, known, (WIDTH_PX, HEIGHT_PX)), np.uint8)
        observer = _observer()
        observer.observe(still, 0.0)
        motion = observer.observe(moved, 1 / 6).motion
        assert motion is not None
        assert motion.source == "registered"
        assert np.abs(apply(motion.homography, _LINE) - apply(known, _LINE)).max() < 1.5


def _boxes(path: Path) -> Float64Array:
    rows = np.loadtxt(path.parents[1] / "labels" / f"{path.stem}.txt", ndmin=2)
    return np.asarray(rows[:, 1:3] * (WIDTH_PX, HEIGHT_PX), np.float64)


def test_boxes_of_neighbouring_real_stills_meet_when_moved(real_stills: list[Path]) -> None:
    run = [path for path in real_stills if "2023-06-03T16" in path.name]
    observer, apart, pairs = _observer(12.5), list[float](), 0
    observer.observe(np.asarray(cv2.imread(str(run[0])), np.uint8), taken_s(run[0]))
    for before, now in itertools.pairwise(run):
        motion = observer.observe(np.asarray(cv2.imread(str(now)), np.uint8), taken_s(now)).motion
        if taken_s(now) - taken_s(before) > 0.45:
            continue
        assert motion is not None
        assert motion.source == "registered"
        there, boxes = apply(motion.homography, _boxes(before)), _boxes(now)
        inside = there[(there > (40, 45)).all(axis=1) & (there < (WIDTH_PX - 40, HEIGHT_PX - 41)).all(axis=1)]
        nearest = np.hypot(*(inside[:, None] - boxes[None]).transpose(2, 0, 1)).min(axis=1)
        apart.extend(nearest)
        pairs += 1
    assert pairs >= 30
    met = [one for one in apart if one < 15]
    assert len(met) > 0.75 * len(apart)  # people did not box every opening in both
    assert float(np.median(met)) < 4.0


def test_a_packed_spectrum_is_whitened_as_a_whole_one_is() -> None:
    picture = np.random.default_rng(0).normal(size=MAP_SIZE[::-1]).astype(np.float32)
    packed = np.asarray(cv2.dft(picture), np.float32)
    whole = np.fft.fft2(picture.astype(np.float64))
    power = _power(packed)
    assert np.isclose(power.mean(), np.abs(whole).mean(), rtol=1e-5)
    white = np.asarray(cv2.idft(packed / power, flags=cv2.DFT_SCALE))
    assert np.allclose(white, np.fft.ifft2(whole / np.abs(whole)).real, atol=1e-6)
