"""The files of an export and what tells about them: all or none, and never over what somebody made."""

from __future__ import annotations

import errno
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from edge.errors import DiskFullError, ExportRefusedError, SettingsError
from edge.export.zooscan.place import put_files

OF = {"scan_uuid": "1", "format": "csv"}


def _writer(text: str) -> Callable[[Path], object]:
    return lambda path: path.write_text(text)


def _put(folder: Path, first: str, second: str, of: dict[str, str] | None = None) -> dict[str, str]:
    return put_files(folder, "told.json", {"a.csv": _writer(first), "b.csv": _writer(second)}, told={"objects": 2}, of=of or OF)


def _files(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in folder.iterdir() if path.suffix == ".csv"}


def test_the_text_beside_the_files_names_their_hashes(tmp_path: Path) -> None:
    hashes = _put(tmp_path / "deep" / "out", "1", "2")
    told = json.loads((tmp_path / "deep" / "out" / "told.json").read_text())
    assert {name: file["sha256"] for name, file in told["files"].items()} == hashes
    assert (told["objects"], told["of"]) == (2, OF)


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (OSError(errno.ENOSPC, "full"), DiskFullError),
        (OSError(errno.EACCES, "no"), SettingsError),
        (ExportRefusedError("no"), ExportRefusedError),
        (KeyboardInterrupt(), KeyboardInterrupt),
    ],
)
def test_a_file_that_fails_leaves_everything_as_it_was(tmp_path: Path, error: BaseException, told: type[BaseException]) -> None:
    def fails(path: Path) -> None:
        path.write_text("half")
        raise error

    _put(tmp_path, "old 1", "old 2")
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    with pytest.raises(told):
        put_files(tmp_path, "told.json", {"a.csv": _writer("new"), "b.csv": fails}, told={}, of=OF)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_an_untouched_export_is_replaced_and_a_changed_one_is_not(tmp_path: Path) -> None:
    _put(tmp_path, "old 1", "old 2")
    _put(tmp_path, "new 1", "new 2")
    assert _files(tmp_path) == {"a.csv": "new 1", "b.csv": "new 2"}
    (tmp_path / "b.csv").write_text("corrected by hand")
    with pytest.raises(SettingsError, match="would be lost"):
        _put(tmp_path, "newer 1", "newer 2")
    assert _files(tmp_path) == {"a.csv": "new 1", "b.csv": "corrected by hand"}


def test_an_export_of_something_else_is_not_replaced(tmp_path: Path) -> None:
    _put(tmp_path, "1", "2")
    with pytest.raises(SettingsError, match="would be lost"):
        _put(tmp_path, "3", "4", {**OF, "scan_uuid": "2"})


@pytest.mark.parametrize("placed", [0, 1, 2])
def test_after_a_power_cut_between_two_files_the_next_export_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, placed: int) -> None:
    _put(tmp_path, "old 1", "old 2")
    moves: list[Path] = []
    replace = Path.replace

    def dying(self: Path, target: Path) -> Path:
        if len(moves) == placed:
            raise KeyboardInterrupt
        moves.append(target)
        return replace(self, target)

    with monkeypatch.context() as patched:
        patched.setattr(Path, "replace", dying)
        with pytest.raises(KeyboardInterrupt):
            _put(tmp_path, "new 1", "new 2")
    _put(tmp_path, "newer 1", "newer 2")
    assert _files(tmp_path) == {"a.csv": "newer 1", "b.csv": "newer 2"}


def test_a_folder_that_is_watched_or_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="watched folder"):
        put_files(tmp_path / "in" / "out", "told.json", {}, told={}, of=OF, watched=[tmp_path / "in"])
    (tmp_path / "file").write_text("x")
    with pytest.raises(SettingsError, match="is not a folder"):
        put_files(tmp_path / "file", "told.json", {}, told={}, of=OF)


_KILLED = """
import os, sys
from pathlib import Path
from edge.export.zooscan.place import put_files
def die(path):
    path.write_text("half")
    os._exit(9)
put_files(Path(sys.argv[1]), "told.json", {"a.csv": die}, told={}, of={})
"""


def test_what_a_killed_export_left_is_taken_away_by_the_next(tmp_path: Path) -> None:
    assert subprocess.run([sys.executable, "-c", _KILLED, str(tmp_path)], check=False).returncode == 9
    (left,) = tmp_path.iterdir()
    assert (left / "a.csv").read_text() == "half"
    other = tmp_path / ".notes.part"
    other.mkdir()

    def meanwhile(path: Path) -> None:
        path.write_text("1")
        _put(tmp_path, "1", "2")  # another export into the same folder does not take this one's away
        assert path.read_text() == "1"

    put_files(tmp_path, "told.json", {"a.csv": meanwhile, "b.csv": _writer("2")}, told={"objects": 2}, of=OF)
    assert {path.name for path in tmp_path.iterdir()} == {"a.csv", "b.csv", "told.json", ".notes.part"}
