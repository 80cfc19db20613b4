"""Packs that came with the program never stop a model that serves."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from edge.errors import PackInvalidError
from edge.pipeline.keeper import ModelKeeper
from edge.store.connection import DATABASE_NAME, migrate, open_writer
from edge.store.writer import Writer
from tests.unit.pack_maker import make_pack


@pytest.fixture
def keeper(tmp_path: Path) -> Iterator[ModelKeeper]:
    connection = open_writer(tmp_path / DATABASE_NAME)
    migrate(connection)
    connection.close()
    writer = Writer(tmp_path / DATABASE_NAME)
    writer.start()
    yield ModelKeeper(tmp_path, writer)
    writer.close()


def test_one_whose_version_is_installed_with_other_content_is_passed_over(keeper: ModelKeeper, tmp_path: Path) -> None:
    make_pack(tmp_path / "ours" / "tiny", title="Made on board")
    make_pack(tmp_path / "program" / "tiny", title="Came with the program")
    make_pack(tmp_path / "program" / "other", name="other")
    assert [row.title for row in keeper.install_bundled(tmp_path / "ours")] == ["Made on board"]
    assert [row.name for row in keeper.install_bundled(tmp_path / "program")] == ["other"], "the others are brought in all the same"


def test_one_that_is_damaged_and_missing_is_told(keeper: ModelKeeper, tmp_path: Path) -> None:
    pack = make_pack(tmp_path / "program" / "tiny")
    (pack.path / "model.onnx").write_bytes(b"cut")
    with pytest.raises(PackInvalidError, match=r"model\.onnx"):
        keeper.install_bundled(tmp_path / "program")
