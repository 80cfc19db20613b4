"""Folders whose files belong to no survey: an administrator says so, and what models find in them is shown (decision 0033)."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import AbstractContextManager

import structlog

from edge.errors import SettingsError
from edge.store import waiting as store
from edge.store.facts import get_fact
from edge.store.seal import Seal
from edge.store.sealed_runs import open_analyses_of_free_tows, open_images
from edge.store.sqlite import Connection
from edge.store.writer import Writes

log = structlog.get_logger()

BATCH = 500  # images that are opened in one transaction: about 0.2 s in which nobody else writes
AGAIN_S = 30.0


class WaitingDesk:
    """Frees folders and takes them back. Every method may be called from any thread."""

    def __init__(self, writer: Writes, reader: Callable[[], AbstractContextManager[Connection]], seal: Seal) -> None:
        """Take who writes, who reads, and the seal that is opened."""
        self._writer = writer
        self._reader = reader
        self._seal = seal
        self._wanted, self._stopping = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run, name="waiting", daemon=True)

    def start(self) -> None:
        """Open what is asked for; first what an end of the appliance interrupted."""
        self._wanted.set()
        self._thread.start()

    def stop(self) -> None:
        """End after the batch in hand; the rest is opened after the next start."""
        self._stopping.set()
        self._wanted.set()
        if self._thread.is_alive():
            self._thread.join()

    def free(self, folder_id: int, reason: str, actor: str) -> None:
        """The files in a folder and below it belong to no survey: what models find there is shown from now on.

        What is sealed there already is opened soon, by a thread: a season's folder takes minutes. Files that belong to a tow which
        people count stay as blind as that tow is.

        Raises:
            SettingsError: there is no such folder, or no reason.
        """
        _check(reason)
        if not self._writer.call(lambda connection: store.free_folder(connection, folder_id, reason.strip(), actor=actor)):
            raise SettingsError(f"there is no folder {folder_id}", advice="Reload the page.")
        self._wanted.set()

    def take_back(self, folder_id: int, reason: str, actor: str) -> None:
        """What is found in a folder from now on is sealed again; what was shown stays so.

        Raises:
            SettingsError: it was not freed, or there is no reason.
        """
        _check(reason)
        if not self._writer.call(lambda connection: store.take_folder_back(connection, folder_id, reason.strip(), actor=actor)):
            raise SettingsError("this folder's files may belong to a survey already", advice="Reload the page.")

    def resume(self) -> int:
        """Open what is sealed of freed folders, some at a time. Returns how many results came back."""
        with self._reader() as connection:
            asked = get_fact(connection, store.TO_OPEN)
            if asked is None:
                return 0
            images = store.images_to_open(connection)
        opened = 0
        for at in range(0, len(images), BATCH):
            if self._stopping.is_set():
                return opened
            opened += self._open(images[at : at + BATCH])
        self._writer.call(lambda connection: self._end(connection, asked))
        return opened

    def _end(self, connection: Connection, asked: str) -> None:
        open_analyses_of_free_tows(connection, self._seal)
        store.note_opened(connection, asked)

    def _open(self, images: list[int]) -> int:
        return self._writer.call(lambda connection: open_images(connection, self._seal, images))

    def _run(self) -> None:
        while not self._stopping.is_set():
            self._wanted.wait()
            self._wanted.clear()
            try:
                self.resume()
            except Exception:  # the thread's border: whatever it was, such as a full disk, what is sealed stays so until it is tried again
                log.exception("opening_failed")
                self._stopping.wait(AGAIN_S)
                self._wanted.set()


def _check(reason: str) -> None:
    if not reason.strip():
        raise SettingsError("this needs a reason", advice="Say why; it stands in the audit trail for good.")
