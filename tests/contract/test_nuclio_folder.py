"""Function folders for a real Nuclio: what is deployed, and the handler called through nuclio-sdk in a process that sees only them."""

from __future__ import annotations

import base64
import json
import re
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import yaml
from typer.testing import CliRunner

from annotator_bridge.functions.catalogue import load_function, read_catalogue
from annotator_bridge.functions.function import BadCallError, FunctionInfo, UnknownFunctionError, answer_bytes
from annotator_bridge.functions.loading import CHOSEN_NAME
from annotator_bridge.nuclio import sources
from annotator_bridge.nuclio.folder import function_yaml, make_folder
from annotator_bridge.nuclio.handling import reply
from edge.cli import app
from edge.errors import ModelError, SettingsError
from models.pack import read_pack
from models.runtime.machine import machine_fingerprint
from tests.unit.tiny_models import classifier_onnx, coloured, make_tiny_pack, segmenter_onnx

CHILD = Path(__file__).resolve().parents[1] / "helpers" / "nuclio_child.py"
JSON = "application/json"
WRONG: tuple[tuple[bytes, str], ...] = (
    (b"{cut off", JSON),
    (b"[1, 2]", JSON),
    (b"{}", JSON),
    (b'{"image": "no base64!", "image0": 1}', JSON),
    (b"\xff\xd8 raw bytes", "image/jpeg"),
)


@dataclass(frozen=True)
class Answered:
    status: int
    document: Any
    content_type: str


def encoded(image: np.ndarray[Any, Any], kind: str = ".png") -> str:
    return base64.b64encode(cv2.imencode(kind, image)[1].tobytes()).decode()


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home folder with tiny packs of each task beside those of the program; what is fastest here is known of the starter pack."""
    home = tmp_path_factory.mktemp("home")
    packs = home / "packs"
    tiny: dict[str, dict[str, Any]] = {
        "tiny-segmenter": {"onnx": segmenter_onnx(), "task": "segment", "head": "yolo_v8_seg"},
        "tiny-classifier": {
            "onnx": classifier_onnx(),
            "task": "classify",
            "head": "classify",
            "expected": {"score": [0.0, 0.0, 0.0]},
            "input": {"width_px": 64, "height_px": 64, "fit": "stretch"},
        },
    }
    for name, options in tiny.items():
        make_tiny_pack(packs / name / "1.0.0", name=name, version="1.0.0", ir=False, **options)
    kept = {}
    for entry in read_catalogue(home).entries.values():
        if entry.pack is not None:
            kept[f"{entry.pack.manifest_sha256}:{machine_fingerprint()}"] = entry.pack.manifest.variants[0].name
    (home / "cvat").mkdir()
    (home / CHOSEN_NAME).write_text(json.dumps(kept))
    return home


@pytest.fixture(scope="module")
def frames(shared_data: Path) -> tuple[str, str]:
    """Two stills of a tow, one after the other, as CVAT sends them: a JPEG and a PNG."""
    first, second = sorted((shared_data / "uwtv_stills" / "images").glob("*2023-06-03T16-26*"))[:2]
    pixels = cv2.imread(str(second))
    assert pixels is not None
    return base64.b64encode(first.read_bytes()).decode(), encoded(pixels)


def shape(box: list[float]) -> dict[str, Any]:
    return {"type": "rectangle", "label_id": 1, "frame": 0, "points": box, "attributes": []}


def calls_of(kind: str, frames: tuple[str, str]) -> list[dict[str, Any]]:
    box, other = [600.0, 300.0, 660.0, 350.0], [200.0, 400.0, 260.0, 450.0]
    if kind == "tracker":
        return [{"image": frames[0], "shapes": [box, other], "states": []}]
    if kind == "interactor":
        return [{"image": frames[0], "pos_points": [[630, 325]], "neg_points": [], "obj_bbox": None}]
    if kind == "reid":
        boxes = {"boxes0": [shape(box), shape(other)], "boxes1": [shape(other), shape(box)]}
        return [{"image0": frames[0], "image1": frames[0], **boxes, "threshold": 0.5, "max_distance": 50}]
    return [{"image": frames[0]}, {"image": frames[1], "threshold": 0.6}]


def invoke(folder: Path, bodies: list[tuple[bytes, str]]) -> list[Answered]:
    """Answers of the folder's handler. All of our modules must have come from the folder."""
    calls, results = folder.parent / f"{folder.name}.calls", folder.parent / f"{folder.name}.results"
    calls.write_text(json.dumps([{"body": base64.b64encode(body).decode(), "content_type": kind} for body, kind in bodies]))
    program = [sys.executable, "-W", "ignore", str(CHILD), str(folder), str(calls), str(results)]
    ended = subprocess.run(program, capture_output=True, text=True, timeout=120, cwd=folder.parent, check=False)
    assert ended.returncode == 0, ended.stderr[-2000:] + ended.stdout[-2000:]
    told = json.loads(results.read_text())
    assert told["modules"]
    assert [name for name, file in told["modules"].items() if not file.startswith(str(folder / "code"))] == []
    for one in told["replies"]:
        assert one["body_encoding"] == "text"
    return [Answered(one["status_code"], json.loads(one["body"]), one["content_type"]) for one in told["replies"]]


