"""Which stations are learned from, chosen by, and judged by: never by frame, and the same stations fall the same way every time.

Neighbouring frames show the same seabed under the same light. A figure from a model that learned from one of them says nothing of the next
station.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Literal

from edge.errors import SettingsError

Part = Literal["train", "val", "test"]
PARTS: tuple[Part, ...] = ("train", "val", "test")


class TooFewStationsError(SettingsError):
    """A training set needs a station for each of its parts."""

    code = "too_few_stations"
    default_advice = "Review pictures of further stations: each of train, val and test needs at least one of its own."


def divide(stations: Mapping[str, int], *, val_share: float, test_share: float, seed: int = 0) -> dict[str, Part]:
    """The part of each station.

    A station's hash decides; further stations leave those before where they are, but for a part that would stay empty: it gets the
    station whose hash lies nearest to its share, out of the part with the most stations.

    Args:
        stations: identity -> how many pictures it has.
        val_share, test_share: of the stations, above 0 and together below 1.
        seed: another one divides otherwise.

    Raises:
        TooFewStationsError: fewer than three stations.
        SettingsError: shares that leave a part without any.
    """
    if not (0 < val_share < 1 and 0 < test_share < 1 and val_share + test_share < 1):
        raise SettingsError(
            f"--val {val_share:g} and --test {test_share:g} leave a part without stations",
            advice="Both are shares such as 0.15; together they must stay below 1.",
        )
    if len(stations) < len(PARTS):
        count = "one station" if len(stations) == 1 else f"{len(stations)} stations"
        raise TooFewStationsError(f"the reviewed pictures come from {count}; train, val and test need one each")
    places = {key: _place(key, seed) for key in stations}
    parts: dict[str, Part] = {key: _part(place, val_share, test_share) for key, place in places.items()}
    middles = {"test": test_share / 2, "val": test_share + val_share / 2, "train": (1 + test_share + val_share) / 2}
    for part in PARTS:
        if part not in parts.values():
            richest = max(PARTS, key=lambda one: (sum(1 for other in parts.values() if other == one), one))
            offered = [key for key, other in parts.items() if other == richest]
            parts[min(offered, key=lambda key: (abs(places[key] - middles[part]), key))] = part
    return parts


def _place(key: str, seed: int) -> float:
    """A number from 0 to 1 that hangs on nothing but the station and the seed."""
    return int.from_bytes(hashlib.sha256(f"{seed}\n{key}".encode()).digest()[:8], "big") / 2**64


def _part(place: float, val_share: float, test_share: float) -> Part:
    if place < test_share:
        return "test"
    return "val" if place < test_share + val_share else "train"
