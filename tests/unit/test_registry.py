from __future__ import annotations

import stat
import warnings
import zipfile
from pathlib import Path

import pytest

from edge.errors import PackInvalidError, StoreError
from models.pack_zip import MAX_ENTRIES, unpack_zip, zip_pack
from models.registry import Registry
from tests.unit.pack_maker import make_pack


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    return Registry(tmp_path / "packs")


def test_a_folder_is_installed_listed_and_got(tmp_path: Path, registry: Registry) -> None:
    make_pack(tmp_path / "source")
    pack = registry.install(tmp_path / "source")
    assert pack.path == tmp_path / "packs" / "tiny" / "1.0.0"
    assert registry.list() == (pack,)
    assert registry.get("tiny") == registry.get("tiny", "1.0.0") == registry.verify("tiny", "1.0.0") == pack
    assert registry.broken() == ()


def test_a_zip_gives_the_same_pack_as_its_folder(tmp_path: Path, registry: Registry) -> None:
    made = make_pack(tmp_path / "source")
    archive = zip_pack(tmp_path / "source", tmp_path / "tiny.zip")
    assert registry.install(archive).manifest_sha256 == made.manifest_sha256
    assert registry.install(tmp_path / "source").path == registry.install(archive).path


def test_zipping_twice_gives_the_same_bytes(tmp_path: Path) -> None:
    make_pack(tmp_path / "a")
    make_pack(tmp_path / "b")
    assert zip_pack(tmp_path / "a", tmp_path / "a.zip").read_bytes() == zip_pack(tmp_path / "b", tmp_path / "b.zip").read_bytes()


def test_a_bad_source_leaves_nothing_behind(tmp_path: Path, registry: Registry) -> None:
    make_pack(tmp_path / "source")
    (tmp_path / "source" / "model.onnx").write_bytes(b"other")
    with pytest.raises(PackInvalidError):
        registry.install(tmp_path / "source")
    assert registry.list() == ()
    assert list((tmp_path / "packs").iterdir()) == []


def test_the_same_version_with_other_content_is_refused_and_the_first_stays(tmp_path: Path, registry: Registry) -> None:
    first = registry.install(make_pack(tmp_path / "one").path)
    with pytest.raises(PackInvalidError, match="already installed with other content"):
        registry.install(make_pack(tmp_path / "two", title="Another").path)
    assert registry.list() == (first,)


def test_a_damaged_installed_pack_is_seen_and_replaced_by_a_sound_one(tmp_path: Path, registry: Registry) -> None:
    make_pack(tmp_path / "source")
    pack = registry.install(tmp_path / "source")
    (pack.path / "model.onnx").write_bytes(b"bit rot")
    with pytest.raises(PackInvalidError):
        registry.verify("tiny", "1.0.0")
    assert registry.install(tmp_path / "source") == pack
    assert registry.verify("tiny", "1.0.0") == pack


def test_a_folder_that_is_no_pack_is_reported_not_hidden(tmp_path: Path, registry: Registry) -> None:
    registry.install(make_pack(tmp_path / "source").path)
    (registry.packs_dir / "tiny" / "0.9.0").mkdir()
    (registry.packs_dir / "tiny" / "1.0.0").rename(registry.packs_dir / "tiny" / "1.0.1")
    assert registry.list() == ()
    assert [broken.path.name for broken in registry.broken()] == ["0.9.0", "1.0.1"]
    assert "its manifest says tiny 1.0.0" in registry.broken()[1].reason


def test_newest_version_first_and_all_but_two_are_pruned(tmp_path: Path, registry: Registry) -> None:
    versions = ["1.10.0", "1.9.0", "1.10.0-rc1", "1.10.0.1", "0.99.0", "1.10.0-rc10"]
    for version in versions:
        registry.install(make_pack(tmp_path / version, version=version).path)
    ordered = [pack.manifest.version for pack in registry.list()]
    assert ordered == ["1.10.0.1", "1.10.0", "1.10.0-rc10", "1.10.0-rc1", "1.9.0", "0.99.0"]
    removed = registry.prune("tiny", in_use={"0.99.0"})
    assert [pack.manifest.version for pack in removed] == ["1.10.0-rc10", "1.10.0-rc1", "1.9.0"]
    assert [pack.manifest.version for pack in registry.list()] == ["1.10.0.1", "1.10.0", "0.99.0"]
    assert registry.get("tiny").manifest.version == "1.10.0.1"


