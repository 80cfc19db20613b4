"""An intake that could not write what it took is not at rest: nobody may believe that all files are known."""

from __future__ import annotations

import time
from pathlib import Path

from tests.helpers.watching import Watching, wait_until

_REFUSE = "CREATE TRIGGER refuse BEFORE INSERT ON sightings BEGIN SELECT RAISE(ABORT, 'no'); END"


def test_a_refused_write_is_made_good_before_the_intake_rests(tmp_path: Path) -> None:
    root = tmp_path / "inbox"
    root.mkdir()
    (root / "still.jpg").write_bytes(b"still")
    watching = Watching(tmp_path / "home", root, watch=False, settle_s=2.5, rescan_s=1)
    try:
        watching.writer.call(lambda connection: connection.execute(_REFUSE))
        watching.intake.start()
        wait_until(lambda: watching.intake.failure is not None)
        end_s = time.monotonic() + 4.0
        while time.monotonic() < end_s:
            assert not watching.intake.idle
            time.sleep(0.001)
        watching.writer.call(lambda connection: connection.execute("DROP TRIGGER refuse"))
        watching.until({"still.jpg": "queued"})
        wait_until(lambda: watching.intake.idle)
    finally:
        watching.close()
