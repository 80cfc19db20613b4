"""The routes of DEEPaaS: paths, statuses and shapes as observed on deepaas 2.6.0 with a module that takes the YOLO base's arguments."""

from __future__ import annotations

import io
import json
import re
import shutil
import signal
import subprocess
import zipfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import cv2
import httpx
import numpy as np
import pytest

from annotator_bridge.deepaas.app import create_app
from annotator_bridge.deepaas.models import ServedModels
from annotator_bridge.functions.loading import CHOSEN_NAME
from edge.errors import SettingsError
from edge.pipeline.keeper import BUNDLED_PACKS
from edge.settings import Settings
from models.pack import read_pack
from models.runtime.machine import machine_fingerprint
from models.workshop.synthetic import render_still
from tests.helpers.asgi import AsgiClient

BURROWS = "/v2/models/burrow-openings-starter"
MULTIPLES = "/v2/models/zooscan-multiples-starter"

# Observed on deepaas 2.6.0 (deepaas-run, aiohttp 3, webargs 5): the texts are its own.
OBSERVED_ROOT = {
    "versions": [{"version": "stable", "id": "v2", "links": [{"rel": "self", "type": "application/json", "href": "/v2/"}]}],
    "links": [
        {"rel": "help", "type": "text/html", "href": "/api"},
        {"rel": "describedby", "type": "application/json", "href": "/swagger.json"},
    ],
}
OBSERVED_STATUSES = [
    ("GET", "/v2", 308, "/v2/"),
    ("GET", "/v2/models", 308, "/v2/models/"),
    ("GET", "//v2//models?x=1", 308, "/v2/models/?x=1"),
    ("POST", f"{BURROWS}/predict", 308, f"{BURROWS}/predict/"),
    ("GET", f"{BURROWS}/predict/", 405, None),
    ("GET", "/v2/models/nope/", 404, None),
    ("GET", "/v2/debug/", 204, None),
    ("GET", "/ui", 302, "/api"),
    ("GET", f"{BURROWS}/train/", 402, None),
    ("POST", f"{BURROWS}/train/", 402, None),
    ("GET", f"{BURROWS}/train/0f", 402, None),
    ("DELETE", f"{BURROWS}/train/0f", 402, None),
]


def chosen(home: Path) -> Path:
    """A home folder in which nobody has to look for the fastest variant, which takes seconds."""
    packs = [read_pack(path.parent) for path in BUNDLED_PACKS.glob("*/manifest.json")]
    (home / CHOSEN_NAME).parent.mkdir()
    (home / CHOSEN_NAME).write_text(json.dumps({f"{pack.manifest_sha256}:{machine_fingerprint()}": "onnx-fp32" for pack in packs}))
    return home


def client_of(home: Path, *, address: str = "127.0.0.1", **options: Any) -> AsgiClient:
    settings = Settings(**options)
    return AsgiClient(create_app(ServedModels(home, threads=1), settings, allowed_hosts=("127.0.0.1",), threads=1), address=address)


@pytest.fixture(scope="module")
def deepaas(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AsgiClient]:
    with client_of(chosen(tmp_path_factory.mktemp("home"))) as client:
        yield client


@pytest.fixture(scope="module")
def still() -> bytes:
    return render_still(seed=3).jpeg


