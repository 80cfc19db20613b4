"""What pages show of the models that CVAT may call: where they answer, how often they were called, what failed."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class FacadeFunction:
    """A function that CVAT may call. `pack` is name and version of its model pack; empty for a method without a model."""

    id: str
    kind: str
    title: str
    pack: str = ""
    calls: int = 0
    p95_ms: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FacadeFailure:
    """A call that failed, with the reason that CVAT shows to nobody."""

    at_utc: str
    function: str
    status: int
    code: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FacadeStatus:
    """The models' side of the bridge.

    Attributes:
        is_on: the setting `cvat_bridge`.
        is_running: something answers for it now, in this process or another.
        url: where; empty if it is not running.
        since_utc: since when these figures are counted.
        p95_ms: of a hundred calls the 95 fastest took no longer; None before the first.
        trouble: why functions cannot be told, such as a pack that cannot be read; empty otherwise.
        failures: the last first.
    """

    is_on: bool
    is_running: bool = False
    url: str = ""
    since_utc: str | None = None
    calls: int = 0
    failed: int = 0
    p95_ms: float | None = None
    functions: tuple[FacadeFunction, ...] = ()
    failures: tuple[FacadeFailure, ...] = ()
    trouble: str = ""
