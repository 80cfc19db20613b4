from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from edge.errors import PackInvalidError
from models.onnx_file import external_data_locations
from models.pack import MAX_MANIFEST_BYTES, read_pack, variant_sha256, verify_pack, write_pack
from tests.unit.pack_maker import draft, make_pack


def change_manifest(folder: Path, **changes: Any) -> None:
    path = folder / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def field(number: int, payload: bytes) -> bytes:
    assert len(payload) < 128
    return bytes([number << 3 | 2, len(payload)]) + payload


def onnx_with_external_tensor(*path: int) -> bytes:
    """An ONNX file whose tensor, nested along the field numbers of `path`, lives in weights.bin."""
    entry = field(1, b"location") + field(2, b"weights.bin")
    message = field(13, entry) + bytes([14 << 3, 1])
    for number in reversed(path):
        tag = number << 3 | 2
        head = bytes([tag]) if tag < 128 else bytes([tag & 0x7F | 0x80, tag >> 7])
        message = head + bytes([len(message)]) + message
    return b"\x08\x0a" + message


def test_a_written_pack_verifies_and_knows_its_files(tmp_path: Path) -> None:
    written = make_pack(tmp_path / "p")
    pack = verify_pack(tmp_path / "p")
    assert pack == written
    assert [file.path for file in pack.manifest.all_files()] == [
        "CARD.md",
        "model.onnx",
        "ir/model.xml",
        "ir/model.bin",
        "goldens/one.png",
        "goldens/one.json",
    ]
    assert pack.file_path(pack.variant("ir-fp32").files[1]).stat().st_size == 1000


def test_writing_twice_gives_the_same_manifest(tmp_path: Path) -> None:
    first = make_pack(tmp_path / "p")
    assert write_pack(tmp_path / "p", draft()).manifest_sha256 == first.manifest_sha256


def test_a_variant_of_one_file_is_known_by_its_own_hash(tmp_path: Path) -> None:
    pack = make_pack(tmp_path / "p")
    assert variant_sha256(pack.variant("onnx-fp32")) == pack.variant("onnx-fp32").files[0].sha256
    (tmp_path / "p" / "ir" / "model.bin").write_bytes(bytes(1001))
    assert variant_sha256(write_pack(tmp_path / "p", draft()).variant("ir-fp32")) != variant_sha256(pack.variant("ir-fp32"))


def test_an_unknown_variant_is_named_with_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(PackInvalidError, match=r"no variant 'int8'; it has onnx-fp32, ir-fp32"):
        make_pack(tmp_path / "p").variant("int8")


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        (lambda p: (p / "ir/model.bin").write_bytes(bytes(999)), r"ir/model\.bin has 999 bytes, the manifest says 1000"),
        (lambda p: (p / "ir/model.bin").write_bytes(b"\1" * 1000), r"ir/model\.bin has SHA-256"),
        (lambda p: (p / "CARD.md").unlink(), r"CARD\.md is missing"),
        (lambda p: (p / "ir/evil.so").write_bytes(b"x"), r"does not list: ir/evil\.so"),
        (lambda p: (p / "manifest.json").unlink(), r"has no manifest\.json"),
        (lambda p: (p / "manifest.json").write_bytes(b"{"), r"not valid: manifest: Invalid JSON"),
        (lambda p: (p / "manifest.json").write_bytes(b" " * (MAX_MANIFEST_BYTES + 1)), r"are more than"),
        (lambda p: change_manifest(p, surprise=1), r"surprise: Extra inputs"),
        (lambda p: change_manifest(p, format=2), r"format: Input should be 1"),
        (lambda p: change_manifest(p, name="../up"), r"name: String should match"),
        (lambda p: os.mkfifo(p / "pipe"), r"pipe is a link or a device"),
    ],
)
def test_each_fault_is_named(tmp_path: Path, fault: Any, message: str) -> None:
    make_pack(tmp_path / "p")
    fault(tmp_path / "p")
    with pytest.raises(PackInvalidError, match=message):
        verify_pack(tmp_path / "p")


