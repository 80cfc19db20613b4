"""What a model's count comes to once people have looked at its openings. Advisory, as the model's own: in no density.

An opening counts if it crossed the line and people accepted it, or nobody decided (or somebody was unsure) and its confidence is 0.5 or
more, as in the model's own count; what is rejected does not. Openings that people put into one system are one; else the proposal
holds. A system counts once, when the first of its counted openings crossed, in the minute in which that was.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from edge.store.reads.reviews import COUNTS_FROM, ReviewedOpening

MINUTE_S = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewedCount:
    """A model's count after review.

    Attributes:
        openings, systems: that crossed the line and count.
        undecided: of the counted openings, those that nobody has accepted: they stand on the model's word.
        rejected: openings that crossed the line and that people rejected.
        systems_by_minute, openings_by_minute: minute of the tow, from 1 -> how many; a minute without any is not there.
    """

    openings: int
    systems: int
    undecided: int
    rejected: int
    systems_by_minute: Mapping[int, int]
    openings_by_minute: Mapping[int, int]


def reviewed_count(openings: Sequence[ReviewedOpening]) -> ReviewedCount:
    """Count the openings of an analysis as they stand now."""
    crossed = [one for one in openings if one.crossing_s is not None]
    counted = [one for one in crossed if _counts(one)]
    first: dict[tuple[str, int], float] = {}
    for one in counted:
        assert one.crossing_s is not None  # only those that crossed are counted
        key = ("system", one.system) if one.system is not None else ("opening", one.id)
        first[key] = min(first.get(key, one.crossing_s), one.crossing_s)
    return ReviewedCount(
        openings=len(counted),
        systems=len(first),
        undecided=sum(one.decision != "accepted" for one in counted),
        rejected=sum(one.decision == "rejected" for one in crossed),
        systems_by_minute=_by_minute(list(first.values())),
        openings_by_minute=_by_minute([one.crossing_s or 0.0 for one in counted]),
    )


def _counts(one: ReviewedOpening) -> bool:
    if one.decision == "rejected":
        return False
    return one.decision == "accepted" or one.confidence >= COUNTS_FROM


def _by_minute(times_s: Sequence[float]) -> dict[int, int]:
    return dict(sorted(Counter(int(at_s // MINUTE_S) + 1 for at_s in times_s).items()))
