"""The shore manager's part: keys of several people on several machines, a file that is carried between them, packs that go to ships."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from edge.cli import app
from edge.commands.shore_common import PASSPHRASE_VARIABLE
from models.pack_zip import zip_pack
from tests.simulators.shore import measured_pack

HOLDERS = {
    "root": ("anna", "bruno", "carla"),
    "targets": ("dora", "emil"),
    "models": ("fritz",),
    "snapshot": ("desk",),
    "timestamp": ("timer",),
}
PASSPHRASE = "correct horse"


def run(*words: object, code: int = 0) -> Any:
    result = CliRunner().invoke(app, [*map(str, words), "--json"])
    assert result.exit_code == code, result.output
    return json.loads(result.stdout.splitlines()[-1])


def error(*words: object, code: int = 2) -> str:
    return str(run(*words, code=code)["error"]["message"])


@pytest.fixture
def safe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The keys of everybody."""
    monkeypatch.setenv(PASSPHRASE_VARIABLE, PASSPHRASE)
    folder = tmp_path / "safe"
    folder.mkdir()
    for holders in HOLDERS.values():
        for holder in holders:
            run("shore", "key", folder / holder)
    return folder


@pytest.fixture
def repository(tmp_path: Path, safe: Path) -> Path:
    """Made, and not signed by anybody."""
    folder = tmp_path / "repository"
    made = run("shore", "init", folder, *public(safe))
    assert [(one["role"], one["missing"]) for one in made["waiting"]] == [("root", 2), ("targets", 2), ("models", 1)]
    return folder


@pytest.fixture
def live(repository: Path, safe: Path) -> Path:
    run("shore", "sign", repository, *keys(safe, "anna", "bruno", "dora", "emil", "fritz"))
    assert run("shore", "refresh", repository, *keys(safe, "desk", "timer"))["outcome"]["is_live"]
    return repository


def public(safe: Path) -> list[object]:
    return [word for role, holders in HOLDERS.items() for holder in holders for word in (f"--{role}", safe / f"{holder}.pub")]


def keys(safe: Path, *holders: str) -> list[object]:
    return [word for holder in holders for word in ("--key", safe / holder)]


