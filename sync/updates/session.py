"""One look at a source with TUF's own client: fetch what is newer, believe what is signed, keep nothing that is not.

An `Updater` is for one look. Its cache may be deleted at any time: what must never go back stands in the database (`remembered`).
"""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import structlog
from tuf.api.exceptions import (
    DownloadError,
    DownloadHTTPError,
    DownloadLengthMismatchError,
    ExpiredMetadataError,
    LengthOrHashMismatchError,
    RepositoryError,
    StorageError,
)
from tuf.api.metadata import Metadata, Root, Snapshot, TargetFile, Targets, Timestamp
from tuf.api.serialization import DeserializationError
from tuf.ngclient import Updater, UpdaterConfig

from edge import __version__
from edge.errors import DiskFullError, LinkDownError, ServerFailedError, ServerRefusedError, StoreError
from edge.store.durable import sync_file, sync_folder
from sync.updates.errors import UpdatesStaleError, UpdatesUntrustedError
from sync.updates.folder_fetcher import FolderFetcher
from sync.updates.http_fetcher import HttpFetcher
from sync.updates.offer import Offer, read_offer
from sync.updates.places import Places
from sync.updates.remembered import Seen

log = structlog.get_logger()

_TOP = ("timestamp", "snapshot", "targets")
_BUSY = 429


class Session:
    """A source whose signatures were just fetched and verified. For one thread, with the places held by it alone."""

    def __init__(self, places: Places, root: bytes, fetcher: FolderFetcher | HttpFetcher) -> None:
        """Look at the source.

        Args:
            places: of the home folder.
            root: that was trusted by hand.
            fetcher: of the source; the caller closes it.

        Raises:
            TransportError: it cannot be reached, or what it has is not to be trusted.
            StoreError: the home folder cannot be written.
        """
        self._places, self._fetcher = places, fetcher
        with told():
            fetcher.begin()
            try:
                self._updater = self._refreshed(root)
            except OSError as error:
                if error.errno in {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES}:
                    raise
                log.warning("updates_cache_renewed", error=str(error))  # the database still knows what must not go back
                _clear(places.metadata)
                self._updater = self._refreshed(root)
            self._targets = self._find_targets()

    def versions(self) -> dict[str, Seen]:
        """Each role's version, and who may sign it."""
        root, targets, snapshot = self._document("root", Root), self._document("targets", Targets), self._document("snapshot", Snapshot)
        found = {"root": Seen(version=root.version, keys=tuple(sorted(root.roles["root"].keyids)))}
        documents = {"timestamp": self._document("timestamp", Timestamp).version, "snapshot": snapshot.version, "targets": targets.version}
        for role, version in documents.items():
            found[role] = Seen(version=version, keys=tuple(sorted(root.roles[role].keyids)))
        for name, role in _delegated(targets).items():
            found[name] = Seen(version=snapshot.meta[f"{name}.json"].version, keys=tuple(sorted(role.keyids)))
        return found

    def fresh_until(self) -> datetime:
        """When the first of the signatures is over, UTC."""
        names = ["root", *_TOP, *_delegated(self._document("targets", Targets))]
        kinds: dict[str, type[Any]] = {"root": Root, "timestamp": Timestamp, "snapshot": Snapshot}
        ends: list[datetime] = [self._document(name, kinds.get(name, Targets)).expires for name in names]
        return min(ends)

    def offers(self) -> tuple[Offer, ...]:
        """What is offered, by name and path."""
        found = [
            read_offer(path, target.custom, size_bytes=target.length, sha256=_sha256(target)) for path, target in self._targets.items()
        ]
        return tuple(offer for offer in found if offer is not None)

    def unread(self) -> tuple[str, ...]:
        """Paths of signed targets that this program has no use for: of a newer kind, or contradicting themselves."""
        known = {offer.path for offer in self.offers()}
        return tuple(path for path in self._targets if path not in known)

    def bring(self, offer: Offer) -> Path:
        """The verified file of an offer, durable among the staged ones; what is there already is not fetched again.

        Raises:
            TransportError: it cannot be fetched (what is here of it stays), or is not what was signed.
            StoreError: the home folder cannot be written.
        """
        target = self._targets[offer.path]
        place = self._places.staged / f"{_sha256(target)}.zip"
        url = f"{self._fetcher.base}targets/{target.get_prefixed_paths()[0]}"
        part = place.with_suffix(".part")
        with told():
            self._places.staged.mkdir(parents=True, exist_ok=True)
            if self._updater.find_cached_target(target, str(place)) is not None:
                return place
            try:
                self._updater.download_target(target, str(part))  # writes where it is told, without a rename: never to the last name
            except (LengthOrHashMismatchError, DownloadLengthMismatchError):
                self._fetcher.drop(url)
                raise
            sync_file(part)
            part.replace(place)
            sync_folder(place.parent)
        self._fetcher.drop(url)
        return place

    def keep_proof(self, offer: Offer) -> Path:
        """Lay the signatures under a model where they stay: who asks in a year what was installed, and why, finds them.

        Raises:
            StoreError: they cannot be written.
        """
        folder = self._places.proofs / f"{offer.name}-{offer.version}"
        with told():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
            for name in ("root", *_TOP, *_delegated(self._document("targets", Targets))):
                place = folder / f"{quote(name, '')}.json"
                shutil.copyfile(self._places.metadata / place.name, place)
                sync_file(place)
            sync_folder(folder)
        return folder

    def _refreshed(self, root: bytes) -> Updater:
        self._places.metadata.mkdir(parents=True, exist_ok=True)
        updater = Updater(
            metadata_dir=str(self._places.metadata),
            metadata_base_url=f"{self._fetcher.base}metadata/",
            target_base_url=f"{self._fetcher.base}targets/",
            fetcher=self._fetcher,
            config=UpdaterConfig(app_user_agent=f"imagine-edge/{__version__}"),
            bootstrap=root,
        )
        updater.refresh()
        return updater

    def _find_targets(self) -> dict[str, TargetFile]:
        """Every target that ships may have, as TUF itself finds it.

        TUF looks up one path at a time. So a path is made up that each delegation is asked about, which fetches and verifies its list; and
        each name of the list is looked up in turn: one that its signer had no right to name is not found.
        """
        listed: set[str] = set(self._document("targets", Targets).targets)
        for name, role in _delegated(self._document("targets", Targets)).items():
            for pattern in role.paths or ():
                self._updater.get_targetinfo(pattern.replace("*", "-").replace("?", "-"))
            if (self._places.metadata / f"{quote(name, '')}.json").is_file():
                listed |= set(self._document(name, Targets).targets)
        found = {path: self._updater.get_targetinfo(path) for path in sorted(listed)}
        return {path: target for path, target in found.items() if target is not None}

    def _document(self, name: str, kind: type[Any]) -> Any:
        """What the updater verified and wrote."""
        signed = Metadata.from_file(str(self._places.metadata / f"{quote(name, '')}.json")).signed
        assert isinstance(signed, kind)
        return signed


