"""Settings: read once, unknown names refused, faults named."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from edge.errors import SettingsError
from edge.settings import Settings, load_settings


@pytest.fixture(autouse=True)
def _own_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Variables of whoever runs the tests must not decide them."""
    for name in Settings.model_fields:
        monkeypatch.delenv(f"IMAGINE_EDGE_{name.upper()}", raising=False)


def write(home: Path, text: str) -> Path:
    (home / "settings.toml").write_text(text, encoding="utf-8")
    return home


def test_without_a_file_the_defaults_hold(tmp_path: Path) -> None:
    settings = load_settings(tmp_path)
    assert (settings.host, settings.port, settings.settle_s) == ("127.0.0.1", 8765, 2.0)


def test_the_file_wins_over_the_defaults(tmp_path: Path) -> None:
    assert load_settings(write(tmp_path, "settle_s = 10")).settle_s == 10.0


def test_the_environment_wins_over_the_file_and_options_over_both(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, "port = 1111")
    monkeypatch.setenv("IMAGINE_EDGE_PORT", "2222")
    assert load_settings(tmp_path).port == 2222
    assert load_settings(tmp_path, port=3333).port == 3333


def test_watched_folders_are_tables(tmp_path: Path) -> None:
    (folder,) = load_settings(write(tmp_path, '[[watched]]\npath = "/mnt/camera"\nrecipe = "burrows"\nintake = "copy"\n')).watched
    assert (folder.path, folder.recipe, folder.intake) == (Path("/mnt/camera"), "burrows", "copy")


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("setle_s = 2", "setle_s"),
        ("settle_s = 0", "settle_s"),
        ('settle_s = "soon"', "settle_s"),
        ("port = 70000", "port"),
        ("worker_attempts = 0", "worker_attempts"),
        ('file_time_pattern = "("', "file_time_pattern"),
        ('file_time_pattern = "(?P<year>x)"', "month"),
        ('[[watched]]\nrecipe = "burrows"', "path"),
        ('[[watched]]\npath = "/mnt"\nrecipe = "burrows"\nintake = "move"', "intake"),
        ('[[watched]]\npath = "/mnt"\nrecipe = "burrows"\ncolour = "red"', "colour"),
        ("this is no TOML", "settings.toml"),
    ],
)
def test_a_fault_is_named(tmp_path: Path, text: str, named: str) -> None:
    with pytest.raises(SettingsError) as refused:
        load_settings(write(tmp_path, text))
    assert named in str(refused.value)
    assert refused.value.advice()


def test_bytes_that_are_no_text_are_told(tmp_path: Path) -> None:
    (tmp_path / "settings.toml").write_bytes(b"host = '\xff'")
    with pytest.raises(SettingsError):
        load_settings(tmp_path)


def test_a_wrong_variable_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IMAGINE_EDGE_SETTLE_S", "soon")
    with pytest.raises(SettingsError):
        load_settings(tmp_path)


def test_settings_do_not_change(tmp_path: Path) -> None:
    with pytest.raises(Exception, match="frozen"):
        load_settings(tmp_path).port = 1  # type: ignore[misc]


def test_every_setting_is_described() -> None:
    assert len(Settings.model_fields) > 15
    for name, field in Settings.model_fields.items():
        assert field.title, name
        assert field.description, name


def test_the_command_ends_with_the_exit_code_of_settings(tmp_path: Path, edge_command: list[str]) -> None:
    write(tmp_path, "settle_s = -1")
    (tmp_path / "stills").mkdir()
    command = [*edge_command, "--home", str(tmp_path), "ingest", str(tmp_path / "stills"), "--json"]
    ended = subprocess.run(command, check=False, capture_output=True, text=True, timeout=120)
    assert ended.returncode == 2, ended.stderr
    assert json.loads(ended.stdout.splitlines()[-1])["error"]["code"] == "settings_invalid"
    assert not (tmp_path / "edge.db").exists()
