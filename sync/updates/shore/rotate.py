"""Keys change hands, and signatures are made anew before their time is over: drafts that wait for those who sign."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from securesystemslib.signer import SSlibKey
from tuf.api.metadata import Root, Targets

from sync.updates.errors import RepositoryUnsoundError
from sync.updates.shore.keys import holder_of
from sync.updates.shore.repository import Repository, RoleName
from sync.updates.shore.signing import keys_of


def rotate(repository: Repository, role: RoleName, *, add: Sequence[SSlibKey], remove: Sequence[str], now: datetime) -> list[Path]:
    """Let keys sign for a role from now on, or no longer.

    Args:
        role: whose keys change.
        add: public keys that come.
        remove: keys that go: the id, the beginning of one, or the holder.
        now: aware.

    Returns:
        Drafts to be signed: the new root (or targets, for a key of models) and whatever was signed by a key that goes.

    Raises:
        RepositoryUnsoundError: a key is not there, or too few would be left.
    """
    repository.must_be_one()
    if not add and not remove:
        raise RepositoryUnsoundError("neither a key to add nor one to remove is given", advice="Give --add KEY.pub, --remove KEY, or both.")
    owner: RoleName = "targets" if role == "models" else "root"
    draft = repository.begin_draft(owner, now)
    delegator: Root | Targets = draft.signed
    for key in add:
        delegator.add_key(key, role)
    for named in remove:
        delegator.revoke_key(_meant(named, role, repository, delegator), role)
    needed = delegator.get_delegated_role(role)
    least = max(needed.threshold, 3 if role == "root" else 1)
    if len(needed.keyids) < least:
        raise RepositoryUnsoundError(f"{role} would have {len(needed.keyids)} keys, and needs {least}", advice="Add one in the same step.")
    written = [repository.put_draft(owner, draft)]
    if role in {"targets", "models"}:
        written += renew(repository, [role], now)
    return written


def renew(repository: Repository, roles: Sequence[RoleName], now: datetime) -> list[Path]:
    """Drafts with a new date of end, to be signed.

    Raises:
        RepositoryUnsoundError: a file is damaged or cannot be written.
    """
    repository.must_be_one()
    return [repository.put_draft(role, repository.begin_draft(role, now)) for role in dict.fromkeys(roles)]


def _meant(named: str, role: RoleName, repository: Repository, delegator: Root | Targets) -> str:
    """The id of the one key that is meant."""
    root, targets = repository.newest("root").signed, repository.newest("targets").signed
    known = keys_of(role, root, targets) if isinstance(delegator, Root) or role != "models" else keys_of(role, root, delegator)
    found = [keyid for keyid, key in known.items() if keyid.startswith(named) or holder_of(key) == named]
    if len(found) != 1:
        holders = ", ".join(sorted(f"{holder_of(key)} ({keyid[:8]})" for keyid, key in known.items()))
        raise RepositoryUnsoundError(f"{named!r} means {len(found)} keys of {role}", advice=f"It has: {holders}.")
    return found[0]
