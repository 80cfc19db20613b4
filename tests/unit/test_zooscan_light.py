"""The rescan light: what makes it green, amber and red, and what it says to do."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.errors import InputError, Reason
from edge.store.connection import DATABASE_NAME, open_reader
from edge.store.open import open_store
from edge.store.sqlite import Connection
from edge.store.zooscan.scans import set_failed
from edge.zooscan.desk.desk import ScanDesk
from edge.zooscan.engine.engine import PixelEngine
from edge.zooscan.failing import failed_words, scan_advice
from edge.zooscan.light import LightFacts, light_of, light_of_failure
from edge.zooscan.project.log import ScanLog, read_log
from edge.zooscan.project.sample import read_sample
from edge.zooscan.project.texts import read_keyed_text
from tests.helpers.zooscan import log_text, meta_text, seed_scan

FACTS = LightFacts(
    objects=900,
    sample=read_sample(read_keyed_text(meta_text())),
    black_share=0.03,
    background_at=datetime(2026, 6, 13, 8, 5),
    background_frame="large",
    log=read_log(log_text().encode()),
    serial="sn033",
    missing_sides=(),
    pixel_mm=25.4 / 2400,
)
SCAN_REASONS = (
    Reason.TRUNCATED,
    Reason.CORRUPT,
    Reason.UNKNOWN_FORMAT,
    Reason.UNSUPPORTED_PIXELS,
    Reason.SEVERAL_IMAGES,
    Reason.OUT_OF_MEMORY,
)


def colour_of(check: str, **changes: Any) -> str:
    light = light_of(replace(FACTS, **changes))
    (sign,) = (sign for sign in light.signs if sign.check == check)
    assert sign.words
    assert bool(sign.advice) == (sign.colour != "green")
    return sign.colour


def test_a_good_scan_is_green() -> None:
    light = light_of(FACTS)
    assert light.colour == "green"
    assert "the background is 1.2 h older than the scan" in [sign.words for sign in light.signs]


@pytest.mark.parametrize(
    ("fraction", "split", "objects", "colour"),
    [
        ("d1", "4", 500, "green"),
        ("d1", "4", 1500, "green"),
        ("d1", "4", 1501, "red"),
        ("d1", "4", 499, "amber"),
        ("d2_1_sur_2", "4", 999, "amber"),
        ("d2_1_sur_2", "4", 2500, "green"),
        ("tot", "4", 2501, "red"),
        ("tot", "1", 12, "green"),
        ("d1", "1", 0, "red"),
    ],
)
def test_the_number_of_objects_has_a_range_for_each_fraction(fraction: str, split: str, objects: int, colour: str) -> None:
    sample = read_sample(read_keyed_text(meta_text(FracId=fraction, Fracnb=split)))
    assert colour_of("objects", sample=sample, objects=objects) == colour


@pytest.mark.parametrize(("share", "colour"), [(0.0, "red"), (0.0001, "green"), (0.2499, "green"), (0.25, "red"), (float("inf"), "red")])
def test_the_black_white_ratio_lies_between_two_limits(share: float, colour: str) -> None:
    assert colour_of("black_white_ratio", black_share=share) == colour


def test_the_background_is_of_the_day_and_of_the_frame() -> None:
    assert colour_of("background", background_at=datetime(2026, 6, 12, 9, 15)) == "green"
    assert colour_of("background", background_at=datetime(2026, 6, 12, 9, 14)) == "amber"
    assert colour_of("background", background_frame="narrow") == "red"
    assert colour_of("background", background_at=None, background_frame=None) == "amber"
    told = light_of(replace(FACTS, background_at=datetime(2026, 6, 3, 9, 15))).signs[0].words
    assert told == "the background is 10.0 days older than the scan"


def test_frame_scanner_and_resolution_are_looked_at() -> None:
    assert colour_of("frame", missing_sides=("left", "top")) == "amber"
    assert colour_of("scanner", serial="sn044") == "red"
    assert colour_of("scanner", serial=None) == "amber"
    assert colour_of("scanner", log=ScanLog(at_local=None, frame=None, resolution_dpi=None, serial=None)) == "amber"
    assert colour_of("resolution", pixel_mm=25.4 / 1200) == "red"


@pytest.mark.parametrize(
    "reason",
    [Reason.WORKER_DIED, Reason.OUT_OF_MEMORY, Reason.TIMED_OUT, Reason.UNREADABLE_FILE, Reason.MODEL_FAILED, Reason.BAD_SETTINGS],
)
def test_what_the_software_or_the_machine_failed_at_is_not_scanned_again(reason: Reason) -> None:
    light = light_of_failure(reason.value)
    assert light.colour == "amber"
    assert "not the sample's fault" in light.signs[0].words
    assert light.signs[0].advice.startswith("Process it again")
    assert "camera" not in scan_advice(reason.value)


@pytest.mark.parametrize("reason", list(Reason))
def test_every_reason_of_a_scan_is_told_in_a_scanners_words(reason: Reason) -> None:
    if reason in SCAN_REASONS:
        assert not re.search("camera|image|8 or 16", scan_advice(reason.value))
    assert failed_words(InputError(reason, "it", advice="Do this.")) == "it. Do this."
    assert failed_words(InputError(reason, "it")) == f"it. {scan_advice(reason.value)}"


@given(st.integers(0, 5000), st.floats(0, 1), st.sampled_from([(), ("left",)]))
def test_the_light_is_its_worst_sign(objects: int, share: float, missing: tuple[str, ...]) -> None:
    light = light_of(replace(FACTS, objects=objects, black_share=share, missing_sides=missing))
    order = ["red", "amber", "green"]
    ranks = [order.index(sign.colour) for sign in light.signs]
    assert ranks == sorted(ranks)
    assert light.colour == order[min(ranks)]
    assert len(light.signs) == 6


def test_the_desk_lights_what_was_processed_and_what_failed(tmp_path: Path) -> None:
    writer = open_store(tmp_path, on_commit=lambda: None)

    @contextmanager
    def reader() -> Iterator[Connection]:
        connection = open_reader(tmp_path / DATABASE_NAME)
        try:
            yield connection
        finally:
            connection.close()

    try:
        seeded = writer.call(lambda connection: seed_scan(connection, objects=3))
        desk = ScanDesk(tmp_path, writer, reader, PixelEngine(tmp_path, classifier=lambda: None))
        light = desk.light(seeded.scan_uuid)
        assert light is not None
        assert (light.colour, light.signs[0].check) == ("amber", "objects")
        desk.type_in(seeded.scan_uuid, {"Fracnb": "1"}, actor="mary")
        light = desk.light(seeded.scan_uuid)
        assert light is not None
        assert light.colour == "green", "what was typed counts"
        writer.call(lambda connection: set_failed(connection, seeded.scan_id, Reason.NO_FRAME, "no frame was seen. Close the lid."))
        light = desk.light(seeded.scan_uuid)
        assert light is not None
        assert (light.colour, light.signs[0].words) == ("red", "it could not be processed: no frame")
        writer.call(lambda connection: set_failed(connection, seeded.scan_id, Reason.WORKER_DIED, "it ended"))
        light = desk.light(seeded.scan_uuid)
        assert light is not None
        (told,) = (sign for sign in light.signs if sign.check == "processing")
        assert (light.colour, len(light.signs)) == ("green", 7), "the light of the result that stands"
        assert "not the sample's fault" in told.words
        assert told.advice.startswith("Process it again")
    finally:
        writer.close()
