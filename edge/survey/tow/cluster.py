"""Pairs that may belong together become groups: the likeliest first, until there are as many groups as there should be."""

from __future__ import annotations

import heapq

import numpy as np
from numpy.typing import NDArray

from edge.survey.tow.assign import Index
from edge.survey.tow.tracks import Float64Array

_ALWAYS = 0.8
_NEVER = 0.15


def clustered(count: int, i: Index, j: Index, probability: Float64Array, *, groups: float, most: int) -> NDArray[np.intp]:
    """Group `count` things by average linkage: two groups are as near as their members' mean probability; absent pairs are 0.

    Groups are joined until there are as many as there should be: neither the most cautious grouping nor the boldest. What is nearly sure
    is joined beyond that, what is unlikely never.

    Args:
        count: of things.
        i, j: (K,) pairs, each once.
        probability: (K,) float64, that they belong together.
        groups: how many there should be.
        most: members of a group.

    Returns:
        (count,) intp, the group of each, from 0, in the order of first members.
    """
    towards: list[dict[int, float]] = [{} for _ in range(count)]
    for a, b, p in zip(i.tolist(), j.tolist(), probability.tolist(), strict=True):
        towards[a][b] = towards[b][a] = p
    size, alive, parent = [1] * count, [True] * count, list(range(count))
    heap = [(-p, a, b, 1, 1) for a, b, p in zip(i.tolist(), j.tolist(), probability.tolist(), strict=True)]
    heapq.heapify(heap)
    left = count
    while heap:
        nearness, a, b, size_a, size_b = heapq.heappop(heap)
        if not (alive[a] and alive[b]) or size[a] != size_a or size[b] != size_b:
            continue
        if -nearness < _NEVER or (-nearness < _ALWAYS and left <= groups):
            break
        if size_a + size_b > most:
            continue
        left -= 1
        alive[b], parent[b] = False, a
        size[a] += size_b
        del towards[a][b], towards[b][a]
        for other, total in towards[b].items():
            del towards[other][b]
            towards[a][other] = towards[other][a] = towards[a].get(other, 0.0) + total
        for other, total in towards[a].items():
            if size[a] + size[other] <= most:
                heapq.heappush(heap, (-total / (size[a] * size[other]), min(a, other), max(a, other), *_sizes(size, a, other)))
    return _labels(parent)


def _sizes(size: list[int], a: int, b: int) -> tuple[int, int]:
    return (size[min(a, b)], size[max(a, b)])


def _labels(parent: list[int]) -> NDArray[np.intp]:
    label: dict[int, int] = {}
    found = np.zeros(len(parent), np.intp)
    for k in range(len(parent)):
        root = k
        while parent[root] != root:
            root = parent[root]
        found[k] = label.setdefault(root, len(label))
    return found
