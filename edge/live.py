"""The live figures of the service, put together for the pages and for the health checks."""

from __future__ import annotations

import os
import time
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import structlog

from edge import __version__
from edge.errors import EdgeError
from edge.health.context import FolderState, HealthContext
from edge.health.disk import DiskLevel
from edge.pipeline.dispatcher import Dispatcher
from edge.recipes.zooscan import ZOOSCAN
from edge.store import jobs
from edge.store.backup import rescue
from edge.store.clock import utc_now
from edge.store.files import shown
from edge.store.sqlite import Connection, sqlite3
from edge.units import bytes_to_mib
from edge.web.appliance import DiskStatus, LiveStatus, ModelStatus, Phase, RootStatus, WorkerStatus
from models.runtime.machine import x_ray

if TYPE_CHECKING:
    from edge.service import Service
    from edge.zooscan.desk.desk import ScanDesk

log = structlog.get_logger()


_RESCUE_PATIENCE_S = 20.0
_RESCUE_LOOK_S = 0.1
_COUNT_SHARE = 20  # counting a queue of 2,000,000 takes 0.2 s: it may cost a twentieth of the time


class QueueGauge:
    """Jobs that wait, as last counted: the longer the count takes the more rarely it is made. For any thread."""

    def __init__(self) -> None:
        self._length = 0
        self._due_s = 0.0

    def read(self, service: Service) -> int:
        """The number of jobs that wait in all recipes; 0 while the database does not answer."""
        begun_s = time.monotonic()
        if begun_s >= self._due_s:
            try:
                with service.reader() as connection:
                    self._length = sum(jobs.queue_length(connection, recipe) for recipe in service.dispatchers)
            except EdgeError:
                return 0
            ended_s = time.monotonic()
            self._due_s = ended_s + (ended_s - begun_s) * _COUNT_SHARE
        return self._length


def rescue_database(service: Service) -> None:
    """Keep what a database holds whose file is gone, as soon as the results in hand are in it."""
    end_s = time.monotonic() + _RESCUE_PATIENCE_S
    while any(dispatcher.in_flight for dispatcher in service.dispatchers.values()) and time.monotonic() < end_s:
        time.sleep(_RESCUE_LOOK_S)  # results in hand go with it
    try:
        service.writer.at_rest(partial(rescue, service.home))
    except (EdgeError, OSError, sqlite3.Error):
        log.exception("database_not_rescued")


def live_status(service: Service) -> LiveStatus:
    """What is happening now, at little cost however long the queue is."""
    dispatchers = list(service.dispatchers.values())
    rates = [rate for dispatcher in dispatchers if (rate := dispatcher.tally.images_per_s(time.monotonic())) is not None]
    images_per_s = sum(rates) if rates else None
    in_flight = tuple(name for dispatcher in dispatchers for name in dispatcher.in_flight)
    in_flight += () if service.scans.at_work is None else (f"{service.scans.at_work} {service.scans.stage}".strip(),)
    queue_length = service.queue.read(service)
    phase, detail = _phase(service, busy=bool(in_flight or queue_length or service.intake.waiting))
    return LiveStatus(
        as_of_utc=utc_now(),
        phase=phase,
        phase_detail=detail,
        roots=tuple(
            RootStatus(path=root.path, recipe=root.recipe, intake=root.intake, reachable=not root.troubles, detail="; ".join(root.troubles))
            for root in service.intake.status()
        )
        + _scan_roots(service.scans),
        images_per_s=images_per_s,
        in_flight=in_flight,
        queue_length=queue_length,
        eta_s=queue_length / images_per_s if images_per_s and queue_length else None,
        models=tuple(_model(service, dispatcher) for dispatcher in dispatchers),
        disk=DiskStatus(free_bytes=service.disk.free_bytes, total_bytes=service.disk.total_bytes, floor_bytes=service.disk.floor_bytes),
        workers=tuple(_worker(service, dispatcher) for dispatcher in dispatchers),
        last_inventory_utc=min((root.looked_utc for root in service.intake.status() if root.looked_utc), default=None),
        started_utc=service.started_utc,
        software_version=__version__,
        sqlite_version=sqlite3.sqlite_version,
        faults=_faults(service),
    )


