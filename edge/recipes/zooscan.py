"""Plankton on the scans of a ZooScan: whole project folders, looked at by a desk of their own."""

from __future__ import annotations

from edge.recipes.recipe import ProjectRecipe

ZOOSCAN = ProjectRecipe(
    name="zooscan",
    title="Plankton on ZooScan scans",
    tasks=frozenset(("classify",)),
    starter_pack="zooscan-multiples-starter",
    command="imagine-edge zooscan process",
    labels=frozenset(("multi", "single")),
)
