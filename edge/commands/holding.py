"""Change a home folder from a command, while no appliance works on it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from edge.errors import SettingsError
from edge.logs import configure_logs
from edge.store.lock import HomeLock
from edge.store.open import open_store
from edge.store.writer import Writer


@contextmanager
def held_store(home: Path) -> Iterator[Writer]:
    """The writer of a home folder, made if there is none; this process holds the folder for as long as it takes.

    Raises:
        BusyError: an appliance works on it; ask that one.
        SettingsError: the folder cannot be made.
        StoreError: the database cannot be used.
    """
    try:
        home.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SettingsError(f"the home folder {home} cannot be made: {error.strerror}", advice="Give --home another folder.") from error
    configure_logs(home)
    lock = HomeLock(home)
    lock.acquire()
    try:
        writer = open_store(home, on_commit=lambda: None)
        try:
            yield writer
        finally:
            writer.close()
    finally:
        lock.release()