@pytest.mark.parametrize(
    "function_id",
    ["burrow-openings-starter", "tiny-segmenter", "tiny-classifier", "seabed-tracker", "outline-interactor", "seabed-reid"],
)
def test_the_handler_answers_as_the_facade_does(home: Path, tmp_path: Path, frames: tuple[str, str], function_id: str) -> None:
    made = make_folder(home, function_id, tmp_path / "functions")
    if (home_of_it := made.folder / "home").is_dir():  # saves the seconds in which the fastest variant is looked for
        (home_of_it / "cvat").mkdir()
        (home_of_it / CHOSEN_NAME).write_bytes((home / CHOSEN_NAME).read_bytes())
    calls = calls_of(made.kind, frames)
    if function_id.startswith("tiny"):
        calls = [{"image": encoded(coloured(64, 64, [(8, 16, 8, 8, 0), (40, 32, 8, 8, 1)]))}]
    answers = invoke(made.folder, [*((json.dumps(call).encode(), JSON) for call in calls), *WRONG])

    function = load_function(home, function_id, threads=1)
    expected = [json.loads(answer_bytes(function.invoke(call))) for call in calls]
    assert [answer.status for answer in answers] == [200] * len(calls) + [400] * len(WRONG)
    assert [answer.document for answer in answers[: len(calls)]] == expected
    assert all(expected), "a call that finds nothing compares nothing"
    assert {answer.content_type for answer in answers} == {JSON}
    for answer in answers[len(calls) :]:
        assert set(answer.document) == {"code", "reason"}
        assert answer.document["reason"]


def test_function_yaml_holds_what_nuclio_and_cvat_read(home: Path, tmp_path: Path) -> None:
    made = make_folder(home, "burrow-openings-starter", tmp_path)
    document = yaml.safe_load((made.folder / "function.yaml").read_text())
    metadata, spec = document["metadata"], document["spec"]
    assert (metadata["name"], metadata["namespace"]) == ("burrow-openings-starter", "cvat")
    assert "burrow" in metadata["annotations"]["name"].lower()
    assert all(isinstance(value, str) for value in metadata["annotations"].values())
    (label,) = json.loads(metadata["annotations"]["spec"])
    assert label["name"] == "burrow opening"
    assert [set(attribute) for attribute in label["attributes"]] == [{"name", "input_type", "values"}] * 2
    assert (spec["runtime"], spec["handler"], spec["eventTimeout"]) == ("python:3.11", "main:handler", "30s")
    trigger = spec["triggers"]["myHttpTrigger"]
    assert (trigger["kind"], trigger["attributes"]["maxRequestBodySize"]) == ("http", 33554432)
    assert spec["platform"]["attributes"] == {"restartPolicy": {"name": "always", "maximumRetryCount": 3}, "mountMode": "volume"}
    (install,) = spec["build"]["directives"]["postCopy"]
    assert "--no-index" in install["value"]  # nothing is fetched while it is built
    assert not re.search(r"https?://", json.dumps(spec))


def test_each_kind_says_what_cvat_needs_of_it(home: Path) -> None:
    entries = read_catalogue(home).entries
    told = {name: function_yaml(entry) for name, entry in entries.items()}
    annotations = {name: document["metadata"]["annotations"] for name, document in told.items()}
    assert annotations["tiny-segmenter"]["type"] == "detector"
    assert json.loads(annotations["tiny-classifier"]["spec"])[0]["type"] == "tag"
    assert annotations["seabed-tracker"]["type"] == "tracker"
    assert "supported_shape_types" not in annotations["seabed-tracker"]  # flat shapes serve every version of CVAT
    assert annotations["outline-interactor"]["startswith_box_optional"] == "true"
    assert not any("startswith_box" in annotations[name] for name in annotations)  # "false" would count as true, and true forbids clicks
    sizes = {name: document["spec"]["triggers"]["myHttpTrigger"]["attributes"]["maxRequestBodySize"] for name, document in told.items()}
    assert sizes.pop("seabed-reid") == 64 * 1024 * 1024
    assert set(sizes.values()) == {32 * 1024 * 1024}


