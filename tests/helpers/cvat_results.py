"""What people made of stills in CVAT, straight into a database: a task, a completed job over all of it, and a version with boxes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from edge.store import cvat as store
from edge.store.connection import immediate
from edge.store.cvat import NewAnnotation, NewFrame, NewJob, NewPull, NewTask
from edge.store.sqlite import Connection

Boxes = Sequence[tuple[float, float, float, float, str]]
"""x_min_px, y_min_px, x_max_px, y_max_px, label."""


def plan(
    connection: Connection,
    image_ids: Sequence[int],
    *,
    tow_id: int | None = None,
    model_id: int | None = None,
    with_model: bool = False,
    title: str = "station 101",
    recipe: str = "burrows",
    shape: str = "rectangle",
) -> int:
    """A task of stills that is all there. Returns its id."""
    new = NewTask(
        server_url="http://127.0.0.1:9",
        source="selection" if tow_id is None else "station",
        media="images",
        title=title,
        recipe=recipe,
        labels=[{"name": "opening", "type": shape}],
        job_size=100,
        frames=[NewFrame(name=f"{place:06d}.jpg", width_px=2000, height_px=2000, image_id=one) for place, one in enumerate(image_ids)],
        asked_by="rita",
        tow_id=tow_id,
        model_id=model_id,
        with_model=with_model,
    )
    with immediate(connection):
        task_id = store.plan_task(connection, new)
        number = 500 + task_id
        store.note_step(connection, task_id, "sent", remote_id=number)
    return task_id


def answer(
    connection: Connection,
    task_id: int,
    boxes: Mapping[int, Boxes],
    *,
    span: tuple[int, int] | None = None,
    state: str = "completed",
    stage: str = "annotation",
    by: str = "anna",
    job: int = 0,
    others: Sequence[NewAnnotation] = (),
) -> int | None:
    """What stands in a job of a task, by frame; a frame without boxes was looked at and holds nothing. Returns the version."""
    frames = int(connection.execute("SELECT frames FROM cvat_tasks WHERE id = ?", (task_id,)).fetchone()[0])
    first, last = span or (0, frames - 1)
    rows = [
        NewAnnotation(
            frame=frame,
            verdict="added",
            label=label,
            shape="rectangle",
            points=(x_min_px, y_min_px, x_max_px, y_max_px),
            rotation_deg=0.0,
            x_min_px=x_min_px,
            y_min_px=y_min_px,
            x_max_px=x_max_px,
            y_max_px=y_max_px,
            made_by="manual",
        )
        for frame, some in boxes.items()
        for x_min_px, y_min_px, x_max_px, y_max_px, label in some
    ]
    remote_id = task_id * 100 + job
    known = [
        NewJob(remote_id=row[0], first_frame=row[1], last_frame=row[2], stage=row[3], state=row[4], assignee=row[5])
        for row in connection.execute(
            "SELECT remote_id, first_frame, last_frame, stage, state, assignee FROM cvat_jobs WHERE task_id = ? AND remote_id <> ?",
            (task_id, remote_id),
        )
    ]
    this = NewJob(remote_id=remote_id, first_frame=first, last_frame=last, stage=stage, state=state, assignee=by)
    content = {"shapes": [[frame, *map(list, some)] for frame, some in boxes.items()]}
    pull = NewPull(
        stage=stage,
        state=state,
        assignee=by,
        remote_updated_utc=None,
        server_version="2.15.0",
        content=content,
        same=content,
        pulled_by="rita",
        annotations=[*rows, *others],
    )
    with immediate(connection):
        ids = store.put_jobs(connection, task_id, [*known, this])
        return store.record_pull(connection, ids[remote_id], pull)
