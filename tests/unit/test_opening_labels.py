"""What an opening is: the label that its boxes say, weighed by their scores, from the frames to the store."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edge.store.reads.footage import label_indexes
from edge.store.sqlite import Connection
from edge.survey.tow.tracks import OpeningTrack
from edge.survey.tow_analysis import label_of
from edge.survey.tow_desk import _detections
from edge.values import Detections
from tests.helpers import seed
from tests.helpers.footage import make_frame


@pytest.fixture
def db(tmp_path: Path) -> Connection:
    return seed.open_database(tmp_path)


def track_of(labels: list[int], scores: list[float]) -> int:
    """The label of a track whose detections say these, each the second one of its frame."""
    frames = []
    for place, (label, score) in enumerate(zip(labels, scores, strict=True)):
        found = Detections(
            xyxy=np.array([[0, 0, 5, 5], [10, 10, 20, 20]], np.float32),
            score=np.array([0.99, score], np.float32),
            label_index=np.array([7, label], np.int32),
        )
        frames.append(replace(make_frame(place / 6), detections=found))
    count = len(labels)
    track = OpeningTrack(
        id=1,
        frames=np.arange(count, dtype=np.int32),
        boxes=np.tile(np.array([10, 10, 20, 20], np.float32), (count, 1)),
        scores=np.array(scores, np.float32),
        detections=np.ones(count, np.int32),
        first_s=0.0,
        last_s=(count - 1) / 6,
        crossing_s=None,
        crossing_sd_s=0.0,
        is_extrapolated=False,
        along_px=0.0,
        across_px=0.0,
        drift_px=0.0,
        along_sd_px=1.0,
        side_px=10.0,
        confidence=0.9,
        n_missed=0,
    )
    return label_of(track, frames)


@pytest.mark.parametrize(
    ("labels", "scores", "expected"),
    [
        ([0, 0, 0], [0.5, 0.5, 0.5], 0),
        ([2, 2, 0], [0.3, 0.3, 0.5], 2),
        ([1, 0, 0], [0.9, 0.3, 0.3], 1),
        ([3], [0.2], 3),
        ([2, 1], [0.5, 0.5], 1),
    ],
)
def test_the_largest_sum_of_scores_says_what_an_opening_is(labels: list[int], scores: list[float], expected: int) -> None:
    assert track_of(labels, scores) == expected


def test_objects_of_stills_keep_their_labels(db: Connection) -> None:
    pack = seed.add_model(db, serves=None, labels=[("burrow opening", None), ("Nephrops", None)])
    ids = {row[0]: row[1] for row in db.execute("SELECT name, id FROM labels WHERE model_id = ?", (pack.model_id,))}
    objects = [(1, 1, ids["Nephrops"], 0.9, 0.0, 0.0, 5.0, 5.0), (2, 2, ids["burrow opening"], 0.8, 0.0, 0.0, 5.0, 5.0)]
    assert _detections(objects, label_indexes(db)).label_index.tolist() == [1, 0]
