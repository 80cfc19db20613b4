"""The outer borders of everything dark in a picture too large to be looked at in one go.

The picture is looked at in strips. What touches no seam is whole; what does is joined with what it touches beyond, and its border is
followed anew in its own box. What lies inside another's border is left out, wherever the seams ran.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge.values import Int32Array, UInt8Array
from edge.zooscan.strips import in_strips
from models.runtime.vision import cv2

_NOT_FOLLOWED_PX = 60_000_000


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Piece:
    """A dark region as one strip shows it.

    Attributes:
        chain: (N, 2) int32, its border in the picture; begins at the leftmost pixel of the top row.
        top, bottom, left, right: its box, half open.
    """

    chain: Int32Array
    top: int
    bottom: int
    left: int
    right: int

    @property
    def first(self) -> tuple[int, int]:
        """Row and column of the first pixel."""
        return int(self.chain[0, 1]), int(self.chain[0, 0])


def outer_borders(
    image: UInt8Array, upper_grey: int, *, least_box_px: int = 1, rows_together: int = 512, threads: int = 1
) -> list[Int32Array]:
    """The border of each dark region that lies in no other one's, by the row and column of its first pixel.

    Args:
        image: (H, W) uint8.
        upper_grey: a pixel is dark when it is not brighter; regions are 8-connected.
        least_box_px: pixels of a region's box; smaller ones may be left out, as the specks on a scan, a dozen for each object.
        rows_together: how many rows are looked at in one go.
        threads: how many look at a time.

    Returns:
        (N, 2) int32 arrays of x and y, counter-clockwise as seen, each beginning at the leftmost pixel of its top row. A region that
        touches the edge of the picture and whose box is larger than 60 megapixels, as the lines along a frame, is left out.
    """
    seams = list(range(rows_together, image.shape[0], rows_together))
    whole: list[_Piece] = []
    cut: list[_Piece] = []
    for own_whole, own_cut in in_strips(
        lambda top, bottom: _strip(image, upper_grey, top, bottom, least_box_px), 0, image.shape[0], rows_together, threads
    ):
        whole += own_whole
        cut += own_cut
    joined: list[_Piece] = []
    for group in _groups(cut, seams, image.shape[1]):
        if len(group) == 1:
            whole.append(group[0])
        elif (followed := _followed_anew(image, upper_grey, group)) is not None:
            joined.append(followed)
    found = _outermost([*whole, *joined], joined)
    return [piece.chain for piece in sorted(found, key=lambda piece: piece.first)]


def _strip(image: UInt8Array, upper_grey: int, top: int, bottom: int, least_box_px: int) -> tuple[list[_Piece], list[_Piece]]:
    """The regions of some rows: those that touch no seam and are not too small, and those that do."""
    whole: list[_Piece] = []
    cut: list[_Piece] = []
    for chain in _chains(image[top:bottom], upper_grey, (0, top)):
        _, first, width, height = cv2.boundingRect(chain)
        if (first == top and top > 0) or (first + height == bottom and bottom < image.shape[0]):
            cut.append(_piece(chain))
        elif width * height >= least_box_px:
            whole.append(_piece(chain))
    return whole, cut


def _chains(part: UInt8Array, upper_grey: int, offset: tuple[int, int]) -> Sequence[cv2.typing.MatLike]:
    """The borders of the outermost dark regions of a part of the picture, whose first pixel lies at x and y."""
    dark = (part <= upper_grey).view(np.uint8)
    chains, _ = cv2.findContours(dark, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE, offset=offset)
    return chains


def _piece(chain: cv2.typing.MatLike) -> _Piece:
    left, top, width, height = cv2.boundingRect(chain)
    return _Piece(chain=np.asarray(chain, np.int32)[:, 0, :], top=top, bottom=top + height, left=left, right=left + width)


def _groups(cut: list[_Piece], seams: list[int], width: int) -> list[list[_Piece]]:
    """Pieces that hang together across seams."""
    parent = list(range(len(cut)))

    def root(number: int) -> int:
        while parent[number] != number:
            parent[number] = parent[parent[number]]
            number = parent[number]
        return number

    above = {seam: _labels(cut, seam - 1, width) for seam in seams}
    below = {seam: _labels(cut, seam, width) for seam in seams}
    for seam in seams:
        for shift in (-1, 0, 1):
            upper = above[seam][max(0, -shift) : width - max(0, shift)]
            lower = below[seam][max(0, shift) : width + min(0, shift)]
            for one, other in np.unique(np.stack([upper, lower], axis=1)[(upper > 0) & (lower > 0)], axis=0):
                parent[root(int(one) - 1)] = root(int(other) - 1)
    groups: dict[int, list[_Piece]] = {}
    for number, piece in enumerate(cut):
        groups.setdefault(root(number), []).append(piece)
    return list(groups.values())


def _labels(cut: list[_Piece], row: int, width: int) -> NDArray[np.int64]:
    """(W,): for each pixel of a row at a seam the number of its piece, from 1; all of a piece's pixels there are on its border."""
    labels = np.zeros(width, np.int64)
    for number, piece in enumerate(cut, start=1):
        if piece.top <= row < piece.bottom:
            labels[piece.chain[piece.chain[:, 1] == row, 0]] = number
    return labels


def _followed_anew(image: UInt8Array, upper_grey: int, group: list[_Piece]) -> _Piece | None:
    """The border of what several pieces are together, or None for what is too large to be anything but lines along the frame."""
    top, left = min(one.top for one in group), min(one.left for one in group)
    bottom, right = max(one.bottom for one in group), max(one.right for one in group)
    touches_edge = top == 0 or left == 0 or bottom == image.shape[0] or right == image.shape[1]
    if touches_edge and (bottom - top) * (right - left) > _NOT_FOLLOWED_PX:
        return None
    first = min(one.first for one in group)
    for chain in _chains(image[top:bottom, left:right], upper_grey, (left, top)):
        if (int(chain[0, 0, 1]), int(chain[0, 0, 0])) == first:
            return _piece(chain)
    return None  # it lies inside another one


def _outermost(pieces: list[_Piece], joined: list[_Piece]) -> list[_Piece]:
    """The regions that lie in the border of none of those that were joined across seams."""
    boxes = np.array([(one.top, one.left, -one.bottom, -one.right) for one in pieces], np.int32).reshape(-1, 4)
    top, left, bottom, right = np.ascontiguousarray(boxes.T)
    hidden: set[int] = set()
    for other in joined:
        inside = (top > other.top) & (left > other.left) & (bottom > -other.bottom) & (right > -other.right)
        for number in np.flatnonzero(inside):
            row, column = pieces[number].first
            if cv2.pointPolygonTest(other.chain.reshape(-1, 1, 2), (float(column), float(row)), measureDist=False) > 0:
                hidden.add(int(number))
    return [one for number, one in enumerate(pieces) if number not in hidden]
