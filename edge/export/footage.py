"""Openings of tows as tracks through the frames of their clips and stills: what every format of tracks is written from.

Times of an analysis are those of the tow; a piece of footage (a clip, or the stills of a tow) has frames with times and numbers of its
own. A box belongs to the frame whose presentation time it has, and a box without such a frame is refused, never moved to the next one.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np

from edge.errors import InputError, Reason, SettingsError
from edge.store.export_tows import ExportOpening, ExportTow, FootageRow, export_tows, footage_of, openings_of
from edge.store.sqlite import Connection

_SAME_TIME_S = 1e-4  # a container's clock ticks at least ten thousand times a second, or once a frame
DEFAULT_LABEL = "burrow opening"
LEFT_BLIND = "people count it blind: nothing of it leaves before their signatures"


@dataclass(frozen=True, slots=True, kw_only=True)
class PlacedClip:
    """A clip on its tow's clock."""

    image_id: int
    from_s: float
    to_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class PlacedTow:
    """Where the footage of a tow lies on the clock that its analysis counts by.

    Attributes:
        clips: those that the analysis is made from, in the order of their times.
        stills: image id and seconds of each still, where the analysis is made from stills.
        is_outdated: its files changed since it was analysed.
        withheld: why nothing of it may leave now, though nobody counts it blind; empty where it may.
    """

    clips: tuple[PlacedClip, ...] = ()
    stills: tuple[tuple[int, float], ...] = ()
    is_outdated: bool = False
    withheld: str = ""


