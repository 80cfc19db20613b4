"""From shapes and what a file says of itself to task, head, labels and size."""

from __future__ import annotations

from typing import Any

import pytest

from models.importing.facts import Detected, FileFacts, ImportOptions, ImportRefusedError, TensorFacts
from models.importing.layout import detect_layout, input_size
from models.importing.metadata import read_input_px, read_labels, read_stride_px, read_training_data, told

LABELS = ("a", "b", "c")


def facts(*shape: int | None, element: str = "float32", **metadata: str) -> FileFacts:
    source = TensorFacts(name="images", element=element, shape=shape or (1, 3, 64, 96))
    return FileFacts(form="onnx", source=source, metadata=metadata, precision="fp32")


def layout(*outputs: tuple[int, ...], options: ImportOptions | None = None, **metadata: str) -> Detected:
    return detect_layout(facts(**metadata), outputs, (96, 64), options or ImportOptions(labels=LABELS))


@pytest.mark.parametrize(
    ("outputs", "task", "head"),
    [
        ([(1, 7, 126)], "detect", "yolo_v8"),
        ([(1, 300, 6)], "detect", "yolo_end2end"),
        ([(1, 39, 126), (1, 32, 16, 24)], "segment", "yolo_v8_seg"),
        ([(1, 32, 16, 24), (1, 39, 126)], "segment", "yolo_v8_seg"),
        ([(1, 300, 38), (1, 32, 16, 24)], "segment", "yolo_end2end_seg"),
        ([(1, 3)], "classify", "classify"),
    ],
)
def test_known_layouts(outputs: list[tuple[int, ...]], task: str, head: str) -> None:
    found = layout(*outputs)
    assert (found.task, found.head, found.labels, found.input_px) == (task, head, LABELS, (96, 64))
    assert layout(*outputs, task=task).task == task


@pytest.mark.parametrize(
    ("outputs", "told_text"),
    [
        ([(1, 25200, 8)], "YOLOv5 or YOLOv7"),
        ([(1, 126, 7)], "no layout that is known"),
        ([(1, 8, 8, 21), (1, 4, 4, 21), (1, 2, 2, 21)], "no layout that is known"),
        ([(2, 7, 126)], "no layout"),
        ([(1, 1)], "no layout"),
        ([(1, 3, 1, 1)], "no layout"),
        ([(1, 39, 126), (1, 32, 8, 12)], "no layout"),
        ([(1, 39, 126), (1, 39, 126)], "no layout"),
        ([()], "no layout"),
        ([], "no layout"),
        ([(1, 84, 126)], "--labels gives 3 labels, the model has 80 classes"),
        ([(1, 5)], "--labels gives 3 labels, the model has 5 classes"),
    ],
)
def test_unknown_layouts_are_refused(outputs: list[tuple[int, ...]], told_text: str) -> None:
    with pytest.raises(ImportRefusedError, match=told_text) as caught:
        layout(*outputs)
    assert caught.value.advice()


@pytest.mark.parametrize(
    ("metadata", "options", "told_text"),
    [
        ({"task": "pose"}, {}, "does the task 'pose'"),
        ({"task": "obb"}, {"task": "detect"}, "does the task 'obb'"),
        ({"task": "segment"}, {"task": "detect"}, "--task says detect, the file itself says segment"),
        ({"task": "classify"}, {}, "said to classify, but its outputs"),
        ({}, {"task": "segment"}, "said to segment, but its outputs"),
        ({}, {"labels": ()}, "what its 3 classes are called"),
        ({}, {"labels": ("a", "a", "b")}, "--labels gives 'a' twice"),
        ({"names": "{0: 'x', 1: 'x', 2: 'y'}"}, {"labels": ()}, "the file names 'x' twice"),
        ({"names": "{0: 'x'}"}, {"labels": ()}, "the file names 1 labels, the model has 3"),
        ({"names": "__import__('os').system('true')"}, {"labels": ()}, "labels that it names cannot be read"),
        ({"names": "{0: 'x', 2: 'y', 3: 'z'}"}, {"labels": ()}, "cannot be read"),
        ({"names": "{0: 1, 1: 2, 2: 3}"}, {"labels": ()}, "cannot be read"),
        ({"names": "[" * 5000}, {"labels": ()}, "cannot be read"),
        ({"names": "['a', 'b', 'c\\nd']"}, {"labels": ()}, "no name: 'c"),
        ({}, {"labels": ("a", "b", "c" * 201)}, "no name: 'c"),
        ({}, {"aphia_ids": {"d": 1}}, "--aphia names 'd'"),
    ],
)
def test_contradictions_are_refused(metadata: dict[str, str], options: dict[str, Any], told_text: str) -> None:
    with pytest.raises(ImportRefusedError, match=told_text):
        layout((1, 7, 126), options=ImportOptions(**{"labels": LABELS, **options}), **metadata)


