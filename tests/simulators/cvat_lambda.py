"""CVAT as the caller of functions: asks our facade as it asks Nuclio, and does with the answers what it does, without mercy.

Read in cvat/apps/lambda_manager/views.py (LambdaGateway, LambdaFunction, LambdaJob) and observed on a 2.15 server (domain notes on CVAT):
one entry of the list that is wrong makes the whole list fail in 2.15 and is skipped later; numbers are made of texts by `int`; any answer
that is not as it must be fails a whole batch. An image goes as base64 of the file's own bytes.
"""

from __future__ import annotations

import base64
import http.client
import json
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from tests.simulators import cvat_documents as documents
from tests.simulators.cvat_labels import LabelSpec
from tests.simulators.cvat_refusal import RefusedError
from tests.simulators.cvat_world import Task, World

KINDS = ("detector", "interactor", "reid", "tracker")


class BatchFailedError(Exception):
    """A batch ended as a failed job; nothing since the last submit is kept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenFunction:
    """An entry as CVAT reads it."""

    id: str
    kind: str
    name: str
    labels: dict[str, dict[str, Any]]
    min_pos_points: int
    min_neg_points: int
    startswith_box: bool
    version: int
    shapes_as_objects: bool


@dataclass(slots=True)
class Caller:
    """A CVAT that takes `nuclio_url` for Nuclio (a path in it is what a token in CVAT_NUCLIO_HOST makes of it)."""

    world: World
    nuclio_url: str
    timeout_s: float = 30.0
    asked: list[str] = field(default_factory=list)

    # What LambdaGateway does ------------------------------------------------------------------------------------

    def functions(self) -> list[SeenFunction]:
        """GET /api/lambda/functions.

        Raises:
            RefusedError: 500 where an entry breaks the list (2.15), 503 where nobody answers, the status of the facade else.
        """
        found = self._http("GET", "/api/functions")
        if not isinstance(found, dict):  # `.values()` of a list
            raise RefusedError(500, "AttributeError: 'list' object has no attribute 'values'")
        seen = []
        for entry in found.values():
            try:
                seen.append(self._read(entry))
            except (KeyError, TypeError, ValueError) as error:
                if not self.world.is_new:
                    raise RefusedError(500, repr(error)) from error
        return seen

    def function(self, function_id: str) -> SeenFunction:
        """GET /api/functions/{id}: asked before every call."""
        try:
            return self._read(self._http("GET", f"/api/functions/{function_id}"))
        except (KeyError, TypeError, ValueError) as error:
            raise RefusedError(500, repr(error)) from error

    def invoke(self, function_id: str, payload: dict[str, Any]) -> Any:
        """POST /api/function_invocations (method `dashboard`)."""
        headers = {"x-nuclio-function-name": function_id, "x-nuclio-path": "/", "Content-Type": "application/json"}
        return self._http("POST", "/api/function_invocations", headers, json.dumps(payload).encode())

    # What people do in a job ------------------------------------------------------------------------------------

    def detect(self, function_id: str, image: bytes, *, threshold: float | None = None) -> Any:
        """A detector called on one frame; a threshold of 0 is not sent."""
        self.function(function_id)
        payload: dict[str, Any] = {"threshold": threshold} if threshold else {}
        return self.invoke(function_id, {**payload, "image": _b64(image)})

    def interact(self, function_id: str, image: bytes, pos: list[list[float]], neg: list[list[float]] | None = None) -> Any:
        """An interactor; in 2.15 the first two points of one that starts with a box become the box."""
        function = self.function(function_id)
        box = pos[:2] if function.startswith_box else None
        rest = pos[2:] if function.startswith_box else pos
        return self.invoke(function_id, {"image": _b64(image), "pos_points": rest, "neg_points": neg or [], "obj_bbox": box})

    def begin_track(self, function_id: str, image: bytes, boxes: list[list[float]]) -> dict[str, Any]:
        """Shapes with nothing before them: the tracker makes a state of each."""
        function = self.function(function_id)
        shapes: list[Any] = [{"type": "rectangle", "points": box} for box in boxes] if function.shapes_as_objects else list(boxes)
        return self._tracked(function_id, {"image": _b64(image), "shapes": shapes, "states": []}, len(boxes))

    def go_on(self, function_id: str, image: bytes, before: dict[str, Any]) -> dict[str, Any]:
        """The next frame: 2.15 sends the shapes of before, later servers pad them with nulls and send the states only."""
        self.function(function_id)
        states = before["states"]
        shapes = [None] * len(states) if self.world.is_new else before["shapes"]
        return self._tracked(function_id, {"image": _b64(image), "shapes": shapes, "states": states}, len(states))

    # Batches ----------------------------------------------------------------------------------------------------

    def annotate(self, function_id: str, task: Task, images: list[bytes], mapping: dict[str, str] | None = None) -> int:
        """A detector over a whole task; submitted every 100 frames. Returns how many items were stored.

        Raises:
            BatchFailedError: as the job would fail.
        """
        function = self.function(function_id)
        labels = {label.name: label for label in task.labels}
        names = mapping if mapping is not None else {name: name for name in function.labels if name in labels}
        waiting: dict[str, Any] = {"version": 0, "tags": [], "shapes": [], "tracks": []}
        stored = 0
        try:
            for frame, image in enumerate(images):
                for item in self.invoke(function_id, {"image": _b64(image)}):
                    if item["label"] in names:
                        _append(waiting, frame, labels[names[item["label"]]], item)
                if frame and frame % 100 == 0:
                    stored += self._submit(task, waiting)
            return stored + self._submit(task, waiting)
        except (KeyError, TypeError, ValueError, AttributeError, IndexError, RefusedError) as error:
            raise BatchFailedError(repr(error)) from error

    def match(self, function_id: str, images: tuple[bytes, bytes], boxes0: list[Any], boxes1: list[Any], **about: float) -> list[int]:
        """Re-identification over two frames. An index that is no place of `boxes1` fails the job.

        Raises:
            BatchFailedError: as the job would fail.
        """
        self.function(function_id)
        payload = {"image0": _b64(images[0]), "image1": _b64(images[1]), "boxes0": boxes0, "boxes1": boxes1, **about}
        matching = self.invoke(function_id, payload)
        try:
            for place, other in enumerate(matching):
                if other >= 0:
                    _ = boxes0[place], boxes1[other]
        except (IndexError, TypeError) as error:
            raise BatchFailedError(repr(error)) from error
        return list(matching)

    def _submit(self, task: Task, waiting: dict[str, Any]) -> int:
        count = len(waiting["tags"]) + len(waiting["shapes"])
        documents.add(self.world, task, waiting)
        waiting["tags"], waiting["shapes"] = [], []
        return count

    def _tracked(self, function_id: str, payload: dict[str, Any], count: int) -> dict[str, Any]:
        found = self.invoke(function_id, payload)
        if not isinstance(found, dict) or len(found["shapes"]) != count or len(found["states"]) != count:
            raise RefusedError(500, "shapes and states of a tracker are as many as it was given")
        return {"shapes": found["shapes"], "states": json.loads(json.dumps(found["states"]))}

    def _read(self, entry: dict[str, Any]) -> SeenFunction:
        about = entry["metadata"]["annotations"]
        spec = json.loads(about.get("spec") or "[]")
        labels = {one["name"]: {attribute["name"]: attribute for attribute in one.get("attributes", [])} for one in spec}
        if len(labels) != len(spec):
            raise RefusedError(404, f"`{entry['metadata']['name']}` lambda function has non-unique labels")
        for one in spec:
            for attribute in one.get("attributes", []):
                _ = attribute["input_type"], attribute["values"]
        _ = entry["spec"]["description"], entry["status"]["state"]
        kind = about.get("type")
        return SeenFunction(
            id=entry["metadata"]["name"],
            kind=kind if kind in KINDS else "unknown",
            name=about.get("name", entry["metadata"]["name"]),
            labels=labels,
            min_pos_points=int(about.get("min_pos_points", 1)),
            min_neg_points=int(about.get("min_neg_points", -1)),
            startswith_box=bool(about.get("startswith_box", False)),
            version=int(about.get("version", "1")),
            shapes_as_objects=self.world.is_new and bool(about.get("supported_shape_types")),
        )

    def _http(self, method: str, path: str, headers: dict[str, str] | None = None, body: bytes | None = None) -> Any:
        parts = urlsplit(self.nuclio_url)
        self.asked.append(f"{method} {path}")
        connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=self.timeout_s)
        sent = {
            "User-Agent": f"CVAT/{self.world.version} python-requests/2.31",
            "Accept": "*/*",
            "Accept-Encoding": "identity",
            "x-nuclio-project-name": "cvat",
            "x-nuclio-function-namespace": "nuclio",
            "x-nuclio-invoke-via": "domain-name",
            "X-Nuclio-Invoke-Timeout": "120s",
            **(headers or {}),
        }
        try:
            connection.request(method, f"{parts.path}{path}", body=body, headers=sent)
            answer = connection.getresponse()
            content = answer.read()
        except TimeoutError as error:
            raise RefusedError(504, str(error)) from error
        except OSError as error:
            raise RefusedError(503, str(error)) from error
        finally:
            connection.close()
        if answer.status >= 400:  # the text of the facade is dropped
            raise RefusedError(answer.status, f"{answer.status} Client Error: {answer.reason} for url: {self.nuclio_url}{path}")
        try:
            return json.loads(content)
        except ValueError as error:
            raise RefusedError(500, f"Expecting value: {error}") from error


def _append(waiting: dict[str, Any], frame: int, label: LabelSpec, item: dict[str, Any]) -> None:
    """What LambdaJob makes of an item of a detector's answer; a missing key fails the batch."""
    specs = {one.name: one for one in label.attributes}
    attributes = []
    for one in item.get("attributes") or []:
        spec = specs.get(one["name"])
        if spec is None or (spec.input_type == "number" and not one["value"].isnumeric()):  # dropped without a word
            continue
        attributes.append({"spec_id": spec.id, "value": one["value"]})
    common = {"frame": frame, "label_id": label.id, "source": "auto", "attributes": attributes, "group": item.get("group_id")}
    if item["type"].lower() == "tag":
        waiting["tags"].append(common)
        return
    points = item["mask"] if item["type"] == "mask" else item["points"]
    if item["type"] == "mask":
        points = _run_lengths(points[:-4]) + points[-4:]
    waiting["shapes"].append({**common, "type": item["type"], "occluded": False, "points": points, "z_order": 0})


def _run_lengths(flat: list[int]) -> list[int]:
    """Lengths of runs of a flat mask, that of zeros first."""
    runs, value, length = [], 0, 0
    for one in flat:
        if one == value:
            length += 1
        else:
            runs.append(length)
            value, length = one, 1
    return [*runs, length]


def _b64(image: bytes) -> str:
    return base64.b64encode(image).decode()
