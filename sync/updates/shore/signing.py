"""Signatures under drafts: given here or on another machine, counted against the roles that must give them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from securesystemslib.signer import CryptoSigner, Key
from tuf.api.metadata import Root, Targets

from sync.updates.errors import KeyUnusableError
from sync.updates.shore.keys import holder_of
from sync.updates.shore.repository import Document, Repository, RoleName, read_document, role_of, write_document


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What a draft still needs.

    Attributes:
        role, version: of the draft.
        missing: how many signatures, 0 if it has enough.
        signed_by: holders who signed.
        may_sign: holders who may and did not.
    """

    role: RoleName
    version: int
    missing: int
    signed_by: tuple[str, ...]
    may_sign: tuple[str, ...]


def sign_file(path: Path, signers: Sequence[CryptoSigner]) -> Document:
    """Put signatures under a file that was carried here; nothing but the file is needed.

    Raises:
        RepositoryUnsoundError: it is no signed metadata, or its name was changed.
        KeyUnusableError: it is a root that does not know the key.
    """
    document = read_document(path)
    role = role_of(document, path)
    if role == "root":
        _must_know(document.signed, signers, path)
    sign(document, signers)
    write_document(path, document)
    return document


def sign(document: Document, signers: Sequence[CryptoSigner]) -> None:
    """Put signatures under a document; one of the same key is exchanged."""
    for signer in signers:
        document.sign(signer, append=True)


def keys_of(role: RoleName, root: Root, targets: Targets) -> dict[str, Key]:
    """The keys that may sign for a role."""
    delegator: Root | Targets = targets if role == "models" else root
    return {keyid: delegator.get_key(keyid) for keyid in delegator.get_delegated_role(role).keyids}


def wanted(role: RoleName, document: Document, *, root: Root, targets: Targets, root_before: Root | None) -> Wanted:
    """What a document still needs.

    Args:
        root: which says who signs for targets; for a new root it is that root itself.
        targets: which says who signs for models.
        root_before: a new root must be signed by those of the one before, too.
    """
    content, signatures = document.signed_bytes, document.signatures
    if role == "root":
        both = document.signed.get_root_verification_result(root_before, content, signatures)
        results = [both.first, both.second]
    else:
        delegator: Root | Targets = targets if role == "models" else root
        results = [delegator.get_verification_result(role, content, signatures)]
    signed = {keyid: key for result in results for keyid, key in result.signed.items()}
    unsigned = {keyid: key for result in results for keyid, key in result.unsigned.items() if result.missing}
    return Wanted(
        role=role,
        version=document.signed.version,
        missing=max(result.missing for result in results),
        signed_by=tuple(sorted(holder_of(key) for key in signed.values())),
        may_sign=tuple(sorted(holder_of(key) for key in unsigned.values())),
    )


def sign_drafts(repository: Repository, signers: Sequence[CryptoSigner]) -> None:
    """Let keys that are here sign every draft that they may sign.

    Raises:
        RepositoryUnsoundError: a file is damaged or cannot be written.
    """
    root, targets = repository.newest("root").signed, repository.newest("targets").signed
    live_root = repository.live("root")
    for role in ("root", "targets", "models"):
        document = repository.draft(role)
        if document is None:
            continue
        known = set(keys_of(role, root, targets))
        if role == "root" and live_root is not None:
            known |= set(keys_of("root", live_root.signed, targets))
        chosen = [signer for signer in signers if signer.public_key.keyid in known]
        if chosen:
            sign(document, chosen)
            repository.put_draft(role, document)


def _must_know(root: Root, signers: Sequence[CryptoSigner], path: Path) -> None:
    for signer in signers:
        if signer.public_key.keyid not in root.keys:
            advice = "A holder who leaves signs too, but with the repository: `imagine-edge shore sign REPOSITORY --key KEY`."
            raise KeyUnusableError(f"{path.name} does not know the key {signer.public_key.keyid[:8]}", advice=advice)
