"""How well the seabed can be seen in a frame, and which seconds to propose as not countable.

Silt. Under the motion of the seabed a piece of ground looks like it did a moment ago; a cloud does not, for it rolls, or hangs where
it was. That is the first sign, where the frame could be registered. The second is the light: a patch darker or brighter than the
lamps make plain mud, unless it follows the seabed well, for then it is ground after all. The third is texture that is gone: through a
thin cloud the seabed still follows, but half of what it shows is missing.

    Proposed only. People decide what was countable; the seconds they take out are theirs.
"""

from __future__ import annotations

import numpy as np

from edge.footage import Visibility
from edge.pipeline.seabed.ground import GRID, BoolArray
from edge.pipeline.seabed.plate import DARK_GREY, GREY_PER_UNIT, LOG_OFFSET, Float32Array, Plate
from models.runtime.vision import cv2

UNKNOWN = -1.0
NOT_FOLLOWING = 0.25  # correlation with what the cell should show; 0.6 to 0.8 is usual at 6 Hz
FOLLOWING = 0.5
NEIGHBOURS = 0.5  # of the known cells around one that must have lost the seabed too


def measure(plate: Plate, hidden: BoolArray) -> Visibility:
    """What is seen of the seabed; `hidden` (13, 24) are the cells that a cloud hides (`hidden_cells`)."""
    lit = plate.usable.astype(np.float32)
    count = float(lit.sum())
    dark = float(np.count_nonzero(plate.grey < DARK_GREY) / plate.grey.size)
    if count == 0:
        return Visibility(mean_luminance=float(plate.grey.mean()), contrast=0.0, sharpness=0.0, silt_fraction=0.0, dark_fraction=dark)
    laplacian = np.asarray(cv2.Laplacian(plate.grey, cv2.CV_32F, ksize=1), np.float32) * lit
    evened = (plate.texture.astype(np.float32) - 128) / np.float32(GREY_PER_UNIT) * (plate.grey + np.float32(LOG_OFFSET)) * lit
    return Visibility(
        mean_luminance=float((plate.grey * lit).sum() / count),
        contrast=float(np.sqrt(np.square(evened).sum() / count)),
        sharpness=float(np.square(laplacian).sum() / count),
        silt_fraction=float(np.count_nonzero(hidden) / hidden.size),
        dark_fraction=dark,
    )


def hidden_cells(*, lit: BoolArray, off_light: BoolArray, cloudy: BoolArray, following: Float32Array | None) -> BoolArray:
    """(13, 24): cells that a cloud hides; what is merely dark is not silt.

    Args:
        lit: (13, 24), cells that are not dark.
        off_light, cloudy: (13, 24), cells whose light is off and cells before which a cloud lies (ground.py).
        following: (rows, columns), correlation of the plate's cells with the frame before under the motion; None not registered.
    """
    if following is None:
        return np.asarray((off_light | cloudy) & lit, np.bool_)
    known, lost, found = (np.asarray(cv2.resize(part.astype(np.float32), GRID, interpolation=cv2.INTER_AREA)) for part in _told(following))
    around_known, around_lost = (np.asarray(cv2.blur(part, (3, 3))) for part in (known, lost))
    gone = (lost > 0.5) & (around_lost >= NEIGHBOURS * around_known)
    ground = (found > 0.5) & ~cloudy
    # Where most of what is off in its light follows as ground does, it is the light that changed, also where nothing can be compared.
    if 2 * np.count_nonzero(off_light & ground) > np.count_nonzero(off_light & (known > 0.5)):
        off_light = np.zeros_like(off_light)
    return np.asarray((gone | cloudy | (off_light & ~ground)) & lit, np.bool_)


def _told(following: Float32Array) -> tuple[BoolArray, BoolArray, BoolArray]:
    """Cells of which something is known, that lost the seabed, that follow it."""
    known = following > UNKNOWN
    return known, known & (following < NOT_FOLLOWING), following > FOLLOWING