def vignette(side_px: int = 60) -> bytes:
    image = np.full((side_px, side_px + 20, 3), 255, np.uint8)
    cv2.circle(image, (side_px // 2, side_px // 2), side_px // 4, (30, 30, 30), -1)
    return bytes(cv2.imencode(".png", image)[1])


def zip_of(files: dict[str, bytes]) -> bytes:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return held.getvalue()


def test_versions_are_told_as_deepaas_tells_them(deepaas: AsgiClient) -> None:
    assert deepaas.get("/").json() == OBSERVED_ROOT
    assert [deepaas.get("/v2/").json()] == OBSERVED_ROOT["versions"]


@pytest.mark.parametrize(("method", "path", "status", "location"), OBSERVED_STATUSES)
def test_statuses_and_redirects_are_those_of_deepaas(
    deepaas: AsgiClient, method: str, path: str, status: int, location: str | None
) -> None:
    answer = deepaas.request(method, f"http://127.0.0.1{path}")
    assert (answer.status_code, answer.headers.get("location")) == (status, location)


def test_each_pack_is_a_model_with_what_its_manifest_says(deepaas: AsgiClient) -> None:
    models = {model["id"]: model for model in deepaas.get("/v2/models/").json()["models"]}
    assert set(models) == {"burrow-openings-starter", "zooscan-multiples-starter"}
    burrows = models["burrow-openings-starter"]
    assert burrows == deepaas.get(f"{BURROWS}/").json()
    assert burrows["links"] == [{"rel": "self", "href": BURROWS}]
    assert burrows["license"] == "AGPL-3.0-only"
    assert burrows["labels"] == [{"index": 0, "name": "burrow opening", "aphia_id": 107254}]
    assert not {"dates", "resources", "links_of_nobody"} & set(burrows)  # what nobody knows is not told


def test_boxes_come_as_ultralytics_writes_them(deepaas: AsgiClient, still: bytes) -> None:
    answer = deepaas.post(f"{BURROWS}/predict/", files={"files": ("still.jpg", still)})
    assert answer.status_code == 200
    document = answer.json()
    assert set(document) == {"status", "predictions"}
    assert document["status"] == "OK"
    (frame,) = document["predictions"]
    assert len(frame) > 3
    for found in frame:
        assert set(found) == {"name", "class", "confidence", "box"}
        assert (found["name"], found["class"]) == ("burrow opening", 0)
        assert 0.361 <= found["confidence"] <= 1
        box = found["box"]
        assert 0 <= box["x1"] < box["x2"]
        assert 0 <= box["y1"] < box["y2"]
    assert [found["confidence"] for found in frame] == sorted((found["confidence"] for found in frame), reverse=True)


def test_the_older_base_module_and_several_images_are_answered_too(deepaas: AsgiClient, still: bytes) -> None:
    one = deepaas.post(f"{BURROWS}/predict/", files={"input": ("still.jpg", still)}).json()["predictions"]
    two = deepaas.post(f"{BURROWS}/predict/", files=[("files", ("a.jpg", still)), ("files", ("b.jpg", still))]).json()["predictions"]
    assert two == [*one, *one]


def test_a_score_below_the_packs_floor_finds_more_and_a_high_one_less(deepaas: AsgiClient, still: bytes) -> None:
    counts = [
        len(deepaas.post(f"{BURROWS}/predict/", params={"conf": conf}, files={"files": still}).json()["predictions"][0])
        for conf in ("0.001", "0.361", "0.7")
    ]
    assert counts[0] > counts[1] > counts[2]
    in_the_form = deepaas.post(f"{BURROWS}/predict/", data={"conf": "0.7"}, files={"files": still}).json()["predictions"][0]
    assert len(in_the_form) == counts[2]


def test_an_overlap_that_is_asked_for_is_used(deepaas: AsgiClient, still: bytes) -> None:
    counts = [
        len(deepaas.post(f"{BURROWS}/predict/", params={"conf": "0.05", "iou": iou}, files={"files": still}).json()["predictions"][0])
        for iou in ("0.1", "0.99")
    ]
    assert counts[0] < counts[1]


@pytest.mark.parametrize(
    ("arguments", "messages"),
    [
        ({"conf": "abc"}, {"conf": ["Not a valid number."]}),
        ({"conf": "nan"}, {"conf": ["Special numeric values (nan or infinity) are not permitted."]}),
        ({"imgsz": ["1", "2", "3"]}, {"imgsz": ["Longer than maximum length 2."]}),
        ({"classes": "x"}, {"classes": {"0": ["Not a valid integer."]}}),
        ({"show_conf": "perhaps"}, {"show_conf": ["Not a valid boolean."]}),
        ({"accept": "video/mp4"}, {"accept": ["Must be one of: application/json, image/png, */*."]}),
    ],
)
def test_wrong_arguments_are_told_in_deepaas_words(
    deepaas: AsgiClient, still: bytes, arguments: dict[str, Any], messages: dict[str, Any]
) -> None:
    answer = deepaas.post(f"{BURROWS}/predict/", params=arguments, files={"files": still})
    assert (answer.status_code, answer.json()) == (422, messages)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("conf", "1.5"),
        ("iou", "-0.1"),
        ("imgsz", "[640, 640]"),
        ("task_type", "pose"),
        ("task_type", "cls"),
        ("classes", "[0, 7]"),
        ("model", "yolov8n.pt"),
        ("augment", "true"),
        ("mlflow_fetch", "true"),
    ],
)
def test_what_cannot_be_honoured_is_refused_not_passed_over(deepaas: AsgiClient, still: bytes, name: str, value: str) -> None:
    answer = deepaas.post(f"{BURROWS}/predict/", params={name: value}, files={"files": still})
    assert answer.status_code == 422
    assert list(answer.json()) == [name]


