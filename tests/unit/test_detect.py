from __future__ import annotations

import io
import pickle
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from edge.errors import InputError, ModelError, Reason
from edge.pipeline.capture_time import capture_time
from edge.pipeline.detect import LoadedModel, load_model, process_image
from edge.pipeline.mask import masked_areas, outside, paint
from edge.pipeline.plan import DetectSettings, Mask
from edge.pipeline.quality import measure_quality
from edge.values import CaptureTime, Detections, ImageFacts
from models.runtime.vision import cv2
from tests.unit import tiny_models
from tests.unit.tiny_models import coloured, make_tiny_pack

SETTINGS = DetectSettings(max_pixels=1_000_000)
PATTERN = (
    r"D(?P<year>\d{4})-(?P<month>\d\d)-(?P<day>\d\d)T(?P<hour>\d\d)-(?P<minute>\d\d)-(?P<second>\d\d)"
    r"(?:-(?P<microsecond>\d{1,6}))?(?P<utc>Z)?"
)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> LoadedModel:
    pack = make_tiny_pack(tmp_path_factory.mktemp("tiny") / "pack")
    return load_model(pack.path, "ir-fp32", threads=2)


def png(image: NDArray[np.uint8]) -> bytes:
    done, data = cv2.imencode(".png", image)
    assert done
    return data.tobytes()


def facts_of(width_px: int, height_px: int) -> ImageFacts:
    return ImageFacts(format="png", width_px=width_px, height_px=height_px, bits_per_channel=8, channels=3, exif_time_local=None)


def test_an_image_becomes_a_whole_result(model: LoadedModel) -> None:
    result = process_image(png(coloured(128, 128, [(16, 32, 16, 16, 0), (80, 96, 16, 16, 1)])), "a.png", model, SETTINGS)
    assert result.facts == facts_of(128, 128)
    assert sorted(result.detections.xyxy.tolist()) == [[16, 32, 32, 48], [80, 96, 96, 112]]
    assert result.labels == ("red", "green", "blue")
    assert result.model.name == "tiny"
    assert result.score_threshold == 0.25
    assert set(result.stage_ms) == {"decode", "infer", "merge"}
    assert all(duration_ms > 0 for duration_ms in result.stage_ms.values())


def test_an_image_without_objects_is_an_empty_result(model: LoadedModel) -> None:
    assert len(process_image(png(coloured(128, 128, [])), "a.png", model, SETTINGS).detections) == 0


def test_several_threads_give_each_its_own_answer(model: LoadedModel) -> None:
    def answer(step: int) -> list[float]:
        box: list[float] = (
            process_image(png(coloured(128, 128, [(16 * step, 0, 16, 16, 0)])), "a.png", model, SETTINGS).detections.xyxy[0].tolist()
        )
        return box

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(answer, [step % 8 for step in range(64)])) == [
            [16.0 * (step % 8), 0, 16.0 * (step % 8) + 16, 16] for step in range(64)
        ]


def test_a_large_jpeg_is_reduced_and_its_boxes_are_in_its_own_pixels(model: LoadedModel) -> None:
    image = coloured(1000, 1000, [(250, 500, 125, 125, 1)])
    done, data = cv2.imencode(".jpg", image)
    assert done
    (box,) = process_image(data.tobytes(), "a.jpg", model, SETTINGS).detections.xyxy
    assert np.abs(box - [250, 500, 375, 625]).max() < 1


def test_tiles_find_what_the_letterbox_is_too_coarse_for(model: LoadedModel) -> None:
    image = coloured(640, 640, [(320, 328, 8, 8, 0)])
    assert len(process_image(png(image), "a.png", model, SETTINGS).detections) == 0
    found = process_image(png(image), "a.png", model, DetectSettings(max_pixels=1_000_000, fit="tiles")).detections
    assert np.clip(found.xyxy[0], [320, 328, 320, 328], [328, 336, 328, 336]).tolist() == [320, 328, 328, 336]


def test_masked_text_is_neither_found_nor_seen(model: LoadedModel) -> None:
    image = coloured(128, 128, [(0, 0, 128, 16, 2), (80, 96, 16, 16, 1)])
    assert len(process_image(png(image), "a.png", model, SETTINGS).detections) == 9
    masked = process_image(png(image), "a.png", model, DetectSettings(max_pixels=1_000_000, masks=(Mask(y_max_px=16),)))
    assert masked.detections.xyxy.tolist() == [[80, 96, 96, 112]]


@pytest.mark.parametrize(
    ("data", "settings", "reason"),
    [
        (png(coloured(2000, 600, [])), SETTINGS, Reason.TOO_MANY_PIXELS),
        (png(coloured(64, 64, []))[:-5], SETTINGS, Reason.TRUNCATED),
        (b"no image", SETTINGS, Reason.UNKNOWN_FORMAT),
    ],
)
def test_what_cannot_become_a_result_says_why(model: LoadedModel, data: bytes, settings: DetectSettings, reason: Reason) -> None:
    with pytest.raises(InputError) as caught:
        process_image(data, "a.png", model, settings)
    assert caught.value.reason is reason


