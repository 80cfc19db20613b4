"""What a repository is, in words and figures: for the manager who asks, and for the holder of a key who is about to sign."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from tuf.api.exceptions import LengthOrHashMismatchError
from tuf.api.metadata import Root, TargetFile, Targets

from edge.store.clock import utc_text
from sync.updates.shore.golive import waiting
from sync.updates.shore.keys import holder_of
from sync.updates.shore.publish import place_of, published
from sync.updates.shore.repository import ROLES, Document, Repository, RoleName
from sync.updates.shore.signing import Wanted, keys_of

WARN_DAYS = {"root": 120, "targets": 60, "models": 60, "snapshot": 46, "timestamp": 30}
"""So long before its end a role should be signed anew: for the timestamp one that was not signed for two weeks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RoleStatus:
    """A role: what ships get of it, and who signs. `days_left` is negative where its time is over; version 0: nothing yet."""

    role: RoleName
    version: int
    expires_utc: str
    days_left: int
    needs_renewal: bool
    threshold: int
    holders: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedPack:
    """A pack that ships can get. `is_live`: false while a signature is missing. `is_whole`: its file lies there with the signed hash."""

    name: str
    version: str
    size_bytes: int
    sha256: str
    is_live: bool
    is_whole: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class RepositoryStatus:
    """All of it."""

    folder: Path
    roles: tuple[RoleStatus, ...]
    waiting: tuple[Wanted, ...]
    packs: tuple[PublishedPack, ...]


def repository_status(repository: Repository, now: datetime) -> RepositoryStatus:
    """What is there, what is missing, and what is running out.

    Raises:
        RepositoryUnsoundError: it is no repository, or a file is damaged.
    """
    repository.must_be_one()
    root, targets = repository.newest("root").signed, repository.newest("targets").signed
    return RepositoryStatus(
        folder=repository.folder,
        roles=tuple(_role(repository, role, root, targets, now) for role in ROLES),
        waiting=waiting(repository),
        packs=_packs(repository),
    )


def words_of(role: RoleName, document: Document) -> list[str]:
    """What somebody signs with this document, line by line."""
    signed = document.signed
    lines = [f"{role}, version {signed.version}, until {signed.expires:%Y-%m-%d} (UTC)"]
    if isinstance(signed, Root):
        for name, needed in signed.roles.items():
            holders = ", ".join(f"{holder_of(signed.keys[keyid])} ({keyid[:8]})" for keyid in needed.keyids)
            lines.append(f"  {name}: {needed.threshold} of {len(needed.keyids)}: {holders}")
    if isinstance(signed, Targets):
        if signed.delegations is not None:
            for name, one in (signed.delegations.roles or {}).items():
                holders = ", ".join(f"{holder_of(signed.delegations.keys[keyid])} ({keyid[:8]})" for keyid in one.keyids)
                lines.append(f"  {name} may sign {', '.join(one.paths or ())}: {one.threshold} of {len(one.keyids)}: {holders}")
        lines += [f"  {path}  {target.length} bytes  {target.hashes.get('sha256', '')}" for path, target in signed.targets.items()]
    return lines


def _role(repository: Repository, role: RoleName, root: Root, targets: Targets, now: datetime) -> RoleStatus:
    live = repository.live(role)
    known = keys_of(role, root, targets)
    needed = (targets if role == "models" else root).get_delegated_role(role)
    days_left = 0 if live is None else (live.signed.expires - now.astimezone(UTC)).days
    return RoleStatus(
        role=role,
        version=0 if live is None else live.signed.version,
        expires_utc="" if live is None else utc_text(live.signed.expires),
        days_left=days_left,
        needs_renewal=live is not None and days_left < WARN_DAYS[role],
        threshold=needed.threshold,
        holders=tuple(sorted(holder_of(key) for key in known.values())),
    )


def _packs(repository: Repository) -> tuple[PublishedPack, ...]:
    live = repository.live("models")
    on_air = {} if live is None else live.signed.targets
    found = []
    for (name, version), target in sorted(published(repository).items()):
        found.append(
            PublishedPack(
                name=name,
                version=version,
                size_bytes=target.length,
                sha256=target.hashes["sha256"],
                is_live=on_air.get(target.path) == target,
                is_whole=_is_whole(place_of(repository, target), target),
            )
        )
    return tuple(found)


def _is_whole(place: Path, target: TargetFile) -> bool:
    try:
        with place.open("rb") as file:
            target.verify_length_and_hashes(file)
    except (OSError, LengthOrHashMismatchError):
        return False
    return True
