"""What CVAT is told of an image is what the appliance itself finds in it."""

from __future__ import annotations

import base64
from pathlib import Path

import cv2
import numpy as np
import pytest

from annotator_bridge.functions.catalogue import describe
from annotator_bridge.functions.checked import clip_box
from annotator_bridge.functions.detector import PackDetector, without_bar
from edge.pipeline.detect import process_image
from edge.pipeline.plan import DetectSettings
from edge.values import UInt8Array
from edge.zooscan.process.vignette import vignette
from models.registry import BUNDLED_PACKS
from models.runtime.predict import LoadedModel, load_model

MOST_PIXELS = 20_000_000


@pytest.fixture(scope="module")
def starter() -> LoadedModel:
    return load_model(BUNDLED_PACKS / "burrow-openings-starter", "openvino-int8", threads=1)


def agrees(starter: LoadedModel, jpeg: bytes) -> int:
    """Compare both ways of an image; how many openings there are."""
    result = process_image(jpeg, "still.jpg", starter, DetectSettings(max_pixels=MOST_PIXELS))
    found = result.detections.select(result.detections.score >= starter.manifest.thresholds.score)
    detector = PackDetector(describe(starter.manifest), starter, max_pixels=MOST_PIXELS)
    shapes = detector.invoke({"image": base64.b64encode(jpeg).decode()})
    width, height = result.facts.width_px, result.facts.height_px
    assert [tuple(shape["points"]) for shape in shapes] == [clip_box(box, width, height) for box in found.xyxy.tolist()]
    assert [shape["confidence"] for shape in shapes] == [f"{score:.2f}" for score in found.score.tolist()]
    assert {shape["label"] for shape in shapes} <= {"burrow opening"}
    return len(shapes)


def test_real_stills_give_the_boxes_of_the_pipeline(starter: LoadedModel, real_stills: list[Path]) -> None:
    assert sum(agrees(starter, still.read_bytes()) for still in real_stills[:4]) > 0


def test_a_large_still_that_is_reduced_while_it_is_decoded_too(starter: LoadedModel, rendered_tow: list[Path]) -> None:
    still = cv2.imread(str(rendered_tow[0]))
    assert still is not None
    large = cv2.resize(still, (4096, 2304))
    assert agrees(starter, np.asarray(cv2.imencode(".jpg", large)[1]).tobytes()) > 0


def grey(height: int, width: int) -> UInt8Array:
    found = np.full((height, width), 255, np.uint8)
    cv2.circle(found, (width // 2, height // 2), min(height, width) // 4, 60.0, -1)
    return found


@pytest.mark.parametrize("bar_grey", [0, 85])
@pytest.mark.parametrize("is_jpeg", [True, False])
def test_the_scale_bar_of_a_vignette_is_taken_away(bar_grey: int, is_jpeg: bool) -> None:
    drawn = vignette(grey(90, 120), 2400.0, bar_grey)
    if is_jpeg:
        drawn = np.asarray(cv2.imdecode(cv2.imencode(".jpg", drawn)[1], cv2.IMREAD_GRAYSCALE), np.uint8)
    assert np.array_equal(without_bar(drawn), drawn[:-31])


@pytest.mark.parametrize("size", [(90, 120), (20, 200), (200, 20), (31, 31), (1, 1)])
def test_a_crop_without_a_bar_stays_whole(size: tuple[int, int]) -> None:
    crop = grey(*size)
    assert without_bar(crop) is crop


def test_an_object_that_reaches_to_the_lower_edge_is_no_bar() -> None:
    crop = grey(90, 120)
    crop[-12:, 5:60] = 40
    assert without_bar(crop) is crop
