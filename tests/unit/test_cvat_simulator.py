"""The simulated CVAT does what a real one was seen to do (domain notes on CVAT): else tests against it would prove nothing."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest

from tests.simulators import cvat_documents as documents
from tests.simulators.cvat_labels import read_labels
from tests.simulators.cvat_lambda import BatchFailedError, Caller
from tests.simulators.cvat_media import Frame
from tests.simulators.cvat_person import Person
from tests.simulators.cvat_refusal import RefusedError
from tests.simulators.cvat_world import NEW, OLD, USER, Task, World

LABELS = [
    {
        "name": "burrow",
        "type": "any",
        "attributes": [
            {"name": "confidence", "mutable": False, "input_type": "text", "values": [""], "default_value": ""},
            {"name": "percent", "mutable": False, "input_type": "number", "values": ["0", "100", "1"], "default_value": "0"},
            {"name": "seen", "mutable": True, "input_type": "checkbox", "values": ["false"], "default_value": "false"},
        ],
    }
]


def make_task(
    folder: Path, *, version: str = OLD, frames: int = 12, segment: int = 6, video: bool = True, overlap: int | None = 0
) -> tuple[World, Task]:
    world = World(folder / "server", version=version)
    account = world.accounts[USER]
    task = world.make_task(account, {"name": "x", "labels": LABELS, "segment_size": segment, "overlap": overlap})
    task.has_data, task.is_video = True, video
    task.frames = [Frame(name="a.mp4", width=200, height=100)] * frames
    task.state = "Finished"
    world._make_jobs(task)
    return world, task


def track(task: Task, *keyframes: tuple[int, float, bool]) -> dict[str, Any]:
    shapes = [
        {"type": "rectangle", "frame": frame, "points": [x, 10.0, x + 10, 20.0], "occluded": False, "outside": outside, "attributes": []}
        for frame, x, outside in keyframes
    ]
    return {"version": 0, "tracks": [{"label_id": task.labels[0].id, "frame": keyframes[0][0], "shapes": shapes, "attributes": []}]}


def test_a_track_is_a_line_between_keyframes_and_is_cut_where_jobs_meet(tmp_path: Path) -> None:
    """Observed: from x 10 to 110 over ten frames is 20 at frame 1; a track without an end runs to the end of the task."""
    world, task = make_task(tmp_path)
    document = documents.checked(task, track(task, (0, 10.0, False), (10, 110.0, False)))
    at_one = documents._at(document["tracks"][0], 1)
    assert at_one is not None
    assert at_one["points"][0] == 20.0
    documents.add(world, task, track(task, (0, 10.0, False), (10, 110.0, False)))
    parts = [[(one["frame"], one["points"][0]) for one in found["shapes"]] for job in world.jobs_of(task) for found in job.tracks]
    assert parts == [[(0, 10.0)], [(6, 70.0), (10, 110.0)]]
    documents.add(world, task, track(task, (0, 10.0, False), (3, 40.0, True)))
    assert [len(job.tracks) for job in world.jobs_of(task)] == [2, 1], "one that is closed does not run on"


def test_a_videos_jobs_overlap_unless_it_is_told(tmp_path: Path) -> None:
    world, task = make_task(tmp_path, frames=20, segment=12, overlap=None)
    assert [(job.start, job.stop) for job in world.jobs_of(task)] == [(0, 11), (7, 18), (14, 19)]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"label_id": 1}, "label_id"),
        ({"points": ["1", 2, 3, 4]}, "points"),
        ({"points": [float("nan"), 2, 3, 4]}, "points"),
        ({"rotation": 361}, "rotation"),
        ({"type": "box"}, "type"),
        ({"frame": -1}, "frame"),
        ({"attributes": [{"spec_id": 1, "value": "x"}]}, "spec_id"),
    ],
)
def test_one_item_that_is_wrong_refuses_the_whole_document(tmp_path: Path, change: dict[str, Any], told: str) -> None:
    world, task = make_task(tmp_path)
    good = {"type": "rectangle", "frame": 0, "label_id": task.labels[0].id, "points": [1.0, 2.0, 3.0, 4.0], "attributes": []}
    with pytest.raises(RefusedError, match=told) as refused:
        documents.add(world, task, {"version": 0, "shapes": [good, {**good, **change}]})
    assert refused.value.status == 400
    assert all(not job.shapes for job in world.jobs_of(task))


def test_values_of_attributes_are_texts_and_fit(tmp_path: Path) -> None:
    _, task = make_task(tmp_path)
    percent = task.labels[0].attributes[1].id
    seen = task.labels[0].attributes[2].id
    shape = {"type": "rectangle", "frame": 0, "label_id": task.labels[0].id, "points": [1.0, 2.0, 3.0, 4.0]}
    for wrong in (91, "0.91", "101"):
        with pytest.raises(RefusedError):
            documents.checked(task, {"shapes": [{**shape, "attributes": [{"spec_id": percent, "value": wrong}]}]})
    changing = track(task, (0, 1.0, False))
    changing["tracks"][0]["attributes"] = [{"spec_id": seen, "value": "true"}]
    with pytest.raises(RefusedError, match="spec_id"):
        documents.checked(task, changing)


def test_what_lies_outside_of_every_job_is_dropped_without_a_word(tmp_path: Path) -> None:
    world, task = make_task(tmp_path)
    shape = {"type": "rectangle", "frame": 99, "label_id": task.labels[0].id, "points": [1.0, 2.0, 3.0, 4.0], "attributes": []}
    assert documents.add(world, task, {"version": 0, "shapes": [shape]})["shapes"] == []


def test_a_number_needs_its_least_its_greatest_and_its_step() -> None:
    with pytest.raises(RefusedError, match="least"):
        read_labels([{"name": "a", "attributes": [{"name": "n", "mutable": False, "input_type": "number", "values": ["1"]}]}], lambda: 1)


def test_a_person_moves_relabels_deletes_adds_and_completes(tmp_path: Path) -> None:
    world, task = make_task(tmp_path, video=False)
    person = Person(world, task)
    person.add(1, "burrow", [1.0, 1.0, 9.0, 9.0])
    person.add(1, "burrow", [2.0, 2.0, 8.0, 8.0])
    before = person.shapes(1)[0]["id"]
    person.move(1, 0, 2.0)
    assert person.shapes(1)[0]["points"] == [3.0, 3.0, 11.0, 11.0]
    assert person.shapes(1)[0]["id"] != before, "the server gives what is changed another number"
    person.relabel(1, 0, "burrow")
    person.delete(1, 0)
    person.take(person.job_of(1))
    person.finish(person.job_of(1))
    assert (len(person.shapes(1)), person.jobs[0].state, person.jobs[0].assignee) == (1, "completed", "anna")


class Nuclio(BaseHTTPRequestHandler):
    """Answers what a test says."""

    answers: ClassVar[dict[str, tuple[int, Any]]] = {}
    seen: ClassVar[list[dict[str, str]]] = []

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name of the base class
        """Say nothing."""

    def do_GET(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self._answer()

    def _answer(self) -> None:
        Nuclio.seen.append(dict(self.headers.items()))
        status, value = Nuclio.answers.get(self.path, (404, {}))
        content = value if isinstance(value, bytes) else json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


@contextmanager
def nuclio(**answers: tuple[int, Any]) -> Iterator[str]:
    Nuclio.answers = {f"/api/{name.replace('__', '/')}": answer for name, answer in answers.items()}
    Nuclio.seen = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), Nuclio)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def entry(name: str = "d", **changes: Any) -> dict[str, Any]:
    spec = [{"name": "burrow", "type": "rectangle", "attributes": []}]
    annotations = {"name": name, "type": "detector", "spec": json.dumps(spec), **changes}
    return {"metadata": {"name": name, "annotations": annotations}, "spec": {"description": ""}, "status": {"state": "ready"}}


@pytest.mark.parametrize(
    "wrong",
    [
        {"metadata": {"name": "x", "annotations": {}}, "spec": {}, "status": {"state": "ready"}},
        entry("x", spec="no json"),
        entry("x", version="1.1.0"),
        entry("x", spec=json.dumps([{"name": "a", "attributes": [{"name": "b", "input_type": "text"}]}])),
    ],
)
def test_one_entry_that_is_wrong_breaks_the_list_of_the_older_server(tmp_path: Path, wrong: dict[str, Any]) -> None:
    with nuclio(functions=(200, {"d": entry(), "x": wrong})) as url:
        with pytest.raises(RefusedError) as broken:
            Caller(World(tmp_path, version=OLD), url).functions()
        assert broken.value.status == 500
        assert [one.id for one in Caller(World(tmp_path, version=NEW), url).functions()] == ["d"]


def test_a_list_instead_of_an_object_breaks_both(tmp_path: Path) -> None:
    with nuclio(functions=(200, [entry()])) as url:
        for version in (OLD, NEW):
            with pytest.raises(RefusedError, match="values"):
                Caller(World(tmp_path, version=version), url).functions()


@pytest.mark.parametrize(
    "answer",
    [None, {"label": "burrow"}, [{"label": "burrow"}], [{"label": "burrow", "type": "rectangle", "points": ["1", 2, 3, 4]}], b"no json"],
)
def test_a_detectors_answer_that_is_wrong_fails_the_batch(tmp_path: Path, answer: Any) -> None:
    world, task = make_task(tmp_path, video=False)
    with nuclio(functions__d=(200, entry()), function_invocations=(200, answer)) as url, pytest.raises(BatchFailedError):
        Caller(world, url).annotate("d", task, [b"image"] * 2)
    assert all(not job.shapes for job in world.jobs_of(task))


def test_what_a_detector_says_is_stored_and_what_does_not_fit_is_dropped(tmp_path: Path) -> None:
    world, task = make_task(tmp_path, video=False)
    attributes = [{"name": "confidence", "value": "0.91"}, {"name": "percent", "value": "0.91"}]
    found = [
        {"label": "burrow", "type": "rectangle", "points": [1.0, 2.0, 3.0, 4.0], "attributes": attributes},
        {"label": "burrow", "type": "mask", "mask": [0, 1, 1, 0, 5, 5, 6, 6], "points": []},
        {"label": "unknown", "type": "rectangle", "points": [1.0, 2.0, 3.0, 4.0]},
    ]
    with nuclio(functions__d=(200, entry()), function_invocations=(200, found)) as url:
        assert Caller(world, url).annotate("d", task, [b"image"]) == 2
        assert Nuclio.seen[-1]["x-nuclio-function-name"] == "d"
    box, mask = world.jobs_of(task)[0].shapes
    assert [one["value"] for one in box["attributes"]][:2] == ["0.91", "0"], "a fraction in a number is dropped, its default stays"
    assert mask["points"] == [1.0, 2.0, 1.0, 5.0, 5.0, 6.0, 6.0]


def test_states_and_indexes_that_are_wrong_are_errors(tmp_path: Path) -> None:
    world = World(tmp_path, version=NEW)
    with nuclio(functions__d=(200, entry()), function_invocations=(200, {"shapes": [], "states": []})) as url, pytest.raises(RefusedError):
        Caller(world, url).begin_track("d", b"image", [[1, 2, 3, 4]])
    with nuclio(functions__d=(200, entry()), function_invocations=(200, [1])) as url, pytest.raises(BatchFailedError):
        Caller(world, url).match("d", (b"a", b"b"), [{}], [{}])
    with pytest.raises(RefusedError) as down:
        Caller(world, "http://127.0.0.1:9").functions()
    assert down.value.status == 503
