"""The ship's part as its people do it: trust a root, look at what is offered, install it, let it serve; with the real proofs."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from edge.cli import app
from edge.errors import ModelError
from edge.pipeline.keeper import ModelKeeper
from edge.store import packs
from edge.store.open import open_store
from edge.store.writer import Writer
from models.pack import Pack
from models.registry import Registry
from sync.updates.client import Aboard, bring, install, let_serve, trust
from sync.updates.errors import UpdateRolledBackError
from sync.updates.places import places_of
from tests.helpers.tiny_home import make_tiny_home, query
from tests.simulators.shore import FIGURES, Shore
from tests.unit import tiny_models
from tests.unit.tiny_models import make_tiny_pack

LABELS = ("red", "green", "blue")


def real_pack(folder: Path, version: str, **changes: Any) -> Pack:
    """The tiny detector, with figures."""
    variants = [{"name": "onnx-fp32", "runtime": "onnxruntime", "precision": "fp32", "files": ["model.onnx"], "metrics": FIGURES}]
    return make_tiny_pack(folder, name="tiny-burrows", version=version, ir=False, variants=variants, metrics=FIGURES, **changes)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """tiny-burrows 1.0.0 serves burrows here."""
    make_tiny_home(tmp_path / "home", tmp_path / "first", ir=False)
    return tmp_path / "home"


@pytest.fixture
def writer(home: Path) -> Iterator[Writer]:
    writer = open_store(home, on_commit=lambda: None)
    yield writer
    writer.close()


def run(home: Path, *words: object, code: int = 0) -> Any:
    result = CliRunner().invoke(app, ["--home", str(home), *map(str, words), "--json"])
    assert result.exit_code == code, result.output
    return json.loads(result.stdout.splitlines()[-1])


def test_from_the_stick_to_the_recipe(home: Path, tmp_path: Path) -> None:
    shore = Shore(tmp_path / "repo")
    shore.publish(real_pack(tmp_path / "1.1.0", "1.1.0").path)
    stick = shore.copy(tmp_path / "stick")
    root = tmp_path / "root.json"
    root.write_bytes(shore.root)

    assert run(home, "sync", "updates", "--from", stick, code=2)["error"]["code"] == "no_trusted_root"
    assert len(run(home, "sync", "trust", root)["sha256"]) == 64
    told = run(home, "sync", "updates", "--from", stick)
    (offered,) = told["offers"]
    assert (offered["state"], offered["offer"]["metrics"], offered["offer"]["card"]) == ("new", FIGURES, "# Tiny\n")
    done = run(home, "sync", "install", "tiny-burrows", "1.1.0", "--from", stick, "--serve", "burrows")
    assert done == {"name": "tiny-burrows", "version": "1.1.0", "serves": "burrows"}

    assert query(home, "SELECT version FROM models AS m JOIN active_models AS a ON a.model_id = m.id") == [("1.1.0",)]
    assert query(home, "SELECT version FROM models WHERE name = 'tiny-burrows' AND removed_utc IS NULL ORDER BY 1") == [
        ("1.0.0",),
        ("1.1.0",),
    ]
    assert query(home, "SELECT action FROM audit WHERE subject LIKE '%tiny-burrows@1.1.0' OR subject = 'updates' ORDER BY id") == [
        ("updates_trust",),
        ("update_installed",),
    ]
    shutil.rmtree(stick)
    gone = CliRunner().invoke(app, ["--home", str(home), "sync", "updates", "--from", str(stick), "--json"])
    assert gone.exit_code == 6
    after = json.loads(gone.stdout)
    assert (after["trouble"]["code"], [one["state"] for one in after["offers"]]) == ("link_down", ["serves"])
    assert run(home, "sync", "updates", "--remembered")["offers"] == after["offers"]


def test_a_file_that_is_no_root_is_not_trusted(home: Path, tmp_path: Path) -> None:
    shore = Shore(tmp_path / "repo")
    for name in ("timestamp.json", "1.targets.json"):
        assert run(home, "sync", "trust", shore.repository.metadata / name, code=6)["error"]["code"] == "updates_untrusted"
    forged = json.loads(shore.root)
    forged["signed"]["roles"]["timestamp"]["threshold"] = 2
    (tmp_path / "forged.json").write_text(json.dumps(forged))
    assert run(home, "sync", "trust", tmp_path / "forged.json", code=6)["error"]["code"] == "updates_untrusted"
    assert run(home, "sync", "trust", tmp_path / "none.json", code=2)["error"]["code"] == "settings_invalid"
    assert not places_of(home).root.exists()


def test_a_model_that_does_not_work_here_is_not_installed(writer: Writer, home: Path, tmp_path: Path) -> None:
    shore = Shore(tmp_path / "repo")
    shore.publish(real_pack(tmp_path / "bad", "1.1.0", onnx=tiny_models.detector_onnx(factor=float("nan"))).path)
    trust(home, writer, shore.root, actor="test")
    aboard, keeper = Aboard(home=home, writer=writer, source=str(shore.public)), ModelKeeper(home, writer)
    with pytest.raises(ModelError, match=r"no variant of tiny-burrows@1\.1\.0 works"):
        install(aboard, bring(aboard, "tiny-burrows", "1.1.0"), keeper, actor="test")
    assert list(places_of(home).staged.iterdir()) == []
    assert not (home / "packs" / "tiny-burrows" / "1.1.0").exists()
    assert query(home, "SELECT action, subject FROM audit ORDER BY id DESC LIMIT 1") == [("update_refused", "model/tiny-burrows@1.1.0")]
    active = writer.call(lambda connection: packs.active_pack(connection, "burrows"))
    assert active is not None
    assert active.version == "1.0.0"


def test_an_older_version_that_was_insisted_on_stays_and_is_rolled_back_when_it_fails_in_place(
    writer: Writer, home: Path, tmp_path: Path
) -> None:
    """Of a name the newest two are kept, and what was just installed. It was sound then, and damaged when it served: a disk can do that."""
    for version in ("1.1.0", "1.2.0"):
        Registry(home / "packs").install(real_pack(tmp_path / version, version).path)
    shore = Shore(tmp_path / "repo")
    shore.publish(real_pack(tmp_path / "old", "0.9.0").path)
    trust(home, writer, shore.root, actor="test")
    aboard, keeper = Aboard(home=home, writer=writer, source=str(shore.public)), ModelKeeper(home, writer)
    row = install(aboard, bring(aboard, "tiny-burrows", "0.9.0", downgrade=True), keeper, actor="test")
    assert sorted(path.name for path in (home / "packs" / "tiny-burrows").iterdir()) == ["0.9.0", "1.0.0", "1.1.0", "1.2.0"]

    def activate() -> None:
        keeper.activate("burrows", row.name, row.version, tasks=["detect"], labels=LABELS, actor="test")
        (row.pack_path / "model.onnx").write_bytes(b"damaged")

    def roll_back() -> None:
        keeper.roll_back("burrows", actor="test")

    with pytest.raises(UpdateRolledBackError, match="failed its test in place"):
        let_serve(row, keeper, activate=activate, roll_back=roll_back, writer=writer, actor="test")
    active = writer.call(lambda connection: packs.active_pack(connection, "burrows"))
    assert active is not None
    assert active.version == "1.0.0"
    assert query(home, "SELECT action FROM audit ORDER BY id DESC LIMIT 4") == [
        ("update_rolled_back",),
        ("model_rollback",),
        ("model_activate",),
        ("update_downgraded",),
    ]
