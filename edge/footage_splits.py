"""Files that are parts of one recording: cameras close a file at 4 GB, or every so many minutes, and go on in the next.

Names say which files may belong together and in which order; only the clips themselves say whether they do: the same picture, and
times that go on where the file before ended. What is not certain stays apart, with the reason.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import NamedTuple

from edge.footage import ClipFacts

# Longest silence between two parts: cameras need a moment to open the next file, and note whole seconds.
_MOST_BETWEEN_S = 3.0
_RESTARTED_S = 1.0  # presentation times of a part that begin lower began anew
# GoPro: GX 01 0042.MP4 is chapter 1 of recording 0042; older ones GOPR0042 and then GP010042.
_CHAPTER = re.compile(r"(?P<camera>G[XHPLS])(?P<part>\d\d)(?P<name>\d{4})", re.IGNORECASE)
_FIRST_CHAPTER = re.compile(r"GOPR(?P<name>\d{4})", re.IGNORECASE)
_CHAPTERS = "chapters"
_FIRST_PART = {"gp": 0, "gx": 1, "gh": 1, "gl": 1, "gs": 1}
_FAR_APART = 3
_COUNTED = re.compile(r"(?P<name>.*?)(?P<part>\d{1,6})")


@dataclass(frozen=True, slots=True, kw_only=True)
class SplitFile:
    """A clip among those that may be parts of one another.

    Attributes:
        name: without its folder; all must lie in one folder.
        key: the caller's.
        taken_utc: when it began, ISO 8601, by anything but its container, such as its name; asked where the container says nothing.
    """

    name: str
    facts: ClipFacts
    key: int = 0
    taken_utc: str | None = None


class Missing(NamedTuple):
    """Parts that are not there, between two that are; `lasts_s` is how long they are, by the presentation times or dates around them."""

    before: str
    behind: str
    parts: int
    lasts_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """Files in order, and for each how many seconds after the first one it begins.

    Attributes:
        files: at least one.
        offsets_s: 0 for the first.
        apart: why the file that by its name would come next is not part of it; None where there is none.
        missing: parts that are not there, but whose length is known.
        lost_before: how many parts of a camera that numbers chapters are missing before the first file, so that its date, which is that
            of the first part, does not tell when it began.
        lost_behind: the name of the file behind which they would belong; None if none of the files before is there.
    """

    files: tuple[SplitFile, ...]
    offsets_s: tuple[float, ...]
    apart: str | None = None
    missing: tuple[Missing, ...] = ()
    lost_before: int = 0
    lost_behind: str | None = None


def order_splits(files: Iterable[SplitFile]) -> tuple[Recording, ...]:
    """Put the parts of recordings together.

    Two files are parts of one recording if their names count on (GX010042 and GX020042, GOPR0042 and GP010042, 00000.MTS and 00001.MTS,
    tow_001 and tow_002), their pictures are alike, and one of their clocks shows that the second goes on where the first ended: the
    presentation times count on, or the second began as the first ended (within 3 s). Of a camera that numbers chapters the name is
    enough where no clock speaks against it. Where parts are missing, presentation times that count on tell how long they were; of
    chapters their dates do, too. Presentation times and dates that are more than 3 s apart keep files apart. Numbers further apart than
    3 are times of day, or of another recording: there only a clock that goes on without a gap joins, and no part is missing.

    Returns:
        Recordings in order of the names of their first files.
    """
    chains: dict[tuple[str, str], list[tuple[int, SplitFile]]] = {}
    for file in files:
        kind, name, part = _counted(file.name)
        chains.setdefault((kind, name), []).append((part, file))
    recordings: list[Recording] = []
    for (kind, _), chain in chains.items():
        recordings += _joined(sorted(chain, key=lambda counted: (counted[0], counted[1].name)), kind=kind)
    return tuple(sorted(recordings, key=lambda recording: recording.files[0].name))


def _joined(chain: list[tuple[int, SplitFile]], *, kind: str) -> list[Recording]:
    are_chapters = kind.startswith(_CHAPTERS)
    recordings: list[Recording] = []
    lost_before = max(0, chain[0][0] - _FIRST_PART[kind.split()[1]]) if are_chapters else 0
    if chain[0][1].facts.first_pts_s > _RESTARTED_S:
        lost_before = 0  # its own time tells
    lost_behind: str | None = None
    files, offsets_s, missing = [chain[0][1]], [0.0], list[Missing]()
    for (part, before), (next_part, behind) in pairwise(chain):
        is_far = not are_chapters and next_part - part > _FAR_APART
        between = 0 if is_far else max(0, next_part - part - 1)
        begins_s, reason = _goes_on(before, behind, are_chapters=are_chapters, missing=between)
        if begins_s is not None:
            files.append(behind)
            offsets_s.append(offsets_s[-1] + begins_s)
            if between:
                missing.append(Missing(before.name, behind.name, between, begins_s - (before.facts.duration_s or 0.0)))
            continue
        apart = f"{behind.name} is a recording of its own: {reason}" if next_part - part <= _FAR_APART else None
        recordings.append(_recording(files, offsets_s, missing, apart, lost_before, lost_behind))
        files, offsets_s, missing = [behind], [0.0], []
        lost_before, lost_behind = (next_part - part - 1, before.name) if are_chapters else (0, None)
    return [*recordings, _recording(files, offsets_s, missing, None, lost_before, lost_behind)]


def _recording(  # noqa: PLR0917 (the one that gathers them)
    files: list[SplitFile],
    offsets_s: list[float],
    missing: list[Missing],
    apart: str | None,
    lost_before: int,
    lost_behind: str | None,
) -> Recording:
    if lost_behind is None and any(_between_s(one, other) is not None for one, other in pairwise(files)):
        lost_before = 0  # each part has a date of its own, so the first that is there has one, too
    return Recording(
        files=tuple(files),
        offsets_s=tuple(offsets_s),
        apart=apart,
        missing=tuple(missing),
        lost_before=lost_before,
        lost_behind=lost_behind if lost_before else None,
    )


def _goes_on(one: SplitFile, other: SplitFile, *, are_chapters: bool, missing: int) -> tuple[float | None, str]:
    """How many seconds after `one` the clip `other` begins, `missing` parts later; None, and why, where it does not go on."""
    before, behind = one.facts, other.facts
    if (before.codec, before.width_px, before.height_px) != (behind.codec, behind.width_px, behind.height_px):
        return None, "its picture has another size or codec"
    if before.duration_s is None:
        return None, "the file before does not say how long it is"
    between_s = _between_s(one, other)
    by_pts_s = behind.first_pts_s - before.first_pts_s
    most_s = _MOST_BETWEEN_S if not missing else float("inf")
    if behind.first_pts_s > _RESTARTED_S and -_MOST_BETWEEN_S <= by_pts_s - before.duration_s <= most_s:
        if between_s is not None and abs(between_s - by_pts_s) > _MOST_BETWEEN_S:
            return None, f"it began {by_pts_s:.0f} s later by its presentation times, {between_s:.0f} s by its date"
        return by_pts_s, ""
    if missing and not (are_chapters and between_s is not None and between_s >= before.duration_s):
        return None, f"{missing} part(s) between them are missing"
    if between_s is None:
        return (before.duration_s, "") if are_chapters else (None, "neither its times nor its date say that it goes on")
    if not missing and abs(between_s - before.duration_s) > _MOST_BETWEEN_S:
        return None, f"it began {between_s:.0f} s after a file of {before.duration_s:.0f} s"
    return max(between_s, before.duration_s), ""  # a date of whole seconds must not make parts overlap


def _between_s(one: SplitFile, other: SplitFile) -> float | None:
    """From one beginning to the other; None where no clock says it. One date for all parts (GoPro) says nothing."""
    before, behind = one.facts, other.facts
    clocks = ((before.start_utc, behind.start_utc), (before.start_local, behind.start_local), (one.taken_utc, other.taken_utc))
    for first, second in clocks:
        if first is not None and second is not None:
            return None if first == second else (datetime.fromisoformat(second) - datetime.fromisoformat(first)).total_seconds()
    return None


def _counted(name: str) -> tuple[str, str, int]:
    """The kind of name, what the file is called without its count, and the count."""
    stem, _, suffix = name.lower().rpartition(".")
    if (match := _FIRST_CHAPTER.fullmatch(stem)) is not None:
        return f"{_CHAPTERS} gp {suffix}", match["name"], 0
    if (match := _CHAPTER.fullmatch(stem)) is not None:
        return f"{_CHAPTERS} {match['camera']} {suffix}", match["name"], int(match["part"])
    if (match := _COUNTED.fullmatch(stem)) is not None:
        return f"counted {suffix}", match["name"], int(match["part"])
    return f"single {suffix}", stem, 0