def test_sweep_removes_what_an_interruption_left(tmp_path: Path, registry: Registry) -> None:
    registry.install(make_pack(tmp_path / "source").path)
    (registry.packs_dir / ".incoming-0" / "x").mkdir(parents=True)
    (registry.packs_dir / ".removed-1").mkdir()
    assert len(registry.list()) == 1
    registry.sweep()
    assert sorted(path.name for path in registry.packs_dir.iterdir()) == ["tiny"]


@pytest.mark.parametrize("version", ["..", "../../etc", "1.0.0/..", "", "A"])
def test_a_version_never_becomes_a_path(registry: Registry, version: str) -> None:
    with pytest.raises(PackInvalidError):
        registry.get("tiny", version)


def test_what_is_not_installed_is_an_error(registry: Registry) -> None:
    with pytest.raises(PackInvalidError, match="no pack named 'tiny'"):
        registry.get("tiny")
    with pytest.raises(PackInvalidError):
        registry.install(registry.packs_dir / "nowhere")


def test_a_packs_folder_that_cannot_be_made_is_a_store_error(tmp_path: Path) -> None:
    make_pack(tmp_path / "source")
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StoreError):
        Registry(tmp_path / "file" / "packs").install(tmp_path / "source")


def zip_of(path: Path, entries: list[tuple[zipfile.ZipInfo | str, bytes]]) -> Path:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # zipfile warns of the doubles that a test wants
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, data in entries:
                archive.writestr(name, data)
    return path


def link(name: str) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name)
    entry.external_attr = (stat.S_IFLNK | 0o777) << 16
    return entry


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ([("../evil", b"x")], "outside its folder"),
        ([("/etc/evil", b"x")], "outside its folder"),
        ([("a/../../evil", b"x")], "outside its folder"),
        ([("C:/evil", b"x")], "outside its folder"),
        ([("a\\evil", b"x")], "outside its folder"),
        ([(link("evil"), b"/etc/passwd")], "a link or a device"),
        ([("a", b"x"), ("A", b"y")], "twice"),
        ([("a", b"x"), ("a/b", b"y")], "not a sound zip"),
        ([("bomb", bytes(10_000_000))], "times its size"),
        ([(f"f{number}", b"x") for number in range(MAX_ENTRIES + 1)], "more than 2000"),
    ],
)
def test_a_hostile_zip_is_refused(tmp_path: Path, entries: list[tuple[zipfile.ZipInfo | str, bytes]], message: str) -> None:
    (tmp_path / "out").mkdir()
    with pytest.raises(PackInvalidError, match=message):
        unpack_zip(zip_of(tmp_path / "evil.zip", entries), tmp_path / "out")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["evil.zip", "out"]


def test_a_cut_or_changed_zip_is_refused(tmp_path: Path, registry: Registry) -> None:
    make_pack(tmp_path / "source")
    data = zip_pack(tmp_path / "source", tmp_path / "tiny.zip").read_bytes()
    for number, bad in enumerate((data[:-30], data[: len(data) // 2], data.replace(b"# Tiny", b"# Tony", 1)[::-1], b"")):
        path = tmp_path / f"bad{number}.zip"
        path.write_bytes(bad)
        with pytest.raises(PackInvalidError):
            registry.install(path)
    assert list(registry.packs_dir.iterdir()) == []


def test_a_zip_that_lies_about_a_size_is_refused(tmp_path: Path) -> None:
    archive = zip_of(tmp_path / "a.zip", [("a", b"0123456789" * 50)])
    data = bytearray(archive.read_bytes())
    central = data.rindex(b"PK\x01\x02")
    data[central + 24 : central + 28] = (7).to_bytes(4, "little")  # the declared size
    archive.write_bytes(data)
    (tmp_path / "out").mkdir()
    with pytest.raises(PackInvalidError):
        unpack_zip(archive, tmp_path / "out")
