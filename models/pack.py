"""A pack on disk: read its manifest, check that every file is what the manifest says, write one.

Nothing here opens a model. A pack that passed `verify_pack` holds exactly the files that its manifest lists, byte for
byte, no links, and no ONNX file that reaches for data outside itself.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from pydantic import ValidationError

from edge.errors import PackInvalidError
from models.manifest import MANIFEST_NAME, Manifest, PackFile, Variant
from models.onnx_file import external_data_locations

MAX_MANIFEST_BYTES = 4 * 1024 * 1024
_CHUNK_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Pack:
    """A pack folder and what its manifest says. `manifest_sha256` is that of the bytes of manifest.json."""

    path: Path
    manifest: Manifest
    manifest_sha256: str

    def file_path(self, file: PackFile) -> Path:
        """Where a listed file lies on this disk."""
        return self.path.joinpath(*PurePosixPath(file.path).parts)

    def variant(self, name: str) -> Variant:
        """The variant of that name.

        Raises:
            PackInvalidError: the pack has none of that name.
        """
        for variant in self.manifest.variants:
            if variant.name == name:
                return variant
        known = ", ".join(variant.name for variant in self.manifest.variants)
        raise PackInvalidError(f"pack {self.manifest.name} has no variant {name!r}; it has {known}")


def variant_sha256(variant: Variant) -> str:
    """The identity of a variant's weights.

    That of its file; for several files the SHA-256 of their hexadecimal digests, each followed by a line feed, in manifest order.
    """
    if len(variant.files) == 1:
        return variant.files[0].sha256
    return hashlib.sha256("".join(f"{file.sha256}\n" for file in variant.files).encode()).hexdigest()


def read_pack(pack_dir: Path) -> Pack:
    """The manifest of a pack folder, checked for itself; the files are not read.

    Raises:
        PackInvalidError: no manifest, or one that is not valid.
    """
    if not pack_dir.is_dir():
        raise PackInvalidError(f"there is no pack folder at {pack_dir}")
    try:
        raw = _read_capped(pack_dir / MANIFEST_NAME, MAX_MANIFEST_BYTES)
    except FileNotFoundError as error:
        raise PackInvalidError(f"{pack_dir} has no {MANIFEST_NAME} at its top") from error
    except OSError as error:
        raise PackInvalidError(f"{MANIFEST_NAME} cannot be read: {error}") from error
    try:
        manifest = Manifest.model_validate_json(raw)
    except ValidationError as error:
        raise PackInvalidError(f"{MANIFEST_NAME} is not valid: {_faults(error)}") from error
    _check_paths(manifest)
    return Pack(path=pack_dir, manifest=manifest, manifest_sha256=hashlib.sha256(raw).hexdigest())


def verify_pack(pack_dir: Path) -> Pack:
    """Read a pack and check each of its files against the manifest.

    Raises:
        PackInvalidError: naming the first file that is missing, changed, not listed, a link, or an ONNX file with data outside itself.
    """
    pack = read_pack(pack_dir)
    present = set(_walk_files(pack_dir))
    for file in pack.manifest.all_files():
        if file.path not in present:
            raise PackInvalidError(f"{file.path} is missing from pack {pack.manifest.name}")
        _check_file(pack, file)
    unlisted = sorted(present - {file.path for file in pack.manifest.all_files()} - {MANIFEST_NAME})
    if unlisted:
        raise PackInvalidError(f"the pack holds files that its manifest does not list: {', '.join(unlisted[:5])}")
    return pack


def write_pack(pack_dir: Path, draft: Mapping[str, Any]) -> Pack:
    """Write manifest.json for the files that already lie in `pack_dir`, and verify the whole.

    Args:
        draft: the fields of `Manifest`, with a plain relative path (str) wherever the manifest wants a file:
            `card`, `documents[]`, `variants[].files[]`, `goldens[].image`, `goldens[].expected`. Sizes and hashes are
            filled in.

    Raises:
        PackInvalidError: a file is missing or not listed, or a field is not valid.
    """
    fields = dict(draft)
    fields["card"] = _hashed(pack_dir, draft["card"])
    fields["documents"] = [_hashed(pack_dir, path) for path in draft.get("documents", ())]
    fields["variants"] = [{**variant, "files": [_hashed(pack_dir, path) for path in variant["files"]]} for variant in draft["variants"]]
    fields["goldens"] = [
        {**golden, "image": _hashed(pack_dir, golden["image"]), "expected": _hashed(pack_dir, golden["expected"])}
        for golden in draft["goldens"]
    ]
    try:
        manifest = Manifest.model_validate(fields)
    except ValidationError as error:
        raise PackInvalidError(f"the draft is not valid: {_faults(error)}") from error
    text = json.dumps(manifest.model_dump(mode="json"), indent=2, ensure_ascii=False) + "\n"
    temporary = pack_dir / f".{MANIFEST_NAME}.tmp"
    temporary.write_text(text, encoding="utf-8")
    temporary.replace(pack_dir / MANIFEST_NAME)
    return verify_pack(pack_dir)


def hash_file(path: Path) -> tuple[str, int]:
    """SHA-256 (hexadecimal) and size in bytes of a regular file, which must not be a link."""
    digest = hashlib.sha256()
    size_bytes = 0
    with _open_regular(path) as descriptor:
        while chunk := os.read(descriptor, _CHUNK_BYTES):
            digest.update(chunk)
            size_bytes += len(chunk)
    return digest.hexdigest(), size_bytes


def _hashed(pack_dir: Path, path: str) -> dict[str, str | int]:
    try:
        sha256, size_bytes = hash_file(pack_dir / path)
    except OSError as error:
        raise PackInvalidError(f"{path} cannot be read: {error}") from error
    return {"path": path, "sha256": sha256, "size_bytes": size_bytes}


def _check_file(pack: Pack, file: PackFile) -> None:
    path = pack.file_path(file)
    try:
        sha256, size_bytes = hash_file(path)
    except OSError as error:
        raise PackInvalidError(f"{file.path} cannot be read: {error}") from error
    if size_bytes != file.size_bytes:
        raise PackInvalidError(f"{file.path} has {size_bytes} bytes, the manifest says {file.size_bytes}")
    if sha256 != file.sha256:
        raise PackInvalidError(f"{file.path} has SHA-256 {sha256}, the manifest says {file.sha256}")
    if path.suffix == ".onnx":
        outside = external_data_locations(path.read_bytes())
        if outside:
            raise PackInvalidError(f"{file.path} keeps tensors outside itself ({', '.join(sorted(outside)[:3])}); save it as one file")


def _check_paths(manifest: Manifest) -> None:
    listed: dict[str, PackFile] = {}
    every = [manifest.card, *manifest.documents, *(file for variant in manifest.variants for file in variant.files)]
    every += [file for golden in manifest.goldens for file in (golden.image, golden.expected)]
    for file in every:
        if PurePosixPath(file.path).as_posix() != file.path or file.path == ".":
            raise PackInvalidError(f"{file.path!r} is not written in its shortest form")
        # A case-insensitive disk would fold the two into one file.
        folded = file.path.casefold()
        if folded == MANIFEST_NAME:
            raise PackInvalidError("the manifest must not list itself")
        if listed.setdefault(folded, file) != file:
            raise PackInvalidError(f"{file.path} is listed twice with different facts")


def _walk_files(folder: Path, prefix: str = "") -> Iterator[str]:
    """Relative paths of all files below a folder, with forward slashes.

    Raises:
        PackInvalidError: at a link or anything else that is neither file nor folder, or at a folder that cannot be read.
    """
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError as error:
        raise PackInvalidError(f"{folder} cannot be read: {error}") from error
    for entry in entries:
        relative = prefix + entry.name
        if entry.is_dir(follow_symlinks=False):
            yield from _walk_files(Path(entry.path), relative + "/")
        elif entry.is_file(follow_symlinks=False):
            yield relative
        else:
            raise PackInvalidError(f"{relative} is a link or a device; a pack holds plain files only")


class _open_regular:  # noqa: N801 (reads as a function in a with statement)
    """A descriptor of a regular file, opened without following a link at its last part."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor = -1

    def __enter__(self) -> int:
        flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0) | getattr(os, "O_NONBLOCK", 0)
        self._descriptor = os.open(self._path, flags)
        if not stat.S_ISREG(os.fstat(self._descriptor).st_mode):
            os.close(self._descriptor)
            raise OSError(f"{self._path} is not a regular file")
        return self._descriptor

    def __exit__(self, *_: object) -> None:
        os.close(self._descriptor)


def _read_capped(path: Path, limit_bytes: int) -> bytes:
    with _open_regular(path) as descriptor:
        size_bytes = os.fstat(descriptor).st_size
        if size_bytes > limit_bytes:
            raise OSError(f"{size_bytes} bytes are more than the {limit_bytes} allowed")
        with os.fdopen(os.dup(descriptor), "rb") as stream:
            return stream.read()


def _faults(error: ValidationError) -> str:
    return "; ".join(f"{'.'.join(str(part) for part in fault['loc']) or 'manifest'}: {fault['msg']}" for fault in error.errors()[:5])
