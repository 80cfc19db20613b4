"""Names for exported images: unique, and harmless on every file system."""

from __future__ import annotations

import os
import re

from edge.store.export_rows import ExportResult

_EXTENSIONS = {"jpeg": ".jpg", "png": ".png", "tiff": ".tif", "bmp": ".bmp"}
_HASH_DIGITS = 12
_STEM_LIMIT = 80


def flat_name(result: ExportResult) -> str:
    """A name for one folder of all images: the stem's harmless letters, then 12 digits of the content's SHA-256.

    Stems that are equal in different folders, or with different extensions, so get different names.
    """
    return flat_stem(result.name, result.sha256) + _EXTENSIONS.get(result.format, ".img")


def flat_stem(name: str, sha256: str) -> str:
    """The harmless letters of a name without its extension, then 12 digits of a hash."""
    stem = re.sub(r"[^A-Za-z0-9._-]+", "_", split_name(name)[0]).strip("._-")[:_STEM_LIMIT] or "image"
    return f"{stem}-{sha256[:_HASH_DIGITS]}"


def relative_name(result: ExportResult, *, several_roots: bool) -> str:
    """The path below the watched folder, with forward slashes, as annotation tools want it.

    It is made unique where it would not be: by the root's number if there are several roots, and by 12 digits of the
    SHA-256 for a content that was overwritten under this name, or a name that is no UTF-8.
    """
    folder = result.folder.replace(os.sep, "/")
    name = result.name
    if result.original == "changed" or not _is_exact(result):
        stem, extension = split_name(name)
        name = f"{stem}.{result.sha256[:_HASH_DIGITS]}{extension}"
    parts = ([f"root-{result.root_id}"] if several_roots else []) + ([folder] if folder else []) + [name]
    return "/".join(parts)


def split_name(name: str) -> tuple[str, str]:
    """Stem and extension with its dot; the extension may be empty."""
    stem, dot, extension = name.rpartition(".")
    return (stem, dot + extension) if stem else (name, "")


def _is_exact(result: ExportResult) -> bool:
    return result.name.encode() == result.name_bytes and result.folder.encode() == result.folder_bytes