def test_a_model_that_returns_nan_is_a_model_error_not_an_empty_result(tmp_path: Path) -> None:
    pack = make_tiny_pack(tmp_path / "pack", onnx=tiny_models.detector_onnx(factor=float("nan")), ir=False)
    with pytest.raises(ModelError):
        process_image(png(coloured(64, 64, [])), "a.png", load_model(pack.path, "onnx-fp32", threads=1), SETTINGS)


def test_a_classification_is_not_dropped_by_a_mask(tmp_path: Path) -> None:
    changes: dict[str, Any] = {"head": "classify", "task": "classify", "input": {"width_px": 64, "height_px": 64, "fit": "stretch"}}
    pack = make_tiny_pack(tmp_path / "pack", onnx=tiny_models.classifier_onnx(), ir=False, **changes)
    whole = DetectSettings(max_pixels=1_000_000, masks=(Mask(y_max_px=40),))
    result = process_image(png(coloured(90, 60, [(0, 0, 90, 60, 1)])), "a.png", load_model(pack.path, "onnx-fp32", threads=1), whole)
    assert result.detections.xyxy.tolist() == [[0, 0, 90, 60]]
    assert [result.labels[index] for index in result.detections.label_index] == ["green"]


def test_settings_and_results_cross_process_borders(model: LoadedModel) -> None:
    result = process_image(png(coloured(64, 64, [(8, 8, 8, 8, 0)])), "a.png", model, SETTINGS)
    again = pickle.loads(pickle.dumps(result))  # noqa: S301 (our own bytes)
    assert again.detections.xyxy.tolist() == result.detections.xyxy.tolist()
    assert pickle.loads(pickle.dumps(SETTINGS)) == SETTINGS  # noqa: S301


def test_masks_are_cut_to_the_image() -> None:
    areas = masked_areas(
        (Mask(y_max_px=22), Mask(x_min_px=90, y_min_px=-5, x_max_px=500, y_max_px=10), Mask(y_min_px=60)), facts_of(100, 50)
    )
    assert [(area.x_min_px, area.y_min_px, area.x_max_px, area.y_max_px) for area in areas] == [(0, 0, 100, 22), (90, 0, 100, 10)]


def test_a_mask_is_painted_with_what_surrounds_it() -> None:
    image = np.full((100, 100, 3), (10, 20, 30), np.uint8)
    image[40:60, 40:60] = 255
    paint(image, masked_areas((Mask(x_min_px=40, y_min_px=40, x_max_px=60, y_max_px=60),), facts_of(100, 100)), facts_of(100, 100))
    assert (image == (10, 20, 30)).all()
    paint(image, masked_areas((Mask(),), facts_of(100, 100)), facts_of(100, 100))
    assert (image == (10, 20, 30)).all()


def test_a_mask_covers_its_part_of_a_reduced_image() -> None:
    image = np.zeros((50, 50, 3), np.uint8)
    image[:11] = 255
    paint(image, masked_areas((Mask(y_max_px=21),), facts_of(100, 100)), facts_of(100, 100))
    assert (image == 0).all()


def test_a_detection_goes_when_its_centre_is_masked() -> None:
    found = Detections(
        xyxy=np.array([[0, 0, 10, 40], [0, 0, 10, 60], [95, 0, 99, 4]], np.float32),
        score=np.array([0.9, 0.8, 0.7], np.float32),
        label_index=np.zeros(3, np.int32),
    )
    kept = outside(found, masked_areas((Mask(x_max_px=90, y_max_px=22),), facts_of(100, 100)))
    assert kept.xyxy.tolist() == [[0, 0, 10, 60], [95, 0, 99, 4]]


def test_quality_is_that_of_the_textbook() -> None:
    rng = np.random.default_rng(5)
    image = rng.integers(0, 256, (60, 80, 3), dtype=np.uint8)
    quality = measure_quality(image, (), facts_of(80, 60))
    grey = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY).astype(float)
    inner = grey[:-2, 1:-1] + grey[2:, 1:-1] + grey[1:-1, :-2] + grey[1:-1, 2:] - 4 * grey[1:-1, 1:-1]
    assert quality.mean_luminance == pytest.approx(grey.mean())
    assert quality.contrast == pytest.approx(grey.std())
    assert quality.sharpness == pytest.approx(inner.var(), rel=0.05)  # the outermost rows mirror


def test_quality_leaves_masked_areas_out() -> None:
    image = np.full((100, 100, 3), 80, np.uint8)
    image[:20] = np.random.default_rng(0).integers(0, 256, (20, 100, 3))
    quality = measure_quality(image, masked_areas((Mask(y_max_px=20),), facts_of(100, 100)), facts_of(100, 100))
    assert (quality.mean_luminance, quality.contrast, quality.sharpness) == (80.0, 0.0, 0.0)


