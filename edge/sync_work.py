"""Wires the desk of what goes ashore: to the far sides of the settings, and to whose results they are."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING

from edge import __version__
from edge.settings import Settings
from edge.store.facts import vessel_uuid
from sync.agent import Ashore, SyncAgent
from sync.bundle.write import Sender
from sync.desk import SyncDesk
from sync.far_sides import opened_side

if TYPE_CHECKING:
    from edge.service import Service
    from edge.sink_settings import SinkSettings
    from edge.store.sqlite import Connection
    from edge.store.writer import Writes
    from sync.side import Opened


def open_sync_desk(service: Service) -> SyncDesk:
    """The desk of a service; nothing goes before it is started."""
    return sync_desk(service.home, service.settings, service.writer, service.reader, may_work=service.may_work)


def sync_desk(
    home: Path,
    settings: Settings,
    writer: Writes,
    reader: Callable[[], AbstractContextManager[Connection]],
    *,
    may_work: Callable[[], bool] = lambda: True,
) -> SyncDesk:
    """The desk of a home folder."""
    sender = Sender(vessel_uuid=writer.call(vessel_uuid, quiet=True), vessel=settings.vessel.strip(), software_version=__version__)
    ashore = Ashore(
        home=home,
        writer=writer,
        reader=reader,
        sender=sender,
        max_bytes=settings.sync_bundle_kb * 1000,
        keep_days=settings.sync_keep_days,
    )

    def opener(sink: SinkSettings) -> AbstractContextManager[Opened]:
        return opened_side(sink, home, writer, reader, is_held=agent.is_held)

    agent = SyncAgent(ashore, settings.sinks, opener, may_work=may_work)
    return SyncDesk(agent, updates_url=settings.updates_url)
