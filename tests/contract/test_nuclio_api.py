"""The address that CVAT takes for Nuclio's: its three requests, in the shape that real servers send, and what is wrong with some."""

from __future__ import annotations

import base64
import io
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import httpx
import numpy as np
import pytest
from PIL import Image

from annotator_bridge.facade.listen import Listener
from tests.helpers.bridge import bridge, client, invoke, make_home, picture, record_of, text_of, tiny_pack
from tests.simulators.cvat_lambda import Caller
from tests.simulators.cvat_refusal import RefusedError
from tests.simulators.cvat_world import NEW, OLD, World
from tests.unit.tiny_models import coloured

SHAPE_KEYS = {"label", "type", "points", "confidence", "attributes"}


@pytest.fixture(scope="module")
def listener(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Listener]:
    """One address, and one child, for the whole module."""
    with bridge(make_home(tmp_path_factory.mktemp("bridge") / "home"), max_pixels=1_000_000) as listener:
        yield listener


@pytest.fixture(scope="module")
def cvat(listener: Listener) -> Iterator[httpx.Client]:
    with client(listener) as caller:
        yield caller


def functions(cvat: httpx.Client) -> dict[str, Any]:
    answer = cvat.get("/api/functions")
    assert answer.status_code == 200
    document = answer.json()
    assert isinstance(document, dict)  # CVAT takes its values(); a list breaks the page
    return document


def reason_of(answer: httpx.Response) -> str:
    return str(answer.json()["error"]["message"])


# Request 1 and 2: the functions ----------------------------------------------------------------------------------


def test_each_function_has_every_key_without_which_a_server_drops_the_whole_list(cvat: httpx.Client, listener: Listener) -> None:
    found = functions(cvat)
    assert {"burrow-openings-starter", "tiny", "tiny-class", "seabed-tracker"} <= found.keys()
    for function in found.values():
        assert re.fullmatch(r"[a-zA-Z0-9_.-]+", function["metadata"]["name"])
        assert function["status"] == {"state": "ready", "httpPort": int(listener.url.rsplit(":", 1)[1])}
        assert isinstance(function["spec"]["description"], str)
        annotations = function["metadata"]["annotations"]
        assert all(isinstance(value, str) for value in annotations.values())
        assert annotations["type"] in {"detector", "interactor", "reid", "tracker"}
        assert int(annotations["version"]) >= 1
        assert "supported_shape_types" not in annotations  # then 2.15 and its successors both send flat rectangles


def test_labels_are_a_json_text_with_all_that_a_server_reads(cvat: httpx.Client) -> None:
    for function in functions(cvat).values():
        annotations = function["metadata"]["annotations"]
        labels = json.loads(annotations["spec"])
        assert len({label["name"] for label in labels}) == len(labels)
        assert bool(labels) == (annotations["type"] == "detector")
        for label in labels:
            assert label["type"] in {"rectangle", "tag"}
            named = {attribute["name"]: attribute for attribute in label["attributes"]}
            assert named["confidence"] == {"name": "confidence", "input_type": "text", "values": [""]}
            assert named["confidence_percent"] == {"name": "confidence_percent", "input_type": "number", "values": ["0", "100", "1"]}


def test_the_burrow_detector_is_found_by_its_name(cvat: httpx.Client) -> None:
    assert "burrow" in functions(cvat)["burrow-openings-starter"]["metadata"]["annotations"]["name"]


def test_an_interactor_has_what_its_browser_demands_and_no_flag_that_is_no(cvat: httpx.Client) -> None:
    for function in functions(cvat).values():
        annotations = function["metadata"]["annotations"]
        assert "startswith_box" not in annotations  # "false" would count as yes, and yes forbids to begin with a click
        if annotations["type"] == "interactor":
            assert int(annotations["version"]) >= 2
            assert (annotations["min_pos_points"], annotations["min_neg_points"]) == ("0", "0")  # or a box alone would wait for a click
            assert annotations["startswith_box_optional"] == "true"


