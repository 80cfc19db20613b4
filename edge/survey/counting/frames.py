"""What a counter looks at: frames along the time of a tow. Stills today; video has frames by their times all the same."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from edge.store.reads.files import StoredAt
from edge.store.reads.frames import count_untimed, frame_bytes_at, tow_frames
from edge.store.sqlite import Connection


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """A frame that can be shown. `number` names it within its source; `image_id` is None for a frame of a video."""

    number: int
    at_s: float
    image_id: int | None
    capture_time_utc: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameList:
    """The frames of a tow in the order of their times. `untimed`: how many more there are whose time is not known."""

    frames: tuple[Frame, ...]
    untimed: int


class FrameSource(Protocol):
    """Where the frames of a tow come from."""

    def frames(self, connection: Connection, tow_id: int) -> FrameList:
        """The frames of a tow, ascending in `at_s` (seconds since the tow's start)."""

    def stored(self, connection: Connection, tow_id: int, number: int) -> StoredAt | None:
        """Where the picture of a frame lies; None if the tow has no such frame. A number stands for the same picture for good."""


class StillFrames:
    """The stills that are attached to a tow."""

    def frames(self, connection: Connection, tow_id: int) -> FrameList:
        """One frame for each still with a time."""
        found = tuple(
            Frame(number=one.image_id, at_s=one.at_s, image_id=one.image_id, capture_time_utc=one.capture_time_utc)
            for one in tow_frames(connection, tow_id)
        )
        return FrameList(frames=found, untimed=count_untimed(connection, tow_id))

    def stored(self, connection: Connection, tow_id: int, number: int) -> StoredAt | None:
        """The still itself."""
        return frame_bytes_at(connection, tow_id, number)
