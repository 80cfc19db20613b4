"""Burrow openings in stills of underwater television surveys of Nephrops."""

from __future__ import annotations

from edge.pipeline.plan import DetectSettings, Mask
from edge.recipes.recipe import STILL_EXTENSIONS, Recipe
from edge.settings import Settings


def _detect(settings: Settings) -> DetectSettings:
    text = (Mask(y_max_px=settings.text_band_px),) if settings.text_band_px else ()
    return DetectSettings(max_pixels=settings.max_pixels, masks=text)


BURROWS = Recipe(
    name="burrows",
    title="Burrow openings in stills",
    extensions=STILL_EXTENSIONS,
    tasks=frozenset(("detect", "segment")),  # a classification tells what an image is, not how many openings are in it
    starter_pack="burrow-openings-starter",
    detect=_detect,
)
