"""Which openings belong to one burrow: proposed from how they lie, for people to decide.

Openings of one system lie together, others anywhere. How far apart mates lie, how many there are, and how dense the rest is, is read
off the tow itself: the number of pairs at each distance, fitted as a Thomas process by the Palm likelihood (Tanaka, Ogata and
Stoyan 2008, Biometrical Journal 50, 43-57). That gives each pair a probability. Where openings lie as dense as mates do, those stay far
from 1 and the proposal says so; no distance can then tell systems apart.

Which way an opening faces would tell more. No box tells it, so `BurrowSystem.facing_deg` stays empty until something measures it.
Sizes are used only where somebody states how alike the openings of one system are (`SystemSettings.size_spread`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge.survey.tow.assign import Index, pairs_within
from edge.survey.tow.cluster import clustered
from edge.survey.tow.tracks import Float64Array, OpeningTrack, TowTracks

_BINS = 56
_OUTER = 0.65  # of the farthest distance that is looked at: from there on pairs are taken as chance
_PAIRS_ARE_SHARED = 0.4  # a system of many openings has many pairs: they are not so many independent ones
_RING = 1.5  # the spread of a ring whose pairs lie as far apart as those of a spread of 1
_FORM_SD = 0.06  # that numbers of openings need not follow the form that is assumed
_LEAST_PAIR = 0.03
_KEPT_JOIN = 0.15
_JOINS_PER_OPENING = 3
_SPREADS = np.geomspace(0.25, 4.0, 33)
_MATES = np.geomspace(0.02, 8.0, 45)


@dataclass(frozen=True, slots=True, kw_only=True)
class SystemSettings:
    """What is held of systems before the tow tells, and how much. Lengths are parts of the width of view at the line.

    Attributes:
        spread_width: standard deviation, on each axis, of openings around the middle of their system.
        spread_m: the same in metres, used in its place where the width of view is known; None: not stated.
        spread_log_sd: how sure that is, as the standard deviation of its logarithm.
        mates: mean number of other openings in the system of an opening.
        mates_log_sd: how sure that is.
        farthest_width: up to which distance pairs are looked at.
        most_openings: a system has no more.
        size_spread: standard deviation of the logarithm of a side within a system; None: sizes say nothing.
    """

    spread_width: float = 0.05
    spread_m: float | None = None
    spread_log_sd: float = 0.35
    mates: float = 1.8
    mates_log_sd: float = 0.5
    farthest_width: float = 0.35
    most_openings: int = 6
    size_spread: float | None = None

    def __post_init__(self) -> None:
        """Refuse what cannot be.

        Raises:
            ValueError: a length, a number or a spread that is not positive.
        """
        known = [self.spread_width, self.spread_log_sd, self.mates, self.mates_log_sd, self.farthest_width, self.most_openings]
        if not all(value > 0 for value in [*known, 1 if self.spread_m is None else self.spread_m]):
            raise ValueError("lengths, spreads and numbers of systems must be positive")
        if self.size_spread is not None and not self.size_spread > 0:
            raise ValueError("a spread of sizes must be positive")


@dataclass(frozen=True, slots=True, kw_only=True)
class BurrowSystem:
    """Openings proposed as one burrow.

    Attributes:
        id: of this system in its tow, from 1 along it.
        openings: ids of its tracks, in order along the tow.
        along_px, sideways_px: its middle in the seabed frame.
        diameter_px: farthest two of its openings; 0 for a single one.
        facing_deg: which way it opens, None: nothing measured it.
        belonging: for each opening the probability that it belongs to another one of them; 1 for a single one.
        apart: probability that no other system is a part of it.
        confidence: probability that these openings, and only these, are one system.
    """

    id: int
    openings: tuple[int, ...]
    along_px: float
    sideways_px: float
    diameter_px: float
    facing_deg: float | None
    belonging: tuple[float, ...]
    apart: float
    confidence: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Join:
    """Two openings that may belong together: what a reviewer merges or splits. `probability` is that of their being one system."""

    a: int
    b: int
    distance_px: float
    probability: float
    is_joined: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Spacing:
    """What the tow tells of its systems; the fit behind all probabilities.

    Attributes:
        spread_px: see `SystemSettings.spread_width`, pixels at the line.
        mates: mean number of mates of an opening.
        is_ring: mates lie around a middle that is empty, rather than all over it.
        others_per_px2: density of openings that are no mates.
        openings_per_system: mean number, see `_per_system`.
        systems_sd_share: what the number of systems is uncertain by, as a part of it, because the spacing is.
        pairs: pairs of openings that were looked at; few: the settings speak, not the tow.
    """

    spread_px: float
    mates: float
    is_ring: bool
    others_per_px2: float
    openings_per_system: float
    systems_sd_share: float
    pairs: int

    def probability(self, distance_px: Float64Array) -> Float64Array:
        """(K,) that two openings so far apart are of one system."""
        near = self.mates * density_of_mates(distance_px, np.array(self.spread_px), is_ring=self.is_ring)
        return np.asarray(near / (near + self.others_per_px2), np.float64)


@dataclass(frozen=True, slots=True, kw_only=True)
class Systems:
    """All openings of a tow that are more likely one than not, in systems; every such opening is in exactly one.

    Attributes:
        method, version: who proposed them.
        joins: the pairs that may be otherwise, and those that were joined, the least certain first.
    """

    method: str
    version: str
    settings: SystemSettings
    spacing: Spacing
    systems: tuple[BurrowSystem, ...]
    joins: tuple[Join, ...]


def group_systems(tracks: TowTracks, settings: SystemSettings, *, width_m: float | None = None) -> Systems:
    """Propose systems.

    Args:
        tracks: openings of a tow; those below the least confidence are left out.
        settings: see there.
        width_m: width of view at the line, where it is known.
    """
    openings = [one for one in tracks.tracks if one.confidence >= tracks.settings.min_confidence]
    place = np.array([(one.sideways_px, one.along_px) for one in openings], np.float64).reshape(-1, 2)
    reach = np.full(len(place), settings.farthest_width * tracks.width_px)
    i, j = pairs_within(place, place, reach)
    i, j = i[i < j], j[i < j]
    distance = np.hypot(*(place[i] - place[j]).T)
    near = distance <= settings.farthest_width * tracks.width_px
    i, j, distance = i[near], j[near], distance[near]
    stated = settings.spread_width if settings.spread_m is None or width_m is None else settings.spread_m / width_m
    spacing = _fitted(place, distance, tracks, settings, stated * tracks.width_px)
    probability = _with_sizes(spacing.probability(distance), openings, (i, j), settings)
    near = probability >= _LEAST_PAIR
    i, j, distance, probability = i[near], j[near], distance[near], probability[near]
    groups = len(openings) / spacing.openings_per_system
    label = clustered(len(openings), i, j, probability, groups=groups, most=settings.most_openings)
    return Systems(
        method="thomas",
        version="1",
        settings=settings,
        spacing=spacing,
        systems=_systems(openings, place, label, (i, j), probability),
        joins=_joins(openings, label, (i, j), distance, probability),
    )


def density_of_mates(distance_px: Float64Array, spread_px: Float64Array, *, is_ring: bool) -> Float64Array:
    """Probability per px^2 of a mate at a distance, from an opening: a normal one around the middle (Thomas), or one with a hole in it."""
    square = (distance_px / (2 * spread_px)) ** 2
    return np.asarray((square if is_ring else 1.0) * np.exp(-square) / (4 * np.pi * spread_px**2), np.float64)


def _fitted(place: Float64Array, distance: Float64Array, tracks: TowTracks, settings: SystemSettings, stated_px: float) -> Spacing:
    """The spacing that makes the pairs' distances likeliest, under what the settings hold of it."""
    width = float(tracks.width_px)
    length = float(np.ptp(place[:, 1])) if len(place) > 1 else 0.0
    density = len(place) / (width * max(length, width))
    farthest = settings.farthest_width * width
    edges = np.linspace(0, farthest, _BINS + 1)
    count = np.histogram(distance, edges)[0].astype(np.float64)
    middle = (edges[1:] + edges[:-1]) / 2
    # Pairs that one opening can have at a distance; the sides of the strip cut a part of the ring off.
    ring = len(place) / 2 * 2 * np.pi * middle * np.diff(edges) * (1 - 2 * middle / (np.pi * width))
    outer = middle >= _OUTER * farthest
    others = max((count[outer].sum() + 1.0) / (ring[outer].sum() + 1.0 / max(density, 1e-12)), 1e-12)
    looked_at = middle > _touching_px(tracks, settings)
    count, ring, middle = count[looked_at], ring[looked_at], middle[looked_at]
    spread = stated_px * _SPREADS[:, None, None]
    held = -0.5 * (np.log(_SPREADS) / settings.spread_log_sd)[:, None] ** 2
    held = held - 0.5 * (np.log(_MATES / settings.mates) / settings.mates_log_sd)[None, :] ** 2
    likely = np.empty((2, len(_SPREADS), len(_MATES)))
    for is_ring in (False, True):
        near = density_of_mates(middle, spread / (_RING if is_ring else 1.0), is_ring=is_ring)
        expected = ring * (others + _MATES[None, :, None] * near) + 1e-12
        likely[int(is_ring)] = _PAIRS_ARE_SHARED * (count * np.log(expected) - expected).sum(axis=2) + held
    best = np.unravel_index(int(np.argmax(likely)), likely.shape)
    weight = np.exp(likely - likely.max())
    per_system = _per_system(_MATES)
    share = weight.sum(axis=(0, 1)) / weight.sum()
    mean = float(share @ (1 / per_system))
    spread_of = math.sqrt(max(float(share @ (1 / per_system - mean) ** 2), 0.0))
    is_ring = bool(best[0])
    return Spacing(
        spread_px=float(stated_px * _SPREADS[best[1]] / (_RING if is_ring else 1.0)),
        mates=float(_MATES[best[2]]),
        is_ring=is_ring,
        others_per_px2=float(others),
        openings_per_system=1 / mean,
        systems_sd_share=math.hypot(spread_of / mean, _FORM_SD),
        pairs=len(distance),
    )


