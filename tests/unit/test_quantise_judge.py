"""What is tried next, and what is kept: decisions on figures alone."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.quantise.judge import GIVEN_BACK, KeepFloat, Outcome, Recipe, choose_int8, is_inside, loss_told, needs_ranking, next_recipe, why

LAYERS = tuple(f"layer{number}" for number in range(40))
FULL = Recipe(keep_float=KeepFloat.NOTHING)
BOXES = Recipe(keep_float=KeepFloat.BOX_ARITHMETIC)
HEAD = Recipe(keep_float=KeepFloat.HEAD)
SENSITIVE = Recipe(keep_float=KeepFloat.BOX_ARITHMETIC, also_float=LAYERS[:2])


def outcome(drop_points: float, *, recipe: Recipe = BOXES, fine: float = 0.5, cpu_ms: float | None = 40.0, fault: str = "") -> Outcome:
    return Outcome(recipe=recipe, drop_points=drop_points, fine=fine, cpu_ms=cpu_ms, fault=fault)


def tried_until_the_end(drops: list[float], ranked: tuple[str, ...] = LAYERS) -> list[Recipe]:
    done: list[Outcome] = []
    while (recipe := next_recipe(done, 1.0, ranked)) is not None:
        done.append(outcome(drops[len(done)] if len(done) < len(drops) else 9.0, recipe=recipe))
    return [one.recipe for one in done]


def test_three_are_always_tried_and_no_more_when_one_is_good_enough() -> None:
    assert tried_until_the_end([0.2, 0.1, 0.1]) == [FULL, BOXES, SENSITIVE]
    assert tried_until_the_end([5.0, 5.0, 1.0]) == [FULL, BOXES, SENSITIVE]


def test_then_more_of_the_most_sensitive_layers_and_last_the_head() -> None:
    recipes = tried_until_the_end([5.0, 4.0, 3.0, 2.0, 0.5])
    assert [len(recipe.also_float) for recipe in recipes] == [0, 0, 2, 4, 8]
    assert recipes[-1] == Recipe(keep_float=KeepFloat.BOX_ARITHMETIC, also_float=LAYERS[:8])
    assert tried_until_the_end([])[-1] == HEAD


def test_the_search_ends() -> None:
    assert len(tried_until_the_end([])) == 3 + len(GIVEN_BACK)
    assert [len(recipe.also_float) for recipe in tried_until_the_end([], ranked=LAYERS[:3])] == [0, 0, 2, 3, 0]
    assert tried_until_the_end([], ranked=()) == [FULL, BOXES, HEAD]


def test_layers_are_ranked_once_before_the_third_try() -> None:
    assert [needs_ranking([outcome(5.0)] * count) for count in range(5)] == [False, False, True, False, False]


def test_a_golden_that_does_not_hold_is_not_good_enough() -> None:
    broken = outcome(0.0, fault="golden one.png: the object expected at (1, 2, 3, 4) px was not found")
    assert not is_inside(broken, 1.0)
    assert choose_int8([broken], 1.0) is None
    assert why([broken], 0, None, 1.0).startswith("golden one.png")
    assert next_recipe([broken, broken, broken], 1.0, LAYERS) is not None


def test_a_loss_of_exactly_the_limit_is_allowed() -> None:
    assert is_inside(outcome(100 * (0.8 - 0.79)), 1.0)
    assert not is_inside(outcome(1.01), 1.0)


def test_what_is_much_slower_is_not_kept_and_the_others_are_told_why_not() -> None:
    outcomes = [
        outcome(2.5, recipe=FULL, cpu_ms=30.0),
        outcome(0.4, recipe=BOXES, cpu_ms=36.0),
        outcome(-0.1, recipe=HEAD, cpu_ms=60.0, fine=0.9),
    ]
    assert choose_int8(outcomes, 1.0) == 1
    assert why(outcomes, 0, 1, 1.0) == "loses 2.50 points; the pack allows 1.00"
    assert why(outcomes, 1, 1, 1.0) == "loses 0.40 points; the pack allows 1.00"
    told = why(outcomes, 2, 1, 1.0)
    assert told == "loses nothing, but needs 1.67 times the processor time of: INT8, box arithmetic in floating point"


def test_what_rounds_to_nothing_is_told_as_nothing() -> None:
    assert [loss_told(drop) for drop in (-1.0, 0.0, 0.004, 0.006)] == ["loses nothing"] * 3 + ["loses 0.01 points"]


def test_of_those_about_as_fast_the_most_exact_is_kept() -> None:
    outcomes = [
        outcome(0.2, recipe=FULL, cpu_ms=35.0, fine=0.41),
        outcome(0.2, recipe=BOXES, cpu_ms=36.0, fine=0.58),
        outcome(0.1, recipe=SENSITIVE, cpu_ms=38.0, fine=0.59),
        outcome(0.0, recipe=HEAD, cpu_ms=41.0, fine=0.6),
    ]
    assert choose_int8(outcomes, 1.0) == 2
    told = "INT8, box arithmetic and the 2 most sensitive layers in floating point"
    assert why(outcomes, 1, 2, 1.0) == f"loses 0.20 points, but is less exact than: {told}"
    assert why(outcomes, 3, 2, 1.0) == f"loses nothing, but is slower than: {told}"


@settings(deadline=None)
@given(
    drops=st.lists(st.floats(-5, 5), min_size=1, max_size=7),
    limit=st.floats(0, 3),
    times=st.lists(st.floats(1, 500), min_size=7, max_size=7),
)
def test_what_is_kept_is_inside_the_limit_and_every_try_has_a_reason(drops: list[float], limit: float, times: list[float]) -> None:
    outcomes = [outcome(drop, cpu_ms=time) for drop, time in zip(drops, times, strict=False)]
    kept = choose_int8(outcomes, limit)
    inside = [place for place, one in enumerate(outcomes) if is_inside(one, limit)]
    assert (kept is None) == (not inside)
    assert kept is None or kept in inside
    assert all(why(outcomes, place, kept, limit) for place in range(len(outcomes)))


@pytest.mark.parametrize(
    ("recipe", "told"),
    [
        (FULL, "INT8 throughout"),
        (HEAD, "INT8, the whole head in floating point"),
        (
            Recipe(keep_float=KeepFloat.BOX_ARITHMETIC, also_float=LAYERS[:8]),
            "INT8, box arithmetic and the 8 most sensitive layers in floating point",
        ),
    ],
)
def test_recipes_are_told_in_words(recipe: Recipe, told: str) -> None:
    assert recipe.told == told
