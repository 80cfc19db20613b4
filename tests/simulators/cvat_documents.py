"""Annotations of a simulated CVAT: what it takes, how it divides them over jobs, and what it hands out.

Read in cvat/apps/dataset_manager/task.py (`_save_*_to_db`, `TaskAnnotation._patch_data`), annotation.py (`AnnotationIR.slice`,
`_slice_track`, `TrackManager.get_interpolated_shapes`) and cvat/apps/engine/serializers.py (LabeledDataSerializer). What lies outside of
every job is dropped without a word, as there; attribute values that are no texts are refused, which is harsher than there.
"""

from __future__ import annotations

import copy
import itertools
import math
from collections.abc import Callable
from typing import Any

from tests.simulators.cvat_labels import AttributeSpec, LabelSpec
from tests.simulators.cvat_refusal import RefusedError
from tests.simulators.cvat_world import Job, Task, World

SHAPES = ("rectangle", "polygon", "polyline", "points", "ellipse", "cuboid", "mask", "skeleton")
KINDS = ("tags", "shapes", "tracks")
Item = dict[str, Any]


def checked(task: Task, document: Any) -> dict[str, list[Item]]:
    """The lists of a document as they would be stored, with every default filled in.

    Raises:
        RefusedError: 400, as the server refuses it: nothing of the document is stored then.
    """
    if not isinstance(document, dict):
        raise _bad("Invalid data. Expected a dictionary.")
    labels = {label.id: label for label in task.labels}
    found: dict[str, list[Item]] = {}
    for kind in KINDS:
        given = document.get(kind, [])
        if not isinstance(given, list):
            raise _bad(f"{kind}: Expected a list of items")
        found[kind] = [_item(labels, kind, one) for one in given]
    return found


def add(world: World, task: Task, document: Any) -> dict[str, Any]:
    """PATCH action=create of a task: every job gets its part."""
    found = checked(task, document)
    made: dict[str, Any] = {"version": 0, "tags": [], "shapes": [], "tracks": []}
    for job in world.jobs_of(task):
        if job.kind == "annotation":
            for kind, items in add_to_job(world, job, part_of(found, job.start, job.stop)).items():
                made[kind].extend(items)
    return made


def add_to_job(world: World, job: Job, found: dict[str, list[Item]]) -> dict[str, list[Item]]:
    """PATCH action=create of a job; what it gets has numbers from then on."""
    made: dict[str, list[Item]] = {}
    for kind in KINDS:
        items = [_numbered(one, world.new_id) for one in copy.deepcopy(found[kind])]
        getattr(job, kind).extend(items)
        made[kind] = items
    if any(made.values()):
        job.updated = world.now()
    return made


def replace(world: World, job: Job, found: dict[str, list[Item]]) -> None:
    """PUT of a job."""
    job.tags, job.shapes, job.tracks = [], [], []
    add_to_job(world, job, found)
    job.updated = world.now()


def remove(world: World, job: Job, found: dict[str, list[Item]]) -> None:
    """PATCH action=delete of a job: by the numbers of the items."""
    for kind in KINDS:
        gone = {one.get("id") for one in found[kind]}
        setattr(job, kind, [one for one in getattr(job, kind) if one["id"] not in gone])
    job.updated = world.now()


def update(world: World, job: Job, found: dict[str, list[Item]]) -> None:
    """PATCH action=update of a job: what is named goes and comes back under new numbers, as the server does it."""
    remove(world, job, found)
    add_to_job(world, job, found)


def of_jobs(jobs: list[Job]) -> dict[str, Any]:
    """What GET says."""
    document: dict[str, Any] = {"version": 0, "tags": [], "shapes": [], "tracks": []}
    for job in jobs:
        for kind in KINDS:
            document[kind].extend(copy.deepcopy(getattr(job, kind)))
    return document


def part_of(found: dict[str, list[Item]], start: int, stop: int) -> dict[str, list[Item]]:
    """What of a document belongs to the frames of a job."""
    part: dict[str, list[Item]] = {kind: [one for one in found[kind] if start <= one["frame"] <= stop] for kind in ("tags", "shapes")}
    tracks = [_track_part(track, start, stop) for track in found["tracks"] if _is_inside(track, start, stop)]
    part["tracks"] = [track for track in tracks if track["shapes"]]
    return part


def _is_inside(track: Item, start: int, stop: int) -> bool:
    shapes = track["shapes"]
    for before, after in itertools.pairwise(shapes):
        if not before["outside"] and min(after["frame"], stop) - max(before["frame"], start) >= 0:
            return True
    last = shapes[-1]
    return not last["outside"] and last["frame"] <= stop


def _track_part(track: Item, start: int, stop: int) -> Item:
    """A track's keyframes within a job, with one made where it comes in, and one where an outside one behind its end is lost."""
    part = copy.deepcopy(track)
    inside = [shape for shape in part["shapes"] if start <= shape["frame"] <= stop]
    while inside and inside[0]["outside"]:
        inside.pop(0)
    if len(inside) < len(part["shapes"]):
        first = _at(track, start)
        if first is not None and not first["outside"] and not any(shape["frame"] == start for shape in inside):
            inside.insert(0, {**copy.deepcopy(first), "frame": start})
        behind = next((shape for shape in part["shapes"] if shape["frame"] == stop + 1), None)
        if inside and behind is not None and behind["outside"]:
            inside.append(behind)
    part["shapes"] = inside
    if inside:
        part["frame"] = inside[0]["frame"]
    return part