@contextmanager
def told() -> Iterator[None]:
    """Turn what TUF, the link and the disk raise into errors of ours."""
    try:
        yield
    except ExpiredMetadataError as error:
        raise UpdatesStaleError(f"the signatures are over: {_sentence(error)}") from error
    except (RepositoryError, DeserializationError) as error:
        raise _untrusted(error) from error
    except DownloadLengthMismatchError as error:
        raise UpdatesUntrustedError(f"more comes than was signed: {_sentence(error)}") from error
    except DownloadHTTPError as error:
        raise _refused(error) from error
    except (DownloadError, httpx.HTTPError, httpx.InvalidURL) as error:
        raise LinkDownError(
            _sentence(error.__cause__ if str(error).startswith("Failed to download") and error.__cause__ else error)
        ) from error
    except StorageError as error:
        raise StoreError(f"the home folder cannot be read: {_sentence(error)}") from error
    except OSError as error:
        kind = DiskFullError if error.errno in {errno.ENOSPC, errno.EDQUOT} else StoreError
        raise kind(f"{error.filename or 'the home folder'} cannot be written: {error.strerror or error}") from error


def _refused(error: DownloadHTTPError) -> Exception:
    if error.status_code >= 500 or error.status_code == _BUSY:
        return ServerFailedError(_sentence(error))
    if 300 <= error.status_code < 400:
        advice = "Is the address right, and has the ship's network a sign-in page in between? It is tried again by itself."
        return ServerFailedError(_sentence(error), advice=advice)
    return ServerRefusedError(_sentence(error), status=error.status_code, advice="Is `updates_url` the folder that holds `metadata`?")


def _untrusted(error: Exception) -> Exception:
    if isinstance(error, DeserializationError) or isinstance(error.__cause__, DeserializationError):
        advice = "Is the address right, and has the ship's network a sign-in page in between? Nothing was taken; installed models go on."
        return UpdatesUntrustedError("what came is no signed metadata", advice=advice)
    return UpdatesUntrustedError(f"what came is not to be trusted: {_sentence(error)}")


def _sentence(error: BaseException) -> str:
    return (str(error) or type(error).__name__).replace("\n", " ")[:300]


def _delegated(targets: Targets) -> dict[str, Any]:
    return {} if targets.delegations is None else dict(targets.delegations.roles or {})


def _sha256(target: TargetFile) -> str:
    return target.hashes.get("sha256", "")


def _clear(place: Path) -> None:
    if place.is_dir() and not place.is_symlink():
        shutil.rmtree(place)
    elif os.path.lexists(place):
        place.unlink()