def test_the_folder_holds_the_pack_and_only_what_is_imported(home: Path, tmp_path: Path) -> None:
    made = make_folder(home, "tiny-segmenter", tmp_path)
    copied = {path.relative_to(made.folder / "code").as_posix() for path in (made.folder / "code").rglob("*.py")}
    assert {"edge/errors.py", "annotator_bridge/functions/detector.py", "models/runtime/openvino.py"} <= copied
    assert not [path for path in copied if path.startswith(("edge/web/", "edge/commands/", "models/workshop/"))]
    pack = read_pack(made.folder / "home" / "packs" / "tiny-segmenter" / "1.0.0")
    assert pack.manifest.name == "tiny-segmenter"
    requirements = (made.folder / "requirements.txt").read_text().split()
    assert {line.split("==")[0] for line in requirements} >= {"numpy", "onnxruntime", "opencv-python-headless", "openvino", "pydantic"}
    assert all(re.fullmatch(r"[\w.-]+==[\w.]+", line) for line in requirements)
    assert not [line for line in requirements if line.startswith(("imagine", "fastapi", "torch"))]


def test_a_damaged_pack_is_never_packed_and_never_gets_ready(home: Path, tmp_path: Path) -> None:
    made = make_folder(home, "tiny-segmenter", tmp_path)
    weights = made.folder / "home" / "packs" / "tiny-segmenter" / "1.0.0" / "model.onnx"
    weights.write_bytes(b"damaged")
    with pytest.raises(AssertionError, match=r"no variant of tiny-segmenter@1\.0\.0 works"):
        invoke(made.folder, [(b"{}", JSON)])
    damaged = tmp_path / "damaged"
    make_tiny_pack(damaged / "packs" / "tiny" / "1.0.0", name="tiny", version="1.0.0", ir=False)
    (damaged / "packs" / "tiny" / "1.0.0" / "model.onnx").write_bytes(b"damaged")
    with pytest.raises(ModelError):
        make_folder(damaged, "tiny", tmp_path / "out")
    assert list((tmp_path / "out").iterdir()) == []  # nothing half-made stays


def test_an_unknown_function_and_a_name_that_is_taken_are_refused(home: Path, tmp_path: Path) -> None:
    with pytest.raises(UnknownFunctionError, match="no function 'nobody'"):
        make_folder(home, "nobody", tmp_path)
    make_folder(home, "seabed-tracker", tmp_path)
    with pytest.raises(SettingsError, match="is there already"):
        make_folder(home, "seabed-tracker", tmp_path)


def test_without_sources_nothing_is_made(monkeypatch: pytest.MonkeyPatch, home: Path, tmp_path: Path) -> None:
    """The frozen program has modules and no files of them."""

    class Frozen:
        origin = "/opt/imagine-edge/imagine-edge"

    monkeypatch.setattr(sources, "find_spec", lambda _name: Frozen())
    with pytest.raises(SettingsError, match="is not on this machine"):
        make_folder(home, "seabed-tracker", tmp_path)


class Failing:
    """A function that raises, or answers, what it was made with."""

    info = FunctionInfo(id="failing", kind="detector", title="", description="")

    def __init__(self, outcome: object) -> None:
        self._outcome = outcome

    def invoke(self, payload: Mapping[str, Any]) -> Any:
        if isinstance(self._outcome, Exception):
            raise self._outcome
        return self._outcome


@pytest.mark.parametrize(
    ("outcome", "status", "code"),
    [
        (BadCallError("no box"), 400, "bad_call"),
        (ModelError("it returned nothing"), 500, "model_failed"),
        (RuntimeError("a bug"), 500, "function_failed"),
        ([{"points": [float("nan")]}], 500, "function_failed"),
        ([{"points": np.float32(1)}], 500, "function_failed"),
    ],
)
def test_failures_are_statuses_with_their_reason_and_never_empty_lists(outcome: object, status: int, code: str) -> None:
    told = reply(Failing(outcome), {"image": ""})
    assert (told.status, json.loads(told.body)["code"]) == (status, code)
    assert json.loads(told.body)["reason"]
    assert told.trouble
    assert reply(Failing([]), {}).status == 200


def test_the_command_makes_folders_and_tells_of_them(home: Path, tmp_path: Path) -> None:
    arguments = ["--home", str(home), "cvat", "nuclio", "seabed-tracker", "tiny-classifier", "--out", str(tmp_path), "--json"]
    ended = CliRunner().invoke(app, arguments)
    assert ended.exit_code == 0
    made = json.loads(ended.stdout)["made"]
    assert [(one["id"], one["kind"]) for one in made] == [("seabed-tracker", "tracker"), ("tiny-classifier", "detector")]
    assert {path.name for path in (tmp_path / "tiny-classifier").iterdir()} == {
        "README.md",
        "code",
        "function.json",
        "function.yaml",
        "home",
        "main.py",
        "requirements.txt",
        "wheels",
    }
    assert CliRunner().invoke(app, ["--home", str(home), "cvat", "nuclio", "nobody", "--out", str(tmp_path)]).exit_code == 4
