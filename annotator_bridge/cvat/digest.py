"""What says whether a shape that comes back is the one that went out, without keeping the shape itself.

A digest is SHA-256 of the label, the kind of shape and its coordinates, rounded to hundredths of a pixel as they are sent. A track has one
for each keyframe, because CVAT cuts a track where its jobs meet and adds keyframes there; the digest of the track is that of all of them.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence

DECIMALS = 2
OUTSIDE = "out:"


def sent_points(points: Sequence[float]) -> list[float]:
    """Coordinates as they are sent: what the digest is of."""
    return [round(float(value), DECIMALS) for value in points]


def shape_digest(label: str, shape: str, points: Sequence[float], *, rotation_deg: float = 0.0, is_outside: bool = False) -> str:
    """The digest of a shape or of a keyframe of a track.

    Args:
        label: its name.
        shape: "rectangle", "polygon", ..., or "tag", which has no points.
        points: as CVAT has them, flat.
        rotation_deg: 0 to 360.
        is_outside: of a keyframe, that the object is not to be seen from there on; the digest begins with `OUTSIDE` then.
    """
    # -0.0 and 0.0 are one place; an integer and its float are one number.
    numbers = [f"{value + 0.0:.{DECIMALS}f}" for value in sent_points(points)]
    turned = f"{round(rotation_deg % 360, DECIMALS) % 360 + 0.0:.{DECIMALS}f}"
    digest = hashlib.sha256(json.dumps([label, shape, numbers, turned, is_outside]).encode()).hexdigest()
    return f"{OUTSIDE}{digest}" if is_outside else digest


def track_digest(keyframes: Mapping[int, str]) -> str:
    """The digest of a track: of its keyframes, frame -> digest."""
    return hashlib.sha256(json.dumps(sorted(keyframes.items())).encode()).hexdigest()
