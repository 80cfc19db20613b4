"""CVAT's JSON as values of ours, and the other way; whoever asked for it. Read in cvat/apps/engine/serializers.py."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from annotator_bridge.cvat.server import (
    DataStatus,
    Document,
    RemoteAttribute,
    RemoteFrame,
    RemoteJob,
    RemoteLabel,
    RemoteTask,
    ServerAbout,
    TaskMeta,
    generation_of,
)
from annotator_bridge.functions.function import Attribute, Label
from edge.errors import ServerFailedError

_STATES = {"queued": "working", "started": "working", "finished": "done", "failed": "failed"}
_SHOWN = 500
_MOST_FRAMES = 10_000_000


def read_about(found: Any) -> ServerAbout:
    """Of GET /api/server/about."""
    try:
        version = one_line(found["version"])
        return ServerAbout(name=one_line(found["name"]), version=version, generation=generation_of(version))
    except (KeyError, TypeError) as error:
        raise _no_answer("what it is", error) from error


def read_task(found: Any, server: str) -> RemoteTask:
    """Of GET /api/tasks/{id}; people see it at `server`."""
    try:
        number = int(found["id"])
        return RemoteTask(id=number, name=str(found["name"]), frames=int(found.get("size") or 0), url=f"{server}/tasks/{number}")
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise _no_answer("a task", error) from error


def read_status(found: Any) -> DataStatus:
    """Of GET /api/tasks/{id}/status (`state`) or /api/requests/{id} (`status`)."""
    try:
        state = str(found["status"] if "status" in found else found["state"]).lower()
        message = one_line(found.get("message") or "")
    except (KeyError, TypeError, AttributeError) as error:
        raise _no_answer("how far a task is", error) from error
    if state not in _STATES:
        raise ServerFailedError(f"the server says {one_line(state)!r} of a task, which this version does not know")
    return DataStatus(state=_STATES[state], message=message)  # type: ignore[arg-type]


def read_meta(found: Any) -> TaskMeta:
    """Of GET /api/tasks/{id}/data/meta. Of a video the server lists one frame, and says how many there are."""
    try:
        frames = [
            RemoteFrame(name=str(one["name"]), width_px=int(one["width"]), height_px=int(one["height"])) for one in found["frames"] or ()
        ]
        size = int(found["size"])
        deleted = frozenset(int(one) for one in found.get("deleted_frames") or ())
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise _no_answer("frames of a task", error) from error
    if not 0 <= size <= _MOST_FRAMES or len(frames) not in (1, size):
        raise ServerFailedError(f"the server lists {len(frames)} frames of a task, and says that there are {size}")
    return TaskMeta(frames=tuple(frames if len(frames) == size else frames * size), deleted=deleted)


def read_job(found: Any) -> RemoteJob:
    """Of GET /api/jobs."""
    try:
        assignee = found.get("assignee") or {}
        return RemoteJob(
            id=int(found["id"]),
            task_id=int(found["task_id"]),
            first_frame=int(found["start_frame"]),
            last_frame=int(found["stop_frame"]),
            stage=one_line(found["stage"]),
            state=one_line(found["state"]),
            assignee=one_line(assignee["username"]) if assignee.get("username") else None,
            updated_utc=None if found.get("updated_date") is None else one_line(found["updated_date"]),
            kind=one_line(found.get("type") or "annotation"),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise _no_answer("a job", error) from error


def read_label(found: Any) -> RemoteLabel:
    """Of GET /api/labels."""
    try:
        attributes = tuple(
            RemoteAttribute(
                id=int(one["id"]),
                name=str(one["name"]),
                input_type=str(one["input_type"]),
                values=tuple(str(value) for value in one.get("values") or ()),
            )
            for one in found.get("attributes") or ()
        )
        return RemoteLabel(id=int(found["id"]), name=str(found["name"]), shape=str(found.get("type") or "any"), attributes=attributes)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise _no_answer("a label", error) from error


def read_document(found: Any) -> Document:
    """Of GET annotations: what stands there, as it is."""
    if not isinstance(found, dict) or not all(isinstance(found.get(name), list) for name in ("tags", "shapes", "tracks")):
        raise ServerFailedError("the server's answer has no lists of annotations")
    return found


def labels_json(labels: Sequence[Label]) -> list[dict[str, Any]]:
    """Labels for POST /api/tasks. Every attribute belongs to an object as a whole, so none changes along a track."""
    return [{"name": label.name, "type": label.shape, "attributes": [_attribute_json(one) for one in label.attributes]} for label in labels]


def one_line(text: object) -> str:
    """What the server says, as one line that nothing of can move a terminal's cursor."""
    line = "".join(letter if letter.isprintable() else " " for letter in str(text))
    return line if len(line) <= _SHOWN else f"{line[:_SHOWN]}..."


def _attribute_json(one: Attribute) -> dict[str, Any]:
    default = one.values[0] if one.values else ""
    return {"name": one.name, "mutable": False, "input_type": one.input_type, "default_value": default, "values": list(one.values)}


def _no_answer(what: str, error: Exception) -> ServerFailedError:
    return ServerFailedError(f"the server's answer does not say {what}: {error!r}")