class FootageHands(Protocol):
    """What an export lets others do: whoever looks into files does it in a process of its own."""

    def place(self, connection: Connection, tow: ExportTow) -> PlacedTow:
        """Where the files of a tow lie on its clock."""

    def path_of(self, connection: Connection, image_id: int) -> Path | None:
        """Where the bytes of an image lie; None if nowhere."""

    def frame_times(self, path: Path) -> Sequence[float]:
        """Presentation times of all frames of a clip, seconds since its first one, ascending."""

    def jpeg(self, path: Path, at_s: float) -> bytes:
        """A frame of a clip as JPEG in its full size."""

    def still_hash(self, path: Path) -> int:
        """A hash of 256 bits of what an image file shows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """A clip, or the stills of a tow one behind the other.

    Attributes:
        rows: the clip, or every still in the order of its frames.
        times_s: of every frame, ascending: of a clip its own clock's, of stills the tow's.
        from_s: where its clock begins on the tow's.
        path: of the clip; None for stills.
    """

    tow: ExportTow
    rows: tuple[FootageRow, ...]
    times_s: tuple[float, ...]
    from_s: float
    path: Path | None

    @property
    def is_clip(self) -> bool:
        """Whether its frames are those of one clip."""
        return self.path is not None

    @property
    def first(self) -> FootageRow:
        """The clip, or the first still."""
        return self.rows[0]

    def row_of(self, frame: int) -> FootageRow:
        """The file that a frame is in."""
        return self.rows[0] if self.is_clip else self.rows[frame]

    def frame_at(self, tow_s: float) -> int | None:
        """Number of the frame that is shown at a time of the tow; None if there is none with that very time."""
        at_s = tow_s - self.from_s
        place = bisect_left(self.times_s, at_s - _SAME_TIME_S)
        return place if place < len(self.times_s) and abs(self.times_s[place] - at_s) <= _SAME_TIME_S else None


class TrackBox(NamedTuple):
    """A box of an opening. Pixels of the full frame, half open; `at_s` on the clock of its piece."""

    frame: int
    at_s: float
    x_min_px: float
    y_min_px: float
    x_max_px: float
    y_max_px: float
    score: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Track:
    """An opening and its boxes in one piece, ascending by frame."""

    opening: ExportOpening
    boxes: tuple[TrackBox, ...]

    @property
    def label(self) -> str:
        """What the model took it for."""
        return self.opening.label or DEFAULT_LABEL


@dataclass(frozen=True, slots=True, kw_only=True)
class PieceTracks:
    """A piece with the openings that are seen in it."""

    piece: Piece
    tracks: tuple[Track, ...]

    @property
    def labels(self) -> tuple[str, ...]:
        """What its openings are, each once, by the alphabet; one also where there is none."""
        return tuple(sorted({track.label for track in self.tracks})) or (DEFAULT_LABEL,)


class LeftOutTow(NamedTuple):
    """A tow of which nothing was written, and why; never how much there would have been."""

    survey: str | None
    station: str
    tow: int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TowChoice:
    """Which openings: of a survey, of stations of a name; rejected ones only with `all_openings`."""

    survey: str | None = None
    station: str | None = None
    all_openings: bool = False


def tracks_of_tows(
    connection: Connection, hands: FootageHands, choice: TowChoice, left_out: list[LeftOutTow]
) -> Iterator[tuple[ExportTow, list[PieceTracks]]]:
    """Every chosen tow with its pieces of footage; those that cannot be had are told to `left_out`.

    Raises:
        SettingsError: no tow with footage is of the survey or station that was named.
    """
    tows = export_tows(connection, survey=choice.survey, station=choice.station)
    if not tows and (choice.survey is not None or choice.station is not None):
        named = " of ".join(
            name for name in (choice.station and f"station {choice.station}", choice.survey and f"survey {choice.survey}") if name
        )
        raise SettingsError(f"no tow of {named} has footage", advice="`imagine-edge survey status` lists surveys with their stations.")
    for tow in tows:
        try:
            pieces, why = pieces_of(connection, hands, tow)
            found = [] if why else join_tracks(tow, pieces, openings_of(connection, tow), all_openings=choice.all_openings)
        except InputError as error:
            why = str(error)
        if why:
            left_out.append(LeftOutTow(tow.survey, tow.station, tow.ordinal, why))
        else:
            yield tow, found


def pieces_of(connection: Connection, hands: FootageHands, tow: ExportTow) -> tuple[list[Piece], str]:
    """The footage that a tow's analysis is made from; or why there is none to be had.

    Raises:
        InputError: a clip cannot be read.
    """
    if tow.is_blind:
        return [], LEFT_BLIND
    if tow.analysis_id is None:
        return [], "its footage is not analysed yet"
    if tow.state != "done":
        return [], f"its footage allows no count: {tow.reason}"
    placed = hands.place(connection, tow)
    if placed.withheld:
        return [], placed.withheld
    if placed.is_outdated:
        return [], "its files changed since it was analysed; the appliance analyses it anew as it runs"
    rows = footage_of(connection, tow)
    pieces = []
    for clip in placed.clips:
        path = hands.path_of(connection, clip.image_id)
        if path is None:
            raise InputError(Reason.VANISHED, f"{rows[clip.image_id].name} is no longer there: its frames cannot be numbered")
        times_s = tuple(hands.frame_times(path))
        pieces.append(Piece(tow=tow, rows=(rows[clip.image_id],), times_s=times_s, from_s=clip.from_s, path=path))
    if placed.stills:
        stills = tuple(rows[image_id] for image_id, _ in placed.stills)
        pieces.append(Piece(tow=tow, rows=stills, times_s=tuple(at_s for _, at_s in placed.stills), from_s=0.0, path=None))
    return pieces, "" if pieces else "none of its footage is there"


def join_tracks(tow: ExportTow, pieces: Sequence[Piece], openings: Sequence[ExportOpening], *, all_openings: bool) -> list[PieceTracks]:
    """The openings of a tow as tracks through its pieces.

    Raises:
        InputError: CHANGED_WHILE_READ, a box lies on no frame: the footage is not what was analysed.
    """
    tracks: list[list[Track]] = [[] for _ in pieces]
    for opening in openings:
        if opening.decision == "rejected" and not all_openings:
            continue
        for place, boxes in _boxes_by_piece(tow, pieces, opening).items():
            tracks[place].append(Track(opening=opening, boxes=tuple(boxes)))
    return [PieceTracks(piece=piece, tracks=tuple(found)) for piece, found in zip(pieces, tracks, strict=True)]


def _boxes_by_piece(tow: ExportTow, pieces: Sequence[Piece], opening: ExportOpening) -> dict[int, list[TrackBox]]:
    found: dict[int, list[TrackBox]] = {}
    for tow_s, x_min, y_min, x_max, y_max, score in np.frombuffer(opening.boxes, "<f8").reshape(-1, 6).tolist():
        for place, piece in enumerate(pieces):
            frame = piece.frame_at(tow_s)
            if frame is not None:
                found.setdefault(place, []).append(TrackBox(frame, piece.times_s[frame], x_min, y_min, x_max, y_max, score))
                break
        else:
            message = f"opening {opening.ordinal} of {tow.station} was seen at {tow_s:.3f} s, where its footage has no frame any more"
            raise InputError(Reason.CHANGED_WHILE_READ, message)
    return found
