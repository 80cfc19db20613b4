"""What every tracker keeps to, and what must not matter to it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.footage import FootageFrame, Motion, Visibility
from edge.survey.tow.tracks import TrackSettings, check_tracks
from tests.helpers.tow_frames import steady, track
from tests.simulators.tow import CLEAN, LINE_HEIGHT, NOISY, WIDTH_PX, Sea, SimulatedTow, simulate, with_silt
from tests.simulators.trackers import TruthTracker, followed_openings

# -- what must not matter -----------------------------------------------------------------------------------------------------


def mirrored(frames: Sequence[FootageFrame]) -> list[FootageFrame]:
    flip = np.array([[-1.0, 0, WIDTH_PX], [0, 1, 0], [0, 0, 1]])
    turned = []
    for frame in frames:
        box = frame.detections.xyxy
        motion = frame.motion and replace(frame.motion, homography=np.ascontiguousarray(flip @ frame.motion.homography @ flip))
        if motion is not None:
            motion = replace(motion, homography=motion.homography / motion.homography[2, 2])
        flipped = np.column_stack([WIDTH_PX - box[:, 2], box[:, 1], WIDTH_PX - box[:, 0], box[:, 3]]).astype(np.float32)
        turned.append(replace(frame, motion=motion, detections=replace(frame.detections, xyxy=flipped)))
    return turned


def enlarged(frames: Sequence[FootageFrame], factor: int) -> list[FootageFrame]:
    scale = np.diag([factor, factor, 1.0])
    larger = []
    for frame in frames:
        motion = frame.motion
        if motion is not None:
            homography = np.ascontiguousarray(scale @ motion.homography @ np.linalg.inv(scale))
            motion = replace(motion, homography=homography, sd_px=motion.sd_px * factor)
        larger.append(
            replace(
                frame,
                width_px=frame.width_px * factor,
                height_px=frame.height_px * factor,
                motion=motion,
                detections=replace(frame.detections, xyxy=frame.detections.xyxy * np.float32(factor)),
            )
        )
    return larger


def short_tow(seed: int) -> SimulatedTow:
    return simulate(seed, 12.0, noise=with_silt(NOISY, (5.0, 7.0)), sea=Sea(openings_in_view=10))


@settings(max_examples=4, deadline=None)
@given(seed=st.integers(100, 10_000))
def test_left_and_right_size_and_time_do_not_matter(seed: int) -> None:
    tow = short_tow(seed)
    plain = track(tow.frames)
    count = len(plain.counted)
    assert len(track(mirrored(tow.frames)).counted) == pytest.approx(count, abs=1)
    assert len(track(enlarged(tow.frames, 2)).counted) == pytest.approx(count, abs=1)
    later = track([replace(frame, at_s=frame.at_s + 1000.0) for frame in tow.frames])
    assert [one.frames.tolist() for one in later.tracks] == [one.frames.tolist() for one in plain.tracks]


@settings(max_examples=4, deadline=None)
@given(seed=st.integers(100, 10_000), left_out=st.integers(2, 60))
def test_leaving_a_frame_out_adds_no_openings(seed: int, left_out: int) -> None:
    tow = short_tow(seed)
    gone, after = tow.frames[left_out], tow.frames[left_out + 1]
    assert gone.motion is not None
    assert after.motion is not None
    both = np.ascontiguousarray(after.motion.homography @ gone.motion.homography)
    source = "carried" if "carried" in {gone.motion.source, after.motion.source} else "registered"
    motion = Motion(homography=both / both[2, 2], sd_px=float(np.hypot(gone.motion.sd_px, after.motion.sd_px)), source=source)  # type: ignore[arg-type]
    fewer = [*tow.frames[:left_out], replace(after, motion=motion), *tow.frames[left_out + 2 :]]
    # Of some eighty, a few of those that the noise hides in the frames around are taken for others.
    assert len(track(fewer).counted) <= len(track(tow.frames).counted) + 4


def test_the_same_tow_gives_the_same_tracks() -> None:
    tow = short_tow(1)
    first, second = track(tow.frames), track(tow.frames)
    assert [one.frames.tolist() for one in first.tracks] == [one.frames.tolist() for one in second.tracks]
    assert [one.confidence for one in first.tracks] == [one.confidence for one in second.tracks]


# -- what it is given, and what it gives --------------------------------------------------------------------------------------


def test_a_tow_on_which_nothing_was_found_has_no_track_and_a_travel() -> None:
    found = track(steady([], [50.0] * 5))
    assert found.tracks == ()
    assert found.travel.along_px[-1] == pytest.approx(250)


@pytest.mark.parametrize(
    ("spoil", "word"),
    [
        (lambda frames: [], "without a frame"),
        (lambda frames: [frames[0], replace(frames[1], at_s=0.0)], "does not come after"),
        (lambda frames: [frames[0], replace(frames[1], width_px=640)], "640 x"),
    ],
)
def test_frames_that_are_no_tow_are_refused(spoil: object, word: str) -> None:
    assert callable(spoil)
    with pytest.raises(ValueError, match=word):
        track(spoil(steady([(500.0, 100.0)], [50.0] * 3)))


@pytest.mark.parametrize("line_height", [0.0, 1.2])
def test_a_line_outside_the_frame_is_refused(line_height: float) -> None:
    with pytest.raises(ValueError, match="outside the frame"):
        track(steady([(500.0, 100.0)], [50.0]), line_height=line_height)


@pytest.mark.parametrize("wrong", [{"jitter_width": 0.0}, {"detection_rate": 1.0}, {"min_confidence": 0.0}, {"longest_gap_s": -1.0}])
def test_settings_that_cannot_be_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=r"must be positive|between 0 and 1"):
        replace(TrackSettings(), **wrong)


def test_the_simulated_tracker_keeps_to_the_protocol_too() -> None:
    tow = simulate(2, 20.0, noise=NOISY)
    found = check_tracks(TruthTracker(tow).track(tow.frames, line_height=LINE_HEIGHT, settings=TrackSettings()), tow.frames)
    owner = followed_openings(found, tow)
    assert {owner[one.id] for one in found.counted} <= {one.opening for one in tow.crossings}
    assert len(found.counted) == pytest.approx(len(tow.crossings), rel=0.02)


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"confidence": 1.5}, "confidence"),
        ({"first_s": -3.0}, "times are not those"),
        ({"along_px": float("nan")}, "no number"),
        ({"crossing_s": 1e6}, "outside of the tow"),
        ({"detections": np.array([99], np.int32)}, "not of one length"),
        ({"boxes": np.full((12, 4), 3, np.float32)}, "no such detection"),
        ({"frames": np.arange(12, 0, -1).astype(np.int32)}, "do not ascend"),
    ],
)
def test_the_driver_refuses_what_no_tracker_may_return(change: dict[str, object], word: str) -> None:
    frames = steady([(500.0, 60.0)], [50.0] * 11)
    found = track(frames)
    assert len(found.tracks[0].frames) == 12
    spoiled = replace(found, tracks=(replace(found.tracks[0], **change),))  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=word):
        check_tracks(spoiled, frames)


def test_the_driver_refuses_a_detection_in_two_tracks_and_an_id_twice() -> None:
    frames = steady([(500.0, 60.0)], [50.0] * 11)
    found = track(frames)
    one = found.tracks[0]
    with pytest.raises(ValueError, match="in two tracks"):
        check_tracks(replace(found, tracks=(one, replace(one, id=2))), frames)
    with pytest.raises(ValueError, match="given twice"):
        check_tracks(replace(found, tracks=(one, one)), frames)


def test_visibility_that_says_silt_makes_a_miss_no_miss() -> None:
    frames = steady([(500.0, 40.0), (800.0, 30.0)], [25.0] * 22, hide=range(6, 12))
    silt = Visibility(mean_luminance=80.0, contrast=5.0, sharpness=3.0, silt_fraction=0.98, dark_fraction=0.0)
    told = [replace(frame, visibility=silt) if 6 <= number < 12 else frame for number, frame in enumerate(frames)]
    assert all(one.n_missed == 0 for one in track(told).tracks)
    assert len(track(told).counted) == 2


def test_clean_and_noisy_are_the_same_seabed() -> None:
    """The simulator's own promise: what is seen changes nothing of what is there."""
    assert [one.at_s for one in simulate(4, 10.0, noise=CLEAN).crossings] == [one.at_s for one in simulate(4, 10.0, noise=NOISY).crossings]
