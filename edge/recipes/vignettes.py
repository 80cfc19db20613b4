"""Crops that an imager made itself, such as a FlowCam: each is classified as a whole, and its particle measured."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge.pipeline.plan import DetectSettings
from edge.recipes.recipe import STILL_EXTENSIONS, Recipe
from edge.settings import Settings

if TYPE_CHECKING:
    from edge.values import CropMeasures, UInt8Array


def measure_particle(image: UInt8Array) -> CropMeasures | None:
    """See `edge.zooscan.given_crop.measure_crop`, which loads OpenCV: a worker calls this, and nobody else pays for it."""
    from edge.zooscan.given_crop import measure_crop

    return measure_crop(image)


def _detect(settings: Settings) -> DetectSettings:
    return DetectSettings(max_pixels=settings.max_pixels)


VIGNETTES = Recipe(
    name="vignettes",
    title="Crops of single particles",
    extensions=STILL_EXTENSIONS,
    tasks=frozenset(("classify",)),
    starter_pack="vignettes-unclassified",
    detect=_detect,
    measure=measure_particle,
    on_demand=True,
)
