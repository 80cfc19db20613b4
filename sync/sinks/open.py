"""A far side of the settings, ready to be asked."""

from __future__ import annotations

from pathlib import Path

from edge.sink_settings import SinkSettings
from sync.link.counter import Meter
from sync.sinks.directory import DirectorySink
from sync.sinks.secrets import read_secret
from sync.sinks.sink import Sink


def open_sink(home: Path, settings: SinkSettings, meter: Meter) -> Sink:
    """Make it; nothing is contacted yet. `close` it.

    Args:
        home: where its secrets are kept.
        settings: which it is.
        meter: what counts its bytes and says when they may go; a folder needs none.

    Raises:
        LoginNeededError: nothing is kept that it would know us by.
        StoreError: what is kept cannot be used.
    """
    if settings.kind == "directory":
        assert settings.path is not None, "the settings were checked"
        return DirectorySink(settings.name, settings.path)
    secret = read_secret(home, settings)
    if settings.kind == "webdav":
        from sync.sinks.webdav import WebDavSink

        return WebDavSink(settings, secret, meter)
    from sync.sinks.s3 import S3Sink

    return S3Sink(settings, secret, meter)
