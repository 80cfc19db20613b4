"""Put an export and what tells about it into a folder: both or neither, and never over what somebody made or changed.

Both are written beside their place under hidden names and made durable first. The text that tells (the sidecar) comes first and
names the hash of the table that it replaces, so that after a power cut between the two it is still known which is which.
"""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from edge.errors import SettingsError
from edge.store.durable import file_sha256, sync_file, sync_folder, write_durably
from edge.store.out_folder import check_folder, os_errors_named

MADE_BY = "imagine-edge survey export"
MAX_NAME_BYTES = 100
_UNSAFE = re.compile(r"[^\w.+-]+")


def file_stem(*parts: str) -> str:
    """A file name of these parts that every disk takes; what is no letter, digit or one of `._+-` becomes `_`."""
    cleaned = [_UNSAFE.sub("_", part).strip("._ ") or "_" for part in parts if part]
    limited = [part.encode()[:MAX_NAME_BYTES].decode("utf-8", "ignore") for part in cleaned]
    return ".".join(limited)


def put_export(
    out_dir: Path,
    name: str,
    sidecar_name: str,
    *,
    write: Callable[[Path], None],
    told: Mapping[str, Any],
    identity: Sequence[str],
    watched: Iterable[Path] = (),
) -> str:
    """Write a file and its sidecar. Returns the SHA-256 of the file.

    Args:
        out_dir: the folder; made if it is not there.
        name: of the file.
        sidecar_name: of what tells about it.
        write: writes the file to a path.
        told: what the sidecar says beside that and the file's hash.
        identity: what the file is of; two things whose names give the same file name never replace each other.
        watched: folders that an export must not lie in.

    Raises:
        SettingsError: the folder cannot be used, or holds a file of that name that is no untouched export.
        DiskFullError: no room.
    """
    out_dir = out_dir.absolute()
    check_folder(out_dir, watched)
    path, sidecar = out_dir / name, out_dir / sidecar_name
    mark = secrets.token_hex(4)  # two exports to the same place at once must not write into one file
    part, sidecar_part = out_dir / f".{name}.{mark}.part", out_dir / f".{sidecar_name}.{mark}.part"
    with os_errors_named(out_dir):
        out_dir.mkdir(parents=True, exist_ok=True)
        replaced = _replaced_sha256(path, sidecar, list(identity))
        try:
            write(part)
            sync_file(part)
            sha256 = file_sha256(part)
            text = {"made_by": MADE_BY, "of": list(identity), **told, "sha256": sha256, "replaces_sha256": replaced}
            write_durably(sidecar_part, json.dumps(text, ensure_ascii=False, indent=2) + "\n")
            sidecar_part.replace(sidecar)
            part.replace(path)
            sync_folder(out_dir)
        finally:
            for left in (part, sidecar_part):
                left.unlink(missing_ok=True)
    return sha256


def _replaced_sha256(path: Path, sidecar: Path, identity: list[str]) -> str | None:
    """The hash of the earlier export that will be replaced; None where there is none.

    Raises:
        SettingsError: a file is in the way.
    """
    if not path.exists():
        return None
    found = file_sha256(path)
    with suppress(OSError, ValueError, KeyError, TypeError):  # a sidecar that cannot be read vouches for nothing
        told = json.loads(sidecar.read_text("utf-8"))
        if told["made_by"] == MADE_BY and told["of"] == identity and found in {told["sha256"], told["replaces_sha256"]}:
            return found
    raise SettingsError(
        f"{path} is not an export of the same as it was written: it would be lost", advice="Move it away, or give --out another folder."
    )
