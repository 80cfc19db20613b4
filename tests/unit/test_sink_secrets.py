"""What far sides know us by stands in private files or in the environment, and nowhere else."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge.errors import LoginNeededError, StoreError
from edge.sink_settings import SinkSettings
from sync.link.counter import FreeMeter
from sync.sinks.open import open_sink
from sync.sinks.secrets import Secret, forget_secret, keep_secret, read_secret, secret_path

S3 = SinkSettings(name="shore-1", kind="s3", url="https://s3.example.org", bucket="results")
CLOUD = SinkSettings(name="cloud", kind="webdav", url="https://cloud.example.org/remote.php/dav/files/ship")
SECRET = Secret(name="AK", word="very secret")


def test_a_secret_is_kept_for_nobody_else(tmp_path: Path) -> None:
    keep_secret(tmp_path, "shore-1", SECRET)
    path = secret_path(tmp_path, "shore-1")
    assert path.stat().st_mode & 0o777 == 0o600
    assert read_secret(tmp_path, S3) == SECRET
    assert "very secret" not in repr(SECRET)
    path.chmod(0o644)
    with pytest.raises(StoreError, match="others"):
        read_secret(tmp_path, S3)
    assert forget_secret(tmp_path, "shore-1")
    assert not forget_secret(tmp_path, "shore-1")
    with pytest.raises(LoginNeededError) as told:
        read_secret(tmp_path, S3)
    assert "sync login" in told.value.advice()


def test_the_environment_wins_when_it_has_both(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keep_secret(tmp_path, "shore-1", SECRET)
    monkeypatch.setenv("IMAGINE_EDGE_SINK_SHORE_1_ACCESS_KEY", "other")
    assert read_secret(tmp_path, S3) == SECRET
    monkeypatch.setenv("IMAGINE_EDGE_SINK_SHORE_1_SECRET_KEY", "word")
    assert read_secret(tmp_path, S3) == Secret(name="other", word="word")
    monkeypatch.setenv("IMAGINE_EDGE_SINK_CLOUD_USER", "ship")
    monkeypatch.setenv("IMAGINE_EDGE_SINK_CLOUD_PASSWORD", "app")
    assert read_secret(tmp_path, CLOUD) == Secret(name="ship", word="app")


@pytest.mark.parametrize("content", ["", "{}", "[]", '{"name": 1}', "\udce9"])
def test_a_damaged_file_is_told(tmp_path: Path, content: str) -> None:
    keep_secret(tmp_path, "shore-1", SECRET)
    secret_path(tmp_path, "shore-1").write_bytes(content.encode(errors="surrogateescape"))
    with pytest.raises(StoreError, match="cannot be used"):
        read_secret(tmp_path, S3)


def test_each_kind_of_far_side_opens_without_being_contacted(tmp_path: Path) -> None:
    stick = SinkSettings(name="stick", kind="directory", path=tmp_path)
    keep_secret(tmp_path, "shore-1", SECRET)
    keep_secret(tmp_path, "cloud", SECRET)
    for settings in (S3, CLOUD, stick):
        sink = open_sink(tmp_path, settings, FreeMeter())
        assert sink.name == settings.name
        sink.close()
