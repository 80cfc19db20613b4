"""Lines between animals that touch: the watershed, and what surrounds a network that marks animals."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.errors import ModelError
from edge.values import UInt8Array
from edge.zooscan.bodies import BodySettings
from edge.zooscan.particle import BoolArray, Particle
from edge.zooscan.segment import SegmentSettings, find_particles
from edge.zooscan.separate import Separation, Separator, WatershedSeparator, cut, watershed_of
from edge.zooscan.separate_network import NETWORK_SIDE_PX, NetworkSeparator, Segments, network_input
from edge.zooscan.watershed import between, flood, passes, summits
from models.runtime.vision import cv2
from tests.simulators.multiples import SimulatedMaskNetwork

GREY = 120
LEFT, RIGHT = (slice(None), slice(0, NETWORK_SIDE_PX // 2)), (slice(None), slice(NETWORK_SIDE_PX // 2, None))


def draw(*ellipses: tuple[int, int, int, int], height: int = 160, width: int = 320) -> UInt8Array:
    """Dark ellipses (centre x and y, half axes) on white."""
    picture = np.full((height, width), 255, np.uint8)
    for x, y, a, b in ellipses:
        cv2.ellipse(picture, (x, y), (a, b), 0, 0, 360, GREY, cv2.FILLED)
    return picture


def only(picture: UInt8Array) -> Particle:
    (particle,) = find_particles(picture, SegmentSettings())
    return particle


def parts_after(particle: Particle, separation: Separation) -> list[Particle]:
    """The objects that the lines leave."""
    picture = np.pad(particle.alone, 1, constant_values=255)
    picture[separation.pixels[:, 1] + 1, separation.pixels[:, 0] + 1] = 255
    return list(find_particles(picture, SegmentSettings()))


TWO = only(draw((90, 80, 50, 30), (186, 80, 50, 30)))
ONE = only(draw((120, 80, 90, 40)))


def test_two_bodies_that_touch_are_cut_where_they_touch() -> None:
    separation = WatershedSeparator().lines(TWO.alone, TWO.filled)
    parts = parts_after(TWO, separation)
    assert len(parts) == 2
    areas = [int(part.filled.sum()) for part in parts]
    assert abs(areas[0] - areas[1]) < 0.1 * areas[0]
    assert separation.score > 0.4
    x = separation.pixels[:, 0] + TWO.x_px
    assert (abs(x - 138) <= 6).all(), "in the neck"
    assert len(separation.pixels) < 40
    assert (TWO.alone[separation.pixels[:, 1], separation.pixels[:, 0]] == GREY).all(), "no pixel of the white"


def test_one_body_is_left_whole() -> None:
    separation = WatershedSeparator().lines(ONE.alone, ONE.filled)
    assert separation.pixels.shape == (0, 2)
    assert separation.score == 0


def test_a_long_slim_body_with_a_slim_tail_is_left_whole() -> None:
    picture = draw((110, 80, 80, 30))
    cv2.line(picture, (180, 80), (300, 80), GREY, 7)
    animal = only(picture)
    assert not len(WatershedSeparator().lines(animal.alone, animal.filled).pixels)


def test_what_is_smaller_than_the_smallest_object_is_not_cut_off() -> None:
    beside = only(draw((110, 80, 60, 40), (181, 80, 12, 12)))
    assert not len(WatershedSeparator().lines(beside.alone, beside.filled).pixels)
    easier = BodySettings(slimmest=0.1, smallest_share=0.0)
    assert not len(WatershedSeparator(easier).lines(beside.alone, beside.filled).pixels)
    assert len(WatershedSeparator(easier, least_px=100).lines(beside.alone, beside.filled).pixels)


def test_the_separator_takes_the_smallest_object_and_the_grey_of_its_project() -> None:
    assert len(watershed_of(SegmentSettings()).lines(TWO.alone, TWO.filled).pixels)
    larger = SegmentSettings(min_esd_mm=1.0)  # 6990 pixels: neither of the two
    assert not len(watershed_of(larger).lines(TWO.alone, TWO.filled).pixels)
    brighter = SegmentSettings(upper_grey=250)
    picture = draw((90, 80, 50, 30), (186, 80, 50, 30))
    picture[picture == GREY] = 248
    (faint,) = find_particles(picture, brighter)
    assert len(watershed_of(brighter).lines(faint.alone, faint.filled).pixels)


def test_a_lobe_that_is_no_object_stays_with_its_animal_when_two_are_cut() -> None:
    three = only(draw((80, 80, 50, 35), (176, 80, 50, 35), (237, 80, 12, 12)))
    parts = parts_after(three, WatershedSeparator(BodySettings(slimmest=0.1)).lines(three.alone, three.filled))
    assert len(parts) == 2
    assert parts[1].width_px > parts[0].width_px + 15, "the lobe is still there"


def test_two_bodies_that_hang_together_by_a_thread_are_cut_in_the_thread() -> None:
    picture = draw((60, 80, 40, 40), (400, 80, 40, 40), width=480)
    cv2.line(picture, (95, 80), (365, 80), GREY, 3)
    pair = only(picture)
    parts = parts_after(pair, WatershedSeparator().lines(pair.alone, pair.filled))
    assert len(parts) == 2
    assert all(int(part.filled.sum()) > 4900 for part in parts), "no body loses anything; the thread may hang on either"


def test_two_bodies_that_enclose_a_gap_are_cut_twice() -> None:
    picture = np.full((220, 320), 255, np.uint8)
    for x in (100, 200):
        cv2.ellipse(picture, (x, 110), (40, 95), 0, 0, 360, GREY, cv2.FILLED)
    cv2.line(picture, (110, 35), (190, 35), GREY, 5)
    cv2.line(picture, (110, 185), (190, 185), GREY, 5)
    pair = only(picture)
    assert len(parts_after(pair, WatershedSeparator().lines(pair.alone, pair.filled))) == 2


def test_faint_rims_against_each_other_are_a_seam() -> None:
    """Two dark bodies in one faint outline without a neck: the greys tell them apart."""
    picture = draw((160, 80, 120, 40))
    picture[picture < 255] = 215
    for x in (100, 220):
        cv2.ellipse(picture, (x, 80), (48, 34), 0, 0, 360, 60, cv2.FILLED)
    pair = only(picture)
    parts = parts_after(pair, WatershedSeparator().lines(pair.alone, pair.filled))
    assert [int((part.grey[part.filled] == 60).sum()) > 4900 for part in parts] == [True, True], "each has a whole dark body"


def test_a_cut_that_would_lose_half_an_object_is_not_made() -> None:
    alone = np.full((60, 130), 255, np.uint8)
    alone[5:55, 5:125] = GREY
    labels = np.where(alone == GREY, 1, 0).astype(np.int32)
    labels[5:55, 65:125] = 2
    assert len(cut(labels, alone, 0.5, 631).pixels)
    labels[5:25, 45:65] = 3
    assert not len(cut(labels, alone, 0.5, 631).pixels), "400 pixels are no object, and more than half of one"


def test_three_in_a_row_are_three() -> None:
    three = only(draw((80, 80, 45, 35), (164, 80, 45, 35), (248, 80, 45, 35)))
    assert len(parts_after(three, WatershedSeparator().lines(three.alone, three.filled))) == 3


def test_an_object_of_any_size_is_cut_at_the_same_place() -> None:
    large = only(np.kron(draw((90, 80, 50, 30), (186, 80, 50, 30)), np.ones((8, 8), np.uint8)).astype(np.uint8))
    separation = WatershedSeparator().lines(large.alone, large.filled)
    assert len(parts_after(large, separation)) == 2
    assert abs(float(separation.pixels[:, 0].mean()) / large.width_px - 0.5) < 0.03


def test_the_same_object_gives_the_same_line() -> None:
    first, second = (WatershedSeparator().lines(TWO.alone.copy(), TWO.filled.copy()) for _ in range(2))
    assert np.array_equal(first.pixels, second.pixels)
    assert first.score == second.score


@pytest.mark.parametrize("shape", [(1, 1), (1, 700), (700, 1), (26, 26)])
def test_objects_of_odd_boxes_are_left_whole(shape: tuple[int, int]) -> None:
    alone = np.full(shape, GREY, np.uint8)
    assert not len(WatershedSeparator(least_px=1).lines(alone, np.ones(shape, np.bool_)).pixels)


@given(st.integers(0, 2**32 - 1), st.integers(1, 5))
def test_no_part_hangs_together_with_another_across_the_line(seed: int, count: int) -> None:
    chance = np.random.default_rng(seed)
    inside: BoolArray = cv2.GaussianBlur(chance.random((40, 50), np.float32), (0, 0), 2) > 0.48
    height = np.asarray(cv2.distanceTransform(inside.astype(np.uint8), cv2.DIST_L2, 5), np.float32)
    seeds = np.zeros((40, 50), np.int32)
    seeds[chance.integers(0, 40, count), chance.integers(0, 50, count)] = np.arange(1, count + 1)
    labels = flood(height, seeds, step=0.5)
    left = np.where(between(labels), 0, labels)
    assert not passes(height, left)
    _, together = cv2.connectedComponents(inside.astype(np.uint8), connectivity=8)
    seeded = np.isin(together, together[(seeds > 0) & inside])
    assert np.array_equal(labels > 0, inside & seeded), "everything that hangs together with a seed is reached, and nothing else"


def test_water_falls_before_it_spreads() -> None:
    """A summit that is nearer does not take a pixel beyond its own valley."""
    height = np.array([[9, 1, 5, 6, 7, 8, 9]], np.float32)
    seeds = np.array([[1, 0, 0, 0, 0, 0, 2]], np.int32)
    assert flood(height, seeds).tolist() == [[1, 2, 2, 2, 2, 2, 2]]
    assert passes(height, np.array([[1, 1, 2, 2, 2, 2, 2]], np.int32)) == {(1, 2): 1.0}


def test_a_plateau_is_one_summit() -> None:
    height = np.array([[0, 2, 2, 0, 0, 3], [0, 2, 2, 0, 0, 1]], np.float32)
    assert summits(height).tolist() == [[0, 1, 1, 0, 0, 2], [0, 1, 1, 0, 0, 0]]


def test_a_network_sees_the_box_in_three_channels() -> None:
    seen = network_input(np.full((30, 60), 255, np.uint8))
    assert seen.shape == (1, 3, 512, 512)
    assert seen.dtype == np.float32
    assert seen[0, :, 0, 0] == pytest.approx([(255 - mean) / std for mean, std in ((123.675, 58.395), (116.28, 57.12), (103.53, 57.375))])


def test_two_animals_of_a_network_are_cut_where_they_meet() -> None:
    separation = NetworkSeparator(SimulatedMaskNetwork(LEFT, RIGHT)).lines(ONE.alone, ONE.filled)
    assert len(parts_after(ONE, separation)) == 2
    assert (abs(separation.pixels[:, 0] - ONE.width_px / 2) <= 2).all()
    assert separation.score == pytest.approx(0.5, abs=1e-5)


def test_what_no_animal_covers_is_one_more_if_it_is_large_enough() -> None:
    third = (slice(None), slice(0, NETWORK_SIDE_PX // 3))
    covered = NetworkSeparator(SimulatedMaskNetwork(third)).lines(ONE.alone, ONE.filled)
    assert len(parts_after(ONE, covered)) == 2
    most = (slice(None), slice(0, NETWORK_SIDE_PX * 5 // 6))
    assert not len(NetworkSeparator(SimulatedMaskNetwork(most)).lines(ONE.alone, ONE.filled).pixels)


@pytest.mark.parametrize(("score", "label"), [(0.9, 1), (0.95, 0)])
def test_animals_it_is_not_sure_of_and_other_labels_do_not_count(score: float, label: int) -> None:
    network = SimulatedMaskNetwork(LEFT, RIGHT, score=score, label=label)
    assert not len(NetworkSeparator(network).lines(ONE.alone, ONE.filled).pixels)


def test_a_network_that_breaks_its_promise_is_an_error() -> None:
    network = SimulatedMaskNetwork(LEFT, RIGHT)
    sound = network.answer
    for wrong in (
        Segments(masks=sound.masks[:, :100], label=sound.label, score=sound.score),
        Segments(masks=sound.masks, label=sound.label[:1], score=sound.score),
        Segments(masks=sound.masks, label=sound.label, score=sound.score * np.float32(np.nan)),
        Segments(masks=sound.masks, label=sound.label, score=sound.score + 1),
    ):
        network.answer = wrong
        with pytest.raises(ModelError):
            NetworkSeparator(network).lines(ONE.alone, ONE.filled)


def test_both_are_separators() -> None:
    assert isinstance(WatershedSeparator(), Separator)
    assert isinstance(NetworkSeparator(SimulatedMaskNetwork()), Separator)
    assert NetworkSeparator(SimulatedMaskNetwork()).name == "simulated-network-1"


def test_a_separation_is_checked() -> None:
    with pytest.raises(ValueError, match="int32"):
        Separation(pixels=np.zeros((1, 2), np.int64), score=0.5)
    with pytest.raises(ValueError, match="score"):
        Separation(pixels=np.zeros((1, 2), np.int32), score=1.5)


def test_real_animals_are_nearly_all_left_whole(shared_data: object) -> None:
    sheet = cv2.imread(f"{shared_data}/zooscan/legacy_oracle/sheet_vis1.png", cv2.IMREAD_GRAYSCALE)
    if sheet is None:
        pytest.skip("no sheet of real objects")
    animals = list(find_particles(np.asarray(sheet, np.uint8), SegmentSettings()))
    whole = sum(not len(WatershedSeparator().lines(animal.alone, animal.filled).pixels) for animal in animals)
    assert whole / len(animals) > 0.95
