"""A pack as others get it: folder, zip, checksums and the catalogue's description."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import zipfile
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st
from typer.testing import CliRunner, Result

from edge.cli import app
from edge.errors import DiskFullError
from edge.pipeline.keeper import BUNDLED_PACKS
from models.assemble import PackExistsError, assemble_pack, draft_of
from models.pack import read_pack, verify_pack
from models.publish import bundle
from models.publish.ai4 import Facts, describe, faults, licence_id
from models.publish.bundle import DescriptionError, LicenceUnknownError, publish
from models.publish.yaml_text import to_yaml
from tests.unit.pack_maker import make_pack

STARTER = BUNDLED_PACKS / "burrow-openings-starter"
SOURCE = "https://example.org/code"
DAY = date(2026, 11, 21)


def facts(**changes: Any) -> Facts:
    fields: dict[str, Any] = {"links": {"source_code": SOURCE}, "created": DAY, "updated": DAY}
    return Facts(**fields | changes)


def run_cli(home: Path, *words: str) -> Result:
    return CliRunner().invoke(app, ["--home", str(home), *words])


def description(**changes: Any) -> dict[str, Any]:
    pack = read_pack(STARTER)
    return describe(pack.manifest, pack.file_path(pack.manifest.card).read_text(encoding="utf-8"), facts()) | changes


def test_a_pack_is_published_whole(tmp_path: Path) -> None:
    pack = make_pack(tmp_path / "pack")
    done = publish(pack, tmp_path / "out" / "tiny", facts())
    assert sorted(path.name for path in done.folder.iterdir()) == ["SHA256SUMS", "ai4-metadata.yml", "tiny-1.0.0", "tiny-1.0.0.zip"]
    assert verify_pack(done.pack_dir).manifest_sha256 == pack.manifest_sha256
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["tiny"]


def test_checksums_hold_and_cover_every_file(tmp_path: Path) -> None:
    done = publish(make_pack(tmp_path / "pack"), tmp_path / "out", facts())
    listed = {}
    for line in done.sums_path.read_text().splitlines():
        sha256, name = line.split("  ", 1)
        listed[name] = sha256
    there = {path.relative_to(done.folder).as_posix() for path in done.folder.rglob("*") if path.is_file()} - {"SHA256SUMS"}
    assert set(listed) == there
    assert all(hashlib.sha256((done.folder / name).read_bytes()).hexdigest() == sha256 for name, sha256 in listed.items())
    if tool := shutil.which("sha256sum"):
        subprocess.run([tool, "--check", "--strict", "SHA256SUMS"], cwd=done.folder, check=True, capture_output=True)


def test_the_zip_is_the_same_each_time(tmp_path: Path) -> None:
    pack = make_pack(tmp_path / "pack")
    first, second = publish(pack, tmp_path / "a", facts()), publish(pack, tmp_path / "b", facts(updated=date(2027, 1, 1)))
    assert first.zip_sha256 == second.zip_sha256
    with zipfile.ZipFile(first.zip_path) as archive:
        assert "ai4-metadata.yml" not in archive.namelist()  # a pack holds only what its manifest lists


def test_the_starters_description_is_valid_and_says_what_it_is() -> None:
    metadata = description()
    assert faults(metadata) == []
    assert metadata["license"] == "AGPL-3.0-only"
    assert metadata["summary"].startswith("Finds burrow openings")
    assert "burrow opening (AphiaID 107254)" in metadata["description"]
    assert "Rendered scenes only" in metadata["description"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"summary": ""}, "summary is missing"),
        ({"tags": []}, "tags is missing"),
        ({"links": {}}, "links is missing"),
        ({"links": {"weights": SOURCE}}, "links.source_code is missing"),
        ({"links": {"source_code": "here"}}, "links.source_code is no web address: 'here'"),
        ({"tasks": ["Object Detection"]}, "tasks holds 'Object Detection', which the schema does not know"),
        ({"libraries": ["PyTorch", "PyTorch"]}, "libraries holds something twice"),
        ({"categories": "AI4 inference"}, "categories is no list of texts"),
        ({"metadata_version": "1.0.0"}, "metadata_version is no version 2 of the schema"),
        ({"dates": {"created": "yesterday", "updated": "2026-11-21"}}, "dates.created is no day such as 2026-11-21"),
        ({"doi": "https://doi.org/10.5281/zenodo.1"}, "doi is no DOI"),
        ({"keywords": ["a"]}, "keywords belongs to version 1"),
        ({"resources": {"inference": {"cpu": 0.5}}}, "resources.inference.cpu is no count"),
        ({"title": 7}, "title is no text"),
    ],
)
def test_what_the_schema_refuses_is_found(changes: dict[str, Any], message: str) -> None:
    assert [fault for fault in faults(description(**changes)) if fault.startswith(message)]


@pytest.mark.parametrize(
    ("text", "spdx"),
    [
        ("AGPL-3.0-only (claimed by the vendor)", "AGPL-3.0-only"),
        ("Apache-2.0", "Apache-2.0"),
        ("CC-BY-NC-SA-4.0", "CC-BY-NC-SA-4.0"),
        ("MIT-like", "MIT"),
        ("not stated", None),
        ("MITRE", None),
        ("unknown", None),
    ],
)
def test_licences_are_known_by_their_identifier(text: str, spdx: str | None) -> None:
    assert licence_id(text) == spdx


def test_a_pack_without_a_licence_is_not_given_away(tmp_path: Path) -> None:
    pack = make_pack(tmp_path / "pack", licence="the file does not say")
    with pytest.raises(LicenceUnknownError):
        publish(pack, tmp_path / "out", facts())
    assert not (tmp_path / "out").exists()
    done = publish(pack, tmp_path / "out", facts(licence="CC-BY-4.0"))
    assert yaml.safe_load(done.metadata_path.read_text(encoding="utf-8"))["license"] == "CC-BY-4.0"


def test_nothing_is_left_of_a_refusal(tmp_path: Path) -> None:
    pack = make_pack(tmp_path / "pack")
    with pytest.raises(DescriptionError, match="no web address"):
        publish(pack, tmp_path / "out", facts(links={"source_code": "here"}))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["pack"]


def test_nothing_is_left_of_a_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pack = make_pack(tmp_path / "pack")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(bundle, "zip_pack", full)
    with pytest.raises(DiskFullError):
        publish(pack, tmp_path / "out", facts())
    assert sorted(path.name for path in tmp_path.iterdir()) == ["pack"]


def test_what_is_there_is_not_overwritten(tmp_path: Path) -> None:
    pack = make_pack(tmp_path / "pack")
    (tmp_path / "out").mkdir()
    with pytest.raises(PackExistsError):
        publish(pack, tmp_path / "out", facts())


def test_a_training_is_told_as_provenance(tmp_path: Path) -> None:
    record = {
        "ended_utc": "2026-11-20T23:59:00+00:00",
        "base": {"named": "starter@1.0.0", "manifest_sha256": "a" * 64},
        "dataset": {"name": "stills", "sha256": "b" * 64},
    }
    (tmp_path / "experiment.json").write_text(json.dumps(record))
    draft, files = draft_of(make_pack(tmp_path / "plain"))
    name = "training/experiment.json"
    pack = assemble_pack(tmp_path / "pack", {**draft, "documents": [name]}, files | {name: tmp_path / "experiment.json"})
    told = yaml.safe_load(publish(pack, tmp_path / "out", facts()).metadata_path.read_text(encoding="utf-8"))
    assert (told["provenance"]["base"], told["provenance"]["dataset_sha256"]) == ("starter@1.0.0", "b" * 64)
    assert "Transfer Learning" in told["tasks"]
    assert bundle.training_day(record) == date(2026, 11, 20)


def test_yaml_reads_back() -> None:
    assert yaml.safe_load(to_yaml(description())) == description()


_texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
_tables = st.dictionaries(
    _texts.filter(bool), _texts | st.integers() | st.booleans() | st.none() | st.lists(_texts | st.integers()), max_size=5
)


@example(table={"\x85": "a\x85b", "two": "lines\nand\u2028more"})
@given(table=_tables)
def test_any_text_survives_yaml(table: dict[str, Any]) -> None:
    assert yaml.safe_load(to_yaml({"outer": table, "list": [*table]})) == {"outer": table, "list": [*table]}


def test_the_command_publishes_the_bundled_pack(tmp_path: Path) -> None:
    out = tmp_path / "out"
    run = run_cli(tmp_path / "home", "models", "publish", "burrow-openings-starter", "--source-code", SOURCE, "--out", str(out), "--json")
    assert run.exit_code == 0, run.output
    answer = json.loads(run.stdout.splitlines()[-1])
    published = out / f"burrow-openings-starter-{read_pack(STARTER).manifest.version}.zip"
    assert answer["zip_sha256"] == hashlib.sha256(published.read_bytes()).hexdigest()


@pytest.mark.parametrize(
    ("options", "code"),
    [(["--link", "nonsense"], "settings_invalid"), (["--created", "monday"], "settings_invalid"), (["--doi", "x"], "description_invalid")],
)
def test_the_command_refuses_what_it_cannot_use(tmp_path: Path, options: list[str], code: str) -> None:
    out = ["--out", str(tmp_path / "out"), "--json"]
    run = run_cli(tmp_path / "home", "models", "publish", "burrow-openings-starter", "--source-code", SOURCE, *options, *out)
    assert (run.exit_code, json.loads(run.stdout.splitlines()[-1])["error"]["code"]) == (2, code)
    assert not (tmp_path / "out").exists()
