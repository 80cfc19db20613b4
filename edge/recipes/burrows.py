"""Burrow openings in stills and clips of underwater television surveys of Nephrops."""

from __future__ import annotations

from edge.pipeline.plan import ClipSettings, DetectSettings, Mask
from edge.recipes.recipe import FOOTAGE_EXTENSIONS, Recipe
from edge.settings import Settings

COUNTING_ROW = 0.83  # where counters of the field click, of the frame's height (domain: y quantiles of the 2020 annotations)


def _detect(settings: Settings) -> DetectSettings:
    text = (Mask(y_max_px=settings.text_band_px),) if settings.text_band_px else ()
    return DetectSettings(max_pixels=settings.max_pixels, masks=text)


def _clip(settings: Settings) -> ClipSettings:
    return ClipSettings(rate_hz=settings.clip_rate_hz, line_height=COUNTING_ROW)


BURROWS = Recipe(
    name="burrows",
    title="Burrow openings in stills and clips",
    extensions=FOOTAGE_EXTENSIONS,
    tasks=frozenset(("detect", "segment")),  # a classification tells what an image is, not how many openings are in it
    starter_pack="burrow-openings-starter",
    detect=_detect,
    clip=_clip,
)
