"""What a data set is, whatever form it has on disk."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from models.evaluate import ImageTruth


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelledImage:
    """An image and what is in it.

    `name` is its path inside the data set with forward slashes; `tow` what was towed, sampled or cast together with it
    (frames of one tow resemble each other), None where neither folder nor file name tells. `truth` is in pixels of the
    image as it is decoded by the appliance; its `label_index` counts in the labels of the data set. A classification has
    one box, the whole image. `split` is the part ("train", "val", "test") that the data set itself puts it in, None where it
    does not say.
    """

    path: Path
    name: str
    width_px: int
    height_px: int
    truth: ImageTruth
    tow: str | None = None
    split: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Dataset:
    """Labelled images. `sha256` is that of the labels and the contents of all images, whatever their order on disk.

    `warnings` are faults that were mended or left out (a box that reached over the edge, an image without a label file),
    one sentence each.
    """

    root: Path
    form: str
    labels: tuple[str, ...]
    images: tuple[LabelledImage, ...]
    sha256: str
    warnings: tuple[str, ...] = ()