def test_one_function_is_told_alone_as_in_the_list(cvat: httpx.Client) -> None:
    answer = cvat.get("/api/functions/tiny")
    assert answer.status_code == 200
    assert answer.json() == functions(cvat)["tiny"]


@pytest.mark.parametrize("name", ["nowhere", "tiny/", "..%2f..%2fetc", "tiny%00", "TINY", "%F0%9F%90%9A", "x" * 3000])
def test_a_function_that_there_is_not_is_404(cvat: httpx.Client, name: str) -> None:
    assert cvat.get(f"/api/functions/{name}").status_code == 404


def test_a_broken_pack_is_left_out_and_told_and_the_others_stay(tmp_path: Path) -> None:
    for name in ("whole", "no-json", "other-name"):
        tiny_pack(tmp_path, name)
    (tmp_path / "packs" / "no-json" / "1.0.0" / "manifest.json").write_text("{", "utf-8")
    (tmp_path / "packs" / "other-name" / "1.0.0").rename(tmp_path / "packs" / "other-name" / "2.0.0")
    with bridge(tmp_path) as listener, client(listener) as cvat:
        assert {"whole", "burrow-openings-starter"} <= functions(cvat).keys()
        assert not {"no-json", "other-name"} & functions(cvat).keys()
        assert [name for name, _ in record_of(listener).left_out] == ["no-json@1.0.0", "other-name@2.0.0"]


def test_a_pack_that_is_installed_meanwhile_appears(tmp_path: Path) -> None:
    with bridge(tmp_path) as listener, client(listener) as cvat:
        assert cvat.get("/api/functions/late").status_code == 404
        tiny_pack(tmp_path, "late")
        listener.catalogue.forget()  # in place of a second's waiting
        assert cvat.get("/api/functions/late").status_code == 200


# As a server of each generation does it, without mercy ------------------------------------------------------------


@pytest.mark.parametrize("version", [OLD, NEW])
def test_a_server_reads_the_list_and_annotates_a_task(listener: Listener, tmp_path: Path, version: str) -> None:
    caller = Caller(World(tmp_path, version=version), listener.url)
    seen = {function.id: function for function in caller.functions()}
    assert {function.kind for function in seen.values()} <= {"detector", "tracker", "interactor", "reid"}
    assert "burrow" in seen["burrow-openings-starter"].name
    assert set(caller.function("tiny").labels) == {"red", "green", "blue"}
    found = caller.detect("tiny", picture(), threshold=0.5)
    assert sorted(shape["label"] for shape in found) == ["green", "red"]
    for function in ("tiny-nan", "nowhere"):
        with pytest.raises(RefusedError):
            caller.detect(function, picture())


@pytest.mark.parametrize("version", [OLD, NEW])
def test_a_person_calls_the_tracker_and_the_interactor(listener: Listener, tmp_path: Path, version: str) -> None:
    caller = Caller(World(tmp_path, version=version), listener.url)
    ground = np.random.default_rng(5).integers(60, 120, (240, 320, 3), np.uint8)
    scene = cv2.circle(cv2.GaussianBlur(ground, (7, 7), 2), (150, 120), 14, (20, 20, 20), -1)
    image = np.asarray(cv2.imencode(".png", scene)[1]).tobytes()
    first = caller.begin_track("seabed-tracker", image, [[130.0, 100.0, 170.0, 140.0]])
    second = caller.go_on("seabed-tracker", image, first)
    assert np.allclose(second["shapes"][0], [130.0, 100.0, 170.0, 140.0], atol=2.0)
    outline = caller.interact("outline-interactor", image, [[150.0, 120.0]])
    assert np.asarray(outline["mask"]).shape == (240, 320)


# Request 3: a detector -------------------------------------------------------------------------------------------


