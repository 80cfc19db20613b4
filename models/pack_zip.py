"""A pack as one zip file: written the same way each time, unpacked without trusting it."""

from __future__ import annotations

import shutil
import stat
import zipfile
import zlib
from pathlib import Path, PurePosixPath

from edge.errors import PackInvalidError
from edge.units import mib_to_bytes
from models.manifest import MANIFEST_NAME
from models.pack import verify_pack

MAX_ENTRIES = 2_000
MAX_UNPACKED_BYTES = mib_to_bytes(4096)
MAX_RATIO = 200  # unpacked to packed; weights reach about 1.1, JSON about 20
_NOT_A_SOUND_ZIP = (
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    UnicodeError,
    NotImplementedError,  # a compression that this Python lacks
    RuntimeError,  # an encrypted entry
    FileExistsError,  # an entry that is a file and a folder
    NotADirectoryError,
)
_EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest time that a zip can say


def zip_pack(pack_dir: Path, target: Path) -> Path:
    """Verify a pack and write it as a zip, the same bytes for the same pack (and zlib), manifest first.

    Raises:
        PackInvalidError: the pack is not sound.
    """
    pack = verify_pack(pack_dir)
    names = [MANIFEST_NAME, *sorted(file.path for file in pack.manifest.all_files())]
    temporary = target.with_name(f".{target.name}.tmp")
    with zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as archive:
        for name in names:
            entry = zipfile.ZipInfo(name, _EPOCH)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.create_system = 3  # Unix, on every platform
            entry.external_attr = (stat.S_IFREG | 0o644) << 16
            archive.writestr(entry, pack_dir.joinpath(*PurePosixPath(name).parts).read_bytes())
    return temporary.replace(target)


def unpack_zip(archive_path: Path, target_dir: Path) -> None:
    """Unpack a zip into `target_dir`, which must exist and be empty.

    Raises:
        PackInvalidError: no zip, damaged, or with an entry that leaves the folder, is a link, is encrypted, appears
            twice, or unpacks to more than the limits of this module.
    """
    try:
        with zipfile.ZipFile(archive_path) as archive:
            entries = archive.infolist()
            _check_entries(entries)
            for entry in entries:
                _unpack_entry(archive, entry, target_dir)
    except _NOT_A_SOUND_ZIP as error:
        raise PackInvalidError(f"{archive_path.name} is not a sound zip file: {error}") from error


def _check_entries(entries: list[zipfile.ZipInfo]) -> None:
    if len(entries) > MAX_ENTRIES:
        raise PackInvalidError(f"the zip holds {len(entries)} entries, more than {MAX_ENTRIES}")
    total_bytes = sum(entry.file_size for entry in entries)
    if total_bytes > MAX_UNPACKED_BYTES:
        raise PackInvalidError(f"the zip unpacks to {total_bytes} bytes, more than {MAX_UNPACKED_BYTES}")
    if total_bytes > MAX_RATIO * max(1, sum(entry.compress_size for entry in entries)):
        raise PackInvalidError(f"the zip unpacks to more than {MAX_RATIO} times its size")
    seen: set[str] = set()
    for entry in entries:
        name = entry.filename
        path = PurePosixPath(name)
        if path.is_absolute() or ".." in path.parts or "\\" in name or ":" in name or not path.parts:
            raise PackInvalidError(f"the zip holds an entry outside its folder: {name!r}")
        if name.casefold() in seen:
            raise PackInvalidError(f"the zip holds {name!r} twice")
        seen.add(name.casefold())
        kind = stat.S_IFMT(entry.external_attr >> 16)
        if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
            raise PackInvalidError(f"the zip holds a link or a device: {name!r}")


def _unpack_entry(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, target_dir: Path) -> None:
    target = target_dir.joinpath(*PurePosixPath(entry.filename).parts)
    if entry.is_dir():
        target.mkdir(parents=True, exist_ok=True)
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    # zipfile stops at the declared size, which the limits above have seen, and checks the CRC.
    with archive.open(entry) as source, target.open("xb") as sink:
        shutil.copyfileobj(source, sink)
