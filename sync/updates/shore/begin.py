"""A new repository: its first root, and the two roles that say which models there are, all still without signatures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path

from securesystemslib.signer import SSlibKey
from tuf.api.metadata import DelegatedRole, Delegations, Metadata, Root, Targets

from sync.updates.errors import RepositoryUnsoundError
from sync.updates.shore.repository import LEAST_SIGNATURES, MODEL_PATHS, Repository, RoleName, expiry

ROOT_ROLES: tuple[RoleName, ...] = ("root", "targets", "snapshot", "timestamp")
_LEAST_KEYS: Mapping[RoleName, int] = {"root": 3, "targets": 2, "models": 1, "snapshot": 1, "timestamp": 1}


def begin(folder: Path, keys: Mapping[RoleName, Sequence[SSlibKey]], now: datetime) -> list[Path]:
    """Make a repository whose drafts wait for signatures.

    Args:
        folder: empty, or not there yet.
        keys: public keys of each role; of the root three or more, two of which sign; of targets two or more, two of which sign.
        now: aware.

    Returns:
        The files to be signed: by two holders of the root, by two of targets, by one of models.

    Raises:
        RepositoryUnsoundError: the folder holds something, or a role has too few keys.
    """
    if folder.is_dir() and any(folder.iterdir()):
        raise RepositoryUnsoundError(f"{folder} is not empty", advice="Give a new folder.")
    for role, least in _LEAST_KEYS.items():
        if len({key.keyid for key in keys.get(role, ())}) < least:
            raise RepositoryUnsoundError(
                f"the role {role} needs {least} different keys or more", advice="Make them with `imagine-edge shore key`."
            )
    _keep_apart(keys)
    repository = Repository(folder)
    for inner in (repository.metadata, repository.targets, repository.drafts):
        inner.mkdir(parents=True, exist_ok=True)

    root = Root(expires=expiry("root", now), consistent_snapshot=True)
    for role in ROOT_ROLES:
        for key in keys[role]:
            root.add_key(key, role)
        root.roles[role].threshold = LEAST_SIGNATURES[role]
    targets = Targets(expires=expiry("targets", now))
    delegated = DelegatedRole("models", [], LEAST_SIGNATURES["models"], terminating=True, paths=list(MODEL_PATHS))
    targets.delegations = Delegations(keys={}, roles={"models": delegated})
    for key in keys["models"]:
        targets.add_key(key, "models")
    models = Targets(expires=expiry("models", now))
    return [
        repository.put_draft("root", Metadata(root)),
        repository.put_draft("targets", Metadata(targets)),
        repository.put_draft("models", Metadata(models)),
    ]


def _keep_apart(keys: Mapping[RoleName, Sequence[SSlibKey]]) -> None:
    """A key on the machine that signs every week must not be one of those that lie in a safe."""
    online = {key.keyid for role in ("snapshot", "timestamp") for key in keys[role]}
    for role in ("root", "targets", "models"):
        if online & {key.keyid for key in keys[role]}:
            raise RepositoryUnsoundError(
                f"a key of {role} is also one of snapshot or timestamp",
                advice="Those sign every week, unattended: give them keys of their own.",
            )