def test_every_argument_of_the_base_module_is_taken_at_what_is_true_here(deepaas: AsgiClient, still: bytes) -> None:
    told = deepaas.get("/swagger.json").json()["paths"][f"{BURROWS}/predict/"]["post"]["parameters"]
    defaults = {one["name"]: one["default"] for one in told if "default" in one}
    sent = {**defaults, "augment": "false", "mlflow_fetch": "False", "classes": "[0]", "nobody_knows": "1"}
    answer = deepaas.post(f"{BURROWS}/predict/", params=sent, files={"files": still})
    assert answer.status_code == 200
    assert answer.headers["x-ignored-arguments"] == "nobody_knows"
    assert answer.json() == deepaas.post(f"{BURROWS}/predict/", files={"files": still}).json()


def test_a_picture_shows_the_boxes(deepaas: AsgiClient, still: bytes) -> None:
    answer = deepaas.post(f"{BURROWS}/predict/", headers={"accept": "image/png"}, files={"files": still})
    assert answer.headers["content-type"] == "image/png"
    pixels = cv2.imdecode(np.frombuffer(still, np.uint8), cv2.IMREAD_COLOR)
    drawn = cv2.imdecode(np.frombuffer(answer.content, np.uint8), cv2.IMREAD_COLOR)
    assert pixels is not None
    assert drawn is not None
    assert drawn.shape == pixels.shape
    frame = deepaas.post(f"{BURROWS}/predict/", files={"files": still}).json()["predictions"][0]
    corner = frame[0]["box"]
    at = drawn[round((corner["y1"] + corner["y2"]) / 2), round(corner["x1"])].tolist()
    assert at == [0, 128, 255]
    bare = deepaas.post(
        f"{BURROWS}/predict/", params={"accept": "image/png", "show_boxes": "0", "show_labels": "0"}, files={"files": still}
    )
    same = cv2.imdecode(np.frombuffer(bare.content, np.uint8), cv2.IMREAD_COLOR)
    assert same is not None
    assert np.array_equal(same, pixels)


def test_a_picture_of_two_images_is_refused(deepaas: AsgiClient, still: bytes) -> None:
    files = [("files", ("a.jpg", still)), ("files", ("b.jpg", still))]
    answer = deepaas.post(f"{BURROWS}/predict/", headers={"accept": "image/png"}, files=files)
    assert (answer.status_code, list(answer.json())) == (422, ["accept"])


@pytest.mark.parametrize("header", ["*/*", "application/json, text/plain, */*", "", "application/*;q=0.8"])
def test_common_accept_headers_mean_json(deepaas: AsgiClient, still: bytes, header: str) -> None:
    answer = deepaas.post(f"{BURROWS}/predict/", headers={"accept": header}, files={"files": still})
    assert answer.headers["content-type"] == "application/json"


def test_a_classification_answers_as_the_base_module_and_as_the_flowcam_module(deepaas: AsgiClient) -> None:
    yolo = deepaas.post(f"{MULTIPLES}/predict/", files={"files": ("v.png", vignette())}).json()["predictions"]
    assert [set(one) for one in yolo] == [{"file_name", "top5_prediction"}]
    assert yolo[0]["file_name"] == "v.png"
    assert set(yolo[0]["top5_prediction"]) == {"multi", "single"}
    flowcam = deepaas.post(f"{MULTIPLES}/predict/", files={"image": ("v.png", vignette())}).json()["predictions"]
    assert set(flowcam) == {"filenames", "pred_lab", "pred_prob", "aphia_ids"}
    assert flowcam["filenames"] == ["v.png"]
    assert dict(zip(flowcam["pred_lab"][0], flowcam["pred_prob"][0], strict=True)) == yolo[0]["top5_prediction"]
    assert flowcam["pred_prob"][0] == sorted(flowcam["pred_prob"][0], reverse=True)
    assert flowcam["aphia_ids"] == [[None, None]]


