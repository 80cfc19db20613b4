"""Open a navigation log: what kind it is, its hash, and which of its streams is the track."""

from __future__ import annotations

import hashlib
import io
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from edge.survey.navigation.csv_logs import Source, is_table, read_table
from edge.survey.navigation.fixes import Fix, LogError, NavigationLog, Stream, Window
from edge.survey.navigation.nmea import read_nmea

_LINE_BYTES = 4096
_HEAD_BYTES = 4096
_BINARY = bytes(set(range(32)) - {9, 10, 13, 12, 26, 0})
_PREFERRED = ("GGA", "RMC", "PTSAG")


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadLog:
    """A log and the hash of its bytes."""

    log: NavigationLog
    sha256: str


def read_log(path: Path, window: Window, *, table_source: Source = "usbl", name: str = "") -> ReadLog:
    """Read a navigation log of any known kind.

    Args:
        path: NMEA 0183 text or a CSV table; it is read once and never changed.
        window: the time that is wanted.
        table_source: whose positions a table holds; NMEA says it itself.
        name: what the file is called, where its path does not say it.

    Raises:
        LogError: it cannot be used; nothing of it was taken.
    """
    name = name or path.name
    if "\0" in str(path):
        raise LogError("a path with a NUL in it is none", advice="Check the path.")
    try:
        if not stat.S_ISREG(path.stat().st_mode):  # a pipe would be waited for, and never end
            raise LogError(f"{name} is no file", advice="Name the log itself, not its folder or a device.")
        with path.open("rb") as file:
            head = file.read(_HEAD_BYTES)
            _check_text(name, head)
            file.seek(0)
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
            file.seek(0)
            first = head.split(b"\n", 1)[0].decode("utf-8-sig", "replace")
            if is_table(first):
                text = io.TextIOWrapper(file, encoding="utf-8-sig", errors="replace", newline="")
                log = read_table(iter(text), window, table_source)
            else:
                log = read_nmea(_lines(file), window)
    except OSError as error:
        raise LogError(f"{name} cannot be read: {error.strerror or error}", advice="Check the file and its medium.") from error
    return ReadLog(log=log, sha256=sha256)


def choose_stream(log: NavigationLog, source: Source, name: str | None = None) -> tuple[Stream, list[Fix], tuple[str, ...]]:
    """The stream that is the track of ship or sledge, its fixes, and notes on the streams that are not.

    A ship's receiver with GGA comes before one with RMC, the one with more fixes before the other: two antennas in turns would be
    a zigzag. Two transponders are two things in the water: which is the sledge must be said.

    Raises:
        LogError: there is none, or it must be said which one.
    """
    streams = {stream: list(fixes) for stream, fixes in log.streams.items() if stream.source == source}
    listed = ", ".join(f"{stream.name} ({len(fixes)} positions)" for stream, fixes in sorted(streams.items()))
    others = ", ".join(sorted(f"{stream.name} ({stream.source})" for stream in log.streams if stream.source != source))
    if not streams:
        raise LogError(f"the log has no positions of the {_WORDS[source]}; it has {others}", advice=f"Import it as {_OTHER[source]}.")
    if name is not None:
        chosen = next((stream for stream in streams if name in {stream.name, stream.name.removeprefix("beacon ")}), None)
        if chosen is None:
            raise LogError(f"the log has no stream {name}; it has {listed}", advice="Name one of these.")
    elif source == "usbl" and len(streams) > 1:
        raise LogError(f"the log has {len(streams)} transponders: {listed}", advice="Say which one is on the sledge (beacon).")
    else:
        chosen = min(streams, key=lambda stream: (_rank(stream), -len(streams[stream]), stream.name))
    notes = [f"{stream.name} ({len(fixes)} positions) is not used." for stream, fixes in sorted(streams.items()) if stream != chosen]
    return chosen, streams[chosen], tuple(notes)


_WORDS = {"usbl": "sledge (USBL)", "ship": "ship"}
_OTHER = {"usbl": "ship", "ship": "usbl"}


def _rank(stream: Stream) -> int:
    return next((place for place, kind in enumerate(_PREFERRED) if kind in stream.name), len(_PREFERRED))


def _check_text(name: str, head: bytes) -> None:
    if not head:
        raise LogError(f"{name} is empty", advice="Copy it again from the logger.")
    strange = len(head) - len(head.translate(None, _BINARY))
    if strange > len(head) // 20 or head.count(b"\0") > len(head) // 4:
        raise LogError(
            f"{name} is no text: it looks like a binary file",
            advice="Export the log as NMEA 0183 or CSV; raw formats of a logger are not read.",
        )


def _lines(file: BinaryIO) -> Iterator[bytes]:
    """Lines of bounded length: a file without line ends must not fill the memory."""
    while line := file.readline(_LINE_BYTES):
        yield line
