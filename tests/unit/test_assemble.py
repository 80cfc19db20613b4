"""A pack made from another pack."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge.errors import PackInvalidError
from models.assemble import PackExistsError, assemble_pack, draft_of
from models.pack import verify_pack
from tests.unit.pack_maker import make_pack


def test_the_next_version_of_a_pack_is_whole(tmp_path: Path) -> None:
    first = make_pack(tmp_path / "first")
    note = tmp_path / "report.html"
    note.write_text("<p>tried</p>")
    draft, files = draft_of(first)
    second = assemble_pack(
        tmp_path / "second", {**draft, "version": "1.0.1", "documents": ["docs/report.html"]}, files | {"docs/report.html": note}
    )
    verify_pack(second.path)
    assert second.manifest.variants == first.manifest.variants
    assert [file.path for file in second.manifest.documents] == ["docs/report.html"]
    assert verify_pack(first.path) == first


def test_a_refused_draft_leaves_nothing(tmp_path: Path) -> None:
    draft, files = draft_of(make_pack(tmp_path / "first"))
    with pytest.raises(PackInvalidError):
        assemble_pack(tmp_path / "second", draft | {"version": "next"}, files)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["first"]


def test_what_is_there_is_not_overwritten(tmp_path: Path) -> None:
    draft, files = draft_of(make_pack(tmp_path / "first"))
    (tmp_path / "second").mkdir()
    with pytest.raises(PackExistsError):
        assemble_pack(tmp_path / "second", draft, files)