def test_keys_are_encrypted_and_never_written_over(safe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert (safe / "anna").read_text().startswith("-----BEGIN ENCRYPTED PRIVATE KEY-----")
    assert (safe / "anna").stat().st_mode & 0o077 == 0
    before = (safe / "anna").read_bytes()
    assert "is there already" in error("shore", "key", safe / "anna")
    assert (safe / "anna").read_bytes() == before
    monkeypatch.setenv(PASSPHRASE_VARIABLE, "short")
    assert "fewer than 8" in error("shore", "key", tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_a_root_is_carried_from_holder_to_holder(repository: Path, safe: Path, tmp_path: Path) -> None:
    """Each holder has only the draft and the own key, on a machine of the own."""
    assert not run("shore", "refresh", repository, *keys(safe, "desk", "timer"), code=1)["outcome"]["is_live"]
    drafts = {"1.root.json": ("anna", "carla"), "1.targets.json": ("dora", "emil"), "1.models.json": ("fritz",)}
    for name, holders in drafts.items():
        draft = repository / "drafts" / name
        for holder in holders:
            desk = tmp_path / f"desk of {holder}"
            desk.mkdir()
            shutil.move(draft, desk / name)
            said = run("shore", "sign", desk / name, *keys(safe, holder))["says"]
            assert name.split(".")[1] in " ".join(said)
            shutil.move(desk / name, draft)
    assert [one["missing"] for one in run("shore", "status", repository)["waiting"]] == [0, 0, 0]
    assert not (repository / "public" / "metadata" / "timestamp.json").exists()
    assert run("shore", "refresh", repository, *keys(safe, "desk", "timer"))["outcome"]["is_live"]
    status = run("shore", "status", repository)
    assert {role["role"]: (role["version"], role["threshold"], role["days_left"]) for role in status["roles"]} == {
        "root": (1, 2, 729),
        "targets": (1, 2, 364),
        "models": (1, 1, 364),
        "snapshot": (1, 1, 89),
        "timestamp": (1, 1, 44),
    }
    assert status["waiting"] == []


def test_who_signs_sees_what(repository: Path, safe: Path) -> None:
    says = run("shore", "sign", repository / "drafts" / "1.root.json", *keys(safe, "anna"))["says"]
    assert says[0].startswith("root, version 1, until 20")
    assert "root: 2 of 3: anna (" in says[1]


def test_a_key_that_may_not_sign(repository: Path, safe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run("shore", "key", safe / "stranger")
    draft = repository / "drafts" / "1.root.json"
    before = draft.read_bytes()
    assert "does not know the key" in error("shore", "sign", draft, *keys(safe, "stranger"))
    assert "no encrypted key" in error("shore", "sign", draft, "--key", safe / "anna.pub")
    renamed = shutil.copy(repository / "drafts" / "1.targets.json", tmp_path / "1.root.json")
    assert "holds the role targets" in error("shore", "sign", renamed, *keys(safe, "anna"))
    monkeypatch.setenv(PASSPHRASE_VARIABLE, "another horse")
    assert "does not open with this passphrase" in error("shore", "sign", draft, *keys(safe, "anna"))
    assert draft.read_bytes() == before


def test_a_repository_needs_its_people(safe: Path, tmp_path: Path) -> None:
    words = public(safe)
    assert "needs 3 different keys" in error("shore", "init", tmp_path / "r", *words[2:])
    both = [
        safe / "timer.pub" if word == safe / "desk.pub" else safe / "timer.pub" if word == safe / "fritz.pub" else word for word in words
    ]
    assert "also one of snapshot or timestamp" in error("shore", "init", tmp_path / "r", *both)
    (tmp_path / "r").mkdir()
    (tmp_path / "r" / "mine.txt").write_text("x")
    assert "not empty" in error("shore", "init", tmp_path / "r", *words)
    assert "no repository" in error("shore", "status", tmp_path / "r")


def test_a_pack_is_published_at_once_or_waits_for_its_key(live: Path, safe: Path, tmp_path: Path) -> None:
    pack = measured_pack(tmp_path / "pack")
    assert not run("shore", "publish", live, pack.path)["outcome"]["is_live"]
    status = run("shore", "status", live)
    assert [(one["name"], one["is_live"], one["is_whole"]) for one in status["packs"]] == [("tiny", False, True)]
    assert [(one["role"], one["version"], one["may_sign"]) for one in status["waiting"]] == [("models", 2, ["fritz"])]
    assert run("shore", "publish", live, pack.path, *keys(safe, "fritz", "desk", "timer"))["outcome"]["versions"]["models"] == 2
    again = zip_pack(measured_pack(tmp_path / "newer", "1.0.1").path, tmp_path / "newer.zip")
    run("shore", "publish", live, again, *keys(safe, "fritz", "desk", "timer"))
    packs = run("shore", "status", live)["packs"]
    assert [(one["version"], one["is_live"]) for one in packs] == [("1.0.0", True), ("1.0.1", True)]
    next((live / "public" / "targets").rglob("*1.0.1.zip")).unlink()
    assert [one["is_whole"] for one in run("shore", "status", live)["packs"]] == [True, False]


def test_packs_that_must_not_go_to_ships(live: Path, safe: Path, tmp_path: Path) -> None:
    signers = keys(safe, "fritz", "desk", "timer")
    run("shore", "publish", live, measured_pack(tmp_path / "two", "2.0.0").path, *signers)
    before = run("shore", "status", live)
    unmeasured = measured_pack(tmp_path / "unmeasured", "3.0.0", metrics={})
    converted = measured_pack(tmp_path / "converted", "3.0.0", metrics={"score_difference_max": 0.001})
    older = measured_pack(tmp_path / "older", "1.9.0")
    other = measured_pack(tmp_path / "other", "2.0.0", title="Another one")
    damaged = measured_pack(tmp_path / "damaged", "3.0.0")
    (damaged.path / "model.onnx").write_bytes(b"x")
    for pack, words in (
        (unmeasured.path, "never measured"),
        (converted.path, "never measured"),
        (older.path, "newer than 1.9.0"),
        (other.path, "with another content"),
        (damaged.path, "no sound pack"),
        (tmp_path / "nothing", "no sound pack"),
    ):
        assert words in error("shore", "publish", live, pack, *signers, code=5)
    assert "no version" in error("shore", "publish", live, damaged.path, "--min-app", "soon", code=5)
    assert run("shore", "status", live) == before
    assert [path.name for path in (live / "drafts").iterdir()] == []


def test_the_weekly_signature(live: Path, safe: Path) -> None:
    versions = run("shore", "refresh", live, *keys(safe, "desk", "timer"))["outcome"]["versions"]
    assert versions == {"root": 1, "targets": 1, "models": 1, "snapshot": 1, "timestamp": 2}
    outcome = run("shore", "refresh", live, *keys(safe, "desk"), code=1)["outcome"]
    assert (outcome["is_live"], outcome["lacking"]) == (False, ["timestamp"])
    renewed = run("shore", "refresh", live, "--renew", "models", *keys(safe, "desk", "timer"))["outcome"]
    assert renewed["is_live"]
    assert [(one["role"], one["missing"]) for one in renewed["waiting"]] == [("models", 1)]


def test_a_key_is_exchanged(live: Path, safe: Path) -> None:
    run("shore", "key", safe / "gerd")
    signers = keys(safe, "desk", "timer")
    assert "means 0 keys" in error("shore", "rotate", live, "root", "--remove", "nobody")
    assert "needs 3" in error("shore", "rotate", live, "root", "--remove", "carla")
    assert "neither a key" in error("shore", "rotate", live, "root")
    waits = run("shore", "rotate", live, "root", "--add", safe / "gerd.pub", "--remove", "carla", *signers)["outcome"]["waiting"]
    assert [(one["role"], one["version"], one["missing"], one["may_sign"]) for one in waits] == [
        ("root", 2, 2, ["anna", "bruno", "carla", "gerd"])
    ]
    run("shore", "sign", live, *keys(safe, "anna"))
    assert run("shore", "sign", live, *keys(safe, "gerd"))["waiting"][0]["missing"] == 1, "of those before it is the only one"
    run("shore", "sign", live, *keys(safe, "bruno"))
    assert run("shore", "refresh", live, *signers)["outcome"]["versions"]["root"] == 2
    holders = {role["role"]: role["holders"] for role in run("shore", "status", live)["roles"]}
    assert holders["root"] == ["anna", "bruno", "gerd"]


def test_people_read_the_same(live: Path, safe: Path, tmp_path: Path) -> None:
    run("shore", "publish", live, measured_pack(tmp_path / "pack").path)
    result = CliRunner().invoke(app, ["shore", "status", str(live)])
    assert result.exit_code == 0
    assert "waits for a signature" in result.stdout
    assert "2.models.json needs 1 more, of fritz" in result.stdout
