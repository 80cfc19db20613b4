"""From signed drafts to what ships get: whole and consistent, or not at all.

A draft that still lacks signatures stays where it is; the others go, if they hold together without it. What ships see changes with
timestamp.json, the last file that is written; all others have names of their own.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import product
from typing import Any

from securesystemslib.signer import CryptoSigner
from tuf.api.metadata import Metadata, MetaFile, Root, Snapshot, Targets, Timestamp

from sync.updates.shore.repository import DRAFTED, LIFE_DAYS, Document, Repository, RoleName, expiry
from sync.updates.shore.signing import Wanted, keys_of, sign, sign_drafts, wanted

_SPARE = timedelta(days=5)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of it.

    Attributes:
        is_live: ships get what was signed, with a fresh timestamp.
        versions: of each role that ships get, as it is now.
        waiting: drafts that stay, and what they lack.
        lacking: roles whose keys were not here, so that nothing could go.
    """

    is_live: bool
    versions: dict[str, int]
    waiting: tuple[Wanted, ...]
    lacking: tuple[RoleName, ...]


def go_live(repository: Repository, signers: Sequence[CryptoSigner], now: datetime) -> Outcome:
    """Sign what the keys may sign, and let ships have whatever is complete.

    Args:
        signers: keys that are here; without those of snapshot and timestamp nothing goes live.
        now: aware.

    Raises:
        RepositoryUnsoundError: a file is damaged or cannot be written.
    """
    repository.must_be_one()
    sign_drafts(repository, signers)
    chosen = next(_sound_sets(repository), None)
    if chosen is None:
        return Outcome(is_live=False, versions=_versions(repository), waiting=waiting(repository), lacking=())
    root, targets, models = chosen
    able = {role: _able(role, root.signed, targets.signed, signers) for role in ("snapshot", "timestamp")}
    lacking = tuple(role for role in able if not able[role])
    if lacking:
        return Outcome(is_live=False, versions=_versions(repository), waiting=waiting(repository), lacking=lacking)  # type: ignore[arg-type]
    snapshot = _next_snapshot(repository, chosen, able["snapshot"], now)
    timestamp = _next_timestamp(repository, snapshot, able["timestamp"], now)
    repository.publish("targets", targets)
    repository.publish("models", models)
    repository.publish("snapshot", snapshot)
    repository.publish("root", root)
    repository.publish("timestamp", timestamp)
    return Outcome(is_live=True, versions=_versions(repository), waiting=waiting(repository), lacking=())


def waiting(repository: Repository) -> tuple[Wanted, ...]:
    """Drafts, and what each still needs.

    Raises:
        RepositoryUnsoundError: a file is damaged.
    """
    root, targets, live_root = repository.newest("root").signed, repository.newest("targets").signed, repository.live("root")
    found = []
    for role in DRAFTED:
        document = repository.draft(role)
        if document is not None:
            found.append(wanted(role, document, root=root, targets=targets, root_before=None if live_root is None else live_root.signed))
    return tuple(found)


def _sound_sets(repository: Repository) -> Iterator[tuple[Document, Document, Document]]:
    """Sets of root, targets and models that hold together, those with the most drafts first."""
    live_root = repository.live("root")
    choices = [[one for one in (repository.draft(role), repository.live(role)) if one is not None] for role in DRAFTED]
    for root, targets, models in product(*choices):
        are_signed = _is_signed("targets", targets, root.signed, targets.signed) and _is_signed(
            "models", models, root.signed, targets.signed
        )
        if are_signed and _is_next(root, live_root):
            yield root, targets, models


def _is_next(root: Document, before: Document | None) -> bool:
    if before is not None and root.signed.version == before.signed.version:
        return True
    return bool(root.signed.get_root_verification_result(None if before is None else before.signed, root.signed_bytes, root.signatures))


def _is_signed(role: RoleName, document: Document, root: Root, targets: Targets) -> bool:
    delegator: Root | Targets = targets if role == "models" else root
    return bool(delegator.get_verification_result(role, document.signed_bytes, document.signatures))


def _able(role: RoleName, root: Root, targets: Targets, signers: Sequence[CryptoSigner]) -> list[CryptoSigner]:
    """The keys among those here that sign for a role; none if they are too few."""
    known = keys_of(role, root, targets)
    found = [signer for signer in signers if signer.public_key.keyid in known]
    return found if len(found) >= root.roles[role].threshold else []


def _next_snapshot(
    repository: Repository, chosen: tuple[Document, Document, Document], signers: Sequence[CryptoSigner], now: datetime
) -> Document:
    """The one that is live, where it says the same and outlives the next timestamp: ships need not fetch it again."""
    root, targets, models = chosen
    meta = {"targets.json": MetaFile(targets.signed.version), "models.json": MetaFile(models.signed.version)}
    live = repository.live("snapshot")
    if live is not None:
        outlives = live.signed.expires >= expiry("timestamp", now) + _SPARE
        if outlives and live.signed.meta == meta and _is_signed("snapshot", live, root.signed, targets.signed):
            return live
    document: Metadata[Any] = Metadata(Snapshot(version=_next(live), expires=expiry("snapshot", now), meta=meta))
    sign(document, signers)
    return document


def _next_timestamp(repository: Repository, snapshot: Document, signers: Sequence[CryptoSigner], now: datetime) -> Document:
    meta = MetaFile(snapshot.signed.version)
    live = repository.live("timestamp")
    document: Metadata[Any] = Metadata(Timestamp(version=_next(live), expires=expiry("timestamp", now), snapshot_meta=meta))
    sign(document, signers)
    return document


def _next(live: Document | None) -> int:
    return 1 if live is None else int(live.signed.version) + 1


def _versions(repository: Repository) -> dict[str, int]:
    live = {role: repository.live(role) for role in LIFE_DAYS}
    return {role: int(document.signed.version) for role, document in live.items() if document is not None}
