"""Tasks, jobs and versions of CVAT in a real database, for the pages; nothing of it was ever on a server.

task = seed_task(connection, frames=12, with_model=True)
seed_sent(connection, task, job_frames=5, states=("completed", "in progress", "new"))
seed_pull(connection, task, job=0, verdicts={"kept": 3, "removed": 1, "added": 2})
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from edge.store import cvat as store
from edge.store.cvat import NewAnnotation, NewFrame, NewJob, NewProposal, NewPull, NewTask
from edge.store.sqlite import Connection

URL = "http://127.0.0.1:9"


@dataclass(frozen=True, slots=True, kw_only=True)
class SeededTask:
    """A task in the database."""

    id: int
    uuid: str
    frames: int


def seed_task(
    connection: Connection,
    *,
    frames: int = 12,
    title: str = "FU22 2026, station 11",
    image_ids: Sequence[int] = (),
    tow_id: int | None = None,
    scan_id: int | None = None,
    with_model: bool = False,
    withheld: str = "",
    server_url: str = URL,
    asked_by: str = "rita 127.0.0.1",
) -> SeededTask:
    """A task that was asked for; its frames are images that are given, or vignettes that nobody has."""
    held = [NewFrame(name=f"{number:04d}.jpg", width_px=320, height_px=180, image_id=one) for number, one in enumerate(image_ids)]
    made = [NewFrame(name=f"{number:04d}.png", width_px=64, height_px=64, object_key=f"k{number}") for number in range(frames)]
    new = NewTask(
        server_url=server_url,
        source="scan" if scan_id is not None else "selection" if tow_id is None else "station",
        media="images" if scan_id is None else "vignettes",
        title=title,
        recipe="burrows",
        labels=({"name": "opening", "shape": "rectangle"},),
        job_size=50,
        frames=held or made,
        asked_by=asked_by,
        tow_id=tow_id,
        scan_id=scan_id,
        with_model=with_model,
        withheld=withheld,
    )
    return SeededTask(id=store.plan_task(connection, new), uuid=new.uuid, frames=len(new.frames))


def seed_sent(
    connection: Connection, task: SeededTask, *, states: Sequence[str] = ("new",), job_frames: int = 5, remote_id: int = 71
) -> list[int]:
    """Let a task be in CVAT, with a job for each state. Returns our ids of the jobs."""
    store.note_step(connection, task.id, "created", remote_id=remote_id)
    store.note_step(connection, task.id, "sent", sent_frames=task.frames)
    rows = [
        NewJob(
            remote_id=remote_id * 100 + place,
            first_frame=place * job_frames,
            last_frame=min(task.frames, (place + 1) * job_frames) - 1,
            stage="annotation",
            state=state,
            assignee=("maria", None, "tom")[place % 3],
            remote_updated_utc="2026-11-21T10:00:00.000Z",
        )
        for place, state in enumerate(states)
    ]
    ids = store.put_jobs(connection, task.id, rows)
    return [ids[one.remote_id] for one in rows]


def seed_pull(
    connection: Connection,
    task: SeededTask,
    job_id: int,
    verdicts: Mapping[str, int],
    *,
    state: str = "completed",
    frame: int = 0,
    pulled_by: str = "the appliance",
) -> int | None:
    """Bring in a version of a job with so many boxes of each verdict, all on one frame."""
    annotations: list[NewAnnotation] = []
    for verdict, count in verdicts.items():
        for number in range(count):
            proposal = None if verdict == "added" else _proposal(connection, task, frame, f"{verdict}{number}{job_id}")
            shape = None if verdict == "removed" else "rectangle"
            points = None if shape is None else (10.0 * number, 10.0, 10.0 * number + 8, 18.0)
            annotations.append(
                NewAnnotation(
                    frame=frame,
                    verdict=verdict,  # type: ignore[arg-type]
                    label="opening",
                    shape=shape,
                    proposal_id=proposal,
                    points=points,
                    x_min_px=points and points[0],
                    y_min_px=points and points[1],
                    x_max_px=points and points[2],
                    y_max_px=points and points[3],
                    made_by="manual",
                )
            )
    pull = NewPull(
        stage="annotation",
        state=state,
        assignee="maria",
        remote_updated_utc="2026-11-21T10:00:00.000Z",
        server_version="2.15.0",
        content={"version": 0, "tags": [], "shapes": [], "tracks": []},
        same=[sorted(verdicts.items()), state, frame],
        pulled_by=pulled_by,
        annotations=annotations,
    )
    return store.record_pull(connection, job_id, pull)


def _proposal(connection: Connection, task: SeededTask, frame: int, name: str) -> int:
    uuid = f"{task.uuid[:8]}-{name}"
    store.put_proposals(connection, task.id, [NewProposal(uuid=uuid, frame=frame, label="opening", digest=name)])
    return int(connection.execute("SELECT id FROM cvat_proposals WHERE uuid = ?", (uuid,)).fetchone()[0])
