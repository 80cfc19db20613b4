"""What a far side can be asked, whatever it is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Protocol

from edge.errors import TransportError


class SinkAwayError(TransportError):
    """The medium of a folder is out, or the folder is another one than was set up."""

    code: ClassVar[str] = "sink_away"
    default_advice: ClassVar[str] = "Put the stick in, or mount the share; what waits goes by itself then."


class SinkFullError(TransportError):
    """A far side has no room."""

    code: ClassVar[str] = "sink_full"
    default_advice: ClassVar[str] = "Free space there, or ask who runs it for more; nothing is lost meanwhile."


class NotConfirmedError(TransportError):
    """A far side took a bundle, and then did not have it as it was sent."""

    code: ClassVar[str] = "not_confirmed"
    default_advice: ClassVar[str] = "It is sent again. If it lasts, the far side damages or loses what it takes: ask who runs it."


class Spend(Protocol):
    """Counts what passes over a link, and slows it down to what it may cost."""

    def sent(self, count_bytes: int) -> None:
        """So many bytes go out now; returns when they may.

        Raises:
            TransportError: nothing may go any more: the budget is spent, or somebody paused it.
        """

    def received(self, count_bytes: int) -> None:
        """So many bytes came in."""


class Free:
    """What costs nothing and knows no limit, such as a stick."""

    def sent(self, count_bytes: int) -> None:
        """See `Spend`."""

    def received(self, count_bytes: int) -> None:
        """See `Spend`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """Where an upload in parts stands, over any end of this process.

    Attributes:
        state: what `keep` was last called with; None at the beginning.
        keep: writes it down durably.
    """

    state: Mapping[str, Any] | None
    keep: Callable[[Mapping[str, Any] | None], None]


class Sink(Protocol):
    """A far side. For one thread at a time."""

    @property
    def name(self) -> str:
        """As in the settings."""

    def holds(self, key: str, *, size_bytes: int, sha256: str) -> bool:
        """Whether it has a file of that key, with that size and that hash as it says itself.

        Raises:
            TransportError: it cannot be asked.
        """

    def put(self, key: str, path: Path, *, sha256: str, upload: Upload, spend: Spend) -> None:
        """Bring a file there, whole or not at all under that key. The same again does no harm.

        Raises:
            TransportError: it could not be brought; `upload` says where to go on.
        """

    def close(self) -> None:
        """Let its connections go."""
