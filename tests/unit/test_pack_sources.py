"""What a person may write for PACK."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from edge.errors import PackInvalidError
from models.pack_zip import zip_pack
from models.registry import Registry
from models.sources import open_pack
from tests.unit.pack_maker import make_pack


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    return Registry(tmp_path / "packs")


def test_a_folder_a_zip_and_a_name_mean_the_same_pack(tmp_path: Path, registry: Registry) -> None:
    pack = make_pack(tmp_path / "made")
    archive = zip_pack(pack.path, tmp_path / "made.zip")
    registry.install(pack.path)
    name, version = pack.manifest.name, pack.manifest.version
    for named, is_installed in ((str(pack.path), False), (str(archive), False), (name, True), (f"{name}@{version}", True)):
        with open_pack(named, registry, tmp_path / "none") as source:
            assert source.pack.manifest_sha256 == pack.manifest_sha256
            assert source.is_installed is is_installed
            unpacked = source.pack.path
    assert unpacked.is_relative_to(tmp_path / "packs")


def test_what_was_unpacked_goes_again(tmp_path: Path, registry: Registry) -> None:
    archive = zip_pack(make_pack(tmp_path / "made").path, tmp_path / "made.zip")
    with open_pack(str(archive), registry, tmp_path / "none") as source:
        unpacked = source.pack.path
        assert unpacked.is_dir()
    assert not unpacked.exists()


def test_a_bundled_pack_is_found_before_it_is_installed(tmp_path: Path, registry: Registry) -> None:
    pack = make_pack(tmp_path / "made")
    shutil.copytree(pack.path, tmp_path / "bundled" / pack.manifest.name)
    with open_pack(pack.manifest.name, registry, tmp_path / "bundled") as source:
        assert source.is_installed


@pytest.mark.parametrize("named", ["nothing", "../made", "nothing@1.0.0"])
def test_an_unknown_name_tells_what_there_is(tmp_path: Path, registry: Registry, named: str) -> None:
    pack = make_pack(tmp_path / "made")
    registry.install(pack.path)
    with pytest.raises(PackInvalidError, match="neither a pack folder") as caught, open_pack(named, registry, tmp_path / "none"):
        pass
    assert f"{pack.manifest.name}@{pack.manifest.version}" in caught.value.advice()
