"""Biovolumes of objects and the classes of size that spectra are made of.

The body is taken for a sphere of the object's area, or for an ellipsoid whose two short axes are equal (Gorsky et al. 2010, J. Plankton
Res. 32, 285-303). A normalised spectrum divides the biovolume of a class by the width of the class (Platt and Denman 1977, Helgol. wiss.
Meeresunters. 30, 575-581), so that spectra of different classes of size can be compared.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class Body(StrEnum):
    """What a body is taken for."""

    ELLIPSOID = "ellipsoid"
    SPHERE = "sphere"


class SizeStep(StrEnum):
    """How much larger the biovolume of each class is than that of the one before."""

    OCTAVE = "octave"
    HALF_OCTAVE = "half-octave"


_STEPS_PER_OCTAVE = {SizeStep.OCTAVE: 1, SizeStep.HALF_OCTAVE: 2}


@dataclass(frozen=True, slots=True, kw_only=True)
class SizeClass:
    """A class of biovolumes: from `lower_mm3` to less than `upper_mm3`, which is 2 or sqrt 2 times as much."""

    number: int
    lower_mm3: float
    upper_mm3: float

    @property
    def width_mm3(self) -> float:
        """What a biovolume in the class is divided by."""
        return self.upper_mm3 - self.lower_mm3


def ellipsoid_mm3(major_mm: float, minor_mm: float) -> float:
    """4/3 pi (major / 2) (minor / 2)^2."""
    return 4 / 3 * math.pi * (major_mm / 2) * (minor_mm / 2) ** 2


def sphere_mm3(area_mm2: float) -> float:
    """4/3 pi (ESD / 2)^3, where ESD = 2 sqrt(area / pi)."""
    return 4 / 3 * math.pi * math.sqrt(area_mm2 / math.pi) ** 3


def size_class(biovolume_mm3: float, step: SizeStep) -> SizeClass:
    """The class that a biovolume above 0 lies in; the class 0 begins at 1 mm3."""
    number = math.floor(math.log2(biovolume_mm3) * _STEPS_PER_OCTAVE[step])
    # A logarithm of a number just below an edge may round up to it, one of an edge down.
    while biovolume_mm3 < _edge_mm3(number, step):
        number -= 1
    while biovolume_mm3 >= _edge_mm3(number + 1, step):
        number += 1
    return numbered_class(number, step)


def numbered_class(number: int, step: SizeStep) -> SizeClass:
    """A class by its number."""
    return SizeClass(number=number, lower_mm3=_edge_mm3(number, step), upper_mm3=_edge_mm3(number + 1, step))


def _edge_mm3(number: int, step: SizeStep) -> float:
    return float(2.0 ** (number / _STEPS_PER_OCTAVE[step]))


def measures_in_mm(measures: Mapping[str, float], pixel_mm: float) -> dict[str, float]:
    """What of an object's measures is a length, an area or a volume, by name and unit.

    Args:
        measures: by legacy name in lower case, in pixels; NaN where something is not defined.
        pixel_mm: side of a pixel.
    """
    lengths = {name: pixel_mm * measures[name] for name in ("major", "minor", "feret")}
    areas = {name: pixel_mm**2 * measures[name] for name in ("area", "area_exc", "convarea")}
    return {
        **{f"{name}_mm": value for name, value in lengths.items()},
        "perim_mm": pixel_mm * measures["perim."],
        "esd_mm": 2 * math.sqrt(areas["area"] / math.pi),
        **{f"{name}_mm2": value for name, value in areas.items()},
        "ellipsoid_mm3": ellipsoid_mm3(lengths["major"], lengths["minor"]),
        "sphere_mm3": sphere_mm3(areas["area"]),
    }
