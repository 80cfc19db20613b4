"""`sync login` keeps what a far side knows us by, and shows it to nobody."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from edge.cli import app
from edge.settings import load_settings
from sync.sinks.secrets import read_secret, secret_path

SETTINGS = """
[[sinks]]
name = "shore"
kind = "s3"
url = "https://s3.example.org"
bucket = "results"

[[sinks]]
name = "stick"
kind = "directory"
path = "/media/stick"
"""


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "settings.toml").write_text(SETTINGS, encoding="utf-8")
    return tmp_path


def run(home: Path, *words: str, typed: str = "") -> Result:
    return CliRunner().invoke(app, ["--home", str(home), "sync", "login", *words], input=typed)


def test_keys_are_kept_and_not_shown(home: Path) -> None:
    ended = run(home, "shore", "--user", "AK", "--password-file", "-", "--json", typed="very secret\n")
    assert ended.exit_code == 0, ended.output
    assert "very secret" not in ended.output
    (settings, _) = load_settings(home).sinks
    kept = read_secret(home, settings)
    assert (kept.name, kept.word) == ("AK", "very secret")
    assert secret_path(home, "shore").stat().st_mode & 0o777 == 0o600
    assert run(home, "shore", "--forget").exit_code == 0
    assert not secret_path(home, "shore").exists()


@pytest.mark.parametrize(
    ("words", "typed", "named"),
    [
        (["nobody", "--user", "AK", "--password-file", "-"], "x\n", "shore, stick"),
        (["stick", "--user", "AK", "--password-file", "-"], "x\n", "folder"),
        (["shore", "--password-file", "-"], "x\n", "--user"),
        (["shore", "--user", "AK", "--password-file", "-"], "\n", "password"),
        (["shore", "--user", "AK", "--password-file", "missing.txt"], "", "missing.txt"),
    ],
)
def test_what_cannot_be_kept_is_told(home: Path, words: list[str], typed: str, named: str) -> None:
    ended = run(home, *words, typed=typed)
    assert ended.exit_code == 2, ended.output
    assert named in ended.output
    assert not secret_path(home, "shore").exists()
