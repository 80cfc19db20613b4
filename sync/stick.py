"""Sticks: everything that no stick has yet goes onto one by hand; and what lies on one that came from shore."""

from __future__ import annotations

import threading
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from edge.errors import SettingsError, TransportError
from edge.store import deliveries
from edge.store.clock import utc_now
from edge.store.deliveries import USB
from edge.store.reads.ashore import OpenDelivery
from edge.store.reads.backlog import for_a_stick, next_waiting
from sync.agent import PRIORITIES, Ashore, SyncAgent
from sync.bundle.columns import BundleDamagedError
from sync.bundle.files import find_bundles
from sync.delivery import deliver
from sync.packing import KINDS
from sync.sinks.directory import DirectorySink
from sync.sinks.sink import Free, SinkAwayError


@dataclass(frozen=True, slots=True, kw_only=True)
class Exported:
    """What a stick got. `on_own_disk`: the folder lies on the disk of the home folder, so no stick is there."""

    path: str
    bundles: int
    size_bytes: int
    on_own_disk: bool


class UsbExport:
    """Brings bundles to sticks, one export at a time. Nothing waits for a stick: what one did not get, the next one does."""

    def __init__(self, agent: SyncAgent) -> None:
        self._agent = agent
        self._one_at_a_time = threading.Lock()
        self.at_work = ""

    def run(self, folder: Path) -> Exported:
        """See `SyncDesk.usb_export`."""
        if not self._one_at_a_time.acquire(blocking=False):
            raise SettingsError("another stick is being filled", advice="Wait until that one is done; the Sync page says when.")
        try:
            return self._run(folder.absolute())
        finally:
            self.at_work = ""
            self._one_at_a_time.release()

    def _run(self, folder: Path) -> Exported:
        agent = self._agent
        sink = DirectorySink(USB, folder)
        sink.set_up()
        agent.begin()
        count, size_bytes = 0, 0
        while True:
            with agent.ashore.reader() as connection:
                found = for_a_stick(connection)
            for delivery in found:
                if agent.is_stopping:
                    raise TransportError("the appliance is stopping", advice="Ask for the rest when it runs again; what is there stays.")
                self.at_work = f"{folder}: {count} bundles are there, {len(found)} were to come"
                size_bytes += self._bring(delivery, sink)
                count += 1
            if not self._pack():
                return Exported(
                    path=str(folder), bundles=count, size_bytes=size_bytes, on_own_disk=_is_same_disk(folder, agent.ashore.home)
                )

    def _pack(self) -> bool:
        """Make the next bundle of what waits, for the far sides that take it, or for the stick where there is none."""
        agent = self._agent
        with agent.ashore.reader() as connection:
            waits = next_waiting(connection, tuple(KINDS), tuple(PRIORITIES), now_utc=utc_now(), limit=1)
        return waits is not None and agent.pack(agent.sinks_of(waits.priority) or (USB,), priority=waits.priority)

    def _bring(self, delivery: OpenDelivery, sink: DirectorySink) -> int:
        """Returns its size.

        Raises:
            TransportError: it did not arrive; no stick is waited for on its account.
        """
        ashore, why = self._agent.ashore, list[TransportError]()
        ashore.writer.call(partial(deliveries.add_delivery, bundle_id=delivery.bundle_id, sink=USB))
        outcome = deliver(
            delivery,
            self._agent.packer.path_of(delivery.sha256),
            sink,
            Free(),
            vessel_uuid=ashore.sender.vessel_uuid,
            writer=ashore.writer,
            jitter=0.0,
            on_error=why.append,
        )
        if why:
            ashore.writer.call(partial(deliveries.drop_delivery, bundle_id=delivery.bundle_id, sink=USB))
            raise why[-1]
        return delivery.size_bytes if outcome == "confirmed" else 0  # what is lost aboard is bundled anew


def look_at_stick(folder: Path, ashore: Ashore) -> dict[str, Any]:
    """What lies on a stick; signatures of models are checked and remembered, nothing is installed.

    Returns:
        `what` (models, bundles, nothing), `words`, and `offers` (name, version, title) or `bundles` (their number).

    Raises:
        SinkAwayError: there is no such folder.
        EdgeError: there are models, and nobody is trusted for them, or they are not to be trusted.
    """
    if not folder.is_dir():
        raise SinkAwayError(f"there is no folder {folder}", advice="Put the stick in, then ask again.")
    if any((place / "metadata" / "timestamp.json").is_file() for place in (folder, folder / "public")):
        from sync.updates.client import Aboard, check

        found = check(Aboard(home=ashore.home, writer=ashore.writer, source=str(folder.absolute())))
        offers = [{"name": one.name, "version": one.version, "title": one.title} for one in found.offers]
        words = f"{len(offers)} signed models, whose signatures hold until {found.fresh_until_utc[:10]}"
        install = f"imagine-edge sync install NAME VERSION --from {folder}"
        return {"what": "models", "words": words, "offers": offers, "next": install}
    with suppress(BundleDamagedError):  # which says that there are none
        count = sum(1 for _ in find_bundles(folder))
        words = f"{count} of our bundles of results, which belong ashore"
        return {"what": "bundles", "words": words, "bundles": count, "next": f"imagine-edge shore merge {folder} --into shore.db"}
    return {"what": "nothing", "words": "neither signed models nor bundles of results lie here"}


def _is_same_disk(folder: Path, home: Path) -> bool:
    try:
        return folder.stat().st_dev == home.stat().st_dev
    except OSError:
        return False