def _per_system(mates: Float64Array) -> Float64Array:
    """Mean number of openings of a system, 1 + u, were the number beyond the first Poisson's of mean u: mates = u + u / (1 + u)."""
    half = mates / 2 - 1
    return np.asarray(1 + half + np.sqrt(half**2 + mates), np.float64)


def _touching_px(tracks: TowTracks, settings: SystemSettings) -> float:
    """Nearer than this two openings could hardly be told apart: pairs are missing there, of mates and of others."""
    sides = [one.side_px for one in tracks.tracks if one.confidence >= tracks.settings.min_confidence]
    return min(float(np.median(sides)), settings.farthest_width * tracks.width_px / 4) if sides else 0.0


def _with_sizes(
    probability: Float64Array, openings: Sequence[OpeningTrack], pairs: tuple[Index, Index], settings: SystemSettings
) -> Float64Array:
    """The probabilities, given how alike the sides of each pair are; as they were where nothing is held of that."""
    if settings.size_spread is None or len(openings) < 3:
        return probability
    side = np.log(np.maximum([one.side_px for one in openings], 1.0))
    within, anywhere = settings.size_spread, max(float(np.std(side)), settings.size_spread)
    ratio = side[pairs[0]] - side[pairs[1]]
    odds = np.log(anywhere / within) - ratio**2 / 4 * (1 / within**2 - 1 / anywhere**2)
    kept = np.clip(probability, 1e-9, 1 - 1e-9)
    return np.asarray(1 / (1 + (1 - kept) / kept * np.exp(-odds)), np.float64)


