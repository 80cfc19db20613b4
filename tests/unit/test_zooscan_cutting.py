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
from edge.zooscan.process.keys import Box, box_of, box_of_key, key_of
from edge.zooscan.process.resegment import filled_of, resegment
from edge.zooscan.segment import SegmentSettings, find_particles
from models.runtime.vision import cv2

# Objects from 8 pixels on, in a picture of 90.
SMALL = SegmentSettings(min_esd_mm=0.034)


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
        assert box_of_key(one.key) == box_of(one.particle)


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
    parts = separate(standing, [whole], image, SMALL, middle)
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
    assert separate(standing, standing.everyone, image, SMALL, lambda _: (given_line, 0.9)) == []
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
        "x5y5w1Eh1Es0": (True, "x5y5w1Eh1E"),
        "x5y10w3h4": (True, "x5y5w1Eh1E"),
    }
    assert key_of(whole) == "x5y5w1Eh1E"


def test_a_key_names_its_box() -> None:
    assert box_of_key("x3A0y1F4w5Ch77") == Box(x_px=0x3A0, y_px=0x1F4, width_px=0x5C, height_px=0x77)
    assert box_of_key("x3A0y1F4w5Ch77s1F") == box_of_key("x3A0y1F4w5Ch77")
    for wrong in ("", "x3a0y1F4w5Ch77", "x1y2w3", "x1y2w3h4s", "x1y2w3h4 "):
        with pytest.raises(ValueError, match="no key"):
            box_of_key(wrong)


def test_a_separator_is_asked_about_multiples_that_are_not_spared() -> None:
    image = dumbbell()
    standing = found_objects(image, np.zeros((0, 2), np.int32), SMALL)
    (one,) = standing.everyone

    def asked(score: float | None, **more: tuple[str, ...]) -> bool:
        one.score = score
        return bool(to_separate([one], 0.4, 2_000_000, more.get("spared", ()), more.get("wanted", ())))

    assert (asked(None), asked(0.4), asked(0.41)) == (False, False, True)
    assert not asked(0.9, spared=(one.key,))
    assert not asked(0.9, spared=("x0y0w78h3C",))
    assert asked(0.9, spared=("x0y0w20h3C",))
    assert asked(None, wanted=(one.key,))
    assert not to_separate([one], 0.4, one.particle.width_px * one.particle.height_px, (), (one.key,))
