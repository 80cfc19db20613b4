"""Fill a database through the real schema: roots, folders, files, packs, jobs, runs and objects.

Each function takes a writing connection, inside or outside a transaction of the caller:

    connection = open_database(home)
    folder = add_station(connection, tmp_path / "inbox", b"tow 07")
    pack = add_model(connection)
    done(connection, folder, b"still 1.jpg", pack, boxes=[(10, 20, 30, 40, 0.9, 0)])
    done(connection, folder, b"still 2.jpg", pack)                            # looked, and found nothing
    quarantined(connection, folder, b"still 3.jpg", reason=Reason.TRUNCATED)
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edge.errors import Reason
from edge.store.clock import utc_now
from edge.store.connection import DATABASE_NAME, immediate, migrate, open_writer
from edge.store.files import Intake, SeenFile, add_folder, add_root, fail_file, store_file
from edge.store.jobs import fail_job, lease_jobs
from edge.store.packs import PackRow, activate, add_pack
from edge.store.runs import RunContext, record_run
from edge.store.seal import Seal
from edge.store.sqlite import Connection
from edge.values import CaptureTime, Detections, ImageFacts, ImageResult, ModelKey, Quality
from models.manifest import Golden, InputSpec, Label, Manifest, PackFile, Thresholds, Variant

RECIPE = "burrows"
OPENING_APHIA_ID = 107254  # Nephrops norvegicus
SHA256 = "0123456789abcdef" * 4
SEAL = Seal(b"a key for the tests of 32 bytes.")

Box = tuple[float, float, float, float, float, int]
"""x_min_px, y_min_px, x_max_px, y_max_px, score, label_index."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Station:
    """A folder below a root, as the intake knows it."""

    folder_id: int
    recipe: str
    path_bytes: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A recorded result."""

    image_id: int
    sha256: str
    counted: int


def open_database(home: Path) -> Connection:
    """A new database in a home folder, with every migration applied."""
    home.mkdir(parents=True, exist_ok=True)
    connection = open_writer(home / DATABASE_NAME)
    migrate(connection)
    return connection


def add_station(
    connection: Connection, root: Path, relative: bytes = b"", *, recipe: str = RECIPE, intake: Intake = "in_place", make: bool = False
) -> Station:
    """A root with one folder below it; with `make` the folder is made on disk too."""
    path = os.path.join(os.fsencode(root), relative) if relative else os.fsencode(root)
    if make:
        os.makedirs(path, exist_ok=True)
    root_id = add_root(connection, root, recipe, intake).root_id
    return Station(folder_id=add_folder(connection, root_id, relative), recipe=recipe, path_bytes=path)


def make_manifest(
    name: str = "openings", version: str = "1.0.0", *, labels: Sequence[tuple[str, int | None]] = (("opening", OPENING_APHIA_ID),)
) -> Manifest:
    """A consistent manifest of a pack whose files do not exist."""

    def file(path: str) -> PackFile:
        return PackFile(path=path, sha256=SHA256, size_bytes=1)

    return Manifest(
        name=name,
        version=version,
        title=f"{name} for tests",
        task="detect",
        head="yolo_v8",
        labels=tuple(Label(name=label, aphia_id=aphia_id) for label, aphia_id in labels),
        input=InputSpec(width_px=640, height_px=640),
        thresholds=Thresholds(),
        licence="Apache-2.0",
        trained_on="nothing",
        card=file("CARD.md"),
        variants=(Variant(name="onnx-fp32", runtime="onnxruntime", precision="fp32", files=(file("model.onnx"),)),),
        goldens=(Golden(image=file("golden.png"), expected=file("golden.json")),),
    )


def add_model(
    connection: Connection,
    name: str = "openings",
    version: str = "1.0.0",
    *,
    labels: Sequence[tuple[str, int | None]] = (("opening", OPENING_APHIA_ID),),
    serves: str | None = RECIPE,
) -> PackRow:
    """An installed pack that serves a recipe."""
    manifest = make_manifest(name, version, labels=labels)
    sha256 = hashlib.sha256(manifest.model_dump_json().encode()).hexdigest()
    pack = add_pack(connection, manifest, pack_path=Path("packs") / name / version, manifest_sha256=sha256)
    if serves is not None:
        activate(connection, serves, pack.model_id, actor="test")
    return pack


def seen_file(station: Station, name: bytes, content: bytes | None = None) -> SeenFile:
    """A file as the inventory would see it; the content defaults to one of its own."""
    size_bytes = len(_content(station, name, content))
    return SeenFile(
        folder_id=station.folder_id,
        recipe=station.recipe,
        folder_path_bytes=station.path_bytes,
        name_bytes=name,
        size_bytes=size_bytes,
        mtime_ns=1_700_000_000_000_000_000,
        inode=1,
    )


def waiting(connection: Connection, station: Station, name: bytes, *, reason: Reason = Reason.STILL_GROWING) -> None:
    """A file that is not whole yet: state `seen`."""
    fail_file(connection, seen_file(station, name), reason=reason, detail="grows", waiting=True)


def quarantined(
    connection: Connection, station: Station, name: bytes, *, reason: Reason = Reason.CORRUPT, content: bytes | None = None
) -> None:
    """A file that failed: as a job if it has a content, else before it got one."""
    if content is None:
        fail_file(connection, seen_file(station, name), reason=reason, detail=f"{reason} in a test", waiting=False)
        return
    queued(connection, station, name, content)
    fail_job(connection, _lease(connection, station, content), reason=reason, detail=f"{reason} in a test")


def queued(connection: Connection, station: Station, name: bytes, content: bytes | None = None) -> str:
    """A stored file whose content waits for a worker (or is known already); returns the content's SHA-256."""
    content = _content(station, name, content)
    sha256 = hashlib.sha256(content).hexdigest()
    store_file(connection, seen_file(station, name, content), sha256=sha256, copy_path=None)
    return sha256