def test_a_zip_is_answered_image_by_image(deepaas: AsgiClient) -> None:
    sent = zip_of({"b/two.png": vignette(80), "one.png": vignette(), "__MACOSX/._one.png": b"\0", "b/.DS_Store": b"x"})
    told = deepaas.post(f"{MULTIPLES}/predict/", files={"zip": ("all.zip", sent)}).json()["predictions"]
    assert told["filenames"] == ["two.png", "one.png"]
    assert len(told["pred_lab"]) == len(told["pred_prob"]) == 2


@pytest.mark.parametrize(
    ("argument", "data"),
    [
        ("files", b""),
        ("files", b"no image at all"),
        ("image", b"\x89PNG\r\n\x1a\n cut off"),
        ("zip", b"PK\x03\x04 broken"),
        ("zip", zip_of({})),
        ("zip", zip_of({"one.png": vignette(), "readme.txt": b"not an image"})),
        ("zip_data", zip_of({"bomb.png": bytes(3_000_000)})),
    ],
)
def test_what_is_no_image_is_told_and_nothing_is_answered(tmp_path: Path, argument: str, data: bytes) -> None:
    with client_of(tmp_path, cvat_body_mb=1) as small:
        answer = small.post(f"{MULTIPLES}/predict/", files={argument: ("sent.bin", data)})
    assert answer.status_code == 422
    assert list(answer.json()) == [argument]


def test_a_file_that_is_none_or_under_another_name_is_told(deepaas: AsgiClient, still: bytes) -> None:
    assert deepaas.post(f"{BURROWS}/predict/").json() == {"files": ["Missing data for required field."]}
    assert deepaas.post(f"{BURROWS}/predict/", json={"files": 3}).json() == {"files": ["Missing data for required field."]}
    assert deepaas.post(f"{BURROWS}/predict/", data={"files": "text"}).json() == {"files": ["Not a file."]}
    assert deepaas.post(f"{BURROWS}/predict/", files={"picture": still}).json() == {"files": ["Missing data for required field."]}
    assert list(deepaas.post(f"{BURROWS}/predict/", files={"zip": still}).json()) == ["zip"]
    torn = deepaas.post(f"{BURROWS}/predict/", content=b"--x\r\nrubbish", headers={"content-type": "multipart/form-data; boundary=x"})
    assert torn.status_code in {400, 422}


def test_a_body_that_is_too_large_is_refused_whether_or_not_it_says_so(tmp_path: Path) -> None:
    large = bytes(1_200_000)

    async def in_pieces() -> AsyncIterator[bytes]:
        yield b'--x\r\ncontent-disposition: form-data; name="files"; filename="a"\r\n\r\n'
        yield large
        yield b"\r\n--x--\r\n"

    with client_of(tmp_path, cvat_body_mb=1) as small:
        told = small.post(f"{BURROWS}/predict/", files={"files": large})
        pieces = small.post(
            f"{BURROWS}/predict/",
            content=in_pieces(),
            headers={"content-type": "multipart/form-data; boundary=x"},
        )
    assert (told.status_code, pieces.status_code) == (413, 413)
    assert "cvat_body_mb" in told.json()["message"]


def test_an_image_with_more_pixels_than_allowed_is_refused(tmp_path: Path) -> None:
    with client_of(tmp_path, max_pixels=1_000_000) as small:
        answer = small.post(f"{BURROWS}/predict/", files={"files": bytes(cv2.imencode(".png", np.zeros((1001, 1000), np.uint8))[1])})
    assert answer.status_code == 422
    assert "1000 x 1001" in answer.json()["files"][0]