def test_a_detector_answers_with_a_list_that_a_server_can_store(cvat: httpx.Client) -> None:
    answer = invoke(cvat, "tiny", {"image": text_of(picture())})
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    shapes = sorted(answer.json(), key=lambda shape: str(shape["label"]))
    assert [shape["label"] for shape in shapes] == ["green", "red"]
    assert [shape["points"] for shape in shapes] == [[40.0, 24.0, 48.0, 32.0], [8.0, 16.0, 16.0, 24.0]]
    for shape in shapes:
        assert shape.keys() == SHAPE_KEYS
        assert shape["type"] == "rectangle"
        assert all(isinstance(number, float) for number in shape["points"])
        assert isinstance(shape["confidence"], str)
        values = {attribute["name"]: attribute["value"] for attribute in shape["attributes"]}
        assert values == {"confidence": "1.00", "confidence_percent": "100"}  # texts: a number fails the whole batch
        assert values["confidence_percent"].isnumeric()  # as CVAT asks before it keeps it


def test_nothing_found_is_an_empty_list(cvat: httpx.Client) -> None:
    black = np.asarray(cv2.imencode(".png", np.zeros((64, 64, 3), np.uint8))[1]).tobytes()
    answer = invoke(cvat, "tiny", {"image": text_of(black)})
    assert (answer.status_code, answer.json()) == (200, [])


def test_the_threshold_of_the_call_wins_over_the_packs_own(cvat: httpx.Client) -> None:
    pale = coloured(64, 64, [(8, 16, 8, 8, 0)]) // 5  # a score of 0.2
    image = text_of(np.asarray(cv2.imencode(".png", pale)[1]).tobytes())
    assert invoke(cvat, "tiny", {"image": image}).json() == []
    assert invoke(cvat, "tiny", {"image": image, "threshold": None}).json() == []
    (shape,) = invoke(cvat, "tiny", {"image": image, "threshold": 0.1}).json()
    assert shape["confidence"] == "0.20"
    assert invoke(cvat, "tiny", {"image": image, "threshold": 1}).json() == []


def test_boxes_are_those_of_the_image_that_came_not_of_the_network(cvat: httpx.Client) -> None:
    large = cv2.resize(coloured(64, 64, [(8, 16, 8, 8, 0)]), (640, 640), interpolation=cv2.INTER_NEAREST)
    (shape,) = invoke(cvat, "tiny", {"image": text_of(np.asarray(cv2.imencode(".png", large)[1]).tobytes())}).json()
    assert shape["points"] == [80.0, 160.0, 160.0, 240.0]


@pytest.mark.parametrize("kind", [".png", ".jpg", ".bmp", ".tiff", ".webp"])
def test_an_image_is_known_by_its_content(cvat: httpx.Client, kind: str) -> None:
    answer = invoke(cvat, "tiny", {"image": text_of(picture(kind))})
    assert answer.status_code == 200, answer.text
    assert sorted(shape["label"] for shape in answer.json()) == ["green", "red"]


def test_a_data_url_and_lines_are_base64_too(cvat: httpx.Client) -> None:
    text = text_of(picture())
    lines = base64.encodebytes(picture()).decode()
    for image in (f"data:image/png;base64,{text}", lines):
        assert len(invoke(cvat, "tiny", {"image": image}).json()) == 2


def test_an_image_is_turned_upright_as_in_the_appliance(cvat: httpx.Client) -> None:
    stored = cv2.rotate(coloured(64, 64, [(8, 16, 8, 8, 0)]), cv2.ROTATE_90_COUNTERCLOCKWISE)
    exif, file = Image.Exif(), io.BytesIO()
    exif[0x0112] = 6
    Image.fromarray(stored[:, :, ::-1]).save(file, "JPEG", quality=100, subsampling=0, exif=exif)
    (shape,) = invoke(cvat, "tiny", {"image": text_of(file.getvalue())}).json()
    assert shape["points"] == [8.0, 16.0, 16.0, 24.0]