def done(
    connection: Connection,
    station: Station,
    name: bytes,
    pack: PackRow,
    *,
    boxes: Sequence[Box] = (),
    content: bytes | None = None,
    size_px: tuple[int, int] = (1229, 691),
    capture_time: CaptureTime | None = None,
) -> Found:
    """A file with a result; `boxes` may be empty: looked, and found nothing."""
    content = _content(station, name, content)
    sha256 = queued(connection, station, name, content)
    return _record(connection, station, _lease(connection, station, content), sha256, pack, make_result(pack, boxes, size_px), capture_time)


def done_again(
    connection: Connection,
    station: Station,
    sha256: str,
    pack: PackRow,
    *,
    boxes: Sequence[Box] = (),
    size_px: tuple[int, int] = (1229, 691),
    capture_time: CaptureTime | None = None,
) -> Found:
    """A second result of the same content, by a reprocess job: the first is no longer current, and stays."""
    image_id = _image_id(connection, sha256)
    cursor = connection.execute(
        "INSERT INTO jobs (image_id, recipe, kind, folder_id, state, priority, lease_owner, queued_utc) "
        "VALUES (?, ?, 'reprocess', ?, 'leased', 20, 'test', ?)",
        (image_id, station.recipe, station.folder_id, utc_now()),
    )
    return _record(connection, station, int(cursor.lastrowid or 0), sha256, pack, make_result(pack, boxes, size_px), capture_time)


def make_result(pack: PackRow, boxes: Sequence[Box], size_px: tuple[int, int] = (1229, 691)) -> ImageResult:
    """What a worker would hand over; best score first."""
    rows = np.array(sorted(boxes, key=lambda box: -box[4]), np.float64).reshape(-1, 6)
    return ImageResult(
        facts=ImageFacts(format="jpeg", width_px=size_px[0], height_px=size_px[1], bits_per_channel=8, channels=3, exif_time_local=None),
        quality=Quality(mean_luminance=90.5, contrast=21.25, sharpness=130.0),
        detections=Detections(
            xyxy=rows[:, :4].astype(np.float32), score=rows[:, 4].astype(np.float32), label_index=rows[:, 5].astype(np.int32)
        ),
        labels=("opening",),
        model=ModelKey(name=pack.name, version=pack.version, sha256=SHA256, precision="fp32", runtime="onnxruntime"),
        score_threshold=0.25,
        stage_ms={"read": 1.0, "decode": 2.0, "infer": 3.0, "merge": 0.5},
    )


