"""What a variant found in a data set: the raw material of all figures."""

from __future__ import annotations

from dataclasses import dataclass

from models.evaluate.values import ImageFound
from models.manifest import Thresholds


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """A run of one variant over the images of one data set.

    Attributes:
        labels: those of the model; `label_index` of `founds` counts in them.
        thresholds: the pack's own.
        score_floor: down to which `founds` go.
        founds: one per image of the data set, in its order.
        image_s: seconds per image in its thread, from its bytes to its detections.
        decode_s, infer_s: what decoding and the network (placing and reading its answer included) took of all images together.
        wall_s: from the first image to the last, with `threads` side by side; the model was loaded before.
    """

    pack: str
    version: str
    variant: str
    runtime: str
    precision: str
    device: str
    task: str
    labels: tuple[str, ...]
    thresholds: Thresholds
    score_floor: float
    founds: tuple[ImageFound, ...]
    image_s: tuple[float, ...]
    decode_s: float
    infer_s: float
    wall_s: float
    threads: int

    @property
    def images_per_s(self) -> float | None:
        """Images per second of the whole way, decoding included, all threads together."""
        return len(self.founds) / self.wall_s if self.wall_s > 0 else None

    @property
    def infer_share(self) -> float | None:
        """What part of the threads' working time the network took."""
        total_s = sum(self.image_s)
        return self.infer_s / total_s if total_s > 0 else None
