"""Which functions there are on this appliance, and how one is loaded."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from annotator_bridge.functions.function import Function, FunctionInfo


def list_functions(home: Path) -> tuple[FunctionInfo, ...]:
    """What every function of this appliance says of itself; loads no model."""
    raise NotImplementedError


def load_function(home: Path, function_id: str, *, threads: int) -> Function:
    """A function that is ready to be called from so many threads."""
    raise NotImplementedError
