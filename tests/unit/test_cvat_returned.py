"""A job's document of CVAT: what each shape covers, and what is refused whole with the reason."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotator_bridge.cvat.bounds import bounds_of
from annotator_bridge.cvat.digest import shape_digest, track_digest
from annotator_bridge.cvat.returned import BadDocumentError, read_returned
from annotator_bridge.cvat.server import RemoteAttribute, RemoteLabel

LABELS = (
    RemoteLabel(id=7, name="opening", shape="any", attributes=(RemoteAttribute(id=70, name="edge_id", input_type="text", values=("",)),)),
    RemoteLabel(id=8, name="crab", shape="any", attributes=()),
)
Document = dict[str, Any]


def shape(**changes: Any) -> Document:
    return {
        "id": 1,
        "frame": 3,
        "label_id": 7,
        "type": "rectangle",
        "points": [1, 2, 3, 4],
        "attributes": [],
        "source": "manual",
        **changes,
    }


def document(*, tags: Any = (), shapes: Any = (), tracks: Any = ()) -> Document:
    return {"version": 0, "tags": list(tags), "shapes": list(shapes), "tracks": list(tracks)}


def track(*frames: int, gone: int | None = None, **changes: Any) -> Document:
    shapes = [{"frame": one, "type": "rectangle", "points": [1, 2, 3, 4], "outside": one == gone, "attributes": []} for one in frames]
    return {"id": 5, "frame": frames[0], "label_id": 7, "attributes": [], "source": "manual", "shapes": shapes, **changes}


@pytest.mark.parametrize(
    ("kind", "points", "rotation_deg", "box"),
    [
        ("rectangle", (1, 2, 5, 4), 0, (1, 2, 5, 4)),
        ("rectangle", (5, 4, 1, 2), 0, (1, 2, 5, 4)),
        ("rectangle", (1, 2, 5, 4), 180, (1, 2, 5, 4)),
        ("rectangle", (0, 0, 4, 2), 90, (1, -1, 3, 3)),
        ("rectangle", (0, 0, 2, 2), 45, (1 - math.sqrt(2), 1 - math.sqrt(2), 1 + math.sqrt(2), 1 + math.sqrt(2))),
        ("polygon", (1, 1, 9, 2, 4, 7), 0, (1, 1, 9, 7)),
        ("points", (3, 4), 0, (3, 4, 3, 4)),
        ("ellipse", (10, 20, 14, 18), 0, (6, 18, 14, 22)),
        ("ellipse", (10, 20, 14, 18), 90, (8, 16, 12, 24)),
        ("cuboid", (1, 1, 2, 5, 3, 1, 3, 6, 4, 0, 4, 5, 2, 0, 2, 4), 0, (1, 0, 4, 6)),
        ("mask", (0, 4, 10, 20, 11, 21), 0, (10, 20, 12, 22)),
    ],
)
def test_what_a_shape_covers(kind: str, points: tuple[float, ...], rotation_deg: float, box: tuple[float, ...]) -> None:
    given_shape = shape(type=kind, points=list(points), rotation=rotation_deg)
    (read,) = read_returned(document(shapes=[given_shape]), LABELS, 0, 9).shapes
    assert read.box is not None
    assert tuple(read.box) == pytest.approx(box)


@given(
    st.floats(0, 360),
    st.tuples(st.floats(-500, 500), st.floats(-500, 500), st.floats(0.5, 300), st.floats(0.5, 300)),
)
def test_a_turned_rectangle_and_ellipse_are_covered_by_their_boxes(turned_deg: float, of: tuple[float, float, float, float]) -> None:
    """By its corners, turned one by one; and by points of the ellipse."""
    x, y, half_width, half_height = of
    angle = math.radians(turned_deg)
    cos, sin = math.cos(angle), math.sin(angle)
    corners = np.array([(a * half_width, b * half_height) for a in (-1, 1) for b in (-1, 1)])
    round_it = np.linspace(0, 2 * math.pi, 721)
    ring = np.column_stack([half_width * np.cos(round_it), half_height * np.sin(round_it)])
    rectangle = bounds_of("rectangle", (x - half_width, y - half_height, x + half_width, y + half_height), turned_deg)
    ellipse = bounds_of("ellipse", (x, y, x + half_width, y - half_height), turned_deg)
    for box, points, slack in ((rectangle, corners, 1e-6), (ellipse, ring, 0.01)):
        turned = points @ np.array([[cos, sin], [-sin, cos]]) + (x, y)
        assert box is not None
        assert np.allclose(box, [*turned.min(axis=0), *turned.max(axis=0)], atol=slack)


def test_tags_tracks_and_attributes_are_read_by_name() -> None:
    given_track = track(3, 5, 8, gone=8, attributes=[{"spec_id": 70, "value": "abc"}])
    found = read_returned(
        document(tags=[{"frame": 4, "label_id": 8, "attributes": [], "source": "manual"}], tracks=[given_track]), LABELS, 3, 7
    )
    (tag,), (one,) = found.shapes, found.tracks
    assert (tag.kind, tag.label, tag.box, tag.frame) == ("tag", "crab", None, 4)
    assert (one.label, dict(one.attributes)) == ("opening", {"edge_id": "abc"})
    assert [(key.frame, key.is_outside) for key in one.keyframes] == [(3, False), (5, False)], "it ends behind the job, in the next one"


def test_a_skeleton_is_as_large_as_what_is_seen_of_it() -> None:
    parts = [{"label_id": 99, "type": "points", "points": [x, y], "outside": gone} for x, y, gone in ((1, 2, 0), (5, 9, 0), (99, 99, 1))]
    (read,) = read_returned(document(shapes=[shape(type="skeleton", points=[], elements=parts)]), LABELS, 0, 9).shapes
    assert read.box == (1, 2, 5, 9)


@pytest.mark.parametrize(
    ("what", "words"),
    [
        (document(shapes=[shape(points=[1, 2, 3])]), "4 numbers, not 3"),
        (document(shapes=[shape(points=[1, 2, 3, math.nan])]), "a number in it is none"),
        (document(shapes=[shape(points=[1, 2, 3, "4"])]), "no number"),
        (document(shapes=[shape(points=[1, 2, 3, True])]), "no number"),
        (document(shapes=[shape(points=[1, 2, 3, 10**400])]), "beyond every picture"),
        (document(shapes=[shape(points=None)]), "no coordinates"),
        (document(shapes=[shape(type="polygon", points=[1, 2, 3, 4])]), "cannot have 4 numbers"),
        (document(shapes=[shape(type="mask", points=[0, 3, 10, 20, 11, 21])]), "3 pixels in a box of 4"),
        (document(shapes=[shape(type="mask", points=[0, 4, 11, 20, 10, 21])]), "a box that is none"),
        (document(shapes=[shape(type="cloud")]), "a kind that is not known"),
        (document(shapes=[shape(label_id=9)]), "none of the task's: 9"),
        (document(shapes=[shape(label_id=None)]), "none of the task's"),
        (document(shapes=[shape(frame=10)]), "frame 10, and the job has 0 to 9"),
        (document(shapes=[shape(frame=True)]), "a frame that is none"),
        (document(shapes=[shape(attributes=[{"spec_id": 71, "value": "x"}])]), "none of the label opening: 71"),
        (document(shapes=["x"]), "none of the task's"),
        (document(tags=[{"frame": -1, "label_id": 7, "attributes": []}]), "a frame that is none"),
        (document(tracks=[track(3, 3)]), "two on one frame"),
        (document(tracks=[track(3, shapes=[])]), "no keyframe"),
        (document(tracks=[track(3, 10)]), "frame 10, and the job has 0 to 9"),
        ({"version": 0, "shapes": [], "tracks": []}, "no list of tags"),
    ],
)
def test_what_cannot_be_is_refused_whole_with_the_reason(what: Document, words: str) -> None:
    sound = shape(points=[5, 5, 9, 9])
    what["shapes"] = [sound, *what["shapes"]]
    with pytest.raises(BadDocumentError, match=words):
        read_returned(what, LABELS, 0, 9)
    assert read_returned(document(shapes=[sound]), LABELS, 0, 9).shapes


def test_half_a_character_of_json_is_kept_as_something_that_a_database_holds() -> None:
    (read,) = read_returned(document(shapes=[shape(source="a\ud800b")]), LABELS, 0, 9).shapes
    assert read.made_by == "a?b"


def test_what_says_whether_anything_changed_knows_no_order_and_no_numbers() -> None:
    one, other = shape(id=1), shape(id=2, points=[9, 9, 12, 12])
    first = read_returned(document(shapes=[one, other]), LABELS, 0, 9).same
    again = read_returned(document(shapes=[{**other, "id": 44}, {**one, "id": 43}]), LABELS, 0, 9).same
    moved = read_returned(document(shapes=[one, {**other, "points": [9, 9, 12, 12.5]}]), LABELS, 0, 9).same
    assert first == again != moved


@given(st.lists(st.floats(-5000, 5000), min_size=4, max_size=4))
def test_a_digest_outlives_the_way_through_json(points: list[float]) -> None:
    sent = [round(value, 2) for value in points]
    digest = shape_digest("opening", "rectangle", points)
    assert digest == shape_digest("opening", "rectangle", sent) == shape_digest("opening", "rectangle", [value + 1e-9 for value in sent])
    assert digest != shape_digest("opening", "rectangle", [sent[0] + 0.01, *sent[1:]])


def test_a_digest_tells_label_kind_turn_and_end_apart() -> None:
    points = [1.0, 2.0, 3.0, 4.0]
    base = shape_digest("a", "rectangle", points)
    others = {
        shape_digest("b", "rectangle", points),
        shape_digest("a", "ellipse", points),
        shape_digest("a", "rectangle", points, rotation_deg=1),
        shape_digest("a", "rectangle", points, is_outside=True),
    }
    assert len(others | {base}) == 5
    assert base == shape_digest("a", "rectangle", [1, 2, 3, 4], rotation_deg=360)
    assert track_digest({0: "x", 3: "y"}) == track_digest({3: "y", 0: "x"}) != track_digest({0: "x", 4: "y"})
