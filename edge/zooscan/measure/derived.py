"""What EcoTaxa is told beside the measured values: figures computed from them."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

Float64Array = NDArray[np.float64]

# The legacy software computes with whole numbers of these, rounded; the greys' mean is its figure of two decimals.
_WHOLE_IN_LEGACY = ("major", "minor", "perim.", "feret", "stddev", "x", "y", "xm", "ym")


def derive(table: dict[str, Float64Array], *, legacy: bool = False) -> dict[str, Float64Array]:
    """Figures computed from a table of measures.

    Args:
        table: see `measure_particles`.
        legacy: as Zooprocess 8.03 and later computes them for EcoTaxa, from whole numbers: the two centres then mostly coincide
            and `centroids` and `cdexc` are 0. For continuing a time series only.

    Returns:
        By name an (N,) float64; NaN where a figure is not defined, as `meanpos` of an object of one grey.
    """
    given = {name: _as_legacy(name, values) for name, values in table.items()} if legacy else table
    root_exc = np.sqrt(given["area_exc"])
    centroids = np.hypot(given["xm"] - given["x"], given["ym"] - given["y"])
    spread = given["max"] - given["min"]
    with np.errstate(divide="ignore", invalid="ignore"):
        found = {
            "esd": 2 * np.sqrt(given["area"] / math.pi),
            "elongation": given["major"] / given["minor"],
            "range": spread,
            "meanpos": (given["mean"] - given["max"]) / (given["mean"] - given["min"]),
            "centroids": centroids,
            "cv": 100 * given["stddev"] / given["mean"],
            "sr": 100 * given["stddev"] / spread,
            "perimareaexc": given["perim."] / root_exc,
            "feretareaexc": given["feret"] / root_exc,
            "perimferet": given["perim."] / given["feret"],
            "perimmajor": given["perim."] / given["major"],
            "circex": 4 * math.pi * given["area_exc"] / given["perim."] ** 2,
            "cdexc": centroids / root_exc,
        }
    return {name: np.where(np.isfinite(values), values, np.nan) for name, values in found.items()}


def _as_legacy(name: str, values: Float64Array) -> Float64Array:
    """A measure as the legacy software computes with it."""
    if name in _WHOLE_IN_LEGACY:
        return np.floor(values + 0.5)
    return np.round(values, 2) if name == "mean" else values
