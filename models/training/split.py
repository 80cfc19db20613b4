"""Divide labelled images into a part to learn from, one to choose by, and one to judge by: by tow, never by frame.

Frames of one tow show the same seabed under the same light, so a model that learned from one frame has seen its neighbour's
openings too. Figures from such a division are worth nothing on the next tow.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from edge.errors import ModelError

Part = Literal["train", "val", "test"]
SplitBy = Literal["tow", "image"]
PARTS: tuple[Part, ...] = ("train", "val", "test")
# How far above its share of images a part may grow before a tow goes elsewhere.
_ROOM = 1.3


class SplitError(ModelError):
    """The data set cannot be divided as asked."""

    code = "cannot_split"
    default_advice = "Name tows with --val-tows and --test-tows, or change --val and --test."


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """What the division needs to know of an image: its name in the data set, and its tow where one is known."""

    name: str
    tow: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """How to divide: shares of the images (0..1), or tows by name, which win. `test_share` 0 means no test part."""

    by: SplitBy = "tow"
    val_share: float = 0.15
    test_share: float = 0.15
    val_tows: tuple[str, ...] = ()
    test_tows: tuple[str, ...] = ()
    seed: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """Which images are in which part. `tows` counts the images of each tow of a part; empty when divided by image."""

    by: SplitBy
    seed: int
    images: Mapping[Part, tuple[str, ...]]
    tows: Mapping[Part, Mapping[str, int]]


def split(images: Sequence[Named], wanted: Wanted) -> Split:
    """Divide images; the same images (in any order) and the same wish give the same parts.

    Raises:
        SplitError: an image without a tow, too few tows for the parts, a tow that does not exist or is named twice.
    """
    _check_shares(wanted)
    groups = _groups(images, wanted)
    parts = _named(groups, wanted)
    sizes = {group: len(names) for group, names in groups.items()}
    wishes: tuple[tuple[Part, float], ...] = (("test", wanted.test_share), ("val", wanted.val_share))
    for part, share in wishes:
        if part not in parts.values() and share > 0:
            free = [group for group in _shuffled(groups, wanted.seed) if group not in parts]
            spare = 1 if part == "test" and "val" not in parts.values() else 0
            for group in _taken(_offered(free, sizes, wanted), sizes, share * len(images), spare=spare):
                parts[group] = part
    return _as_split(groups, parts, wanted)


def _check_shares(wanted: Wanted) -> None:
    if not (0 < wanted.val_share < 1 and 0 <= wanted.test_share < 1 and wanted.val_share + wanted.test_share < 1):
        raise SplitError(
            f"--val {wanted.val_share:g} and --test {wanted.test_share:g} leave nothing to train on, or nothing to validate with",
            advice="Both are shares of the images, such as 0.15; together they must stay below 1.",
        )


def _groups(images: Sequence[Named], wanted: Wanted) -> dict[str, list[str]]:
    """What must stay together: the images of each tow, or each image for itself."""
    if wanted.by == "image":
        if wanted.val_tows or wanted.test_tows:
            raise SplitError("--val-tows and --test-tows do not go with --split-by image")
        return {image.name: [image.name] for image in images}
    if unknown := [image.name for image in images if image.tow is None]:
        raise SplitError(
            f"{len(unknown)} of {len(images)} images do not tell their tow, such as {unknown[0]}",
            advice=f"Put the images of each tow or station into a folder of its own. {_BY_IMAGE}",
        )
    groups: dict[str, list[str]] = {}
    for image in images:
        groups.setdefault(str(image.tow), []).append(image.name)
    needed = 3 if wanted.test_share > 0 or wanted.test_tows else 2
    if len(groups) < needed:
        found = "one tow" if len(groups) == 1 else f"{len(groups)} tows"
        without = " `--test 0` needs only two, and leaves no figures that nothing was chosen by." if len(groups) == 2 else ""
        raise SplitError(
            f"the images come from {found} ({', '.join(sorted(groups))}), and {needed} parts need {needed}",
            advice=f"Label stills of further tows.{without} {_BY_IMAGE}",
        )
    return groups


_BY_IMAGE = "`--split-by image` divides frames of one tow all the same; the card then says that its figures are not independent."


def _named(groups: Collection[str], wanted: Wanted) -> dict[str, Part]:
    parts: dict[str, Part] = {}
    wishes: tuple[tuple[Part, tuple[str, ...]], ...] = (("val", wanted.val_tows), ("test", wanted.test_tows))
    for part, tows in wishes:
        for tow in tows:
            if tow not in groups:
                raise SplitError(f"no image is of tow {tow!r}", advice=f"The data set has: {', '.join(sorted(groups)[:20])}.")
            if tow in parts:
                raise SplitError(f"tow {tow!r} is named for two parts")
            parts[tow] = part
    return parts


def _shuffled(groups: Collection[str], seed: int) -> list[str]:
    """An order that hangs on the seed and the names only, not on what else is there."""
    return sorted(groups, key=lambda group: hashlib.sha256(f"{seed}\n{group}".encode()).digest())


def _offered(free: Sequence[str], sizes: Mapping[str, int], wanted: Wanted) -> list[str]:
    """All but the largest free tow, which is left to learn from."""
    if wanted.by == "image":
        return list(free)
    largest = max(free, key=lambda group: (sizes[group], group), default=None)
    return [group for group in free if group != largest]


def _taken(offered: Sequence[str], sizes: Mapping[str, int], target: float, *, spare: int) -> list[str]:
    """Groups for a part of about `target` images; `spare` groups stay for the parts that come after."""
    taken: list[str] = []
    count = 0
    for group in offered:
        if len(taken) < len(offered) - spare and count < target and count + sizes[group] <= max(1.0, _ROOM * target):
            taken.append(group)
            count += sizes[group]
    if not taken and offered:
        taken = [min(offered, key=lambda group: (sizes[group], group))]
    return taken


def _as_split(groups: Mapping[str, list[str]], parts: Mapping[str, Part], wanted: Wanted) -> Split:
    images: dict[Part, tuple[str, ...]] = {}
    tows: dict[Part, dict[str, int]] = {}
    for part in PARTS:
        mine = sorted(group for group in groups if parts.get(group, "train") == part)
        images[part] = tuple(sorted(name for group in mine for name in groups[group]))
        tows[part] = {group: len(groups[group]) for group in mine} if wanted.by == "tow" else {}
    for part in PARTS:
        if not images[part] and (part != "test" or wanted.test_share > 0 or wanted.test_tows):
            raise SplitError(f"no image is left for the {part} part")
    return Split(by=wanted.by, seed=wanted.seed, images=images, tows=tows)
