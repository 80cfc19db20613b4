"""Networks that outline what somebody clicked, on ONNX Runtime.

The network's inputs, by name and as such models are usually exported (Kirillov et al. 2023):

    image     (1, 3, H, W) float32, as the manifest's `input` says
    points    (1, N, 2) float32, x and y in pixels of that input; N is free
    labels    (1, N) float32: 1 inside the object, 0 outside, 2 and 3 the upper left and the lower right corner of a box around it

Its first output are logits (1, 1, h, w) float32 over the whole input, at any scale of it: above 0 is the object.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from edge.errors import ModelError
from edge.values import Detections
from models.manifest import Manifest, Precision
from models.runtime.devices import CPU
from models.runtime.onnx import failures, open_session
from models.runtime.protocols import Float32Array, UInt8Array
from models.runtime.vision import cv2

INSIDE, OUTSIDE, BOX_LOW, BOX_HIGH = 1.0, 0.0, 2.0, 3.0
INPUTS = ("image", "points", "labels")


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptPoint:
    """A place in pixels of the network's input, and what it says: INSIDE, OUTSIDE, BOX_LOW or BOX_HIGH."""

    x_px: float
    y_px: float
    label: float


class PromptEngine:
    """A promptable network; see `protocols.Engine`. What is not asked with a place is asked with the middle."""

    def __init__(
        self,
        path: Path,
        *,
        input_shape: tuple[int, int, int, int],
        streams: int,
        precision: Precision = "fp32",
        device: str = CPU,
        cache_dir: Path | None = None,
    ) -> None:
        """Open the `.onnx` at `path`; arguments as of `OnnxRuntimeEngine`.

        Raises:
            ModelError: ONNX Runtime cannot open it or use the device, or the network has other inputs.
        """
        self._failures = failures()
        self._session = open_session(path, precision=precision, device=device, cache_dir=cache_dir)
        _check_inputs(self._session, input_shape)
        self._middle = (PromptPoint(x_px=input_shape[3] / 2, y_px=input_shape[2] / 2, label=INSIDE),)
        self._streams = streams
        self._device = f"{device} f32"

    @property
    def takes_pixels(self) -> bool:
        """See `protocols.Engine.takes_pixels`."""
        return False

    @property
    def device(self) -> str:
        """Where it runs and in what arithmetic."""
        return self._device

    @property
    def streams(self) -> int:
        """Calls that run side by side."""
        return self._streams

    def infer(self, tensor: Float32Array | UInt8Array) -> tuple[Float32Array, ...]:
        """The logits when the middle of the input is clicked; see `protocols.Engine.infer`."""
        return (self.infer_prompt(np.asarray(tensor, np.float32), self._middle),)

    def infer_prompt(self, tensor: Float32Array, points: Sequence[PromptPoint]) -> Float32Array:
        """The logits, (1, 1, h, w) float32, of a network's input (1, 3, H, W) float32 with at least one point.

        Raises:
            ModelError: the runtime failed.
        """
        places = np.array([[(point.x_px, point.y_px) for point in points]], np.float32)
        labels = np.array([[point.label for point in points]], np.float32)
        try:
            outputs = self._session.run(None, dict(zip(INPUTS, (tensor, places, labels), strict=True)))
        except self._failures as error:
            raise ModelError(f"ONNX Runtime failed on an image: {error}") from error
        return np.asarray(outputs[0], np.float32)


def read_logits(outputs: Sequence[Float32Array]) -> Float32Array:
    """The logits (h, w) float32 of what a network returned.

    Raises:
        ModelError: no mask: another shape, or numbers that are none.
    """
    logits = outputs[0]
    if logits.ndim != 4 or logits.shape[:2] != (1, 1) or min(logits.shape) < 1:
        raise ModelError(f"the model returned shape {list(logits.shape)}, not the logits of one mask [1, 1, height, width]")
    if not np.isfinite(logits).all():
        raise ModelError("the model returned a mask with NaN or infinite values")
    return np.asarray(logits[0, 0], np.float32)


def outlined(outputs: Sequence[Float32Array], manifest: Manifest) -> Detections:
    """The box around a mask as one detection, pixels of the network's input, with its mean probability as the score; none without a mask.

    Raises:
        ModelError: see `read_logits`.
    """
    logits = read_logits(outputs)
    rows, columns = np.nonzero(logits > 0)
    if not len(rows):
        return Detections(xyxy=np.zeros((0, 4), np.float32), score=np.zeros(0, np.float32), label_index=np.zeros(0, np.int32))
    scale = np.array([manifest.input.width_px / logits.shape[1], manifest.input.height_px / logits.shape[0]] * 2)
    box = np.array([[columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]]) * scale
    score = 1 / (1 + np.exp(-logits[rows, columns].astype(np.float64)))
    return Detections(xyxy=box.astype(np.float32), score=np.array([score.mean()], np.float32), label_index=np.zeros(1, np.int32))


def at_input_size(logits: Float32Array, width_px: int, height_px: int) -> Float32Array:
    """Logits (h, w) at the size of the network's input, (H, W) float32."""
    return np.asarray(cv2.resize(logits, (width_px, height_px), interpolation=cv2.INTER_LINEAR), np.float32)


def _check_inputs(session: Any, input_shape: tuple[int, int, int, int]) -> None:
    found = {one.name: one for one in session.get_inputs()}
    if set(found) != set(INPUTS):
        raise ModelError(f"the model has the inputs {', '.join(sorted(found))}; a promptable one has {', '.join(INPUTS)}")
    for name, rank in zip(INPUTS, (4, 3, 2), strict=True):
        if found[name].type != "tensor(float)" or len(found[name].shape) != rank:
            raise ModelError(f"the model's input {name} is {found[name].type} of shape {found[name].shape}, not float32 with {rank} sides")
    wanted = found["image"].shape
    # A dimension that is no number may be anything.
    if any(isinstance(side, int) and side != given for side, given in zip(wanted, input_shape, strict=True)):
        raise ModelError(f"the model wants input {wanted}, the manifest says {list(input_shape)}")
    if isinstance(found["points"].shape[1], int):
        raise ModelError(f"the model takes {found['points'].shape[1]} points, always: how many there are must be free")
