"""What the first bytes, the tags and the names of clips say."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from edge.errors import InputError, Reason
from edge.footage_splits import SplitFile, order_splits
from edge.formats import CLIP_EXTENSIONS, HEAD_BYTES, check_extension, is_clip_format, is_clip_name, sniff
from edge.pipeline.facts import read_facts
from edge.pipeline.video import probe_clip
from edge.pipeline.video.beginning import Beginning, beginning_in_picture, beginning_of
from tests.helpers.clips import Recipe, even_times, write_clip
from tests.helpers.footage import CLIP

FACTS = CLIP
MDPM = bytes.fromhex("17ee8c60f84d11d98cd60800200c9a66") + b"MDPM"


@pytest.mark.parametrize(
    ("suffix", "expected"),
    [
        (".mp4", "mp4"),
        (".mov", "mp4"),
        (".avi", "avi"),
        (".mkv", "matroska"),
        (".mpg", "mpeg-ps"),
        (".ts", "mpeg-ts"),
        (".mts", "mpeg-ts"),
        (".m2v", "mpeg-video"),
    ],
)
def test_clips_are_known_by_their_first_bytes(suffix: str, expected: str, tmp_path: Path) -> None:
    options = {"mpegts_m2ts_mode": "1"} if suffix == ".mts" else {}
    clip = write_clip(tmp_path / f"clip{suffix}", Recipe(codec="mpeg2video", suffix=suffix, container_options=options), even_times(3))
    head = clip.read_bytes()[:HEAD_BYTES]
    assert sniff(head) == expected
    assert is_clip_format(expected)
    check_extension(suffix.upper(), expected)
    check_extension(".dat", expected)
    assert is_clip_name(f"a.b{suffix.upper()}")
    for other in sorted(CLIP_EXTENSIONS | {".jpg", ".png"}):
        family = (
            {"mpeg-ps", "mpeg-ts", "mpeg-video"}
            if other in {".mpg", ".mpeg", ".m2v"}
            else {expected}
            if sniffed(other) == expected
            else set()
        )
        if expected not in family:
            with pytest.raises(InputError) as caught:
                check_extension(other, expected)
            assert caught.value.reason is Reason.EXTENSION_MISMATCH


def sniffed(extension: str) -> str:
    kinds = {
        ".mp4": "mp4",
        ".m4v": "mp4",
        ".mov": "mp4",
        ".avi": "avi",
        ".mkv": "matroska",
        ".mts": "mpeg-ts",
        ".m2ts": "mpeg-ts",
        ".ts": "mpeg-ts",
    }
    return kinds.get(extension, "")


@pytest.mark.parametrize(
    "head",
    [
        b"GGGGGGGGGG" * 5,
        b"#EXTM3U\n#EXT-X-VERSION:3\n" + b"http://198.51.100.7/a.ts\n" * 40,
        b"ffconcat version 1.0\nfile /etc/passwd\n",
        b"RIFF\x10\x00\x00\x00WAVEfmt " + bytes(900),
        b"\x00\x00\x00\x18ftypheic" + bytes(900),
        b"\x00\x00\x00\x07moov" + bytes(900),
        b"<?xml version='1.0'?><MPD/>" * 40,
        b"v=0\r\no=- 0 0 IN IP4 198.51.100.7\r\n" * 20,
    ],
)
def test_what_is_no_clip_is_not_taken_for_one(head: bytes) -> None:
    with pytest.raises(InputError) as caught:
        sniff(head)
    assert caught.value.reason is Reason.UNKNOWN_FORMAT


def test_a_clip_is_no_image(tmp_path: Path) -> None:
    content = write_clip(tmp_path / "clip.mp4", Recipe(), even_times(3)).read_bytes()
    for name, reason in (("clip.jpg", Reason.EXTENSION_MISMATCH), ("clip", Reason.UNKNOWN_FORMAT)):
        with pytest.raises(InputError) as caught:
            read_facts(content, name)
        assert caught.value.reason is reason


@pytest.mark.parametrize(
    ("tags", "container", "expected"),
    [
        ({"creation_time": "2021-10-06T16:26:56.000000Z"}, "mp4", ("2021-10-06T16:26:56.000Z", None)),
        (
            {"com.apple.quicktime.creationdate": "2021-10-06T18:26:56+0200", "creation_time": "2022-01-01T00:00:00Z"},
            "mp4",
            ("2021-10-06T16:26:56.000Z", None),
        ),
        ({"creation_time": "2021-10-06T16:26:56"}, "matroska", (None, "2021-10-06T16:26:56.000")),
        ({"date": "2021-10-06 16:26:56"}, "avi", (None, "2021-10-06T16:26:56.000")),
        ({"date": "WED OCT 06 16:26:56 2021"}, "avi", (None, "2021-10-06T16:26:56.000")),
        ({"creation_time": "1904-01-01T00:00:00Z"}, "mp4", (None, None)),
        ({"creation_time": "1970-01-01T00:00:00Z"}, "mp4", (None, None)),
        ({"creation_time": "yesterday"}, "mp4", (None, None)),
        ({}, "mpeg-ts", (None, None)),
    ],
)
def test_when_a_recording_began(tags: dict[str, str], container: str, expected: tuple[str | None, str | None]) -> None:
    found = beginning_of(tags, container)
    assert (found.utc, found.local) == expected
    assert (found.source is None) == (expected == (None, None))


def test_the_tag_of_a_real_container_is_read(tmp_path: Path) -> None:
    metadata = {"creation_time": "2023-06-03T16:26:10.000000Z"}
    for suffix in (".mp4", ".mkv"):
        clip = write_clip(tmp_path / f"clip{suffix}", Recipe(suffix=suffix), even_times(3), metadata=metadata)
        assert probe_clip(clip).start_utc == "2023-06-03T16:26:10.000Z"


@pytest.mark.parametrize(
    ("entries", "expected"),
    [
        ("18 02 20 23 06 19 03 16 26 10", Beginning(local="2023-06-03T16:26:10.000", source="MDPM")),
        ("18 02 20 23 13 19 03 16 26 10", None),
        ("18 02 20 23 06", None),
        ("19 03 16 26 10", None),
        ("18 00 00 00 00 19 00 00 00 00", None),
    ],
)
def test_the_clock_of_an_avchd_camera_is_read(entries: str, expected: Beginning | None) -> None:
    data = bytes.fromhex(entries)
    packet = bytes(30) + MDPM + bytes([len(data) // 5]) + data + bytes(200)
    assert beginning_in_picture(packet) == expected
    assert beginning_in_picture(packet[: 30 + len(MDPM)]) is None
    assert beginning_in_picture(bytes(400)) is None


def test_an_emulated_byte_is_no_part_of_the_clock() -> None:
    """H.264 puts a three between two zeros and a small byte."""
    data = bytes.fromhex("18 02 20 23 06 19 03 00 00 03 01")
    assert beginning_in_picture(MDPM + b"\x02" + data) == Beginning(local="2023-06-03T00:00:01.000", source="MDPM")


def names(files: list[SplitFile]) -> list[list[str]]:
    return [[file.name for file in recording.files] for recording in order_splits(files)]


def test_chapters_of_a_camera_are_one_recording() -> None:
    facts = replace(FACTS, start_utc="2023-06-03T16:26:10.000Z")  # such cameras give all chapters the date of the first
    files = [SplitFile(name=name, facts=facts) for name in ("GX020042.MP4", "GX010042.MP4", "GX030042.MP4", "GX010043.MP4")]
    recordings = order_splits(files)
    assert [[file.name for file in recording.files] for recording in recordings] == [
        ["GX010042.MP4", "GX020042.MP4", "GX030042.MP4"],
        ["GX010043.MP4"],
    ]
    assert recordings[0].offsets_s == (0.0, 600.0, 1200.0)
    assert names([SplitFile(name=name, facts=FACTS) for name in ("GP010007.MP4", "GOPR0007.MP4")]) == [["GOPR0007.MP4", "GP010007.MP4"]]


def test_counted_names_need_a_clock_that_goes_on() -> None:
    def at(name: str, minute: int, second: int = 0, **changes: object) -> SplitFile:
        return SplitFile(name=name, facts=replace(FACTS, start_local=f"2023-06-03T16:{minute:02d}:{second:02d}.000", **changes))  # type: ignore[arg-type]

    recordings = order_splits([at("00001.MTS", 20, 1), at("00000.MTS", 10), at("00002.MTS", 45)])
    assert [[file.name for file in recording.files] for recording in recordings] == [["00000.MTS", "00001.MTS"], ["00002.MTS"]]
    assert recordings[0].offsets_s == (0.0, 601.0)
    assert recordings[0].apart == "00002.MTS is a recording of its own: it began 1499 s after a file of 600 s"
    assert names([at("tow_001.mov", 10), at("tow_002.mov", 20, width_px=1280)]) == [["tow_001.mov"], ["tow_002.mov"]]
    assert names([at("tow_001.mov", 10), at("tow_003.mov", 20)]) == [["tow_001.mov"], ["tow_003.mov"]]
    assert names([at("tow_001.mov", 10), at("haul_002.mov", 20)]) == [["haul_002.mov"], ["tow_001.mov"]]
    assert names([at("tow_001.mov", 10, duration_s=None), at("tow_002.mov", 20)]) == [["tow_001.mov"], ["tow_002.mov"]]
    unsure = order_splits([SplitFile(name=name, facts=FACTS) for name in ("tow_001.mov", "tow_002.mov")])
    assert len(unsure) == 2
    assert unsure[0].apart == "tow_002.mov is a recording of its own: neither its times nor its date say that it goes on"


def test_presentation_times_that_count_on_join_parts() -> None:
    parts = [SplitFile(name=f"0000{part}.MTS", facts=replace(FACTS, first_pts_s=10 + part * 600.04)) for part in range(3)]
    (recording,) = order_splits(parts)
    assert recording.offsets_s == pytest.approx((0.0, 600.04, 1200.08))


def test_presentation_times_that_a_date_contradicts_join_nothing() -> None:
    """Also where the date is not in the container but in the name of the file."""

    def at(name: str, first_pts_s: float, minute: int) -> SplitFile:
        taken_utc = f"2020-06-01T10:{minute:02d}:00.000Z"
        return SplitFile(name=name, facts=replace(FACTS, first_pts_s=first_pts_s), taken_utc=taken_utc)

    one, other = order_splits([at("a_001.ts", 100, 10), at("a_002.ts", 701, 55)])
    assert one.apart == "a_002.ts is a recording of its own: it began 601 s later by its presentation times, 2700 s by its date"
    assert (one.missing, other.missing) == ((), ())
    one, other = order_splits([at("a_001.ts", 100, 15), at("a_003.ts", 705, 30)])
    assert one.apart == "a_003.ts is a recording of its own: it began 605 s later by its presentation times, 900 s by its date"
    (joined,) = order_splits([at("a_001.ts", 100, 15), at("a_003.ts", 1001, 30)])
    assert joined.offsets_s == (0.0, 901.0)
    assert [gap.lasts_s for gap in joined.missing] == [301.0]


def test_times_of_day_in_names_are_no_numbers_of_parts() -> None:
    early, late = "20200601_101500.ts", "20200601_103000.ts"
    facts = replace(FACTS, first_pts_s=100.0)
    one, other = order_splits([SplitFile(name=early, facts=facts), SplitFile(name=late, facts=replace(facts, first_pts_s=1000.0))])
    assert [(found.apart, found.missing) for found in (one, other)] == [(None, ())] * 2
    (joined,) = order_splits([SplitFile(name=early, facts=facts), SplitFile(name=late, facts=replace(facts, first_pts_s=700.5))])
    assert (joined.offsets_s, joined.missing) == ((0.0, 600.5), ()), "it goes on without a gap"
    assert names([SplitFile(name=f"tow_{part}.ts", facts=replace(FACTS, first_pts_s=9.0 * 10**part)) for part in (1, 5)]) == [
        ["tow_1.ts"],
        ["tow_5.ts"],
    ]


def test_parts_never_overlap() -> None:
    """Dates of whole seconds may say that a part began a moment before the one before it ended."""
    parts = [
        SplitFile(name=f"a{part}.mp4", facts=replace(FACTS, duration_s=600.8, start_utc=f"2023-06-03T16:{part * 10:02d}:00.000Z"))
        for part in range(2)
    ]
    (recording,) = order_splits(parts)
    assert recording.offsets_s == (0.0, 600.8)


def test_nothing_is_no_recording() -> None:
    assert order_splits([]) == ()
