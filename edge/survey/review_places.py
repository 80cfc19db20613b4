"""From the seconds of a tow to the clip or still that shows them: where the pictures of an opening lie."""

from __future__ import annotations

import json
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass

from edge.errors import ReviewRefusedError
from edge.store.reads.footage import AnalysisRow, TowClipRow, TowStillRow, analysis_of_tow, clips_of_tow, stills_of_tow
from edge.store.reads.reviews import OpeningPlace
from edge.store.reads.surveys import TowRow, tow
from edge.store.sqlite import Connection
from edge.survey.review_loop import SeenBox, loop
from edge.survey.tow_desk import sources_of
from edge.survey.tow_footage import Clock, Piece, place_clips, times_of_stills

CHANGED = "the files or the times of this tow have changed since it was analysed"
_NEAR_S = 0.001  # packed times went through no rounding; a still is found by its own
_HAIR_S = 0.0005  # sums of seconds are off by a last digit: without it the frame before might be shown


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """A moment of an opening and the file that shows it.

    Attributes:
        seen: when, and where in the frame.
        image_id: the clip or still.
        in_clip_s: seconds since the clip's first frame; None for a still.
    """

    seen: SeenBox
    image_id: int
    in_clip_s: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TowPlaces:
    """The files of a tow on its clock, as they lay when it was analysed."""

    pieces: tuple[Piece, ...]
    stills: tuple[tuple[float, int], ...]

    @property
    def is_clip(self) -> bool:
        """Whether clips were analysed; else stills were."""
        return bool(self.pieces)

    def moment(self, seen: SeenBox) -> Moment | None:
        """The file that shows a moment; None if none does any more."""
        for piece in self.pieces:
            if piece.from_s - _NEAR_S <= seen.at_s <= piece.to_s + _NEAR_S:
                return Moment(seen=seen, image_id=piece.clip.image_id, in_clip_s=max(0.0, seen.at_s - piece.from_s) + _HAIR_S)
        place = bisect_left(self.stills, (seen.at_s - _NEAR_S, 0))
        if place < len(self.stills) and abs(self.stills[place][0] - seen.at_s) <= _NEAR_S:
            return Moment(seen=seen, image_id=self.stills[place][1], in_clip_s=None)
        return None


def places_of(connection: Connection, tow_id: int, analysis: AnalysisRow) -> TowPlaces:
    """Where the files of a tow lie on its clock.

    Raises:
        ReviewRefusedError: they lie elsewhere than when it was analysed, so its seconds say nothing of them.
    """
    of = tow(connection, tow_id)
    clips, stills = clips_of_tow(connection, tow_id), stills_of_tow(connection, tow_id)
    if of is None or not _is_of(analysis, of, clips, stills):
        advice = "Wait: it is analysed anew by itself. The openings of before stay in the database."
        raise ReviewRefusedError(CHANGED, advice=advice)
    if clips:
        return TowPlaces(pieces=tuple(place_clips(clips, of)[0]), stills=())
    timed, _ = times_of_stills(stills, Clock(json.loads(analysis.made_from_json)["clock"]))
    return TowPlaces(pieces=(), stills=tuple((at_s, still.image_id) for still, at_s in timed))


def is_of_its_footage(connection: Connection, of: TowRow, analysis: AnalysisRow) -> bool:
    """Whether the files of a tow lie where they lay when it was analysed: only then do its seconds say something of them."""
    return _is_of(analysis, of, clips_of_tow(connection, of.id), stills_of_tow(connection, of.id))


def _is_of(analysis: AnalysisRow, of: TowRow, clips: Sequence[TowClipRow], stills: Sequence[TowStillRow]) -> bool:
    told = json.loads(analysis.made_from_json)
    return all(told.get(name) == value for name, value in sources_of(of, clips, stills).items())


def loop_of(connection: Connection, opening: OpeningPlace) -> tuple[Moment, ...]:
    """The moments of an opening's loop.

    Raises:
        ReviewRefusedError: its analysis is not the current one, or its files have moved on the tow's clock.
    """
    analysis = analysis_of_tow(connection, opening.tow_id)
    if analysis is None or analysis.id != opening.analysis_id:
        raise ReviewRefusedError("the footage of this tow was analysed anew since", advice="Load the page again.")
    places = places_of(connection, opening.tow_id, analysis)
    found = [places.moment(seen) for seen in loop(opening.boxes, is_clip=places.is_clip)]
    return tuple(one for one in found if one is not None)