def test_a_sharper_image_is_sharper() -> None:
    image = np.random.default_rng(0).integers(0, 256, (200, 200, 3), dtype=np.uint8)
    blurred = np.asarray(cv2.GaussianBlur(image, (5, 5), 0), np.uint8)
    assert measure_quality(image, (), facts_of(200, 200)).sharpness > 5 * measure_quality(blurred, (), facts_of(200, 200)).sharpness


def test_the_time_of_the_real_stills_is_read_from_their_names() -> None:
    name = "image_D2023-06-03T16-32-07-504897Z_0.jpg"
    assert capture_time(None, name, PATTERN) == CaptureTime(utc="2023-06-03T16:32:07.504Z", local=None, source="file_name")


@pytest.mark.parametrize(
    ("exif", "name", "expected"),
    [
        ("2023:06:03 16:32:07", "x.jpg", CaptureTime(utc=None, local="2023:06:03 16:32:07", source="exif")),
        ("2023:06:03 16:32:07", "D2020-01-01T00-00-00Z.jpg", CaptureTime(utc=None, local="2023:06:03 16:32:07", source="exif")),
        (
            "2023:06:03 16:32:07.504+02:00",
            "x.jpg",
            CaptureTime(utc="2023-06-03T14:32:07.504Z", local="2023:06:03 16:32:07.504+02:00", source="exif"),
        ),
        ("2023:06:03 16:32:07.5", "x.jpg", CaptureTime(utc=None, local="2023:06:03 16:32:07.5", source="exif")),
        ("0001:01:01 00:00:00+10:00", "x.jpg", None),
        ("0000:00:00 00:00:00", "x.jpg", None),
        ("    :  :     :  :  ", "x.jpg", None),
        ("2023:13:03 16:32:07", "D2020-01-01T00-00-00Z.jpg", CaptureTime(utc="2020-01-01T00:00:00.000Z", local=None, source="file_name")),
        (None, "D2020-01-01T00-00-00.jpg", CaptureTime(utc=None, local="2020-01-01T00:00:00.000", source="file_name")),
        (None, "D2020-01-01T00-00-00-5Z.jpg", CaptureTime(utc="2020-01-01T00:00:00.500Z", local=None, source="file_name")),
        (None, "D2020-02-30T00-00-00Z.jpg", None),
        (None, "IMG_0001.jpg", None),
    ],
)
def test_a_capture_time_is_found_or_unknown(exif: str | None, name: str, expected: CaptureTime | None) -> None:
    assert capture_time(exif, name, PATTERN) == expected


def test_the_exif_time_of_a_file_reaches_its_facts(model: LoadedModel) -> None:
    exif = Image.Exif()
    exif.get_ifd(0x8769)[0x9003] = "2023:06:03 16:32:07"
    stream = io.BytesIO()
    Image.new("RGB", (64, 64)).save(stream, "JPEG", exif=exif)
    assert process_image(stream.getvalue(), "a.jpg", model, SETTINGS).facts.exif_time_local == "2023:06:03 16:32:07"


def test_real_stills_go_the_whole_way(model: LoadedModel, real_stills: list[Path]) -> None:
    settings = DetectSettings(max_pixels=100_000_000, masks=(Mask(y_max_px=22),))
    for path in real_stills[:10]:
        result = process_image(path.read_bytes(), path.name, model, settings)
        assert (result.facts.width_px, result.facts.height_px) == (1229, 691)
        assert 10 < result.quality.mean_luminance < 250
        time = capture_time(result.facts.exif_time_local, path.name, PATTERN)
        assert time is not None
        assert time.utc is not None
        assert time.utc.startswith("2023-0")


@pytest.mark.parametrize("side_px", [500, 1024, 2048])
def test_a_large_jpeg_gives_the_boxes_of_the_same_png(model: LoadedModel, side_px: int) -> None:
    """The JPEG is reduced while it is decoded; its boxes are pixels of the full image all the same."""
    small = coloured(128, 128, [(16, 32, 16, 16, 0), (80, 96, 16, 16, 1)])
    large = np.asarray(cv2.resize(small, (side_px, side_px), interpolation=cv2.INTER_NEAREST), np.uint8)
    done, jpeg = cv2.imencode(".jpg", large, [cv2.IMWRITE_JPEG_QUALITY, 97])
    assert done
    settings = DetectSettings(max_pixels=10_000_000)
    expected = process_image(png(large), "a.png", model, settings)
    result = process_image(jpeg.tobytes(), "a.jpg", model, settings)
    assert len(expected.detections) == 2
    assert np.abs(np.sort(result.detections.xyxy, axis=0) - np.sort(expected.detections.xyxy, axis=0)).max() <= side_px / 128
    assert result.quality.mean_luminance == pytest.approx(expected.quality.mean_luminance, rel=0.02)
