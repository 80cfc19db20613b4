"""Read the images of a data set only to see what they look like."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from models.datasets.dataset import LabelledImage
from models.datasets.errors import DatasetImageError
from models.quantise.variety import Floats, choose_varied, describe
from models.runtime.machine import usable_cores
from models.runtime.vision import cv2
from models.workbench import OnProgress, Step


def choose_images(images: Sequence[LabelledImage], count: int, on_step: OnProgress | None = None) -> tuple[LabelledImage, ...]:
    """The `count` images that differ most, in turns of their tows; all of them where there are no more.

    Raises:
        DatasetImageError: one cannot be decoded.
    """
    if len(images) <= count:
        return tuple(images)
    described = []
    with ThreadPoolExecutor(usable_cores()) as pool:
        for done, one in enumerate(pool.map(_look, images), start=1):
            described.append(one)
            if on_step is not None:
                on_step(Step(name="choosing calibration images", done=done, of=len(images)))
    chosen = choose_varied(np.stack(described), [image.tow or "" for image in images], count)
    return tuple(images[index] for index in chosen)


def _look(image: LabelledImage) -> Floats:
    try:
        # Half the size is decoded faster and shows the same.
        pixels = cv2.imdecode(np.fromfile(image.path, np.uint8), cv2.IMREAD_REDUCED_COLOR_2)
    except (OSError, cv2.error) as error:
        raise DatasetImageError(f"{image.name} cannot be read: {error}") from error
    if pixels is None:
        raise DatasetImageError(f"{image.name} cannot be decoded")
    return describe(np.asarray(pixels, np.uint8))
