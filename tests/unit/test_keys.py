"""Small secret files: kept, whole, and for nobody else."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from edge.errors import StoreError
from edge.store.keys import KEY_BYTES, read_or_make_key, write_private


def test_a_key_is_made_once_and_kept(tmp_path: Path) -> None:
    path = tmp_path / "keys" / "one.key"
    key = read_or_make_key(path)
    assert len(key) == KEY_BYTES
    assert read_or_make_key(path) == key
    assert read_or_make_key(tmp_path / "keys" / "another.key") != key
    assert sorted(one.name for one in path.parent.iterdir()) == ["another.key", "one.key"]


@pytest.mark.parametrize("content", [b"", b"short", b"x" * 33])
def test_a_key_that_is_not_whole_is_made_anew(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "one.key"
    path.write_bytes(content)
    key = read_or_make_key(path)
    assert len(key) == KEY_BYTES
    assert path.read_bytes() == key


@pytest.mark.skipif(os.name == "nt", reason="permissions of Windows are others")
def test_nobody_else_reads_it_whatever_lay_there(tmp_path: Path) -> None:
    path = tmp_path / "keys" / "one.key"
    write_private(path, b"first")
    path.chmod(0o644)
    leftover = path.with_name("one.key.part")
    leftover.write_bytes(b"of a power cut")
    leftover.chmod(0o666)
    write_private(path, b"second")
    assert path.read_bytes() == b"second"
    assert path.stat().st_mode & 0o777 == 0o600
    assert not leftover.exists()


def test_a_folder_that_cannot_be_used_is_told(tmp_path: Path) -> None:
    (tmp_path / "keys").write_text("a file in its place")
    with pytest.raises(StoreError, match="cannot be used"):
        read_or_make_key(tmp_path / "keys" / "one.key")
