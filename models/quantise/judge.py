"""What is tried next, and what is kept: decisions on figures alone.

next_recipe(outcomes, limit_points, ranked)    from everything in 8 bits to more and more in floating point, until it is good enough
choose_int8(outcomes, limit_points)            of those that are good enough, the fastest, or its more accurate equal
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

GIVEN_BACK = (2, 4, 8, 16)  # layers that return to floating point, one try each
WORTH = 1.15  # so much of the fastest one's processor time is a more accurate try worth
_SLACK_POINTS = 1e-4  # a loss of exactly the limit is allowed, whatever rounding does


class KeepFloat(StrEnum):
    """Which part of a network stays in floating point; the values are those of `models.workshop.quantise`."""

    NOTHING = "nothing"
    BOX_ARITHMETIC = "box arithmetic"
    HEAD = "head"


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """How INT8 is made: the part that stays in floating point, and the layers that do besides."""

    keep_float: KeepFloat
    also_float: tuple[str, ...] = ()

    @property
    def told(self) -> str:
        """In plain words."""
        if self.also_float:
            return f"INT8, box arithmetic and the {len(self.also_float)} most sensitive layers in floating point"
        return {
            KeepFloat.NOTHING: "INT8 throughout",
            KeepFloat.BOX_ARITHMETIC: "INT8, box arithmetic in floating point",
            KeepFloat.HEAD: "INT8, the whole head in floating point",
        }[self.keep_float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of a recipe. `drop_points` against the original; `fault`: why it cannot be used at all (a golden did not hold).

    `fine`: the finer measure of accuracy (mAP50-95), a fraction. `cpu_ms`: processor time of one image.
    """

    recipe: Recipe
    drop_points: float
    fine: float
    cpu_ms: float | None = None
    fault: str = ""


def is_inside(outcome: Outcome, limit_points: float) -> bool:
    """Whether a try is good enough to be offered."""
    return not outcome.fault and is_allowed(outcome.drop_points, limit_points)


def is_allowed(drop_points: float, limit_points: float) -> bool:
    """Whether a loss is within the limit."""
    return drop_points <= limit_points + _SLACK_POINTS


def loss_told(drop_points: float) -> str:
    """A loss in words; what rounds to nothing is nothing."""
    return "loses nothing" if drop_points < 0.005 else f"loses {drop_points:.2f} points"


def next_recipe(done: Sequence[Outcome], limit_points: float, ranked: Sequence[str]) -> Recipe | None:
    """What to try after `done`; None where enough was tried.

    Three are always made: throughout, without the box arithmetic, and without the two most sensitive layers besides, which costs
    little time and is what holds best on images unlike those that calibrated. The others only while none is good enough.

    Args:
        ranked: layers, the most sensitive first; needed from the third try on (`needs_ranking`).
    """
    sensitive = [_without(ranked[:count]) for count in GIVEN_BACK]
    sensitive = [recipe for place, recipe in enumerate(sensitive) if recipe.also_float and recipe not in sensitive[:place]]
    always = [Recipe(keep_float=KeepFloat.NOTHING), Recipe(keep_float=KeepFloat.BOX_ARITHMETIC), *sensitive[:1]]
    if len(done) < len(always):
        return always[len(done)]
    further = [*sensitive[1:], Recipe(keep_float=KeepFloat.HEAD)]
    place = len(done) - len(always)
    if place >= len(further) or any(is_inside(one, limit_points) for one in done):
        return None
    return further[place]


def needs_ranking(done: Sequence[Outcome]) -> bool:
    """Whether the next recipe depends on which layers are sensitive."""
    return len(done) == 2


def _without(layers: Sequence[str]) -> Recipe:
    return Recipe(keep_float=KeepFloat.BOX_ARITHMETIC, also_float=tuple(layers))


def choose_int8(outcomes: Sequence[Outcome], limit_points: float) -> int | None:
    """Place of the try to keep; None if none is good enough.

    Of those that need at most 15 % more processor time than the fastest, the most accurate by the finer measure.
    """
    inside = [place for place, one in enumerate(outcomes) if is_inside(one, limit_points)]
    if not inside:
        return None
    timed = {place: _cpu_ms(outcomes[place]) for place in inside}
    fastest = min(timed.values())
    equals = [place for place in inside if timed[place] <= fastest * WORTH]
    return max(equals, key=lambda place: (outcomes[place].fine, -timed[place]))


def why(outcomes: Sequence[Outcome], place: int, kept: int | None, limit_points: float) -> str:
    """Why a try was kept or dropped, in plain words."""
    one = outcomes[place]
    if one.fault:
        return one.fault
    if not is_inside(one, limit_points):
        return f"{loss_told(one.drop_points)}; the pack allows {limit_points:.2f}"
    loss = loss_told(one.drop_points)
    if place == kept:
        return f"{loss}; the pack allows {limit_points:.2f}"
    assert kept is not None  # one that is inside was chosen
    best = outcomes[kept]
    ratio = _cpu_ms(one) / _cpu_ms(best)
    if ratio > WORTH:
        return f"{loss}, but needs {ratio:.2f} times the processor time of: {best.recipe.told}"
    return f"{loss}, but is {'less exact' if one.fine < best.fine else 'slower'} than: {best.recipe.told}"


def _cpu_ms(outcome: Outcome) -> float:
    return float("inf") if outcome.cpu_ms is None else outcome.cpu_ms
