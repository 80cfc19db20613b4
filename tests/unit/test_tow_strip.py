"""The strip of a tow: strips of clips behind one another, moments and columns, what it does not show."""

from __future__ import annotations

import io
import weakref

import numpy as np
import pytest
from PIL import Image

from edge.errors import InputError
from edge.footage import SheetWanted, StripMoment
from edge.pipeline.strip_sheet import LABEL_PX, SHEET_WIDTH_PX, TITLE_PX, make_sheet
from edge.store.reads.footage import TowClipRow
from edge.store.strips import KeptTile
from edge.survey.tow_footage import Clock, Piece
from edge.survey.tow_strip import StripTrouble, TowStrip, join_strips
from edge.values import UInt8Array
from edge.web.drawings.strip import clock_of, draw_strip, seconds_of_strip
from models.runtime.vision import cv2


def _piece(number: int, from_s: float, to_s: float) -> Piece:
    clip = TowClipRow(
        image_id=number,
        name=f"{number}.mp4",
        at_s=from_s,
        capture_time_utc=None,
        camera_id=None,
        duration_s=to_s - from_s,
        faults_json="[]",
        reading_id=number,
        reading_uuid="u",
        model_id=1,
        rate_hz=6.0,
        frames=6,
        read_to_s=to_s - from_s,
    )
    return Piece(clip=clip, from_s=from_s, to_s=to_s)


def _tile(number: int, columns: int, *moments: tuple[float, float, str | None]) -> KeptTile:
    told = tuple(
        StripMoment(at_s, column, "carried" if source == "c" else "registered" if source else None) for at_s, column, source in moments
    )
    return KeptTile(id=number, reading_id=1, columns=columns, width_px=480, px_per_column=4.0, moments=told)


def _two_clips() -> TowStrip:
    """Ten seconds at 10 columns a second, of which two stand; five seconds of nothing; then five more seconds from the file behind."""
    first = _tile(1, 40, *((float(at_s), 10.0 * at_s, "r" if at_s else None) for at_s in range(5)))
    dark = _tile(2, 40, (5.0, 0.0, None), (6.0, 0.0, None), *((float(at_s), 10.0 * (at_s - 6), "c") for at_s in range(7, 11)))
    behind = _tile(3, 50, *((float(at_s), 10.0 * at_s, "r" if at_s else None) for at_s in range(6)))
    pieces = [(_piece(1, 0.0, 10.0), [first, dark]), (_piece(2, 15.0, 20.0), [behind])]
    return join_strips(pieces, left_out=["x.mp4: not read yet"], clock=Clock.SHEET)


def test_clips_lie_behind_one_another_and_what_is_not_shown_is_told() -> None:
    strip = _two_clips()
    assert [(one.id, one.from_column) for one in strip.tiles] == [(1, 0), (2, 40), (3, 80)]
    assert strip.columns == 130
    assert [tuple(one) for one in strip.stretches] == [
        (StripTrouble.NOT_FOLLOWED, 4.0, 6.0, 40.0, 40.0),
        (StripTrouble.CARRIED, 6.0, 10.0, 40.0, 80.0),
        (StripTrouble.NO_FOOTAGE, 10.0, 15.0, 80.0, 80.0),
    ]
    assert strip.left_out == ("x.mp4: not read yet",)


def test_parts_that_overlap_do_not_turn_the_clock_back() -> None:
    tiles = [_tile(number, 40, *((float(at_s), 10.0 * at_s, "r" if at_s else None) for at_s in range(5))) for number in (1, 2)]
    strip = join_strips([(_piece(1, 0.0, 4.0), tiles[:1]), (_piece(2, 2.0, 6.0), tiles[1:])], left_out=[], clock=Clock.SHEET)
    assert list(strip.at_s) == [0, 1, 2, 3, 4, 4, 4, 4, 5, 6]
    assert [strip.column_of(at_s) for at_s in (1.0, 5.0, 6.0)] == [10, 70, 80]
    assert strip.stretches == ()


def test_a_moment_has_its_column_and_a_column_its_moment() -> None:
    strip = _two_clips()
    assert [strip.column_of(at_s) for at_s in (0.0, 2.5, 5.0, 8.0, 12.0, 17.0)] == [0.0, 25.0, 40.0, 60.0, 80.0, 100.0]
    assert [strip.column_of(at_s) for at_s in (-1.0, 21.0)] == [None, None]
    assert [strip.time_of(column) for column in (0.0, 25.0, 60.0, 100.0)] == [0.0, 2.5, 8.0, 17.0]
    near = [strip.piece_at(at_s) for at_s in (3.0, 10.3, 12.0, 15.0)]
    assert [None if one is None else one.clip.image_id for one in near] == [1, 1, None, 2]


def test_a_sledge_that_goes_back_keeps_its_columns() -> None:
    tile = _tile(1, 20, (0.0, 0.0, None), (1.0, 20.0, "r"), (2.0, 12.0, "r"), (3.0, 20.4, "r"))
    strip = join_strips([(_piece(1, 0.0, 3.0), [tile])], left_out=[], clock=Clock.ORDER)
    assert seconds_of_strip(strip, 1, apart=1.0) == [(0, 0.0), (1, 20.0)], "marks of the same place would lie over one another"
    assert strip.column.tolist() == [0.0, 20.0, 20.0, 20.4]
    assert strip.stretches == ()


