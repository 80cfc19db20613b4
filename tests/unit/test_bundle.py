"""A bundle gives back what was put in, in the steps that the schema states; what is damaged is told, and never read in part."""

from __future__ import annotations

import hashlib
import math
import random
from typing import Any

import cbor2
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from edge.store.clock import uuid7
from sync.bundle.columns import BundleDamagedError, Column, Octets, Scaled, Text, Time, Whole
from sync.bundle.read import MAX_DOCUMENT_BYTES, read_bundle
from sync.bundle.schema import SCHEMA_VERSION, TABLES
from sync.bundle.tables_images import IMAGES, OBJECTS, RUNS
from sync.bundle.write import MARK, Bundle, Sender, make_bundle

SENDER = Sender(vessel_uuid="01980000-0000-7000-8000-000000000001", vessel="RV Störtebeker", software_version="0.1.0")
MADE = "2026-11-22T07:00:00.000Z"

texts = st.text(max_size=20)
times = st.sampled_from([MADE, "1999-12-31T23:59:59.999Z", "2040-02-29T00:00:00.001Z"])
columns_and_values: st.SearchStrategy[tuple[Column, list[Any]]] = st.one_of(
    st.tuples(st.just(Whole("n")), st.lists(st.none() | st.integers(-(2**62), 2**62))),
    st.tuples(st.just(Text("t")), st.lists(st.none() | texts)),
    st.tuples(st.just(Octets("u", 16)), st.lists(st.none() | st.uuids().map(str))),
    st.tuples(st.just(Octets("h", 32)), st.lists(st.none() | st.binary(min_size=32, max_size=32).map(bytes.hex))),
    st.tuples(
        st.just(Time("at_utc")), st.lists(st.none() | st.sampled_from([MADE, "1999-12-31T23:59:59.999Z", "2040-02-29T00:00:00.001Z"]))
    ),
)


def small(**tables: list[tuple[Any, ...]]) -> Bundle:
    return make_bundle(tables, sender=SENDER, sequence=7, made_utc=MADE)


def packed(document: object) -> bytes:
    return zstandard.ZstdCompressor().compress(cbor2.dumps(document))


def document_of(**changes: Any) -> dict[str, Any]:
    whole = {
        "what": MARK,
        "schema": SCHEMA_VERSION,
        "vessel_uuid": SENDER.vessel_uuid,
        "vessel": SENDER.vessel,
        "software_version": "0.1.0",
        "sequence": 1,
        "made_utc": MADE,
        "tables": {},
    }
    return {**whole, **changes}


def an_object(run: str, ordinal: int, **values: Any) -> tuple[Any, ...]:
    row: dict[str, Any] = dict(zip(OBJECTS.names, (run, ordinal, "burrow opening", 0.5, 1.0, 2.0, 30.5, 40.0), strict=True))
    return tuple({**row, **values}.values())


@given(columns_and_values)
def test_what_is_packed_comes_back(case: tuple[Column, list[Any]]) -> None:
    column, values = case
    over_the_wire = cbor2.loads(cbor2.dumps(column.pack(values)))
    assert column.unpack(over_the_wire, len(values)) == values


@given(st.lists(st.none() | st.floats(-1e6, 1e6)), st.sampled_from([10, 1000, 10_000]))
def test_numbers_come_back_within_half_a_step(values: list[float | None], per_unit: int) -> None:
    column = Scaled("x_px", per_unit)
    for value, back in zip(values, column.unpack(cbor2.loads(cbor2.dumps(column.pack(values))), len(values)), strict=True):
        if value is None:
            assert back is None
        else:
            assert abs(back - value) <= 0.5 / per_unit * (1 + 1e-9)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, 1e300])
def test_what_is_no_number_is_refused_and_never_becomes_one(value: float) -> None:
    with pytest.raises(ValueError, match="score"):
        small(objects=[an_object(uuid7(), 0, score=value)])


@pytest.mark.parametrize(
    ("column", "value"),
    [
        (Octets("u", 16), "no identity"),
        (Octets("u", 16), "01980000-0000-7000-8000-00000000000A"),
        (Octets("h", 32), "ab"),
        (Time("t_utc"), "2026-11-22T07:00:00Z"),
        (Time("t_utc"), "2026-11-22T07:00:00.0001Z"),
        (Whole("n"), 1.5),
        (Whole("n"), True),
    ],
)
def test_a_value_that_would_change_is_refused(column: Column, value: object) -> None:
    with pytest.raises(ValueError, match=r"."):
        column.pack([value])


def test_a_bundle_is_named_by_its_content_and_says_whose_it_is() -> None:
    runs = [uuid7(), uuid7()]
    rows = [an_object(run, ordinal) for run in runs for ordinal in range(3)]
    bundle = small(objects=rows, runs=[])
    found = read_bundle(bundle.content, expected_sha256=bundle.sha256)
    assert bundle.sha256 == hashlib.sha256(bundle.content).hexdigest()
    assert (found.vessel, found.sequence, found.made_utc, found.unknown) == ("RV Störtebeker", 7, MADE, ())
    assert found.tables == {"objects": rows}
    assert bundle.rows == {"objects": 6}


