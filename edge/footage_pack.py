"""Frames of footage as bytes: what crosses the process border, and what the store keeps of a clip, part by part.

A part is a NumPy archive (`.npz`, never with pickles) with a row for each frame and, one behind the other, the openings of all frames:

    at_s (F,) float64, size_px (F, 2) int32 width and height, openings (F,) int32
    motion (F, 3, 3) float64, motion_sd_px (F,) float64, motion_source (F,) uint8: 0 none, 1 registered, 2 carried
    lasers (F, 5) float64: left x, y, right x, y, strength; NaN where no pair was found
    visibility (F, 5) float64: mean luminance, contrast, sharpness, silt and dark fraction; NaN where it was not measured
    xyxy (N, 4) float32, score (N,) float32, label_index (N,) int32
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from edge.errors import StoreError
from edge.footage import FootageFrame, LaserPair, Motion, Visibility
from edge.values import Detections

_SOURCES: tuple[Literal["registered", "carried"], ...] = ("registered", "carried")


def pack_frames(frames: Sequence[FootageFrame]) -> bytes:
    """The frames of a part, in their order, as one archive."""
    found = [frame.detections for frame in frames]
    content = io.BytesIO()
    np.savez_compressed(
        content,
        at_s=np.array([frame.at_s for frame in frames], np.float64),
        size_px=np.array([(frame.width_px, frame.height_px) for frame in frames], np.int32).reshape(-1, 2),
        openings=np.array([len(one) for one in found], np.int32),
        motion=np.array([np.eye(3) if frame.motion is None else frame.motion.homography for frame in frames]).reshape(-1, 3, 3),
        motion_sd_px=np.array([0.0 if frame.motion is None else frame.motion.sd_px for frame in frames], np.float64),
        motion_source=np.array([_source_code(frame.motion) for frame in frames], np.uint8),
        lasers=np.array([_laser_row(frame.lasers) for frame in frames], np.float64).reshape(-1, 5),
        visibility=np.array([_visibility_row(frame.visibility) for frame in frames], np.float64).reshape(-1, 5),
        xyxy=np.concatenate([np.zeros((0, 4), np.float32), *(one.xyxy for one in found)]),
        score=np.concatenate([np.zeros(0, np.float32), *(one.score for one in found)]),
        label_index=np.concatenate([np.zeros(0, np.int32), *(one.label_index for one in found)]),
    )
    return content.getvalue()


def unpack_frames(content: bytes) -> list[FootageFrame]:
    """The frames of a part.

    Raises:
        StoreError: the bytes are no such archive.
    """
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
        return _frames(arrays)
    except (ValueError, KeyError, OSError, EOFError, zipfile.BadZipFile) as error:
        advice = "Restore the database from a backup, or have the clip read again (reprocess)."
        raise StoreError(f"what was read of a clip cannot be unpacked: {error}", advice=advice) from error


def _frames(arrays: dict[str, NDArray[np.generic]]) -> list[FootageFrame]:
    ends = np.cumsum(arrays["openings"].astype(np.int64))
    starts = ends - arrays["openings"].astype(np.int64)
    return [
        FootageFrame(
            at_s=float(arrays["at_s"][index]),
            width_px=int(arrays["size_px"][index, 0]),
            height_px=int(arrays["size_px"][index, 1]),
            detections=Detections(
                xyxy=arrays["xyxy"][start:end].astype(np.float32, copy=False),
                score=arrays["score"][start:end].astype(np.float32, copy=False),
                label_index=arrays["label_index"][start:end].astype(np.int32, copy=False),
            ),
            motion=_motion(arrays, index),
            lasers=_lasers(arrays["lasers"][index].astype(np.float64)),
            visibility=_visibility(arrays["visibility"][index].astype(np.float64)),
        )
        for index, (start, end) in enumerate(zip(starts, ends, strict=True))
    ]


def _source_code(motion: Motion | None) -> int:
    return 0 if motion is None else 1 + _SOURCES.index(motion.source)


def _motion(arrays: dict[str, NDArray[np.generic]], index: int) -> Motion | None:
    code = int(arrays["motion_source"][index])
    if code == 0:
        return None
    homography = arrays["motion"][index].astype(np.float64)
    return Motion(homography=homography, sd_px=float(arrays["motion_sd_px"][index]), source=_SOURCES[code - 1])


def _laser_row(lasers: LaserPair | None) -> tuple[float, ...]:
    return (np.nan,) * 5 if lasers is None else (*lasers.left_px, *lasers.right_px, lasers.strength)


def _lasers(row: NDArray[np.float64]) -> LaserPair | None:
    if np.isnan(row).any():
        return None
    left_x, left_y, right_x, right_y, strength = (float(value) for value in row)
    return LaserPair(left_px=(left_x, left_y), right_px=(right_x, right_y), strength=strength)


def _visibility_row(seen: Visibility | None) -> tuple[float, ...]:
    if seen is None:
        return (np.nan,) * 5
    return (seen.mean_luminance, seen.contrast, seen.sharpness, seen.silt_fraction, seen.dark_fraction)


def _visibility(row: NDArray[np.float64]) -> Visibility | None:
    if np.isnan(row).any():
        return None
    luminance, contrast, sharpness, silt, dark = (float(value) for value in row)
    return Visibility(mean_luminance=luminance, contrast=contrast, sharpness=sharpness, silt_fraction=silt, dark_fraction=dark)
