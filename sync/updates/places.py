"""Where things of updates lie in a home folder, who works with them, and whose signatures count here."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tuf.api.exceptions import RepositoryError
from tuf.api.metadata import Metadata, Root
from tuf.api.serialization import DeserializationError

from edge.errors import BusyError, StoreError
from edge.store.durable import sync_folder
from edge.store.lock import HomeLock
from sync.updates.errors import NoTrustError, UpdatesBusyError, UpdatesUntrustedError

MAX_ROOT_BYTES = 512_000


@dataclass(frozen=True, slots=True)
class Places:
    """The folder `sync/updates` of a home.

    `root.json` is what a person brought; `metadata` may be deleted at any time, `spool` and `staged` hold what is being fetched, `proofs`
    the signatures of what was installed.
    """

    folder: Path

    @property
    def root(self) -> Path:
        """The trusted root, as it was given."""
        return self.folder / "root.json"

    @property
    def metadata(self) -> Path:
        """Signatures seen last."""
        return self.folder / "metadata"

    @property
    def spool(self) -> Path:
        """Parts of files."""
        return self.folder / "spool"

    @property
    def staged(self) -> Path:
        """Whole, verified files that wait to be installed."""
        return self.folder / "staged"

    @property
    def proofs(self) -> Path:
        """The signatures under each installed model, a folder for each."""
        return self.folder / "proofs"


def places_of(home: Path) -> Places:
    """The places of a home folder."""
    return Places(home / "sync" / "updates")


@contextmanager
def alone(places: Places) -> Iterator[None]:
    """Nobody else fetches updates for this home folder while the block lasts.

    Raises:
        UpdatesBusyError: somebody does.
        StoreError: the home folder cannot be written.
    """
    try:
        places.folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(f"{places.folder} cannot be made: {error.strerror}") from error
    lock = HomeLock(places.folder)
    try:
        lock.acquire()
    except BusyError as error:
        raise UpdatesBusyError("updates are being fetched or installed already") from error
    try:
        yield
    finally:
        lock.release()


def read_root(content: bytes) -> Metadata[Root]:
    """A root that stands for itself: signed by as many of its own keys as it asks for.

    Raises:
        UpdatesUntrustedError: it is none.
    """
    advice = "Take 1.root.json, or a later one, from the folder `public/metadata` of the repository ashore."
    try:
        root: Metadata[Root] = Metadata.from_bytes(content)
        if not isinstance(root.signed, Root):
            raise UpdatesUntrustedError(f"this is {root.signed.type} metadata, not a root", advice=advice)
        root.signed.verify_delegate("root", root.signed_bytes, root.signatures)
    except (DeserializationError, RepositoryError) as error:
        raise UpdatesUntrustedError(f"this is no signed root: {error}", advice=advice) from error
    return root


def trusted_root(places: Places) -> bytes:
    """The root that was given to this home folder.

    Raises:
        NoTrustError: none was given, or it cannot be read any more.
    """
    try:
        content = places.root.read_bytes()
        read_root(content)
    except FileNotFoundError as error:
        raise NoTrustError("nobody has said yet whose models this appliance may take") from error
    except (OSError, UpdatesUntrustedError) as error:
        raise NoTrustError(
            f"{places.root} cannot be read any more: {error}", advice="Run `imagine-edge sync trust ROOT.json` again."
        ) from error
    return content


def keep_root(places: Places, content: bytes) -> str:
    """Store a trusted root durably; what was seen with another goes. Returns its SHA-256.

    Raises:
        OSError: it cannot be written.
    """
    places.folder.mkdir(parents=True, exist_ok=True)
    part = places.root.with_name(f".root.json.{os.getpid()}")
    with part.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    part.replace(places.root)
    sync_folder(places.folder)
    shutil.rmtree(places.metadata, ignore_errors=True)
    return hashlib.sha256(content).hexdigest()
