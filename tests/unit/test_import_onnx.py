"""The first look into ONNX files: what they hold, what is refused, and that no damage gets further."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.errors import ModelError
from models.importing.facts import ImportRefusedError
from models.importing.onnx_facts import read_onnx
from models.importing.onnx_shape import fix_input
from tests.unit.tiny_models import detector_onnx, endless_onnx, field, model, node, value_info

NAN = float("nan")


def written(folder: Path, data: bytes) -> Path:
    path = folder / "some.onnx"
    path.write_bytes(data)
    return path


def with_metadata(onnx: bytes, **entries: str) -> bytes:
    return onnx + field(2, "pytorch") + b"".join(field(14, field(1, key) + field(2, value)) for key, value in entries.items())


def any_size(name: str, element: int = 1) -> bytes:
    """An input of any batch, height and width."""
    dims = b"".join(field(1, field(2, side) if isinstance(side, str) else field(1, side)) for side in ("batch", 3, "height", "width"))
    return field(1, name) + field(2, field(1, field(1, element) + field(2, dims)))


def replaced(nodes: list[bytes], source: bytes, constants: bytes = b"") -> bytes:
    """A network of nodes whose one input and one output are as given."""
    graph = b"".join(field(1, one) for one in nodes) + constants + field(11, source) + field(12, value_info("output", (1, 3, 64, 64)))
    return field(1, 8) + field(7, graph) + field(8, field(1, "") + field(2, 13))


def test_a_sound_file_tells_its_input_and_metadata(tmp_path: Path) -> None:
    facts = read_onnx(written(tmp_path, with_metadata(detector_onnx(96, 64), task="detect", names="{0: 'a'}")))
    assert (facts.source.name, facts.source.element, facts.source.shape) == ("images", "float32", (1, 3, 64, 96))
    assert facts.metadata == {"producer": "pytorch", "task": "detect", "names": "{0: 'a'}"}
    assert facts.precision == "fp32"


def test_an_input_of_any_size_is_told_and_fixed(tmp_path: Path) -> None:
    onnx = replaced([node("Relu", ["images"], "output")], any_size("images"))
    assert read_onnx(written(tmp_path, onnx)).source.shape == (None, 3, None, None)
    fixed = fix_input(onnx, (1, 3, 64, 96))
    assert read_onnx(written(tmp_path, fixed)).source.shape == (1, 3, 64, 96)
    session = onnxruntime.InferenceSession(fixed, providers=["CPUExecutionProvider"])
    assert session.get_inputs()[0].shape == [1, 3, 64, 96]
    assert fix_input(fixed, (1, 3, 64, 96)) == fixed


def test_a_fixed_file_is_left_as_it_is() -> None:
    onnx = with_metadata(detector_onnx(), names="{0: 'a'}")
    assert fix_input(onnx, (1, 3, 64, 64)) == onnx


@pytest.mark.parametrize(
    ("onnx", "told"),
    [
        (b"", "is empty"),
        (b"PK\x03\x04 this is a zip of something", "some.onnx"),
        (b"<?xml version='1.0'?><net/>", "some.onnx"),
        (field(1, 8), "holds no network"),
        (field(1, 8) + field(7, b""), "holds no network"),
        (replaced([node("Relu", ["images"], "output") + field(7, "com.acme")], any_size("images")), "operator 'Relu' of 'com.acme'"),
        (endless_onnx(), "operator 'Loop'"),
        (replaced([node("If", ["images"], "output")], any_size("images")), "operator 'If'"),
        (replaced([node("SequenceConstruct", ["images"], "output")], any_size("images")), "SequenceConstruct"),
        (replaced([node("Relu", ["images"], "output") + field(5, field(1, "x") + field(6, b""))], any_size("images")), "another graph"),
        (detector_onnx(factor=NAN), "values that are not numbers"),
        (replaced([node("Relu", ["images"], "output")], any_size("images"), field(15, b"")), "sparse"),
        (replaced([node("Relu", ["images"], "output")], any_size("images") + b"", field(11, any_size("mask"))), "it has 2 inputs"),
        (replaced([node("Relu", ["images"], "output")], field(1, "images") + field(2, field(4, b""))), "is no tensor"),
        (replaced([node("Relu", ["images"], "output")], field(1, "images")), "is no tensor"),
    ],
)
def test_what_is_not_run_is_refused(tmp_path: Path, onnx: bytes, told: str) -> None:
    with pytest.raises(ImportRefusedError, match=told) as caught:
        read_onnx(written(tmp_path, onnx))
    assert caught.value.code == "import_refused"
    assert caught.value.advice()


def test_weights_in_other_files_are_refused(tmp_path: Path) -> None:
    weight = field(1, 3) + field(2, 1) + field(8, "w") + field(14, 1) + field(13, field(1, "location") + field(2, "/etc/passwd"))
    onnx = replaced([node("Mul", ["images", "w"], "output")], any_size("images"), field(5, weight))
    with pytest.raises(ImportRefusedError, match="keeps its weights in other files") as caught:
        read_onnx(written(tmp_path, onnx))
    assert "save_as_external_data=False" in caught.value.advice()


@pytest.mark.parametrize("values", [np.array([1.0, NAN], np.float32), np.array([1.0, np.inf], np.float32), np.array([NAN], np.float32)])
@pytest.mark.parametrize("form", ["raw", "listed", "half", "double", "bfloat", "constant"])
def test_weights_that_are_not_numbers_are_found_in_every_form(tmp_path: Path, values: np.ndarray, form: str) -> None:
    head = field(1, len(values)) + field(8, "w")
    payload = {
        "raw": field(2, 1) + field(9, values.tobytes()),
        "listed": field(2, 1) + field(4, values.tobytes()),
        "half": field(2, 10) + field(9, values.astype(np.float16).tobytes()),
        "double": field(2, 11) + field(9, values.astype(np.float64).tobytes()),
        "bfloat": field(2, 16) + field(9, (values.view(np.uint32) >> 16).astype(np.uint16).tobytes()),
        "constant": field(2, 1) + field(9, values.tobytes()),
    }[form]
    mul = node("Mul", ["images", "w"], "output")
    if form == "constant":
        onnx = replaced([node("Constant", [], "w") + field(5, field(1, "value") + field(5, head + payload)), mul], any_size("images"))
    else:
        onnx = replaced([mul], any_size("images"), field(5, head + payload))
    with pytest.raises(ImportRefusedError, match="not numbers"):
        read_onnx(written(tmp_path, onnx))


def test_a_single_infinity_is_a_bound(tmp_path: Path) -> None:
    onnx = model(
        [node("Min", ["images", "limit"], "output")],
        {"limit": np.array([np.inf], np.float32)},
        {"images": (1, 3, 64, 64)},
        {"output": (1, 3, 64, 64)},
    )
    assert read_onnx(written(tmp_path, onnx)).precision == "fp32"


WHOLE = with_metadata(detector_onnx(), names="{0: 'a'}")


@given(kept=st.integers(0, len(WHOLE) - 1))
@settings(max_examples=300, deadline=None)
def test_a_file_cut_anywhere_is_refused_or_read_never_more(tmp_path_factory: pytest.TempPathFactory, kept: int) -> None:
    """A cut between two fields of the outermost message leaves a file that is whole in itself; the runtimes have the last word."""
    path = written(tmp_path_factory.getbasetemp(), WHOLE[:kept])
    with suppress(ModelError):
        facts = read_onnx(path)
        assert facts.source.shape == (1, 3, 64, 64)
        fix_input(path.read_bytes(), (1, 3, 64, 64))


@given(place=st.integers(0, len(WHOLE) - 1), value=st.integers(0, 255))
@settings(max_examples=300, deadline=None)
def test_a_changed_byte_is_no_crash(tmp_path_factory: pytest.TempPathFactory, place: int, value: int) -> None:
    data = bytearray(WHOLE)
    data[place] = value
    path = written(tmp_path_factory.getbasetemp(), bytes(data))
    with suppress(ModelError):
        read_onnx(path)
        fix_input(bytes(data), (1, 3, 64, 64))