def fill(connection: Connection, station: Station, pack: PackRow, *, images: int, objects_per_image: int) -> None:
    """Many processed files at once, in one transaction and by plain inserts, for tests of size."""
    now, folder, recipe = utc_now(), station.folder_id, station.recipe
    with immediate(connection):
        first_image, first_job, first_run = (_next_id(connection, table) for table in ("images", "jobs", "runs"))
        (label_id,) = connection.execute("SELECT min(id) FROM labels WHERE model_id = ?", (pack.model_id,)).fetchone()
        for n in range(images):
            image_id, job_id, run_id = first_image + n, first_job + n, first_run + n
            name = f"still-{image_id:08d}.jpg"
            path = f"{os.fsdecode(station.path_bytes)}/{name}"
            _insert(connection, "images", image_id, f"image-{image_id}", f"{image_id:064x}", 1000, "jpeg", 1229, 691, 8, 3, now)
            _insert(connection, "sightings", image_id, folder, recipe, path, name, name.encode(), 1000, 0, image_id, image_id, "done", now)
            _insert(connection, "jobs", job_id, image_id, recipe, "ingest", folder, "done", 10, now, now)
            made_by = (recipe, SHA256, pack.model_id, SHA256, "openvino", "int8", "0", 0.25)
            measured = (objects_per_image, 0, 90.0, 20.0, 100.0, 1.0, 2.0, 3.0, 0.5)
            _insert(connection, "runs", run_id, f"run-{run_id}", image_id, job_id, *made_by, *measured, now, 1)
            for ordinal in range(objects_per_image):
                _insert(connection, "objects", run_id, ordinal, label_id, 0.5, 1.0, 2.0, 33.0, 44.0)


_FILL_COLUMNS = {
    "images": "id, uuid, sha256, size_bytes, format, width_px, height_px, bits_per_channel, channels, stored_utc",
    "sightings": "id, folder_id, recipe, path, name, name_bytes, size_bytes, mtime_ns, inode, image_id, state, first_seen_utc",
    "jobs": "id, image_id, recipe, kind, folder_id, state, priority, queued_utc, finished_utc",
    "runs": "id, uuid, image_id, job_id, recipe, recipe_sha256, model_id, weights_sha256, runtime, precision, software_version, "
    "score_threshold, object_count, candidate_count, mean_luminance, contrast, sharpness, read_ms, decode_ms, infer_ms, merge_ms, "
    "finished_utc, is_current",
    "objects": "run_id, ordinal, label_id, score, x_min_px, y_min_px, x_max_px, y_max_px",
}


def _insert(connection: Connection, table: str, *values: str | bytes | float) -> None:
    connection.execute(f"INSERT INTO {table} ({_FILL_COLUMNS[table]}) VALUES ({','.join('?' * len(values))})", values)


def _next_id(connection: Connection, table: str) -> int:
    return 1 + int(
        connection.execute(
            f"SELECT max(coalesce((SELECT max(id) FROM {table}), 0), (SELECT coalesce(max(id), 0) FROM sightings))"
        ).fetchone()[0]
    )


def _content(station: Station, name: bytes, content: bytes | None) -> bytes:
    return b"%s/%s" % (station.path_bytes, name) if content is None else content


def _image_id(connection: Connection, sha256: str) -> int:
    return int(connection.execute("SELECT id FROM images WHERE sha256 = ?", (sha256,)).fetchone()[0])


def _lease(connection: Connection, station: Station, content: bytes) -> int:
    """Lease every waiting job of the recipe, give back all but that of this content, and return its id."""
    wanted = hashlib.sha256(content).hexdigest()
    jobs = lease_jobs(connection, station.recipe, owner="test", limit=1_000_000)
    (job_id,) = (job.job_id for job in jobs if job.sha256 == wanted)
    connection.executemany(
        "UPDATE jobs SET state = 'queued', lease_owner = NULL, leased_utc = NULL WHERE id = ?",
        [(job.job_id,) for job in jobs if job.job_id != job_id],
    )
    return job_id


def _record(
    connection: Connection, station: Station, job_id: int, sha256: str, pack: PackRow, result: ImageResult, capture_time: CaptureTime | None
) -> Found:
    context = RunContext(
        job_id=job_id, image_id=_image_id(connection, sha256), recipe=station.recipe, recipe_sha256=SHA256, model_id=pack.model_id
    )
    assert record_run(connection, context, result, capture_time, seal=SEAL)
    counted = int((result.detections.score >= result.score_threshold).sum())
    return Found(image_id=context.image_id, sha256=sha256, counted=counted)
