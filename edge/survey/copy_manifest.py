"""The manifest of a second copy: which tow it is of, under which name each file lies, and whether all of it was read back.

`manifest.json` is there when, and only when, every file that it names was read back from the medium. While a copy is being made or
changed the same document is called `manifest.incomplete.json`: one rename turns the one into the other, so that a power cut
leaves either, and never a whole manifest over files that are not.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edge.errors import SettingsError
from edge.store.durable import sync_folder, write_durably
from edge.store.raw_copies import RawFile

MANIFEST_NAME = "manifest.json"
INCOMPLETE_NAME = "manifest.incomplete.json"
NAME_LIMIT = 180
LARGEST_BYTES = 64 * 1024 * 1024
_FORBIDDEN = re.compile(r'[\x00-\x1f\x7f<>:"/\\|?*]')
_RESERVED = re.compile(r"(?i)(con|prn|aux|nul|com\d|lpt\d)(\..*)?")
_HEX = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A file of a copy: its name there, its SHA-256 and size."""

    name: str
    sha256: str
    size_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What a folder says of itself. `is_complete`: every entry was read back; else it is what was planned."""

    tow_uuid: str | None
    entries: tuple[Entry, ...]
    is_complete: bool
    whose: str


def read_manifest(folder: Path) -> Manifest | None:
    """The manifest of a folder, or None if it has none. An incomplete one wins: it is the newer.

    Raises:
        SettingsError: there is one, and it is none that the appliance wrote.
        OSError: the medium cannot be read.
    """
    for name, is_complete in ((INCOMPLETE_NAME, False), (MANIFEST_NAME, True)):
        path = folder / name
        try:
            return _manifest(json.loads(_bounded(path)), is_complete=is_complete)
        except FileNotFoundError:
            continue
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            advice = "Look at the folder; if nothing in it is needed, move it away, then ask for the copy again."
            raise SettingsError(f"{path} is no manifest of a copy: {error}", advice=advice) from error
    return None


def check_ours(destination: Path, files: Sequence[RawFile], tow_uuid: str) -> None:
    """Refuse a folder that holds anything but a copy of this very tow.

    Raises:
        SettingsError: it is another tow's copy, or has files of these names that no manifest speaks for.
    """
    try:
        found = read_manifest(destination)
    except OSError as error:
        raise SettingsError(f"{destination} cannot be read: {error.strerror}", advice="Copy to another folder.") from error
    if found is not None and found.tow_uuid != tow_uuid:
        advice = "Copy to another folder; nothing of that copy was touched."
        raise SettingsError(f"{destination} holds the copy of another tow ({found.whose})", advice=advice)
    if found is None and destination.is_dir():
        wanted = {name.casefold() for name in copy_names(files, None).values()}
        strange = sorted(one.name for one in destination.iterdir() if one.name.casefold() in wanted)
        if strange:
            advice = "Copy to an empty folder, or move those files away: they would be overwritten."
            raise SettingsError(
                f"{destination} has no manifest, and {len(strange)} files of these names, such as {strange[0]}", advice=advice
            )


def copy_names(files: Iterable[RawFile], known: Manifest | None) -> dict[int, str]:
    """A name in the copy for each image, by its id: the one that it has there already, else its own.

    Its own is changed where some file system would not take it, and told apart from others by the image's hash if need be.
    """
    given = {} if known is None else {one.sha256: one.name for one in known.entries}
    taken = {name.casefold() for name in (MANIFEST_NAME, INCOMPLETE_NAME, *given.values())}
    names: dict[int, str] = {}
    for file in files:
        name = given.get(file.sha256)
        if name is None:
            name = _free_name(file, taken)
            taken.add(name.casefold())
        names[file.image_id] = name
    return names


def write_plan(destination: Path, document: Mapping[str, Any]) -> None:
    """Say that the copy is incomplete, and what it is to become, before anything of it changes. Durable when it returns."""
    if (destination / MANIFEST_NAME).exists():
        (destination / MANIFEST_NAME).replace(destination / INCOMPLETE_NAME)
        sync_folder(destination)
    _write(destination, INCOMPLETE_NAME, document)


def write_complete(destination: Path, document: Mapping[str, Any]) -> str:
    """Say that all of it was read back: one rename ends the incomplete one. Returns the SHA-256 of the manifest."""
    sha256 = _write(destination, INCOMPLETE_NAME, document)
    (destination / INCOMPLETE_NAME).replace(destination / MANIFEST_NAME)
    sync_folder(destination)
    return sha256


def _write(destination: Path, name: str, document: Mapping[str, Any]) -> str:
    text = json.dumps(document, indent=1, ensure_ascii=False) + "\n"
    part = destination / f"{name}.part"
    write_durably(part, text)
    part.replace(destination / name)
    sync_folder(destination)
    return hashlib.sha256(text.encode()).hexdigest()


def _free_name(file: RawFile, taken: set[str]) -> str:
    name = _FORBIDDEN.sub("_", file.name).rstrip(". ") or "_"
    name = f"_{name}" if _RESERVED.fullmatch(name) else name
    stem = Path(name).stem.encode()[:NAME_LIMIT].decode(errors="ignore")
    suffix = Path(name).suffix[:20]
    name = f"{stem}{suffix}"
    return name if name.casefold() not in taken else f"{stem}_{file.sha256[:12]}{suffix}"


def _bounded(path: Path) -> bytes:
    with path.open("rb") as file:
        text = file.read(LARGEST_BYTES + 1)
    if len(text) > LARGEST_BYTES:
        raise ValueError(f"more than {LARGEST_BYTES} bytes are no manifest")
    return text


def _manifest(document: Any, *, is_complete: bool) -> Manifest:
    entries = tuple(_entry(one) for one in document["files"])
    uuid = document.get("tow_uuid")
    whose = ", ".join(f"{word} {document[word]}" for word in ("survey", "station", "tow") if document.get(word))
    return Manifest(tow_uuid=None if uuid is None else str(uuid), entries=entries, is_complete=is_complete, whose=whose or "nobody's name")


def _entry(one: Any) -> Entry:
    name, sha256, size_bytes = one["name"], one["sha256"], one["size_bytes"]
    if not isinstance(name, str) or not name or name in {".", ".."} or _FORBIDDEN.search(name):
        raise ValueError(f"{name!r} is no name in a copy")
    if not isinstance(sha256, str) or not _HEX.fullmatch(sha256) or not isinstance(size_bytes, int):
        raise ValueError(f"{name} has no SHA-256 or no size")
    return Entry(name=name, sha256=sha256, size_bytes=size_bytes)
