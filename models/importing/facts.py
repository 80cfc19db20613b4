"""What a model file says of itself, what a person says beside it, and why a file is refused."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from edge.errors import ModelError
from models.manifest import Head, Task

Form = Literal["onnx", "ir"]
Side = int | None  # None: any number


class ImportRefusedError(ModelError):
    """A model file that cannot become a pack; the advice says what would help. Nothing was written."""

    code = "import_refused"
    default_advice = "Export the model again as ONNX (one file, static shape, FP32, without NMS) and import that."


@dataclass(frozen=True, slots=True, kw_only=True)
class TensorFacts:
    """An input or output as the file declares it: `element` such as "float32", `shape` with None where any number may stand."""

    name: str
    element: str
    shape: tuple[Side, ...]

    @property
    def told(self) -> str:
        """Its shape for people."""
        return "[" + ", ".join("?" if side is None else str(side) for side in self.shape) + "]"


@dataclass(frozen=True, slots=True, kw_only=True)
class FileFacts:
    """A model file that passed the first look.

    Attributes:
        metadata: what the file says of itself, as text by key, in the words of ultralytics' exports (`task`, `names`,
            `imgsz`, `stride`, `license`, `author`, `date`, `version`, `description`, ...).
        precision: of the weights as they are stored.
    """

    form: Form
    source: TensorFacts
    metadata: Mapping[str, str]
    precision: Literal["fp32", "fp16", "int8"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportOptions:
    """What a person says beside the file; None and empty leave it to the file.

    Attributes:
        input_px: (width, height).
        aphia_ids: WoRMS AphiaID by label.
        threshold: the score from which objects are counted.
    """

    name: str | None = None
    version: str = "1.0.0"
    title: str | None = None
    task: Task | None = None
    labels: tuple[str, ...] = ()
    input_px: tuple[int, int] | None = None
    aphia_ids: Mapping[str, int] = field(default_factory=dict)
    threshold: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Detected:
    """What kind of model it is. `input_px` is (width, height)."""

    task: Task
    head: Head
    labels: tuple[str, ...]
    input_px: tuple[int, int]
