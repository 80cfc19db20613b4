"""Pictures of the same seabed are left out but for one: a hundred frames of one burrow teach no more than one, and count a hundred times.

Where the analysis of a tow knows how the seabed moved, two frames overlap by what of the frame's height it has not moved by, at the
counting line; further up the seabed moves slower, so they share somewhat more. Where nothing is known of the motion only pictures that
look the same go, by a hash.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from edge.export.dataset.sources import ReviewedPicture

SAME_BITS = 0.12  # of the bits of a hash: what a shift of a few pixels or another compression changes
HASH_BITS = 256


@dataclass(slots=True)
class Thinning:
    """Goes through the pictures of each tow in the order of their times and keeps those that show enough new seabed.

    Attributes:
        overlap_limit: share of the frame's height that two kept pictures may share.
        hash_of: a hash of 256 bits of what a picture shows; asked only where the motion is not known.
        removed: how many were left out.
    """

    overlap_limit: float
    hash_of: Callable[[ReviewedPicture], int]
    removed: int = 0
    _last: dict[str, ReviewedPicture] = field(default_factory=dict)
    _hashes: dict[str, int] = field(default_factory=dict)

    def is_new(self, picture: ReviewedPicture) -> bool:
        """Whether a picture stays; those of one tow must come in the order of their times.

        Raises:
            InputError: the motion is not known, and the picture cannot be looked at.
        """
        key = picture.tow or picture.station.key
        last = self._last.get(key)
        if last is not None and self._is_near(key, last, picture):
            self.removed += 1
            return False
        self._last[key] = picture
        return True

    def _is_near(self, key: str, last: ReviewedPicture, picture: ReviewedPicture) -> bool:
        overlap = overlap_of(last, picture)
        if overlap is not None:
            self._hashes.pop(key, None)
            return overlap > self.overlap_limit
        before = self._hashes.get(key)
        if before is None:
            before = self.hash_of(last)
        now = self.hash_of(picture)
        is_near = (before ^ now).bit_count() <= SAME_BITS * HASH_BITS
        self._hashes[key] = before if is_near else now
        return is_near


def overlap_of(first: ReviewedPicture, second: ReviewedPicture) -> float | None:
    """Share of the frame's height that two pictures of one tow show both; None where the motion between them is not known."""
    if first.along_px is None or second.along_px is None:
        return None
    return max(0.0, 1.0 - abs(second.along_px - first.along_px) / second.height_px)
