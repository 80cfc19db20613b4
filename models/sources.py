"""What a person means by PACK: a folder, a zip, or the name of an installed pack."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from edge.errors import PackInvalidError
from models.pack import Pack, verify_pack
from models.pack_zip import unpack_zip
from models.registry import Registry


@dataclass(frozen=True, slots=True, kw_only=True)
class PackSource:
    """A verified pack and where it came from. `is_installed`: it lies in a registry and must not be written to."""

    pack: Pack
    named: str
    is_installed: bool


@contextmanager
def open_pack(named: str, registry: Registry, bundled: Path) -> Iterator[PackSource]:
    """The pack that `named` means; what was unpacked from a zip goes when the block ends.

    A path that exists comes first, then NAME[@VERSION] among the installed packs (the newest without a version), then among
    those that came with the program.

    Args:
        bundled: folder of the packs that came with the program, one folder per name.

    Raises:
        PackInvalidError: nothing is meant by it, or the pack is damaged.
    """
    path = Path(named)
    if path.is_dir():
        yield PackSource(pack=verify_pack(path), named=named, is_installed=False)
    elif path.is_file():
        with tempfile.TemporaryDirectory(prefix="imagine-edge-pack-") as folder:
            unpack_zip(path, Path(folder))
            yield PackSource(pack=verify_pack(Path(folder)), named=named, is_installed=False)
    else:
        yield PackSource(pack=_installed(named, registry, bundled), named=named, is_installed=True)


def _installed(named: str, registry: Registry, bundled: Path) -> Pack:
    name, _, version = named.partition("@")
    has_path = any(mark in named for mark in "/\\")
    installed = [] if has_path else [pack for pack in registry.list() if pack.manifest.name == name]
    chosen = [pack for pack in installed if version in ("", pack.manifest.version)]
    if chosen:
        return verify_pack(chosen[0].path)
    if not has_path and (bundled / name).is_dir():
        pack = verify_pack(bundled / name)
        if version in ("", pack.manifest.version):
            return pack
    known = ", ".join(f"{pack.manifest.name}@{pack.manifest.version}" for pack in registry.list())
    raise PackInvalidError(
        f"{named!r} is neither a pack folder, nor a zip of one, nor an installed pack",
        advice=f"Installed: {known}." if known else "No pack is installed; name a pack folder or a zip of one.",
    )
