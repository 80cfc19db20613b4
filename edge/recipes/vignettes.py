"""Crops that an imager made itself, such as a FlowCam: each is classified as a whole, and its particle measured."""

from __future__ import annotations

from edge.pipeline.plan import DetectSettings
from edge.recipes.recipe import STILL_EXTENSIONS, Recipe
from edge.recipes.zooscan import ZOOSCAN
from edge.settings import Settings


def _detect(settings: Settings) -> DetectSettings:
    return DetectSettings(max_pixels=settings.max_pixels)


VIGNETTES = Recipe(
    name="vignettes",
    title="Crops of single particles",
    extensions=STILL_EXTENSIONS,
    tasks=frozenset(("classify",)),
    starter_pack="vignettes-unclassified",
    detect=_detect,
    measure="edge.zooscan.given_crop:measure_crop",
    on_demand=True,
    foreign=ZOOSCAN.labels,
)
