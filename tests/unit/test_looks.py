"""Looking at folders: hostile names stay bytes, what cannot be read raises, links and pipes are never followed."""

from __future__ import annotations

import os
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.ingest.looks import is_wanted, is_watched_folder, look_at_file, look_at_folder
from tests.helpers.as_user import as_nobody
from tests.helpers.pieces import finish

STILLS = frozenset((b".jpg", b".png"))

HOSTILE_NAMES = {
    "newline": b"still\n1.jpg",
    "escape": b"\x1b[31mred.jpg",
    "right to left": "\u202egpj.live.jpg".encode(),
    "not utf-8": b"caf\xe9.jpg",
    "dots": b"a..%2f..%2fetc.jpg",
    "backslash": b"a\\..\\..\\etc.jpg",
    "quotes": b'\' OR "1"=1 --.jpg',
    "markup": b"<script>alert(1)<&>.jpg",
    "spreadsheet": b"=cmd|calc.jpg",
    "leading dash": b"-rf.jpg",
    "blanks": b"  .jpg",
    "255 bytes": b"n" * 251 + b".jpg",
    "capitals": b"STILL.JPG",
}


@pytest.mark.parametrize("name", HOSTILE_NAMES.values(), ids=HOSTILE_NAMES.keys())
def test_a_hostile_name_is_only_a_name(tmp_path: Path, name: bytes) -> None:
    folder = os.fsencode(tmp_path)
    with open(os.path.join(folder, name), "wb") as file:
        file.write(b"bytes")
    (seen,) = finish(look_at_folder(folder, STILLS)).files
    assert seen.name_bytes == name
    assert seen.size_bytes == 5
    assert seen.is_regular
    assert look_at_file(folder, name) == seen


@given(st.binary(min_size=1, max_size=40))
def test_no_name_breaks_the_choice(name: bytes) -> None:
    wanted = is_wanted(name, STILLS)
    assert not wanted or (not name.startswith(b".") and name.lower().endswith((b".jpg", b".png")))


@pytest.mark.parametrize(
    "name",
    [
        b".hidden.jpg",
        b"a.jpg.part",
        b"a.jpg.tmp",
        b"a.jpg~",
        b"a.jpg.filepart",
        b"a.jpg.crdownload",
        b".jpg",
        b"jpg",
        b"a.txt",
        b"a",
    ],
)
def test_hidden_temporary_and_foreign_names_are_not_taken(tmp_path: Path, name: bytes) -> None:
    folder = os.fsencode(tmp_path)
    with open(os.path.join(folder, name), "wb"):
        pass
    seen = finish(look_at_folder(folder, STILLS))
    assert seen.files == ()
    assert seen.ignored == 1


def test_hidden_and_system_folders_are_not_entered(tmp_path: Path) -> None:
    for name in (".Trash-0", "$RECYCLE.BIN", "System Volume Information", "lost+found", "tow 1"):
        (tmp_path / name).mkdir()
    assert finish(look_at_folder(os.fsencode(tmp_path), STILLS)).subfolders == (b"tow 1",)
    assert not is_watched_folder(b"$RECYCLE.BIN")


def test_files_come_in_the_order_of_their_names(tmp_path: Path) -> None:
    for name in ("c.jpg", "a.jpg", "b.PNG"):
        (tmp_path / name).touch()
    assert [seen.name_bytes for seen in finish(look_at_folder(os.fsencode(tmp_path), STILLS)).files] == [b"a.jpg", b"b.PNG", b"c.jpg"]


def test_links_pipes_and_sockets_are_seen_as_what_they_are(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret.jpg").write_bytes(b"secret")
    folder = tmp_path / "inbox"
    folder.mkdir()
    (folder / "link.jpg").symlink_to(outside / "secret.jpg")
    (folder / "dangling.jpg").symlink_to(outside / "nothing.jpg")
    (folder / "elsewhere").symlink_to(outside, target_is_directory=True)
    os.mkfifo(folder / "pipe.jpg")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(os.fspath(folder / "socket.jpg"))
        seen = finish(look_at_folder(os.fsencode(folder), STILLS))
    assert {look.name_bytes: look.is_regular for look in seen.files} == {
        b"dangling.jpg": False,
        b"link.jpg": False,
        b"pipe.jpg": False,
        b"socket.jpg": False,
    }
    assert seen.subfolders == (), "a linked folder leads out of the tree"


def test_a_missing_folder_raises(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        finish(look_at_folder(os.fsencode(tmp_path / "nothing"), STILLS))


def test_a_missing_file_is_none_and_one_below_a_file_too(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert look_at_file(os.fsencode(tmp_path), b"a.jpg") is None
    assert look_at_file(os.fsencode(tmp_path / "file"), b"a.jpg") is None


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that everybody may enter; pytest's own are closed to others."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


def _look_at(folder: bytes) -> str:
    try:
        return f"read: {len(finish(look_at_folder(folder, STILLS)).files)}"
    except OSError as error:
        return type(error).__name__


@pytest.mark.parametrize("mode", [0o000, 0o300, 0o600, 0o644])
def test_an_unreadable_folder_raises_and_is_never_empty(open_folder: Path, mode: int) -> None:
    """0o644 lists names but lets none be examined: that is no empty folder either."""
    folder = open_folder / "locked"
    folder.mkdir()
    (folder / "a.jpg").touch()
    folder.chmod(mode)
    assert as_nobody(_look_at, os.fsencode(folder)) == "PermissionError"
    folder.chmod(0o755)
    assert as_nobody(_look_at, os.fsencode(folder)) == "read: 1"