def test_a_classification_is_one_tag(cvat: httpx.Client) -> None:
    red = np.asarray(cv2.imencode(".png", np.full((50, 80, 3), (0, 0, 255), np.uint8))[1]).tobytes()
    (tag,) = invoke(cvat, "tiny-class", {"image": text_of(red)}).json()
    assert tag.keys() == SHAPE_KEYS - {"points"}
    assert (tag["label"], tag["type"]) == ("red", "tag")
    assert invoke(cvat, "tiny-class", {"image": text_of(red), "threshold": 0.99}).json() == []


def test_multiples_are_told_with_and_without_the_scale_bar(cvat: httpx.Client) -> None:
    from edge.zooscan.process.vignette import vignette

    rows, columns = np.mgrid[:80, :120]
    blob = np.where(((rows - 40) / 30) ** 2 + ((columns - 60) / 45) ** 2 < 1, 60, 255).astype(np.uint8)
    answers = []
    for grey in (blob, vignette(blob, 2400.0)):
        data = np.asarray(cv2.imencode(".png", grey)[1]).tobytes()
        (tag,) = invoke(cvat, "zooscan-multiples-starter", {"image": text_of(data)}).json()
        assert tag["label"] in {"multi", "single"}
        answers.append((tag["label"], tag["confidence"]))
    assert answers[0] == answers[1]


# What is wrong ---------------------------------------------------------------------------------------------------

WRONG_CALLS: dict[str, Any] = {
    "no image": {},
    "null": {"image": None},
    "a number": {"image": 7},
    "a list": {"image": ["x"]},
    "no base64": {"image": "§§§ not base64 §§§"},
    "cut base64": {"image": text_of(picture())[:-3]},
    "empty": {"image": ""},
    "a text file": {"image": text_of(b"Station;Depth\nS1;32\n")},
    "a clip": {"image": text_of(b"\x00\x00\x00\x18ftypmp42" + bytes(64))},
    "a truncated png": {"image": text_of(picture()[:-40])},
    "a png without its end": {"image": text_of(picture()[:-12])},
    "a truncated jpeg": {"image": text_of(picture(".jpg", width_px=256, height_px=256)[:-200])},
    "a truncated webp": {"image": text_of(picture(".webp", width_px=256, height_px=256)[:-20])},
    "too many pixels": {"image": text_of(picture(width_px=1200, height_px=1000))},
    "a data url without base64": {"image": "data:image/png,xyz"},
    "a threshold in words": {"image": text_of(picture()), "threshold": "0.5"},
    "a threshold of 2": {"image": text_of(picture()), "threshold": 2},
    "a threshold that is true": {"image": text_of(picture()), "threshold": True},
}


@pytest.mark.parametrize("name", WRONG_CALLS)
def test_a_wrong_call_is_400_with_its_reason(cvat: httpx.Client, listener: Listener, name: str) -> None:
    answer = invoke(cvat, "tiny", WRONG_CALLS[name])
    assert answer.status_code == 400, answer.text
    assert len(reason_of(answer)) > 10
    newest = record_of(listener).failures[0]
    assert (newest.function, newest.status, newest.reason) == ("tiny", 400, reason_of(answer))


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b"null", b'"text"', b"\xff\xfe", b"[" * 100_000, b'{"image": NaN, "threshold": Infinity}']
)
def test_a_body_that_is_no_call_is_400(cvat: httpx.Client, body: bytes) -> None:
    answer = cvat.post("/api/function_invocations", content=body, headers={"x-nuclio-function-name": "tiny"})
    assert answer.status_code == 400, answer.text


def test_a_threshold_that_is_no_number_is_400(cvat: httpx.Client) -> None:
    body = json.dumps({"image": text_of(picture()), "threshold": float("nan")}).encode()
    assert cvat.post("/api/function_invocations", content=body, headers={"x-nuclio-function-name": "tiny"}).status_code == 400


