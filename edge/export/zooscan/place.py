"""Put the files of a scan's export into a folder: all or none, and never over what somebody made or changed.

Everything is written into a hidden folder beside its place first and made durable; one that a killed export left is taken away by the
next. The text that tells about the files (the sidecar) is put in place first and names the hashes of what is replaced, so that after a
power cut between two files it is still known which is which.
"""

from __future__ import annotations

import json
import secrets
import shutil
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from edge.errors import EdgeError, SettingsError
from edge.store.durable import file_sha256, sync_file, sync_folder, write_durably
from edge.store.lock import LOCK_NAME, HomeLock
from edge.store.out_folder import check_folder, os_errors_named

MADE_BY = "imagine-edge zooscan"


def put_files(
    out_dir: Path,
    sidecar_name: str,
    writers: Mapping[str, Callable[[Path], object]],
    *,
    told: Mapping[str, Any],
    of: Mapping[str, str],
    watched: Iterable[Path] = (),
) -> dict[str, str]:
    """Write files and their sidecar. Returns the SHA-256 of each file by its name.

    Args:
        out_dir: the folder; made if it is not there.
        sidecar_name: of the text that tells about the files.
        writers: of each file, by name.
        told: what the sidecar says beside the hashes.
        of: what the files are of; exports of different things never replace each other.
        watched: folders that an export must not lie in.

    Raises:
        SettingsError: the folder cannot be used, or holds a file of such a name that is no untouched export of the same.
        DiskFullError: no room.
    """
    out_dir = out_dir.absolute()
    check_folder(out_dir, watched)
    part = out_dir / f".{sidecar_name}.{secrets.token_hex(4)}.part"
    with os_errors_named(out_dir):
        out_dir.mkdir(parents=True, exist_ok=True)
        replaced = {name: _replaced_sha256(out_dir / name, out_dir / sidecar_name, of) for name in writers}
        _remove_left(out_dir, sidecar_name)
        part.mkdir()
        lock = HomeLock(part)
        with suppress(EdgeError):  # some shares cannot lock: then what a killed export left stays there
            lock.acquire()
        try:
            hashes = {name: _written(part / name, write) for name, write in writers.items()}
            files = {name: {"sha256": sha256, "replaces_sha256": replaced[name]} for name, sha256 in hashes.items()}
            text = {"made_by": MADE_BY, "of": dict(of), **told, "files": files}
            write_durably(part / sidecar_name, json.dumps(text, ensure_ascii=False, indent=2) + "\n")
            for name in (sidecar_name, *writers):
                (part / name).replace(out_dir / name)
            sync_folder(out_dir)
        finally:
            lock.release()
            shutil.rmtree(part, ignore_errors=True)
    return hashes


def _remove_left(out_dir: Path, sidecar_name: str) -> None:
    """Take away what killed exports of these files left: hidden folders whose lock nobody holds any more."""
    for left in out_dir.iterdir():
        is_ours = left.name.startswith(f".{sidecar_name}.") and left.name.endswith(".part") and (left / LOCK_NAME).is_file()
        if not is_ours or left.is_symlink():
            continue
        lock = HomeLock(left)
        with suppress(EdgeError):  # it is being written
            lock.acquire()
            lock.release()
            shutil.rmtree(left, ignore_errors=True)


def _written(path: Path, write: Callable[[Path], object]) -> str:
    write(path)
    sync_file(path)
    return file_sha256(path)


def _replaced_sha256(path: Path, sidecar: Path, of: Mapping[str, str]) -> str | None:
    """The hash of the earlier export that will be replaced; None where there is none.

    Raises:
        SettingsError: a file is in the way.
    """
    if not path.exists():
        return None
    found = file_sha256(path)
    with suppress(OSError, ValueError, KeyError, TypeError):  # a sidecar that cannot be read vouches for nothing
        told = json.loads(sidecar.read_text("utf-8"))
        hashes = told["files"][path.name]
        if told["made_by"] == MADE_BY and told["of"] == dict(of) and found in {hashes["sha256"], hashes["replaces_sha256"]}:
            return found
    raise SettingsError(
        f"{path} is not an export of the same as it was written: it would be lost", advice="Move it away, or give --out another folder."
    )
