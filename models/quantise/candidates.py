"""Variants under trial: each alone in a pack of its own, so that it is measured exactly as the appliance would run it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edge.errors import ModelError
from models.assemble import assemble_pack, draft_of
from models.manifest import Precision, Runtime
from models.pack import Pack
from models.quantise.judge import Recipe
from models.runtime.devices import CPU
from models.runtime.quiet import import_openvino

FP16_NAME, BF16_NAME, INT8_NAME = "openvino-fp16", "openvino-bf16", "openvino-int8"


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A variant to be measured.

    Attributes:
        name: its name while it is tried; `final_name` the one that it gets in the pack.
        files: path inside the pack -> file; the first is what the runtime opens.
        told: what it is, in plain words.
        is_new: it was made here, not taken from the pack.
        recipe: of INT8; `float_layers` and `int8_layers` name its layers with weights.
    """

    name: str
    final_name: str
    runtime: Runtime
    precision: Precision
    files: dict[str, Path]
    told: str
    is_new: bool
    recipe: Recipe | None = None
    float_layers: tuple[str, ...] = ()
    int8_layers: tuple[str, ...] = ()

    def variant(self, name: str) -> dict[str, Any]:
        """As a draft of a manifest lists it."""
        return {"name": name, "runtime": self.runtime, "precision": self.precision, "files": list(self.files)}


def originals(pack: Pack) -> list[Candidate]:
    """The variants that a pack has already, the original first; INT8 and BF16 are made anew."""
    variants = [variant for variant in pack.manifest.variants if variant.precision not in ("int8", "bf16")]
    if not variants:
        raise ModelError(
            f"{pack.manifest.name} has no variant in fp32 or fp16 to quantise",
            advice="Import the checkpoint again with `imagine-edge models import`.",
        )
    variants.sort(key=lambda variant: variant.precision != "fp32")
    return [
        Candidate(
            name=variant.name,
            final_name=variant.name,
            runtime=variant.runtime,
            precision=variant.precision,
            files={file.path: pack.file_path(file) for file in variant.files},
            told={"fp32": "the original", "fp16": "weights stored in 16 bits"}[variant.precision],
            is_new=False,
        )
        for variant in variants
    ]


def with_ir(candidates: Sequence[Candidate], pack: Pack, folder: Path) -> tuple[list[Candidate], Candidate]:
    """The candidates with OpenVINO IR among them, made from the ONNX file where the pack has none; and that one.

    Raises:
        ModelError: OpenVINO cannot read the model.
    """
    for candidate in candidates:
        if candidate.runtime == "openvino" and next(iter(candidate.files)).endswith(".xml"):
            return list(candidates), candidate
    openvino = import_openvino()
    xml_path = folder / "model_fp16.xml"
    spec = pack.manifest.input
    try:
        model = openvino.Core().read_model(os.fspath(next(iter(candidates[0].files.values()))))
        if model.is_dynamic():
            model.reshape([1, 3, spec.height_px, spec.width_px])
        openvino.save_model(model, os.fspath(xml_path), compress_to_fp16=True)
    except RuntimeError as error:
        raise ModelError(f"OpenVINO cannot convert the model: {error}") from error
    made = _of_ir(xml_path, FP16_NAME, "fp16", "weights stored in 16 bits")
    return [*candidates, made], made


def bf16_of(ir: Candidate) -> Candidate:
    """The same files, computed in BF16."""
    return Candidate(
        name=BF16_NAME,
        final_name=BF16_NAME,
        runtime="openvino",
        precision="bf16",
        files=ir.files,
        told="computed in BF16, from the files of " + ir.final_name,
        is_new=True,
    )


def int8_of(xml_path: Path, number: int, recipe: Recipe, answer: dict[str, Any]) -> Candidate:
    """The `number`-th try at INT8; `answer` is that of the workshop's tool."""
    return Candidate(
        name=f"{INT8_NAME}.{number}",
        final_name=INT8_NAME,
        runtime="openvino",
        precision="int8",
        files={"model_int8.xml": xml_path, "model_int8.bin": xml_path.with_suffix(".bin")},
        told=recipe.told,
        is_new=True,
        recipe=recipe,
        float_layers=tuple(answer["float_layers"]),
        int8_layers=tuple(answer["int8_layers"]),
    )


def computes_bf16(core: Any | None = None) -> bool:
    """Whether this CPU does."""
    core = core or import_openvino().Core()
    return "BF16" in core.get_property(CPU, "OPTIMIZATION_CAPABILITIES")


def trial_pack(pack: Pack, candidates: Sequence[Candidate], target: Path) -> Pack:
    """A pack with these variants only, under their names of trial and each with files of its own."""
    draft, files = draft_of(pack)
    kept = {draft["card"], *(golden[key] for golden in draft["goldens"] for key in ("image", "expected"))}
    files = {inside: source for inside, source in files.items() if inside in kept}
    variants = []
    for candidate in candidates:
        own = {f"{candidate.name}/{inside}": source for inside, source in candidate.files.items()}
        files |= own
        variants.append({**candidate.variant(candidate.name), "files": list(own)})
    return assemble_pack(target, {**draft, "documents": [], "variants": variants}, files)


def _of_ir(xml_path: Path, name: str, precision: Precision, told: str) -> Candidate:
    files = {xml_path.name: xml_path, f"{xml_path.stem}.bin": xml_path.with_suffix(".bin")}
    return Candidate(name=name, final_name=name, runtime="openvino", precision=precision, files=files, told=told, is_new=True)