def test_what_files_say_of_themselves() -> None:
    assert read_labels({"names": "{0: 'burrow opening', 1: \"Lion's mane\"}"}) == ("burrow opening", "Lion's mane")
    assert read_labels({"names": "{'0': 'a', '1': 'b'}"}) == ("a", "b")  # from YAML, where every scalar is text
    assert read_labels({"names": "['a', 'b']"}) == ("a", "b")
    assert read_labels({"labels": "burrow_opening Nephrops"}) == ("burrow opening", "Nephrops")
    assert read_labels({}) == ()
    assert [read_input_px({"imgsz": text}) for text in ("640", "[544, 960]", "['544', '960']", "", "none")] == [
        (640, 640),
        (960, 544),
        (960, 544),
        None,
        None,
    ]
    assert [read_stride_px({"stride": text}) for text in ("32", "[8, 16, 64]", "", "0")] == [32, 64, 32, 32]
    said = "YOLO11n model trained on /home/somebody/secret/mud.yaml, see https://docs.example/a C:\\Users\\me\\runs ~/x /top MIT/BSD"
    assert told({"a": said}, "a") == "YOLO11n model trained on mud.yaml, see https://docs.example/a runs x top MIT/BSD"
    assert read_training_data({"description": "YOLO11n model trained on /home/somebody/mud.yaml"}) == "mud.yaml"
    assert read_training_data({"data": "other.yaml", "description": "trained on mud.yaml"}) == "other.yaml"
    assert read_training_data({"description": "a model"}) == ""
    assert told({"a": "two\nlines\x1b[31m\u202e"}, "a") == "two lines [31m"


@pytest.mark.parametrize(
    ("shape", "options", "metadata", "size"),
    [
        ((1, 3, 64, 96), {}, {}, (96, 64)),
        ((1, 3, 64, 96), {"input_px": (96, 64)}, {}, (96, 64)),
        ((None, 3, None, None), {"input_px": (96, 64)}, {"imgsz": "640"}, (96, 64)),
        ((None, 3, None, None), {}, {"imgsz": "[64, 96]"}, (96, 64)),
        ((None, None, None, None), {}, {"imgsz": "64"}, (64, 64)),
        ((1, 3, 64, None), {"input_px": (96, 64)}, {}, (96, 64)),
    ],
)
def test_the_size_of_the_input(
    shape: tuple[int | None, ...], options: dict[str, Any], metadata: dict[str, str], size: tuple[int, int]
) -> None:
    assert input_size(facts(*shape, **metadata), ImportOptions(**options)) == size


@pytest.mark.parametrize(
    ("shape", "options", "told_text"),
    [
        ((1, 3, 64, 96), {"input_px": (64, 64)}, "fixed at 96x64, --input says 64x64"),
        ((1, 3, None, None), {}, "any size and does not say which"),
        ((1, 3, None, None), {"input_px": (100, 64)}, "multiples of 32"),
        ((1, 3, None, None), {"input_px": (0, 64)}, "outside 32 to 8192"),
        ((1, 3, 16, 16), {}, "outside 32 to 8192"),
        ((1, 3, 10_000, 64), {}, "outside 32 to 8192"),
        ((4, 3, 64, 64), {}, "takes 4 images at once"),
        ((1, 64, 64, 3), {}, "its channels come last"),
        ((1, 1, 64, 64), {}, "only colour images"),
        ((3, 64, 64), {}, "not \\[1, 3, height, width\\]"),
        ((), {}, "the shape"),
    ],
)
def test_other_inputs_are_refused(shape: tuple[int | None, ...], options: dict[str, Any], told_text: str) -> None:
    source = TensorFacts(name="images", element="float32", shape=shape)
    file = FileFacts(form="onnx", source=source, metadata={}, precision="fp32")
    with pytest.raises(ImportRefusedError, match=told_text if shape else "the shape \\[\\]"):
        input_size(file, ImportOptions(**options))


@pytest.mark.parametrize("element", ["float16", "uint8", "float64"])
def test_inputs_that_are_not_float32_are_refused(element: str) -> None:
    with pytest.raises(ImportRefusedError, match=f"is {element}, not float32"):
        input_size(facts(element=element), ImportOptions())
