"""The particle of a crop that an imager made: where it lies, what is measured of it, and what becomes of both in a result."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge.pipeline.detect import process_image
from edge.pipeline.worker import _named
from edge.recipes.vignettes import VIGNETTES
from edge.settings import Settings
from edge.values import UInt8Array
from edge.zooscan.given_crop import measure_crop
from models.runtime.predict import load_model
from models.runtime.vision import cv2
from tests.unit import tiny_models
from tests.unit.tiny_models import make_tiny_pack

UNCLASSIFIED = Path(__file__).parents[2] / "models" / "packs" / "vignettes-unclassified"


def crop(*discs: tuple[int, int, int, int], background: int = 180, noise: float = 0.0, size: tuple[int, int] = (80, 100)) -> UInt8Array:
    """Discs (x, y, radius, grey) on a grey background."""
    picture = np.full(size, background, np.uint8)
    for x, y, radius, grey in discs:
        cv2.circle(picture, (x, y), radius, grey, cv2.FILLED)
    shaken = picture + np.random.default_rng(3).normal(0.0, noise, size)
    return np.asarray(np.clip(shaken, 0, 255), np.uint8)


def test_the_largest_dark_part_is_the_particle() -> None:
    found = measure_crop(crop((50, 40, 20, 60), (90, 70, 4, 30)))
    assert found is not None
    assert (found.x_px, found.y_px, found.width_px, found.height_px) == (30, 20, 41, 41)
    assert (found.background_grey, found.threshold_grey, found.touches_edge) == (180.0, 168, False)
    assert found.values["area"] == pytest.approx(math.pi * 20**2, rel=0.01)
    assert found.values["mean"] == 60
    assert "skew" not in found.values, "of one grey it is not defined"


@pytest.mark.parametrize("background", [120, 180, 240])
def test_the_threshold_follows_the_background(background: int) -> None:
    found = measure_crop(crop((50, 40, 20, background - 30), background=background))
    assert found is not None
    assert found.width_px == 41
    assert not measure_crop(crop((50, 40, 20, background - 10), background=background)), "ten greys darker is not clearly darker"


def test_a_noisy_background_takes_a_darker_particle() -> None:
    found = measure_crop(crop((50, 40, 20, 60), noise=6.0))
    assert found is not None
    assert found.threshold_grey < 165
    assert abs(found.width_px - 41) <= 2
    assert not measure_crop(crop(noise=4.0)), "noise alone is no particle"


def test_a_particle_across_the_rim_is_told_of() -> None:
    found = measure_crop(crop((0, 40, 20, 60)))
    assert found is not None
    assert found.touches_edge
    assert found.x_px == 0


def test_a_ring_is_measured_with_its_middle() -> None:
    picture = crop((50, 40, 20, 60))
    cv2.circle(picture, (50, 40), 15, 180, cv2.FILLED)
    found = measure_crop(picture)
    assert found is not None
    assert found.values["area"] > 1.8 * found.values["area_exc"]


@pytest.mark.parametrize("picture", [crop(), np.zeros((60, 60), np.uint8), np.full((1, 1), 200, np.uint8), np.full((3, 400), 90, np.uint8)])
def test_where_nothing_is_darker_there_is_no_particle(picture: UInt8Array) -> None:
    assert measure_crop(picture) is None


def test_colour_is_looked_at_as_grey() -> None:
    picture = crop((50, 40, 20, 60))
    assert measure_crop(np.repeat(picture[:, :, None], 3, axis=2)) == measure_crop(picture)


def load(folder: Path, **changes: Any) -> Any:
    fields: dict[str, Any] = {
        "onnx": tiny_models.classifier_onnx(),
        "ir": False,
        "task": "classify",
        "head": "classify",
        "input": {"width_px": 64, "height_px": 64, "fit": "stretch"},
        "expected": {"score": [1 / 3] * 3},
    }
    return load_model(make_tiny_pack(folder, **fields | changes).path, "onnx-fp32", threads=1)


def test_a_result_has_the_scores_of_all_classes_and_the_measures_of_the_whole_picture(tmp_path: Path) -> None:
    picture = np.repeat(crop((500, 400, 200, 60), size=(800, 1000))[:, :, None], 3, axis=2)
    picture[:, :, 1] += 20  # a tinge of green
    data = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 100])[1].tobytes()
    settings = VIGNETTES.detect(Settings())
    result = process_image(data, "crop.jpg", load(tmp_path / "pack"), settings, measure=measure_crop)
    assert result.class_score is not None
    assert result.class_score.argmax() == 1
    assert float(result.class_score.sum()) == pytest.approx(1, abs=1e-5)
    assert result.labels[int(result.detections.label_index[0])] == "green"
    assert result.is_measured
    assert result.crop is not None
    assert abs(result.crop.width_px - 401) <= 2, "the network's small picture is not what is measured"


def test_a_recipe_that_does_not_measure_says_so(tmp_path: Path) -> None:
    data = cv2.imencode(".png", crop((50, 40, 20, 60)))[1].tobytes()
    result = process_image(data, "crop.png", load(tmp_path / "pack"), VIGNETTES.detect(Settings()))
    assert not result.is_measured
    assert result.crop is None


def test_a_worker_finds_what_measures_by_its_name() -> None:
    assert _named(VIGNETTES.measure) is measure_crop
    assert _named(None) is None


def test_measuring_is_part_of_the_recipes_identity() -> None:
    content = VIGNETTES._content(Settings())
    assert content["measure"] == VIGNETTES.measure


def test_without_a_classifier_crops_are_unclassified() -> None:
    model = load_model(UNCLASSIFIED, "onnx-fp32", threads=1)
    data = cv2.imencode(".png", crop((50, 40, 20, 60)))[1].tobytes()
    result = process_image(data, "crop.png", model, VIGNETTES.detect(Settings()), measure=measure_crop)
    assert result.class_score is not None
    assert result.class_score.tolist() == [1.0]
    assert result.labels == ("unclassified",)
    assert result.crop is not None


def test_nearly_all_real_crops_have_a_particle(shared_data: Path) -> None:
    files = sorted((shared_data / "flowcam_vignettes" / "demo-images").glob("*/*"))
    if not files:
        pytest.skip("no real FlowCam crops")
    found = [measure_crop(np.asarray(cv2.imread(str(file)), np.uint8)) for file in files]
    assert sum(one is not None for one in found) / len(found) > 0.95
    whole = [one for one in found if one is not None and not one.touches_edge]
    assert len(whole) / len(found) > 0.6
