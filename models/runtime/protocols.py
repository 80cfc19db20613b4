"""What the rest of the program knows of a runtime."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

Float32Array = NDArray[np.float32]
UInt8Array = NDArray[np.uint8]


@runtime_checkable
class Engine(Protocol):
    """One variant of a model, compiled on one device. May be called from several threads at once."""

    @property
    def device(self) -> str:
        """Where it runs and in what arithmetic, such as "CPU f32"."""
        ...

    @property
    def streams(self) -> int:
        """How many calls run side by side before the next one waits."""
        ...

    @property
    def takes_pixels(self) -> bool:
        """Whether `infer` takes bytes: what makes numbers of them is then part of what is compiled."""
        ...

    def infer(self, tensor: Float32Array | UInt8Array) -> tuple[Float32Array, ...]:
        """Run the network once, blocking, with Python's lock released.

        Args:
            tensor: (1, 3, H, W) float32, C-contiguous, H and W as in the manifest; of an engine that takes pixels (1, H, W, 3) uint8
                in the manifest's order of channels.

        Returns:
            The outputs in the order of the model file, float32, owned by the caller.

        Raises:
            ModelError: the runtime failed.
        """
        ...
