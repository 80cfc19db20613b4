"""The ship's side: check what is offered, bring one model aboard, prove it here, and let it serve when a person says so.

Nothing of this runs when the appliance starts, and nothing that serves ever depends on it: signatures that are over, or a source that is
gone, stop new models from coming and nothing else.
"""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import structlog

from edge import __version__
from edge.errors import EdgeError, ModelError, PackInvalidError, TransportError
from edge.store import audit, packs
from edge.store.clock import utc_now, utc_text
from edge.store.durable import file_sha256
from edge.store.packs import PackRow
from edge.store.sqlite import Connection
from edge.store.writer import Writes
from models.manifest import MANIFEST_NAME, Manifest
from models.registry import version_key
from sync.sinks.sink import Free, Spend
from sync.updates import remembered
from sync.updates.errors import DowngradeRefusedError, NotOfferedError, UpdateRolledBackError, UpdatesUntrustedError
from sync.updates.folder_fetcher import FolderFetcher
from sync.updates.http_fetcher import HttpFetcher, Progress
from sync.updates.offer import Offer, goldens_sha256, is_newer, labels_sha256
from sync.updates.places import Places, alone, keep_root, places_of, read_root, trusted_root
from sync.updates.remembered import LastCheck, Trouble
from sync.updates.session import Session, told
from sync.updates.source import checked_source

log = structlog.get_logger()


