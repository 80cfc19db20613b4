"""What a tracker remembers of one object from one call to the next, as JSON that anybody may have kept, changed or cut.

CVAT carries it through a browser and back, without a frame's number or a session; newer servers sign it and older ones do not.
So it holds all that the next step needs: the box, the picture before as a small grey JPEG for the seabed's motion, and twice
what the object looks like with its surroundings: as it was given, and as it was seen last. 10 to 16 kB of text.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from annotator_bridge.functions.checked import Box, number
from annotator_bridge.functions.function import BadCallError
from annotator_bridge.functions.ground import Hint
from annotator_bridge.functions.images import decode_image
from annotator_bridge.functions.methods import TRACKER
from edge.pipeline.seabed.plane import PARAMETERS, Horizon
from edge.values import UInt8Array
from models.runtime.vision import cv2

Form = Literal["flat", "rectangle"]

VERSION = 1
BEGIN_AGAIN = "Begin the track again on this frame: CVAT does so when the box is moved by hand."

_THUMB_QUALITIES = (75, 60, 45, 30)
_MOST_THUMB_BYTES = 9_500
_PATCH_QUALITY = 80
_MOST_TEXT = 40_000
_MOST_PIXELS = 1_000_000
_MOST_SIDE_PX = 100_000
_FURTHEST_PX = 1e6
_LEAST_SIDE_PX = 0.005  # of a box: as it was drawn, rounded
_MOST_UNSEEN = 1_000_000
_MOST_SHIFT, _MOST_OTHER = 3.0, 1.5  # of a motion's parameters: the bounds within which one is ever fitted


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TrackState:
    """One object as of one picture.

    Attributes:
        form: how its shapes are written: a flat list of four numbers, or an object with a type.
        width_px, height_px: size of the picture.
        box: where it is; may reach beyond the picture.
        unseen: for how many steps in a row it was not seen; 0: it was seen in this picture.
        gone: it left the picture or was unseen for so long that nothing is looked for any more.
        hint: of the seabed's motion; None where none was found yet.
        thumb: (h, w) uint8, the picture, small and grey.
        first, latest: (h, w) uint8 of one size, the object with its surroundings as it was given and as it was a step ago.
        whole: all of its surroundings were in the picture in `first`; until then nothing can be compared with it.
    """

    form: Form
    width_px: int
    height_px: int
    box: Box
    unseen: int
    gone: bool
    hint: Hint | None
    thumb: UInt8Array
    first: UInt8Array
    latest: UInt8Array
    whole: bool


class ThumbText:
    """A thumbnail as text, made once for all objects of a picture."""

    def __init__(self, thumb: UInt8Array) -> None:
        self._thumb = thumb
        self._text: str | None = None

    def text(self) -> str:
        """Base64 of a JPEG."""
        if self._text is None:
            packed = b""
            for quality in _THUMB_QUALITIES:
                packed = _jpeg(self._thumb, quality)
                if len(packed) <= _MOST_THUMB_BYTES:
                    break
            self._text = base64.b64encode(packed).decode("ascii")
        return self._text


def written(state: TrackState, thumb: ThumbText) -> dict[str, Any]:
    """The state as JSON; `thumb` is its thumbnail's text."""
    return {
        "function": TRACKER.id,
        "version": VERSION,
        "form": state.form,
        "size": [state.width_px, state.height_px],
        "box": [round(side, 3) for side in state.box],
        "unseen": state.unseen,
        "gone": state.gone,
        "motion": None if state.hint is None else _written_hint(state.hint),
        "picture": thumb.text(),
        "first": _patch_text(state.first),
        "whole": state.whole,
        "latest": None if state.latest is state.first else _patch_text(state.latest),
    }


