"""The light of a scan: is it to be scanned again while its sample is in the tray?"""

from __future__ import annotations

import re
from datetime import datetime

from edge.store.reads.zooscan import ScanRow, current_run, entries_standing, scan_by_uuid, scan_texts
from edge.store.sqlite import Connection
from edge.zooscan.desk.core import DeskCore
from edge.zooscan.failing import NOT_THE_SAMPLE
from edge.zooscan.light import Light, LightFacts, light_of, light_of_failure
from edge.zooscan.project.files import scanned_at
from edge.zooscan.project.log import read_log
from edge.zooscan.standing import what_stands

_BACKGROUND = re.compile(r"(?P<at>\d{8}_\d{4})_background_(?P<frame>large|narrow)_manual\.tif$")


class Lighting(DeskCore):
    """Lights of scans."""

    def light(self, scan_uuid: str) -> Light | None:
        """The light of a scan; None until it was processed.

        Raises:
            ScanRefusedError: there is no such scan.
        """
        with self.reader() as connection:
            scan = scan_by_uuid(connection, scan_uuid)
            return self.scan_light(connection, scan if scan is not None else self.scan_of(scan_uuid))

    @staticmethod
    def scan_light(connection: Connection, scan: ScanRow) -> Light | None:
        """The same, for a scan that was read with its counts."""
        run = current_run(connection, scan.id)
        is_failed = scan.state == "failed"
        if is_failed and (run is None or scan.reason not in NOT_THE_SAMPLE or scan.original == "changed"):
            return light_of_failure(scan.reason)
        if run is None or scan.state not in ("done", "failed"):
            return None
        texts = scan_texts(connection, scan.id)
        at_local, frame = _of_background(run.background)
        missing = run.frame.get("missing", ())
        return light_of(
            LightFacts(
                objects=scan.objects or 0,
                sample=what_stands(texts.meta, texts.log, entries_standing(connection, scan.id)).sample,
                black_share=run.black_share,
                background_at=at_local,
                background_frame=frame,
                log=None if texts.log is None else read_log(texts.log),
                serial=scan.serial,
                missing_sides=tuple(str(side) for side in missing),
                pixel_mm=run.pixel_mm,
            ),
            failed_again=scan.reason if is_failed else "",
        )


def _of_background(name: str) -> tuple[datetime | None, str | None]:
    """When and with which frame the empty glass was scanned, by the name of the pair."""
    named = _BACKGROUND.match(name)
    return (scanned_at(named["at"]), named["frame"]) if named else (None, None)
