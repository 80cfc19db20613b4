"""Whether an object is one animal or several that touch: the seam for classifiers, and the one that runs a model pack.

What a classifier sees of an object is what the iMagine classifier of multiples was trained on (doi.org/10.5281/zenodo.18241878), so that
its weights, once they are brought aboard as a pack, see what they know. Domain: Zooprocess, section c.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np

from edge.errors import InputError, ModelError, Reason
from edge.values import Float32Array, ModelKey, UInt8Array
from models.manifest import Manifest
from models.pack import read_pack
from models.runtime.devices import CPU
from models.runtime.goldens import check_goldens, read_golden_images
from models.runtime.predict import LoadedModel, classify, load_model
from models.runtime.vision import cv2

MULTIPLE, SINGLE = "multi", "single"
STARTER_PACK = "zooscan-multiples-starter"
# Zooprocess's tenth version takes an object for several from here on; 0.5 is what the classifier was trained for.
MULTIPLE_SCORE = 0.4
# And never asks about a larger one.
MOST_BOX_PX2 = 2_000_000
FOOTER_PX = 31
# A row or column belongs to the object when its inverted greys sum up to more.
_EMPTY_SUM = 2


class ClassifierUnfitError(ModelError):
    """A sound pack that does not tell several animals from one."""

    code = "classifier_unfit"
    default_advice = f"Activate a pack for zooscan whose task is classify and whose labels are {MULTIPLE} and {SINGLE}."


@runtime_checkable
class MultipleClassifier(Protocol):
    """Tells of objects whether they are several animals."""

    def scores(self, crops: Sequence[UInt8Array]) -> Float32Array:
        """(N,) float32 in 0..1 for each of N objects: 1 is surely several, 0 surely one.

        Args:
            crops: (H, W) uint8 each, dark on white, white around it and in its holes, no footer (`Particle.alone`).

        Raises:
            InputError: a crop shows nothing.
            ModelError: the classifier failed.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassifierSpec:
    """How to load a classifier; small, so that it can be handed to another process.

    Attributes:
        pack_path: folder of the pack.
        variant: what was chosen for this machine; None takes the first one that works here.
        device: where it runs, see `models.runtime.devices`.
        cache_dir: where drivers of GPUs keep what they compiled.
    """

    pack_path: Path
    variant: str | None = None
    device: str = CPU
    cache_dir: Path | None = None


class PackClassifier:
    """A classifier from a model pack. May be used from several threads at once."""

    def __init__(self, model: LoadedModel) -> None:
        """`model`: a classification with the labels `multi` and `single`.

        Raises:
            ClassifierUnfitError: it is none.
        """
        check_fit(model.manifest)
        self._model = model
        self._multiple = model.labels.index(MULTIPLE)

    @property
    def key(self) -> ModelKey:
        """Which weights give the scores."""
        return self._model.key

    @property
    def device(self) -> str:
        """Where it runs and in what arithmetic."""
        return self._model.device

    def scores(self, crops: Sequence[UInt8Array]) -> Float32Array:
        """See `MultipleClassifier.scores`; as many crops at once as the model was loaded for."""
        streams = self._model.engine.streams
        if streams == 1 or len(crops) < 2:
            return np.array([self._score(crop) for crop in crops], np.float32)
        with ThreadPoolExecutor(streams) as pool:
            return np.array(list(pool.map(self._score, crops)), np.float32)

    def _score(self, crop: UInt8Array) -> float:
        spec = self._model.manifest.input
        seen = prepare(crop, spec.width_px, spec.height_px)
        return float(classify(np.asarray(cv2.merge([seen, seen, seen]), np.uint8), self._model)[self._multiple])


def load_classifier(spec: ClassifierSpec, *, threads: int = 1) -> PackClassifier:
    """Load a classifier in this process, for so many threads.

    A variant that was not chosen before proves itself at once: it must give what the pack's golden crops are known for. That takes
    milliseconds, unlike the speeds of all variants, which the appliance measures when it has the time.

    Raises:
        PackInvalidError: the pack is damaged or has no such variant.
        ClassifierUnfitError: the pack does something else.
        ModelError: no variant of it works here; says why.
    """
    pack = read_pack(spec.pack_path)
    check_fit(pack.manifest)
    names = [spec.variant] if spec.variant is not None else [variant.name for variant in pack.manifest.variants]
    faults = []
    for name in names:
        try:
            model = load_model(spec.pack_path, name, threads=threads, device=spec.device, cache_dir=spec.cache_dir)
            proofs = check_goldens(model, read_golden_images(pack)) if spec.variant is None else ()
        except ModelError as error:
            if spec.variant is not None:
                raise
            faults.append(f"{name}: {error}")
            continue
        wrong = [f"golden {proof.image}: {proof.fault}" for proof in proofs if proof.fault]
        if not wrong:
            return PackClassifier(model)
        faults.append(f"{name}: {'; '.join(wrong)}")
    raise ModelError(f"no variant of {pack.manifest.name} {pack.manifest.version} works on this machine ({'; '.join(faults)})")


def check_fit(manifest: Manifest) -> None:
    """A pack tells several animals from one.

    Raises:
        ClassifierUnfitError: it does something else.
    """
    names = sorted(label.name for label in manifest.labels)
    if manifest.task != "classify" or names != [MULTIPLE, SINGLE]:
        raise ClassifierUnfitError(
            f"{manifest.name} {manifest.version} does the task {manifest.task} with the labels {', '.join(names)}; "
            f"multiples are told from singles by a classify pack with the labels {MULTIPLE} and {SINGLE}"
        )


def without_footer(vignette: UInt8Array) -> UInt8Array:
    """A finished vignette (H, W) uint8 without the scale bar below.

    Raises:
        InputError: it is no higher than the bar.
    """
    if vignette.shape[0] <= FOOTER_PX:
        raise InputError(Reason.UNSUPPORTED_PIXELS, f"a vignette of {vignette.shape[0]} rows is no more than its scale bar")
    return vignette[:-FOOTER_PX]


def prepare(crop: UInt8Array, width_px: int, height_px: int) -> UInt8Array:
    """What a classifier sees of an object: bright on black, cut to the object, in a square, at the size of its input.

    Args:
        crop: (H, W) uint8, dark on white.
        width_px, height_px: of the classifier's input; 224 x 224 for that of iMagine.

    Returns:
        (height_px, width_px) uint8. Greys are left as they are: a network takes them over 255, no mean taken away.

    Raises:
        InputError: nothing in the crop is darker than white.
    """
    bright = cv2.bitwise_not(crop)
    rows = np.flatnonzero(cv2.reduce(bright, 1, cv2.REDUCE_SUM, dtype=cv2.CV_32S) > _EMPTY_SUM)
    columns = np.flatnonzero(cv2.reduce(bright, 0, cv2.REDUCE_SUM, dtype=cv2.CV_32S) > _EMPTY_SUM)
    if not len(rows) or not len(columns):
        raise InputError(Reason.UNSUPPORTED_PIXELS, "a crop without an object cannot be classified")
    cut = bright[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    height, width = cut.shape
    side = max(height, width)
    top, left = (side - height) // 2, (side - width) // 2
    square = cv2.copyMakeBorder(cut, top, side - height - top, left, side - width - left, cv2.BORDER_CONSTANT, value=(0.0,))
    shrinks = side > max(width_px, height_px)
    resized = cv2.resize(square, (width_px, height_px), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
    return np.asarray(resized, np.uint8)
