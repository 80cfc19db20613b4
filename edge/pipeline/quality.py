"""How well an image can be read: measured on what the model sees of it, outside masked areas."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from edge.pipeline.mask import MaskedArea
from edge.values import ImageFacts, Quality, UInt8Array
from models.runtime.vision import cv2


def measure_quality(content: UInt8Array, areas: Sequence[MaskedArea], facts: ImageFacts) -> Quality:
    """Brightness, contrast and sharpness of an image.

    Grey is the usual luma, 0.299 R + 0.587 G + 0.114 B; the Laplacian is the sum of the four neighbours minus four times
    the pixel, and its variance the sharpness (Pech-Pacheco et al. 2000, doi 10.1109/ICPR.2000.903548).

    Args:
        content: (h, w, 3) uint8 BGR, the whole image at the size the model sees it.
        areas: in pixels of the full image.
    """
    grey = cv2.cvtColor(content, cv2.COLOR_BGR2GRAY)
    laplacian = cv2.Laplacian(grey, cv2.CV_16S, ksize=1)
    counted = np.full(grey.shape, 255, np.uint8)
    sharp = np.full(grey.shape, 255, np.uint8)
    for area in areas:
        rows, columns = area.scaled(grey.shape, facts)
        counted[rows, columns] = 0
        # The edge of the painted area is none of the image.
        sharp[max(0, rows.start - 1) : rows.stop + 1, max(0, columns.start - 1) : columns.stop + 1] = 0
    mean, deviation = cv2.meanStdDev(grey, mask=counted)
    _, edge_deviation = cv2.meanStdDev(laplacian, mask=sharp)
    return Quality(
        mean_luminance=float(mean[0, 0]),
        contrast=float(deviation[0, 0]),
        sharpness=float(edge_deviation[0, 0]) ** 2,
    )
