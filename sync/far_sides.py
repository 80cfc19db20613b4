"""Connects to the far sides of the settings, each with what it may cost."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from edge.sink_settings import SinkSettings
from edge.store.writer import Writes
from sync.link.counter import FreeMeter
from sync.link.spend import Reader, spending
from sync.side import Opened
from sync.sinks.directory import DirectorySink
from sync.sinks.open import open_sink
from sync.sinks.sink import Free


@contextmanager
def opened_side(settings: SinkSettings, home: Path, writer: Writes, reader: Reader, *, is_held: Callable[[], bool]) -> Iterator[Opened]:
    """A far side, counted and slowed as its table says. `is_held`: whether nothing may go now.

    Raises:
        LoginNeededError: nothing is kept that it would know us by.
        StoreError: what is kept cannot be read.
    """
    if settings.kind == "directory":
        meter = FreeMeter()
        with closing(open_sink(home, settings, meter)) as sink:
            yield sink, meter
        return
    with spending(settings, writer, reader, is_paused=is_held) as spend, closing(open_sink(home, settings, spend)) as sink:
        yield sink, spend


@contextmanager
def opened_folder(settings: SinkSettings) -> Iterator[Opened]:
    """A folder alone: it costs nothing."""
    assert settings.path is not None, "the settings were checked"
    yield DirectorySink(settings.name, settings.path), Free()
