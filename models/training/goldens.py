"""Golden images for a trained pack: stills that it did not learn from, on which its variants agree by a wide margin.

They are written anew from their pixels, so nothing of the camera's or the position's metadata travels with the pack.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edge.errors import ModelError
from edge.pipeline.decode import decode, read_bytes, read_facts
from edge.values import Detections, UInt8Array
from models.datasets.dataset import LabelledImage
from models.datasets.finish import MAX_FILE_BYTES
from models.manifest import Golden, PackFile
from models.pack import Pack
from models.runtime.goldens import compare_detections, read_golden_images, write_expected
from models.runtime.predict import LoadedModel, detect, load_model
from models.runtime.vision import cv2

WANTED = 2
_MOST_TRIED = 12
_JPEG_QUALITY = 95
_NO_FILE = PackFile(path="none", sha256="0" * 64, size_bytes=0)
# Half of what a machine is granted later.
_CLOSE = Golden(image=_NO_FILE, expected=_NO_FILE, iou_min=0.85, score_tolerance=0.07)


class NoGoldensError(ModelError):
    """No image can prove the pack on other machines."""

    code = "no_goldens"
    default_advice = "Train longer, or with more images: on every one the ONNX and the OpenVINO form of the network differ too much."


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """A golden image and what is expected of it, as files; `objects` are those that must be found on any machine."""

    image: Path
    expected: Path
    source: str
    objects: int


def choose(measuring: Pack, candidates: Sequence[LabelledImage], folder: Path) -> list[Chosen]:
    """Write the best goldens among images into `folder`, at most one of a tow while there are others.

    Raises:
        NoGoldensError: there is none.
    """
    models = [load_model(measuring.path, variant.name, threads=1) for variant in measuring.manifest.variants]
    folder.mkdir(parents=True, exist_ok=True)
    tried = [_tried(models, image, folder / f"candidate_{number}.jpg") for number, image in enumerate(_spread(candidates))]
    ranked = sorted((one for one in tried if one is not None), key=lambda one: -one[0])
    chosen: list[Chosen] = []
    tows: set[str | None] = set()
    for fresh in (True, False):  # first one of each tow, then others
        for objects, image, path in ranked:
            if len(chosen) < WANTED and (image.tow not in tows) == fresh and path.exists():
                chosen.append(_kept(models[0], path, len(chosen) + 1, source=image.name, objects=objects))
                tows.add(image.tow)
    for leftover in folder.glob("candidate_*"):
        leftover.unlink()
    if not chosen:
        raise NoGoldensError(f"none of {len(tried)} images that were not trained on can serve as a golden image")
    return chosen


def taken_over(measuring: Pack, base: Pack, folder: Path) -> list[Chosen]:
    """The base pack's golden images, with what the new network finds in them.

    Raises:
        NoGoldensError: the variants disagree on every one.
    """
    models = [load_model(measuring.path, variant.name, threads=1) for variant in measuring.manifest.variants]
    folder.mkdir(parents=True, exist_ok=True)
    chosen: list[Chosen] = []
    for golden, image in zip(base.manifest.goldens, read_golden_images(base), strict=True):
        objects = _agreed_objects(models, image)
        if objects is not None:
            path = folder / f"candidate{Path(golden.image.path).suffix}"
            path.write_bytes(base.file_path(golden.image).read_bytes())
            chosen.append(_kept(models[0], path, len(chosen) + 1, source=f"{base.manifest.name}: {golden.image.path}", objects=objects))
    if not chosen:
        raise NoGoldensError(
            f"none of the golden images of {base.manifest.name} suits the trained network", advice="Use --golden-images data."
        )
    return chosen


def _spread(candidates: Sequence[LabelledImage]) -> Sequence[LabelledImage]:
    step = max(1, -(-len(candidates) // _MOST_TRIED))
    return sorted(candidates, key=lambda image: image.name)[::step]


def _tried(models: Sequence[LoadedModel], image: LabelledImage, path: Path) -> tuple[int, LabelledImage, Path] | None:
    data = read_bytes(image.path.resolve(), max_file_bytes=MAX_FILE_BYTES)
    cv2.imwrite(str(path), decode(data, read_facts(data, image.path.name)), [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])
    again = cv2.imread(str(path), cv2.IMREAD_COLOR)
    objects = None if again is None else _agreed_objects(models, np.asarray(again, np.uint8))
    return None if objects is None else (objects, image, path)


def _agreed_objects(models: Sequence[LoadedModel], image: UInt8Array) -> int | None:
    """How many objects the first model is sure of; None where another does not agree closely."""
    expected, *others = (detect(image, model) for model in models)
    threshold = models[0].manifest.thresholds.score
    if any(compare_detections(found, expected, _CLOSE, score_threshold=threshold) for found in others):
        return None
    return _sure(expected, threshold)


def _sure(found: Detections, threshold: float) -> int:
    return int((found.score >= threshold + Golden(image=_NO_FILE, expected=_NO_FILE).score_tolerance).sum())


def _kept(model: LoadedModel, path: Path, number: int, *, source: str, objects: int) -> Chosen:
    image = path.replace(path.parent / f"still_{number}{path.suffix}")
    expected = path.parent / f"still_{number}.json"
    write_expected(model, image, expected)
    return Chosen(image=image, expected=expected, source=source, objects=objects)
