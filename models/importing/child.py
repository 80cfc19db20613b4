"""Work on a file that nobody vouches for, in a child process: a crash, a hang or a flood of memory is one clear error."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from typing import TypeVar, cast

import structlog

from edge.errors import EdgeError, ModelError
from models.importing.facts import ImportRefusedError
from models.runtime.prove import run_in_child

_ADVICE = "The file is damaged or made to do harm, or this machine is too small for it. Export it again, or try on another machine."
_MEMORY_SHARE = 0.75  # of the machine's

logger = structlog.get_logger(__name__)

_Answer = TypeVar("_Answer")


class _Refusal:
    """An error on its way to the parent: one that was raised on purpose, or the last words of another."""

    def __init__(self, error: Exception) -> None:
        self.is_ours = isinstance(error, EdgeError)
        self.message = str(error) if self.is_ours else f"{type(error).__name__}: {str(error)[:300]}"
        self.advice = error.advice() if isinstance(error, EdgeError) else _ADVICE


def work_apart(work: Callable[..., _Answer], *arguments: object, doing: str, timeout_s: float) -> _Answer:
    """What `work(*arguments)` returns in a child process with a limit on its memory, which has nowhere to print to.

    Args:
        doing: what it does, for the message, such as "reading best.onnx".

    Raises:
        ImportRefusedError: `work` raised, died, or took longer than `timeout_s`.
    """
    try:
        answer = run_in_child(_guarded, work, *arguments, timeout_s=timeout_s)
    except ModelError as error:
        raise ImportRefusedError(f"{doing} failed: {error}", advice=_ADVICE) from error
    if isinstance(answer, _Refusal):
        raise ImportRefusedError(answer.message if answer.is_ours else f"{doing} failed: {answer.message}", advice=answer.advice)
    return cast("_Answer", answer)


def _guarded(work: Callable[..., object], *arguments: object) -> object:
    """In the child: whatever stops the work is the answer."""
    _limit_memory()
    _silence()
    try:
        return work(*arguments)
    except MemoryError:
        return _Refusal(ModelError("it needs more memory than this machine has to give", advice=_ADVICE))
    except EdgeError as error:
        return _Refusal(error)
    except Exception as error:  # the process border: the parent raises it as its own
        logger.exception("import_step_failed")
        return _Refusal(error)


def _limit_memory() -> None:
    if os.name != "posix":
        return
    import resource

    limit_bytes = int(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") * _MEMORY_SHARE)
    with contextlib.suppress(ValueError, OSError):  # a lower limit stands already
        resource.setrlimit(resource.RLIMIT_DATA, (limit_bytes, limit_bytes))


def _silence() -> None:
    """Runtimes print their own accounts of a refused file; the error that is raised tells the same."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    os.close(nowhere)
