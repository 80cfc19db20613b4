"""Parts of a training set: which frames are complete, which pictures repeat, which stations go where."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.errors import SettingsError
from edge.export.dataset.divide import PARTS, TooFewStationsError, divide
from edge.export.dataset.sources import LabelledObject, ReviewedPicture, StationKey, complete_frames
from edge.export.dataset.thin import Lookalikes, overlap_px, without_overlap
from edge.export.footage import Piece, PieceTracks, Track, TrackBox
from edge.store.export_tows import ExportOpening, ExportTow, FootageRow

TOW = ExportTow(**dict.fromkeys(ExportTow.__dataclass_fields__))  # type: ignore[arg-type]
ROW = FootageRow._make([None] * len(FootageRow._fields))
OPENING = ExportOpening(**dict.fromkeys(ExportOpening.__dataclass_fields__))  # type: ignore[arg-type]
PICTURE = ReviewedPicture(
    station=StationKey("s", None, "S1"),
    tow="t",
    image_uuid="i",
    sha256="aa",
    name="a.mp4",
    format="mp4",
    width_px=100,
    height_px=100,
    path=None,
    frame=0,
    at_s=0.0,
    order=(0.0, ""),
    along_px=0.0,
    objects=(),
    reviewers=(),
    model="m",
)


def seen(*tracks: tuple[str | None, list[int]]) -> list[int]:
    """The complete frames of openings, each with its decision and the frames that it was found in."""
    piece = Piece(tow=TOW, rows=(ROW,), times_s=tuple(range(100)), from_s=0.0, path=None)
    made = [
        Track(
            opening=replace(OPENING, id=number, decision=decision),
            boxes=tuple(TrackBox(frame, float(frame), 0, 0, 9, 9, 0.5) for frame in frames),
        )
        for number, (decision, frames) in enumerate(tracks)
    ]
    return [frame for frame, _ in complete_frames(PieceTracks(piece=piece, tracks=tuple(made)))]


# Complete frames -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("other", [None, "unsure"])
def test_a_frame_with_an_opening_that_is_still_open_is_not_taken(other: str | None) -> None:
    assert seen(("accepted", [0, 4, 8]), (other, [8, 12])) == [0, 4]


def test_rejected_openings_are_background_and_alone_make_no_frame() -> None:
    assert seen(("accepted", [0, 4]), ("rejected", [4, 8])) == [0, 4]


@pytest.mark.parametrize(("decision", "frames"), [("accepted", [0, 12]), (None, []), ("rejected", [0, 4, 8, 12])])
def test_an_opening_that_was_lost_in_a_frame_keeps_it_out(decision: str | None, frames: list[int]) -> None:
    assert seen(("accepted", [0, 4, 8, 12]), (decision, [0, 12])) == frames


# Stations --------------------------------------------------------------------------------------------------------


@given(st.sets(st.text(min_size=1), min_size=3, max_size=60), st.integers(0, 5))
def test_every_part_has_a_station_and_the_order_says_nothing(names: set[str], seed: int) -> None:
    parts = divide(dict.fromkeys(sorted(names), 1), val_share=0.15, test_share=0.15, seed=seed)
    assert set(parts) == names
    assert set(parts.values()) == set(PARTS)
    assert divide(dict.fromkeys(sorted(names, reverse=True), 7), val_share=0.15, test_share=0.15, seed=seed) == parts


def test_further_stations_move_none_of_those_before() -> None:
    many = {f"station {number}": 1 for number in range(200)}
    before = divide(dict(list(many.items())[:150]), val_share=0.15, test_share=0.15)
    after = divide(many, val_share=0.15, test_share=0.15)
    assert {name: after[name] for name in before} == before
    counts = Counter(after.values())
    assert counts["train"] > 120
    assert min(counts.values()) > 15


def test_two_stations_are_too_few() -> None:
    with pytest.raises(TooFewStationsError, match="2 stations"):
        divide({"a": 10, "b": 10}, val_share=0.15, test_share=0.15)


@pytest.mark.parametrize(("val", "test"), [(0.0, 0.1), (0.1, 0.0), (0.5, 0.5), (-1, 0.1)])
def test_shares_that_leave_nothing_are_refused(val: float, test: float) -> None:
    with pytest.raises(SettingsError, match="without stations"):
        divide({"a": 1, "b": 1, "c": 1}, val_share=val, test_share=test)


def test_stations_of_one_name_have_folders_of_their_own() -> None:
    same = [StationKey("1", "A", "S/1"), StationKey("2", "A", "S 1"), StationKey("3", None, "../..")]
    assert len({one.folder for one in same}) == 3
    assert all("/" not in one.folder and one.folder.startswith("station-") for one in same)


# Repetition ------------------------------------------------------------------------------------------------------

WHOLE = LabelledObject("o", None, 10, 10, 20, 20, "model", None)
CUT = LabelledObject("o", None, 10, 0, 20, 9, "model", None)


def kept(limit: float, alongs: list[float | None], objects: dict[int, tuple[LabelledObject, ...]] | None = None) -> list[int]:
    pictures = [
        replace(PICTURE, frame=number, along_px=along, objects=(objects or {}).get(number, ())) for number, along in enumerate(alongs)
    ]
    return [picture.frame or 0 for picture in without_overlap(pictures, limit)]


def test_frames_stay_that_show_enough_new_seabed() -> None:
    assert kept(0.25, [0, 50, 74, 75, 149, 150, 400]) == [0, 3, 5, 6]
    assert kept(1.0, [0, 0, 1]) == [0, 1, 2]
    assert kept(0.0, [0, 99, 100]) == [0, 2]


def test_of_frames_that_overlap_the_one_with_most_whole_openings_stays() -> None:
    assert kept(0.25, [0, 20, 40, 60], {0: (CUT,), 1: (CUT, CUT), 2: (WHOLE,), 3: (CUT,)}) == [2]
    assert kept(0.25, [0, 20, 40, 60], {0: (CUT,), 1: (CUT, CUT)}) == [1]


def test_the_sledge_may_drift_back_over_what_was_seen() -> None:
    assert kept(0.5, [0.0, 100.0, 60.0, 0.0, 200.0]) == [0, 1, 4]


@given(st.lists(st.floats(0, 2000), max_size=40), st.floats(0, 0.9))
def test_no_two_that_stay_overlap_and_each_that_went_overlaps_one(alongs: list[float], limit: float) -> None:
    stayed = [alongs[index] for index in kept(limit, list(alongs))]
    assert all(overlap_px(a, b, 100) <= limit for place, a in enumerate(stayed) for b in stayed[:place])
    gone = list((Counter(alongs) - Counter(stayed)).elements())
    assert all(any(overlap_px(a, b, 100) > limit for b in stayed) for a in gone)


def test_tows_are_thinned_apart() -> None:
    assert len(without_overlap([replace(PICTURE, tow=tow) for tow in ("a", "b", "a", "b")], 0.25)) == 2


def test_where_the_motion_is_not_known_only_the_same_picture_goes() -> None:
    hashes = [0, (1 << 20) - 1, (1 << 80) - 1, (1 << 80) - 1, 0]
    lookalikes = Lookalikes(lambda picture: hashes[picture.frame or 0])
    pictures = [replace(PICTURE, frame=number, along_px=None) for number in range(5)]
    assert [lookalikes.is_new(picture) for picture in pictures] == [True, False, True, False, True]
    assert lookalikes.removed == 2
    assert without_overlap(pictures, 0.0) == pictures
    assert lookalikes.is_new(replace(PICTURE, along_px=1.0)), "nobody looks where the motion is known"
