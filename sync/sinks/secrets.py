"""What far sides know us by: keys of a bucket, name and password of a cloud. In the environment, or in a file that nobody else may read.

They are never in the settings, the database, the log or an answer. The environment wins: `LoadCredential=` of systemd and the like fill it.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from pathlib import Path

from edge.errors import LoginNeededError, StoreError
from edge.sink_settings import SinkSettings
from edge.store.keys import write_private
from sync.link.answers import LOGIN_ADVICE

_FIELDS = {"s3": ("ACCESS_KEY", "SECRET_KEY"), "webdav": ("USER", "PASSWORD")}


@dataclass(frozen=True, slots=True, kw_only=True)
class Secret:
    """Of `s3` the access key and the secret key; of `webdav` the name and the (app) password."""

    name: str
    word: str = field(repr=False)


def secret_path(home: Path, sink: str) -> Path:
    """Where one is kept."""
    return home / "keys" / f"sink-{sink}.json"


def variables(settings: SinkSettings) -> tuple[str, str]:
    """Names of the two environment variables, of which both have to be set."""
    stem = f"IMAGINE_EDGE_SINK_{settings.name.upper().replace('-', '_')}"
    first, second = _FIELDS[settings.kind]
    return f"{stem}_{first}", f"{stem}_{second}"


def read_secret(home: Path, settings: SinkSettings) -> Secret:
    """What is set or kept for a far side.

    Raises:
        LoginNeededError: nothing is.
        StoreError: it cannot be read, or others can read it too.
    """
    name, word = (os.environ.get(one) for one in variables(settings))
    if name and word:
        return Secret(name=name, word=word)
    path = secret_path(home, settings.name)
    advice = f"Delete {path} and run `imagine-edge sync login {settings.name}` again."
    try:
        if os.name != "nt" and path.stat().st_mode & 0o077:
            raise StoreError(f"others than the appliance's account can read {path}", advice=f"Change the password. {advice}")
        kept = json.loads(path.read_text(encoding="utf-8"))
        return Secret(name=str(kept["name"]), word=str(kept["word"]))
    except FileNotFoundError as error:
        raise LoginNeededError(f"nothing is kept that {settings.name} would know us by", advice=LOGIN_ADVICE) from error
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise StoreError(f"{path} cannot be used", advice=advice) from error


def keep_secret(home: Path, sink: str, secret: Secret) -> None:
    """Keep it, whole or not at all.

    Raises:
        StoreError: the folder cannot be written.
    """
    path = secret_path(home, sink)
    try:
        write_private(path, json.dumps({"name": secret.name, "word": secret.word}).encode())
    except OSError as error:
        raise StoreError(f"{path} cannot be written: {error.strerror}") from error


def forget_secret(home: Path, sink: str) -> bool:
    """Keep it no more. Returns whether it was."""
    path = secret_path(home, sink)
    had = path.exists()
    path.unlink(missing_ok=True)
    return had
