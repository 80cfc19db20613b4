"""Hands for exports, data sets and tasks: where a tow's footage lies, and what is in its files, looked at in processes of their own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from edge.errors import ReviewRefusedError
from edge.export.footage import FootageHands, PlacedClip, PlacedTow
from edge.footage import FrameWanted
from edge.pipeline.footage_look import FootageLook
from edge.pipeline.frame_server import FrameServer
from edge.settings import Settings
from edge.store.export_tows import ExportTow
from edge.store.reads.footage import analysis_of_tow, path_of_image
from edge.store.sqlite import Connection
from edge.survey.miss_gate import withheld_words
from edge.survey.review_places import places_of

_FULL_SIZE_PX = 1_000_000
_JPEG_QUALITY = 95


class Hands:
    """Does what `FootageHands` says; see `footage_hands`."""

    def __init__(self, settings: Settings) -> None:
        self._look = FootageLook(max_pixels=settings.max_pixels, max_file_bytes=settings.max_file_bytes)
        self._frames = FrameServer(max_pixels=settings.max_pixels)

    def place(self, connection: Connection, tow: ExportTow) -> PlacedTow:
        """Where the files of a tow lie on its clock; or that its review keeps it back, until minutes were counted blind to the model."""
        analysis = analysis_of_tow(connection, tow.tow_id)
        assert analysis is not None
        if withheld := withheld_words(connection, analysis):
            return PlacedTow(withheld=withheld)
        try:
            places = places_of(connection, tow.tow_id, analysis)
        except ReviewRefusedError:
            return PlacedTow(is_outdated=True)
        clips = tuple(PlacedClip(image_id=one.clip.image_id, from_s=one.from_s, to_s=one.to_s) for one in places.pieces)
        return PlacedTow(clips=clips, stills=tuple((image_id, at_s) for at_s, image_id in places.stills))

    def path_of(self, connection: Connection, image_id: int) -> Path | None:
        """Where the bytes of an image lie."""
        return path_of_image(connection, image_id)

    def frame_times(self, path: Path) -> list[float]:
        """See `FootageLook.frame_times`."""
        return self._look.frame_times(path)

    def still_hash(self, path: Path) -> int:
        """See `FootageLook.still_hash`."""
        return self._look.still_hash(path)

    def jpeg(self, path: Path, at_s: float) -> bytes:
        """A frame of a clip in its full size."""
        return self._frames.frame(FrameWanted(path=path, at_s=at_s, longest_px=_FULL_SIZE_PX, jpeg_quality=_JPEG_QUALITY)).jpeg

    def close(self) -> None:
        """End the processes."""
        self._look.close()
        self._frames.close()


@contextmanager
def footage_hands(settings: Settings) -> Iterator[FootageHands]:
    """Hands that are closed at the end."""
    hands = Hands(settings)
    try:
        yield hands
    finally:
        hands.close()
