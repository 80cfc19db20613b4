"""Seals: closed for whoever has no key, of a length that tells nothing, and opened again by a key that was lost and found."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.errors import StoreError
from edge.store.seal import COUNT_STEP_BYTES, KEY_NAME, Seal, open_seal

SUBJECT = "count/1"
KEY = bytes(range(32))


@given(content=st.binary(max_size=4096), step_bytes=st.sampled_from([1, 64, 1000]))
def test_what_is_sealed_opens_to_the_same_bytes(content: bytes, step_bytes: int) -> None:
    sealed = Seal(KEY).close(content, SUBJECT, step_bytes=step_bytes)
    assert Seal(KEY).open(sealed, SUBJECT) == content
    assert len(content) < 4 or content not in sealed


def test_the_length_tells_nothing() -> None:
    lengths = {len(Seal(KEY).close(b"x" * n, SUBJECT, step_bytes=COUNT_STEP_BYTES)) for n in (0, 1, 30_000, COUNT_STEP_BYTES - 8)}
    assert len(lengths) == 1


@pytest.mark.parametrize("at", [0, 8, 20, -1])
def test_a_changed_byte_is_damage(at: int) -> None:
    sealed = bytearray(Seal(KEY).close(b"37", SUBJECT, step_bytes=64))
    sealed[at] ^= 1
    with pytest.raises(StoreError):
        Seal(KEY).open(bytes(sealed), SUBJECT)


def test_a_seal_of_something_else_does_not_open() -> None:
    sealed = Seal(KEY).close(b"37", SUBJECT, step_bytes=64)
    with pytest.raises(StoreError, match="does not open"):
        Seal(KEY).open(sealed, "count/2")


def test_a_key_that_was_lost_and_found_opens_its_seals_beside_the_new_one(tmp_path: Path) -> None:
    before = open_seal(tmp_path).close(b"before", SUBJECT, step_bytes=64)
    kept = (tmp_path / KEY_NAME).read_bytes()
    (tmp_path / KEY_NAME).unlink()
    after = open_seal(tmp_path).close(b"after", SUBJECT, step_bytes=64)
    with pytest.raises(StoreError, match="the key of the seal of count/1 is not in this home folder") as refused:
        open_seal(tmp_path).open(before, SUBJECT)
    assert "seal-old.key" in refused.value.advice()
    (tmp_path / KEY_NAME).with_name("seal-old.key").write_bytes(kept)
    found = open_seal(tmp_path)
    assert (found.open(before, SUBJECT), found.open(after, SUBJECT)) == (b"before", b"after")


def test_the_key_is_for_its_owner_only(tmp_path: Path) -> None:
    open_seal(tmp_path)
    assert stat.S_IMODE((tmp_path / KEY_NAME).stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / KEY_NAME).parent.stat().st_mode) == 0o700


@pytest.mark.parametrize("text", ["", "no key", "00" * 32, f"{'00' * 32} 12345678", "é"])
def test_a_damaged_key_is_told_and_not_replaced(tmp_path: Path, text: str) -> None:
    open_seal(tmp_path)
    (tmp_path / KEY_NAME).write_text(text, encoding="utf-8")
    with pytest.raises(StoreError, match="is damaged"):
        open_seal(tmp_path)
    assert (tmp_path / KEY_NAME).read_text(encoding="utf-8") == text
