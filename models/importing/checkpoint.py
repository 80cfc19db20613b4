"""A checkpoint (`.pt`) by way of the workshop: unpickling it can run code, so it happens only there, caged."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from models.workbench import find_workshop, run_tool

_TOOL = "models.workshop.import_checkpoint"


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportedCheckpoint:
    """What the workshop made of it: ONNX, one input with what torch returned for it (`.npz`), and what the checkpoint says of itself."""

    onnx: Path
    reference: Path
    claims: Mapping[str, str]


def export_checkpoint(path: Path, folder: Path, *, input_px: tuple[int, int] | None, workshop: Path | None) -> ExportedCheckpoint:
    """Let the workshop read a checkpoint and write ONNX into `folder`.

    Raises:
        WorkshopMissingError: there is no workshop.
        ToolError: it refused the checkpoint; the message and the advice are its own.
    """
    onnx, reference = folder / "exported.onnx", folder / "reference.npz"
    arguments = [str(path.resolve()), "--onnx", str(onnx), "--reference", str(reference)]
    if input_px is not None:
        arguments += ["--input", f"{input_px[0]}x{input_px[1]}"]
    answer = run_tool(_TOOL, arguments, python=find_workshop(workshop))
    claims = {str(key): str(value) for key, value in answer["claims"].items()}
    return ExportedCheckpoint(onnx=onnx, reference=reference, claims=claims)
