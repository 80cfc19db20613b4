"""Try the variants of a new pack on images: do they agree, what do they find, which images make goldens. In a child process only."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edge.errors import ModelError
from edge.values import Detections, UInt8Array
from models.importing.facts import ImportRefusedError
from models.manifest import Golden, Manifest, PackFile
from models.pack import read_pack
from models.runtime.goldens import compare_detections, write_expected
from models.runtime.negotiate import SAME_SCORES_LIMIT
from models.runtime.predict import LoadedModel, classify, detect, load_model
from models.runtime.protocols import Float32Array
from models.runtime.tiling import plan_views
from models.runtime.vision import cv2

N_GOLDENS = 3
# What a golden must hold here, so that there is a margin to what the manifest grants other machines (0.7 and 0.15).
_CLOSE_IOU, _CLOSE_SCORE = 0.85, 0.07
_NO_FILE = PackFile(path="none", sha256="0" * 64, size_bytes=0)
_STRICT = Golden(image=_NO_FILE, expected=_NO_FILE, iou_min=_CLOSE_IOU, score_tolerance=_CLOSE_SCORE)


@dataclass(frozen=True, slots=True, kw_only=True)
class GoldenImage:
    """An image on which all variants agree. `expected` is a file; `objects` how many of them are counted in it."""

    image: Path
    expected: Path
    objects: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """What came of it.

    Attributes:
        images: how many were tried.
        score_difference_max: by variant name; the first variant is what the others are compared with.
        refused: variants that disagree too much, with the reason.
    """

    goldens: tuple[GoldenImage, ...]
    images: int
    score_difference_max: dict[str, float]
    refused: dict[str, str]


def try_pack(pack_dir: Path, images: Sequence[Path], folder: Path) -> Trial:
    """Run every variant of a pack on every image, and write the expectations of the goldens into `folder`.

    Raises:
        ImportRefusedError: the model returns what its layout does not allow, or no image makes a golden.
    """
    names = [variant.name for variant in read_pack(pack_dir).manifest.variants]
    models = [load_model(pack_dir, name, threads=1) for name in names]
    try:
        seen = [_look(models, path, image) for path in images if (image := _read(path)) is not None]
    except ModelError as error:
        advice = (
            "Its outputs have the shape of a known layout but not the values: was it exported with its last layers, as ultralytics does?"
        )
        raise ImportRefusedError(str(error), advice=advice) from error
    if not seen:
        raise ImportRefusedError("none of the images can be decoded", advice="Give other pictures with --images.")
    differences = {name: max(look.difference[place] for look in seen) for place, name in enumerate(names)}
    refused = {
        name: f"its scores differ from those of {names[0]} by up to {difference:.3f}"
        for name, difference in differences.items()
        if difference > SAME_SCORES_LIMIT
    }
    places = [place for place, name in enumerate(names) if name not in refused]
    chosen = _chosen(seen, places, models[0].manifest)
    if not chosen:
        advice = "Give pictures of what the model is for with --images."
        raise ImportRefusedError("its variants agree on none of the images", advice=advice)
    goldens = tuple(_write(models[0], look, folder, number) for number, look in enumerate(chosen, start=1))
    return Trial(goldens=goldens, images=len(seen), score_difference_max=differences, refused=refused)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Look:
    """One image: per variant what it finds, and how far its scores are from the first one's. `objects`: those that count surely."""

    image: Path
    found: tuple[Detections, ...]
    scores: tuple[Float32Array, ...]
    difference: tuple[float, ...]
    objects: int


def _read(path: Path) -> UInt8Array | None:
    pixels = cv2.imdecode(np.frombuffer(path.read_bytes(), np.uint8), cv2.IMREAD_COLOR)
    return None if pixels is None else np.asarray(pixels, np.uint8)


def _look(models: Sequence[LoadedModel], path: Path, image: UInt8Array) -> _Look:
    manifest = models[0].manifest
    height_px, width_px = image.shape[:2]
    (view, *_) = plan_views(width_px, height_px, manifest.input)
    content = view.cut(image)
    outputs = [_scores(model.engine.infer(model.input_of(view, content)), manifest) for model in models]
    is_classification = manifest.task == "classify"
    found = tuple(detect(image, model) for model in models)
    sure = found[0].score >= manifest.thresholds.score + _CLOSE_SCORE
    return _Look(
        image=path,
        found=found,
        scores=tuple(classify(image, model) for model in models) if is_classification else (),
        difference=tuple(float(np.abs(scores - outputs[0]).max()) for scores in outputs),
        objects=int(sure.sum()),
    )


def _scores(outputs: tuple[Float32Array, ...], manifest: Manifest) -> Float32Array:
    """Every score that a network returned: those of all candidates, far below any threshold too."""
    candidates = next((output for output in outputs if output.ndim in {2, 3}), None)
    if candidates is None:
        raise ModelError("the model returned no candidates")
    scores: Float32Array = candidates[0]
    if manifest.head.startswith("yolo_end2end"):
        scores = scores[:, 4]  # sorted by the network itself
    elif manifest.head != "classify":
        scores = scores[4 : 4 + len(manifest.labels)]
    return scores


def _chosen(seen: Sequence[_Look], places: Sequence[int], manifest: Manifest) -> list[_Look]:
    """The images with the most objects among those on which the variants agree; each subject once is enough, so not all of them."""
    agreed = [look for look in seen if all(_agrees(look, place, manifest) for place in places)]
    return sorted(agreed, key=lambda look: -look.objects)[:N_GOLDENS]


def _agrees(look: _Look, place: int, manifest: Manifest) -> bool:
    if manifest.task == "classify":
        return bool(np.abs(look.scores[place] - look.scores[0]).max() <= _CLOSE_SCORE)
    return not compare_detections(look.found[place], look.found[0], _STRICT, score_threshold=manifest.thresholds.score)


def _write(model: LoadedModel, look: _Look, folder: Path, number: int) -> GoldenImage:
    expected = folder / f"golden_{number}.json"
    write_expected(model, look.image, expected)
    document = json.loads(expected.read_text(encoding="utf-8"))
    threshold = model.manifest.thresholds.score
    counted = 1 if model.manifest.task == "classify" else sum(score >= threshold for score in document["score"])
    return GoldenImage(image=look.image, expected=expected, objects=counted)
