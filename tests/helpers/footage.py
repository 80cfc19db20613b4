"""Frames of footage and clips in a database, as tests want them."""

from __future__ import annotations

import numpy as np

from edge.footage import ClipFacts, FootageFrame, LaserPair, Motion, Visibility
from edge.store.jobs import Job, lease_jobs
from edge.store.readings import NewPart
from edge.store.runs import RunContext
from edge.store.sqlite import Connection
from edge.values import Detections, ModelKey
from tests.helpers import seed

CLIP = ClipFacts(
    container="mp4",
    codec="h264",
    width_px=1920,
    height_px=1080,
    first_pts_s=0.0,
    duration_s=600.0,
    frames_declared=15_000,
    average_rate_hz=25.0,
    is_interlaced=False,
    is_variable_rate=False,
)
MODEL = ModelKey(name="tiny", version="1.0.0", sha256="ab" * 32, precision="fp32", runtime="openvino")


def make_frame(at_s: float, openings: int = 3, *, moved: bool = True, lasers: bool = True) -> FootageFrame:
    """A frame with boxes that no other second has."""
    chance = np.random.default_rng(int(at_s * 1000))
    corner = chance.uniform(10, 900, (openings, 2)).astype(np.float32)
    xyxy = np.concatenate([corner, corner + chance.uniform(20, 60, (openings, 2)).astype(np.float32)], axis=1)
    homography = np.array([[1.0, 0.0, 0.5], [0.0, 1.0, 100.0 + at_s], [0.0, 0.0, 1.0]])
    return FootageFrame(
        at_s=at_s,
        width_px=1920,
        height_px=1080,
        detections=Detections(
            xyxy=xyxy.astype(np.float32),
            score=chance.uniform(0.3, 1.0, openings).astype(np.float32),
            label_index=np.zeros(openings, np.int32),
        ),
        motion=Motion(homography=homography, sd_px=1.5, source="registered") if moved else None,
        lasers=LaserPair(left_px=(400.0, 600.5), right_px=(1300.25, 610.0), strength=44.0) if lasers else None,
        visibility=Visibility(mean_luminance=90.0, contrast=20.0, sharpness=55.0, silt_fraction=0.1, dark_fraction=0.0),
    )


def queue_clip(connection: Connection, station: seed.Station, name: bytes = b"tow.mp4") -> Job:
    """A clip that is in the hands of `owner`."""
    seed.queued(connection, station, name)
    (job,) = lease_jobs(connection, "burrows", owner="test", limit=1)
    return job


def context_of(job: Job, model_id: int, recipe_sha256: str = "rr") -> RunContext:
    """What a reading of a clip belongs to."""
    return RunContext(job_id=job.job_id, image_id=job.image_id, recipe="burrows", recipe_sha256=recipe_sha256, model_id=model_id)


def make_part(ordinal: int, content: bytes, *, to_s: float, frames: int = 2, model: ModelKey = MODEL) -> NewPart:
    """A part of a reading."""
    return NewPart(
        ordinal=ordinal,
        facts=CLIP,
        model=model,
        score_threshold=0.4,
        rate_hz=6.0,
        frames=frames,
        to_s=to_s,
        content=content,
        faults=(),
        wall_s=2.5,
    )
