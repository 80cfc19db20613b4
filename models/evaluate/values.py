"""What evaluation compares: the truth of an image, and what a model found in it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]
Indexes = npt.NDArray[np.intp]

ALL_AREAS_PX2 = (0.0, 1e10)
# Areas of small, middle and large boxes as COCO divides them, square pixels of the image.
SIZES_PX2 = {"small": (0.0, 32.0**2), "middle": (32.0**2, 96.0**2), "large": (96.0**2, 1e10)}


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageTruth:
    """What is in one image: `boxes_xyxy_px` (N, 4), `label_index` (N,), `crowd` (N,) bool, a box around many."""

    boxes_xyxy_px: npt.NDArray[np.float32]
    label_index: npt.NDArray[np.int32]
    crowd: Flags

    @classmethod
    def of_one_class(cls, boxes_xyxy_px: npt.NDArray[np.float32]) -> ImageTruth:
        """Truth with a single class and no crowd boxes."""
        count = len(boxes_xyxy_px)
        return cls(boxes_xyxy_px=boxes_xyxy_px, label_index=np.zeros(count, np.int32), crowd=np.zeros(count, np.bool_))


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageFound:
    """What a detector reports for one image: `boxes_xyxy_px` (N, 4), `score` (N,), `label_index` (N,)."""

    boxes_xyxy_px: npt.NDArray[np.float32]
    score: npt.NDArray[np.float32]
    label_index: npt.NDArray[np.int32]


def areas(boxes_xyxy: Floats) -> Floats:
    """Areas (N,) of boxes (N, 4)."""
    return np.asarray((boxes_xyxy[:, 2] - boxes_xyxy[:, 0]) * (boxes_xyxy[:, 3] - boxes_xyxy[:, 1]), np.float64)


def outside(boxes_xyxy: Floats, area_range_px2: tuple[float, float]) -> Flags:
    """Which boxes (N, 4) are smaller or larger than a range of areas."""
    area = areas(boxes_xyxy)
    return np.asarray((area < area_range_px2[0]) | (area > area_range_px2[1]), np.bool_)
