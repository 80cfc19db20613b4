"""The files of a pack from the file that was brought, and what they return. Loads the runtimes: in a child process only."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edge.errors import ModelError
from models.importing.facts import FileFacts, Form, ImportRefusedError
from models.importing.ir_facts import read_ir, weights_of
from models.importing.onnx_facts import read_onnx
from models.importing.onnx_shape import fix_input
from models.manifest import Precision, Runtime
from models.runtime.onnx import OnnxRuntimeEngine
from models.runtime.openvino import OpenVinoEngine
from models.runtime.protocols import Engine, Float32Array
from models.runtime.quiet import import_openvino

ONNX_NAME, IR_NAME = "model.onnx", "model.xml"
SAME_AS_TORCH = 2e-3  # of a score; other values are held to as much of the largest of their kind


@dataclass(frozen=True, slots=True, kw_only=True)
class VariantFiles:
    """One variant to be: its files lie in the folder that was given."""

    name: str
    runtime: Runtime
    precision: Precision
    files: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Converted:
    """What became of a file. `outputs`: the shapes that the first variant returned for one image."""

    variants: tuple[VariantFiles, ...]
    outputs: tuple[tuple[int, ...], ...]
    warnings: tuple[str, ...]


def examine(path: Path, form: Form) -> FileFacts:
    """The first look.

    Raises:
        ImportRefusedError: the file cannot become a pack.
    """
    return read_onnx(path) if form == "onnx" else read_ir(path)


def convert(path: Path, facts: FileFacts, input_px: tuple[int, int], folder: Path, reference: Path | None) -> Converted:
    """Write the variants into `folder`, run each once, and compare what they return.

    Args:
        reference: an `.npz` with an `input` and the outputs `output_0`, ... that the original gave in torch.

    Raises:
        ImportRefusedError: no runtime can run it, or it does not return numbers.
    """
    drafts = _from_onnx(path, facts, input_px, folder) if facts.form == "onnx" else [_from_ir(path, facts, input_px, folder)]
    tensor, expected = _probe(input_px, reference)
    kept: list[VariantFiles] = []
    returned: list[tuple[Float32Array, ...]] = []
    warnings: list[str] = []
    for draft in drafts:
        try:
            outputs = open_engine(folder, draft, input_px).infer(tensor)
        except ModelError as error:
            warnings.append(f"{draft.name} is left out: {error}")
            continue
        _check_numbers(draft, outputs)
        kept.append(draft)
        returned.append(outputs)
    if not kept:
        raise ImportRefusedError(f"no runtime can run it ({'; '.join(warnings)})")
    if expected:
        _check_same(kept, returned, expected)
    return Converted(variants=tuple(kept), outputs=tuple(output.shape for output in returned[0]), warnings=tuple(warnings))


def open_engine(folder: Path, variant: VariantFiles, input_px: tuple[int, int]) -> Engine:
    """A variant, ready to run on this CPU.

    Raises:
        ModelError: the runtime cannot load it.
    """
    path, shape = folder / variant.files[0], (1, 3, input_px[1], input_px[0])
    if variant.runtime == "openvino":
        return OpenVinoEngine(path, precision=variant.precision, input_shape=shape, streams=1)
    return OnnxRuntimeEngine(path, input_shape=shape, streams=1)


def _from_onnx(path: Path, facts: FileFacts, input_px: tuple[int, int], folder: Path) -> list[VariantFiles]:
    # Weights stored in FP16 behind casts are computed with in FP32.
    whole: Precision = "int8" if facts.precision == "int8" else "fp32"
    small: Precision = "int8" if facts.precision == "int8" else "fp16"
    shape = (1, 3, input_px[1], input_px[0])
    onnx = folder / ONNX_NAME
    onnx.write_bytes(fix_input(path.read_bytes(), shape))
    variants = [VariantFiles(name=f"onnx-{whole}", runtime="onnxruntime", precision=whole, files=(ONNX_NAME,))]
    openvino = import_openvino()
    try:
        model = openvino.Core().read_model(onnx)
        openvino.save_model(model, folder / IR_NAME, compress_to_fp16=True)
    except RuntimeError:
        return variants  # ONNX Runtime may still run it; what it says decides
    files = (IR_NAME, weights_of(Path(IR_NAME)).name)
    return [*variants, VariantFiles(name=f"openvino-{small}", runtime="openvino", precision=small, files=files)]


def _from_ir(path: Path, facts: FileFacts, input_px: tuple[int, int], folder: Path) -> VariantFiles:
    """The two files as they are; one that takes any size is fixed to the one chosen."""
    target = folder / IR_NAME
    if None in facts.source.shape:
        openvino = import_openvino()
        model = openvino.Core().read_model(path)
        model.reshape([1, 3, input_px[1], input_px[0]])
        openvino.save_model(model, target, compress_to_fp16=facts.precision == "fp16")
    else:
        shutil.copyfile(path, target)
        shutil.copyfile(weights_of(path), weights_of(target))
    files = (IR_NAME, weights_of(target).name)
    return VariantFiles(name=f"openvino-{facts.precision}", runtime="openvino", precision=facts.precision, files=files)


def _probe(input_px: tuple[int, int], reference: Path | None) -> tuple[Float32Array, list[Float32Array]]:
    """An input (1, 3, H, W) in 0..1 and, with a reference, what the original returned for it."""
    if reference is None:
        return np.random.default_rng(0).random((1, 3, input_px[1], input_px[0]), np.float32), []
    with np.load(reference, allow_pickle=False) as arrays:
        expected = [np.asarray(arrays[f"output_{place}"], np.float32) for place in range(len(arrays.files) - 1)]
        return np.ascontiguousarray(arrays["input"], np.float32), expected


def _check_numbers(variant: VariantFiles, outputs: Sequence[Float32Array]) -> None:
    if not outputs or not all(np.isfinite(output).all() for output in outputs):
        advice = "The training diverged, or the export went wrong. Try another checkpoint."
        raise ImportRefusedError(f"{variant.name} returns values that are not numbers", advice=advice)


def _check_same(variants: Sequence[VariantFiles], returned: Sequence[Sequence[Float32Array]], expected: Sequence[Float32Array]) -> None:
    """The FP32 variant returns what torch returned; the others are held against it later, on images."""
    for variant, outputs in zip(variants, returned, strict=True):
        if variant.precision != "fp32":
            continue
        shapes, wanted = [output.shape for output in outputs], [output.shape for output in expected]
        if shapes != wanted:
            raise ImportRefusedError(f"{variant.name} returns {shapes}, the checkpoint {wanted}")
        worst = max(_difference(output, other) for output, other in zip(outputs, expected, strict=True))
        if worst > SAME_AS_TORCH:
            raise ImportRefusedError(f"{variant.name} returns other values than the checkpoint: {worst:.4f} apart")


def _difference(output: Float32Array, expected: Float32Array) -> float:
    """The largest difference, each kind of value (a row of boxes, of scores, a prototype) relative to its largest, at least 1."""
    if output.ndim == 3 and output.shape[1] > output.shape[2]:  # end to end: rows of almost equal scores may change places
        return float(np.abs(output[0, :, 4] - expected[0, :, 4]).max())
    other_axes = tuple(axis for axis in range(output.ndim) if axis != 1) if output.ndim > 2 else None
    scale = np.maximum(np.abs(expected).max(axis=other_axes, keepdims=True), 1.0)
    return float((np.abs(output - expected) / scale).max())
