from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge.errors import ModelError, PackInvalidError
from edge.pipeline.keeper import BUNDLED_PACKS
from models.pack import variant_sha256, write_pack
from models.runtime.devices import runtime_devices
from models.runtime.goldens import read_golden_images, write_expected
from models.runtime.negotiate import VariantProof
from models.runtime.onnx import OnnxRuntimeEngine
from models.runtime.openvino import OpenVinoEngine
from models.runtime.predict import LoadedModel, classify, detect, load_model
from models.runtime.protocols import Engine
from models.runtime.prove import ProofStep, prove_pack, run_in_child
from models.runtime.tiling import plan_views
from tests.unit import tiny_models
from tests.unit.tiny_models import LABELS, coloured, make_tiny_pack

BOTH = ["onnx-fp32", "ir-fp32"]
SQUARES = [(8, 16, 8, 8, 0), (40, 24, 8, 8, 1), (56, 56, 8, 8, 2)]


@pytest.fixture(scope="module")
def pack_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_pack(tmp_path_factory.mktemp("tiny") / "pack").path


def load_onnx(folder: Path, onnx: bytes, **changes: Any) -> LoadedModel:
    return load_model(make_tiny_pack(folder / "pack", onnx=onnx, ir=False, **changes).path, "onnx-fp32", threads=1)


@pytest.mark.parametrize("variant", BOTH)
def test_both_runtimes_find_the_squares(pack_dir: Path, variant: str) -> None:
    model = load_model(pack_dir, variant, threads=2)
    assert isinstance(model.engine, Engine)
    found = detect(coloured(64, 64, SQUARES), model)
    order = np.argsort(found.label_index)
    assert found.xyxy[order].tolist() == [[8, 16, 16, 24], [40, 24, 48, 32], [56, 56, 64, 64]]
    assert np.allclose(found.score, 1.0, atol=1e-3)
    assert model.device == "CPU f32"
    assert model.labels == ("red", "green", "blue")
    assert (model.key.sha256, model.key.runtime) == (variant_sha256(model.pack.variant(variant)), model.pack.variant(variant).runtime)


@pytest.mark.parametrize("variant", BOTH)
def test_many_threads_share_one_model(pack_dir: Path, variant: str) -> None:
    model = load_model(pack_dir, variant, threads=4)
    rng = np.random.default_rng(0)
    cells = [(8 * int(x), 8 * int(y), 8, 8, int(label)) for x, y, label in rng.integers(0, 3, (200, 3))]

    def agrees(cell: tuple[int, int, int, int, int]) -> bool:
        found = detect(coloured(64, 64, [cell]), model)
        return bool(found.xyxy.tolist() == [[cell[0], cell[1], cell[0] + 8, cell[1] + 8]] and found.label_index.tolist() == [cell[4]])

    with ThreadPoolExecutor(5) as pool:
        assert all(pool.map(agrees, cells))


def test_an_answer_is_not_overwritten_by_the_next_one(pack_dir: Path) -> None:
    for variant in BOTH:
        engine = load_model(pack_dir, variant, threads=1).engine
        (first,) = engine.infer(np.zeros((1, 3, 64, 64), np.float32))
        kept = first.copy()
        engine.infer(np.ones((1, 3, 64, 64), np.float32))
        assert np.array_equal(first, kept)


def test_an_eight_bit_network_finds_the_same_in_bytes_as_in_numbers() -> None:
    model = load_model(BUNDLED_PACKS / "burrow-openings-starter", "openvino-int8", threads=1)
    spec, variant = model.manifest.input, model.pack.variant("openvino-int8")
    of_numbers = OpenVinoEngine(
        model.pack.file_path(variant.files[0]), precision="int8", input_shape=(1, 3, spec.height_px, spec.width_px), streams=1
    )
    assert (model.engine.takes_pixels, of_numbers.takes_pixels) == (True, False)
    image = read_golden_images(model.pack)[0]
    (view,) = plan_views(image.shape[1], image.shape[0], spec)
    content = view.cut(image)
    (found,), (wanted,) = model.engine.infer(model.input_of(view, content)), of_numbers.infer(view.tensor(content, spec))
    assert np.array_equal(found, wanted)
    assert wanted[0, 4].max() > model.manifest.thresholds.score


def test_mean_and_spread_of_the_manifest_are_part_of_a_graph_that_takes_bytes(pack_dir: Path) -> None:
    model = load_model(pack_dir, "ir-fp32", threads=1)
    path = model.pack.file_path(model.pack.variant("ir-fp32").files[0])
    shape = (1, 3, 64, 64)
    of_numbers = OpenVinoEngine(path, precision="fp32", input_shape=shape, streams=1)
    image = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    for order in ("rgb", "bgr"):
        spec = model.manifest.input.model_copy(update={"channel_order": order, "mean": (0.1, 0.2, 0.3), "std": (0.5, 0.25, 2.0)})
        (view,) = plan_views(64, 64, spec)
        of_bytes = OpenVinoEngine(path, precision="fp32", input_shape=shape, streams=1, pixels=spec)
        (found,), (wanted,) = of_bytes.infer(view.pixels(image, spec)), of_numbers.infer(view.tensor(image, spec))
        assert np.allclose(found, wanted, rtol=1e-4, atol=1e-5)
        assert np.ptp(wanted) > 0.1


