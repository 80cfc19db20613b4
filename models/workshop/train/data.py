"""The images of a work folder as ultralytics' trainer wants them.

Boxes come from `data.json`, never from label files beside the images, and no cache is written there: the data set may be read-only.
Images are scaled as the appliance will scale them (`models.runtime.letterbox`), not to a square of the longer side: what the network
learns is the size that it will meet.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from copy import copy
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from ultralytics.data.dataset import YOLODataset

from edge.errors import InputError, Reason
from models.manifest import InputSpec
from models.runtime.letterbox import letterbox, resize
from models.training.plan import Plan

Image = npt.NDArray[np.uint8]
STRIDE_PX = 32


def crop_side_px(plan: Plan) -> int:
    """Side of the square mosaics: the area of the network's input, in whole strides."""
    return max(STRIDE_PX, round(math.sqrt(plan.width_px * plan.height_px) / STRIDE_PX) * STRIDE_PX)


class PartDataset(YOLODataset):  # type: ignore[misc]
    """One part of the data. Mosaics of crops while `augment` holds, whole images of the network's input size otherwise."""

    def __init__(self, images: Sequence[Mapping[str, Any]], plan: Plan, *, hyp: Any, augment: bool, batch_size: int) -> None:
        self._images = images
        self._plan = plan
        self._spec = InputSpec(width_px=plan.width_px, height_px=plan.height_px, fit=plan.fit)
        super().__init__(
            img_path="",
            imgsz=crop_side_px(plan),
            augment=augment,
            hyp=hyp,
            rect=not augment,
            batch_size=batch_size,
            stride=STRIDE_PX,
            task="detect",
            data={"names": dict(enumerate(plan.labels)), "channels": 3},
        )

    def get_img_files(self, _img_path: str) -> list[str]:
        """Where the images lie."""
        return [image["path"] for image in self._images]

    def get_labels(self) -> list[dict[str, Any]]:
        """Boxes as centre and size, fractions of the image."""
        return [_label(image) for image in self._images]

    def set_rectangle(self) -> None:
        """Whole images, each in a rectangle of the network's input (of its own size, in whole strides, for a network on tiles)."""
        sizes = [(label["shape"][0], label["shape"][1]) for label in self.labels]
        if self._plan.fit == "letterbox":
            sizes = [(self._plan.height_px, self._plan.width_px)] * self.ni
        self.batch = np.arange(self.ni) // self.batch_size
        groups = [np.array(sizes)[self.batch == number] for number in range(int(self.batch[-1]) + 1)]
        self.batch_shapes = np.array([np.ceil(group.max(axis=0) / STRIDE_PX).astype(int) * STRIDE_PX for group in groups])

    def close_mosaic(self, hyp: Any) -> None:
        """From now on whole images, moved and scaled a little, in rectangles of the network's input size.

        A network on tiles never sees whole images, so its mosaics go on.
        """
        if self._plan.fit == "tiles":
            return
        self.rect = True
        self.set_rectangle()
        calmer = copy(hyp)
        calmer.scale = min(calmer.scale, 0.25)
        super().close_mosaic(calmer)

    def load_image(self, i: int, rect_mode: bool = True, resize_short: bool = False) -> tuple[Image, tuple[int, int], tuple[int, int]]:  # noqa: FBT001, FBT002 - the library's signature
        """An image (H, W, 3) uint8 BGR at the scale of the appliance, its size (height, width) on disk and now.

        Raises:
            InputError: it is gone, or cannot be decoded.
        """
        if self.ims[i] is None:
            image = _read(Path(self.im_files[i]))
            height_px, width_px = image.shape[:2]
            if self._plan.fit == "letterbox":
                place = letterbox(width_px, height_px, self._spec)
                image = resize(image, place.content_width_px, place.content_height_px)
            if not self.augment:
                return image, (height_px, width_px), image.shape[:2]
            self._remember(i, image, (height_px, width_px))
        return self.ims[i], self.im_hw0[i], self.im_hw[i]

    def _remember(self, i: int, image: Image, size: tuple[int, int]) -> None:
        """Keep the images that mosaics draw their neighbours from."""
        self.ims[i], self.im_hw0[i], self.im_hw[i] = image, size, image.shape[:2]
        self.buffer.append(i)
        if len(self.buffer) > max(1, self.max_buffer_length):
            gone = self.buffer.pop(0)
            self.ims[gone], self.im_hw0[gone], self.im_hw[gone] = None, None, None


def _label(image: Mapping[str, Any]) -> dict[str, Any]:
    width_px, height_px = image["width_px"], image["height_px"]
    each = ~np.asarray(image["crowd"], np.bool_)  # a box around many is no object
    boxes = np.asarray(image["boxes"], np.float32).reshape(-1, 4)[each] / np.array([width_px, height_px] * 2, np.float32)
    return {
        "im_file": image["path"],
        "shape": (height_px, width_px),
        "cls": np.asarray(image["label_index"], np.float32)[each].reshape(-1, 1),
        "bboxes": np.hstack([(boxes[:, :2] + boxes[:, 2:]) / 2, boxes[:, 2:] - boxes[:, :2]]),
        "segments": [],
        "keypoints": None,
        "normalized": True,
        "bbox_format": "xywh",
    }


def _read(path: Path) -> Image:
    try:
        data = np.frombuffer(path.read_bytes(), np.uint8)
    except OSError as error:
        raise InputError(
            Reason.VANISHED,
            f"{path} cannot be read any more: {error.strerror}",
            advice="Put the image back and give the same command again.",
        ) from error
    image = cv2.imdecode(data, cv2.IMREAD_COLOR) if data.size else None
    if image is None:
        raise InputError(Reason.CORRUPT, f"{path} cannot be decoded", advice="Copy the image again, or take it out of the data set.")
    return np.asarray(image, np.uint8)
