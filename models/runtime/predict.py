"""A model of a pack, loaded; and the way from an image array to what the model finds in it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from edge.errors import ModelError, PackInvalidError
from edge.values import Detections, ModelKey, UInt8Array
from models.manifest import Manifest, Variant
from models.pack import Pack, hash_file, read_pack, variant_sha256
from models.runtime.devices import CPU
from models.runtime.heads import read_class_scores, read_detections
from models.runtime.machine import usable_cores
from models.runtime.merge import merge_views
from models.runtime.onnx import OnnxRuntimeEngine
from models.runtime.openvino import OpenVinoEngine
from models.runtime.prompt import PromptEngine, outlined
from models.runtime.protocols import Engine, Float32Array
from models.runtime.quiet import keep_freed_memory
from models.runtime.tiling import Fit, View, plan_views


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedModel:
    """One variant of a pack, ready to run. May be used from several threads at once."""

    pack: Pack
    key: ModelKey
    engine: Engine

    @property
    def manifest(self) -> Manifest:
        """The manifest of its pack."""
        return self.pack.manifest

    @property
    def device(self) -> str:
        """Where it runs and in what arithmetic."""
        return self.engine.device

    def input_of(self, view: View, content: UInt8Array) -> Float32Array | UInt8Array:
        """What the engine takes for a view; `content` is what `view.cut` gave."""
        spec = self.manifest.input
        return view.pixels(content, spec) if self.engine.takes_pixels else view.tensor(content, spec)

    @property
    def labels(self) -> tuple[str, ...]:
        """Names of the classes, by label index."""
        return tuple(label.name for label in self.manifest.labels)


def load_model(pack_dir: Path, variant_name: str, *, threads: int, device: str = CPU, cache_dir: Path | None = None) -> LoadedModel:
    """Load a variant of a pack for `threads` calling threads, after its files were hashed again.

    Sets the memory allocator of this process up for images (`keep_freed_memory`).

    Args:
        device: one of `models.runtime.devices.devices_for`.
        cache_dir: where the drivers of GPUs keep what they compiled.

    Raises:
        PackInvalidError: the pack is damaged or has no such variant.
        ModelError: the runtime cannot load it.
    """
    keep_freed_memory()
    pack = read_pack(pack_dir)
    variant = pack.variant(variant_name)
    _check_weights(pack, variant)
    path = pack.file_path(variant.files[0])
    spec = pack.manifest.input
    shape = (1, 3, spec.height_px, spec.width_px)
    streams = max(1, min(threads, usable_cores()))
    options: dict[str, Any] = {
        "precision": variant.precision,
        "input_shape": shape,
        "streams": streams,
        "device": device,
        "cache_dir": cache_dir,
    }
    engine: Engine
    if pack.manifest.task == "prompt":
        engine = PromptEngine(path, **options)
    elif variant.runtime == "openvino":
        # An 8-bit network rounds the numbers back to the bytes that they were made of: given bytes it finds the same, and no picture of
        # four bytes a value is written, read and turned.
        engine = OpenVinoEngine(path, **options, pixels=spec if variant.precision == "int8" and device == CPU else None)
    else:
        engine = OnnxRuntimeEngine(path, **options)
    key = ModelKey(
        name=pack.manifest.name,
        version=pack.manifest.version,
        sha256=variant_sha256(variant),
        precision=variant.precision,
        runtime=variant.runtime,
    )
    return LoadedModel(pack=pack, key=key, engine=engine)


def detect(image: UInt8Array, model: LoadedModel, *, fit: Fit | None = None) -> Detections:
    """What a model finds in an image (H, W, 3) uint8 BGR at or above `score_floor`, in its pixels, best score first.

    A classification gives one detection: the whole image, with its best class. A promptable model gives the box around what it
    outlines when the middle is clicked: that is how such a pack is proven and its speed measured.

    Args:
        fit: overrules the manifest's way to bring an image into the network.

    Raises:
        ModelError: the runtime failed, or the model returned something that its manifest does not promise.
    """
    height_px, width_px = image.shape[:2]
    views = plan_views(width_px, height_px, model.manifest.input, fit=fit)
    found = [look(view, view.cut(image), model) for view in views]
    return merge(views, found, model, width_px=width_px, height_px=height_px)


def classify(image: UInt8Array, model: LoadedModel) -> Float32Array:
    """Score per class, (C,) float32, of an image (H, W, 3) uint8 BGR.

    Raises:
        ModelError: the runtime failed, or the model returned something that its manifest does not promise.
    """
    height_px, width_px = image.shape[:2]
    (view,) = plan_views(width_px, height_px, model.manifest.input)
    return class_scores(view, view.cut(image), model)


def look(view: View, content: UInt8Array, model: LoadedModel) -> Detections:
    """What the model finds in one view, in pixels of the full image; `content` is what `view.cut` gave.

    Raises:
        ModelError: the runtime failed, or the model returned something that its manifest does not promise.
    """
    if model.manifest.task == "classify":
        return best_class(view, class_scores(view, content, model))
    outputs = model.engine.infer(model.input_of(view, content))
    found = outlined(outputs, model.manifest) if model.manifest.task == "prompt" else read_detections(outputs, model.manifest)
    placed = Detections(xyxy=view.to_image(found.xyxy), score=found.score, label_index=found.label_index)
    size = placed.xyxy[:, 2:] - placed.xyxy[:, :2]
    return placed.select(np.flatnonzero((size > 0).all(axis=1)))


def class_scores(view: View, content: UInt8Array, model: LoadedModel) -> Float32Array:
    """Score per class, (C,) float32, of one view of an image; `content` is what `view.cut` gave.

    Raises:
        ModelError: the runtime failed, or the model is no classification or returned something else than its manifest promises.
    """
    return read_class_scores(model.engine.infer(model.input_of(view, content)), model.manifest)


def best_class(view: View, scores: Float32Array) -> Detections:
    """The class of the best score as one detection: what the view shows, as a whole."""
    best = int(scores.argmax())
    return Detections(
        xyxy=np.array([view.part.xyxy], np.float32),
        score=scores[[best]],
        label_index=np.array([best], np.int32),
    )


def merge(views: Sequence[View], found: Sequence[Detections], model: LoadedModel, *, width_px: int, height_px: int) -> Detections:
    """One list from those of the views, each object once, at most `max_objects`.

    Raises:
        ModelError: a classification was given tiles.
    """
    if len(views) == 1:
        return found[0]
    if model.manifest.task == "classify":
        raise ModelError("a classification sees the whole image; its fit must not be tiles")
    thresholds = model.manifest.thresholds
    merged = merge_views(views, found, iou=thresholds.nms_iou, width_px=width_px, height_px=height_px)
    return merged if len(merged) <= thresholds.max_objects else merged.select(np.arange(thresholds.max_objects))


def _check_weights(pack: Pack, variant: Variant) -> None:
    for file in variant.files:
        try:
            sha256, _ = hash_file(pack.file_path(file))
        except OSError as error:
            raise PackInvalidError(f"{file.path} cannot be read: {error}") from error
        if sha256 != file.sha256:
            raise PackInvalidError(f"{file.path} has SHA-256 {sha256}, the manifest says {file.sha256}")
