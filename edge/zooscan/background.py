"""The light of the empty glass, and the scan without it. Domain: Zooprocess 8, section a3."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edge.values import UInt8Array
from edge.zooscan.strips import in_strips
from models.runtime.vision import cv2

UInt16Array = NDArray[np.uint16]

# Pixels within a radius of 3, as ImageJ 1.41o's rank filters take them.
_DISC = np.array(
    [
        [0, 0, 1, 1, 1, 0, 0],
        [0, 1, 1, 1, 1, 1, 0],
        [1, 1, 1, 1, 1, 1, 1],
        [1, 1, 1, 1, 1, 1, 1],
        [1, 1, 1, 1, 1, 1, 1],
        [0, 1, 1, 1, 1, 1, 0],
        [0, 0, 1, 1, 1, 0, 0],
    ],
    np.float32,
)


def combine_backgrounds(first: UInt8Array, second: UInt8Array) -> UInt8Array:
    """The mean of two scans of the empty glass, each halved and rounded by itself; (H, W) uint8, all of one shape."""
    halved = ((np.arange(256) + 1) // 2).astype(np.uint8)
    return np.asarray(cv2.add(cv2.LUT(first, halved), cv2.LUT(second, halved)), np.uint8)


def smooth_background(background: UInt8Array, scan_shape: tuple[int, int], ratio: int) -> UInt8Array:
    """As much of the background as the scan covers, smoothed; its resolution stays.

    Args:
        background: (H, W) uint8.
        scan_shape: height and width of the upright scan, pixels.
        ratio: the scan's resolution over the background's.

    Returns:
        (H', W') uint8: the bottom right part, `scan_shape` over `ratio`, each pixel the mean of the 37 around it, the edges continued.
    """
    height, width = min(scan_shape[0] // ratio, background.shape[0]), min(scan_shape[1] // ratio, background.shape[1])
    covered = np.ascontiguousarray(background[background.shape[0] - height :, background.shape[1] - width :])
    around = np.asarray(cv2.filter2D(covered, cv2.CV_32F, _DISC, borderType=cv2.BORDER_REPLICATE))
    mean: UInt8Array = np.floor(around / np.float32(_DISC.sum()) + np.float32(0.5)).astype(np.uint8)
    return mean


def enlarged_rows(background: UInt8Array, ratio: int, top: int, bottom: int) -> UInt8Array:
    """Rows of the background at the scan's resolution, as ImageJ 1.41 enlarges (`ByteProcessor.resize`, bilinear).

    A pixel x of the enlarged picture lies at x / ratio - 1/2 of the small one, which is half a large pixel off where others put it, and
    beyond its edges the picture is continued. ImageJ stops a thousandth of a pixel before the last one: in the last pixels at the right
    and below, a grey that lies half way between two may be one darker there.

    Args:
        background: (H, W) uint8, smoothed.
        ratio: how many times larger: 2, 4 or 8.
        top, bottom: the first row, and the one after the last.
    """
    half = ratio // 2
    first, last = (top - half) // ratio, (bottom - 1 - half) // ratio
    # Each weight is a whole number of parts, so whole numbers lose nothing; half a grey was added, so that shifting rounds.
    wide = _enlarged_across(background[np.arange(first, last + 2).clip(0, len(background) - 1)], ratio)
    weights = np.arange(ratio, dtype=np.uint16)[:, None]
    parts = np.empty((ratio, wide.shape[1]), np.uint16)
    enlarged = np.empty((last - first + 1, ratio, wide.shape[1]), np.uint8)
    for upper, lower, between in zip(wide[:-1], wide[1:], enlarged, strict=True):
        np.multiply(lower - upper, weights, out=parts)
        np.add(parts, upper * np.uint16(ratio), out=parts)
        between[:] = np.right_shift(parts, np.uint16(2 * (ratio.bit_length() - 1)), out=parts)
    begin = top - first * ratio - half
    return enlarged.reshape(-1, wide.shape[1])[begin : begin + bottom - top]


def _enlarged_across(rows: UInt8Array, ratio: int) -> UInt16Array:
    """(H, W * ratio) uint16: rows enlarged along themselves only, greys times the ratio; half of it is added, to be rounded later."""
    greys = np.pad(rows, ((0, 0), (1, 1)), mode="edge").astype(np.uint16)
    left, right = greys[:, :-1], greys[:, 1:]
    wide = np.empty((len(rows), left.shape[1] * ratio), np.uint16)
    for part in range(ratio):
        wide[:, part::ratio] = left * np.uint16(ratio - part) + right * np.uint16(part) + np.uint16(ratio // 2)
    return wide[:, ratio // 2 : ratio // 2 + rows.shape[1] * ratio]


def without_background(scan: UInt8Array, background: UInt8Array, ratio: int, *, rows_together: int = 128, threads: int = 1) -> UInt8Array:
    """255 less the difference from the background ("neutral"), in place of the scan; cut to the smaller of both.

    Args:
        scan: (H, W) uint8, upright; is written to.
        background: (H', W') uint8, smoothed.
        ratio: the scan's resolution over the background's.
        rows_together: how many rows a thread enlarges at a time.
        threads: how many work at a time.
    """
    height, width = min(scan.shape[0], background.shape[0] * ratio), min(scan.shape[1], background.shape[1] * ratio)
    seen = scan[:height, :width]

    def take_away(top: int, bottom: int) -> None:
        rows = seen[top:bottom]
        cv2.absdiff(rows, enlarged_rows(background, ratio, top, bottom)[:, :width], dst=rows)
        cv2.bitwise_not(rows, dst=rows)

    in_strips(take_away, 0, height, rows_together, threads)
    return seen
