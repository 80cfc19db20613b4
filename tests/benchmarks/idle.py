"""What the appliance takes when nothing happens: processor and memory with 100,000 known files, memory with many waiting."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

from edge.ingest.looks import look_at_folder
from edge.store import files
from edge.store.connection import DATABASE_NAME, immediate, open_reader, open_writer
from edge.store.sqlite import Connection
from tests.benchmarks.appliance import ingest, service, wait_for, wait_until_idle
from tests.benchmarks.cost import tree_cpu_s, tree_memory
from tests.benchmarks.stills import STILLS_PER_FOLDER, write_small_stills, write_stills
from tests.helpers.pieces import finish

MB = 1e6


def idle(workspace: Path, *, quick: bool) -> dict[str, Any]:
    """Processor share and memory of the whole tree while 100,000 files are known and none is new."""
    home, known, seconds = workspace / "idle-home", 5_000 if quick else 100_000, 30.0 if quick else 180.0
    ingest(home, write_stills(workspace / "idle", 2, seed=31)[0].parent)
    make_known_files(home, known)
    with service(home) as running:
        wait_until_idle(running.pid)
        before_s, begun_s = tree_cpu_s(running.pid), time.monotonic()
        time.sleep(seconds)
        share = (tree_cpu_s(running.pid) - before_s) / (time.monotonic() - begun_s)
        memory = tree_memory(running.pid)
    return {
        "known_files": known,
        "measured_s": seconds,
        "core_share": round(share, 5),
        "core_share_over_limit": round(share / 0.01, 3),
        "rss_mb": round(memory.rss_bytes / MB, 1),
        "pss_mb": round(memory.pss_bytes / MB, 1),
        "processes": memory.processes,
        "rss_over_limit": round(memory.rss_bytes / MB / 400, 3),
        "limit": "at most 1 % of a core and 400 MB: ratios of at most 1",
    }


def make_known_files(home: Path, count: int) -> None:
    """Put files of one byte into the inbox and record them as done, through the store's own functions."""
    inbox = home / "inbox" / "burrows"
    inbox.mkdir(parents=True, exist_ok=True)
    connection = open_writer(home / DATABASE_NAME)
    try:
        with immediate(connection):
            root = files.add_root(connection, inbox, "burrows", "in_place")
            for first in range(0, count, STILLS_PER_FOLDER):
                _make_folder(connection, root, inbox / f"known{first // STILLS_PER_FOLDER:04d}", min(STILLS_PER_FOLDER, count - first))
            connection.execute("UPDATE jobs SET state = 'done', finished_utc = queued_utc WHERE state = 'queued'")
    finally:
        connection.close()


def _make_folder(connection: Connection, root: files.Root, folder: Path, count: int) -> None:
    folder.mkdir()
    for number in range(count):
        (folder / f"still_{number:06d}.jpg").write_bytes(b"x")
    folder_id = files.add_folder(connection, root.root_id, os.fsencode(folder.name))
    for look in finish(look_at_folder(os.fsencode(folder), frozenset((b".jpg",)))).files:
        seen = files.SeenFile(
            folder_id=folder_id,
            recipe="burrows",
            folder_path_bytes=os.fsencode(folder),
            name_bytes=look.name_bytes,
            size_bytes=look.size_bytes,
            mtime_ns=look.mtime_ns,
            inode=look.inode,
        )
        files.store_file(connection, seen, sha256=f"{folder_id:032x}{int(look.name_bytes[6:12]):032x}", copy_path=None)


def memory_with_backlog(workspace: Path, *, quick: bool) -> dict[str, Any]:
    """Memory of the whole tree while the queue is short, and while 20,000 files wait."""
    short, long = (100, 1_000) if quick else (1_000, 20_000)
    home = workspace / "backlog-home"
    slow = "worker_threads = 1\n"  # so that files wait
    with service(home, settings=slow) as running:
        inbox = home / "inbox" / "burrows"
        write_small_stills(inbox / "first", short)
        wait_for(lambda: _stored(home) >= short and _done(home) >= short // 10, "the first results", limit_s=600)
        time.sleep(5.0)  # what proved the model on this machine is gone
        at_short = tree_memory(running.pid)
        write_small_stills(inbox / "second", long)
        highest = at_short.rss_bytes
        most_waiting = 0
        while _stored(home) < short + long:
            highest = max(highest, tree_memory(running.pid).rss_bytes)
            most_waiting = max(most_waiting, _waiting(home))
            time.sleep(0.5)
        most_waiting = max(most_waiting, _waiting(home))
        highest = max(highest, tree_memory(running.pid).rss_bytes)
    return {
        "waiting_at_most": most_waiting,
        "rss_mb_short_queue": round(at_short.rss_bytes / MB, 1),
        "rss_mb_highest": round(highest / MB, 1),
        "growth": round(highest / at_short.rss_bytes, 3),
        "bytes_per_waiting_file": round((highest - at_short.rss_bytes) / max(1, most_waiting)),
        "limit": "flat: a growth near 1",
    }


def _stored(home: Path) -> int:
    return _count(home, "SELECT count(*) FROM images")


def _done(home: Path) -> int:
    return _count(home, "SELECT count(*) FROM runs")


def _waiting(home: Path) -> int:
    return _count(home, "SELECT count(*) FROM sightings WHERE state IN ('seen', 'queued', 'leased')")


def _count(home: Path, query: str) -> int:
    connection = open_reader(home / DATABASE_NAME)
    try:
        return int(connection.execute(query).fetchone()[0])
    finally:
        connection.close()
