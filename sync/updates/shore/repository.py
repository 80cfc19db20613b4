"""The folder of signed models as it lies on a disk ashore.

    REPOSITORY/
      public/                 what any web server or stick carries
        metadata/             1.root.json, 1.targets.json, 1.models.json, 1.snapshot.json, timestamp.json
        targets/models/NAME/VERSION/SHA256.NAME-VERSION.zip
      drafts/                 what waits for signatures: 2.root.json, ...

A file under `public/metadata` is never changed, but for timestamp.json, which is exchanged in one step and says what all others are.
"""

from __future__ import annotations

import os
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal, get_args

from tuf.api.exceptions import RepositoryError, StorageError
from tuf.api.metadata import Metadata, Root, Snapshot, Targets, Timestamp
from tuf.api.serialization import DeserializationError
from tuf.api.serialization.json import JSONSerializer

from edge.store.durable import sync_folder
from sync.updates.errors import RepositoryUnsoundError

RoleName = Literal["root", "targets", "models", "snapshot", "timestamp"]
Document = Metadata[Any]

ROLES: tuple[RoleName, ...] = get_args(RoleName)
DRAFTED: tuple[RoleName, ...] = ("root", "targets", "models")
"""What is signed by people, slowly; the other two are signed where the folder is kept."""

LIFE_DAYS: dict[RoleName, int] = {"root": 730, "targets": 365, "models": 365, "snapshot": 90, "timestamp": 45}
"""A cruise lasts four to six weeks, and a stick is as old as the voyage: so a timestamp lives 45 days, and is signed anew every week."""

LEAST_SIGNATURES: dict[RoleName, int] = {"root": 2, "targets": 2, "models": 1, "snapshot": 1, "timestamp": 1}

MODEL_PATHS = ("models/*/*/*",)
"""What the role `models` may sign. A star of a path never spans a slash: as many segments as the paths of packs have."""

_KINDS: dict[RoleName, type[Any]] = {"root": Root, "targets": Targets, "models": Targets, "snapshot": Snapshot, "timestamp": Timestamp}
_COMPACT = JSONSerializer(compact=True)


class Repository:
    """Reads and writes the files; what they have to say is the business of the modules beside."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.metadata = folder / "public" / "metadata"
        self.targets = folder / "public" / "targets"
        self.drafts = folder / "drafts"

    def must_be_one(self) -> None:
        """Raises RepositoryUnsoundError: the folder was never made one (`shore init`)."""
        if not (self.metadata.is_dir() and self.drafts.is_dir()):
            raise RepositoryUnsoundError(f"{self.folder} is no repository of models", advice="Make one with `imagine-edge shore init`.")

    def live(self, role: RoleName) -> Document | None:
        """What ships get, its newest version; None before there is any.

        Raises:
            RepositoryUnsoundError: the file is damaged.
        """
        path = self._newest(self.metadata, role)
        return None if path is None else read_document(path, role)

    def draft(self, role: RoleName) -> Document | None:
        """What waits for signatures.

        Raises:
            RepositoryUnsoundError: the file is damaged.
        """
        path = self._newest(self.drafts, role)
        return None if path is None else read_document(path, role)

    def newest(self, role: RoleName) -> Document:
        """The draft, or else what is live.

        Raises:
            RepositoryUnsoundError: there is neither, or the file is damaged.
        """
        found = self.draft(role) or self.live(role)
        if found is None:
            raise RepositoryUnsoundError(f"{self.folder} has no {role}.json")
        return found

    def draft_path(self, role: RoleName, document: Document) -> Path:
        """Where a draft lies."""
        return self.drafts / f"{document.signed.version}.{role}.json"

    def begin_draft(self, role: RoleName, now: datetime) -> Document:
        """The draft that is there, without its signatures, or the live version as the next one: to be changed and put.

        Raises:
            RepositoryUnsoundError: there is neither, or the file is damaged.
        """
        document = self.newest(role)
        live = self.live(role)
        document.signed.version = 1 if live is None else live.signed.version + 1
        document.signed.expires = expiry(role, now)
        document.signatures.clear()
        return document

    def put_draft(self, role: RoleName, document: Document) -> Path:
        """Write a draft durably. Returns where."""
        path = self.draft_path(role, document)
        write_document(path, document)
        for other in self._files(self.drafts, role):
            if other != path:
                other.unlink()
        return path

    def publish(self, role: RoleName, document: Document) -> None:
        """Let ships have a document, in one step; a draft of the same version goes."""
        name = f"{role}.json" if role == "timestamp" else f"{document.signed.version}.{role}.json"
        write_document(self.metadata / name, document)
        self.draft_path(role, document).unlink(missing_ok=True)

    def _newest(self, folder: Path, role: RoleName) -> Path | None:
        if role == "timestamp":
            path = folder / "timestamp.json"
            return path if path.is_file() else None
        return max(self._files(folder, role), key=lambda path: int(path.name.partition(".")[0]), default=None)

    def _files(self, folder: Path, role: RoleName) -> list[Path]:
        return [path for path in folder.glob(f"*.{role}.json") if re.fullmatch(rf"[0-9]+\.{role}\.json", path.name)]


def expiry(role: RoleName, now: datetime) -> datetime:
    """When what is signed now is over: UTC, whole seconds."""
    return now.astimezone(UTC).replace(microsecond=0) + timedelta(days=LIFE_DAYS[role])


def role_of(document: Document, path: Path) -> RoleName:
    """Which role a carried file is of: its kind, and for the two kinds of targets its name.

    Raises:
        RepositoryUnsoundError: the name is not that of a role.
    """
    kind = document.signed.type
    named = path.name.removesuffix(".json").rpartition(".")[2]
    if named not in ROLES or (named != kind and (kind, named) != ("targets", "models")):
        raise RepositoryUnsoundError(f"{path.name} holds the role {kind}", advice="Leave its name as it was, such as 2.targets.json.")
    return named


def read_document(path: Path, role: RoleName | None = None) -> Document:
    """A signed file of any role, or of one.

    Raises:
        RepositoryUnsoundError: it cannot be read, or holds something else.
    """
    try:
        document: Document = Metadata.from_file(str(path))
    except (DeserializationError, RepositoryError, StorageError, OSError) as error:
        raise RepositoryUnsoundError(f"{path} cannot be read as signed metadata: {error}", advice="Take it from a copy.") from error
    if role is not None and not isinstance(document.signed, _KINDS[role]):
        raise RepositoryUnsoundError(f"{path} holds {document.signed.type}, not {role}", advice="Take it from a copy.")
    return document


def write_document(path: Path, document: Document) -> None:
    """Write a signed file durably and in one step.

    Raises:
        RepositoryUnsoundError: the disk does not take it.
    """
    part = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with part.open("wb") as file:
            file.write(document.to_bytes(_COMPACT))
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
        sync_folder(path.parent)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise RepositoryUnsoundError(
            f"{path} cannot be written: {error.strerror}", advice="Look at the disk, and who may write there."
        ) from error
