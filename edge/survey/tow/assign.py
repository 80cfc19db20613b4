"""Which detection continues which track: candidates by a window, then the assignment of the least cost."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edge.survey.tow.tracks import Float64Array

Index = NDArray[np.intp]
_NO = 1e9  # a pair that may not be, above any sum of costs


def pairs_within(a: Float64Array, b: Float64Array, reach: Float64Array) -> tuple[Index, Index]:
    """Pairs (i, j) with |a_i - b_j| at most reach_i on both axes: two (K,) index arrays, ordered by i.

    Sorted along the longer axis and cut out by bisection: n log n and what lies in a band, never all with all.

    Args:
        a: (N, 2) float64.
        b: (M, 2) float64.
        reach: (N,) float64; below 0 an a is in no pair.
    """
    axis = int(len(b) > 0 and np.ptp(b[:, 1]) > np.ptp(b[:, 0]))
    order = np.argsort(b[:, axis], kind="stable")
    ordered = b[order, axis]
    begin = np.searchsorted(ordered, a[:, axis] - reach, "left")
    lengths = np.maximum(np.searchsorted(ordered, a[:, axis] + reach, "right") - begin, 0)
    i = np.repeat(np.arange(len(a)), lengths)
    j = order[np.arange(lengths.sum()) - np.repeat(np.cumsum(lengths) - lengths, lengths) + np.repeat(begin, lengths)]
    near = np.abs(a[i, 1 - axis] - b[j, 1 - axis]) <= reach[i]
    return i[near], j[near]


def assigned(i: Index, j: Index, cost: Float64Array) -> tuple[Index, Index]:
    """The pairs of the least total cost in which each i and each j is at most once; a pair with a cost of 0 or more is never taken.

    Args:
        i, j: (K,) what may go together.
        cost: (K,) float64; below 0 a pair is better than none.

    Returns:
        The chosen i and j, two (L,) arrays, ordered by i.
    """
    good = cost < 0
    i, j, cost = i[good], j[good], cost[good]
    if not len(i):
        return i, j
    alone = (np.bincount(i)[i] == 1) & (np.bincount(j)[j] == 1)
    chosen = [(int(a), int(b)) for a, b in zip(i[alone], j[alone], strict=True)]
    rest = [(int(a), int(b), float(c)) for a, b, c in zip(i[~alone], j[~alone], cost[~alone], strict=True)]
    for group in _groups(rest):
        chosen += _solved(group)
    chosen.sort()
    both = np.array(chosen, np.intp).reshape(-1, 2)
    return both[:, 0], both[:, 1]


def _groups(pairs: list[tuple[int, int, float]]) -> list[list[tuple[int, int, float]]]:
    """Pairs that compete with each other, directly or through others."""
    parent: dict[tuple[str, int], tuple[str, int]] = {}

    def root(node: tuple[str, int]) -> tuple[str, int]:
        while parent.setdefault(node, node) != node:
            parent[node] = parent[parent[node]]
            node = parent[node]
        return node

    for a, b, _ in pairs:
        parent[root(("i", a))] = root(("j", b))
    groups: dict[tuple[str, int], list[tuple[int, int, float]]] = {}
    for pair in pairs:
        groups.setdefault(root(("i", pair[0])), []).append(pair)
    return list(groups.values())


def _solved(pairs: list[tuple[int, int, float]]) -> list[tuple[int, int]]:
    """The best assignment of one group, where none is always an option for a row."""
    rows = sorted({a for a, _, _ in pairs})
    columns = sorted({b for _, b, _ in pairs})
    if len(rows) == 1 or len(columns) == 1:
        a, b, _ = min(pairs, key=lambda pair: (pair[2], pair))
        return [(a, b)]
    table = np.full((len(rows), len(columns) + len(rows)), _NO)
    table[:, len(columns) :] = 0.0
    row_of, column_of = {a: n for n, a in enumerate(rows)}, {b: n for n, b in enumerate(columns)}
    for a, b, cost in pairs:
        table[row_of[a], column_of[b]] = cost
    return [(rows[r], columns[c]) for r, c in enumerate(_hungarian(table.tolist())) if c < len(columns)]


def _hungarian(table: list[list[float]]) -> list[int]:
    """The column of each row in the assignment of the least cost, by shortest augmenting paths (Kuhn 1955, Munkres 1957; O(n^3)).

    `table`: n rows of at least n columns.
    """
    n, m = len(table), len(table[0])
    by_row, by_column = [0.0] * (n + 1), [0.0] * (m + 1)
    row_at = [0] * (m + 1)  # the row that a column is given to, counted from 1; 0: none
    for row in range(1, n + 1):
        came_from = [0] * (m + 1)
        least = [float("inf")] * (m + 1)
        done = [False] * (m + 1)
        row_at[0], column = row, 0
        while row_at[column]:
            done[column] = True
            at, delta, best = row_at[column], float("inf"), 0
            for c in range(1, m + 1):
                if done[c]:
                    continue
                value = table[at - 1][c - 1] - by_row[at] - by_column[c]
                if value < least[c]:
                    least[c], came_from[c] = value, column
                if least[c] < delta:
                    delta, best = least[c], c
            for c in range(m + 1):
                if done[c]:
                    by_row[row_at[c]] += delta
                    by_column[c] -= delta
                else:
                    least[c] -= delta
            column = best
        while column:
            row_at[column] = row_at[came_from[column]]
            column = came_from[column]
    found = [0] * n
    for c in range(1, m + 1):
        if row_at[c]:
            found[row_at[c] - 1] = c - 1
    return found
