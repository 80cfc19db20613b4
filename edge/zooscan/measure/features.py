"""Every measure of an object: its names, unit and definition. The documentation and the exports are made from this table."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Feature:
    """A measure.

    Attributes:
        name: the column of `measure_particles`, and EcoTaxa's after `object_`.
        legacy: the column of Zooprocess's table.
        unit: px, px2, grey, deg or "" for a plain number; greys run from 0, black, to 255.
        decimals: with how many EcoTaxa is told; None: as many as it has.
        definition: what it is.
    """

    name: str
    legacy: str
    unit: str
    decimals: int | None
    definition: str


def _feature(legacy: str, unit: str, decimals: int | None, definition: str) -> Feature:
    return Feature(name=legacy.lower(), legacy=legacy, unit=unit, decimals=decimals, definition=definition)


# In the order of Zooprocess's table.
MEASURED = (
    _feature("Area", "px2", 0, "Pixels of the object, its holes filled."),
    _feature("Mean", "grey", 2, "Mean grey, holes included."),
    _feature("StdDev", "grey", 3, "Standard deviation of the greys, as of a sample."),
    _feature("Mode", "grey", 0, "The most frequent grey; the darkest of several."),
    _feature("Min", "grey", 0, "The darkest grey."),
    _feature("Max", "grey", 0, "The brightest grey."),
    _feature("X", "px", 2, "Centre of the object in its box."),
    _feature("Y", "px", 2, "Centre of the object in its box."),
    _feature("XM", "px", 2, "The same, each pixel weighted by its grey."),
    _feature("YM", "px", 2, "The same, each pixel weighted by its grey."),
    _feature(
        "Perim.", "px", 2, "Length of the outer border: a pixel's side is 1, a corner is cut at sqrt 2, but not two that are a pixel apart."
    ),
    _feature("BX", "px", 0, "Left of the box in the scan."),
    _feature("BY", "px", 0, "Top of the box in the scan."),
    _feature("Width", "px", 0, "Width of the box."),
    _feature("Height", "px", 0, "Height of the box."),
    _feature("Major", "px", 1, "Major axis of the ellipse of the same second moments and area."),
    _feature("Minor", "px", 1, "Its minor axis."),
    _feature("Angle", "deg", 1, "From the x axis to the major axis, counter-clockwise as seen, 0 to 180."),
    _feature("Circ.", "", 3, "4 pi area / perimeter^2."),
    _feature("Feret", "px", 1, "The largest distance between two corners of pixels."),
    _feature("IntDen", "grey px2", 0, "Sum of the greys, holes included."),
    _feature("Median", "grey", 0, "The first grey that more than half of the pixels do not exceed."),
    _feature("Skew", "", 3, "Third moment of the greys over the 1.5th power of the second."),
    _feature("Kurt", "", 3, "Fourth moment over the square of the second, less 3."),
    _feature("%Area", "%", 2, "Share of holes: pixels brighter than the threshold."),
    _feature("XStart", "px", 0, "Column, in the scan, of the leftmost pixel of the top row."),
    _feature("YStart", "px", 0, "Its row."),
    _feature("Area_exc", "px2", 0, "Area without holes."),
    _feature(
        "Fractal", "", 3, "2 less the slope of ln A(k) over ln 2k; A(k) is how many pixels lie within k of the outline, k from 1 to 45."
    ),
    _feature("Skelarea", "px2", 0, "Pixels of the skeleton of the object without its holes, as ImageJ 1.41o thins."),
    _feature("Slope", "", 3, "Standard deviation of the counts of the greys 0 to 254 over that of the greys."),
    _feature("Histcum1", "grey", 0, "The largest grey that less than a quarter of the pixels (holes excluded) do not exceed."),
    _feature("Histcum2", "grey", 0, "Less than a half."),
    _feature("Histcum3", "grey", 0, "Less than three quarters; moved up to a grey that the object has."),
    _feature("Nb1", "", 0, "Patches of at least 5 pixels not brighter than Histcum1, eroded once."),
    _feature("Nb2", "", 0, "The same for Histcum2."),
    _feature("Nb3", "", 0, "The same for Histcum3. Legacy tables have 0 for every object."),
    _feature(
        "Symetrieh",
        "",
        3,
        "Half of the pixels that are the same in the picture mirrored at the minor axis, background included, over the area.",
    ),
    _feature("Symetriev", "", 3, "The same, mirrored at the major axis."),
    _feature("Symetriehc", "", 3, "Symetrieh of the largest patch not brighter than Histcum3."),
    _feature("Symetrievc", "", 3, "Symetriev of that patch."),
    _feature("Convperim", "px", 0, "Outline pixels of the convex hull, drawn."),
    _feature("Convarea", "px2", 0, "Pixels of the convex hull, drawn."),
    _feature("Fcons", "grey", 3, "How much pixels of three greys differ from their neighbours."),
    _feature("ThickR", "", 3, "Greatest over mean thickness across the major axis, every 0.1 mm."),
)

# Computed from the measures, for EcoTaxa; see `edge.zooscan.measure.derived`.
DERIVED = {
    "esd": "Equivalent spherical diameter, 2 sqrt(area / pi), px.",
    "elongation": "major / minor.",
    "range": "max - min, grey.",
    "meanpos": "(mean - max) / (mean - min).",
    "centroids": "Distance between the two centres, px.",
    "cv": "100 stddev / mean, %.",
    "sr": "100 stddev / range, %.",
    "perimareaexc": "perim. / sqrt(area_exc).",
    "feretareaexc": "feret / sqrt(area_exc).",
    "perimferet": "perim. / feret.",
    "perimmajor": "perim. / major.",
    "circex": "4 pi area_exc / perim.^2.",
    "cdexc": "centroids / sqrt(area_exc).",
}

# Lengths, areas and volumes in millimetres, from a scan's own resolution; see `edge.zooscan.sizes.measures_in_mm`.
IN_MM = {
    "major_mm": "major x pixel.",
    "minor_mm": "minor x pixel.",
    "feret_mm": "feret x pixel.",
    "perim_mm": "perim. x pixel.",
    "esd_mm": "2 sqrt(area / pi) x pixel.",
    "area_mm2": "area x pixel^2.",
    "area_exc_mm2": "area_exc x pixel^2.",
    "convarea_mm2": "convarea x pixel^2.",
    "ellipsoid_mm3": "4/3 pi (major / 2) (minor / 2)^2: the ellipse turned about its major axis.",
    "sphere_mm3": "4/3 pi (esd / 2)^3.",
}

# Columns of Zooprocess's table that its version 8 never fills, and after which measure they stand.
NEVER_FILLED = {
    "Histcum3": ("XMg5", "YMg5"),
    "Nb3": ("Compentropy", "Compmean", "Compslope", "CompM1", "CompM2", "CompM3"),
}
