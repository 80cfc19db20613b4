"""docs/zooscan-features.md: every measure of an object with its definition from the code, and how far it agrees, as it was measured."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from edge.zooscan.measure.features import DERIVED, IN_MM, MEASURED, NEVER_FILLED, Feature

HEAD = """# What is measured of an object on a ZooScan scan

{note}
Greys run from 0, black, to 255; px are pixels of the scan, mostly 0.0106 mm wide (2400 dpi). The names are those of Zooprocess and
EcoTaxa. An object is what is not brighter than 243 and hangs together (8-connected), its holes filled, 0.3 to 100 mm in equivalent
diameter, whole on the picture; lines (40 times as wide as high) are none.

## How far the measures agree

Measured {measured} with `{command}`; `make bench` runs it too.

{sources}

"Equal" means equal in all three decimals that the other table has, for every object. Where some objects differ, their share and the
largest difference are given.
"""

LEGACY = "- **Zooprocess**: {objects} real objects of a sheet that Zooprocess 8.04 on ImageJ 1.41o measured, {columns} columns."
GOLD = "- **Crops**: {objects} objects of a reference project, with their rows of the legacy table and EcoTaxa's columns beside."
IMAGEJ = (
    "- **ImageJ {version}**: a rendered full scan (25000 x 15000 px). {objects} objects here, {imagej_objects} there; {same_box} have "
    "the same box, {same_area} the same area. Its perimeter counts corners otherwise than 1.41o did, on which the time series stand."
)

AFTER_MEASURES = """
Columns that version 8 of Zooprocess never fills are 0 in the legacy table: {never}.
So is `Nb3` there; it has its right value everywhere else.
"""

DERIVED_HEAD = """## Figures computed from the measures

From unrounded measures. Zooprocess 8.03 and later computes them from measures rounded to whole numbers, so that most of its `centroids`
are 0; its values are had from `derive(legacy=True)`, and the last column says how far those agree with what EcoTaxa was told of the crops.

| name | definition | Crops |
|---|---|---|"""

MM_HEAD = """
## In millimetres

From the scan's own resolution (a pixel is 25.4 mm / resolution). Tables and abundances have them; EcoTaxa and the legacy table have pixels.

| name | definition |
|---|---|"""


def features_page(note: str, data: Path) -> str:
    """The page.

    Args:
        note: that it is written by a program.
        data: the figures, as `tests.benchmarks.zooscan_agreement --write` leaves them.
    """
    figures = json.loads(data.read_text(encoding="utf-8"))
    return "\n".join([*_head(note, figures), *_measures(figures), *_derived(figures), *_in_mm()]) + "\n"


def _head(note: str, figures: Mapping[str, Any]) -> Iterator[str]:
    legacy, gold, imagej = figures["legacy"], figures["gold"], figures["imagej"]
    sources = [LEGACY.format(columns=len(MEASURED), **legacy), GOLD.format(**gold), IMAGEJ.format(**imagej)]
    yield HEAD.format(note=note, measured=figures["measured"], command=figures["command"], sources="\n".join(sources))


def _measures(figures: Mapping[str, Any]) -> Iterator[str]:
    yield "## Measures\n"
    yield "| name | unit | definition | Zooprocess | Crops | ImageJ |"
    yield "|---|---|---|---|---|---|"
    for feature in MEASURED:
        cells = (_agreement(feature, figures[part]["measures"].get(feature.name), part) for part in ("legacy", "gold", "imagej"))
        yield f"| {_cell(feature.legacy)} | {feature.unit} | {_cell(feature.definition)} | {' | '.join(cells)} |"
    yield AFTER_MEASURES.format(never=", ".join(f"`{name}`" for names in NEVER_FILLED.values() for name in names))


def _derived(figures: Mapping[str, Any]) -> Iterator[str]:
    yield DERIVED_HEAD
    for name, definition in DERIVED.items():
        yield f"| {name} | {_cell(definition)} | {_apart(figures['gold']['derived'][name])} |"


def _in_mm() -> Iterator[str]:
    yield MM_HEAD
    yield from (f"| {name} | {_cell(definition)} |" for name, definition in IN_MM.items())


def _agreement(feature: Feature, apart: Mapping[str, float] | None, part: str) -> str:
    if apart is None:
        return ""
    return "0 there" if feature.name == "nb3" and part != "imagej" else _apart(apart)


def _apart(apart: Mapping[str, float]) -> str:
    return "equal" if apart["equal"] == 1 else f"{apart['equal']:.2%} equal, at most {apart['largest']:g} off"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("*", "\\*")
