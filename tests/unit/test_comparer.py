"""Two real models in two real worker processes on the same files."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from edge.errors import ModelError
from edge.pipeline.compare import CancelledError, CompareError, CompareLimits, Comparer
from edge.pipeline.messages import WorkerSpec
from edge.pipeline.plan import DetectSettings
from models.pack import Pack
from tests.helpers.tiny_home import write_picture
from tests.unit import tiny_models
from tests.unit.tiny_models import make_tiny_pack

LIMITS = CompareLimits(timeout_s=30, memory_mb=4096)


def spec(pack: Pack, variant: str = "onnx-fp32") -> WorkerSpec:
    return WorkerSpec(
        pack_path=pack.path, variant=variant, threads=4, detect=DetectSettings(max_pixels=1_000_000), max_file_bytes=1_000_000
    )


@pytest.fixture
def sharp_and_dull(tmp_path: Path) -> tuple[WorkerSpec, WorkerSpec]:
    """B scores a third of what A does, so it counts less."""
    sharp = make_tiny_pack(tmp_path / "sharp", ir=False)
    dull = make_tiny_pack(tmp_path / "dull", version="2.0.0", onnx=tiny_models.detector_onnx(factor=0.33), ir=False)
    return spec(sharp), spec(dull)


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_both_models_see_the_same_file(sharp_and_dull: tuple[WorkerSpec, WorkerSpec], tmp_path: Path) -> None:
    picture = write_picture(tmp_path, "still.png", 1)
    with Comparer(*sharp_and_dull, LIMITS) as comparer:
        pair = comparer.compare(picture, picture.name, sha256(picture))
        again = comparer.compare(picture, picture.name, sha256(picture))
    assert pair.counted.a_count == len(pair.a) > pair.counted.b_count == len(pair.b) > 0
    assert pair.counted.matched == pair.counted.b_count, "what the dull one marks, the sharp one marks too"
    assert all(pair.a[box[6]][6] == at for at, box in enumerate(pair.b) if box[6] is not None)
    assert (again.a, again.b) == (pair.a, pair.b), "whichever goes first"
    assert pair.counted.a_infer_ms > 0


def test_a_file_that_cannot_be_read_fails_alone(sharp_and_dull: tuple[WorkerSpec, WorkerSpec], tmp_path: Path) -> None:
    good, cut = write_picture(tmp_path, "good.png", 1), write_picture(tmp_path, "cut.png", 2)
    cut.write_bytes(cut.read_bytes()[:60])
    with Comparer(*sharp_and_dull, LIMITS) as comparer:
        with pytest.raises(CompareError, match=r"truncated|corrupt"):
            comparer.compare(cut, cut.name, sha256(cut))
        with pytest.raises(CompareError, match="changed while read"):
            comparer.compare(good, good.name, "0" * 64)
        assert comparer.compare(good, good.name, sha256(good)).counted.a_count > 0


def test_a_worker_that_is_killed_is_started_again_for_the_next_file(sharp_and_dull: tuple[WorkerSpec, WorkerSpec], tmp_path: Path) -> None:
    picture = write_picture(tmp_path, "still.png", 1)
    with Comparer(*sharp_and_dull, LIMITS) as comparer:
        comparer.compare(picture, picture.name, sha256(picture))
        worker = comparer._sides[0]._worker
        assert worker is not None
        worker.process.kill()
        worker.process.join()
        with pytest.raises(CompareError, match="the process of model A died"):
            comparer.compare(picture, picture.name, sha256(picture))
        assert comparer.compare(picture, picture.name, sha256(picture)).counted.a_count > 0


def test_a_model_that_never_ends_costs_one_file_its_time(sharp_and_dull: tuple[WorkerSpec, WorkerSpec], tmp_path: Path) -> None:
    picture = write_picture(tmp_path, "still.png", 1)
    endless = make_tiny_pack(tmp_path / "endless", onnx=tiny_models.endless_onnx(), ir=False)
    limits = CompareLimits(timeout_s=1, memory_mb=4096)
    with Comparer(sharp_and_dull[0], spec(endless), limits) as comparer, pytest.raises(CompareError, match="no answer within 1 s"):
        comparer.compare(picture, picture.name, sha256(picture))


def test_a_model_that_cannot_be_loaded_ends_it(sharp_and_dull: tuple[WorkerSpec, WorkerSpec], tmp_path: Path) -> None:
    picture = write_picture(tmp_path, "still.png", 1)
    (sharp_and_dull[1].pack_path / "model.onnx").write_bytes(b"no model")
    with Comparer(*sharp_and_dull, LIMITS) as comparer, pytest.raises(ModelError, match="model B cannot be loaded") as raised:
        comparer.compare(picture, picture.name, sha256(picture))
    assert not isinstance(raised.value, CompareError)


def test_it_ends_when_it_is_cancelled(sharp_and_dull: tuple[WorkerSpec, WorkerSpec], tmp_path: Path) -> None:
    picture = write_picture(tmp_path, "still.png", 1)
    endless = make_tiny_pack(tmp_path / "endless", onnx=tiny_models.endless_onnx(), ir=False)
    with (
        Comparer(spec(endless), sharp_and_dull[1], LIMITS, is_cancelled=lambda: True) as comparer,
        pytest.raises(CancelledError),
    ):
        comparer.compare(picture, picture.name, sha256(picture))
