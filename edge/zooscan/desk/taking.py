"""Projects and scans that a command names: looked at now, whatever is watched."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

from edge.errors import InputError, Reason
from edge.store.files import shown
from edge.store.reads import zooscan as reads
from edge.store.zooscan import scans
from edge.zooscan.desk.queueing import Queueing


class Taking(Queueing):
    """Takes what is named."""

    def take_project(self, folder: Path, *, actor: str) -> str:
        """Look at one project folder now, until nothing in it may still be copied, and queue again what failed of it before.

        Returns:
            The folder as the database knows it.

        Raises:
            InputError: UNREADABLE_FILE, it cannot be looked at.
        """
        self._settled(lambda: self.look([folder]))
        if self.troubles:
            raise InputError(Reason.UNREADABLE_FILE, self.troubles[0].trouble, advice="Check the folder, its permissions and its medium.")
        return self._again(folder, None, actor)

    def take_file(self, raw: Path, backgrounds: tuple[Path, Path] | None, *, actor: str) -> tuple[str, str]:
        """Look at one raw scan that lies in no project, as `take_project` does. Returns its folder and its name.

        Raises:
            InputError: UNREADABLE_FILE, it cannot be looked at.
        """
        names: list[str] = []

        def look() -> None:
            with self._looking:
                names.append(self._watch.look_at_file(raw, backgrounds, time.monotonic()))

        try:
            self._settled(look)
        except OSError as error:
            raise InputError(Reason.UNREADABLE_FILE, f"{raw.parent} cannot be read: {error.strerror}") from error
        return self._again(raw.parent, names[-1], actor), names[-1]

    def _settled(self, look: Callable[[], None]) -> None:
        """Look once; twice, if something may still be copied."""
        look()
        if self.is_settling and not self._stopping.wait(self.settings.settle_s):
            look()

    def _again(self, folder: Path, name: str | None, actor: str) -> str:
        with self.reader() as connection:
            known = shown(os.fsencode(folder))
            failed = [row.id for row in reads.scans_of_folder(connection, known) if row.state == "failed" and name in (None, row.name)]
        if failed:
            self.writer.call(
                lambda connection: scans.queue_again(connection, failed, states=["failed"], actor=actor, action="zooscan_retry")
            )
        return known
