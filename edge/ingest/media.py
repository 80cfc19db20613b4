"""Media and shares that come and go: is this still the folder that its files were seen in?

A medium that is pulled out leaves an empty folder behind, or none. Device numbers change from boot to boot, so what is
remembered of a folder is only whether it was a mount: whether its device was another than its parent's.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Collection, Iterator

from edge.store.away import FolderPlace

FolderIdentity = tuple[int, int]  # device and inode
_SEPARATOR = os.fsencode(os.sep)


def folder_identity(path: bytes) -> FolderIdentity | None:
    """Which folder is there now: another one after a mount, an unmount or an exchange. None if none can be seen."""
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_dev, status.st_ino


def is_mount(path: bytes) -> bool:
    """Whether a medium or share of its own is mounted at this folder.

    Raises:
        OSError: the folder cannot be examined.
    """
    return os.stat(path).st_dev != os.stat(os.path.dirname(path)).st_dev


def is_within(folder: bytes, outer: bytes) -> bool:
    """Whether a folder is another one or lies in it; both relative to the same root, which is `b""`."""
    return outer in (b"", folder) or folder.startswith(outer + _SEPARATOR)


def step_below(folder: bytes, outer: bytes) -> bytes | None:
    """The folder directly in `outer` that leads to `folder`; None if it does not lie in there."""
    if folder == outer or not is_within(folder, outer):
        return None
    first = folder[len(outer) + len(_SEPARATOR) if outer else 0 :].split(_SEPARATOR, 1)[0]
    return os.path.join(outer, first) if outer else first


def is_missing(root: bytes, folder: bytes) -> bool:
    """Whether there is certainly no folder of this name in a root; a link to one leads out of the tree and is none."""
    try:
        return any(not stat.S_ISDIR(os.stat(path, follow_symlinks=False).st_mode) for path in _way_to(root, folder))
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError:
        return False


def lost_medium(root: bytes, folder: bytes, mounts: Collection[bytes]) -> bytes | None:
    """The first folder on the way to this one, itself included, whose medium is out; None if none is.

    A mount point that was removed altogether is no lost medium: its parent says that it is gone.
    """
    for mount in sorted(mount for mount in mounts if is_within(folder, mount)):
        path = os.path.join(root, mount) if mount else root
        try:
            if not is_mount(path):
                return mount
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError:
            return mount
    return None


def is_away(place: FolderPlace) -> bool:
    """Whether a folder cannot be looked at, so that a file which is not found in it is not known to be gone."""
    root, folder = place.root_path_bytes, place.relative_path_bytes
    path = os.path.join(root, folder) if folder else root
    if folder_identity(root) is None or lost_medium(root, folder, place.mounts) is not None:
        return True
    try:
        with os.scandir(path) as entries:
            next(entries, None)
    except OSError:
        return not is_missing(root, folder)
    return False


def _way_to(root: bytes, folder: bytes) -> Iterator[bytes]:
    path = root
    for part in folder.split(_SEPARATOR) if folder else ():
        path = os.path.join(path, part)
        yield path
