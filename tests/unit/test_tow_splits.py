"""Recordings that a camera closed at 4 GB: real small files, split by stream copy, on one clock as if they had never been split."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from edge.footage import FootageFrame, Motion
from edge.pipeline.video import probe_clip
from edge.pipeline.video.frame_index import list_frame_times
from edge.store.reads.footage import TowClipRow
from edge.store.reads.surveys import TowRow
from edge.survey.counting.frames import CLIP_RATE_HZ, ticks_of_pieces
from edge.survey.tow_clips import Clock, Piece, bridge, place_clips
from tests.helpers.clips import Recipe, even_times, write_clip
from tests.helpers.footage import make_frame

RATE, SECONDS, GOP = 25, 12, 25
START_UTC = "2026-06-14T09:00:00.000Z"


@pytest.fixture
def of() -> TowRow:
    values: dict[str, Any] = dict.fromkeys(TowRow._fields)
    return TowRow(**{**values, "id": 1, "start_utc": START_UTC, "end_utc": "2026-06-14T09:10:00.000Z"})


def split(whole: Path, names: Sequence[str], *, at_frames: Sequence[int], clock_goes_on: bool) -> list[Path]:
    """The packets of a clip in several files, none decoded; each file begins with a key frame."""
    edges = [0, *at_frames, 1 << 30]
    made = []
    for number, name in enumerate(names):
        path = whole.with_name(name)
        container = {"mts": "mpegts", "mp4": "mp4", "mov": "mov"}[path.suffix.lower()[1:]]
        options = {"mpegts_copyts": "1"} if container == "mpegts" else {}
        with av.open(str(whole)) as source, av.open(str(path), "w", format=container, options=options) as out:
            stream = source.streams.video[0]
            copied = out.add_stream_from_template(stream)
            packets = [packet for packet in source.demux(stream) if packet.pts is not None]
            mine = packets[edges[number] : edges[number + 1]]
            assert mine[0].is_keyframe
            begin = 0 if clock_goes_on else min(packet.pts or 0 for packet in mine)
            for packet in mine:
                packet.pts, packet.dts = (packet.pts or 0) - begin, (packet.dts or 0) - begin
                packet.stream = copied
                out.mux(packet)
        made.append(path)
    return made


def row(path: Path, number: int, **changes: Any) -> TowClipRow:
    """What the store has of a clip that is read."""
    facts = probe_clip(path)
    times = list_frame_times(path)
    values: dict[str, Any] = {
        "image_id": number,
        "name": path.name,
        "at_s": 3.0,  # such cameras give each part the date of the first
        "capture_time_utc": "2026-06-14T09:00:03.000Z",
        "camera_id": None,
        "duration_s": facts.duration_s,
        "faults_json": "[]",
        "reading_id": number,
        "reading_uuid": str(number),
        "model_id": 1,
        "rate_hz": 6.0,
        "frames": len(times),
        "read_to_s": times[-1],
        "codec": facts.codec,
        "width_px": facts.width_px,
        "height_px": facts.height_px,
        "first_pts_s": facts.first_pts_s,
        "start_utc": facts.start_utc,
        "start_local": facts.start_local,
        "folder_id": 1,
    }
    return TowClipRow(**{**values, **changes})


def on_the_clock(pieces: Sequence[Piece], paths: Sequence[Path]) -> list[float]:
    by_name = {path.name: path for path in paths}
    return [piece.from_s + at_s for piece in pieces for at_s in list_frame_times(by_name[piece.clip.name])]


SETS = {
    "chapters": (("GX010042.MP4", "GX020042.MP4", "GX030042.MP4"), False),
    "older chapters": (("GOPR0042.MP4", "GP010042.MP4", "GP020042.MP4"), False),
    "counted, the clock goes on": (("00000.MTS", "00001.MTS", "00002.MTS"), True),
    "numbered, the clock goes on": (("tow_001.mts", "tow_002.mts", "tow_003.mts"), True),
}


@pytest.fixture(params=list(SETS))
def parts(request: pytest.FixtureRequest, tmp_path: Path) -> list[Path]:
    names, clock_goes_on = SETS[request.param]
    suffix = Path(names[0]).suffix.lower()
    first = 90_000 * 10 if clock_goes_on else 0  # a recorder's clock rarely begins at zero
    whole = write_clip(
        tmp_path / f"whole{suffix}", Recipe(suffix=suffix, gop=GOP), even_times(SECONDS * RATE, RATE, first=first), rate=RATE
    )
    return split(whole, names, at_frames=(4 * GOP, 9 * GOP), clock_goes_on=clock_goes_on)


@pytest.mark.parametrize("sheet", [True, False])
def test_parts_follow_each_other_as_if_they_had_never_been_split(parts: list[Path], of: TowRow, *, sheet: bool) -> None:
    rows = [row(path, number) for number, path in enumerate(parts, start=1)]
    pieces, left_out, clock = place_clips(list(reversed(rows)), of if sheet else of._replace(start_utc=None))
    assert left_out == []
    assert clock is (Clock.SHEET if sheet else Clock.FILES)
    begins_s = 3.0 if sheet else 0.0
    assert on_the_clock(pieces, parts) == pytest.approx([begins_s + number / RATE for number in range(SECONDS * RATE)], abs=0.0005)
    assert [piece.goes_on_from for piece in pieces] == [None, 1, 2]


def test_parts_of_which_no_date_is_known_follow_each_other_too(parts: list[Path], of: TowRow) -> None:
    rows = [row(path, number, at_s=None, capture_time_utc=None) for number, path in enumerate(parts, start=1)]
    pieces, left_out, clock = place_clips(rows, of)
    assert (left_out, clock) == ([], Clock.ORDER)
    assert on_the_clock(pieces, parts) == pytest.approx([number / RATE for number in range(SECONDS * RATE)], abs=0.0005)


def test_a_missing_part_is_told_with_what_it_costs(parts: list[Path], of: TowRow) -> None:
    rows = [row(parts[0], 1), row(parts[2], 3)]
    pieces, (told,), _ = place_clips(rows, of)
    if parts[0].suffix == ".MP4":
        name = {"GX": "GX010042.MP4", "GO": "GOPR0042.MP4"}[parts[0].name[:2]]
        assert [piece.clip.image_id for piece in pieces] == [1]
        lost = parts[2].name
        assert told == f"{lost}: 1 part between {name} and {lost} is missing, and no clock tells how long: 3 s are left out"
    else:
        assert [(piece.clip.image_id, piece.from_s) for piece in pieces] == [(1, 3.0), (3, pytest.approx(12.0))]
        assert told == f"1 part between {parts[0].name} and {parts[2].name} is missing: 5 s of the tow are not seen"
        assert [piece.goes_on_from for piece in pieces] == [None, None]


def test_chapters_whose_beginning_is_missing_have_no_place_on_the_clock_of_the_sheet(tmp_path: Path, of: TowRow) -> None:
    """Wrong minutes are worse than fewer: their date is that of the first part."""
    whole = write_clip(tmp_path / "whole.mp4", Recipe(gop=GOP), even_times(4 * RATE, RATE), rate=RATE)
    path = whole.rename(tmp_path / "GX030042.MP4")
    pieces, told, _ = place_clips([row(path, 1)], of)
    lost = "GX030042.MP4: 2 parts before it are missing, and no clock tells how long: 4 s are left out"
    assert (pieces, told) == ([], [lost])
    undated = of._replace(start_utc=None)
    pieces, told, clock = place_clips([row(path, 1)], undated)
    assert ([piece.from_s for piece in pieces], told, clock) == (
        [0.0],
        ["GX030042.MP4: 2 parts before it are missing; times count from it"],
        Clock.FILES,
    )
    beside = row(path, 2, name="GX010043.MP4", capture_time_utc="2026-06-14T09:30:00.000Z")
    pieces, told, _ = place_clips([row(path, 1), beside], undated)
    assert ([(piece.clip.image_id, piece.from_s) for piece in pieces], told) == ([(2, 0.0)], [lost])


def test_chapters_of_which_each_has_its_own_date_need_no_beginning(tmp_path: Path, of: TowRow) -> None:
    whole = write_clip(tmp_path / "whole.mp4", Recipe(gop=GOP), even_times(4 * RATE, RATE), rate=RATE)
    third, fourth = split(whole, ("GX030042.MP4", "GX040042.MP4"), at_frames=(2 * GOP,), clock_goes_on=False)
    dated = [row(third, 3, start_utc=START_UTC), row(fourth, 4, start_utc="2026-06-14T09:00:02.000Z")]
    pieces, left_out, _ = place_clips(dated, of)
    assert ([piece.from_s for piece in pieces], left_out) == ([3.0, pytest.approx(5.0, abs=0.05)], [])
    alike = [one._replace(start_utc=START_UTC) for one in dated]
    assert place_clips(alike, of)[0] == []


def test_the_date_of_a_missing_chapters_successor_places_it(tmp_path: Path, of: TowRow) -> None:
    whole = write_clip(tmp_path / "whole.mp4", Recipe(gop=GOP), even_times(SECONDS * RATE, RATE), rate=RATE)
    first, _, last = split(whole, ("GX010042.MP4", "GX020042.MP4", "GX030042.MP4"), at_frames=(100, 225), clock_goes_on=False)
    dated = [row(first, 1, start_utc=START_UTC), row(last, 3, start_utc="2026-06-14T09:00:09.000Z")]
    pieces, (told,), _ = place_clips(dated, of)
    assert [piece.from_s for piece in pieces] == [3.0, 12.0]
    assert "5 s of the tow are not seen" in told


@pytest.mark.parametrize("order", [list, reversed])
def test_two_cameras_at_once_stay_a_reason(parts: list[Path], of: TowRow, order: Callable[[list[TowClipRow]], Any]) -> None:
    """A second camera names its files alike; it began later and saw less."""
    rows = [row(path, number) for number, path in enumerate(parts, start=1)]
    others = [row(path, number, camera_id=7, folder_id=2, at_s=4.0) for number, path in enumerate(parts[:2], start=11)]
    pieces, left_out, _ = place_clips(list(order([*others, *rows])), of)
    assert [piece.clip.image_id for piece in pieces] == [1, 2, 3]
    assert len(left_out) == 2
    assert all("shows the same time; a second camera, or the same footage twice" in one for one in left_out)


def test_a_second_copy_of_a_part_costs_nothing(parts: list[Path], of: TowRow) -> None:
    rows = [row(path, number, seen_json=json.dumps([[1, path.name]])) for number, path in enumerate(parts, start=1)]
    name = f"copy of {parts[0].name}"
    rows[0] = rows[0]._replace(name=name, folder_id=9, seen_json=json.dumps([[9, name], [1, parts[0].name]]))
    pieces, left_out, _ = place_clips(rows, of)
    assert left_out == []
    assert [piece.goes_on_from for piece in pieces] == [None, 1, 2]
    assert [piece.from_s for piece in pieces] == pytest.approx([3.0, 7.0, 12.0], abs=0.0005)


def test_two_cards_that_were_once_copied_together_stay_apart(parts: list[Path], of: TowRow) -> None:
    """Files of two cameras have the same names; a folder with the first of one and the second of the other joins neither."""
    seen = {1: [1, 3], 2: [1], 11: [2], 12: [2, 3]}
    rows = [
        row(
            parts[number % 10 - 1],
            number,
            at_s=3.0 if number < 10 else 500.0,
            seen_json=json.dumps([[f, parts[number % 10 - 1].name] for f in there]),
        )
        for number, there in seen.items()
    ]
    rows = [one._replace(folder_id=json.loads(one.seen_json)[-1][0]) for one in rows]
    pieces, left_out, _ = place_clips(rows, of)
    assert left_out == []
    assert [(piece.clip.image_id, piece.goes_on_from) for piece in pieces] == [(1, None), (2, 1), (11, None), (12, 11)]


def test_parts_that_overlap_are_no_second_camera(of: TowRow) -> None:
    """A transport stream begins at 1.4 s by custom; a recorder may write its last second into the next file, too."""
    facts: dict[str, Any] = {
        "at_s": 3.0,
        "capture_time_utc": None,
        "camera_id": None,
        "duration_s": 600.0,
        "faults_json": "[]",
        "reading_uuid": "u",
    }
    read: dict[str, Any] = {"model_id": 1, "rate_hz": 6.0, "frames": 3600, "read_to_s": 599.84}
    rows = [
        TowClipRow(image_id=number + 1, name=f"0000{number}.MTS", reading_id=number + 1, first_pts_s=first_s, **facts, **read)
        for number, first_s in enumerate((1.4, 600.4))
    ]
    pieces, left_out, _ = place_clips(rows, of)
    assert left_out == []
    assert [(piece.from_s, piece.goes_on_from) for piece in pieces] == [(3.0, None), (602.0, 1)]
    shown = [frame.at_s for frame in ticks_of_pieces(pieces)]
    assert all(one < other for one, other in pairwise(shown))
    assert len(shown) == pytest.approx(1199 * CLIP_RATE_HZ, abs=3)


def test_files_that_only_look_like_parts_stay_recordings_of_their_own(tmp_path: Path, of: TowRow) -> None:
    whole = write_clip(tmp_path / "whole.mov", Recipe(suffix=".mov", gop=GOP), even_times(4 * RATE, RATE), rate=RATE)
    other = whole.rename(tmp_path / "tow_001.mov")
    more = tmp_path / "tow_002.mov"
    more.write_bytes(other.read_bytes())
    undated = [row(path, number, at_s=None, capture_time_utc=None) for number, path in enumerate((other, more), start=1)]
    pieces, (told,), clock = place_clips(undated, of)
    assert clock is Clock.ORDER
    assert [piece.goes_on_from for piece in pieces] == [None, None]
    assert told.startswith("tow_002.mov is a recording of its own: neither its times nor its date say that it goes on")
    dated = [row(other, 1, at_s=0.0), row(more, 2, at_s=100.0)]
    assert [(one.from_s, one.goes_on_from) for one in place_clips(dated, of)[0]] == [(0.0, None), (100.0, None)]


def _moving(at_s: float, step_px: float | None) -> FootageFrame:
    motion = None
    if step_px is not None:
        motion = Motion(homography=np.array([[1, 0, 0], [0, 1, step_px], [0, 0, 1.0]]), sd_px=0.5, source="registered")
    plain = make_frame(at_s, 0)
    return FootageFrame(
        at_s=at_s,
        width_px=plain.width_px,
        height_px=plain.height_px,
        detections=plain.detections,
        motion=motion,
        lasers=None,
        visibility=None,
    )


def test_openings_are_followed_over_a_seam_by_the_motion_around_it() -> None:
    before = [_moving(0.0, None), _moving(0.2, 100.0), _moving(0.4, 120.0)]
    behind = [_moving(0.5, None), _moving(0.7, 100.0)]
    first, second = bridge(before, behind)
    assert first.motion is not None
    assert first.motion.source == "carried"
    assert first.motion.homography[1, 2] == pytest.approx((500 + 600 + 500) / 3 * 0.1)
    assert 2 < first.motion.sd_px < 20
    assert second is behind[1]


def test_frames_that_a_part_has_once_more_are_not_followed_twice() -> None:
    """What overlaps goes, and the first frame behind it moved from the last frame before, not from one that went."""
    before = [_moving(0.0, None), _moving(0.2, 100.0), _moving(0.4, 100.0)]
    first, second = bridge(before, [_moving(0.1, None), _moving(0.3, 100.0), _moving(0.5, 100.0), _moving(0.7, 100.0)])
    assert (first.at_s, second.at_s) == (0.5, 0.7)
    assert first.motion is not None
    assert first.motion.source == "carried"
    assert first.motion.homography[1, 2] == pytest.approx(50.0)
    assert bridge(before, [_moving(0.1, None)]) == []


@pytest.mark.parametrize(
    ("before", "behind"),
    [
        ([], [_moving(0.5, None)]),
        ([_moving(0.0, None), _moving(0.2, 90.0)], [_moving(1.5, None), _moving(1.7, 90.0)]),
        ([_moving(0.0, None)], [_moving(0.2, None), _moving(0.4, None)]),
        ([_moving(0.4, 90.0)], [_moving(0.6, 80.0)]),
    ],
)
def test_nothing_is_carried_where_nothing_tells(before: list[FootageFrame], behind: list[FootageFrame]) -> None:
    assert bridge(before, behind) is behind
