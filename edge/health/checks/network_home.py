"""Does the database lie on a disk of this machine?"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

import psutil

from edge.health.context import HealthContext
from edge.health.issue import Issue, IssueCode, Severity

TITLE = "The database lies on a local disk"
CODES = frozenset({IssueCode.DATABASE_ON_NETWORK})

_NETWORK_TYPES = frozenset(
    {"9p", "afpfs", "afs", "beegfs", "ceph", "cifs", "davfs", "fuse.davfs2", "fuse.glusterfs", "fuse.rclone", "fuse.sshfs", "glusterfs"}
    | {"gpfs", "lustre", "ncpfs", "nfs", "nfs4", "ocfs2", "smb2", "smb3", "smbfs", "virtiofs", "vboxsf", "vmhgfs", "webdav"}
)


def run_check(context: HealthContext) -> list[Issue]:
    """SQLite's WAL needs memory that two machines cannot share: on a network file system it damages the database."""
    mounts = [(partition.mountpoint, partition.fstype) for partition in psutil.disk_partitions(all=True)]
    kind = file_system_of(context.home.resolve(), mounts)
    if not is_network(str(context.home.resolve()), kind):
        return []
    message = f"The home folder {context.home} lies on a network file system ({kind or 'a share'})."
    advice = "Move the home folder to a disk of this machine; watched folders may stay on the network."
    return [Issue(code=IssueCode.DATABASE_ON_NETWORK, severity=Severity.ERROR, message=message, advice=advice)]


def file_system_of(path: Path, mounts: Iterable[tuple[str, str]]) -> str:
    """The type of the file system that a path lies on, by the longest mount point above it; later mounts cover earlier ones."""
    best_length, best_kind = -1, ""
    for mount, kind in mounts:
        if path.is_relative_to(mount) and len(Path(mount).parts) >= best_length:
            best_length, best_kind = len(Path(mount).parts), kind
    return best_kind


def is_network(path: str, kind: str) -> bool:
    """Whether a path lies on another machine: by the type of its file system, or on Windows by its share name."""
    return kind.lower() in _NETWORK_TYPES or (os.name == "nt" and path.startswith("\\\\"))
