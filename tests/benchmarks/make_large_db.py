"""Make a database of survey size through the real schema: 350,000 files with 10,000,000 objects by default.

Usage: python tests/benchmarks/make_large_db.py HOME [--files N] [--objects-per-file N]

The files do not exist on disk; everything else is as the appliance would have written it. Durability is off while
writing: a power cut here costs nothing.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import random
import time
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from importlib import resources
from itertools import islice
from pathlib import Path
from typing import Any

from edge.store.clock import utc_text
from edge.store.connection import DATABASE_NAME, migrate, open_writer
from edge.store.sqlite import Connection

FILES_PER_FOLDER = 700  # about a minute of stills at 12.5 a second
BATCH_FILES = 5_000
SCORE_THRESHOLD = 0.25
FIRST_SEEN = datetime(2026, 6, 1, tzinfo=UTC)
FAILED_EVERY = 100
REASONS = ("truncated", "corrupt", "unknown_format", "worker_died", "empty_file")


def make_large_db(path: Path, *, files: int, objects_per_file: int, seed: int = 7) -> None:
    """Write the database; `path` must not exist."""
    connection = open_writer(path)
    migrate(connection)
    connection.execute("PRAGMA synchronous = OFF")
    connection.execute("PRAGMA wal_autocheckpoint = 100000")
    connection.execute("BEGIN")
    _fixed_rows(connection, path.parent)
    chance = random.Random(seed)
    numbers = iter(range(1, files + 1))
    while batch := list(islice(numbers, BATCH_FILES)):
        _write_batch(connection, batch, objects_per_file, chance)
    connection.execute("COMMIT")
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()


def _fixed_rows(connection: Connection, home: Path) -> None:
    root = str(home / "inbox" / "burrows")
    now = utc_text(FIRST_SEEN)
    connection.execute("INSERT INTO roots VALUES (1, ?, ?, 'burrows', 'in_place', ?)", (root, root.encode(), now))
    manifest = json.loads((resources.files("models") / "packs" / "burrow-openings-starter" / "manifest.json").read_text(encoding="utf-8"))
    for model_id, version in ((1, "1.0.0"), (2, "1.1.0")):
        connection.execute(
            "INSERT INTO models VALUES (?, 'burrow-openings-starter', ?, 'Burrow openings', 'detect', ?, ?, '/nowhere', ?, NULL)",
            (model_id, version, "0" * 64, json.dumps(manifest), now),
        )
        connection.execute("INSERT INTO labels VALUES (?, ?, 0, 'burrow opening', NULL)", (model_id, model_id))
    connection.execute("INSERT INTO active_models VALUES ('burrows', 2, 1, ?)", (now,))


def _write_batch(connection: Connection, numbers: list[int], objects_per_file: int, chance: random.Random) -> None:
    rows: dict[str, list[tuple[Any, ...]]] = {"folders": [], "images": [], "sightings": [], "jobs": [], "runs": [], "objects": []}
    for number in numbers:
        _add_file(rows, number, objects_per_file, chance)
    for table, values in rows.items():
        if values:
            marks = ",".join("?" * len(values[0]))
            connection.executemany(f"INSERT INTO {table} VALUES ({marks})", values)


def _add_file(rows: dict[str, list[tuple[Any, ...]]], number: int, objects_per_file: int, chance: random.Random) -> None:
    folder_id = (number - 1) // FILES_PER_FOLDER + 1
    folder = f"leg{folder_id % 3 + 1}/station{folder_id:04d}"
    at = FIRST_SEEN + timedelta(seconds=number * 0.08)
    utc = utc_text(at)
    if (number - 1) % FILES_PER_FOLDER == 0:
        rows["folders"].append((folder_id, 1, folder, folder.encode(), utc, 0, None))
    sha256 = hashlib.sha256(str(number).encode()).hexdigest()
    name = at.strftime("D%Y-%m-%dT%H-%M-%S-%fZ.jpg")
    failed = number % FAILED_EVERY == 0
    state, reason = ("quarantined", REASONS[number // FAILED_EVERY % len(REASONS)]) if failed else ("done", None)
    size_bytes, mtime_ns = 400_000 + number % 1000, int(at.timestamp() * 1e9)
    header = (None, None, None, None, None) if failed else ("jpeg", 1229, 691, 8, 3)
    rows["images"].append((number, str(uuid.UUID(int=number)), sha256, size_bytes, *header, utc, None, "file_name", None, utc))
    rows["sightings"].append(
        (
            *(
                number,
                folder_id,
                "burrows",
                f"/survey/inbox/burrows/{folder}/{name}",
                name,
                name.encode(),
                size_bytes,
                mtime_ns,
                number,
                number,
            ),
            *(state, reason, "made up" if failed else None, "gone" if number % 1000 == 0 else "present", None, None, utc, utc),
        )
    )
    rows["jobs"].append((number, number, "burrows", "ingest", folder_id, state, 10, 1, None, None, reason, None, utc, utc))
    if failed:
        return
    scores = sorted((chance.betavariate(2, 3) for _ in range(objects_per_file)), reverse=True)
    counted = sum(score >= SCORE_THRESHOLD for score in scores)
    rows["runs"].append(
        (
            *(
                number,
                str(uuid.UUID(int=(1 << 80) + number)),
                number,
                number,
                "burrows",
                "a" * 64,
                2,
                "b" * 64,
                "openvino",
                "int8",
                "0.1.0",
            ),
            *(SCORE_THRESHOLD, counted, objects_per_file - counted, 88.0, 31.5, 120.0, 2.0, 21.0, 17.0, 0.4, utc, 1),
        )
    )
    rows["objects"].extend(_objects(number, scores, objects_per_file, chance))


def _objects(run_id: int, scores: list[float], per_file: int, chance: random.Random) -> Iterator[tuple[Any, ...]]:
    for ordinal, score in enumerate(scores):
        x_px, y_px = chance.random() * 1180, 22 + chance.random() * 640
        yield (run_id * per_file + ordinal, run_id, ordinal, 2, score, x_px, y_px, x_px + 40, y_px + 22)


def main() -> None:
    """Read the command line and write the database."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("home", type=Path)
    parser.add_argument("--files", type=int, default=350_000)
    parser.add_argument("--objects-per-file", type=int, default=29)
    options = parser.parse_args()
    options.home.mkdir(parents=True, exist_ok=True)
    began_s = time.monotonic()
    path = options.home / DATABASE_NAME
    make_large_db(path, files=options.files, objects_per_file=options.objects_per_file)
    print(f"{path}: {path.stat().st_size / 1e9:.2f} GB in {time.monotonic() - began_s:.0f} s")


if __name__ == "__main__":
    main()
