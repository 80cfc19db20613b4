"""Which openings of an earlier analysis are which of a later one: by where they lay in the frames that both saw. Pure.

Another model, another line or another tracker gives other openings of the same seabed. Two of them are the same where their boxes lie
at the same place of the picture at the same moments of the footage; that needs neither the line nor the travelled distance, which differ.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from edge.survey.review_loop import Float64Array, unpack_boxes
from edge.survey.tow.assign import Index, assigned

PART_OF_SIDE = 0.5
LEAST_GATE_PX = 12.0
_SAME_MOMENT_S = 0.002  # times of two readings of one frame differ by rounding only


def partners(old: Sequence[Float64Array], new: Sequence[Float64Array]) -> dict[int, int]:
    """Place of an opening among the old ones -> place of the same one among the new; each in one pair at most.

    They are compared at the moments of the old boxes that lie within the new opening's sight, its box moved evenly from one moment
    to the next. Near is: centres less than half of the old box's side apart (12 px at least). Neighbouring openings of a dense seabed
    lie about two sides apart (28.8 in view, median box 46 px: nephrops.md, section 5), so half a side holds the same opening's boxes of
    two models and hardly ever a neighbour's. A pair must be near at more than half of its common moments; of all ways to pair them the
    one is taken whose mean distances, as parts of that gate, are the least in sum.

    Args:
        old, new: for each opening its boxes, (K, 6) float64 as `unpack_boxes` gives them, on one clock. Old times that are not a number
            (footage that is no longer there) match nothing.
    """
    every, at_s, x, y, side = _points(old)
    keep = np.isfinite(at_s)
    owner, at_s, x, y, side = every[keep], at_s[keep], x[keep], y[keep], side[keep]
    if not len(at_s) or not new:
        return {}
    moments, moment = np.unique(np.asarray(np.round(at_s, 3), np.float64), return_inverse=True)
    seen = _seen_at(new, moments)
    gate = np.maximum(PART_OF_SIDE * side, LEAST_GATE_PX)
    here, there = _near_in_x(moment, x, gate, seen[1], seen[2])
    apart = np.hypot(x[here] - seen[2][there], y[here] - seen[3][there]) / gate[here]
    near = apart < 1.0
    here, there, apart = here[near], there[near], apart[near]
    keys, inverse, within = np.unique(owner[here] * len(new) + seen[0][there], return_inverse=True, return_counts=True)
    i, j = (keys // len(new)).astype(np.intp), (keys % len(new)).astype(np.intp)
    common = _common(owner, at_s, new, i, j)
    mean = (np.bincount(inverse, weights=apart, minlength=len(keys)) + common - within) / np.maximum(common, 1)
    good = 2 * within > common
    chosen_i, chosen_j = assigned(i[good], j[good], mean[good] - 1.0)
    return dict(zip(chosen_i.tolist(), chosen_j.tolist(), strict=True))


def boxes_of(packed: Sequence[bytes]) -> list[Float64Array]:
    """The boxes of openings as `partners` takes them."""
    return [unpack_boxes(one) for one in packed]


def _points(openings: Sequence[Float64Array]) -> tuple[Index, Float64Array, Float64Array, Float64Array, Float64Array]:
    """Of every box: place of its opening, seconds, x and y of its centre, its longer side."""
    rows = np.concatenate([*openings, np.empty((0, 6))])
    owner = np.repeat(np.arange(len(openings)), [len(one) for one in openings])
    side = np.maximum(rows[:, 3] - rows[:, 1], rows[:, 4] - rows[:, 2])
    return owner, rows[:, 0], (rows[:, 1] + rows[:, 3]) / 2, (rows[:, 2] + rows[:, 4]) / 2, side


def _seen_at(openings: Sequence[Float64Array], moments: Float64Array) -> tuple[Index, Index, Float64Array, Float64Array]:
    """Where each opening is at the moments within its sight: its place, the moment's place, x and y, interpolated."""
    owner, at_s, x, y, _ = _points(openings)
    first = np.array([one[0, 0] for one in openings])
    last = np.array([one[-1, 0] for one in openings])
    begin = np.searchsorted(moments, first - _SAME_MOMENT_S, "left")
    counts = np.searchsorted(moments, last + _SAME_MOMENT_S, "right") - begin
    who = np.repeat(np.arange(len(openings)), counts)
    when = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts) + np.repeat(begin, counts)
    apart_s = 10.0 + float(max(at_s.max(), moments.max()) - min(at_s.min(), moments.min()))
    on_one_line, wanted = owner * apart_s + at_s, who * apart_s + np.clip(moments[when], first[who], last[who])
    return who, when, np.interp(wanted, on_one_line, x), np.interp(wanted, on_one_line, y)


def _near_in_x(moment: Index, x: Float64Array, gate: Float64Array, other_moment: Index, other_x: Float64Array) -> tuple[Index, Index]:
    """Pairs of points of the same moment whose x differ by less than the first one's gate."""
    margin = float(gate.max())
    low = min(float(x.min()), float(other_x.min(initial=0.0))) - margin
    width = max(float(x.max()), float(other_x.max(initial=0.0))) - low + 2 * margin
    key, other = moment * width + x - low, other_moment * width + other_x - low
    order = np.argsort(other, kind="stable")
    ordered = other[order]
    begin = np.searchsorted(ordered, key - gate, "left")
    counts = np.searchsorted(ordered, key + gate, "right") - begin
    here = np.repeat(np.arange(len(key)), counts)
    place = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts) + np.repeat(begin, counts)
    return here, order[place]


def _common(owner: Index, at_s: Float64Array, new: Sequence[Float64Array], i: Index, j: Index) -> NDArray[np.int64]:
    """How many boxes of each old opening `i` lie within the sight of the new one `j`."""
    apart_s = 10.0 + float(at_s.max() - at_s.min()) + float(max(one[-1, 0] for one in new) - min(one[0, 0] for one in new))
    base = float(min(at_s.min(), *(one[0, 0] for one in new)))
    on_one_line = owner * apart_s + at_s - base
    first = np.array([new[place][0, 0] for place in j]) - base - _SAME_MOMENT_S
    last = np.array([new[place][-1, 0] for place in j]) - base + _SAME_MOMENT_S
    return np.asarray(np.searchsorted(on_one_line, i * apart_s + last, "right") - np.searchsorted(on_one_line, i * apart_s + first, "left"))