def test_nothing_read_is_an_empty_strip() -> None:
    strip = join_strips([], left_out=[], clock=Clock.ORDER)
    assert (strip.tiles, strip.columns, strip.column_of(0.0), strip.time_of(0.0), strip.piece_at(0.0)) == ((), 0, None, None, None)
    assert draw_strip(strip, hidden=[], openings=[], across_px={}, end_s=None) == []


def test_what_is_drawn_lies_in_its_tile() -> None:
    first, second, third = draw_strip(_two_clips(), hidden=[3, 6], openings=[], across_px={}, end_s=18.0)
    assert first.minutes == [(0.0, "minute 1")]
    assert first.lines == [(0.0, "start of line")]
    assert third.lines == [(30.0, "end of line")]
    assert first.hidden == [(30.0, 10.0)]
    assert second.hidden == [(0.0, 10.0)]
    assert [(x, words) for x, _, words in second.troubles] == [(0.0, "2 s: motion not told"), (0.0, "4 s: motion carried on")]
    assert [words for _, _, words in third.troubles] == ["5 s: no footage"]
    assert first.seconds == [10.0, 20.0, 30.0]


def test_a_gap_of_days_between_two_clips_has_no_marks() -> None:
    """Footage of two dives that was put on one tow: marks for every second between them would be a million."""
    one = _tile(1, 600, *((float(at_s), 150.0 * at_s, "r" if at_s else None) for at_s in range(5)))
    two = one._replace(id=2)
    strip = join_strips([(_piece(1, 0.0, 4.0), [one]), (_piece(2, 700_000.0, 700_004.0), [two])], left_out=[], clock=Clock.FILES)
    first, second = draw_strip(strip, hidden=[], openings=[], across_px={}, end_s=None)
    assert (first.minutes, first.labels, first.seconds) == ([(0.0, "minute 1")], [], [150.0, 300.0, 450.0])
    assert second.minutes == []
    assert second.labels == [(0.0, "11666:40")]
    assert [one.trouble for one in strip.stretches] == [StripTrouble.NO_FOOTAGE]


@pytest.mark.parametrize(("second", "words"), [(0, "0:00"), (65, "1:05"), (-5, "-0:05"), (3600, "60:00")])
def test_seconds_as_people_read_them(second: int, words: str) -> None:
    assert clock_of(second) == words


def _jpeg(columns: int, grey: int) -> bytes:
    return cv2.imencode(".jpg", np.full((480, columns, 3), grey, np.uint8))[1].tobytes()


def test_a_sheet_breaks_the_strip_into_lines() -> None:
    """A line is 7,200 columns at a third of the size: the second tile goes over its end."""
    wanted = SheetWanted(tiles=(_jpeg(6000, 60), _jpeg(3000, 160)), marks=((0.0, "0:00"), (7500.0, "0:10")), title="S1", kind="png")
    sheet = np.asarray(Image.open(io.BytesIO(make_sheet(wanted))).convert("L")).astype(int)
    assert sheet.shape == (TITLE_PX + 2 * (LABEL_PX + 160 + 6), SHEET_WIDTH_PX)
    first, second = TITLE_PX + LABEL_PX + 80, TITLE_PX + 190 + LABEL_PX + 80
    assert abs(sheet[first, :1999] - 60).max() < 4
    assert abs(sheet[first, 2001:] - 160).max() < 4
    assert abs(sheet[second, :599] - 160).max() < 4
    assert sheet[second, 601:].min() == 255
    assert sheet[TITLE_PX + 190 + 4 : TITLE_PX + 190 + LABEL_PX, 98:103].min() == 0, "the mark at 300 columns of the second line"


def test_one_piece_of_a_long_strip_is_decoded_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[weakref.ref[UInt8Array]] = []
    at_once: list[int] = []
    decode = cv2.imdecode

    def watched(jpeg: UInt8Array, how: int) -> UInt8Array:
        at_once.append(sum(one() is not None for one in seen))
        tile = np.asarray(decode(jpeg, how), np.uint8)
        seen.append(weakref.ref(tile))
        return tile

    monkeypatch.setattr(cv2, "imdecode", watched)
    make_sheet(SheetWanted(tiles=(_jpeg(9000, 60),) * 6, marks=(), title=""))
    assert at_once == [0] * 6


def test_a_long_tow_is_made_smaller_and_a_damaged_tile_refused() -> None:
    tiles = (_jpeg(60_000, 90),) * 20
    with Image.open(io.BytesIO(make_sheet(SheetWanted(tiles=tiles, marks=(), title="long")))) as sheet:
        assert sheet.height < 24_100
    with pytest.raises(InputError, match="cannot be decoded"):
        make_sheet(SheetWanted(tiles=(b"no picture",), marks=(), title=""))
    with pytest.raises(InputError, match="cannot be decoded"):
        make_sheet(SheetWanted(tiles=(_jpeg(60, 90)[:100],), marks=(), title=""))
    with pytest.raises(InputError, match="no picture"):
        make_sheet(SheetWanted(tiles=(), marks=(), title=""))
