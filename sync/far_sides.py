"""Connects to the far sides of the settings, each with what it may cost."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from edge.sink_settings import SinkSettings
from sync.side import Opened
from sync.sinks.directory import DirectorySink
from sync.sinks.sink import Free


@contextmanager
def opened_folder(settings: SinkSettings) -> Iterator[Opened]:
    """A folder: it costs nothing."""
    assert settings.path is not None  # the settings see to it
    yield DirectorySink(settings.name, settings.path), Free()