def _faults(service: Service) -> tuple[str, ...]:
    """Parts that fail or are no longer there. None of them ends by itself before the service does."""
    if service.stopping:
        return ()
    faults = [] if service.lost is None else [str(service.lost)]
    faults += [] if service.intake.failure is None else [f"intake: {service.intake.failure}"]
    faults += [] if service.scans.failure is None else [f"scans: {service.scans.failure}"]
    for dispatcher in service.dispatchers.values():
        trouble = "it has ended" if dispatcher.has_ended else dispatcher.trouble
        faults += [f"dispatcher of {dispatcher.recipe}: {trouble}"] if trouble else []
    ended = [name for name, has_ended in (("pulse", service.pulse_has_ended), ("health checks", service.health.has_ended)) if has_ended]
    return (*faults, *(f"{name}: it has ended" for name in ended))


def _phase(service: Service, *, busy: bool) -> tuple[Phase, str]:
    if service.stopping:
        return Phase.STOPPING, ""
    if service.paused_by is not None:
        return Phase.PAUSED, f"by {service.paused_by}"
    if service.lost is not None:
        return Phase.PAUSED, str(service.lost)
    if service.disk.level is not DiskLevel.OK:
        return Phase.PAUSED, "the disk is full" if service.disk.level is DiskLevel.FULL else "the disk is low: nothing new is taken"
    if service.intake.failure is not None:
        return Phase.PAUSED, service.intake.failure
    if service.intake.inventories == 0:
        return Phase.STARTING, "first look at the folders"
    failed = [
        model.detail for dispatcher in service.dispatchers.values() if (model := service.models.at_work(dispatcher)).state == "failed"
    ]
    if failed:
        return Phase.PAUSED, f"the model is not usable: {failed[0]}"
    return (Phase.PROCESSING if busy else Phase.WATCHING), ""


def _scan_roots(scans: ScanDesk) -> tuple[RootStatus, ...]:
    """The watched folders of scans; one that cannot be looked at says why, a project in it on the Health page."""
    troubles = {one.folder: one.trouble for one in scans.troubles}
    paths = [shown(os.fsencode(folder)) for folder in scans.folders]
    return tuple(
        RootStatus(path=path, recipe=ZOOSCAN.name, intake="in_place", reachable=path not in troubles, detail=troubles.get(path, ""))
        for path in paths
    )


def _model(service: Service, dispatcher: Dispatcher) -> ModelStatus:
    model = service.models.at_work(dispatcher)
    return ModelStatus(
        recipe=model.recipe, name=model.name, version=model.version, variant=model.variant, state=model.state, detail=model.detail
    )


def _worker(service: Service, dispatcher: Dispatcher) -> WorkerStatus:
    waits = dispatcher.state == "stopped" and service.models.at_work(dispatcher).state == "preparing"
    return WorkerStatus(
        recipe=dispatcher.recipe,
        pid=dispatcher.worker_pid,
        state="starting" if waits else dispatcher.state,
        rss_bytes=dispatcher.worker_rss_bytes,
        detail="when its model is checked" if waits else dispatcher.detail,
    )


def health_context(service: Service, connection: Connection, now_utc: datetime) -> HealthContext:
    """What the health checks judge."""
    models = [service.models.at_work(dispatcher) for dispatcher in service.dispatchers.values()]
    return HealthContext(
        connection=connection,
        home=service.home,
        now_utc=now_utc,
        disk_level=service.disk.level,
        free_bytes=service.disk.free_bytes,
        floor_bytes=service.disk.floor_bytes,
        backup_every_h=service.settings.backup_every_h,
        machine=service.keeper.machine,
        folders=tuple(
            FolderState(path=Path(root.path), troubles=root.troubles, known_files=root.file_count > 0, ignored_files=root.ignored)
            for root in service.intake.status()
        )
        + tuple(FolderState(path=folder) for folder in service.scans.folders),
        model_faults={model.recipe: model.detail for model in models if model.state == "failed"},
        sinks=tuple(sink.name for sink in service.settings.sinks),
        worker_restarts={
            recipe: service.restarts[recipe].note(dispatcher.tally.restarts, time.monotonic())
            for recipe, dispatcher in service.dispatchers.items()
        },
    )


def describe_machine() -> dict[str, str]:
    """This machine, as labels and texts."""
    machine = x_ray()
    return {
        "System": machine.system,
        "Processor": machine.cpu,
        "Abilities": ", ".join(machine.cpu_flags) or "none that matter for networks",
        "Processor cores": str(machine.cores),
        "Memory": f"{bytes_to_mib(machine.memory_bytes):.0f} MiB",
        "GPU devices": ", ".join(machine.gpus) or "none",
        "Runtimes": ", ".join(machine.runtimes),
    }
