"""How soon: from a still in the folder to its row in the database, and from start to ready."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

from edge.settings import Settings
from edge.store.connection import DATABASE_NAME, open_reader
from edge.store.sqlite import Connection
from tests.benchmarks.appliance import Running, ingest, service, wait_for, wait_until_idle
from tests.benchmarks.cost import percentile
from tests.benchmarks.stills import write_stills

LOOK_EVERY_S = 0.005


def drop_to_row(workspace: Path, *, quick: bool) -> dict[str, Any]:
    """One still at a time into the inbox of an idle appliance, until its row says done."""
    stills = write_stills(workspace / "drop", 6 if quick else 41, seed=21)
    home = workspace / "drop-home"
    with service(home) as running:
        _drop(running, stills[0])  # the first waits for the model to be ready
        wait_until_idle(running.pid)
        waited_s = [_drop(running, still) for still in stills[1:]]
    settle_s = float(Settings.model_fields["settle_s"].default)
    return {
        "stills": len(waited_s),
        "settle_s": settle_s,
        "p50_s": round(percentile(waited_s, 0.50), 3),
        "p95_s": round(percentile(waited_s, 0.95), 3),
        "p95_over_limit": round(percentile(waited_s, 0.95) / (settle_s + 0.5), 3),
        "limit": "p95 at most settle_s + 0.5 s: a ratio of at most 1",
    }


def _drop(running: Running, still: Path) -> float:
    """Seconds from the end of the copy to the row. The look is this often, so that it does not disturb."""
    connection = open_reader(running.home / DATABASE_NAME)
    try:
        (running.home / "inbox" / "burrows" / still.name).write_bytes(still.read_bytes())
        begun_s = time.monotonic()
        wait_for(lambda: _is_done(connection, still.name), still.name, limit_s=180.0, look_every_s=LOOK_EVERY_S)
        return time.monotonic() - begun_s
    finally:
        connection.close()


def _is_done(connection: Connection, name: str) -> bool:
    return (
        connection.execute("SELECT 1 FROM sightings WHERE name_bytes = ? AND state = 'done'", (os.fsencode(name),)).fetchone() is not None
    )


def start_to_ready(workspace: Path, *, quick: bool) -> dict[str, Any]:
    """From `imagine-edge run` to the first answer, on a home folder that has worked before."""
    home = workspace / "start-home"
    ingest(home, write_stills(workspace / "start", 2, seed=22)[0].parent)
    starts_s = []
    for _ in range(2 if quick else 7):
        with service(home) as running:
            starts_s.append(running.ready_s)
    return {
        "starts": len(starts_s),
        "p50_s": round(percentile(starts_s, 0.5), 3),
        "worst_s": round(max(starts_s), 3),
        "p50_over_limit": round(percentile(starts_s, 0.5) / 3.0, 3),
        "limit": "at most 3 s: a ratio of at most 1",
    }
