"""Wires the desks of the survey: who may do what with people, sheets, tracks, media, counts, tows and reviews."""

from __future__ import annotations

import threading
from functools import cached_property
from typing import TYPE_CHECKING

from edge.annotation_work import open_annotation_desk
from edge.footage import FrameGiven, FrameWanted, SheetWanted, StripGiven, StripWanted
from edge.footage_work import open_tow_desk
from edge.pipeline.frame_server import FrameServer
from edge.scan_work import open_ecotaxa_desk, open_scan_desk
from edge.store.seal import open_seal
from edge.survey.boxes_desk import BoxesDesk
from edge.survey.copy_desk import CopyDesk
from edge.survey.counting.desk import CountingDesk
from edge.survey.media_desk import MediaDesk
from edge.survey.people_desk import open_people
from edge.survey.review_desk import ReviewDesk
from edge.survey.sheet_desk import SheetDesk
from edge.survey.tables_desk import TablesDesk
from edge.survey.track_desk import TrackDesk
from edge.survey.waiting_desk import WaitingDesk
from edge.sync_work import open_sync_desk

if TYPE_CHECKING:
    from edge.service import Service
    from edge.zooscan.engine.pictures import ScanPictures


class SurveyDesks:
    """The desks of a service, and the processes that decode footage for its pages."""

    def __init__(self, service: Service, *, written: threading.Event, tow_due: threading.Event) -> None:
        """Take a service with its home, settings and writer; the events are set when something was written."""
        writer, reader = service.writer, service.reader
        self.people = open_people(service.home, writer, reader, service.settings)
        self.seal = open_seal(service.home)
        self.media = MediaDesk(writer, reader, self.seal, wanted=written)
        self.waiting = WaitingDesk(writer, reader, self.seal)
        self.copies = CopyDesk(service.home, writer, reader)
        self.sheets = SheetDesk(writer, reader, self.seal, on_lines=self.media.kick)
        self.tables = TablesDesk(writer, reader, self.seal)
        self.tracks = TrackDesk(writer, reader)
        self.boxes = BoxesDesk(writer, reader)
        self.counting = CountingDesk(writer, reader, self.seal, check_pin=self.people.check_pin)
        self.reviews = ReviewDesk(writer, reader)
        self._clip_frames = FrameServer(max_pixels=service.settings.max_pixels)
        self._strips = FrameServer(max_pixels=service.settings.max_pixels)  # apart: a reviewer's chips hold up no counter
        self.tows = open_tow_desk(service, self.seal, wanted=tow_due)
        self.scans = open_scan_desk(service)
        self.ecotaxa = open_ecotaxa_desk(service)
        self.annotation = open_annotation_desk(service)
        self.sync = open_sync_desk(service)
        self._home, self._reader = service.home, reader

    @cached_property
    def scan_pictures(self) -> ScanPictures:
        """The pictures of scans; OpenCV is loaded when somebody looks at the first."""
        from edge.zooscan.engine.pictures import ScanPictures

        return ScanPictures(self._home, self._reader)

    def start(self) -> None:
        """Begin what works in the background."""
        self.media.start()
        self.waiting.start()
        self.tows.start()
        if self.scans.folders:
            self.scans.start()
        self.ecotaxa.start()
        self.annotation.start()
        self.sync.start()

    def close(self) -> None:
        """End it."""
        self.media.stop()
        self.waiting.stop()
        self.tows.stop()
        self.scans.stop()
        self.ecotaxa.stop()
        self.annotation.stop()
        self.sync.stop()
        self._clip_frames.close()
        self._strips.close()
        self.copies.close()

    def clip_frame(self, wanted: FrameWanted) -> FrameGiven:
        """A frame of a clip as a picture."""
        return self._clip_frames.frame(wanted)

    def strip(self, wanted: StripWanted | SheetWanted) -> StripGiven:
        """Crops of several frames in one picture; or a frame strip on one sheet."""
        return self._strips.strip(wanted)