def test_a_model_that_returns_no_numbers_is_500_and_never_an_empty_list(cvat: httpx.Client, listener: Listener) -> None:
    answer = invoke(cvat, "tiny-nan", {"image": text_of(picture())})
    assert answer.status_code == 500
    assert "nan" in reason_of(answer)
    newest = record_of(listener).failures[0]
    assert (newest.function, newest.status, newest.code) == ("tiny-nan", 500, "model_failed")


def test_an_unknown_function_is_404_and_a_nameless_call_400(cvat: httpx.Client) -> None:
    assert invoke(cvat, "nowhere", {"image": text_of(picture())}).status_code == 404
    assert cvat.post("/api/function_invocations", json={"image": ""}).status_code == 400


def test_a_call_by_port_is_told_which_setting_is_wrong(cvat: httpx.Client, listener: Listener) -> None:
    assert cvat.post("/", json={"image": ""}).status_code == 404
    assert "CVAT_NUCLIO_INVOKE_METHOD=dashboard" in record_of(listener).failures[0].reason


@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/"), ("GET", "/api/projects"), ("DELETE", "/api/functions/tiny"), ("PUT", "/api/functions")]
)
def test_nothing_else_is_answered(cvat: httpx.Client, method: str, path: str) -> None:
    assert cvat.request(method, path).status_code in {404, 405}


def test_no_answer_names_its_server(cvat: httpx.Client) -> None:
    assert "server" not in cvat.get("/api/functions").headers


# The limit on bodies ---------------------------------------------------------------------------------------------


def test_a_body_of_100_mb_is_413_by_its_announced_length_and_while_it_is_read(tmp_path: Path) -> None:
    huge = b'{"image": "' + b"A" * 100_000_000 + b'"}'
    headers = {"x-nuclio-function-name": "burrow-openings-starter"}
    with bridge(tmp_path) as listener, client(listener) as cvat:
        announced = cvat.post("/api/function_invocations", content=huge, headers=headers)
        pieces = (huge[start : start + 1_000_000] for start in range(0, len(huge), 1_000_000))
        chunked = cvat.post("/api/function_invocations", content=pieces, headers=headers)
        assert (announced.status_code, chunked.status_code) == (413, 413)
        assert "a body of 95 MiB is more than the 64 MiB of cvat_body_mb" in reason_of(announced)  # known before it was read
        assert "cvat_body_mb" in reason_of(chunked)
        assert listener.worker.child_pid is None


# Who may call ----------------------------------------------------------------------------------------------------


def test_a_caller_from_elsewhere_is_refused_and_recorded(tmp_path: Path) -> None:
    with bridge(tmp_path, cvat_allowed_from=("172.16.0.0/12",)) as listener, client(listener) as cvat:
        assert cvat.get("/api/functions").status_code == 403
        assert invoke(cvat, "burrow-openings-starter", {"image": "x"}).status_code == 403
        failures = record_of(listener).failures
        assert [(failure.code, failure.caller) for failure in failures] == [("caller_refused", "127.0.0.1")] * 2


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/se-cret_1/api/functions", 200),
        ("/se-cret_1:8070/api/functions", 200),  # CVAT_NUCLIO_HOST=172.17.0.1:8070/TOKEN
        ("/se-cret_1/api/functions/burrow-openings-starter", 200),
        ("/api/functions", 403),
        ("/wrong/api/functions", 403),
        ("/se-cret_1x/api/functions", 403),
        ("/se-cret_1:port/api/functions", 403),
        ("//api/functions", 403),
    ],
)
def test_with_a_token_only_calls_that_carry_it_are_answered(tmp_path: Path, path: str, status: int) -> None:
    with bridge(tmp_path, cvat_token="se-cret_1") as listener, client(listener) as cvat:
        answer = cvat.get(f"{listener.url}{path}")
        assert answer.status_code == status
        assert "se-cret_1" not in json.dumps([failure.reason for failure in record_of(listener).failures])
