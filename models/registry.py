"""The installed packs of a home folder: `packs/<name>/<version>/`, each verified before it appears there.

A pack is staged beside, verified, and renamed in one step, so a folder with a version's name is always a whole pack.
Which pack is active is a row of the database, not a matter of this folder.
"""

from __future__ import annotations

import errno
import os
import re
import shutil
import uuid
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import structlog

from edge.errors import DiskFullError, PackInvalidError, StoreError
from models.manifest import Manifest
from models.pack import Pack, read_pack, verify_pack
from models.pack_zip import unpack_zip

BUNDLED_PACKS = Path(__file__).resolve().parent / "packs"  # those that came with the program
KEPT_VERSIONS = 2
_STAGING_PREFIX = ".incoming-"
_REMOVED_PREFIX = ".removed-"

logger = structlog.get_logger(__name__)

VersionKey = tuple[tuple[int, ...], int, tuple[tuple[int, str], ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokenPack:
    """A folder among the installed packs that is not a pack, and why."""

    path: Path
    reason: str


class Registry:
    """The packs below one folder, which is created when needed."""

    def __init__(self, packs_dir: Path) -> None:
        self.packs_dir = packs_dir

    def install(self, source: Path) -> Pack:
        """Bring a pack folder or a zip of it in; the same pack again changes nothing.

        Raises:
            PackInvalidError: the source is not a sound pack, or this version is installed with other content.
            DiskFullError: no room for the copy.
            StoreError: the packs folder cannot be written.
        """
        with self.staged(source) as staged:
            return self.place(staged)

    @contextmanager
    def staged(self, source: Path) -> Iterator[Pack]:
        """A verified copy of a pack folder or a zip, beside the installed ones, to be tried before `place`; it goes with the block.

        Raises:
            PackInvalidError: the source is not a sound pack, or this version is installed with other content.
            DiskFullError: no room for the copy.
            StoreError: the packs folder cannot be written.
        """
        with _told(source):
            staged = self._stage(source)
        try:
            self._refuse_other_content(staged)
            yield staged
        finally:
            shutil.rmtree(staged.path, ignore_errors=True)

    def place(self, staged: Pack) -> Pack:
        """Let a staged pack be an installed one, in one step; the same pack again changes nothing.

        Raises:
            PackInvalidError: this version is installed with other content.
            DiskFullError, StoreError: the packs folder cannot be written.
        """
        with _told(staged.path):
            return self._put_in_place(staged)

    def list(self) -> tuple[Pack, ...]:
        """All installed packs by name, newest version first. Their files are not hashed again."""
        return self._scan()[0]

    def broken(self) -> tuple[BrokenPack, ...]:
        """Folders that should be packs and are not."""
        return self._scan()[1]

    def get(self, name: str, version: str | None = None) -> Pack:
        """An installed pack; without a version the newest.

        Raises:
            PackInvalidError: it is not installed, or no longer readable.
        """
        if version is not None:
            return read_pack(self._folder(name, version))
        packs = [pack for pack in self.list() if pack.manifest.name == name]
        if not packs:
            raise PackInvalidError(f"no pack named {name!r} is installed", advice="See `imagine-edge models list`.")
        return packs[0]

    def verify(self, name: str, version: str) -> Pack:
        """Hash every file of an installed pack again.

        Raises:
            PackInvalidError: with the first fault.
        """
        return verify_pack(self._folder(name, version))

    def prune(self, name: str, *, keep: int = KEPT_VERSIONS, in_use: Collection[str] = ()) -> tuple[Pack, ...]:
        """Remove all but the newest `keep` versions of a name; versions `in_use` stay. Returns those removed."""
        versions = [pack for pack in self.list() if pack.manifest.name == name]
        removed = tuple(pack for pack in versions[keep:] if pack.manifest.version not in in_use)
        for pack in removed:
            self.remove(name, pack.manifest.version)
        return removed

    def remove(self, name: str, version: str) -> None:
        """Delete an installed version; one that is not there is no error.

        Raises:
            StoreError: its folder cannot be moved away.
        """
        folder = self._folder(name, version)
        with _told(folder):
            self._discard(folder)
        logger.info("pack_removed", pack=name, version=version)

    def _discard(self, folder: Path) -> None:
        # Renamed first: an interrupted removal never leaves half a pack under a version's name.
        doomed = self.packs_dir / f"{_REMOVED_PREFIX}{uuid.uuid4().hex}"
        with suppress(FileNotFoundError):
            folder.rename(doomed)
        shutil.rmtree(doomed, ignore_errors=True)

    def sweep(self) -> None:
        """Delete what an interrupted install or removal left. Call at start, when nobody else installs."""
        for prefix in (_STAGING_PREFIX, _REMOVED_PREFIX):
            for leftover in self.packs_dir.glob(f"{prefix}*"):
                shutil.rmtree(leftover, ignore_errors=True)
                logger.info("pack_leftover_removed", path=str(leftover))

    def _stage(self, source: Path) -> Pack:
        staging = self.packs_dir / f"{_STAGING_PREFIX}{uuid.uuid4().hex}"
        staging.mkdir(parents=True)
        try:
            if source.is_file():
                unpack_zip(source, staging)
            else:
                verify_pack(source)
                shutil.copytree(source, staging, symlinks=True, dirs_exist_ok=True)
            return verify_pack(staging)
        except BaseException:
            shutil.rmtree(staging, ignore_errors=True)
            raise

    def _refuse_other_content(self, staged: Pack) -> Pack | None:
        """The same pack, if it is installed already and sound."""
        manifest = staged.manifest
        target = self._folder(manifest.name, manifest.version)
        installed = _verified_or_none(target) if target.exists() else None
        if installed is not None and installed.manifest_sha256 != staged.manifest_sha256:
            raise PackInvalidError(
                f"{manifest.name} {manifest.version} is already installed with other content",
                advice="A changed pack needs a new version number.",
            )
        return installed

    def _put_in_place(self, staged: Pack) -> Pack:
        manifest = staged.manifest
        target = self._folder(manifest.name, manifest.version)
        if target.exists():
            installed = self._refuse_other_content(staged)
            if installed is not None:
                return installed
            self._discard(target)  # what lies there is damaged
        _flush_tree(staged.path)
        target.parent.mkdir(parents=True, exist_ok=True)
        staged.path.rename(target)
        _flush_folder(target.parent)
        logger.info("pack_installed", pack=manifest.name, version=manifest.version)
        return read_pack(target)

    def _folder(self, name: str, version: str) -> Path:
        for part in (name, version):
            if not re.fullmatch(r"[a-z0-9][a-z0-9.-]*", part):
                raise PackInvalidError(f"{part!r} is no name or version of a pack")
        return self.packs_dir / name / version

    def _scan(self) -> tuple[tuple[Pack, ...], tuple[BrokenPack, ...]]:
        packs: list[Pack] = []
        broken: list[BrokenPack] = []
        for folder in sorted(self.packs_dir.glob("[!.]*/[!.]*")):
            try:
                pack = read_pack(folder)
            except PackInvalidError as error:
                broken.append(BrokenPack(path=folder, reason=str(error)))
                continue
            if (pack.manifest.name, pack.manifest.version) == (folder.parent.name, folder.name):
                packs.append(pack)
            else:
                broken.append(BrokenPack(path=folder, reason=f"its manifest says {pack.manifest.name} {pack.manifest.version}"))
        packs.sort(key=lambda pack: version_order(pack.manifest), reverse=True)
        packs.sort(key=lambda pack: pack.manifest.name)
        return tuple(packs), tuple(broken)


@contextmanager
def _told(source: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        kind = DiskFullError if error.errno in (errno.ENOSPC, errno.EDQUOT) else StoreError
        raise kind(f"pack {source} cannot be brought in or removed: {error}") from error


def version_order(manifest: Manifest) -> VersionKey:
    """See `version_key`."""
    return version_key(manifest.version)


def version_key(version: str) -> VersionKey:
    """A key that sorts versions from old to new; 1.0.0-rc2 comes before 1.0.0, and 1.0.0.1 after it."""
    numbers, mark, suffix = re.fullmatch(r"(\d+\.\d+\.\d+)([.-]?)(.*)", version, re.DOTALL).groups()  # type: ignore[union-attr]
    rank = {"-": -1, "": 0, ".": 1}[mark]
    parts = tuple((int(part), "") if part.isdigit() else (0, part) for part in re.findall(r"\d+|[^\d.-]+", suffix))
    return tuple(int(number) for number in numbers.split(".")), rank, parts


def _verified_or_none(folder: Path) -> Pack | None:
    try:
        return verify_pack(folder)
    except PackInvalidError as error:
        logger.warning("pack_damaged", path=str(folder), reason=str(error))
        return None


def _flush_tree(folder: Path) -> None:
    for root, _, names in os.walk(folder):
        for name in names:
            descriptor = os.open(Path(root, name), os.O_RDWR)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
        _flush_folder(Path(root))


def _flush_folder(folder: Path) -> None:
    # Windows cannot open a folder for this, and needs it less.
    with suppress(PermissionError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
