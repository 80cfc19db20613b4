"""Functions for cvat-cli, loaded by its own loader and driven by cvat-sdk's own driver: its mapper refuses what breaks the protocol."""

from __future__ import annotations

import argparse
import json
import logging
from itertools import count
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cvat_sdk.auto_annotation as cvataa
import numpy as np
import pytest
from cvat_cli._internal import agent_driver, agent_driver_tracking
from cvat_cli._internal.common import FunctionLoader
from cvat_cli._internal.parsers import parse_function_parameter
from cvat_sdk import masks, models
from cvat_sdk.auto_annotation import driver
from PIL import Image

from annotator_bridge.cvat_cli import calling, detector, interactor, tracker
from annotator_bridge.functions.catalogue import load_function, read_catalogue
from annotator_bridge.functions.function import BadCallError, Function, answer_bytes
from annotator_bridge.functions.images import decode_image
from annotator_bridge.functions.loading import CHOSEN_NAME
from edge.errors import ModelError, SettingsError
from models.runtime.machine import machine_fingerprint
from models.workshop.synthetic import render_tow

BURROWS, MULTIPLES = "burrow-openings-starter", "zooscan-multiples-starter"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home folder in which nobody has to look for the fastest variant."""
    home = tmp_path_factory.mktemp("home")
    (home / "cvat").mkdir()
    packs = [entry.pack for entry in read_catalogue(home).entries.values() if entry.pack is not None]
    kept = {f"{pack.manifest_sha256}:{machine_fingerprint()}": pack.manifest.variants[0].name for pack in packs}
    (home / CHOSEN_NAME).write_text(json.dumps(kept))
    return home


@pytest.fixture(scope="module")
def frames() -> list[Image.Image]:
    return [Image.fromarray(still.image[:, :, ::-1].copy()) for still in render_tow(seed=5, n_stills=2)]


@pytest.fixture(scope="module")
def burrows(home: Path) -> Any:
    return loaded("detector", f"pack=str:{BURROWS}", f"home=str:{home}")


def loaded(module: str, *parameters: str) -> Any:
    """A function as cvat-cli loads it: with the texts that a person types."""
    given = dict(parse_function_parameter(text) for text in parameters)
    return FunctionLoader(f"annotator_bridge.cvat_cli.{module}", None, given).load()


def dataset_label(name: str, *, kind: str = "any", label_id: int = 70, attributes: bool = True) -> Any:
    """A label of a task on the server, with the attributes that `cvat push` declares."""

    def attribute(name: str, input_type: str, values: list[str], attribute_id: int) -> Any:
        told = {"name": name, "mutable": True, "input_type": models.InputTypeEnum(input_type), "default_value": "", "values": values}
        return models.Attribute._from_openapi_data(**told, id=attribute_id)

    declared = [attribute("confidence", "text", [""], 7), attribute("confidence_percent", "number", ["0", "100", "1"], 8)]
    return models.Label._from_openapi_data(
        name=name, id=label_id, type=kind, attributes=declared if attributes else [], sublabels=[], has_parent=False, jobs=None
    )


class Server:
    """What `annotate_task` asks a client for; keeps what is sent at the end."""

    def __init__(self) -> None:
        self.logger = logging.getLogger("cvat")
        self.sent: list[Any] = []
        self.tasks = SimpleNamespace(api=SimpleNamespace(partial_update_annotations=self._keep))

    def _keep(self, action: str, task_id: int, *, patched_labeled_data_request: Any) -> None:
        assert (action, task_id) == ("create", 11)
        self.sent.append(patched_labeled_data_request)


@pytest.fixture
def annotate(monkeypatch: pytest.MonkeyPatch, frames: list[Image.Image]) -> Any:
    def run(function: Any, labels: list[Any], **options: Any) -> Any:
        samples = [
            SimpleNamespace(
                frame_name=f"still-{index}.jpg", frame_index=10 + index, media=SimpleNamespace(load_image=lambda one=image: one)
            )
            for index, image in enumerate(frames)
        ]
        dataset = SimpleNamespace(labels=labels, samples=samples)
        monkeypatch.setattr(driver, "TaskDataset", lambda *_args, **_options: dataset)
        server = Server()
        cvataa.annotate_task(server, 11, function, **options)
        (sent,) = server.sent
        return sent

    return run


def answer_of(home: Path, function_id: str, payload: dict[str, Any]) -> Any:
    function: Function = load_function(home, function_id, threads=1)
    return json.loads(answer_bytes(function.invoke(payload)))


def test_a_detector_annotates_a_task_with_boxes_scores_and_attributes(
    home: Path, burrows: Any, annotate: Any, frames: list[Image.Image]
) -> None:
    sent = annotate(burrows, [dataset_label("burrow opening", kind="rectangle")])
    facades = load_function(home, BURROWS, threads=1)
    expected = [found for image in frames for found in facades.invoke({"image": calling.sent(image)})]
    assert len(expected) > 8
    assert [shape.points for shape in sent.shapes] == [found["points"] for found in expected]
    assert {shape.frame for shape in sent.shapes} == {10, 11}
    assert {(str(shape.type), shape.label_id, shape.source) for shape in sent.shapes} == {("rectangle", 70, "auto")}
    assert [[(one.spec_id, one.value) for one in shape.attributes] for shape in sent.shapes] == [
        [(7, found["confidence"]), (8, found["attributes"][1]["value"])] for found in expected
    ]
    assert [shape.score for shape in sent.shapes] == [float(found["confidence"]) for found in expected]
    assert sent.tags == []


@pytest.mark.parametrize("threshold", [0.0, 0.2, 0.7, 1.0])
def test_the_threshold_of_the_command_line_overrules_the_packs(burrows: Any, annotate: Any, threshold: float) -> None:
    usual = annotate(burrows, [dataset_label("burrow opening")])
    sent = annotate(burrows, [dataset_label("burrow opening")], conf_threshold=threshold, conv_mask_to_poly=True)
    assert all(shape.score >= threshold for shape in sent.shapes)
    assert (len(sent.shapes) > len(usual.shapes)) == (threshold < 0.361)


def test_a_classifier_annotates_with_tags(home: Path, annotate: Any) -> None:
    function = loaded("detector", f"pack=str:{MULTIPLES}", f"home=str:{home}")
    labels = [dataset_label("multi", kind="tag", label_id=1), dataset_label("single", kind="tag", label_id=2)]
    sent = annotate(function, labels)
    assert sent.shapes == []
    assert [tag.frame for tag in sent.tags] == [10, 11]
    assert all([one.spec_id for one in tag.attributes] == [7, 8] for tag in sent.tags)


def test_a_task_without_our_attributes_is_annotated_when_that_is_said(home: Path, burrows: Any, annotate: Any) -> None:
    bare = [dataset_label("burrow opening", attributes=False)]
    with pytest.raises(cvataa.BadFunctionError, match="attribute 'confidence' of label 'burrow opening' is not in dataset"):
        annotate(burrows, bare)  # the SDK's own word for it, before anything is looked at
    allowed = annotate(burrows, bare, allow_unmatched_labels=True)
    without = annotate(loaded("detector", f"pack=str:{BURROWS}", f"home=str:{home}", "attributes=bool:false"), bare)
    assert len(allowed.shapes) == len(without.shapes) > 0
    assert not any(shape.attributes for shape in allowed.shapes)


def test_the_sdk_of_server_2_15_gets_boxes_without_attributes_and_no_tags(home: Path, frames: list[Image.Image]) -> None:
    """Read in the wheel 2.15.0: a label or a shape with attributes is refused, there is no `tag`, contexts have a frame name only."""

    def label_spec(name: str, label_id: int, **told: Any) -> Any:
        assert "attributes" not in told
        return cvataa.label_spec(name, label_id, **told)

    def rectangle(label_id: int, points: list[float], **told: Any) -> Any:
        assert told == {}
        return cvataa.rectangle(label_id, points)

    old = SimpleNamespace(DetectionFunctionSpec=cvataa.DetectionFunctionSpec, label_spec=label_spec, rectangle=rectangle)
    values = SimpleNamespace(LabeledShapeRequest=SimpleNamespace(attribute_map={"points": "points"}))
    function = detector.Detector(load_function(home, BURROWS, threads=1), old, values, attributes=True)
    found = function.detect(SimpleNamespace(frame_name="a.jpg"), frames[0])
    assert len(found) > 3
    with pytest.raises(SettingsError, match="gives tags"):
        detector.Detector(load_function(home, MULTIPLES, threads=1), old, values, attributes=True)


def test_a_model_that_fails_stops_the_command_and_nothing_is_sent(home: Path, annotate: Any) -> None:
    class Failing:
        info = load_function(home, BURROWS, threads=1).info

        def invoke(self, payload: Any) -> Any:
            raise ModelError("it returned no number")

    function = detector.Detector(Failing(), cvataa, models, attributes=True)
    with pytest.raises(ModelError):
        annotate(function, [dataset_label("burrow opening")])


@pytest.mark.parametrize("mode", ["RGB", "L", "RGBA", "P", "CMYK", "1", "LA"])
def test_pictures_of_every_kind_are_seen_as_they_are(mode: str) -> None:
    shades = np.tile(np.linspace(0, 255, 40, dtype=np.uint8), (30, 1))
    image = Image.fromarray(shades).convert("RGB").convert(mode)
    seen = decode_image(calling.sent(image), max_pixels=10_000)
    assert np.array_equal(seen[:, :, ::-1], np.asarray(image.convert("RGB")))


def test_pictures_of_sixteen_bits_keep_their_shades_and_others_are_refused() -> None:
    deep = np.tile(np.linspace(0, 65535, 40).astype(np.uint16), (30, 1))
    seen = decode_image(calling.sent(Image.fromarray(deep)), max_pixels=10_000)
    assert np.abs(seen[:, :, 0].astype(int) - deep // 257).max() <= 1
    with pytest.raises(ValueError, match="floating-point"):
        calling.sent(Image.fromarray(np.ones((4, 4), np.float32)))


def test_the_tracker_is_driven_by_the_agent_of_cvat_cli(home: Path, monkeypatch: pytest.MonkeyPatch, frames: list[Image.Image]) -> None:
    function = loaded("tracker", f"home=str:{home}")
    assert function.spec.supported_shape_types == {"rectangle"}
    numbers = count()
    monkeypatch.setattr(agent_driver, "_current_function", function, raising=False)
    monkeypatch.setattr(agent_driver_tracking, "_tracking_states", agent_driver_tracking._TrackingStateContainer(), raising=False)
    monkeypatch.setattr(agent_driver_tracking, "_tracking_state_id_generator", lambda: str(next(numbers)), raising=False)
    drawn = [cvataa.TrackableShape(type="rectangle", points=box) for box in ([600, 200, 660, 250], [300, 300, 350, 360])]
    states = agent_driver_tracking._worker_job_init_tracking(1, frames[0], drawn)
    steps = [agent_driver_tracking._worker_job_track(1, frames[1], states) for _ in range(2)]

    payload = {"shapes": [{"type": shape.type, "points": shape.points} for shape in drawn], "states": []}
    begun = answer_of(home, "seabed-tracker", {"image": calling.sent(frames[0]), **payload})["states"]
    expected = answer_of(home, "seabed-tracker", {"image": calling.sent(frames[1]), "shapes": [], "states": begun})["shapes"]
    assert [None if shape is None else shape.points for shape in steps[0]] == [one and one["points"] for one in expected]
    assert any(shape is not None and shape.points != drawn[place].points for place, shape in enumerate(steps[0]))


def test_the_interactor_answers_the_sdks_prompts_with_a_mask_of_its_own_kind(home: Path, frames: list[Image.Image]) -> None:
    function = loaded("interactor", f"home=str:{home}")
    assert (function.spec.min_pos_points, function.spec.min_bounding_boxes) == (0, 0)
    opening = render_tow(seed=5, n_stills=1)[0].boxes_xyxy_px[0].tolist()
    x, y = (opening[0] + opening[2]) / 2, (opening[1] + opening[3]) / 2
    prompts = SimpleNamespace(pos_points=[(x, y)], neg_points=[], bounding_box=((opening[0], opening[1]), (opening[2], opening[3])))
    seen = function.preprocess_image(None, frames[0])
    (shape,) = function.detect(None, seen, prompts)
    mask = masks.decode_mask(shape.points, image_width=frames[0].width, image_height=frames[0].height)
    told = {"pos_points": [[x, y]], "neg_points": [], "obj_bbox": [opening[:2], opening[2:]]}
    expected = answer_of(home, "outline-interactor", {"image": seen, **told})["mask"]
    assert shape.type == "mask"
    assert np.array_equal(mask, np.array(expected, bool))
    with pytest.raises(BadCallError):
        function.detect(None, seen, SimpleNamespace(pos_points=[], neg_points=[], bounding_box=None))


def test_what_cannot_be_is_said_before_anything_is_asked_of_the_server(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SettingsError, match="seabed-tracker is a tracker, not a detector"):
        detector.create("seabed-tracker", home=str(home))
    with pytest.raises(SettingsError, match="not a tracker"):
        tracker.create(BURROWS, home=str(home))
    with pytest.raises(argparse.ArgumentTypeError):
        loaded("detector", "pack=nothing:x")
    for module, name in ((tracker, "TrackingFunctionSpec"), (interactor, "InteractionFunctionSpec")):
        with monkeypatch.context() as patched:
            patched.delattr(cvataa, name)
            with pytest.raises(SettingsError, match="knows no"):
                module.create(home=str(home))
    monkeypatch.setattr(calling, "import_module", lambda name: (_ for _ in ()).throw(ModuleNotFoundError(name)))
    with pytest.raises(SettingsError, match="not installed") as refused:
        detector.create(BURROWS, home=str(home))
    assert "pip install cvat-cli" in refused.value.advice()


def test_the_home_folder_is_the_one_that_commands_use(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from edge.commands.common import HOME_VARIABLE, default_home

    assert calling.HOME_VARIABLE == HOME_VARIABLE
    monkeypatch.delenv(HOME_VARIABLE, raising=False)
    assert calling.home_folder("") == default_home()
    monkeypatch.setenv(HOME_VARIABLE, str(tmp_path))
    assert calling.home_folder("") == default_home() == tmp_path
    assert calling.home_folder("~/ship") == Path.home() / "ship"