def _at(track: Item, frame: int) -> Item | None:
    """A track's shape on a frame, on the line between its keyframes; None before its first."""
    before = [shape for shape in track["shapes"] if shape["frame"] <= frame]
    after = [shape for shape in track["shapes"] if shape["frame"] > frame]
    if not before:
        return None
    left: Item = before[-1]
    if not after or left["outside"] or left["frame"] == frame or left["type"] != "rectangle":
        return left
    share = (frame - left["frame"]) / (after[0]["frame"] - left["frame"])
    points = [one + share * (two - one) for one, two in zip(left["points"], after[0]["points"], strict=True)]
    return {**left, "points": points, "frame": frame}


def _item(labels: dict[int, LabelSpec], kind: str, given: Any) -> Item:
    if not isinstance(given, dict):
        raise _bad("Invalid data. Expected a dictionary.")
    label = labels.get(_whole(given, "label_id", needed=True))
    if label is None:
        raise RefusedError(400, [f"label_id `{given['label_id']}` is invalid"])
    item: Item = {
        "id": given.get("id"),
        "frame": _whole(given, "frame", needed=True),
        "label_id": label.id,
        "group": _whole(given, "group") or 0,
        "source": str(given.get("source", "manual"))[:16],
        "attributes": _values(given.get("attributes", []), label, mutable=False if kind == "tracks" else None),
    }
    if kind == "shapes":
        item |= _shape(given) | {"elements": []}
    if kind == "tracks":
        item |= {"shapes": _keyframes(given.get("shapes"), label), "elements": []}
        item["frame"] = min(item["frame"], item["shapes"][0]["frame"])
    return item


def _keyframes(given: Any, label: LabelSpec) -> list[Item]:
    if not isinstance(given, list) or not given:
        raise _bad("shapes: This list may not be empty.")
    shapes = [
        {
            "id": one.get("id"),
            "frame": _whole(one, "frame", needed=True),
            **_shape(one),
            "attributes": _values(one.get("attributes", []), label, mutable=True),
        }
        for one in given
    ]
    frames = [shape["frame"] for shape in shapes]
    if len(set(frames)) != len(frames):
        raise _bad("shapes: two keyframes of a track are on one frame")
    return sorted(shapes, key=lambda shape: shape["frame"])


def _shape(given: Item) -> Item:
    if given.get("type") not in SHAPES:
        raise _bad(f'type: "{given.get("type")}" is not a valid choice.')
    points = given.get("points", [])
    if not isinstance(points, list) or any(type(one) not in (int, float) for one in points):
        raise _bad("points: Value must be a float or an integer")
    if not all(math.isfinite(one) for one in points):
        raise _bad("points: Out of range float values are not JSON compliant")
    rotation = given.get("rotation", 0)
    if not 0 <= rotation <= 360:
        raise _bad("rotation: Ensure this value is between 0 and 360.")
    return {
        "type": given["type"],
        "occluded": bool(given.get("occluded", False)),
        "outside": bool(given.get("outside", False)),
        "z_order": _whole(given, "z_order") or 0,
        "rotation": rotation,
        "points": [float(one) for one in points],
    }


def _values(given: Any, label: LabelSpec, *, mutable: bool | None) -> list[Item]:
    specs = {one.id: one for one in label.attributes if mutable in (None, one.mutable)}
    found: dict[int, str] = {}
    for one in given:
        spec = specs.get(one.get("spec_id"))
        if spec is None:
            raise RefusedError(400, [f"spec_id `{one.get('spec_id')}` is invalid"])
        _check_value(spec, one.get("value"))
        found[spec.id] = one["value"]
    return [{"spec_id": spec.id, "value": found.get(spec.id, spec.default_value)} for spec in specs.values()]


def _check_value(spec: AttributeSpec, value: Any) -> None:
    if not isinstance(value, str) or len(value) > 4096:
        raise _bad("value: Not a valid string.")
    if spec.input_type == "number":
        least, most, step = map(int, spec.values)
        if not value.isdecimal() or not least <= int(value) <= most or (int(value) - least) % step:
            raise _bad(f"value: {value} is no number of {spec.name}")
    if spec.input_type in ("select", "radio") and value not in spec.values:
        raise _bad(f"value: {value} is none of {spec.name}")


def _whole(given: Item, name: str, *, needed: bool = False) -> int:
    value = given.get(name)
    if value is None and not needed:
        return 0
    if type(value) is not int or value < 0:
        raise _bad(f"{name}: A valid integer is required.")
    return value


def _numbered(item: Item, new_id: Callable[[], int]) -> Item:
    item["id"] = new_id()
    for shape in item.get("shapes", ()):
        shape["id"] = new_id()
    return item


def _bad(text: str) -> RefusedError:
    return RefusedError(400, {"detail": text})