class Keeper(Protocol):
    """What proves and installs packs: `edge.pipeline.keeper.ModelKeeper`."""

    def install(self, source: Path) -> PackRow:
        """See `ModelKeeper`: goldens and speed of every variant in a child process, then one rename and one transaction."""

    def prove(self, row: PackRow) -> list[packs.VariantVerdict]:
        """See `ModelKeeper`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Aboard:
    """Who fetches from where.

    Attributes:
        home: the home folder.
        writer: of its database.
        source: the setting `updates_url`, or a folder.
        spend: counts and slows what passes over the link.
        wait: between attempts; returns True to give up.
        on_progress: is told bytes of a model that are here, and bytes in all.
        clock: the time, aware.
    """

    home: Path
    writer: Writes
    source: str
    spend: Spend = field(default_factory=Free)
    wait: Callable[[float], object] | None = None
    on_progress: Progress = lambda _, __: None
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)

    @property
    def places(self) -> Places:
        """Where its files lie."""
        return places_of(self.home)


@dataclass(frozen=True, slots=True, kw_only=True)
class Brought:
    """A model that lies here whole and verified, and is not installed. `proof`: where the signatures under it lie."""

    offer: Offer
    path: Path
    proof: Path
    is_downgrade: bool


def trust(home: Path, writer: Writes, root: bytes, *, actor: str, forget_time: bool = False) -> str:
    """Believe from now on who this root names. Returns its SHA-256, to be compared with what shore says over another way.

    Raises:
        UpdatesUntrustedError: it is no signed root.
        UpdatesBusyError: somebody fetches updates.
        StoreError: it cannot be stored.
    """
    given = read_root(root)
    places = places_of(home)
    with alone(places), told():
        is_same_chain = _continues(places, root)
        sha256 = keep_root(places, root)

        def work(connection: Connection) -> None:
            if not is_same_chain:
                remembered.forget_versions(connection)
            if forget_time:
                remembered.forget_time(connection)
            detail = {
                "sha256": sha256,
                "version": given.signed.version,
                "is_other_repository": not is_same_chain,
                "forget_time": forget_time,
            }
            audit.append(connection, actor, "updates_trust", "updates", detail)

        writer.call(work)
    return sha256


def check(aboard: Aboard) -> LastCheck:
    """Fetch and verify what shore says, and remember it.

    Raises:
        NoTrustError: nobody has said whom to trust; nothing was contacted.
        SettingsError: the source is none.
        TransportError: it cannot be reached, is not to be trusted, is over, or the clock is wrong; remembered as the last trouble.
        UpdatesBusyError, StoreError: see `alone`.
    """
    with alone(aboard.places), _opened(aboard) as session:
        return _checked(aboard, session)


def bring(aboard: Aboard, name: str, version: str, *, downgrade: bool = False) -> Brought:
    """Check, then fetch one of the offered models; what is here of it already is not fetched again.

    Raises:
        NotOfferedError: it is not offered, or this appliance is too old for it.
        DowngradeRefusedError: a newer version of it was installed before, and `downgrade` is false.
        EdgeError: see `check`.
    """
    with alone(aboard.places), _opened(aboard) as session:
        offer = _chosen(_checked(aboard, session), name, version)
        is_downgrade = aboard.writer.call(partial(_is_downgrade, offer=offer))
        if is_downgrade and not downgrade:
            raise DowngradeRefusedError(f"a newer version of {name} than {version} was installed here before")
        path = session.bring(offer)
        _must_be_as_signed(path, offer)
        return Brought(offer=offer, path=path, proof=session.keep_proof(offer), is_downgrade=is_downgrade)


def brought_before(aboard: Aboard, name: str, version: str) -> Brought | None:
    """A model that was brought earlier and lies here whole; None if it does not, or if the signatures are over meanwhile. Asks nobody.

    Raises:
        StoreError: the file cannot be read.
    """
    last = aboard.writer.call(remembered.last_check)
    offer = None if last is None else next((one for one in last.offers if (one.name, one.version) == (name, version)), None)
    if last is None or offer is None or last.stale_since(aboard.clock()) is not None:
        return None
    path, proof = aboard.places.staged / f"{offer.sha256}.zip", aboard.places.proofs / f"{offer.name}-{offer.version}"
    with told():
        if not (proof.is_dir() and path.is_file()) or file_sha256(path) != offer.sha256:
            return None
    return Brought(offer=offer, path=path, proof=proof, is_downgrade=aboard.writer.call(partial(_is_downgrade, offer=offer)))


def install(aboard: Aboard, brought: Brought, keeper: Keeper, *, actor: str) -> PackRow:
    """Prove a model on this machine and install it. It serves nothing before it is let.

    Raises:
        ModelError: it is damaged, or does not work here; its file goes, what is installed stays.
        UpdatesBusyError, StoreError: see `alone`.
    """
    offer = brought.offer
    with alone(aboard.places), told():
        try:
            row = keeper.install(brought.path)
        except ModelError as error:
            brought.path.unlink(missing_ok=True)
            _audit(aboard.writer, actor, "update_refused", offer, {"code": error.code, "words": str(error)})
            raise
        action = "update_downgraded" if brought.is_downgrade else "update_installed"
        _audit(aboard.writer, actor, action, offer, {"sha256": offer.sha256, "source": aboard.source, "proof": str(brought.proof)})
        brought.path.unlink(missing_ok=True)
    return row


def let_serve(
    row: PackRow, keeper: Keeper, *, activate: Callable[[], object], roll_back: Callable[[], object], writer: Writes, actor: str
) -> None:
    """Let an installed model serve, test it once more where it lies, and let the one before serve again if that fails.

    Args:
        row: the installed model.
        keeper: tests it, in a child process.
        activate, roll_back: switch the recipe in one transaction each.
        writer: of the audit trail.
        actor: who asked.

    Raises:
        UpdateRolledBackError: it failed; the one before serves again.
        ModelError: it cannot serve the recipe; nothing was changed.
    """
    activate()
    try:
        keeper.prove(row)
    except ModelError as error:
        log.exception("update_rolled_back", pack=row.label)
        roll_back()
        detail = {"code": error.code, "words": str(error)}
        writer.call(lambda connection: audit.append(connection, actor, "update_rolled_back", f"model/{row.label}", detail))
        raise UpdateRolledBackError(f"{row.label} failed its test in place: {error}") from error


@contextmanager
def _opened(aboard: Aboard) -> Iterator[Session]:
    """A look at the source; what goes wrong with it is remembered."""
    root = trusted_root(aboard.places)
    source = checked_source(aboard.source)
    now = aboard.clock()
    try:
        aboard.writer.call(lambda connection: remembered.check_clock(connection, now))
        fetcher = _fetcher(aboard, source)
        try:
            yield Session(aboard.places, root, fetcher)
        finally:
            fetcher.close()
    except TransportError as error:
        trouble = Trouble(at_utc=utc_now(), code=error.code, words=str(error), advice=error.advice())
        aboard.writer.call(lambda connection: remembered.keep_trouble(connection, trouble))
        log.warning("updates_failed", source=aboard.source, code=error.code, error=str(error))
        raise


def _fetcher(aboard: Aboard, source: str | Path) -> FolderFetcher | HttpFetcher:
    if isinstance(source, Path):
        return FolderFetcher(source)
    more: dict[str, Any] = {} if aboard.wait is None else {"wait": aboard.wait}
    return HttpFetcher(source, aboard.places.spool, aboard.spend, on_progress=aboard.on_progress, **more)


def _checked(aboard: Aboard, session: Session) -> LastCheck:
    with told():
        versions, fresh_until, offers = session.versions(), session.fresh_until(), session.offers()
    found = LastCheck(
        verified_utc=utc_text(aboard.clock()),
        source=aboard.source,
        fresh_until_utc=utc_text(fresh_until),
        versions={role: seen.version for role, seen in versions.items()},
        offers=tuple(sorted(offers, key=lambda offer: (offer.name, version_key(offer.version)))),
        unread=session.unread(),
    )

    def work(connection: Connection) -> None:
        remembered.check_versions(connection, versions)
        remembered.keep_check(connection, versions, found)

    aboard.writer.call(work)
    return found


def _chosen(last: LastCheck, name: str, version: str) -> Offer:
    offer = next((one for one in last.offers if (one.name, one.version) == (name, version)), None)
    if offer is None:
        offered = ", ".join(f"{one.name} {one.version}" for one in last.offers) or "nothing"
        raise NotOfferedError(f"{name} {version} is not offered; offered is {offered}")
    if is_newer(offer.min_app, __version__):
        raise NotOfferedError(
            f"{name} {version} needs imagine-edge {offer.min_app}; this is {__version__}", advice="Install the newer program first."
        )
    return offer


def _is_downgrade(connection: Connection, offer: Offer) -> bool:
    """Whether a newer version was ever installed here: also one whose files are gone."""
    return any(name == offer.name and is_newer(version, offer.version) for name, version in packs.known_versions(connection))


def _must_be_as_signed(path: Path, offer: Offer) -> None:
    """The pack in a verified file is the one that its description told of: nobody was asked about another.

    Raises:
        UpdatesUntrustedError: it is not.
    """
    try:
        with zipfile.ZipFile(path) as archive, archive.open(MANIFEST_NAME) as file:
            content = file.read(16 * 1024 * 1024)
        manifest = Manifest.model_validate_json(content)
    except (zipfile.BadZipFile, KeyError, ValueError, EOFError, NotImplementedError, RuntimeError) as error:
        raise PackInvalidError(
            f"{offer.name} {offer.version} came as it was signed, and is no pack: {error}", advice="Tell shore."
        ) from error
    said = (offer.name, offer.version, offer.task, offer.labels_sha256, offer.goldens_sha256, offer.manifest_sha256)
    is_so = (manifest.name, manifest.version, manifest.task, labels_sha256(manifest), goldens_sha256(manifest))
    if said != (*is_so, hashlib.sha256(content).hexdigest()):
        raise UpdatesUntrustedError(f"the pack of {offer.name} {offer.version} is another than its description says", advice="Tell shore.")


def _continues(places: Places, root: bytes) -> bool:
    """Whether a root is of the repository that was trusted before: the same, or signed by those of the one before."""
    try:
        before, given = read_root(trusted_root(places)), read_root(root)
    except EdgeError:
        return False
    is_signed = bool(before.signed.get_verification_result("root", given.signed_bytes, given.signatures))
    return is_signed and given.signed.version >= before.signed.version


def _audit(writer: Writes, actor: str, action: str, offer: Offer, detail: dict[str, Any]) -> None:
    subject = f"model/{offer.name}@{offer.version}"
    writer.call(lambda connection: audit.append(connection, actor, action, subject, detail))
