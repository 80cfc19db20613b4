"""Values that cross module borders: frozen, keyword-only, checked once on entry.

Coordinates are pixels of the full image, origin top left, half open (a box covers x_min <= x < x_max).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Float32Array = NDArray[np.float32]
Int32Array = NDArray[np.int32]
UInt8Array = NDArray[np.uint8]


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelKey:
    """Which weights, in which precision, on which runtime, gave a result."""

    name: str
    version: str
    sha256: str
    precision: str
    runtime: str


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Detections:
    """Objects found in one image, best score first.

    Attributes:
        xyxy: (N, 4) float32, pixels of the full image, half open.
        score: (N,) float32 in 0..1.
        label_index: (N,) int32, index into the labels of the model.
        mask: optional (N, H, W) bool, pixels of the full image.
        track_id: optional (N,) int32.

    Raises:
        ValueError: if shapes, dtypes or values break this contract (NaN, negative extent, score outside 0..1).
    """

    xyxy: Float32Array
    score: Float32Array
    label_index: Int32Array
    mask: NDArray[np.bool_] | None = None
    track_id: Int32Array | None = None

    def __post_init__(self) -> None:
        count = len(self.score)
        _check_array("xyxy", self.xyxy, (count, 4), np.float32)
        _check_array("score", self.score, (count,), np.float32)
        _check_array("label_index", self.label_index, (count,), np.int32)
        if self.mask is not None and (self.mask.ndim != 3 or len(self.mask) != count):
            raise ValueError(f"mask must be ({count}, H, W), not {self.mask.shape}")
        if self.track_id is not None:
            _check_array("track_id", self.track_id, (count,), np.int32)
        if not np.isfinite(self.xyxy).all() or not np.isfinite(self.score).all():
            raise ValueError("boxes and scores must be finite")
        if count and (self.score.min() < 0.0 or self.score.max() > 1.0):
            raise ValueError("scores must lie in 0..1")
        if (self.xyxy[:, 2:] < self.xyxy[:, :2]).any():
            raise ValueError("a box must not end before it begins")
        if count and self.label_index.min() < 0:
            raise ValueError("a label index must not be negative")

    def __len__(self) -> int:
        return len(self.score)

    @classmethod
    def empty(cls) -> Detections:
        """Looked, and found nothing."""
        return cls(
            xyxy=np.zeros((0, 4), np.float32),
            score=np.zeros((0,), np.float32),
            label_index=np.zeros((0,), np.int32),
        )

    def select(self, chosen: NDArray[np.bool_] | NDArray[np.intp]) -> Detections:
        """The detections that a boolean mask (N,) or an index array (K,) picks."""
        return Detections(
            xyxy=self.xyxy[chosen],
            score=self.score[chosen],
            label_index=self.label_index[chosen],
            mask=None if self.mask is None else self.mask[chosen],
            track_id=None if self.track_id is None else self.track_id[chosen],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Quality:
    """What was measured on the grey image outside masked text.

    Attributes:
        mean_luminance: mean grey level, 0..255.
        contrast: standard deviation of the grey level, 0..127.5.
        sharpness: variance of the 4-neighbour Laplacian of the grey image at the size the model sees. To be compared among
            stills of one camera and format: a large JPEG is partly reduced while it is decoded, which costs about a tenth.
    """

    mean_luminance: float
    contrast: float
    sharpness: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageFacts:
    """What the header of an image file says.

    Attributes:
        format: "jpeg", "png", "tiff" or "bmp".
        width_px, height_px: size as displayed (EXIF orientation is applied when decoding).
        bits_per_channel: 8 or 16; fewer than 8 are spread over 8.
        channels: 1 grey, 2 grey and alpha, 3 colour or palette, 4 colour and alpha, or CMYK.
        exif_time_local: EXIF DateTimeOriginal verbatim, as the camera's clock said, with the fraction of a second and the
            offset from UTC behind it where the camera wrote them; or None.
        orientation: 1 to 8, how the stored rows and columns were turned to be upright (EXIF).
    """

    format: str
    width_px: int
    height_px: int
    bits_per_channel: int
    channels: int
    exif_time_local: str | None
    orientation: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class CaptureTime:
    """When an image was taken, and where that is known from.

    Attributes:
        utc: ISO 8601 with milliseconds, where the source says that it is UTC.
        local: what the camera's clock said, verbatim from EXIF or in ISO form from the name, where no zone is known.
    """

    utc: str | None
    local: str | None
    source: Literal["exif", "file_name", "container"]


@dataclass(frozen=True, slots=True, kw_only=True)
class CropMeasures:
    """What was measured of the particle in a crop that an imager made.

    Attributes:
        x_px, y_px, width_px, height_px: its box in the crop, pixels.
        background_grey: of the crop.
        threshold_grey: the brightest grey of a pixel of the particle.
        touches_edge: the crop cuts it, or may.
        values: by name as on a scan (`edge.zooscan.measure`), pixels and greys; what is not defined is left out.
    """

    x_px: int
    y_px: int
    width_px: int
    height_px: int
    background_grey: float
    threshold_grey: int
    touches_edge: bool
    values: Mapping[str, float]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ImageResult:
    """Everything a worker measured on one image; what the store records as a run.

    Attributes:
        stage_ms: wall milliseconds by stage ("read", "decode", "infer", "merge").
        score_threshold: objects at or above it are counted; those below are candidates.
        class_score: (C,) float32 of a classification, one for each label; None of anything else.
        is_measured: a particle was looked for; `crop` is None then where there was none.
        crop: the particle of a given crop.
    """

    facts: ImageFacts
    quality: Quality
    detections: Detections
    labels: tuple[str, ...]
    model: ModelKey
    score_threshold: float
    stage_ms: dict[str, float]
    class_score: Float32Array | None = None
    is_measured: bool = False
    crop: CropMeasures | None = None


def _check_array(name: str, array: NDArray[Any], shape: tuple[int, ...], dtype: type) -> None:
    if array.shape != shape or array.dtype != dtype:
        raise ValueError(f"{name} must be {shape} {np.dtype(dtype)}, not {array.shape} {array.dtype}")
