"""Laser dots and the pair whose gap is known: found where they are, not where they are not, and not in a streak of silt."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from edge.pipeline.plan import Mask
from edge.pipeline.seabed.lasers import find_dots, pair_of
from edge.values import UInt8Array
from tests.helpers.sledge import HEIGHT_PX, WIDTH_PX, Sledge, Weather, swell

_TEXT = (Mask(y_max_px=22),)


def _mud(*, lasers: bool) -> UInt8Array:
    return next(iter(Sledge(8, Weather(lasers=lasers)).sail(swell(1, 6.0, 8), 6.0))).image


def _add_dot(image: UInt8Array, x: float, y: float, *, channel: int = 2, power: float = 1.0, stretch: float = 1.0) -> None:
    """A dot with its middle at (x, y), pixels measured at their edges."""
    yy, xx = np.mgrid[0:HEIGHT_PX, 0:WIDTH_PX]
    r = np.hypot((xx + 0.5 - x) / stretch, yy + 0.5 - y)
    light = np.zeros((HEIGHT_PX, WIDTH_PX, 3))
    light += (50 * np.exp(-((r / 3) ** 2)))[..., None]
    light[..., channel] += 130 * np.exp(-r / 8)
    image[:] = np.clip(image + power * light, 0, 255).astype(np.uint8)


@pytest.mark.parametrize("power", [1.0, 0.3])
@pytest.mark.parametrize(("colour", "channel"), [("red", 2), ("green", 1)])
def test_a_pair_is_found_to_half_a_pixel_bright_or_faint_in_its_colour(colour: str, channel: int, power: float) -> None:
    image = _mud(lasers=False)
    _add_dot(image, 221.3, 362.6, channel=channel, power=power)
    _add_dot(image, 1003.8, 371.2, channel=channel, power=power)
    pair = pair_of(find_dots(image, WIDTH_PX, _TEXT, "red" if colour == "red" else "green"), WIDTH_PX)
    assert pair is not None
    assert (*pair.left_px, *pair.right_px) == pytest.approx((221.3, 362.6, 1003.8, 371.2), abs=0.5)
    other = pair_of(find_dots(image, WIDTH_PX, _TEXT, "green" if colour == "red" else "red"), WIDTH_PX)
    assert other is None


def test_a_beam_drawn_out_by_silt_is_no_dot() -> None:
    image = _mud(lasers=False)
    _add_dot(image, 221.3, 362.6)
    _add_dot(image, 1040.0, 371.2, stretch=3.0)
    dots = find_dots(image, WIDTH_PX, _TEXT, "red")
    assert [round(dot.x_px) for dot in dots] == [221]
    assert pair_of(dots, WIDTH_PX) is None


def test_one_dot_alone_the_upper_one_or_two_far_from_level_are_no_pair() -> None:
    for spots in ([(221, 362)], [(221, 362), (620, 240)], [(221, 200), (1000, 500)], [(40, 362), (500, 362)]):
        image = _mud(lasers=False)
        for x, y in spots:
            _add_dot(image, x, y)
        assert pair_of(find_dots(image, WIDTH_PX, _TEXT, "red"), WIDTH_PX) is None


def test_mud_without_lasers_has_none() -> None:
    assert pair_of(find_dots(_mud(lasers=False), WIDTH_PX, _TEXT, "red"), WIDTH_PX) is None


def test_red_text_in_a_masked_area_is_no_laser() -> None:
    image = _mud(lasers=False)
    for x in (220, 1000):
        _add_dot(image, x, 11)
    assert find_dots(image, WIDTH_PX, (Mask(y_max_px=70),), "red") == []


def test_nine_of_ten_real_stills_give_their_pair_and_none_once_it_is_painted_over(real_stills: list[Path]) -> None:
    found, gaps = 0, []
    for path in real_stills:
        still = np.asarray(cv2.imread(str(path)), np.uint8)
        dots = find_dots(still, WIDTH_PX, _TEXT, "red")
        pair = pair_of(dots, WIDTH_PX)
        if pair is not None:
            found += 1
            gaps.append(pair.gap_px)
        for dot in dots:
            x, y = int(dot.x_px), int(dot.y_px)
            around = still[max(0, y - 60) : y + 60, max(0, x - 60) : x + 60]
            cv2.circle(still, (x, y), 42, tuple(float(v) for v in np.median(around, axis=(0, 1))), cv2.FILLED)
        assert pair_of(find_dots(still, WIDTH_PX, _TEXT, "red"), WIDTH_PX) is None
    assert found >= 0.9 * len(real_stills)
    assert min(gaps) > 580
    assert max(gaps) < 920
