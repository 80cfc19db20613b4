"""The seabed tracker on tows of known truth: counts, identities, silt, gaps, the line, and what must not matter."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from edge.footage import Motion
from edge.values import Detections
from tests.helpers.tow_frames import LINE_PX, lone, steady, track
from tests.simulators.tow import FALSE, HEIGHT_PX, NOISY, WIDTH_PX, Sea, simulate, with_silt
from tests.simulators.trackers import followed_openings, id_switches

SEEDS = range(3)  # tests/benchmarks/bench_tracking.py measures twenty, of two minutes each


# -- counts and identities ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", SEEDS)
def test_true_detections_are_counted_to_one_percent(seed: int) -> None:
    tow = simulate(seed, 40.0)
    found = track(tow.frames)
    assert len(found.counted) == pytest.approx(len(tow.crossings), rel=0.01)
    assert id_switches(found, tow) <= 0.02


@pytest.mark.parametrize("seed", SEEDS)
def test_a_detector_that_errs_and_silt_cost_at_most_five_percent(seed: int) -> None:
    tow = simulate(seed, 60.0, noise=with_silt(NOISY, (20.0 + seed, 22.0 + seed)), sea=Sea(openings_in_view=20))
    found = track(tow.frames)
    assert len(found.counted) == pytest.approx(len(tow.crossings), rel=0.05)
    assert id_switches(found, tow) <= 0.02


def test_crossings_are_those_of_the_truth_to_hundredths_of_a_second() -> None:
    tow = simulate(7, 25.0, noise=NOISY)
    found = track(tow.frames)
    truth = {one.opening: one for one in tow.crossings}
    owner = followed_openings(found, tow)
    late, aside = [], []
    for one in found.counted:
        true = truth.get(owner[one.id])
        if true is not None and one.crossing_s is not None:
            late.append(one.crossing_s - true.at_s)
            aside.append(one.across_px - true.x_px)
    assert len(late) > 200
    assert np.median(np.abs(late)) < 0.01
    assert np.median(np.abs(aside)) < 2.0


def test_what_the_detector_itself_never_counts_is_followed_but_not_counted() -> None:
    """Things on the seabed that are no openings are seen again and again too; only the score tells."""
    tow = simulate(4, 20.0)
    chance = np.random.default_rng(4)
    frames = []
    for frame in tow.frames:
        middle = (frame.detections.xyxy[:, 0] + frame.detections.xyxy[:, 2]) / 2
        score = np.where(middle < WIDTH_PX / 2, 0.3, 0.8) * chance.uniform(0.5, 1.0, len(middle))
        frames.append(replace(frame, detections=replace(frame.detections, score=score.astype(np.float32))))
    found = track(frames, least_score=0.5)
    counted = {one.id for one in found.counted}
    assert len(counted) > 20
    for one in found.tracks:
        assert (one.confidence < 0.5) == (one.scores.max() < 0.5)
        if one.crossing_s is not None and one.id not in counted:
            assert one.confidence == pytest.approx(0.5 * one.scores.max() / 0.5, abs=0.01)
    assert len(track(frames).counted) == pytest.approx(len(tow.crossings), rel=0.02)


def test_confidence_tells_openings_from_what_was_seen_once() -> None:
    tow = simulate(3, 25.0, noise=NOISY)
    found = track(tow.frames)
    owner = followed_openings(found, tow)
    real = [one.confidence for one in found.tracks if owner[one.id] >= 0]
    false = [one.confidence for one in found.tracks if owner[one.id] < 0]
    told = {(int(frame), int(place)) for one in found.tracks for frame, place in zip(one.frames, one.detections, strict=True)}
    untold = [whose for frame, owners in enumerate(tow.owners) for place, whose in enumerate(owners) if (frame, place) not in told]
    assert len(untold) > 150
    assert set(untold) == {FALSE}  # what is hopeless is not told, and no opening is hopeless
    assert np.mean([one < 0.5 for one in [*false, *[0.0] * len(untold)]]) > 0.9
    assert np.mean(np.array(real) > 0.5) > 0.97


def test_what_was_seen_once_is_forgotten_on_the_way_and_changes_nothing_but_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    tow = simulate(3, 25.0, noise=NOISY)
    found = track(tow.frames)
    monkeypatch.setattr("edge.survey.tow.kept.JUDGED_EVERY", 500)
    often = track(tow.frames)
    monkeypatch.setattr("edge.survey.tow.kept.HOPELESS", -1.0)
    never = track(tow.frames)
    for other in (often, never):
        assert [one.frames.tolist() for one in other.tracks] == [one.frames.tolist() for one in found.tracks]
        assert [one.confidence for one in other.tracks] == pytest.approx([one.confidence for one in found.tracks], abs=1e-6)


def test_the_expected_number_is_near_the_number() -> None:
    tow = simulate(5, 25.0, noise=NOISY)
    found = track(tow.frames)
    expected = sum(one.confidence for one in found.tracks if one.crossing_s is not None)
    assert expected == pytest.approx(len(tow.crossings), rel=0.02)


# -- silt, gaps, stalls -------------------------------------------------------------------------------------------------------


def test_a_stall_in_silt_is_put_right_by_the_pattern_of_the_openings() -> None:
    """The motion is carried on at speed while the sledge stands: without the pattern every opening would be counted twice."""
    rng = np.random.default_rng(1)
    places = [(float(x), float(y)) for x, y in zip(rng.uniform(60, 1170, 24), rng.uniform(-1500, 500, 24), strict=True)]
    steps = [60.0] * 8 + [0.0] * 6 + [60.0] * 40
    frames = steady(places, steps, hide=range(9, 15))
    carried = np.eye(3)
    carried[1, 2] = 25.0
    for number in range(9, 15):
        frames[number] = replace(frames[number], motion=Motion(homography=carried, sd_px=20.0, source="carried"))
    expected = sum(y < LINE_PX for _, y in places)
    assert len(track(frames).counted) == expected


def test_a_passage_that_nobody_saw_is_undone_when_the_opening_is_above_the_line_again() -> None:
    rng = np.random.default_rng(3)
    places = [(float(x), float(y)) for x, y in zip(rng.uniform(60, 1170, 12), rng.uniform(330, 470, 12), strict=True)]
    frames = steady(places, [20.0] * 4 + [0.0] * 14, hide=range(5, 12))
    carried = np.eye(3)
    carried[1, 2] = 35.0
    for number in range(5, 12):
        frames[number] = replace(frames[number], motion=Motion(homography=carried, sd_px=25.0, source="carried"))
    found = track(frames)
    assert len(found.tracks) == 12
    assert found.counted == ()


def test_what_was_on_its_way_to_the_line_before_silt_is_counted_and_flagged() -> None:
    frames = steady([(500.0, 150.0), (700.0, 190.0), (800.0, 130.0)], [60.0] * 12, hide=range(3, 13))
    for number in range(3, 13):
        motion = frames[number].motion
        assert motion is not None
        frames[number] = replace(frames[number], motion=replace(motion, sd_px=8.0, source="carried"))
    found = track(frames)
    assert [one.is_extrapolated for one in found.counted] == [True] * 3
    assert all(one.crossing_sd_s > 0.1 for one in found.counted)


def test_frames_that_are_not_there_break_no_track() -> None:
    frames = steady([(500.0, 40.0)], [40.0] * 16)
    step = np.eye(3)
    step[1, 2] = 120.0
    kept = [*frames[:4], replace(frames[6], motion=Motion(homography=step, sd_px=2.0, source="registered")), *frames[7:]]
    assert len(lone(kept).frames) == len(kept) - sum(len(one.detections) == 0 for one in kept)


def test_a_break_is_bridged_by_the_last_motion() -> None:
    frames = steady([(500.0, 40.0)], [40.0] * 16)
    frames[5] = replace(frames[5], motion=None)
    assert lone(frames).crossing_s == pytest.approx((LINE_PX - 40) / 40 / 6, abs=0.05)


def test_over_a_long_gap_what_would_have_crossed_has_and_nothing_is_recognised() -> None:
    before = steady([(500.0, 100.0), (300.0, 200.0)], [60.0] * 3)
    after = [replace(one, at_s=one.at_s + 100.0, motion=one.motion if k else None) for k, one in enumerate(before)]
    found = track([*before, *after])
    assert len(found.tracks) == 4
    assert [one.is_extrapolated for one in found.counted] == [True, True]
    assert all(one.crossing_s is not None and one.crossing_s < 3 for one in found.counted)
    assert found.travel.along_px[4] > 60 * 6 * 90


def test_a_frame_that_finds_nothing_of_what_is_there_makes_nobody_less_likely() -> None:
    rng = np.random.default_rng(2)
    places = [(float(x), float(y)) for x, y in zip(rng.uniform(60, 1170, 40), rng.uniform(-900, 300, 40), strict=True)]
    blind = track(steady(places, [50.0] * 24, hide=[8, 9]))
    assert len(blind.counted) == sum(y > LINE_PX - 24 * 50 for _, y in places)
    assert all(one.n_missed == 0 for one in blind.tracks)


# -- the line -----------------------------------------------------------------------------------------------------------------


def test_it_crosses_when_its_centre_passes_the_row() -> None:
    one = lone(steady([(500.0, 100.0)], [50.0] * 12))
    at_s = (LINE_PX - 100) / 50 / 6
    assert one.crossing_s == pytest.approx(at_s, abs=0.005)
    assert one.across_px == pytest.approx(500, abs=0.5)
    assert one.along_px == pytest.approx(LINE_PX - 100, abs=1)
    assert not one.is_extrapolated


def test_what_is_first_seen_below_the_line_is_not_counted() -> None:
    one = lone(steady([(500.0, LINE_PX + 20)], [10.0] * 5))
    assert one.crossing_s is None
    assert one.along_px == pytest.approx(-20, abs=1)


def test_what_does_not_reach_the_line_before_the_tow_ends_is_not_counted() -> None:
    one = lone(steady([(500.0, 100.0)], [50.0] * 5))
    assert one.crossing_s is None
    assert one.along_px == pytest.approx(LINE_PX - 100, abs=1)


def test_a_sledge_that_goes_back_and_forth_over_an_opening_counts_it_once() -> None:
    steps = [30.0] * 6 + [-30.0] * 5 + [30.0] * 5 + [-30.0] * 5 + [30.0] * 5
    one = lone(steady([(500.0, 450.0)], steps))
    assert one.crossing_s == pytest.approx((LINE_PX - 450) / 30 / 6, abs=0.01)


def test_an_opening_that_left_below_and_comes_back_is_the_same() -> None:
    steps = [60.0] * 5 + [-60.0] * 4 + [60.0] * 4
    found = track(steady([(500.0, 450.0)], steps))
    assert len(found.tracks) == 1


def test_what_was_below_the_line_first_counts_when_it_went_above_it() -> None:
    steps = [-20.0] * 8 + [20.0] * 10
    one = lone(steady([(500.0, LINE_PX + 30)], steps))
    assert one.crossing_s is not None
    assert one.crossing_s > 8 / 6


def test_it_crosses_inside_the_frame_or_not_at_all() -> None:
    frames = steady([(40.0, 300.0)], [50.0] * 8)
    step = np.eye(3)
    step[:2, 2] = (-15.0, 50.0)
    slid = []
    for number, frame in enumerate(frames):
        box = frame.detections.xyxy - np.float32(15 * number) * np.array([1, 0, 1, 0], np.float32)
        inside = (box[:, 0] + box[:, 2]) / 2 >= 0
        found = frame.detections.select(inside)
        found = replace(found, xyxy=np.maximum(box[inside], 0))
        slid.append(
            replace(frame, detections=found, motion=None if number == 0 else Motion(homography=step, sd_px=0.5, source="registered"))
        )
    assert [one.crossing_s for one in track(slid).tracks] == [None]


@pytest.mark.parametrize(("x", "counts"), [(-8.0, 0), (8.0, 1), (WIDTH_PX - 8.0, 1), (WIDTH_PX + 8.0, 0)])
def test_an_opening_that_the_side_cuts_lies_where_its_middle_is(x: float, counts: int) -> None:
    """The box that is left of it has its middle inside the frame in any case."""
    assert len(track(steady([(x, 200.0)], [40.0] * 14)).counted) == counts


def test_a_line_at_the_very_bottom_is_crossed_too() -> None:
    frames = steady([(500.0, 300.0)], [50.0] * 12)
    assert len(track(frames, line_height=1.0).counted) == 1


# -- boxes --------------------------------------------------------------------------------------------------------------------


def test_two_boxes_on_one_opening_are_one() -> None:
    frames = steady([(500.0, 100.0)], [50.0] * 12)
    doubled = []
    for frame in frames:
        box = np.concatenate([frame.detections.xyxy, frame.detections.xyxy + np.float32(5)])
        box = np.clip(box, 0, np.array([WIDTH_PX, HEIGHT_PX] * 2, np.float32))
        score = np.array([0.9] * len(frame.detections) + [0.6] * len(frame.detections), np.float32)
        doubled.append(replace(frame, detections=Detections(xyxy=box, score=score, label_index=np.zeros(len(box), np.int32))))
    one = lone(doubled)
    assert (one.scores == np.float32(0.9)).all()


def test_a_small_opening_in_a_large_one_stays_one_of_its_own() -> None:
    small, large = steady([(505.0, 105.0)], [50.0] * 12, side=16.0), steady([(500.0, 100.0)], [50.0] * 12, side=90.0)
    both = []
    for a, b in zip(small, large, strict=True):
        box = np.concatenate([a.detections.xyxy, b.detections.xyxy])
        found = Detections(xyxy=box, score=np.full(len(box), 0.7, np.float32), label_index=np.zeros(len(box), np.int32))
        both.append(replace(a, detections=found))
    assert len(track(both).counted) == 2


def test_a_box_that_the_border_cuts_does_not_pull_its_opening_away() -> None:
    one = lone(steady([(500.0, 4.0)], [33.0] * 20, side=60.0))
    assert one.crossing_s == pytest.approx((LINE_PX - 4) / 33 / 6, abs=0.02)
    assert one.side_px == pytest.approx(60, abs=0.5)
