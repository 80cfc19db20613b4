"""EXIF data: what is used of them, and that hostile ones cost nothing."""

from __future__ import annotations

import io
import struct
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from edge.errors import InputError, Reason
from edge.pipeline.directory import Directories
from edge.pipeline.exif import Exif, read_exif
from edge.pipeline.facts import read_facts
from tests.helpers.images import LONG, SHORT, page_of, tiff_of

TIME, OFFSET, SUBSECOND = 0x9003, 0x9011, 0x9291


def exif_with(orientation: int = 1, **times: str) -> bytes:
    """As a camera's file holds them; Pillow is an independent writer."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    for name, value in times.items():
        exif.get_ifd(0x8769)[{"time": TIME, "offset": OFFSET, "subsecond": SUBSECOND}[name]] = value
    return exif.tobytes().removeprefix(b"Exif\0\0")


def directory(entries: list[tuple[int, int, int, int]], *, after: bytes = b"") -> bytes:
    body = b"".join(struct.pack("<HHII", *entry) for entry in entries)
    return b"II*\0\x08\0\0\0" + struct.pack("<H", len(entries)) + body + bytes(4) + after


@pytest.mark.parametrize(
    ("times", "expected"),
    [
        ({"time": "2023:06:03 16:32:07"}, "2023:06:03 16:32:07"),
        ({"time": "2023:06:03 16:32:07", "subsecond": "504"}, "2023:06:03 16:32:07.504"),
        ({"time": "2023:06:03 16:32:07", "offset": "+02:00"}, "2023:06:03 16:32:07+02:00"),
        ({"time": "2023:06:03 16:32:07", "subsecond": "5", "offset": "-03:30"}, "2023:06:03 16:32:07.5-03:30"),
        ({"time": "2023:06:03 16:32:07", "subsecond": "5 ; DROP", "offset": "here"}, "2023:06:03 16:32:07"),
        ({"subsecond": "504"}, None),
        ({"time": "x" * 300}, None),
        ({}, None),
    ],
)
def test_the_time_with_its_fraction_and_offset(times: dict[str, str], expected: str | None) -> None:
    assert read_exif(exif_with(**times)).time_local == expected  # type: ignore[arg-type]


@pytest.mark.parametrize(("stored", "expected"), [(1, 1), (6, 6), (8, 8), (0, 1), (9, 1), (65535, 1)])
def test_the_orientation_is_one_of_eight(stored: int, expected: int) -> None:
    assert read_exif(exif_with(stored)).orientation == expected


def test_every_format_tells_its_time() -> None:
    raw = exif_with(6, time="2023:06:03 16:32:07", subsecond="504")
    for kind, name in (("JPEG", "a.jpg"), ("PNG", "a.png")):
        stream = io.BytesIO()
        Image.new("RGB", (60, 40)).save(stream, kind, exif=b"Exif\0\0" + raw)
        facts = read_facts(stream.getvalue(), name)
        assert (facts.exif_time_local, facts.orientation, facts.width_px) == ("2023:06:03 16:32:07.504", 6, 40)
    page = page_of(np.zeros((40, 60), np.uint8), t274=(SHORT, [6]))
    page.exif[TIME] = (2, list(b"2023:06:03 16:32:07\0"))
    facts = read_facts(tiff_of(page), "a.tif")
    assert (facts.exif_time_local, facts.orientation, facts.width_px) == ("2023:06:03 16:32:07", 6, 40)


HOSTILE = {
    "empty": b"",
    "no directory": b"II*\0\xff\xff\xff\xff",
    "points at itself": directory([(0x8769, LONG, 1, 8)]),
    "exif points at exif": directory([(0x8769, LONG, 1, 26)], after=struct.pack("<HHHII", 1, 0x8769, LONG, 1, 26)),
    "four billion orientations": directory([(0x0112, SHORT, 0xFFFFFFFF, 8)]),
    "a text of four gigabytes": directory([(0x8769, LONG, 1, 26)], after=struct.pack("<HHHIII", 1, TIME, 2, 0xFFFFFFFF, 0, 0)),
    "65535 entries": b"II*\0\x08\0\0\0\xff\xff" + bytes(1000),
    "values of no kind": directory([(0x0112, 99, 1, 6), (0x8769, 0, 1, 8)]),
    "times of another kind": directory([(0x8769, 12, 1, 8)]),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_exif_is_no_exif(name: str) -> None:
    assert read_exif(HOSTILE[name]) == Exif()


@given(st.binary(max_size=400))
@settings(max_examples=300, deadline=None)
def test_any_bytes_are_exif_or_none(noise: bytes) -> None:
    assert 1 <= read_exif(b"II*\0\x08\0\0\0" + noise).orientation <= 8
    assert 1 <= read_exif(noise).orientation <= 8


def test_a_directory_that_announces_the_same_megabyte_thousands_of_times_costs_nothing() -> None:
    """Pillow copies what each entry announces: 4 GB for this file of one megabyte."""
    entries = [(0xC000 + index, 7, 1_000_000, 8) for index in range(4000)]
    hostile = directory([(256, LONG, 1, 8), (257, LONG, 1, 8), *entries], after=bytes(1_000_000))
    tracemalloc.start()
    with pytest.raises(InputError) as caught:
        read_facts(hostile, "a.tif")
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert caught.value.reason in (Reason.CORRUPT, Reason.UNSUPPORTED_PIXELS)
    assert peak_bytes < 8_000_000


def test_a_directory_outside_the_data_is_truncated() -> None:
    reader = Directories(b"II*\0\x08\0\0\0" + b"\x05\0" + bytes(20))
    with pytest.raises(InputError) as caught:
        reader.read(reader.first_offset)
    assert caught.value.reason is Reason.TRUNCATED


def test_more_entries_or_numbers_than_any_picture_has_are_corrupt() -> None:
    crowded = Directories(directory([(0xC000, 1, 1, 0)] * 5000))
    with pytest.raises(InputError) as caught:
        crowded.read(crowded.first_offset)
    assert caught.value.reason is Reason.CORRUPT
    lists = Directories(directory([(273, LONG, 2_500_000, 26)], after=bytes(10_000_000)))
    field = lists.read(lists.first_offset).fields[273]
    assert lists.number(field, 1) == 0
    with pytest.raises(InputError) as caught:
        lists.numbers(field)
    assert caught.value.reason is Reason.CORRUPT
