"""What a counter looks at: frames along the time of a tow, from stills and from clips."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from edge.store.reads.files import StoredAt
from edge.store.reads.footage import clips_of_tow
from edge.store.reads.frames import count_untimed, frame_bytes_at, tow_frames
from edge.store.reads.surveys import tow
from edge.store.sqlite import Connection
from edge.survey.tow_footage import Clock, Piece, place_clips

CLIP_RATE_HZ = 12.5  # as the field's stills: what a person can follow, and half of what a recorder takes
_CLIP_NUMBERS = 1 << 50  # numbers from here on are frames of clips; a browser counts exactly up to 2^53
_TICKS = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """A frame that can be shown. `number` names it within its source; `image_id` is None for a frame of a clip."""

    number: int
    at_s: float
    image_id: int | None
    capture_time_utc: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameList:
    """The frames of a tow in the order of their times. `untimed`: how many more there are whose time is not known."""

    frames: tuple[Frame, ...]
    untimed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameAt:
    """Where a frame lies: a still's file, or a clip's and a moment in it (seconds since its first frame)."""

    stored: StoredAt
    in_clip_s: float | None


class FrameSource(Protocol):
    """Where the frames of a tow come from."""

    def frames(self, connection: Connection, tow_id: int) -> FrameList:
        """The frames of a tow, ascending in `at_s` (seconds since the tow's start)."""

    def stored(self, connection: Connection, tow_id: int, number: int) -> FrameAt | None:
        """Where the picture of a frame lies; None if the tow has no such frame. A number stands for the same picture for good."""


class TowFrames:
    """The stills and clips that are attached to a tow; of a clip, the frame on the screen at each tick of `CLIP_RATE_HZ`.

    Of clips that run at the same time the longer one is shown, and no still that was taken while a clip ran.
    """

    def frames(self, connection: Connection, tow_id: int) -> FrameList:
        """Frames with a time on the tow's clock, from its start on."""
        pieces, untimed_clips = _pieces(connection, tow_id)
        found = ticks_of_pieces(pieces)
        found += [
            Frame(number=one.image_id, at_s=one.at_s, image_id=one.image_id, capture_time_utc=one.capture_time_utc)
            for one in tow_frames(connection, tow_id)
            if not any(piece.from_s <= one.at_s <= piece.to_s for piece in pieces)
        ]
        found.sort(key=lambda frame: (frame.at_s, frame.number))
        return FrameList(frames=tuple(found), untimed=count_untimed(connection, tow_id) + untimed_clips)

    def stored(self, connection: Connection, tow_id: int, number: int) -> FrameAt | None:
        """The still itself, or a moment of a clip."""
        if number < _CLIP_NUMBERS:
            still = frame_bytes_at(connection, tow_id, number)
            return None if still is None else FrameAt(stored=still, in_clip_s=None)
        image_id, tick = divmod(number - _CLIP_NUMBERS, _TICKS)
        clip = frame_bytes_at(connection, tow_id, image_id)
        return None if clip is None else FrameAt(stored=clip, in_clip_s=tick / CLIP_RATE_HZ)


def _pieces(connection: Connection, tow_id: int) -> tuple[list[Piece], int]:
    """The clips on the tow's clock, and how many more have no place on it."""
    of = tow(connection, tow_id)
    clips = clips_of_tow(connection, tow_id)
    if of is None or not clips:
        return [], 0
    placed, _, clock = place_clips(clips, of)
    return (placed, len(clips) - len(placed)) if clock is Clock.SHEET else ([], len(clips))


def ticks_of_pieces(pieces: Sequence[Piece]) -> list[Frame]:
    """The frames of clips in the order of their times; what two parts of a recording both have is shown once."""
    found: list[Frame] = []
    for piece in pieces:
        found += [frame for frame in ticks(piece) if not found or frame.at_s > found[-1].at_s]
    return found


def ticks(piece: Piece) -> list[Frame]:
    """Every frame of a clip that lies at or after the tow's start."""
    base = _CLIP_NUMBERS + piece.clip.image_id * _TICKS
    count = min(int((piece.to_s - piece.from_s) * CLIP_RATE_HZ) + 1, _TICKS)
    return [
        Frame(number=base + tick, at_s=round(at_s, 3), image_id=None, capture_time_utc=None)
        for tick in range(count)
        if (at_s := piece.from_s + tick / CLIP_RATE_HZ) >= 0
    ]
