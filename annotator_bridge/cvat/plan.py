"""A request becomes a task that is written down: from then on it goes out by itself, once, whatever is cut off."""

from __future__ import annotations

import re

from annotator_bridge.cvat.address import checked_address
from annotator_bridge.cvat.labels import labels_to_json
from annotator_bridge.cvat.sources import Gathered, gather
from annotator_bridge.cvat.tools import PushTools
from annotator_bridge.cvat.values import LeftOut, Planned, PushRequest
from edge.errors import SettingsError
from edge.store.connection import snapshot
from edge.store.cvat import NewTask, plan_task
from edge.store.cvat_sending import frames_not_in, standing_task
from edge.store.reads.cvat import task_by_id
from edge.store.sqlite import Connection

LONGEST_TITLE = 200
UUID_DIGITS = 12
_SUFFIX = re.compile(rf" \[[0-9a-f]{{{UUID_DIGITS}}}\]$")


def plan(tools: PushTools, request: PushRequest, actor: str) -> Planned:
    """Write down a task, or find the one of the same thing that stands already (unless `again`).

    Args:
        tools: what it is given to work with; the server is not asked.
        request: what shall become a task.
        actor: who asks.

    Raises:
        SettingsError: no server is set; there is no such station, scan or still; nothing of it can go.
        InputError: a clip cannot be read.
    """
    server = checked_address(tools.settings.cvat_url, plain_allowed=tools.settings.cvat_plain_http)
    job_size = tools.settings.cvat_job_frames if request.job_frames is None else request.job_frames
    if job_size < 1:
        raise SettingsError(f"a job has at least one frame, not {job_size}")
    with tools.reader() as connection, snapshot(connection):
        found = gather(connection, tools, request)
    task = new_task(server, found, request, job_size, actor)

    def work(connection: Connection) -> Planned:
        stands = None if request.again else standing_task(connection, task)
        if stands is None:
            return _planned(connection, plan_task(connection, task), found.left_out, stood=False)
        came = tuple(
            LeftOut(name=name, code="came_later", reason="it came since the task was made; --again makes another task, of all")
            for name in frames_not_in(connection, stands, task)
        )
        return _planned(connection, stands, (*found.left_out, *came), stood=True)

    return tools.writer.call(work)


def new_task(server: str, found: Gathered, request: PushRequest, job_size: int, actor: str) -> NewTask:
    """The task that a request makes, not yet written down."""
    title = " ".join("".join(letter if letter.isprintable() else " " for letter in request.title or found.title).split())
    return NewTask(
        server_url=server,
        source=request.source,
        media=found.media,
        title=title[:LONGEST_TITLE] or request.source,
        tow_id=found.tow_id,
        scan_id=found.scan_id,
        recipe=found.recipe,
        model_id=found.model_id,
        with_model=request.with_model and not found.is_withheld,
        withheld=found.withheld,
        labels=labels_to_json(found.labels),
        job_size=min(job_size, len(found.frames)),
        frames=found.frames,
        asked_by=actor,
    )


def remote_name(title: str, uuid: str) -> str:
    """What a task is called in CVAT: it ends in digits of its uuid, by which it is found again."""
    return f"{title[:LONGEST_TITLE].strip()}{remote_suffix(uuid)}"


def remote_suffix(uuid: str) -> str:
    """The end of a task's name in CVAT: the last digits, which are chance; the first are only the millisecond."""
    return f" [{uuid.replace('-', '')[-UUID_DIGITS:]}]"


def is_of_another(name: str, uuid: str) -> bool:
    """Whether a task in CVAT has the name of another task of an appliance than of the one with this uuid."""
    return _SUFFIX.search(name) is not None and not name.endswith(remote_suffix(uuid))


def _planned(connection: Connection, task_id: int, left_out: tuple[LeftOut, ...], *, stood: bool) -> Planned:
    row = task_by_id(connection, task_id)
    assert row is not None  # it was written or found in this transaction
    return Planned(task_id=task_id, task_uuid=row.uuid, stood=stood, withheld=row.withheld, left_out=left_out)
