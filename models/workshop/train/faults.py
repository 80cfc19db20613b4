"""What ended a training, as one error of ours with advice. Anything unknown stays what it is."""

from __future__ import annotations

from edge.errors import EdgeError, ModelError
from models.training.plan import disk_error

_NO_MEMORY = ("out of memory", "can't allocate memory", "cannot allocate memory", "cublas_status_alloc_failed")


class DivergedError(ModelError):
    """The losses or the weights are no numbers any more."""

    code = "training_diverged"
    default_advice = "Train again with a smaller --learning-rate (a third, say) and another --out; look at the boxes of the data set, too."


class OutOfMemoryError(ModelError):
    """The machine or its accelerator has too little memory for this training."""

    code = "out_of_memory"
    default_advice = "Train with a smaller --batch, --input or network, and another --out."


def as_ours(error: Exception) -> EdgeError | None:
    """The error to tell for what a library raised; None where it says nothing to a person."""
    if isinstance(error, EdgeError):
        return error
    if isinstance(error, MemoryError):
        return OutOfMemoryError("there is not enough memory for this training")
    if isinstance(error, RuntimeError) and any(mark in str(error).lower() for mark in _NO_MEMORY):
        return OutOfMemoryError(f"there is not enough memory for this training: {str(error).splitlines()[0]}")
    if isinstance(error, OSError) and error.errno is not None:
        return disk_error(error)
    return None
