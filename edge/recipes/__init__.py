"""What a watched folder does with the files that fall into it."""

from edge.errors import SettingsError
from edge.recipes.burrows import BURROWS
from edge.recipes.recipe import Recipe

RECIPES: dict[str, Recipe] = {recipe.name: recipe for recipe in (BURROWS,)}


def find_recipe(name: str) -> Recipe:
    """A recipe by its name.

    Raises:
        SettingsError: there is none of that name.
    """
    if name not in RECIPES:
        raise SettingsError(f"there is no recipe {name!r}", advice=f"Use one of: {', '.join(sorted(RECIPES))}.")
    return RECIPES[name]


__all__ = ["RECIPES", "Recipe", "find_recipe"]
