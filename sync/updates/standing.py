"""How it stands with updates, from the database alone: what pages and commands show without asking anybody."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal

from edge import __version__
from edge.store import packs
from edge.store.sqlite import Connection
from sync.updates import remembered
from sync.updates.offer import Offer, is_newer
from sync.updates.places import places_of
from sync.updates.remembered import Trouble

OfferState = Literal["new", "installed", "serves", "older", "needs_newer_program"]


@dataclass(frozen=True, slots=True, kw_only=True)
class OfferStanding:
    """An offer, and what it is here. `older`: a newer version was installed once, so it is refused without `--downgrade`."""

    offer: Offer
    state: OfferState
    recipes: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdatesStanding:
    """All of it.

    Attributes:
        source: the setting `updates_url`; empty if there is none.
        trusted_sha256: of the root that was given to this home folder; None before that.
        verified_utc: when signatures were last fetched and found good; None before the first time.
        stale_since_utc: since when they are over; None while they are not. Installed models go on.
        trouble: why the last check failed; None if it did not.
        time_floor_utc: the latest time that is known to be over.
        offers: of the last good check.
        unread: paths of what was offered too, and this program cannot read.
    """

    source: str
    trusted_sha256: str | None
    verified_utc: str | None
    stale_since_utc: str | None
    trouble: Trouble | None
    time_floor_utc: str
    offers: tuple[OfferStanding, ...]
    unread: tuple[str, ...]


def updates_standing(connection: Connection, home: Path, source: str, now: datetime) -> UpdatesStanding:
    """How it stands. Never contacts anybody, and loads nothing that could."""
    last = remembered.last_check(connection)
    return UpdatesStanding(
        source=source,
        trusted_sha256=_trusted(home),
        verified_utc=None if last is None else last.verified_utc,
        stale_since_utc=None if last is None else last.stale_since(now),
        trouble=remembered.last_trouble(connection),
        time_floor_utc=remembered.time_floor(connection),
        offers=() if last is None else tuple(_standing(connection, offer) for offer in last.offers),
        unread=() if last is None else last.unread,
    )


def is_installed(connection: Connection, offer: Offer) -> bool:
    """Whether the very pack is installed, whoever brought it."""
    rows = packs.list_packs(connection)
    return any((row.name, row.version, row.manifest_sha256) == (offer.name, offer.version, offer.manifest_sha256) for row in rows)


def _standing(connection: Connection, offer: Offer) -> OfferStanding:
    recipes = packs.recipes_of(connection, offer.name, offer.version)
    known = [version for name, version in packs.known_versions(connection) if name == offer.name]
    state: OfferState = "new"
    if is_installed(connection, offer):
        state = "serves" if recipes else "installed"
    elif is_newer(offer.min_app, __version__):
        state = "needs_newer_program"
    elif any(is_newer(version, offer.version) for version in known):
        state = "older"
    return OfferStanding(offer=offer, state=state, recipes=recipes)


def _trusted(home: Path) -> str | None:
    try:
        return hashlib.sha256(places_of(home).root.read_bytes()).hexdigest()
    except OSError:
        return None