@pytest.mark.parametrize("name", ["CARD.md", "ir", "extra", "manifest.json"])
def test_links_are_refused_even_to_the_right_bytes(tmp_path: Path, name: str) -> None:
    make_pack(tmp_path / "p")
    place = tmp_path / "p" / name
    if place.exists():
        place.rename(tmp_path / "real")
    else:
        (tmp_path / "real").write_bytes(b"x")
    place.symlink_to(tmp_path / "real")
    with pytest.raises(PackInvalidError):
        verify_pack(tmp_path / "p")


@pytest.mark.parametrize(
    "path", ["../CARD.md", "/etc/passwd", "a/../../b", "C:/x", "a\\b", "./CARD.md", "ir//model.bin", "manifest.json", "MANIFEST.json", ""]
)
def test_paths_that_leave_the_pack_or_are_odd_are_refused(tmp_path: Path, path: str) -> None:
    pack = make_pack(tmp_path / "p")
    change_manifest(tmp_path / "p", card={**pack.manifest.card.model_dump(), "path": path})
    with pytest.raises(PackInvalidError):
        read_pack(tmp_path / "p")


def test_one_path_with_two_hashes_is_refused(tmp_path: Path) -> None:
    pack = make_pack(tmp_path / "p")
    card = {**pack.manifest.card.model_dump(), "path": "model.onnx"}
    change_manifest(tmp_path / "p", card=card)
    with pytest.raises(PackInvalidError, match="listed twice with different facts"):
        read_pack(tmp_path / "p")


def test_a_folder_that_is_not_there_is_no_empty_pack(tmp_path: Path) -> None:
    with pytest.raises(PackInvalidError, match="there is no pack folder"):
        read_pack(tmp_path / "none")


@pytest.mark.parametrize(
    "path",
    [
        (7, 5),  # graph.initializer
        (7, 15, 1),  # graph.sparse_initializer.values
        (7, 1, 5, 5),  # graph.node.attribute.t
        (7, 1, 5, 6, 5),  # graph.node.attribute.g.initializer, an If branch
        (7, 1, 5, 10),  # graph.node.attribute.tensors
        (25, 7, 5, 5),  # functions.node.attribute.t
        (20, 1, 5),  # training_info.initialization.initializer
    ],
)
def test_onnx_data_outside_the_file_is_found_wherever_a_tensor_can_be(tmp_path: Path, path: tuple[int, ...]) -> None:
    model = onnx_with_external_tensor(*path)
    assert external_data_locations(model) == {"location=weights.bin", "data_location=EXTERNAL"}
    make_pack(tmp_path / "p")
    (tmp_path / "p" / "model.onnx").write_bytes(model)
    with pytest.raises(PackInvalidError, match="keeps tensors outside itself"):
        write_pack(tmp_path / "p", draft())


@pytest.mark.parametrize("model", [b"\x3a\x7f", b"\x08", b"\x0b", b"\xff" * 20, onnx_with_external_tensor(7, 5)[:-1]])
def test_bytes_that_are_no_onnx_file_are_refused(model: bytes) -> None:
    with pytest.raises(PackInvalidError):
        external_data_locations(model)


def test_an_onnx_file_nested_beyond_reason_is_refused() -> None:
    model = b""
    for _ in range(200):
        attribute = b"\x32" + varint(len(model)) + model  # attribute.g
        node = b"\x2a" + varint(len(attribute)) + attribute
        model = b"\x0a" + varint(len(node)) + node
    with pytest.raises(PackInvalidError, match="beyond reason"):
        external_data_locations(b"\x3a" + varint(len(model)) + model)


def varint(value: int) -> bytes:
    out = b""
    while value >= 0x80:
        out += bytes([value & 0x7F | 0x80])
        value >>= 7
    return out + bytes([value])
