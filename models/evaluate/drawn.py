"""Images of a report, with the truth and what was found drawn over them: right, missed and false alarms differ by shape."""

from __future__ import annotations

import base64
from html import escape

import numpy as np

from edge.pipeline.decode import decode, read_bytes, read_facts, reduction
from models.datasets.dataset import LabelledImage
from models.datasets.finish import MAX_FILE_BYTES
from models.evaluate.values import Flags, Floats, ImageFound
from models.runtime.letterbox import resize
from models.runtime.vision import cv2

WIDTH_PX = 760  # of a picture in the report
_JPEG_QUALITY = 72
LEGEND = (
    ("right", "found, and in the labels: plain box"),
    ("missed", "in the labels, not found: dashed box"),
    ("false", "found, not in the labels: box with a cross"),
)


def picture(image: LabelledImage, found: ImageFound, *, counted: Flags, found_hit: Flags, truth_hit: Flags) -> str:
    """An image as SVG, its pixels embedded as a small JPEG.

    Args:
        counted: (D,) bool, which detections reach the threshold.
        found_hit: (D,) bool, which of them are right.
        truth_hit: (G,) bool, which objects of the truth were found.

    Raises:
        InputError: the image has gone or changed since it was measured.
    """
    scale = min(1.0, WIDTH_PX / image.width_px)
    width, height = round(image.width_px * scale), max(1, round(image.height_px * scale))
    boxes = found.boxes_xyxy_px.astype(np.float64) * scale
    truth = image.truth.boxes_xyxy_px.astype(np.float64) * scale
    marks = [_box(box, "right") for box in boxes[counted & found_hit]]
    marks += [_box(box, "missed") for box in truth[~truth_hit & ~image.truth.crowd]]
    marks += [_box(box, "false") for box in boxes[counted & ~found_hit]]
    href = f"data:image/jpeg;base64,{base64.b64encode(_small_jpeg(image, width, height)).decode()}"
    return (
        f'<svg viewBox="0 0 {width} {height}" role="img" aria-label="{escape(image.name)}">'
        f'<image width="{width}" height="{height}" href="{href}"/>{"".join(marks)}</svg>'
    )


def legend() -> str:
    """What the three kinds of boxes mean, drawn and in words."""
    drawn = "".join(
        f'<span><svg viewBox="0 0 72 32">{_box(np.array([10.0, 6.0, 62.0, 26.0]), kind)}</svg> {escape(text)}</span>'
        for kind, text in LEGEND
    )
    return f'<p class="marks">{drawn}</p>'


def _box(box: Floats, kind: str) -> str:
    left, top, right, bottom = (round(float(value), 1) for value in box)
    path = f"M{left} {top}H{right}V{bottom}H{left}Z"
    if kind == "false":
        path += f"M{left} {top}L{right} {bottom}M{right} {top}L{left} {bottom}"
    # The dark line beneath keeps the box visible on pale mud.
    return f'<path class="halo" stroke-width="3.6" d="{path}"/><path class="{kind}" stroke-width="1.8" d="{path}"/>'


def _small_jpeg(image: LabelledImage, width_px: int, height_px: int) -> bytes:
    data = read_bytes(image.path.resolve(), max_file_bytes=MAX_FILE_BYTES)
    facts = read_facts(data, image.path.name)
    pixels = decode(data, facts, reduce=reduction(facts, content_width_px=width_px, content_height_px=height_px))
    encoded = cv2.imencode(".jpg", resize(pixels, width_px, height_px), [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])[1]
    return encoded.tobytes()