@pytest.mark.parametrize("fit", ["tiles", "letterbox"])
def test_large_images_are_tiled_or_fitted(pack_dir: Path, fit: str) -> None:
    model = load_model(pack_dir, "ir-fp32", threads=1)
    image = coloured(128, 128, [(16, 32, 16, 16, 0), (80, 96, 16, 16, 1)])
    found = detect(image, model, fit="letterbox" if fit == "letterbox" else "tiles")
    if fit == "letterbox":
        assert sorted(found.xyxy.tolist()) == [[16, 32, 32, 48], [80, 96, 96, 112]]
    else:
        # At its own scale each square is several cells of the network, each an object of its own.
        assert len(found) > 4
        assert {tuple(box) for box in found.xyxy.tolist()} >= {(16, 32, 24, 40), (24, 40, 32, 48)}


def test_the_end_to_end_layout_is_read(tmp_path: Path) -> None:
    model = load_onnx(tmp_path, tiny_models.end2end_onnx(label=2), head="yolo_end2end")
    found = detect(coloured(64, 64, [(40, 24, 8, 8, 1)]), model)
    assert found.xyxy.tolist() == [[40, 24, 48, 32]]
    assert found.label_index.tolist() == [2]


def test_a_classification_is_one_detection_of_the_whole_image(tmp_path: Path) -> None:
    model = load_onnx(
        tmp_path, tiny_models.classifier_onnx(), head="classify", task="classify", input={"width_px": 64, "height_px": 64, "fit": "stretch"}
    )
    image = coloured(90, 40, [(0, 0, 90, 40, 1)])
    scores = classify(image, model)
    assert scores.argmax() == 1
    assert np.isclose(scores.sum(), 1)
    found = detect(image, model)
    assert found.xyxy.tolist() == [[0, 0, 90, 40]]
    assert (found.label_index.tolist(), found.score.tolist()) == ([1], [scores[1]])
    with pytest.raises(ModelError, match="must not be tiles"):
        detect(image, model, fit="tiles")


@pytest.mark.parametrize(
    ("onnx", "changes", "message"),
    [
        (tiny_models.detector_onnx(factor=float("nan")), {}, "outside 0..1"),
        (tiny_models.detector_onnx(factor=2.0), {}, "outside 0..1"),
        (tiny_models.detector_onnx(), {"labels": LABELS[:2]}, "shape"),
        (tiny_models.end2end_onnx(), {}, "shape"),
        (tiny_models.end2end_onnx(label=3), {"head": "yolo_end2end"}, "a class outside"),
        (tiny_models.classifier_onnx(softmax=False), {"head": "classify", "task": "classify"}, "lacks its softmax"),
    ],
)
def test_a_model_that_lies_is_a_model_error(tmp_path: Path, onnx: bytes, changes: dict[str, object], message: str) -> None:
    model = load_onnx(tmp_path, onnx, **changes)
    with pytest.raises(ModelError, match=message):
        detect(coloured(64, 64, SQUARES), model)


@pytest.mark.parametrize("onnx", [b"", b"\x08\x0a", tiny_models.detector_onnx(128, 64), tiny_models.detector_onnx()[:-40]])
def test_what_cannot_be_loaded_is_a_model_error(tmp_path: Path, onnx: bytes) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(onnx)
    with pytest.raises(ModelError):
        OnnxRuntimeEngine(path, input_shape=(1, 3, 64, 64), streams=1)
    with pytest.raises(ModelError):
        OpenVinoEngine(path, precision="fp32", input_shape=(1, 3, 64, 64), streams=1)


def test_bf16_is_refused_where_the_cpu_has_none(pack_dir: Path) -> None:
    capabilities = dict(runtime_devices().openvino)["CPU"]
    if "BF16" in capabilities:
        pytest.skip("this CPU computes in BF16")
    with pytest.raises(ModelError, match="does not compute in BF16"):
        OpenVinoEngine(pack_dir / "model.xml", precision="bf16", input_shape=(1, 3, 64, 64), streams=1)


def test_weights_that_changed_since_the_install_are_not_loaded(tmp_path: Path) -> None:
    pack = make_tiny_pack(tmp_path / "pack")
    (pack.path / "model.bin").write_bytes((pack.path / "model.bin").read_bytes() + b"\0")
    with pytest.raises(PackInvalidError, match="SHA-256"):
        load_model(pack.path, "ir-fp32", threads=1)


