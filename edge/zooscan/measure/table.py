"""Everything that is measured of the objects of a scan, as one table: the main path of measuring."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from edge.zooscan.measure.features import MEASURED
from edge.zooscan.measure.fractal import fractal_dimensions
from edge.zooscan.measure.greys import grey_contrast, grey_levels, grey_moments, histograms, hole_share
from edge.zooscan.measure.outline import convex_hull, feret_px, hull_area_and_perimeter_px, perimeter_px
from edge.zooscan.measure.patches import dark_patches
from edge.zooscan.measure.shape import figure_of, grey_centre
from edge.zooscan.measure.skeleton import skeleton_area_px
from edge.zooscan.measure.symmetry import symmetry_and_thickness, symmetry_of_dark
from edge.zooscan.particle import BACKGROUND_GREY, Particle

Float64Array = NDArray[np.float64]


def measure_particles(particles: list[Particle], pixel_mm: float) -> dict[str, Float64Array]:
    """Measure objects of one scan.

    Args:
        particles: all found with one threshold.
        pixel_mm: side of a pixel.

    Returns:
        By name (`edge.zooscan.measure.features`) an (N,) float64 of the values, pixels and greys; NaN where something is not defined,
        such as the skewness of an object of one grey.
    """
    if not particles:
        return {feature.name: np.empty(0) for feature in MEASURED}
    upper_grey = particles[0].upper_grey
    histogram = histograms(particles)
    levels, slope = grey_levels(histogram, upper_grey)
    own = histogram[:, :BACKGROUND_GREY] * (np.arange(BACKGROUND_GREY) <= upper_grey)
    # The third quartile is moved to a grey that the object has; `fcons` was computed before that.
    third = levels[:, 2] + (own[np.arange(len(own)), levels[:, 2]] == 0)
    each = [
        _measure_one(one, counts, quartiles, int(dark), pixel_mm)
        for one, counts, quartiles, dark in zip(particles, own, levels, third, strict=True)
    ]
    table = {name: np.array([row[name] for row in each]) for name in each[0]}
    table |= grey_moments(histogram) | hole_share(histogram, upper_grey)
    table |= {"histcum1": levels[:, 0].astype(float), "histcum2": levels[:, 1].astype(float), "histcum3": third.astype(float)}
    table |= {"slope": slope, "fractal": fractal_dimensions(particles)}
    table["circ."] = 4 * math.pi * table["area"] / table["perim."] ** 2
    return table


def _measure_one(
    particle: Particle, counts: NDArray[np.int64], quartiles: NDArray[np.int64], third: int, pixel_mm: float
) -> dict[str, float]:
    """What is measured of each object by itself."""
    hull = convex_hull(particle.chain)
    hull_area, hull_perimeter = hull_area_and_perimeter_px(hull)
    first_x, first_y = particle.chain[0]
    figure = figure_of(particle.filled.view(np.uint8))
    xm, ym = grey_centre(particle)
    whole, thickness_ratio = symmetry_and_thickness(particle.holed, hull, figure, pixel_mm)
    dark = symmetry_of_dark(particle.alone, third)
    patches = {
        f"nb{number}": float(dark_patches(particle.alone, int(grey))) for number, grey in enumerate((*quartiles[:2], third), start=1)
    }
    return {
        "bx": float(particle.x_px),
        "by": float(particle.y_px),
        "width": float(particle.width_px),
        "height": float(particle.height_px),
        "xstart": float(particle.x_px + first_x),
        "ystart": float(particle.y_px + first_y),
        "x": figure.x,
        "y": figure.y,
        "xm": xm,
        "ym": ym,
        "major": figure.major_px,
        "minor": figure.minor_px,
        "angle": figure.angle_deg,
        "perim.": perimeter_px(particle.chain),
        "feret": feret_px(hull),
        "convarea": float(hull_area),
        "convperim": float(hull_perimeter),
        "skelarea": float(skeleton_area_px(particle.holed)),
        "fcons": grey_contrast(particle.alone, counts, quartiles),
        **patches,
        "symetrieh": whole.left_right,
        "symetriev": whole.top_down,
        "symetriehc": dark.left_right,
        "symetrievc": dark.top_down,
        "thickr": thickness_ratio,
    }