def test_a_detection_costs_at_most_25_bytes_with_its_image_and_its_run() -> None:
    """The contract's limit, on results as dense as the domain's example: 4.6 objects on an image."""
    chance = random.Random(1)
    images, runs, objects = [], [], []
    for number in range(1000):
        image, run = uuid7(), uuid7()
        name = f"CE26_S012_{number:05d}.jpg"
        local = f"2026-06-03T16:{number // 60:02d}:{number % 60:02d}.000"
        sha256 = hashlib.sha256(name.encode()).hexdigest()
        size = chance.randrange(300_000, 900_000)
        images.append((image, sha256, size, "jpeg", 1920, 1080, None, local, "file_name", "S012", name))
        found = [an_object(run, ordinal, score=chance.random(), **_box(chance)) for ordinal in range(chance.choice((3, 4, 5, 6)))]
        objects.extend(found)
        quality = [chance.uniform(80, 130), chance.uniform(20, 40), chance.uniform(100, 400)]
        model = ["burrow-openings-starter", "1.1.0", "b" * 64, "openvino", "bf16", "0.1.0", 0.361]
        runs.append((run, image, "burrows", "a" * 64, *model, len(found), len(found), *quality, MADE, 1))
    bundle = small(images=images, runs=runs, objects=objects)
    assert len(bundle.content) / len(objects) <= 25, len(bundle.content) / len(objects)
    found_rows = read_bundle(bundle.content).tables
    assert (found_rows["images"], len(found_rows["objects"])) == (images, len(objects))


def _box(chance: random.Random) -> dict[str, float]:
    x_px, y_px = chance.uniform(0, 1800), chance.uniform(0, 1000)
    return {"x_min_px": x_px, "y_min_px": y_px, "width_px": chance.uniform(20, 90), "height_px": chance.uniform(15, 70)}


def test_every_byte_that_is_changed_or_lost_is_noticed() -> None:
    bundle = small(objects=[an_object(uuid7(), ordinal) for ordinal in range(40)])
    chance = random.Random(2)
    for at in chance.sample(range(len(bundle.content)), 60):
        damaged = bytearray(bundle.content)
        damaged[at] ^= 1 << chance.randrange(8)
        with pytest.raises(BundleDamagedError):
            read_bundle(bytes(damaged), expected_sha256=bundle.sha256)
        with pytest.raises(BundleDamagedError):
            read_bundle(bundle.content[:at], expected_sha256=bundle.sha256)


@given(st.binary(max_size=300))
def test_what_is_no_bundle_is_refused(content: bytes) -> None:
    for one in (content, zstandard.ZstdCompressor().compress(content)):
        with pytest.raises(BundleDamagedError):
            read_bundle(one)


@given(st.recursive(st.none() | st.integers() | st.binary() | texts, lambda inner: st.lists(inner) | st.dictionaries(texts, inner)))
def test_a_document_of_another_shape_is_refused(tables: object) -> None:
    columns = dict.fromkeys(OBJECTS.names, tables)
    for wrong in (tables, {"objects": tables}, {"objects": {"rows": 3, "columns": columns}}):
        if wrong == {}:
            continue
        with pytest.raises(BundleDamagedError):
            read_bundle(packed(document_of(tables=wrong)))


@pytest.mark.parametrize(
    "content",
    [
        zstandard.ZstdCompressor().compress(b"\x9b" + b"\x7f" * 8),  # an array that says it has 2**63 members
        zstandard.ZstdCompressor().compress(b"\x81" * 100_000),  # arrays within arrays
        zstandard.ZstdCompressor().compress(b"\x5b\x00\x00\x7f\xff\xff\xff\xff\xff"),  # a text of 140 TB
    ],
)
def test_a_document_that_lies_about_its_size_costs_nothing(content: bytes) -> None:
    with pytest.raises(BundleDamagedError):
        read_bundle(content)


def test_a_small_file_that_unpacks_to_much_is_refused() -> None:
    bomb = zstandard.ZstdCompressor().compress(bytes(MAX_DOCUMENT_BYTES + 1))
    assert len(bomb) < 100_000
    with pytest.raises(BundleDamagedError, match="unpacks to more"):
        read_bundle(bomb)


def test_what_a_newer_program_adds_is_told_and_the_rest_is_read() -> None:
    run = uuid7()
    columns = {column.name: column.pack([value]) for column, value in zip(OBJECTS.columns, an_object(run, 0), strict=True)}
    newer = {"objects": {"rows": 1, "columns": {**columns, "depth_m": [3]}}, "fishes": {"rows": 0, "columns": {}}}
    found = read_bundle(packed(document_of(schema=SCHEMA_VERSION + 1, tables=newer)))
    assert found.tables == {"objects": [an_object(run, 0)]}
    assert set(found.unknown) == {"fishes", "objects.depth_m"}
    with pytest.raises(BundleDamagedError, match="does not have"):
        read_bundle(packed(document_of(tables=newer)))


def test_an_older_program_left_out_a_column_that_is_not_known_then() -> None:
    columns = {"run_uuid": Octets("run_uuid", 16).pack([SENDER.vessel_uuid]), "ordinal": [0]}
    found = read_bundle(packed(document_of(tables={"objects": {"rows": 1, "columns": columns}})))
    assert found.tables["objects"] == [(SENDER.vessel_uuid, 0, None, None, None, None, None, None)]


def test_every_table_is_named_by_columns_that_it_has() -> None:
    for table in TABLES.values():
        assert set(table.key) <= set(table.names)
        assert len(set(table.names)) == len(table.names)
    assert RUNS.names[1] == IMAGES.key[0]
