"""Objects cut along lines: looked at by themselves, they are what the whole scan would show; their names stay."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from edge.values import Int32Array
from edge.zooscan.line_pixels import line_pixels
from edge.zooscan.particle import Particle
from edge.zooscan.process.cutting import found_objects, separate, to_separate
from edge.zooscan.process.keys import box_of, key_of, part_key_of
from edge.zooscan.process.resegment import filled_of, resegment
from edge.zooscan.segment import SegmentSettings, find_particles
from models.runtime.vision import cv2

# Objects from 8 pixels on, in a picture of 90.
SMALL = SegmentSettings(min_esd_mm=0.034)
NO_LINES = np.zeros((0, 2), np.int32)


def rough(seed: int, side: int = 90) -> NDArray[np.uint8]:
    """Forms of many sizes, rings among them, that do not touch the edge."""
    chance = np.random.default_rng(seed)
    smooth = cv2.GaussianBlur(chance.random((side, side)).astype(np.float32), (0, 0), chance.uniform(0.8, 3.5))
    image = np.where(smooth < np.quantile(smooth, chance.uniform(0.3, 0.7)), chance.integers(0, 244, smooth.shape), 255).astype(np.uint8)
    image[[0, 1, -2, -1]] = 255
    image[:, [0, 1, -2, -1]] = 255
    return image


def random_lines(seed: int, side: int = 90) -> Int32Array:
    chance = np.random.default_rng(seed)
    lines = [line_pixels([(int(x), int(y)) for x, y in chance.integers(0, side, (chance.integers(1, 4), 2))]) for _ in range(4)]
    return np.concatenate([*lines, np.array([[-3, 5], [side, 2]], np.int32)])


def told(particles: list[Particle]) -> list[tuple[int, int, bytes, bytes]]:
    return [(one.x_px, one.y_px, one.filled.tobytes(), one.alone.tobytes()) for one in particles]


def drawn(image: NDArray[np.uint8], lines: Int32Array) -> NDArray[np.uint8]:
    seen = image.copy()
    inside = ((lines >= 0) & (lines < image.shape[0])).all(axis=1)
    seen[lines[inside, 1], lines[inside, 0]] = 255
    return seen


@given(st.integers(0, 100_000))
@settings(max_examples=150)
def test_cutting_an_object_alone_is_cutting_it_in_the_whole_scan(seed: int) -> None:
    image, lines = rough(seed), random_lines(seed + 1)
    parts: list[Particle] = []
    for one in find_particles(image, SMALL):
        parts += resegment(image, box_of(one), one.chain.astype(np.uint16), lines, SMALL)
    whole = list(find_particles(drawn(image, lines), SMALL))
    assert told(sorted(parts, key=lambda one: (one.y_px, one.x_px + one.chain[0, 0]))) == told(whole)


@given(st.integers(0, 100_000))
@settings(max_examples=100)
def test_what_stands_after_people_drew_lines_is_what_the_whole_scan_shows(seed: int) -> None:
    image, lines = rough(seed), random_lines(seed + 1)
    before = image.copy()
    standing = found_objects(image, lines, SMALL)
    assert (image == before).all()
    stands = [one for one in standing.everyone if one.stands]
    whole = list(find_particles(drawn(image, lines), SMALL))
    assert sorted(told([one.particle for one in stands])) == sorted(told(whole))
    assert len({one.key for one in standing.everyone}) == len(standing.everyone)
    uncut = {one.key for one in found_objects(image, lines[:0], SMALL).everyone}
    gone = {one.key for one in standing.everyone if not one.stands}
    assert gone <= uncut
    for one in stands:
        assert (one.cut_from is None) == (one.key in uncut)
        assert one.cut_from is None or one.cut_from in gone
        assert one.key == (key_of(one.particle) if one.key in uncut else part_key_of(one.particle))


@given(st.integers(0, 100_000))
@settings(max_examples=50)
def test_the_same_pixels_have_the_same_name_in_every_run(seed: int) -> None:
    image, lines = rough(seed), random_lines(seed + 1)
    first, again = found_objects(image, lines, SMALL), found_objects(image, lines[::-1].copy(), SMALL, threads=2)
    assert [(one.key, one.cut_from, one.stands) for one in first.everyone] == [
        (one.key, one.cut_from, one.stands) for one in again.everyone
    ]


def test_an_outline_tells_which_pixels_are_an_objects_own() -> None:
    for seed in range(20):
        for one in find_particles(rough(seed), SMALL):
            assert (filled_of(box_of(one), one.chain.astype(np.uint16)) == one.filled).all()


def dumbbell() -> NDArray[np.uint8]:
    image = np.full((60, 120), 255, np.uint8)
    cv2.circle(image, (35, 30), 15, 90, cv2.FILLED)
    cv2.circle(image, (80, 30), 15, 90, cv2.FILLED)
    image[28:33, 35:80] = 90
    return image


def middle(particle: Particle) -> tuple[Int32Array, float]:
    """A separator that cuts everything down the middle."""
    column = particle.width_px // 2
    return np.array([(column, y) for y in range(particle.height_px)], np.int32), 0.75


def test_a_separators_line_cuts_and_what_was_cut_is_retired() -> None:
    image = dumbbell()
    standing = found_objects(image, np.zeros((0, 2), np.int32), SMALL)
    (whole,) = standing.everyone
    parts = separate(standing, [whole], image, SMALL, middle, human_lines=NO_LINES)
    assert not whole.stands
    assert [one.cut_from for one in parts] == [whole.key] * 2
    (line,) = standing.lines
    assert (line.object_key, line.score) == (whole.key, 0.75)
    assert set(line.pixels[:, 0]) == {20 + whole.particle.width_px // 2}
    assert told([one.particle for one in parts]) == told(list(find_particles(drawn_rectangle(image, line.pixels), SMALL)))


def drawn_rectangle(image: NDArray[np.uint8], pixels: Int32Array) -> NDArray[np.uint8]:
    seen = image.copy()
    seen[pixels[:, 1], pixels[:, 0]] = 255
    return seen


@pytest.mark.parametrize("pixels", [[], [(3, 15)], [(30, 0), (30, 1)]])
def test_a_separator_that_makes_no_two_of_it_leaves_an_object_as_it_is(pixels: list[tuple[int, int]]) -> None:
    image = dumbbell()
    standing = found_objects(image, np.zeros((0, 2), np.int32), SMALL)
    given_line = np.array(pixels, np.int32).reshape(-1, 2)
    assert separate(standing, standing.everyone, image, SMALL, lambda _: (given_line, 0.9), human_lines=NO_LINES) == []
    assert standing.lines == []
    assert [one.stands for one in standing.everyone] == [True]


def test_a_part_in_the_same_box_has_a_name_of_its_own() -> None:
    image = np.full((40, 40), 255, np.uint8)
    image[5:35, 5:35] = 90
    (whole,) = find_particles(image, SMALL)
    # A speck in the middle of one side, and the rest around it.
    lines = np.array([(x, 15) for x in range(5, 9)] + [(8, y) for y in range(15, 21)] + [(x, 20) for x in range(5, 9)], np.int32)
    standing = found_objects(image, lines, SMALL)
    keys = {one.key: (one.stands, one.cut_from) for one in standing.everyone}
    assert keys == {
        "x5y5w1Eh1E": (False, None),
        "x5y5w1Eh1Ep292838E4": (True, "x5y5w1Eh1E"),
        "x5y10w3h4p9260B143": (True, "x5y5w1Eh1E"),
    }
    assert key_of(whole) == "x5y5w1Eh1E"


@given(st.integers(0, 100_000))
@settings(max_examples=50)
def test_a_part_has_the_same_name_whatever_else_was_cut(seed: int) -> None:
    image = rough(seed)
    here, there = random_lines(seed + 1), random_lines(seed + 2)
    alone, beside = found_objects(image, here, SMALL), found_objects(image, np.concatenate([there, here]), SMALL)
    names = {(box_of(one.particle), one.particle.chain.tobytes()): one.key for one in alone.everyone}
    for one in beside.everyone:
        same = (box_of(one.particle), one.particle.chain.tobytes())
        assert names.get(same, one.key) == one.key
    assert len({one.key for one in beside.everyone}) == len(beside.everyone)


def test_parts_in_the_same_box_of_two_lines_have_two_names() -> None:
    image = dumbbell()
    keys = []
    for bend in (28, 31):  # both leave the left part in one box
        steps = [(57, y) for y in range(27, bend)] + [(58, y) for y in range(bend - 1, 34)]
        parts = [one for one in found_objects(image, np.array(steps, np.int32), SMALL).everyone if one.stands]
        keys.append([one.key for one in parts])
        assert len(parts) == 2
    (left, _), (left_again, _) = keys
    assert left != left_again
    assert left.partition("p")[0] == left_again.partition("p")[0]


def test_a_separator_is_asked_about_multiples_that_are_not_spared() -> None:
    image = dumbbell()
    standing = found_objects(image, NO_LINES, SMALL)
    (one,) = standing.everyone

    def asked(score: float | None, **more: tuple[str, ...]) -> bool:
        one.score = score
        return bool(to_separate(standing, 0.4, 2_000_000, more.get("spared", ()), more.get("wanted", ())))

    assert (asked(None), asked(0.4), asked(0.41)) == (False, False, True)
    assert not asked(0.9, spared=(one.key,))
    assert asked(0.9, spared=("x0y0w78h3C",)), "what merely lies in its box is another object"
    assert asked(None, wanted=(one.key,))
    assert asked(None, wanted=(one.key,), spared=(one.key,))
    assert not to_separate(standing, 0.4, one.particle.width_px * one.particle.height_px, (), (one.key,))


def test_what_people_cut_is_left_as_they_cut_it_unless_they_call_a_part_multiple() -> None:
    standing = found_objects(dumbbell(), np.array([(57, y) for y in range(27, 34)], np.int32), SMALL)
    whole, left, right = standing.everyone
    for one in standing.everyone:
        one.score = 0.9
    assert to_separate(standing, 0.4, 2_000_000, (), ()) == []
    assert to_separate(standing, 0.4, 2_000_000, (whole.key,), (right.key,)) == [right]
    left.is_drawn = right.is_drawn = False  # as a separator's parts are
    assert to_separate(standing, 0.4, 2_000_000, (), ()) == [left, right]
    assert to_separate(standing, 0.4, 2_000_000, (whole.key,), ()) == [], "they are parts of what is spared"


def test_a_separators_parts_have_the_holes_that_people_drew() -> None:
    image = dumbbell()
    hole = np.array([(x, y) for x in range(33, 37) for y in range(28, 32)], np.int32)
    standing = found_objects(image, hole, SMALL)
    (whole,) = (one for one in standing.everyone if one.stands)
    parts = separate(standing, [whole], image, SMALL, middle, human_lines=hole)
    with_all = drawn_rectangle(image, np.concatenate([hole, standing.lines[0].pixels]))
    assert told([one.particle for one in parts]) == told(list(find_particles(with_all, SMALL)))
