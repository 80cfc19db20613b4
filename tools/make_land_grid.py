"""Make edge/survey/sheet/land.zlib again: `pip install global-land-mask==1.0.0 numpy`, then `python tools/make_land_grid.py`.

The package (MIT) carries the mask of NOAA's GLOBE (public domain) at 30 arc seconds, true where there is sea.
"""

from __future__ import annotations

import sys
import zlib
from importlib.util import find_spec
from pathlib import Path

import numpy as np

OUT = Path(__file__).parents[1] / "edge" / "survey" / "sheet" / "land.zlib"
MASK = "globe_combined_mask_compressed.npz"
SAMPLES_PER_CELL = 6


def main() -> None:
    """Write the grid, or with --check tell whether the file is what would be written."""
    found = find_spec("global_land_mask")
    if found is None or found.origin is None:
        sys.exit("pip install global-land-mask==1.0.0")
    with np.load(Path(found.origin).with_name(MASK)) as mask:
        sea = mask["mask"]
        if mask["lat"][0] < mask["lat"][-1]:
            sea = sea[::-1]
    rows, columns = (size // SAMPLES_PER_CELL for size in sea.shape)
    land = ~sea.reshape(rows, SAMPLES_PER_CELL, columns, SAMPLES_PER_CELL).any(axis=(1, 3))
    packed = np.packbits(land).tobytes()
    if "--check" in sys.argv:
        sys.exit(zlib.decompress(OUT.read_bytes()) != packed)
    OUT.write_bytes(zlib.compress(packed, 9))


if __name__ == "__main__":
    main()
