"""How a simulated CVAT says no."""

from __future__ import annotations

from typing import Any


class RefusedError(Exception):
    """A call that is answered with a status and a JSON value; a text as `value` of 500 is a page that is no JSON."""

    def __init__(self, status: int, value: Any) -> None:
        super().__init__(str(value))
        self.status = status
        self.value = value
