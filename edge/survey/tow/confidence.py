"""How likely a track is one real opening: seen again and again where it should be, and scored like those that are.

Two kinds of tracks are mixed in a tow: openings, which are found in most of the frames that show their place, and what a detector
saw once, which it sees again only by chance. The shares and rates of both, and which scores go with which, come from the tow itself by
expectation and maximisation (Dempster, Laird and Rubin 1977), held by priors so that a short tow says no more than it can.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from edge.survey.tow.tracks import Float64Array
from edge.values import Float32Array

_ROUNDS = 25
_BINS = 12
_AGAIN_BY_CHANCE = 0.03
_REAL_SHARE = 0.8
_WEIGHT_RATE, _WEIGHT_CHANCE, _WEIGHT_SHARE, _WEIGHT_BIN = 40.0, 60.0, 5.0, 1.5
_LOWEST_RATE, _MOST_CHANCE = 0.4, 0.2


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SetAside:
    """Tracks of one detection each that are known to be no openings: they tell how such look and how often they come.

    Attributes:
        scores: (M,) float32 of their detections.
        missed: frames in which they should have been detected again, of all together.
    """

    scores: Float32Array = field(default_factory=lambda: np.zeros(0, np.float32))
    missed: float = 0.0


def confidences(
    hits: Float64Array,
    chances: Float64Array,
    before: Float64Array,
    *,
    scores: Float32Array,
    owner: NDArray[np.intp],
    detection_rate: float,
    aside: SetAside,
) -> Float64Array:
    """Probability for each of N tracks that it is one real opening.

    Args:
        hits: (N,) float64, frames in which it was detected, 1 or more.
        chances: (N,) float64, frames from the first detection on in which it should have been, those included.
        before: (N,) float64, such frames before the first detection.
        scores: (D,) float32 of all detections of all tracks.
        owner: (D,) intp, the track of each.
        detection_rate: what the detector is taken to find until the tow tells.
        aside: tracks besides the N.

    Returns:
        (N,) float64 in 0..1.
    """
    if not len(hits):
        return np.zeros(0)
    again, missed = hits - 1, np.maximum(chances - hits, 0.0)
    edges = _edges(np.concatenate([scores, aside.scores]))
    bins = np.clip(np.digitize(scores, edges), 0, _BINS - 1)
    aside_bins = np.bincount(np.clip(np.digitize(aside.scores, edges), 0, _BINS - 1), minlength=_BINS)
    rate, chance, share = detection_rate, _AGAIN_BY_CHANCE, _REAL_SHARE
    of_score = np.zeros(len(hits))
    real = np.full(len(hits), share)
    for _ in range(_ROUNDS):
        odds = np.log(share / (1 - share)) + again * np.log(rate / chance) + missed * np.log((1 - rate) / (1 - chance))
        odds += before * np.log(1 - rate) + of_score
        real = 1 / (1 + np.exp(-np.clip(odds, -30, 30)))
        share = (real.sum() + _WEIGHT_SHARE * _REAL_SHARE) / (len(real) + len(aside.scores) + _WEIGHT_SHARE)
        rate = _rate(real @ again, real @ (missed + before), detection_rate, _WEIGHT_RATE)
        chance = _rate((1 - real) @ again, (1 - real) @ missed + aside.missed, _AGAIN_BY_CHANCE, _WEIGHT_CHANCE)
        rate, chance = min(max(rate, _LOWEST_RATE), 0.995), min(max(chance, 1e-3), _MOST_CHANCE)
        share = min(max(share, 0.02), 0.98)
        of_score = _score_odds(real, bins, owner, hits, aside_bins)
    return real


def _rate(yes: float, no: float, prior: float, prior_weight: float) -> float:
    """Share of `yes`, with `prior_weight` observations of `prior`."""
    return float((yes + prior * prior_weight) / (yes + no + prior_weight))


def _edges(scores: Float32Array) -> Float64Array:
    """Borders of bins that hold as many scores each."""
    return np.asarray(np.unique(np.quantile(scores, np.linspace(0, 1, _BINS + 1)[1:-1])), np.float64)


def _score_odds(
    real: Float64Array, bins: NDArray[np.intp], owner: NDArray[np.intp], hits: Float64Array, aside_bins: NDArray[np.intp]
) -> Float64Array:
    """(N,) logarithm of how much likelier a track's scores are among real openings; its detections count as one, they are of one thing."""
    weight = real[owner]
    of_real = np.bincount(bins, weight, _BINS) + _WEIGHT_BIN
    of_false = np.bincount(bins, 1 - weight, _BINS) + aside_bins + _WEIGHT_BIN
    odds = np.log(of_real / of_real.sum()) - np.log(of_false / of_false.sum())
    return np.asarray(np.bincount(owner, odds[bins], len(real)) / hits)
