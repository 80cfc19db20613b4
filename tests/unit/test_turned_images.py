"""Stills that are to be turned before they are seen: pixels, boxes and the band of burnt-in text."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from edge.pipeline.decode import check_whole, decode, read_facts
from edge.pipeline.detect import LoadedModel, load_model, process_image
from edge.pipeline.mask import masked_areas, paint
from edge.pipeline.plan import DetectSettings, Mask
from models.workshop.synthetic import render_still
from tests.unit.tiny_models import coloured, make_tiny_pack

BAND_PX = 22
ORIENTATIONS = range(1, 9)
# How Pillow turns the stored image; an independent statement of EXIF's table.
TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def turned(image: NDArray[Any], orientation: int) -> NDArray[Any]:
    picture = Image.fromarray(image)
    return np.asarray(picture.transpose(TURNS[orientation]) if orientation in TURNS else picture)


def stored_as(image: NDArray[np.uint8], orientation: int, kind: str = "PNG") -> bytes:
    """A file that stores these rows (RGB) and says how they are to be turned."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    stream = io.BytesIO()
    options: dict[str, Any] = {"tiffinfo": {274: orientation}} if kind == "TIFF" else {"exif": exif.tobytes()}
    Image.fromarray(image).save(stream, kind, **options)
    return stream.getvalue()


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> LoadedModel:
    pack = make_tiny_pack(tmp_path_factory.mktemp("tiny") / "pack")
    return load_model(pack.path, "ir-fp32", threads=2)


@pytest.fixture(scope="module")
def still() -> NDArray[np.uint8]:
    """A rendered still with its burnt-in text, RGB."""
    return np.ascontiguousarray(render_still(seed=5).image[:, :, ::-1])


@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_the_band_is_masked_where_the_text_lies(still: NDArray[np.uint8], orientation: int) -> None:
    text = still[:BAND_PX]
    assert text.max() > 200, "the still has text in its band"
    assert text.std() > 1.5 * still[BAND_PX : 2 * BAND_PX].std()
    data = stored_as(still, orientation)
    facts = read_facts(data, "a.png")
    image = decode(data, facts)
    assert np.array_equal(image[:, :, ::-1], turned(still, orientation))
    paint(image, masked_areas((Mask(y_max_px=BAND_PX),), facts), facts)
    expected = turned(np.arange(still.shape[0] * still.shape[1]).reshape(still.shape[:2]).astype(np.int32), orientation) < (
        BAND_PX * still.shape[1]
    )
    painted = image[expected]
    assert (painted == painted[0]).all(), "the whole band is one colour"
    assert np.array_equal(image[~expected], turned(still, orientation)[:, :, ::-1][~expected]), "and nothing else was touched"


@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_a_mask_in_a_corner_turns_with_the_image(orientation: int) -> None:
    stored = np.zeros((40, 60), np.uint8)
    stored[3:9, 5:25] = 255
    facts = read_facts(stored_as(np.dstack([stored] * 3), orientation), "a.png")
    (area,) = masked_areas((Mask(x_min_px=5, y_min_px=3, x_max_px=25, y_max_px=9),), facts)
    upright = np.zeros((facts.height_px, facts.width_px), np.uint8)
    upright[area.y_min_px : area.y_max_px, area.x_min_px : area.x_max_px] = 255
    assert np.array_equal(upright, turned(stored, orientation))


@pytest.mark.parametrize("orientation", ORIENTATIONS)
@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_boxes_lie_in_the_upright_image_and_not_in_the_text(model: LoadedModel, orientation: int, kind: str) -> None:
    """One object lies in the stored band, one does not: only that one is found, where it stands when the image is upright."""
    stored = coloured(128, 128, [(16, 0, 16, 16, 0), (80, 96, 16, 16, 1)])[:, :, ::-1]
    settings = DetectSettings(max_pixels=1_000_000, masks=(Mask(y_max_px=16),))
    result = process_image(stored_as(np.ascontiguousarray(stored), orientation, kind), f"a.{kind.lower()}", model, settings)
    where = np.zeros((128, 128), np.uint8)
    where[96:112, 80:96] = 1
    rows, columns = np.nonzero(turned(where, orientation))
    assert result.detections.xyxy.tolist() == [[columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]]


@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_an_oblong_image_says_its_upright_size(orientation: int) -> None:
    image = np.zeros((40, 60, 3), np.uint8)
    image[:10, :20] = 255
    for kind in ("JPEG", "PNG", "TIFF"):
        data = stored_as(image, orientation, kind)
        facts = read_facts(data, "x")
        assert (facts.width_px, facts.height_px) == ((40, 60) if orientation >= 5 else (60, 40))
        check_whole(data, facts)
        pixels = decode(data, facts)
        assert np.abs(pixels.astype(int) - turned(image, orientation)).mean() < 3
        if kind == "JPEG":
            assert np.abs(decode(data, facts, reduce=2).astype(int) - turned(image, orientation)[::2, ::2]).mean() < 12


def test_an_xmp_packet_does_not_turn_an_image(tmp_path: Path) -> None:
    """Browsers and OpenCV go by EXIF alone; two opinions would put the boxes beside the objects."""
    xmp = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:Description tiff:Orientation="6"/></x:xmpmeta>'
    path = tmp_path / "a.jpg"
    Image.new("RGB", (60, 40)).save(path, xmp=xmp)
    data = path.read_bytes()
    assert b"tiff:Orientation" in data
    assert decode(data, read_facts(data, "a.jpg")).shape == (40, 60, 3)
