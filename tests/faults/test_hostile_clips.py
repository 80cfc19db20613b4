"""Files that would have FFmpeg open other files or hosts, or would keep it busy for ever."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import struct
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import av
import pytest

from edge.errors import InputError, Reason
from edge.pipeline.video import ClipFrames, ClipReader, probe_clip
from edge.pipeline.video.ffmpeg import DEMUXERS, open_container, open_file
from tests.faults.test_no_packets import record
from tests.helpers.clips import Recipe, even_times, number_in, write_clip

PLAYLIST = "#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\n{target}\n#EXT-X-ENDLIST\n"
CONCAT = "ffconcat version 1.0\nfile '{target}'\nduration 10\n"
MANIFEST = (
    "<?xml version='1.0'?><MPD xmlns='urn:mpeg:dash:schema:mpd:2011' type='static' mediaPresentationDuration='PT10S'><Period>"
    "<AdaptationSet mimeType='video/mp4'><Representation id='1' bandwidth='1'><BaseURL>{target}</BaseURL></Representation>"
    "</AdaptationSet></Period></MPD>"
)
SESSION = "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=a\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=video 5004 RTP/AVP 96\r\n"
HOSTILE = {"playlist": PLAYLIST, "concat": CONCAT, "manifest": MANIFEST, "session": SESSION}

READ_ALL = """
import sys
from pathlib import Path
from edge.errors import InputError
from edge.pipeline.video import ClipReader
for path in sorted(Path(sys.argv[1]).iterdir()):
    try:
        with ClipReader(path, rate_hz=6) as reader:
            print(path.name, sum(1 for _ in reader.frames()))
    except InputError as error:
        print(path.name, error.reason)
"""


@pytest.fixture
def listening() -> Iterator[tuple[str, list[object]]]:
    """A server on loopback, and who called it."""
    calls: list[object] = []
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.1)
        ended = threading.Event()

        def accept() -> None:
            while not ended.is_set():
                with contextlib.suppress(TimeoutError):
                    connection, who = server.accept()
                    calls.append(who)
                    connection.close()

        thread = threading.Thread(target=accept)
        thread.start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}/secret.ts", calls
        ended.set()
        thread.join()


@pytest.mark.parametrize("kind", sorted(HOSTILE))
@pytest.mark.parametrize("suffix", [".mp4", ".ts", ".mkv", ".avi", ".mpg"])
def test_a_list_of_other_files_is_no_clip(kind: str, suffix: str, listening: tuple[str, list[object]], tmp_path: Path) -> None:
    address, calls = listening
    secret = write_clip(tmp_path / "secret.ts", Recipe(suffix=".ts"), even_times(5))
    for target in (address, str(secret), f"file:{secret}", f"concat:{secret}"):
        clip = tmp_path / f"clip{suffix}"
        clip.write_text(HOSTILE[kind].format(target=target) + " " * 2000)
        with pytest.raises(InputError) as caught:
            probe_clip(clip)
        assert caught.value.reason is Reason.UNKNOWN_FORMAT
    assert calls == []


@pytest.mark.parametrize("kind", sorted(HOSTILE))
def test_a_list_behind_the_head_of_a_clip_leads_nowhere(kind: str, listening: tuple[str, list[object]], tmp_path: Path) -> None:
    """What passes for a clip by its first bytes is only ever given to the reader of that kind of clip."""
    address, calls = listening
    heads = {
        ".mp4": b"\x00\x00\x00\x10ftypisom\x00\x00\x00\x00",
        ".mkv": b"\x1a\x45\xdf\xa3",
        ".avi": b"RIFF\x00\x40\x00\x00AVI ",
        ".mpg": b"\x00\x00\x01\xba",
    }
    for suffix, head in heads.items():
        clip = tmp_path / f"clip{suffix}"
        clip.write_bytes(head + HOSTILE[kind].format(target=address).encode() * 20)
        with pytest.raises(InputError):
            probe_clip(clip)
    for clip_format in DEMUXERS:
        lure = tmp_path / "lure"
        lure.write_text(HOSTILE[kind].format(target=address))
        with open_file(lure) as file, contextlib.suppress(av.error.FFmpegError):
            container = open_container(file, clip_format, max_pixels=1_000_000)
            assert clip_format == "mpeg-video"  # an elementary stream is opened whatever it holds, and no frame is found in it
            container.close()
    assert calls == []


def test_a_film_that_refers_to_another_file_stays_without_it(listening: tuple[str, list[object]], tmp_path: Path) -> None:
    """QuickTime may keep its pictures elsewhere (a data reference to a path or an address): nothing but the file itself is opened."""
    address, calls = listening
    clip = write_clip(tmp_path / "clip.mov", Recipe(suffix=".mov"), even_times(6))
    data = clip.read_bytes()
    entry = data.index(b"url \x00\x00\x00\x01")  # a data reference to the file itself
    location = address.encode() + b"\x00"
    outside = struct.pack(">I", 12 + len(location)) + b"url " + bytes(4) + location
    changed = data[: entry - 4] + outside + data[entry + 8 :]
    for box in (b"dref", b"dinf", b"minf", b"mdia", b"trak", b"moov"):
        at = changed.index(box) - 4
        changed = changed[:at] + struct.pack(">I", struct.unpack(">I", changed[at : at + 4])[0] + len(outside) - 12) + changed[at + 4 :]
    clip.write_bytes(changed)
    with ClipReader(clip, rate_hz=1000) as reader:
        assert [number_in(frame.pixels) for frame in reader.frames()] == list(range(6))
    assert calls == []


@pytest.mark.parametrize(
    "name",
    ["http:--198.51.100.7-a.mp4", "concat:a|b.mp4", "pipe:0.mp4", "file:x.mp4", "subfile,,start,0,end,0,,:a.mp4", "%03d.mp4", "-.mp4"],
)
def test_a_name_is_never_an_address(name: str, tmp_path: Path) -> None:
    clip = tmp_path / name
    shutil.copy(write_clip(tmp_path / "made.mp4", Recipe(), even_times(5)), clip)
    frames = ClipFrames()
    assert number_in(frames.frame_at(clip, 0.1).pixels) == 2
    frames.close()


def test_reading_clips_sends_no_packet(tmp_path: Path) -> None:
    if shutil.which("unshare") is None or shutil.which("ip") is None or not Path("/dev/net/tun").exists():
        pytest.skip("needs root, unshare, ip and /dev/net/tun to make a network of its own")
    folder = tmp_path / "clips"
    folder.mkdir()
    write_clip(folder / "sound.mp4", Recipe(), even_times(5))
    for kind, content in HOSTILE.items():
        for suffix in (".mp4", ".ts", ".mkv"):
            (folder / f"{kind}{suffix}").write_text(content.format(target="http://198.51.100.7/a.ts") + " " * 1000)
    assert record([sys.executable, "-c", READ_ALL, str(folder)], tmp_path) == {"exit_code": 0, "packets": []}


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "clip.mp4")
    with pytest.raises(InputError) as caught:
        probe_clip(tmp_path / "clip.mp4")
    assert caught.value.reason is Reason.NOT_A_REGULAR_FILE