def read(given: object, what: str) -> TrackState:
    """A state that came back.

    Raises:
        BadCallError: another function's, of another version, cut, or changed so that it cannot be one.
    """
    document = _object(given, what)
    if document.get("function") != TRACKER.id:
        raise BadCallError(f"{what} is no state of {TRACKER.id}", advice=BEGIN_AGAIN)
    if type(document.get("version")) is not int or document["version"] != VERSION:
        raise BadCallError(f"{what} is of version {document.get('version')!r:.40}, this tracker's is {VERSION}", advice=BEGIN_AGAIN)
    form = document.get("form")
    if form not in ("flat", "rectangle"):
        raise BadCallError(f"{what}.form is neither flat nor rectangle", advice=BEGIN_AGAIN)
    width, height = _size(document.get("size"), what)
    first = _picture(document.get("first"), f"{what}.first")
    latest = first if document.get("latest") is None else _picture(document["latest"], f"{what}.latest")
    if latest.shape != first.shape:
        raise BadCallError(f"{what}: its two views of the object are not of one size", advice=BEGIN_AGAIN)
    return TrackState(
        form=form,
        width_px=width,
        height_px=height,
        box=_box(document.get("box"), f"{what}.box"),
        unseen=_count(document.get("unseen"), f"{what}.unseen"),
        gone=document.get("gone") is True,
        hint=None if document.get("motion") is None else _read_hint(document["motion"], f"{what}.motion"),
        thumb=_picture(document.get("picture"), f"{what}.picture"),
        first=first,
        latest=latest,
        whole=document.get("whole") is True,
    )


def _written_hint(hint: Hint) -> dict[str, Any]:
    spread = hint.horizon.covariance
    return {
        "values": [round(float(value), 6) for value in hint.values],
        "matched": round(hint.matched, 3),
        "horizon": [float(f"{value:.6g}") for value in (spread[0, 0], spread[0, 1], spread[1, 1])],
    }


def _read_hint(given: object, what: str) -> Hint:
    document = _object(given, what)
    values = np.array(_numbers(document.get("values"), f"{what}.values", PARAMETERS))
    across, both, along = _numbers(document.get("horizon"), f"{what}.horizon", 3)
    bounded = np.abs(values[:2]).max() <= _MOST_SHIFT and np.abs(values[2:]).max() <= _MOST_OTHER
    # A covariance: positive, and far enough from singular to be inverted.
    if not bounded or min(across, along) < 1e-9 or max(across, along) > 1 or across * along - both**2 < 1e-3 * across * along:
        raise BadCallError(f"{what} cannot be a motion of the seabed", advice=BEGIN_AGAIN)
    matched = number(document.get("matched"), f"{what}.matched", least=0, greatest=1)
    horizon = Horizon(line=values[8:].copy(), covariance=np.array([[across, both], [both, along]]))
    return Hint(values=values, matched=matched, horizon=horizon)


def _object(given: object, what: str) -> Mapping[str, Any]:
    if not isinstance(given, Mapping):
        raise BadCallError(f"{what} is no object", advice=BEGIN_AGAIN)
    return given


def _numbers(given: object, what: str, count: int) -> list[float]:
    if not isinstance(given, list) or len(given) != count:
        raise BadCallError(f"{what} is no list of {count} numbers", advice=BEGIN_AGAIN)
    return [number(one, f"a number of {what}", least=-_FURTHEST_PX, greatest=_FURTHEST_PX) for one in given]


def _box(given: object, what: str) -> Box:
    x_min, y_min, x_max, y_max = _numbers(given, what, 4)
    if not (x_max - x_min >= _LEAST_SIDE_PX and y_max - y_min >= _LEAST_SIDE_PX):
        raise BadCallError(f"{what} has no area", advice=BEGIN_AGAIN)
    return x_min, y_min, x_max, y_max


def _size(given: object, what: str) -> tuple[int, int]:
    if not isinstance(given, Sequence) or len(given) != 2 or not all(type(side) is int and 0 < side <= _MOST_SIDE_PX for side in given):
        raise BadCallError(f"{what}.size is no size of a picture", advice=BEGIN_AGAIN)
    return int(given[0]), int(given[1])


def _count(given: object, what: str) -> int:
    if type(given) is not int or not 0 <= given <= _MOST_UNSEEN:
        raise BadCallError(f"{what} is no count", advice=BEGIN_AGAIN)
    return given


def _picture(given: object, what: str) -> UInt8Array:
    if not isinstance(given, str) or len(given) > _MOST_TEXT:
        raise BadCallError(f"{what} is no small picture", advice=BEGIN_AGAIN)
    try:
        image = decode_image(given, max_pixels=_MOST_PIXELS)
    except BadCallError as error:
        raise BadCallError(f"{what}: {error}", advice=BEGIN_AGAIN) from error
    return np.asarray(cv2.extractChannel(image, 1), np.uint8)


def _patch_text(patch: UInt8Array) -> str:
    return base64.b64encode(_jpeg(patch, _PATCH_QUALITY)).decode("ascii")


def _jpeg(grey: UInt8Array, quality: int) -> bytes:
    _, packed = cv2.imencode(".jpg", grey, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return bytes(packed)