def test_a_pack_is_proved_variant_by_variant(pack_dir: Path) -> None:
    steps: list[ProofStep] = []
    proof = prove_pack(pack_dir, on_step=steps.append)
    assert [(step.place, step.of, step.device) for step in steps] == [(1, 2, "CPU"), (2, 2, "CPU")]
    assert {step.variant for step in steps} == set(BOTH)
    assert {variant.name for variant in proof.variants} == set(BOTH)
    assert all(variant.offered and variant.device == "CPU f32" for variant in proof.variants), proof.variants
    speeds = [variant.images_per_s or 0.0 for variant in proof.variants]
    assert speeds == sorted(speeds, reverse=True)
    assert proof.best is proof.variants[0]
    (golden,) = proof.variants[0].goldens
    assert golden.found_count == 2
    assert golden.found == ((8.0, 16.0, 16.0, 24.0, 1.0, 0.0), (40.0, 24.0, 48.0, 32.0, 1.0, 1.0))


def test_a_variant_that_fails_is_refused_and_the_other_serves(tmp_path: Path) -> None:
    pack = make_tiny_pack(tmp_path / "pack")
    (tmp_path / "pack" / "model.onnx").write_bytes(tiny_models.detector_onnx(factor=float("nan")))
    draft = pack.manifest.model_dump(mode="json")
    draft["card"] = draft["card"]["path"]
    for variant in draft["variants"]:
        variant["files"] = [file["path"] for file in variant["files"]]
    draft["goldens"] = [{"image": "golden.png", "expected": "golden.json"}]
    proof = prove_pack(write_pack(tmp_path / "pack", draft).path)
    assert [(variant.name, variant.offered) for variant in proof.variants] == [("ir-fp32", True), ("onnx-fp32", False)]
    assert "outside 0..1" in proof.variants[1].reason


def test_a_golden_that_does_not_hold_refuses_the_variant(tmp_path: Path) -> None:
    make_tiny_pack(tmp_path / "pack", onnx=tiny_models.detector_onnx(factor=0.5), ir=False)
    (variant,) = prove_pack(tmp_path / "pack").variants
    assert not variant.offered
    assert variant.reason == "golden golden.png: the object expected at (8, 16, 16, 24) px with score 1.00 was not found"
    assert variant.images_per_s is None


def test_a_model_that_never_ends_is_refused_in_time(tmp_path: Path) -> None:
    make_tiny_pack(tmp_path / "pack", onnx=tiny_models.endless_onnx(), ir=False)
    begun_s = time.monotonic()
    (variant,) = prove_pack(tmp_path / "pack", timeout_s=8.0).variants
    assert time.monotonic() - begun_s < 60
    assert (variant.offered, variant.reason) == (False, "it gave no answer within 8 s")


def crash(_: Path, __: str) -> VariantProof:
    os.kill(os.getpid(), signal.SIGSEGV)
    raise AssertionError


def leave(_: Path, __: str) -> VariantProof:
    os._exit(7)


def stumble(_: Path, __: str) -> VariantProof:
    raise ZeroDivisionError("an unforeseen fault")


@pytest.mark.parametrize(("work", "message"), [(crash, "killed by SIGSEGV"), (leave, "exit code 7"), (stumble, "an unforeseen fault")])
def test_a_child_that_dies_is_a_model_error_of_its_parent(tmp_path: Path, work: object, message: str) -> None:
    with pytest.raises(ModelError, match=message):
        run_in_child(work, tmp_path, "any", timeout_s=60)  # type: ignore[arg-type]


def test_expectations_are_written_by_the_model_itself(tmp_path: Path) -> None:
    pack = make_tiny_pack(tmp_path / "pack")
    expected = tmp_path / "expected.json"
    write_expected(load_model(pack.path, "onnx-fp32", threads=1), tmp_path / "pack" / "golden.png", expected)
    assert (
        expected.read_text()
        == '{"xyxy": [[8.0, 16.0, 16.0, 24.0], [40.0, 24.0, 48.0, 32.0]], "score": [1.0, 1.0], "label_index": [0, 1]}\n'
    )


TELEMETRY = """
import sys
seen = []
sys.addaudithook(lambda event, args: seen.append(event) if event in ("socket.connect", "socket.getaddrinfo") else None)
from models.runtime.quiet import import_openvino
openvino = import_openvino()
openvino.Core()
from openvino.tools.ovc import telemetry
print(type(telemetry).__module__, "openvino_telemetry.main" in sys.modules, seen)
"""


def test_openvino_has_nothing_to_send_with(tmp_path: Path, checkout: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if name not in {"CI", "TF_BUILD", "JENKINS_URL"}} | {
        "HOME": str(tmp_path)
    }
    ran = subprocess.run([sys.executable, "-c", TELEMETRY], cwd=checkout, env=environment, capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "openvino.tools.ovc.telemetry_stub False []"
    assert list(tmp_path.iterdir()) == []  # openvino-telemetry leaves an id and its counters at home


def test_openvino_with_its_telemetry_is_refused(checkout: Path) -> None:
    code = "import openvino_telemetry; from models.runtime.quiet import import_openvino; import_openvino()"
    ran = subprocess.run([sys.executable, "-c", code], cwd=checkout, capture_output=True, text=True, check=False)
    assert "ModelError: openvino-telemetry is loaded" in ran.stderr
