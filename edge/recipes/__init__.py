"""What a watched folder does with the files or the projects that fall into it."""

from collections.abc import Collection

from edge.errors import SettingsError
from edge.recipes.burrows import BURROWS
from edge.recipes.recipe import ProjectRecipe, Recipe
from edge.recipes.vignettes import VIGNETTES
from edge.recipes.zooscan import ZOOSCAN

RECIPES: dict[str, Recipe] = {recipe.name: recipe for recipe in (BURROWS, VIGNETTES)}
"""Those that take files."""

PROJECT_RECIPES: dict[str, ProjectRecipe] = {recipe.name: recipe for recipe in (ZOOSCAN,)}
"""Those that take whole project folders."""

EVERY_RECIPE: dict[str, Recipe | ProjectRecipe] = {**RECIPES, **PROJECT_RECIPES}


def find_recipe(name: str) -> Recipe:
    """A recipe that takes files, by its name.

    Raises:
        SettingsError: there is none of that name.
    """
    if name in PROJECT_RECIPES:
        command = PROJECT_RECIPES[name].command
        advice = f"Use `{command}`, or drop the project folder into inbox/{name}."
        raise SettingsError(f"the recipe {name} takes whole project folders, not files", advice=advice)
    if name not in RECIPES:
        raise SettingsError(f"there is no recipe {name!r}", advice=f"Use one of: {', '.join(sorted(EVERY_RECIPE))}.")
    return RECIPES[name]


def find_served(name: str) -> Recipe | ProjectRecipe:
    """What a model may serve, by its name.

    Raises:
        SettingsError: there is none of that name.
    """
    return PROJECT_RECIPES.get(name) or find_recipe(name)


def may_serve(recipe: str, task: str, labels: Collection[str]) -> bool:
    """Whether a model that does a task and knows some classes could serve a recipe; True for a recipe that nobody knows."""
    served = EVERY_RECIPE.get(recipe)
    known = frozenset(labels)
    return served is None or (task in served.tasks and served.labels in {None, known} and served.foreign != known)


__all__ = ["EVERY_RECIPE", "PROJECT_RECIPES", "RECIPES", "ProjectRecipe", "Recipe", "find_recipe", "find_served", "may_serve"]
