"""The images on which an imported model is tried: a person's own, else rendered scenes."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from models.importing.facts import ImportRefusedError

_ENDINGS = frozenset((".jpg", ".jpeg", ".png", ".tif", ".tiff", ".bmp"))
_MOST_IMAGES = 24
_MAX_BYTES = 20 * 1024 * 1024
_MAX_PIXELS = 50_000_000
_SCENES = range(990_000, 990_006)  # scenes that no model of ours was trained on
_LISTED = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Pictures:
    """Images to try, and where they come from, for the card."""

    paths: tuple[Path, ...]
    source: str


def pictures_of(folder: Path | None, work: Path) -> Pictures:
    """Up to 24 images spread over a folder and what lies below it; without a folder, scenes rendered into `work`.

    Raises:
        ImportRefusedError: the folder has no image that can be used.
    """
    if folder is None:
        return Pictures(paths=_rendered(work), source="rendered scenes of burrow openings, as no images were given")
    if not folder.is_dir():
        raise ImportRefusedError(f"there is no folder {folder}", advice="--images names a folder of pictures.")
    every = sorted(path for path in folder.rglob("*") if path.suffix.lower() in _ENDINGS and path.is_file())[:_LISTED]
    count = min(len(every), _MOST_IMAGES)
    usable = tuple(path for path in (every[place * len(every) // count] for place in range(count)) if _is_usable(path))
    if not usable:
        advice = "Name a folder with JPEG, PNG, TIFF or BMP files of at most 20 MB."
        raise ImportRefusedError(f"{folder} holds no image that can be tried", advice=advice)
    return Pictures(paths=usable, source=f"the folder {folder.name!r} that was given")


def _is_usable(path: Path) -> bool:
    """Whether it may become a golden: an image by its header, and small enough to travel with a pack."""
    if path.stat().st_size > _MAX_BYTES:
        return False
    with warnings.catch_warnings():
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        try:
            with Image.open(path) as image:
                return image.width * image.height <= _MAX_PIXELS
        except (OSError, ValueError, SyntaxError, Image.DecompressionBombError, Image.DecompressionBombWarning):
            return False


def _rendered(work: Path) -> tuple[Path, ...]:
    from models.workshop.synthetic import render_still

    work.mkdir(parents=True, exist_ok=True)
    paths = []
    for seed in _SCENES:
        path = work / f"scene_{seed}.jpg"
        path.write_bytes(render_still(seed=seed).jpeg)
        paths.append(path)
    return tuple(paths)
