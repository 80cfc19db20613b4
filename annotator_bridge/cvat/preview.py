"""What would become a task, before anybody asks for it: how much, what is left out and why, whether one stands already."""

from __future__ import annotations

from dataclasses import dataclass, replace

from annotator_bridge.cvat.plan import new_task
from annotator_bridge.cvat.sources import gather
from annotator_bridge.cvat.tools import PushTools
from annotator_bridge.cvat.values import LeftOut, PushRequest
from edge.store.connection import snapshot
from edge.store.cvat_sending import standing_task
from edge.store.reads.cvat import task_by_id


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """What would go.

    Attributes:
        title: what it would be called in CVAT.
        images: frames of it; jobs: how many jobs of `job_frames` that makes.
        can_have_model: what a model found could go along, of some of the images at least.
        withheld: why nothing of it would go along, or not of all images; empty where it would.
        stands, stands_title: uuid and title of a task of the same that stands; None where there is none.
    """

    title: str
    media: str
    images: int
    jobs: int
    job_frames: int
    can_have_model: bool
    withheld: str
    left_out: tuple[LeftOut, ...]
    stands: str | None
    stands_title: str | None


def preview(tools: PushTools, request: PushRequest, *, server: str) -> Preview:
    """Look at what a request would make; nothing is written, and the server is not asked.

    Raises:
        SettingsError: there is no such station, scan or still; nothing of it can go.
        InputError: a clip cannot be read.
    """
    with tools.reader() as connection, snapshot(connection):
        found = gather(connection, tools, replace(request, with_model=True))
        task = new_task(server, found, replace(request, with_model=True), request.job_frames or tools.settings.cvat_job_frames, "")
        stands = standing_task(connection, task)
        row = None if stands is None else task_by_id(connection, stands)
    return Preview(
        title=task.title,
        media=task.media,
        images=len(task.frames),
        jobs=-(-len(task.frames) // task.job_size),
        job_frames=task.job_size,
        can_have_model=task.with_model,
        withheld=task.withheld,
        left_out=found.left_out,
        stands=None if row is None else row.uuid,
        stands_title=None if row is None else row.title,
    )
