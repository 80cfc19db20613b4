"""Pictures of the same seabed are left out but for one: a hundred frames of one burrow teach no more than one, and count a hundred times.

Where the analysis of a tow knows how the seabed moved, two frames overlap by what of the frame's height it has not moved by, at the
counting line; further up the seabed moves slower, so they share somewhat more. Of frames that overlap the one stays that shows most
openings whole. Where nothing is known of the motion only pictures that look the same go, by a hash.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from edge.export.dataset.sources import LabelledObject, ReviewedPicture

SAME_BITS = 30  # of the 256 of a hash: see `FootageLook.still_hash`
_EDGE_PX = 2.0


def without_overlap(pictures: Sequence[ReviewedPicture], limit: float) -> list[ReviewedPicture]:
    """The pictures that stay, in their order: of each tow those that show most openings whole, no two sharing more than `limit`.

    Args:
        pictures: of any tows; those without a known motion all stay.
        limit: share of the frame's height.
    """
    places: dict[str, list[float]] = {}
    kept: set[int] = set()
    ranked = sorted(range(len(pictures)), key=lambda index: (-_whole(pictures[index]), -len(pictures[index].objects), index))
    for index in ranked:
        picture = pictures[index]
        if picture.along_px is None:
            kept.add(index)
            continue
        taken = places.setdefault(_tow(picture), [])
        place = bisect_left(taken, picture.along_px)
        near = taken[max(0, place - 1) : place + 1]
        if all(overlap_px(one, picture.along_px, picture.height_px) <= limit for one in near):
            taken.insert(place, picture.along_px)
            kept.add(index)
    return [picture for index, picture in enumerate(pictures) if index in kept]


def overlap_px(first_px: float, second_px: float, height_px: int) -> float:
    """Share of the frame's height that two pictures of one tow show both, by how far the seabed had moved at each."""
    return max(0.0, 1.0 - abs(second_px - first_px) / height_px)


@dataclass(slots=True)
class Lookalikes:
    """Goes through the pictures of each tow whose motion is not known, and finds those that look like the last one that stayed.

    Attributes:
        hash_of: a hash of 256 bits of what a picture shows.
        removed: how many were found.
    """

    hash_of: Callable[[ReviewedPicture], int]
    removed: int = 0
    _last: dict[str, int] = field(default_factory=dict)

    def is_new(self, picture: ReviewedPicture) -> bool:
        """Whether a picture stays; those of one tow must come in the order of their times.

        Raises:
            InputError: it cannot be looked at.
        """
        if picture.along_px is not None:
            return True
        now = self.hash_of(picture)
        before = self._last.get(_tow(picture))
        if before is not None and (before ^ now).bit_count() <= SAME_BITS:
            self.removed += 1
            return False
        self._last[_tow(picture)] = now
        return True


def _tow(picture: ReviewedPicture) -> str:
    return picture.tow or picture.station.key


def _whole(picture: ReviewedPicture) -> int:
    """How many objects the edges of the picture do not cut."""
    return sum(1 for one in picture.objects if _is_whole(one, picture))


def _is_whole(one: LabelledObject, picture: ReviewedPicture) -> bool:
    return (
        one.x_min_px >= _EDGE_PX
        and one.y_min_px >= _EDGE_PX
        and one.x_max_px <= picture.width_px - _EDGE_PX
        and one.y_max_px <= picture.height_px - _EDGE_PX
    )
