"""What is true of a rendered scan, as two tables."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np

from models.workshop.scan.drawing import DARK_ENOUGH
from models.workshop.scan.layout import Layout, Placed


@dataclass(frozen=True, slots=True, kw_only=True)
class TrueObject:
    """An object that a segmenter must find.

    Attributes:
        number: from 1, by the rows of the boxes.
        kinds: of its parts.
        x_px, y_px, width_px, height_px: its box in the clean scan.
        area_px: its pixels, holes filled.
        area_exc_px: without holes.
        centre_x_px, centre_y_px: of its filled pixels, in the clean scan.
    """

    number: int
    kinds: tuple[str, ...]
    x_px: int
    y_px: int
    width_px: int
    height_px: int
    area_px: int
    area_exc_px: int
    centre_x_px: float
    centre_y_px: float

    @property
    def animals(self) -> int:
        """Things it is made of: 1, or more where they touch."""
        return len(self.kinds)


def truth_of(layout: Layout) -> tuple[TrueObject, ...]:
    """Every object, as the layout has it."""
    return tuple(_true(number, one) for number, one in enumerate(layout.objects, start=1))


def _true(number: int, placed: Placed) -> TrueObject:
    drawing = placed.drawing
    height, width = drawing.darkness.shape
    y, x = np.nonzero(drawing.filled)
    return TrueObject(
        number=number,
        kinds=drawing.kinds,
        x_px=placed.x_px,
        y_px=placed.y_px,
        width_px=width,
        height_px=height,
        area_px=len(x),
        area_exc_px=int(np.count_nonzero(drawing.darkness >= DARK_ENOUGH)),
        centre_x_px=round(placed.x_px + float(x.mean()) + 0.5, 2),
        centre_y_px=round(placed.y_px + float(y.mean()) + 0.5, 2),
    )


def objects_csv(objects: tuple[TrueObject, ...]) -> Iterator[str]:
    """Lines of truth.csv."""
    yield "object,class,animals,x_px,y_px,width_px,height_px,area_px,area_exc_px,centre_x_px,centre_y_px\n"
    for one in objects:
        box = f"{one.x_px},{one.y_px},{one.width_px},{one.height_px}"
        places = f"{one.centre_x_px:.2f},{one.centre_y_px:.2f}"
        yield f"{one.number},{'+'.join(one.kinds)},{one.animals},{box},{one.area_px},{one.area_exc_px},{places}\n"


def parts_csv(layout: Layout) -> Iterator[str]:
    """Lines of parts.csv: what each object is made of."""
    yield "object,part,class,x_px,y_px,width_px,height_px,seen_px\n"
    for number, one in enumerate(layout.objects, start=1):
        for part, kind in enumerate(one.drawing.kinds, start=1):
            own = (one.drawing.owner == part).astype(np.uint8)
            left, top, width, height = cv2.boundingRect(own)
            yield f"{number},{part},{kind},{one.x_px + left},{one.y_px + top},{width},{height},{int(cv2.countNonZero(own))}\n"
