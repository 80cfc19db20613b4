"""Connects to the far sides of the settings, each with what it may cost."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from edge.errors import SettingsError
from edge.sink_settings import SinkSettings
from edge.store.writer import Writes
from sync.link.spend import Reader, spending
from sync.side import Opened
from sync.sinks.directory import DirectorySink
from sync.sinks.secrets import read_secret
from sync.sinks.sink import Free


@contextmanager
def opened_side(settings: SinkSettings, home: Path, writer: Writes, reader: Reader, *, is_held: Callable[[], bool]) -> Iterator[Opened]:
    """A far side, counted and slowed as its table says. `is_held`: whether nothing may go now.

    Raises:
        LoginNeededError: nothing is kept that it would know us by.
        StoreError: what is kept cannot be read.
    """
    if settings.kind == "directory":
        with opened_folder(settings) as opened:
            yield opened
        return
    secret = read_secret(home, settings)
    with spending(settings, writer, reader, is_paused=is_held) as spend:
        if settings.kind == "s3":
            from sync.sinks.s3 import S3Sink  # boto3 takes a while to load, and only who has a bucket needs it

            with closing(S3Sink(settings, secret, spend)) as sink:
                yield sink, spend
        else:
            raise SettingsError(f"{settings.name}: the kind {settings.kind} cannot be used yet")


@contextmanager
def opened_folder(settings: SinkSettings) -> Iterator[Opened]:
    """A folder: it costs nothing."""
    assert settings.path is not None  # the settings see to it
    yield DirectorySink(settings.name, settings.path), Free()
