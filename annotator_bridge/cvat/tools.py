"""What a push is given to work with, and the errors that only a push has."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from annotator_bridge.cvat.values import Progress
from edge.errors import ServerRefusedError, SettingsError
from edge.export.footage import FootageHands
from edge.settings import Settings
from edge.store.sqlite import Connection
from edge.store.writer import Writes

WITHHELD_BLIND = "people count it blind: nothing of what a model found goes along before their signatures"


class PushRefusedError(SettingsError):
    """There is nothing to push, or it is not told which of several things is meant."""

    code: ClassVar[str] = "push_refused"
    default_advice: ClassVar[str] = "docs/cvat-tasks.md says what can become a task."


class TaskGoneError(ServerRefusedError):
    """Somebody deleted the task in CVAT. It is never made anew by itself."""

    code: ClassVar[str] = "cvat_task_gone"
    default_advice: ClassVar[str] = "Push it again if it shall be there: that makes another task."


class FramesDifferError(ServerRefusedError):
    """CVAT has other frames or labels than were sent: what a model found would come to lie on the wrong ones, so it is not sent."""

    code: ClassVar[str] = "cvat_frames_differ"
    default_advice: ClassVar[str] = "Look at the task in CVAT. Delete it there and push again, or annotate it as it is, without the model."


class DataFailedError(ServerRefusedError):
    """CVAT could not make frames of the files."""

    code: ClassVar[str] = "cvat_data_failed"
    default_advice: ClassVar[str] = (
        "Is its disk full? What it says names the file. Then retry: the files that are there are not sent again."
    )


class SourceChangedError(ServerRefusedError):
    """A file was changed, or went away, since the task was asked for."""

    code: ClassVar[str] = "cvat_source_changed"
    default_advice: ClassVar[str] = "Put the file back as it was and retry; or cancel the task and push again, without it."


class StoppedError(Exception):
    """The appliance ends, or the task was cancelled: the work is put down where it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PushTools:
    """Home folder, settings, who writes, who reads, who looks into footage.

    Attributes:
        reader: a connection for one reading.
        hands: opens what looks into clips, in processes of its own.
        wait: waits so many seconds, or until the work shall stop; returns whether it shall.
        tell: told how far it is.
    """

    home: Path
    settings: Settings
    writer: Writes
    reader: Callable[[], AbstractContextManager[Connection]]
    hands: Callable[[], AbstractContextManager[FootageHands]]
    wait: Callable[[float], bool]
    tell: Callable[[Progress], None] = lambda _: None

    def check_stop(self) -> None:
        """Raises StoppedError if the work shall stop."""
        if self.wait(0):
            raise StoppedError("the appliance ends")
