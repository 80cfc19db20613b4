"""Far sides in the settings: what cannot be is told with its name before anything is sent."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge.errors import SettingsError
from edge.settings import load_settings
from edge.sink_settings import SinkSettings

S3: dict[str, object] = {"name": "institute", "kind": "s3", "url": "https://s3.example.org", "bucket": "results"}
WEBDAV: dict[str, object] = {"name": "cloud", "kind": "webdav", "url": "https://cloud.example.org/remote.php/dav/files/ship"}
STICK: dict[str, object] = {"name": "stick", "kind": "directory", "path": "/media/stick"}


def loaded(home: Path, *tables: dict[str, object]) -> tuple[SinkSettings, ...]:
    def text(value: object) -> str:
        if isinstance(value, bool):
            return str(value).lower()
        return repr(list(value)) if isinstance(value, tuple) else repr(value)

    lines = ["".join(["[[sinks]]\n", *(f"{name} = {text(value)}\n" for name, value in table.items())]) for table in tables]
    (home / "settings.toml").write_text("\n".join(lines), encoding="utf-8")
    return load_settings(home).sinks


def test_far_sides_are_tables(tmp_path: Path) -> None:
    s3, webdav, stick = loaded(
        tmp_path,
        S3 | {"prefix": "/svc/input/", "profile": "oscar", "windows": ("mon-fri 22:00-06:00",), "daily_mb": 20, "rate_kbps": 64},
        WEBDAV | {"folder": "Cruise 12/bündel", "priorities": (0, 1)},
        STICK,
    )
    assert (s3.prefix, s3.profile, s3.windows, s3.daily_mb, s3.metered) == ("svc/input", "oscar", ("mon-fri 22:00-06:00",), 20, True)
    assert (webdav.folder, webdav.priorities) == ("Cruise 12/bündel", (0, 1))
    assert stick.path == Path("/media/stick")
    assert load_settings(tmp_path).sync_bundle_kb == 256


@pytest.mark.parametrize(
    ("table", "named"),
    [
        (S3 | {"name": "In stitute"}, "name"),
        (S3 | {"name": "../keys"}, "name"),
        (S3 | {"bucket": ""}, "bucket"),
        (S3 | {"bucket": "a/b"}, "bucket"),
        (S3 | {"url": "https://s3.example.org/results"}, "no path"),
        (S3 | {"url": "ftp://s3.example.org"}, "url"),
        (S3 | {"url": "https://"}, "url"),
        (S3 | {"url": "https://s3.example.org:99999"}, "url"),
        (S3 | {"url": "https://AK:SK@s3.example.org"}, "sync login"),
        (S3 | {"url": "http://s3.example.org"}, "plain_http"),
        (S3 | {"prefix": "a/../b"}, "prefix"),
        (S3 | {"prefix": "a b"}, "prefix"),
        (S3 | {"prefix": "a" * 1000}, "prefix"),
        (S3 | {"path": "/media"}, "path"),
        (S3 | {"secret_key": "x"}, "secret_key"),
        (S3 | {"profile": "oscar"}, "oscar"),
        (S3 | {"profile": "oscar", "prefix": "in", "originals": True}, "originals"),
        (S3 | {"windows": ("moonday",)}, "moonday"),
        (S3 | {"windows": ("22:00-22:00",)}, "22:00-22:00"),
        (S3 | {"daily_mb": 0.3}, "budget"),
        (S3 | {"rate_kbps": -1}, "rate_kbps"),
        (S3 | {"priorities": (7,)}, "priorities"),
        (S3 | {"priorities": ()}, "priorities"),
        (WEBDAV | {"folder": "a//b"}, "folder"),
        (WEBDAV | {"bucket": "results"}, "bucket"),
        (STICK | {"path": "stick"}, "whole"),
        (STICK | {"url": "https://x.example.org"}, "url"),
        ({"name": "stick", "kind": "directory"}, "path"),
    ],
)
def test_a_fault_is_named(tmp_path: Path, table: dict[str, object], named: str) -> None:
    with pytest.raises(SettingsError) as refused:
        loaded(tmp_path, table)
    assert named in str(refused.value)


def test_plain_http_is_for_this_machine_or_said_so(tmp_path: Path) -> None:
    assert loaded(tmp_path, S3 | {"url": "http://127.0.0.1:9000"}, S3 | {"name": "b", "url": "http://localhost:9000"})
    assert loaded(tmp_path, S3 | {"url": "http://nas.ship:9000", "plain_http": True})
    with pytest.raises(SettingsError, match="plain_http"):
        loaded(tmp_path, S3 | {"url": "http://127.0.0.1.example.org"})


def test_two_of_one_name_are_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="two sinks are called stick"):
        loaded(tmp_path, STICK, STICK | {"path": "/media/other"})


@pytest.mark.parametrize("kb", [63, 513])
def test_bundles_stay_small(tmp_path: Path, kb: int) -> None:
    (tmp_path / "settings.toml").write_text(f"sync_bundle_kb = {kb}\n", encoding="utf-8")
    with pytest.raises(SettingsError, match="sync_bundle_kb"):
        load_settings(tmp_path)