@pytest.mark.parametrize(
    ("address", "status"), [("127.0.0.9", 200), ("::1", 200), ("::ffff:172.17.0.4", 200), ("192.168.1.7", 403), ("nobody", 403)]
)
def test_callers_from_elsewhere_are_refused(tmp_path: Path, address: str, status: int) -> None:
    with client_of(tmp_path, address=address) as client:
        assert client.get("/v2/").status_code == status


def test_a_foreign_name_is_refused(deepaas: AsgiClient) -> None:
    assert deepaas.get("/v2/", headers={"host": "evil.example"}).status_code == 400


def test_a_damaged_model_is_a_failure_and_not_an_empty_answer(tmp_path: Path, still: bytes) -> None:
    installed = tmp_path / "packs" / "burrow-openings-starter" / "1.1.0"
    shutil.copytree(BUNDLED_PACKS / "burrow-openings-starter", installed)
    for weights in (*installed.rglob("*.onnx"), *installed.rglob("*.bin")):
        weights.write_bytes(b"damaged")
    with client_of(tmp_path) as client:
        answer = client.post(f"{BURROWS}/predict/", files={"files": still})
    assert answer.status_code == 500
    assert "no variant of burrow-openings-starter@1.1.0 works" in answer.json()["message"]


def test_the_description_can_be_read_by_deepaas_ui(deepaas: AsgiClient) -> None:
    """Its launch.py takes the paths that end in predict/, their parameters and what they produce."""
    document = deepaas.get("/swagger.json").json()
    assert document["swagger"] == "2.0"
    routes = [path for path in document["paths"] if path.endswith("predict/")]
    assert routes[0] == f"{BURROWS}/predict/"
    post = document["paths"][routes[0]]["post"]
    assert post["produces"] == ["application/json", "image/png", "*/*"]
    by_name = {one["name"]: one for one in post["parameters"]}
    assert (by_name["files"]["in"], by_name["files"]["type"], by_name["files"]["required"]) == ("formData", "file", True)
    assert (by_name["conf"]["in"], by_name["conf"]["type"], by_name["conf"]["default"]) == ("query", "number", 0.361)
    assert by_name["imgsz"]["default"] == [544, 960]
    assert {one["type"] for one in post["parameters"]} <= {"file", "string", "number", "integer", "boolean", "array"}


def test_the_page_for_people_needs_nothing_from_elsewhere(deepaas: AsgiClient) -> None:
    answer = deepaas.get("/api")
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert f"POST {BURROWS}/predict/" in answer.text
    assert "<script" not in answer.text
    assert "http://" not in answer.text.replace("http://ADDRESS:PORT", "")


def test_a_clip_is_told_where_it_belongs(deepaas: AsgiClient) -> None:
    head = b"\0\0\0\x20ftypisom\0\0\2\0isomiso2avc1mp41" + bytes(64)
    answer = deepaas.post(f"{BURROWS}/predict/", files={"files": ("tow.mp4", head)})
    assert answer.status_code == 422
    assert "Drop it into a watched folder" in answer.json()["files"][0]


def test_a_network_that_is_none_is_told_before_anything_is_served(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="cvat_allowed_from"):
        client_of(tmp_path, cvat_allowed_from=("172.16.0.0/64",))


def test_the_command_serves_on_a_port_of_its_own_until_ctrl_c(edge_command: list[str], tmp_path: Path, still: bytes) -> None:
    command = [*edge_command, "--home", str(chosen(tmp_path)), "api", "serve", "--port", "0"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        assert process.stdout is not None
        url = re.search(r"http://127\.0\.0\.1:\d+", process.stdout.readline())
        assert url is not None
        with httpx.Client(base_url=url[0], timeout=60, trust_env=False) as client:
            assert client.get("/v2/models", follow_redirects=True).json()["models"]
            answer = client.post(f"{BURROWS}/predict", files={"files": ("still.jpg", still)}, follow_redirects=True)
            assert answer.json()["status"] == "OK"
            large = client.post(f"{BURROWS}/predict/", files={"files": bytes(70 * 1024 * 1024)})
            assert large.status_code == 413
        port = url[0].rsplit(":", 1)[1]
        taken = subprocess.run([*command[:-1], port], capture_output=True, text=True, timeout=60, check=False)
        assert taken.returncode == 2
        assert "cannot be served" in taken.stderr
    finally:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
    assert process.returncode == 0