def _systems(
    openings: Sequence[OpeningTrack], place: Float64Array, label: NDArray[np.intp], pairs: tuple[Index, Index], probability: Float64Array
) -> tuple[BurrowSystem, ...]:
    i, j = pairs
    alone = np.zeros(len(openings))  # logarithm of the probability that it belongs to none of its system
    inside = label[i] == label[j]
    doubt = np.log(np.maximum(1 - probability, 1e-9))
    np.add.at(alone, i[inside], doubt[inside])
    np.add.at(alone, j[inside], doubt[inside])
    nearest = _nearest(label, (i[~inside], j[~inside]), probability[~inside])
    order = np.lexsort((place[:, 1], label))
    found = []
    for members in np.split(order, np.flatnonzero(np.diff(label[order])) + 1) if len(order) else []:
        belonging = tuple(float(1 - np.exp(alone[k])) for k in members) if len(members) > 1 else (1.0,)
        apart = 1 - float(nearest[label[members[0]]])
        span = place[members][:, None] - place[members][None]
        middle = place[members].mean(axis=0)
        found.append((members, belonging, apart, float(np.hypot(span[..., 0], span[..., 1]).max()), middle))
    found.sort(key=lambda one: (float(one[4][1]), openings[one[0][0]].id))
    return tuple(
        BurrowSystem(
            id=number,
            openings=tuple(openings[k].id for k in members),
            along_px=float(middle[1]),
            sideways_px=float(middle[0]),
            diameter_px=diameter,
            facing_deg=None,
            belonging=belonging,
            apart=apart,
            confidence=min(belonging) * apart,
        )
        for number, (members, belonging, apart, diameter, middle) in enumerate(found, start=1)
    )


def _nearest(label: NDArray[np.intp], pairs: tuple[Index, Index], probability: Float64Array) -> Float64Array:
    """(systems,) the mean probability towards the system that is likeliest to be a part of each; 0 where there is none near."""
    count = int(label.max(initial=-1)) + 1
    size = np.bincount(label, minlength=count)
    first, second = np.minimum(label[pairs[0]], label[pairs[1]]), np.maximum(label[pairs[0]], label[pairs[1]])
    both, where = np.unique(first * max(count, 1) + second, return_inverse=True)
    a, b = both // max(count, 1), both % max(count, 1)
    mean = np.bincount(where, probability, len(both)) / np.maximum(size[a] * size[b], 1)
    nearest = np.zeros(count)
    np.maximum.at(nearest, a, mean)
    np.maximum.at(nearest, b, mean)
    return nearest


def _joins(
    openings: Sequence[OpeningTrack], label: NDArray[np.intp], pairs: tuple[Index, Index], distance: Float64Array, probability: Float64Array
) -> tuple[Join, ...]:
    """Pairs that were joined or might be, at most some for each opening, the least certain first."""
    i, j = pairs
    joined = label[i] == label[j]
    kept: list[int] = []
    number = np.zeros(len(openings), np.intp)
    for k in np.argsort(-probability - joined, kind="stable").tolist():
        if (joined[k] or probability[k] >= _KEPT_JOIN) and min(number[i[k]], number[j[k]]) < _JOINS_PER_OPENING:
            kept.append(k)
            number[i[k]] += 1
            number[j[k]] += 1
    kept.sort(key=lambda k: (abs(probability[k] - 0.5), int(i[k]), int(j[k])))
    return tuple(
        Join(
            a=openings[i[k]].id,
            b=openings[j[k]].id,
            distance_px=float(distance[k]),
            probability=float(probability[k]),
            is_joined=bool(joined[k]),
        )
        for k in kept
    )
