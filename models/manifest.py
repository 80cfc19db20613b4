"""The manifest of a model pack: what a model is, what it expects, and how to know that it still works.

A pack is a folder (or a zip of it) with `manifest.json` at its top; every path in the manifest is relative to
that folder, uses forward slashes and stays inside it.
"""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

MANIFEST_NAME = "manifest.json"
MANIFEST_FORMAT = 1

Task = Literal["detect", "segment", "classify", "prompt"]
Head = Literal["yolo_v8", "yolo_end2end", "yolo_v8_seg", "yolo_end2end_seg", "classify", "prompt_mask"]
Runtime = Literal["openvino", "onnxruntime"]
Precision = Literal["fp32", "fp16", "bf16", "int8"]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Fraction = Annotated[float, Field(ge=0.0, le=1.0)]

HEADS: dict[Task, tuple[Head, ...]] = {
    "detect": ("yolo_v8", "yolo_end2end"),
    "segment": ("yolo_v8_seg", "yolo_end2end_seg"),
    "classify": ("classify",),
    "prompt": ("prompt_mask",),
}


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Label(_Part):
    """One class of the model. `aphia_id` is the WoRMS AphiaID of the taxon, where there is one."""

    name: Annotated[str, Field(min_length=1, max_length=200)]
    aphia_id: int | None = None


class InputSpec(_Part):
    """How an image becomes the network's input, a (1, 3, height_px, width_px) float32 tensor.

    `letterbox` scales the image to fit and pads with `pad_value`; `tiles` cuts the image at its own scale into
    overlapping tiles of the input size; `crop` scales the shorter side to fit and takes the middle, `stretch` resizes without
    keeping the aspect (both for classification).
    A pixel becomes (value / 255 - mean) / std per channel, in `channel_order`.
    """

    width_px: Annotated[int, Field(ge=32, le=8192)]
    height_px: Annotated[int, Field(ge=32, le=8192)]
    channel_order: Literal["rgb", "bgr"] = "rgb"
    fit: Literal["letterbox", "tiles", "stretch", "crop"] = "letterbox"
    tile_overlap: Annotated[float, Field(ge=0.0, le=0.5)] = 0.2
    pad_value: Annotated[int, Field(ge=0, le=255)] = 114
    mean: tuple[float, float, float] = (0.0, 0.0, 0.0)
    std: tuple[float, float, float] = (1.0, 1.0, 1.0)


class Thresholds(_Part):
    """`score`: objects at or above it are counted. `score_floor`: those between are kept as candidates."""

    score: Fraction = 0.25
    score_floor: Fraction = 0.05
    nms_iou: Fraction = 0.5
    max_objects: Annotated[int, Field(ge=1, le=10_000)] = 1000

    @model_validator(mode="after")
    def _floor_below_score(self) -> Self:
        if self.score_floor > self.score:
            raise ValueError("score_floor must not exceed score")
        return self


class PackFile(_Part):
    """A file of the pack and what it must be."""

    path: str
    sha256: Sha256
    size_bytes: Annotated[int, Field(ge=0)]

    @field_validator("path")
    @classmethod
    def _stays_inside(cls, value: str) -> str:
        path = PurePosixPath(value)
        if not value or path.is_absolute() or ".." in path.parts or "\\" in value or ":" in value or "\0" in value:
            raise ValueError(f"{value!r} is not a path inside the pack")
        return value


class Variant(_Part):
    """One executable form of the model: a runtime and a precision.

    `files[0]` is the file that the runtime opens; an OpenVINO variant lists its `.xml`, then its `.bin`.
    `metrics` are those measured on this very variant (such as map50), fractions unless the name says otherwise.
    """

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$")]
    runtime: Runtime
    precision: Precision
    files: Annotated[tuple[PackFile, ...], Field(min_length=1)]
    metrics: dict[str, float] = {}


class Golden(_Part):
    """An image of the pack and what the model must find in it on any machine.

    `expected` is a JSON file {"xyxy": [[..4]], "score": [..], "label_index": [..]} in pixels of the image (detection, and
    the boxes of a segmentation), or {"score": [..per class]} (classification), made with the fp32 variant. Every expected
    object with a score of at least `score_tolerance` above the counting threshold must be found with an IoU of `iou_min` and
    a score within `score_tolerance`, and no object may be found so that none was expected there.
    """

    image: PackFile
    expected: PackFile
    iou_min: Fraction = 0.7
    score_tolerance: Fraction = 0.15


class Manifest(_Part):
    """`manifest.json` of a pack, format 1.

    `documents` are what people and tools may want to read besides the card: how it was quantised, evaluated, trained.

    A pack of the task `prompt` outlines what somebody clicked (an annotator's interactor); see `models.runtime.prompt` for the inputs
    and the output of its network. It runs on ONNX Runtime, its `fit` is `letterbox`, and its goldens hold what it outlines when the
    middle of the image is clicked.
    """

    format: Literal[1] = 1
    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,63}$")]
    version: Annotated[str, Field(pattern=r"^[0-9]+\.[0-9]+\.[0-9]+([.-][0-9a-z.-]+)?$")]
    title: str
    task: Task
    head: Head
    labels: Annotated[tuple[Label, ...], Field(min_length=1)]
    input: InputSpec
    thresholds: Thresholds = Thresholds()
    licence: Annotated[str, Field(min_length=1)]
    trained_on: Annotated[str, Field(min_length=1)]
    card: PackFile
    documents: tuple[PackFile, ...] = ()
    metrics: dict[str, float] = {}
    max_map50_drop_points: Annotated[float, Field(ge=0.0, le=100.0)] = 1.0
    variants: Annotated[tuple[Variant, ...], Field(min_length=1)]
    goldens: Annotated[tuple[Golden, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _is_consistent(self) -> Self:
        names = [variant.name for variant in self.variants]
        if len(set(names)) != len(names):
            raise ValueError("variant names must differ")
        labels = [label.name for label in self.labels]
        if len(set(labels)) != len(labels):
            raise ValueError("label names must differ")
        if self.head not in HEADS[self.task]:
            raise ValueError(f"the task {self.task} has one of the heads {', '.join(HEADS[self.task])}, not {self.head}")
        if self.task == "prompt" and (self.input.fit != "letterbox" or any(one.runtime != "onnxruntime" for one in self.variants)):
            raise ValueError("a pack of the task prompt has variants for onnxruntime only, and its fit is letterbox")
        return self

    def all_files(self) -> tuple[PackFile, ...]:
        """Every file that the pack must hold besides the manifest, each once."""
        files: dict[str, PackFile] = {file.path: file for file in (self.card, *self.documents)}
        for variant in self.variants:
            files.update({file.path: file for file in variant.files})
        for golden in self.goldens:
            files[golden.image.path] = golden.image
            files[golden.expected.path] = golden.expected
        return tuple(files.values())
