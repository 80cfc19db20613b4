"""The listener: a uvicorn server on a port of its own, in a thread beside the appliance or alone."""

from __future__ import annotations

import asyncio
import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import structlog
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from annotator_bridge.facade.access import Doorman
from annotator_bridge.facade.child import ChildSpec
from annotator_bridge.facade.record import Recorder, read_record
from annotator_bridge.facade.turns import Turns
from annotator_bridge.facade.worker import Worker
from annotator_bridge.functions.catalogue import CatalogueReader
from annotator_bridge.nuclio_api import Facade, FacadeParts
from edge.errors import SettingsError
from edge.settings import Settings
from edge.units import mib_to_bytes
from models.runtime.machine import usable_cores

log = structlog.get_logger()

MOST_WAITING = 64
_MOST_SLOTS = 8  # each holds an image and the memory of an inference
_SILENT_S = 15.0
_MOST_CONNECTIONS = 256
_STOP_GRACE_S = 3
_BEAT_S = 0.5
_AGAIN_S = 20.0
_STARTED_WITHIN_S = 10.0


class Listener:
    """The facade of a home folder on a bound port. `run` serves until `stop`; `start` does so in a thread."""

    def __init__(self, home: Path, settings: Settings) -> None:
        """Bind the port and make everything ready; no model is loaded, no process started.

        Raises:
            SettingsError: the port is taken, the address is not this machine's, or who may call is not said properly.
        """
        doorman = Doorman(settings.cvat_allowed_from, settings.cvat_token)
        self._socket = _bound(settings.cvat_host, settings.cvat_port)
        port = self._socket.getsockname()[1]
        self.url = f"http://{_shown(settings.cvat_host)}:{port}"
        spec = ChildSpec(home=home, threads=min(usable_cores(), _MOST_SLOTS), max_pixels=settings.max_pixels)
        turns = Turns(slots=spec.threads, limit=MOST_WAITING)
        self.worker = Worker(spec, turns, call_limit_s=settings.worker_timeout_s, memory_mb=settings.worker_memory_mb)
        self.recorder = Recorder(home, url=self.url)
        self.catalogue = CatalogueReader(home)
        parts = FacadeParts(
            catalogue=self.catalogue,
            worker=self.worker,
            doorman=doorman,
            recorder=self.recorder,
            port=port,
            body_bytes=mib_to_bytes(settings.cvat_body_mb),
        )
        self._server = _Server(_config(Facade(parts)))
        self._thread: threading.Thread | None = None

    def run(self) -> None:
        """Serve until `stop`, Ctrl-C or SIGTERM."""
        log.info("bridge_listens", url=self.url)
        try:
            self._server.run(sockets=[self._socket])
        finally:
            self._close()

    def start(self) -> None:
        """Serve in a thread of its own; returns when calls are taken."""
        self._thread = threading.Thread(target=self.run, name="bridge", daemon=True)
        self._thread.start()
        end_s = time.monotonic() + _STARTED_WITHIN_S
        while not self._server.started and self._thread.is_alive() and time.monotonic() < end_s:
            time.sleep(0.01)

    def stop(self) -> None:
        """Let calls that are in hand end for a moment, then end everything."""
        self._server.should_exit = True
        if self._thread is not None:
            self._thread.join()

    def _close(self) -> None:
        self._socket.close()
        self.worker.close()
        self.recorder.close()
        log.info("bridge_closed", url=self.url)


@contextmanager
def bridge_beside(home: Path, settings: Settings) -> Iterator[Listener | None]:
    """The facade beside an appliance, as `cvat_bridge` says; None if it cannot be served yet.

    Then the log and the health page say why, and it is tried again now and then: after a restart of the machine Docker's bridge, whose
    address `cvat_host` may be, comes up later than the appliance.
    """
    if not settings.cvat_bridge:
        yield None
        return
    beside = _Beside(home, settings)
    try:
        yield beside.open()
    finally:
        beside.close()


class _Beside:
    """Serves as soon as that is possible."""

    def __init__(self, home: Path, settings: Settings) -> None:
        self._home = home
        self._settings = settings
        self._listener: Listener | None = None
        self._ending = threading.Event()
        self._again = threading.Thread(target=self._try_again, name="bridge-again", daemon=True)

    def open(self) -> Listener | None:
        fault = self._try()
        if fault:
            log.error("bridge_not_served", error=fault)
            _note_fault(self._home, fault)
            self._again.start()
        return self._listener

    def close(self) -> None:
        self._ending.set()
        if self._again.ident is not None:
            self._again.join()
        if self._listener is not None:
            self._listener.stop()

    def _try(self) -> str:
        """Why it cannot be served; empty if it is."""
        try:
            listener = Listener(self._home, self._settings)
        except SettingsError as error:
            return str(error)
        listener.start()
        self._listener = listener
        return ""

    def _try_again(self) -> None:
        while not self._ending.wait(_AGAIN_S):
            if not self._try():
                return


def _note_fault(home: Path, fault: str) -> None:
    """Keep why it is not served, unless `cvat serve` serves this very home folder in its stead."""
    record = read_record(home)
    if record is None or not record.is_serving or record.pid == os.getpid():
        Recorder(home, url="", fault=fault).close()


class _Protocol(H11Protocol):
    """A connection that says nothing for a while, or only begins to, is closed: it would stay for ever."""

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self.loop.call_later(_SILENT_S, self._close_silent)

    def _close_silent(self) -> None:
        has_asked: bool = self.cycle is not None  # uvicorn's types do not say that there is none at first
        if not has_asked and not self.transport.is_closing():
            self.transport.close()


class _Server(uvicorn.Server):
    """Looks twice a second whether it shall end, not ten times: it waits for calls for days."""

    async def main_loop(self) -> None:
        counter = 0
        while not await self.on_tick(counter):
            counter = (counter + 10) % 864_000
            await asyncio.sleep(_BEAT_S)


def _config(app: Facade) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        http=_Protocol,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,  # who may call hangs on the address that really calls
        timeout_graceful_shutdown=_STOP_GRACE_S,
        limit_concurrency=_MOST_CONNECTIONS,
    )


def _bound(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    if os.name == "posix":  # elsewhere it would let two programs have one port
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
        listening.listen(128)
    except OSError as error:
        listening.close()
        advice = (
            "Is an appliance running already (it serves the models itself, `cvat_bridge`), or Nuclio? `cvat_port`, or --port, takes "
            "another port; `cvat_host` must be an address of this machine."
        )
        raise SettingsError(f"CVAT's models cannot be served on {host}:{port}: {error.strerror}", advice=advice) from error
    return listening


def _shown(host: str) -> str:
    """The address to show: of all addresses, the machine's own loopback."""
    shown = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 (shown, not bound)
    return f"[{shown}]" if ":" in shown else shown
