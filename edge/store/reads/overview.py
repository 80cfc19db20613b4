"""Totals, kept by triggers: never a count over the rows themselves."""

from __future__ import annotations

from dataclasses import dataclass

from edge.store.reads.files import FileState
from edge.store.sqlite import Connection


@dataclass(frozen=True, slots=True, kw_only=True)
class RecipeTotals:
    """Files by state, and counted objects of current results, of one recipe (or of all, `recipe` = "").

    `sealed`: results that count in no total, because people still count their stations blind; where nothing else was counted,
    `objects` is None, for 0 would say that nothing was found.
    """

    recipe: str
    seen: int
    queued: int
    leased: int
    done: int
    quarantined: int
    objects: int | None
    sealed: int = 0

    @property
    def files(self) -> int:
        """Files of every state."""
        return self.seen + self.queued + self.leased + self.done + self.quarantined

    def in_state(self, state: str) -> int:
        """Files of one state; of every state for an empty text."""
        return self.files if not state else int(getattr(self, FileState(state).value))


def totals_by_recipe(connection: Connection) -> tuple[RecipeTotals, ...]:
    """Totals of every recipe that has files, by name."""
    found: dict[str, dict[str, int]] = {}
    for kind, recipe, name, total in connection.execute("SELECT kind, recipe, name, total FROM counters ORDER BY recipe"):
        if kind == "files":
            found.setdefault(recipe, {})[name] = total
        elif kind == "objects" and name == "counted":
            found.setdefault(recipe, {})["objects"] = total
        elif kind == "objects" and name == "sealed":
            found.setdefault(recipe, {})["sealed"] = total
    return tuple(_totals(recipe, counts) for recipe, counts in found.items())


def sum_totals(totals: tuple[RecipeTotals, ...], recipe: str | None = None) -> RecipeTotals:
    """Totals over all recipes, or those of one."""
    chosen = [one for one in totals if recipe is None or one.recipe == recipe]
    names = (*(state.value for state in FileState), "objects", "sealed")
    return _totals(recipe or "", {name: sum(getattr(one, name) or 0 for one in chosen) for name in names})


def _totals(recipe: str, counts: dict[str, int]) -> RecipeTotals:
    states = {state.value: counts.get(state.value, 0) for state in FileState}
    objects, sealed = counts.get("objects", 0), counts.get("sealed", 0)
    return RecipeTotals(recipe=recipe, **states, objects=None if sealed and not objects else objects, sealed=sealed)
