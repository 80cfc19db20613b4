"""The parts of an image that a network sees: the whole fitted into its input, or overlapping tiles at the image's own scale.

Tile coordinates never leave this module: `View.to_image` gives pixels of the full image.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np

from edge.values import Float32Array, UInt8Array
from models.manifest import InputSpec
from models.runtime.letterbox import Placement, letterbox, resize, stretch, to_pixels, to_source, to_tensor

Fit = Literal["letterbox", "tiles", "stretch", "crop"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rectangle:
    """A part of the full image, in its pixels, half open."""

    x_min_px: int
    y_min_px: int
    x_max_px: int
    y_max_px: int

    @property
    def width_px(self) -> int:
        """Width."""
        return self.x_max_px - self.x_min_px

    @property
    def height_px(self) -> int:
        """Height."""
        return self.y_max_px - self.y_min_px

    @property
    def xyxy(self) -> tuple[int, int, int, int]:
        """As four numbers."""
        return self.x_min_px, self.y_min_px, self.x_max_px, self.y_max_px


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """A part of the full image and where it lies in the network's input."""

    part: Rectangle
    placement: Placement

    def cut(self, image: UInt8Array) -> UInt8Array:
        """The part of an image (H, W, 3) uint8, at the size the network sees it, without padding.

        For a view of the whole, the image may come at a reduced size.
        """
        part, placement = self.part, self.placement
        pixels = image[part.y_min_px : part.y_max_px, part.x_min_px : part.x_max_px]
        return resize(pixels, placement.content_width_px, placement.content_height_px)

    def tensor(self, content: UInt8Array, spec: InputSpec) -> Float32Array:
        """What `cut` gave, as the network's input (1, 3, H, W) float32."""
        return to_tensor(content, spec, left_px=self.placement.left_px, top_px=self.placement.top_px)

    def pixels(self, content: UInt8Array, spec: InputSpec) -> UInt8Array:
        """What `cut` gave, padded to the size of the network's input: (1, H, W, 3) uint8 in the order of its channels."""
        return to_pixels(content, spec, left_px=self.placement.left_px, top_px=self.placement.top_px)

    def to_image(self, xyxy: Float32Array) -> Float32Array:
        """Boxes (N, 4) in pixels of the network's input, as pixels of the full image, cut at the edges of the part."""
        offset = np.array([self.part.x_min_px, self.part.y_min_px] * 2, np.float32)
        return to_source(xyxy, self.placement) + offset


def plan_views(width_px: int, height_px: int, spec: InputSpec, *, fit: Fit | None = None) -> tuple[View, ...]:
    """What the network sees of an image of that size; `fit` overrules the one of the manifest."""
    chosen = fit or spec.fit
    if chosen == "tiles":
        return tuple(_tile_view(tile) for tile in plan_tiles(width_px, height_px, spec))
    if chosen == "crop":
        return (_middle_view(width_px, height_px, spec),)
    place = stretch if chosen == "stretch" else letterbox
    whole = Rectangle(x_min_px=0, y_min_px=0, x_max_px=width_px, y_max_px=height_px)
    return (View(part=whole, placement=place(width_px, height_px, spec)),)


def plan_tiles(width_px: int, height_px: int, spec: InputSpec) -> tuple[Rectangle, ...]:
    """Tiles that cover the image, row by row, neighbours overlapping by at least `tile_overlap` of a tile's side.

    As few as that allows, spread evenly, none reaching over the image's edge.
    """
    columns = _spans(width_px, spec.width_px, spec.tile_overlap)
    rows = _spans(height_px, spec.height_px, spec.tile_overlap)
    return tuple(Rectangle(x_min_px=left, y_min_px=top, x_max_px=right, y_max_px=bottom) for top, bottom in rows for left, right in columns)


def _middle_view(width_px: int, height_px: int, spec: InputSpec) -> View:
    """The largest part in the middle of the image that has the input's aspect."""
    scale = min(width_px / spec.width_px, height_px / spec.height_px)
    part_width_px, part_height_px = max(1, round(spec.width_px * scale)), max(1, round(spec.height_px * scale))
    left_px, top_px = (width_px - part_width_px) // 2, (height_px - part_height_px) // 2
    part = Rectangle(x_min_px=left_px, y_min_px=top_px, x_max_px=left_px + part_width_px, y_max_px=top_px + part_height_px)
    return View(part=part, placement=stretch(part.width_px, part.height_px, spec))


def _spans(length_px: int, tile_px: int, overlap: float) -> list[tuple[int, int]]:
    if length_px <= tile_px:
        return [(0, length_px)]
    longest_step_px = tile_px - math.ceil(tile_px * overlap)
    count = 1 + math.ceil((length_px - tile_px) / longest_step_px)
    starts = [(length_px - tile_px) * index // (count - 1) for index in range(count)]
    return [(start, start + tile_px) for start in starts]


def _tile_view(tile: Rectangle) -> View:
    """A tile as it is; one smaller than the input is padded at its right and bottom."""
    placement = Placement(
        source_width_px=tile.width_px,
        source_height_px=tile.height_px,
        content_width_px=tile.width_px,
        content_height_px=tile.height_px,
        left_px=0,
        top_px=0,
    )
    return View(part=tile, placement=placement)
