"""Names of frames, tasks and labels in CVAT, of whatever files and people are called."""

from __future__ import annotations

import re
import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from annotator_bridge.cvat.labels import LONGEST_NAME, attribute_values, label_name, labels_from_json, labels_to_json, make_labels
from annotator_bridge.cvat.plan import remote_name, remote_suffix
from annotator_bridge.cvat.sources import frame_name

UUID = "01a2022a-8741-7573-a32c-316083c10ca4"
HASH = "0123456789abcdef" * 4
HARMLESS = re.compile(r"\d{6}_[A-Za-z0-9._-]+")


@given(st.text(max_size=300), st.integers(0, 199_999))
def test_a_frame_is_called_by_harmless_letters(name: str, number: int) -> None:
    made = frame_name(number, name, HASH, ".jpg")
    assert HARMLESS.fullmatch(made)
    assert len(made.encode()) <= 200
    assert made.endswith(".jpg")
    assert ".." not in made.split("_", 1)[0]
    assert "/" not in made


@given(st.lists(st.text(max_size=40), min_size=2, max_size=8))
def test_frames_sort_by_their_number_whatever_they_are_called(names: list[str]) -> None:
    made = [frame_name(number * 7919, name, HASH, ".png") for number, name in enumerate(names)]
    assert sorted(made) == made
    assert len(set(made)) == len(made)


@given(st.text(max_size=500))
def test_a_task_is_found_again_by_the_end_of_its_name(title: str) -> None:
    name = remote_name(title, UUID)
    assert name.endswith(remote_suffix(UUID))
    assert len(name) <= 256
    assert remote_suffix(UUID) == " [316083c10ca4]"


@given(st.lists(st.text(max_size=100), max_size=6))
def test_labels_are_told_apart_and_come_back_from_the_database(names: list[str]) -> None:
    labels = make_labels(names, "rectangle")
    assert len({label.name for label in labels}) == len(labels)
    assert all(0 < len(label.name) <= LONGEST_NAME and label.name == label.name.strip() for label in labels), "else CVAT has another name"
    assert {label_name(name) for name in names} == {label.name for label in labels}
    assert labels_from_json(labels_to_json(labels)) == labels


@given(st.one_of(st.none(), st.floats(0, 1)))
def test_values_of_attributes_are_texts_that_cvat_takes(score: float | None) -> None:
    values = attribute_values("u-1", score)
    assert all(isinstance(value, str) for value in values.values())
    assert values["confidence_percent"].isdecimal()
    assert 0 <= int(values["confidence_percent"]) <= 100
    assert unicodedata.is_normalized("NFC", values["confidence"])
