"""Do results get ashore? A ship may be without a link for weeks: that informs; what a person has to do warns."""

from __future__ import annotations

from datetime import datetime, timedelta

from edge.health.context import HealthContext
from edge.health.issue import Issue, IssueCode, Severity
from edge.store.deliveries import USB
from edge.store.reads.backlog import Contacts, OpenBundles, contacts, oldest_waiting, open_bundles

TITLE = "Results get ashore"
CODES = frozenset({IssueCode.SYNC_BACKLOG_OLD, IssueCode.SYNC_FULL, IssueCode.SYNC_NO_CONTACT, IssueCode.SYNC_REFUSED})
NO_CONTACT = timedelta(days=7)
BACKLOG_OLD = timedelta(days=30)
_FULL = {"sink_full", "quota_full"}


def run_check(context: HealthContext) -> list[Issue]:
    """Issues of the far sides of the settings, and of the last stick. Without any far side nothing has to go."""
    opened = open_bundles(context.connection)
    known = {one.sink: one for one in contacts(context.connection)}
    found = [issue for name in (*context.sinks, USB) if (issue := _full(known.get(name)))]
    if not context.sinks:
        return found
    unbundled_utc = oldest_waiting(context.connection)
    for name in context.sinks:
        mine = [one for one in opened if one.sink == name]
        since = min((text for text in (unbundled_utc, *(one.oldest_utc for one in mine)) if text), default=None)
        found += [issue for issue in (_refused(name, mine), _waits(name, since, known.get(name), context.now_utc)) if issue]
    return found


def _full(contact: Contacts | None) -> Issue | None:
    if contact is None or contact.code not in _FULL or (contact.failed_utc or "") <= (contact.reached_utc or ""):
        return None
    advice = "Free space there, or take another stick; what waits goes then, and nothing is lost."
    return Issue(code=IssueCode.SYNC_FULL, severity=Severity.WARNING, reference=contact.sink, message=contact.words, advice=advice)


def _refused(name: str, mine: list[OpenBundles]) -> Issue | None:
    count = sum(one.refused for one in mine)
    if not count:
        return None
    return Issue(
        code=IssueCode.SYNC_REFUSED,
        severity=Severity.WARNING,
        reference=name,
        message=f"{name} refused {count} bundles of results",
        advice=f"The Sync page has the reasons. Correct them, then press Try again, or run `imagine-edge sync retry {name}`.",
    )


def _waits(name: str, since: str | None, contact: Contacts | None, now_utc: datetime) -> Issue | None:
    """What waits too long, or for a far side that is not reached."""
    if since is None:
        return None
    waits = now_utc - datetime.fromisoformat(since)
    if waits >= BACKLOG_OLD:
        return Issue(
            code=IssueCode.SYNC_BACKLOG_OLD,
            severity=Severity.WARNING,
            reference=name,
            message=f"Results wait for {waits.days} days to get to {name}",
            advice="The Sync page says why. `imagine-edge sync usb export DIR` brings them to a stick meanwhile.",
        )
    reached = None if contact is None else contact.reached_utc
    silent = waits if reached is None else now_utc - datetime.fromisoformat(reached)
    if waits < NO_CONTACT or silent < NO_CONTACT:
        return None
    return Issue(
        code=IssueCode.SYNC_NO_CONTACT,
        severity=Severity.NOTICE,
        reference=name,
        message=f"Results wait, and {name} was not reached for {silent.days} days",
        advice="Without a link that is to be expected; it is tried again by itself. The Sync page says how the last attempt ended.",
    )
