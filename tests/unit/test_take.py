"""Taking a settled file: one identity for its bytes, a copy that was read back, nothing left behind after a failure."""

from __future__ import annotations

import errno
import hashlib
import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

import pytest

from edge.errors import DiskFullError, InputError, Reason
from edge.ingest import take
from edge.ingest.looks import FileLook, look_at_file
from edge.ingest.take import sweep_copies, take_copy, take_in_place
from tests.helpers.as_user import as_nobody
from tests.helpers.small_disk import fill_disk, small_disk

LIMIT_BYTES = 10_000_000
CONTENT = b"\xff\xd8 not really a picture" * 1000
SHA256 = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture
def still(tmp_path: Path) -> Path:
    path = tmp_path / "medium" / "still 1.JPG"
    path.parent.mkdir()
    path.write_bytes(CONTENT)
    return path


@pytest.fixture
def media(tmp_path: Path) -> Path:
    return tmp_path / "media"


def look(path: Path) -> FileLook:
    seen = look_at_file(os.fsencode(path.parent), os.fsencode(path.name))
    assert seen is not None
    return seen


def files_below(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_in_place_is_only_a_hash(still: Path, tmp_path: Path) -> None:
    before = still.stat()
    taken = take_in_place(os.fsencode(still), look(still), max_file_bytes=LIMIT_BYTES)
    assert (taken.sha256, taken.copy_path) == (SHA256, None)
    assert files_below(tmp_path) == ["medium/still 1.JPG"]
    assert still.stat().st_mtime_ns == before.st_mtime_ns


def test_a_copy_lies_under_the_name_of_its_content(still: Path, media: Path) -> None:
    taken = take_copy(os.fsencode(still), look(still), media, max_file_bytes=LIMIT_BYTES)
    assert taken.sha256 == SHA256
    assert taken.copy_path == media / SHA256[:2] / f"{SHA256}.jpg"
    assert taken.copy_path.read_bytes() == CONTENT
    assert files_below(media) == [f"{SHA256[:2]}/{SHA256}.jpg"]
    assert still.read_bytes() == CONTENT


def test_the_same_content_is_copied_to_the_same_place(still: Path, media: Path) -> None:
    first = take_copy(os.fsencode(still), look(still), media, max_file_bytes=LIMIT_BYTES)
    assert take_copy(os.fsencode(still), look(still), media, max_file_bytes=LIMIT_BYTES) == first


def test_an_overwritten_file_is_not_taken(still: Path, media: Path) -> None:
    seen = look(still)
    still.write_bytes(CONTENT + b"more")
    with pytest.raises(InputError) as refused:
        take_in_place(os.fsencode(still), seen, max_file_bytes=LIMIT_BYTES)
    assert refused.value.reason is Reason.CHANGED_WHILE_READ
    with pytest.raises(InputError) as refused:
        take_copy(os.fsencode(still), seen, media, max_file_bytes=LIMIT_BYTES)
    assert refused.value.reason is Reason.CHANGED_WHILE_READ
    assert files_below(media) == []


def test_a_file_that_grows_while_it_is_read_is_not_taken(still: Path, media: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(take, "CHUNK_BYTES", 4096)
    real: Callable[[BinaryIO, Callable[[], bool]], bytes] = take._read
    chunks: list[int] = []

    def read_and_grow(source: BinaryIO, stopping: Callable[[], bool]) -> bytes:
        chunk = real(source, stopping)
        chunks.append(len(chunk))
        if len(chunks) == 2:
            with still.open("ab") as file:
                file.write(b"tail")
        return chunk

    monkeypatch.setattr(take, "_read", read_and_grow)
    with pytest.raises(InputError) as refused:
        take_copy(os.fsencode(still), look(still), media, max_file_bytes=LIMIT_BYTES)
    assert refused.value.reason is Reason.CHANGED_WHILE_READ
    assert len(chunks) > 2
    assert files_below(media) == []


def test_a_copy_that_differs_is_refused_and_removed(still: Path, media: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A medium that does not keep what was written to it: flip one bit between writing and reading back."""
    real = take._sha256

    def flip_then_hash(path: Path) -> str:
        raw = bytearray(path.read_bytes())
        raw[100] ^= 1
        path.write_bytes(raw)
        return real(path)

    monkeypatch.setattr(take, "_sha256", flip_then_hash)
    with pytest.raises(InputError) as refused:
        take_copy(os.fsencode(still), look(still), media, max_file_bytes=LIMIT_BYTES)
    assert refused.value.reason is Reason.COPY_FAILED
    assert files_below(media) == []


def test_a_full_disk_leaves_nothing_behind(still: Path, tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", 4) as disk:
        media = disk / "media"
        media.mkdir()
        filler = fill_disk(disk, leave_bytes=8192)
        with pytest.raises(DiskFullError):
            take_copy(os.fsencode(still), look(still), media, max_file_bytes=LIMIT_BYTES)
        assert files_below(media) == []
        filler.unlink()
        assert take_copy(os.fsencode(still), look(still), media, max_file_bytes=LIMIT_BYTES).sha256 == SHA256


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT])
def test_want_of_room_is_a_full_disk(still: Path, media: Path, monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    def refuse(*_: object) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "fsync", refuse)
    with pytest.raises(DiskFullError):
        take_copy(os.fsencode(still), look(still), media, max_file_bytes=LIMIT_BYTES)
    assert files_below(media) == []


def test_a_medium_that_fails_to_write_is_told(still: Path, media: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(os, "fsync", refuse)
    with pytest.raises(InputError) as refused:
        take_copy(os.fsencode(still), look(still), media, max_file_bytes=LIMIT_BYTES)
    assert refused.value.reason is Reason.COPY_FAILED
    assert files_below(media) == []


def test_a_file_that_is_too_large_is_not_read(still: Path) -> None:
    with pytest.raises(InputError) as refused:
        take_in_place(os.fsencode(still), look(still), max_file_bytes=len(CONTENT) - 1)
    assert refused.value.reason is Reason.TOO_MANY_BYTES


def test_a_file_that_is_gone_has_vanished(still: Path) -> None:
    seen = look(still)
    still.unlink()
    with pytest.raises(InputError) as refused:
        take_in_place(os.fsencode(still), seen, max_file_bytes=LIMIT_BYTES)
    assert refused.value.reason is Reason.VANISHED


@pytest.mark.parametrize("make", [os.mkfifo, lambda path: os.symlink("/etc/hostname", path)], ids=["pipe", "link"])
def test_what_was_put_in_place_of_a_file_is_not_followed(still: Path, make: object) -> None:
    """Between the look and the opening somebody swaps the file for a pipe or a link: neither blocks nor leads outside."""
    seen = look(still)
    still.unlink()
    make(still)  # type: ignore[operator]
    with pytest.raises(InputError) as refused:
        take_in_place(os.fsencode(still), seen, max_file_bytes=LIMIT_BYTES)
    assert refused.value.reason in (Reason.NOT_A_REGULAR_FILE, Reason.UNREADABLE_FILE)


@pytest.fixture
def locked_still() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        path = Path(folder) / "locked.jpg"
        path.write_bytes(CONTENT)
        path.chmod(0o000)
        yield path


def _take(path: Path) -> str:
    try:
        return take_in_place(os.fsencode(path), look(path), max_file_bytes=LIMIT_BYTES).sha256
    except InputError as error:
        return error.reason


def test_a_file_that_may_not_be_read_is_told(locked_still: Path) -> None:
    assert as_nobody(_take, locked_still) == Reason.UNREADABLE_FILE
    locked_still.chmod(0o644)
    assert as_nobody(_take, locked_still) == SHA256


def test_copies_that_a_kill_cut_short_are_swept(still: Path, media: Path) -> None:
    taken = take_copy(os.fsencode(still), look(still), media, max_file_bytes=LIMIT_BYTES)
    (media / ".4711-99.part").write_bytes(b"half")
    sweep_copies(media)
    assert taken.copy_path is not None
    assert files_below(media) == [f"{SHA256[:2]}/{SHA256}.jpg"]
    sweep_copies(media / "nothing")


PNG_HEAD = b"\x89PNG\r\n\x1a\n and so on"


def test_a_wrong_extension_is_the_fault_of_the_name(tmp_path: Path, media: Path) -> None:
    """The same content under its right name must not suffer for it, so this name gets no content."""
    wrong, right = tmp_path / "a.JPG", tmp_path / "a.png"
    for path in (wrong, right):
        path.write_bytes(PNG_HEAD)
    with pytest.raises(InputError) as refused:
        take_in_place(os.fsencode(wrong), look(wrong), max_file_bytes=LIMIT_BYTES)
    assert refused.value.reason is Reason.EXTENSION_MISMATCH
    with pytest.raises(InputError) as refused:
        take_copy(os.fsencode(wrong), look(wrong), media, max_file_bytes=LIMIT_BYTES)
    assert refused.value.reason is Reason.EXTENSION_MISMATCH
    assert files_below(media) == []
    assert take_in_place(os.fsencode(right), look(right), max_file_bytes=LIMIT_BYTES).sha256 == hashlib.sha256(PNG_HEAD).hexdigest()


@pytest.mark.parametrize("content", [b"\xff", b"BM", b"no picture at all", b"\x89PNG"])
def test_what_a_content_is_worth_is_not_judged_here(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.bmp"
    path.write_bytes(content)
    assert take_in_place(os.fsencode(path), look(path), max_file_bytes=LIMIT_BYTES).sha256 == hashlib.sha256(content).hexdigest()


def test_an_appliance_that_ends_leaves_half_a_copy_nowhere(still: Path, media: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor does it wait for the rest of a large file on a slow stick."""
    monkeypatch.setattr(take, "CHUNK_BYTES", 4096)
    asked: list[int] = []

    def stopping() -> bool:
        asked.append(1)
        return len(asked) > 2

    with pytest.raises(take.TakingStoppedError):
        take_copy(os.fsencode(still), look(still), media, max_file_bytes=LIMIT_BYTES, stopping=stopping)
    assert files_below(media) == []
    assert len(asked) == 3
    with pytest.raises(take.TakingStoppedError):
        take_in_place(os.fsencode(still), look(still), max_file_bytes=LIMIT_BYTES, stopping=stopping)
