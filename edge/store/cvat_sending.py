"""A task on its way to CVAT: whether the same stands already, what was not sent yet, and what must not go along any more."""

from __future__ import annotations

import json

from edge.store.cvat import NewTask
from edge.store.sqlite import Connection


def standing_task(connection: Connection, task: NewTask) -> int | None:
    """The newest task of the same thing that was neither cancelled nor deleted on the server; None if there is none.

    The same tow or scan in the same form (of clips, the same clip); of a selection, the very same images.
    """
    mine = {(one.image_id, one.object_key) for one in task.frames}
    rows = connection.execute(
        "SELECT id FROM cvat_tasks WHERE server_url = ? AND source = ? AND media = ? AND tow_id IS ? AND scan_id IS ? "
        "AND cancelled_utc IS NULL AND gone_utc IS NULL ORDER BY id DESC",
        (task.server_url, task.source, task.media, task.tow_id, task.scan_id),
    ).fetchall()
    for (task_id,) in rows:
        if task.source != "selection" and task.media != "clip":
            return int(task_id)
        held = connection.execute("SELECT DISTINCT image_id, object_key FROM cvat_frames WHERE task_id = ?", (task_id,)).fetchall()
        if {tuple(one) for one in held} == mine:
            return int(task_id)
    return None


def frames_not_in(connection: Connection, task_id: int, task: NewTask) -> tuple[str, ...]:
    """Names of frames that a task would have and one that stands has not: they came since."""
    held = {tuple(row) for row in connection.execute("SELECT DISTINCT image_id, object_key FROM cvat_frames WHERE task_id = ?", (task_id,))}
    return tuple(dict.fromkeys(one.name for one in task.frames if (one.image_id, one.object_key) not in held))


def drop_unsent(connection: Connection, task_id: int, uuids: list[str]) -> None:
    """Forget proposals that were written down and never went: the server does not have them. What went is never dropped."""
    connection.execute(
        "DELETE FROM cvat_proposals WHERE task_id = ? AND uuid IN (SELECT value FROM json_each(?)) AND NOT EXISTS "
        "(SELECT 1 FROM cvat_annotations AS a WHERE a.proposal_id = cvat_proposals.id)",
        (task_id, json.dumps(uuids)),
    )


def withhold(connection: Connection, task_id: int, words: str) -> None:
    """Something of what a model found does not go along, and why; the first reason stays."""
    connection.execute("UPDATE cvat_tasks SET withheld = ? WHERE id = ? AND withheld = ''", (words, task_id))


def settle_withheld(connection: Connection, task_id: int) -> None:
    """At the end: a task of which everything was withheld went without the model."""
    connection.execute(
        "UPDATE cvat_tasks SET with_model = EXISTS (SELECT 1 FROM cvat_proposals AS p WHERE p.task_id = cvat_tasks.id) "
        "WHERE id = ? AND withheld <> ''",
        (task_id,),
    )
