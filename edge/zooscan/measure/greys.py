"""What is measured of the greys of objects, from their histograms: many objects at once."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edge.values import UInt8Array
from edge.zooscan.particle import BACKGROUND_GREY, Particle
from models.runtime.vision import cv2

Float64Array = NDArray[np.float64]
IntArray = NDArray[np.int64]

_GREYS = np.arange(256)
_QUARTERS = (1, 2, 3)


def histograms(particles: list[Particle]) -> IntArray:
    """(N, 256): how many pixels of each object, holes included, have each grey."""
    counts = [np.bincount(one.grey[one.filled], minlength=256) for one in particles]
    return np.array(counts, np.int64).reshape(len(particles), 256)


def grey_moments(histogram: IntArray) -> dict[str, Float64Array]:
    """Statistics of the greys of each object, holes included, as ImageJ names and defines them.

    Standard deviation of a sample, skewness and kurtosis of the population (excess), the lowest of the most frequent greys as mode,
    the first grey that more than half of the pixels do not exceed as median.

    Args:
        histogram: (N, 256), see `histograms`.
    """
    area = histogram.sum(axis=1)
    total = histogram @ _GREYS
    mean = total / area
    apart = _GREYS - mean[:, None]
    second, third, fourth = ((histogram * apart**power).sum(axis=1) for power in (2, 3, 4))
    with np.errstate(divide="ignore", invalid="ignore"):
        variance = second / area
        return {
            "area": area.astype(np.float64),
            "mean": mean,
            "stddev": np.sqrt(second / (area - 1)),
            "mode": histogram.argmax(axis=1).astype(np.float64),
            "min": (histogram > 0).argmax(axis=1).astype(np.float64),
            "max": 255.0 - (histogram[:, ::-1] > 0).argmax(axis=1),
            "intden": total.astype(np.float64),
            "median": (2 * histogram.cumsum(axis=1) > area[:, None]).argmax(axis=1).astype(np.float64),
            "skew": third / area / variance**1.5,
            "kurt": fourth / area / variance**2 - 3.0,
        }


def hole_share(histogram: IntArray, upper_grey: int) -> dict[str, Float64Array]:
    """`%area`, per cent of the object's area that is brighter than the threshold, and `area_exc`, its pixels without these."""
    area = histogram.sum(axis=1)
    holes = histogram[:, upper_grey + 1 :].sum(axis=1)
    return {"%area": 100.0 * holes / area, "area_exc": (area - holes).astype(np.float64)}


def grey_levels(histogram: IntArray, upper_grey: int) -> tuple[IntArray, Float64Array]:
    """Quartiles of the greys without holes, and how uneven their histogram is.

    Args:
        histogram: (N, 256), see `histograms`.
        upper_grey: the largest grey of an object's pixel.

    Returns:
        (N, 3) `histcum1` to `3`: the largest grey that less than a quarter, a half, three quarters of the pixels do not exceed; and (N,)
        `slope`: standard deviation of the 255 counts of greys 0 to 254, over that of the greys themselves.
    """
    own = histogram[:, :BACKGROUND_GREY].copy()
    own[:, upper_grey + 1 :] = 0
    reached = own.cumsum(axis=1)
    # The shares only grow, so there are as many greys below a quarter as the number of the first that is not.
    levels = np.stack([(4 * reached < quarters * reached[:, -1:]).sum(axis=1) for quarters in _QUARTERS], axis=1) - 1
    slope = own.std(axis=1, ddof=1) / _GREYS[:BACKGROUND_GREY].std(ddof=1)
    return np.maximum(levels, 0), slope


def grey_contrast(alone: UInt8Array, counts: IntArray, levels: IntArray) -> float:
    """`fcons`: how much the pixels of three greys differ from their neighbours.

    As the macro computes it: of each quartile, the last grey that the object has at all and whose *count* is not above the quartile's
    grey; over the pixels of these greys, column by column, the difference from the mean of the eight neighbours is summed up per grey,
    and each sum on the way, times the grey's count over 256, is added.

    Args:
        alone: (H, W) uint8, the object with white around it and in its holes.
        counts: (255,) pixels of each of its greys 0 to 254.
        levels: (3,) its quartiles.
    """
    chosen = {_last_rare(counts, int(level)) for level in levels}
    columns = np.ascontiguousarray(cv2.transpose(alone))  # rows of this are columns of that
    around = cv2.boxFilter(columns, cv2.CV_32S, (3, 3), normalize=False, borderType=cv2.BORDER_REPLICATE).ravel()
    columns[[0, -1]], columns[:, [0, -1]] = BACKGROUND_GREY, BACKGROUND_GREY  # what has not eight neighbours is not looked at
    contrast, pixels = 0.0, 0
    for grey in chosen:
        place = np.flatnonzero(columns == grey)
        differs = np.abs(grey - (around[place] - grey) / 8.0)
        contrast += float(differs.cumsum().sum()) * float(counts[grey]) / 256.0
        pixels += len(place)
    return contrast / (1 + pixels)


def _last_rare(counts: IntArray, most: int) -> int:
    """The last grey with at least one and at most so many pixels; 0 if there is none."""
    rare = np.flatnonzero((counts > 0) & (counts <= most))
    return int(rare[-1]) if len(rare) else 0
