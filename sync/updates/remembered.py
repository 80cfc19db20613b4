"""What the database remembers of updates, so that nothing goes back when files are lost: versions, times, offers, the last trouble.

Everything here is a fact of the database (`edge.store.facts`), as JSON text.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from edge.store.clock import utc_text
from edge.store.facts import get_fact, put_fact
from edge.store.sqlite import Connection
from sync.updates.errors import ClockBehindError, UpdatesUntrustedError
from sync.updates.offer import Offer

FLOOR, TIME_FLOOR, LAST, TROUBLE = "updates_floor", "updates_time_floor_utc", "updates_last", "updates_trouble"

SOFTWARE_UTC = "2026-11-22T00:00:00.000Z"
"""This program did not exist before: raised with each release."""

_LONGEST_LEAP = timedelta(days=400)  # a clock that leaps further is not believed before a signature confirms it
_ONLINE = ("timestamp", "snapshot")


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """A role as it was last verified: its version, and the ids of the keys that may sign it."""

    version: int
    keys: tuple[str, ...]


Versions = Mapping[str, Seen]


@dataclass(frozen=True, slots=True, kw_only=True)
class LastCheck:
    """The last time that signatures were fetched and found good.

    Attributes:
        verified_utc: when.
        source: from where.
        fresh_until_utc: from then on nothing new is believed before shore has signed anew.
        versions: of each role.
        offers: what was offered.
        unread: paths of what was offered too, and this program cannot read.
    """

    verified_utc: str
    source: str
    fresh_until_utc: str
    versions: dict[str, int]
    offers: tuple[Offer, ...]
    unread: tuple[str, ...]

    def stale_since(self, now: datetime) -> str | None:
        """Since when the signatures are over; None while they are not."""
        return self.fresh_until_utc if utc_text(now) >= self.fresh_until_utc else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """Why the last check failed; gone with the next good one."""

    at_utc: str
    code: str
    words: str
    advice: str


def check_versions(connection: Connection, found: Versions) -> None:
    """No role goes back behind what this home folder has seen, even where the files that said so were lost.

    A role whose keys were changed by a later root begins anew: that is how shore recovers from a stolen key that signed far too high a
    version (TUF specification 5.3.11, fast-forward attacks).

    Raises:
        UpdatesUntrustedError: one does.
    """
    floor = _floor(connection)
    online_changed = any(floor[role].keys != found[role].keys for role in _ONLINE if role in floor and role in found)
    for role, seen in floor.items():
        now = found.get(role)
        is_changed = role != "root" and now is not None and (online_changed if role in _ONLINE else now.keys != seen.keys)
        if now is not None and not is_changed and now.version < seen.version:
            raise UpdatesUntrustedError(f"{role} has version {now.version}, and {seen.version} was seen before: this is an old copy")


def keep_check(connection: Connection, found: Versions, check: LastCheck) -> None:
    """A check was good: nothing older counts from now on."""
    put_fact(connection, FLOOR, json.dumps({role: asdict(seen) for role, seen in found.items()}))
    put_fact(connection, LAST, json.dumps(asdict(check)))
    put_fact(connection, TROUBLE, "")
    _raise_time(connection, check.verified_utc)


def keep_trouble(connection: Connection, trouble: Trouble) -> None:
    """A check failed."""
    put_fact(connection, TROUBLE, json.dumps(asdict(trouble)))


def forget_versions(connection: Connection) -> None:
    """Another repository is trusted from now on: what was seen of the one before says nothing of it."""
    for name in (FLOOR, LAST, TROUBLE):
        put_fact(connection, name, "")


def check_clock(connection: Connection, now: datetime) -> None:
    """The clock has not gone back behind a time that is known to be over; then it is remembered.

    Raises:
        ClockBehindError: it has.
    """
    floor = time_floor(connection)
    if utc_text(now) < floor:
        raise ClockBehindError(f"the clock says {utc_text(now)[:16]}, and {floor[:16]} (UTC) has been before: no signature can be judged")
    if now.astimezone(UTC) - datetime.fromisoformat(floor) <= _LONGEST_LEAP:
        _raise_time(connection, utc_text(now))


def time_floor(connection: Connection) -> str:
    """The latest time that is known to be over, UTC."""
    return max(get_fact(connection, TIME_FLOOR) or "", SOFTWARE_UTC)


def forget_time(connection: Connection) -> None:
    """The clock ran ahead once: begin again with what is certain."""
    put_fact(connection, TIME_FLOOR, SOFTWARE_UTC)


def last_check(connection: Connection) -> LastCheck | None:
    """The last good check; None before the first."""
    found = _fact(connection, LAST)
    if not found:
        return None
    offers = tuple(Offer(**{**one, "labels": tuple(one["labels"])}) for one in found["offers"])
    return LastCheck(**{**found, "offers": offers, "unread": tuple(found["unread"])})


def last_trouble(connection: Connection) -> Trouble | None:
    """Why the last check failed; None if it did not."""
    found = _fact(connection, TROUBLE)
    return Trouble(**found) if found else None


def _raise_time(connection: Connection, moment_utc: str) -> None:
    put_fact(connection, TIME_FLOOR, max(moment_utc, time_floor(connection)))


def _floor(connection: Connection) -> dict[str, Seen]:
    return {role: Seen(version=one["version"], keys=tuple(one["keys"])) for role, one in _fact(connection, FLOOR).items()}


def _fact(connection: Connection, name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(get_fact(connection, name) or "{}")
    return found
