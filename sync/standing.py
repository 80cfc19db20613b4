"""Where everything stands that goes ashore, in values and in words: what the Sync page, its commands and its API tell."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from edge.errors import EdgeError
from edge.sink_settings import SinkSettings
from edge.store.clock import utc_text
from edge.store.reads.backlog import Contacts, Failure, KeptBundle, OpenBundles, WaitingResults
from edge.store.reads.links import Spent
from sync.pause import Pause
from sync.side import FarSide

PRIORITY_WORDS = {0: "heartbeat, health", 1: "results", 2: "thumbnails", 3: "crops for review", 4: "originals"}
MB = 1_000_000
_S_OF_DAY = 86_400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class BacklogLine:
    """What waits of one priority.

    Attributes:
        results: in no bundle yet.
        unfit: of those, what could not be put into one; the log says why.
        about_bytes: about how many bytes those will be, by the last bundles; None before the first.
        bundles, size_bytes: made, and not confirmed by every far side.
        oldest_utc: since when the oldest of all waits.
        taken_by: names of the far sides that take it.
    """

    priority: int
    words: str
    results: int
    unfit: int
    about_bytes: int | None
    bundles: int
    size_bytes: int
    oldest_utc: str | None
    taken_by: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SideStanding:
    """One far side.

    Attributes:
        state: in a word; `words` say it in a sentence.
        advice: what to do; empty if nothing.
        next_try_utc: when it is tried again; None: as soon as something is due.
        waiting, waiting_bytes: bundles that it has not confirmed, without those that it refused.
        refused: bundles that it refused; each waits for a person.
        sending: the bundle that is on its way, its size in bytes, and since when.
        day_bytes, month_bytes: what it cost up and down in this day and month (UTC).
        about_bytes: about what its backlog will take: what is bundled for it, and what is not bundled yet; None: not known before the first
            bundle.
        about_s: about how long that takes; None: not known before a bundle went.
        about_words: by what that was reckoned.
        rate_bytes_per_s: how fast bundles arrived lately.
    """

    name: str
    kind: str
    where: str
    metered: bool
    state: str
    words: str
    advice: str
    next_try_utc: str | None
    reached_utc: str | None
    failed_utc: str | None
    waiting: int
    waiting_bytes: int
    refused: int
    sending: tuple[str, int, str] | None
    day_bytes: int
    month_bytes: int
    daily_bytes: int
    monthly_bytes: int
    about_bytes: int | None
    about_s: float | None
    about_words: str
    rate_bytes_per_s: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncStatus:
    """Everything. `usb_waiting`: bundles that no stick has; `sealed`: results that wait for the signatures of blind counts."""

    vessel: str
    vessel_uuid: str
    paused: Pause | None
    no_room: str
    sides: tuple[SideStanding, ...]
    backlog: tuple[BacklogLine, ...]
    sealed: int
    usb_waiting: int
    usb_results: int
    usb_at_work: str
    failures: tuple[Failure, ...]
    history: tuple[KeptBundle, ...]


def backlog_lines(
    waits: Sequence[WaitingResults], opened: Sequence[OpenBundles], bytes_each: float | None, taken_by: dict[int, tuple[str, ...]]
) -> tuple[BacklogLine, ...]:
    """What waits, most urgent first; of bundles those of the far side that has most of them open."""
    by_priority = {one.priority: one for one in waits}
    lines = []
    for priority in sorted({*by_priority, *(one.priority for one in opened)}):
        free = by_priority.get(priority)
        most = max((one for one in opened if one.priority == priority), key=lambda one: one.bundles, default=None)
        since = [one.oldest_utc for one in (free, most) if one is not None]
        results = 0 if free is None else free.results
        lines.append(
            BacklogLine(
                priority=priority,
                words=PRIORITY_WORDS.get(priority, f"priority {priority}"),
                results=results,
                unfit=0 if free is None else free.unfit,
                about_bytes=None if bytes_each is None else round(bytes_each * results),
                bundles=0 if most is None else most.bundles,
                size_bytes=0 if most is None else most.size_bytes,
                oldest_utc=min(since, default=None),
                taken_by=taken_by.get(priority, ()),
            )
        )
    return tuple(lines)


def side_standing(
    side: FarSide,
    *,
    now: datetime,
    left_s: float,
    pause: Pause | None,
    opened: Sequence[OpenBundles],
    contact: Contacts | None,
    spent: Spent,
    unbundled_bytes: int | None,
) -> SideStanding:
    """Where one far side stands. `unbundled_bytes`: about what of it is in no bundle yet; None: not known."""
    mine = [one for one in opened if one.sink == side.name]
    waiting_bytes = sum(one.size_bytes - one.refused_bytes for one in mine)
    refused = sum(one.refused for one in mine)
    waiting = sum(one.bundles for one in mine) - refused
    state, words, advice = _state(side, now=now, left_s=left_s, pause=pause, contact=contact, waiting=waiting, refused=refused)
    settings = side.settings
    about_bytes = None if unbundled_bytes is None else waiting_bytes + unbundled_bytes
    about_s, about_words = _estimate(settings, about_bytes, side.rate_bytes_per_s)
    at_work = side.at_work
    return SideStanding(
        name=side.name,
        kind=settings.kind,
        where=where(settings),
        metered=settings.metered and settings.kind != "directory",
        state=state,
        words=words,
        advice=advice,
        next_try_utc=utc_text(now + timedelta(seconds=left_s)) if left_s > 0 and state in {"waits", "closed"} else None,
        reached_utc=None if contact is None else contact.reached_utc,
        failed_utc=None if contact is None else contact.failed_utc,
        waiting=waiting,
        waiting_bytes=waiting_bytes,
        refused=refused,
        sending=None if at_work is None else (at_work[0].sha256, at_work[0].size_bytes, at_work[1]),
        day_bytes=spent.day_bytes,
        month_bytes=spent.month_bytes,
        daily_bytes=round(settings.daily_mb * MB),
        monthly_bytes=round(settings.monthly_mb * MB),
        about_bytes=about_bytes,
        about_s=about_s,
        about_words=about_words,
        rate_bytes_per_s=side.rate_bytes_per_s,
    )


def where(settings: SinkSettings) -> str:
    """The place of a far side, as people call it."""
    if settings.kind == "s3":
        return f"{settings.url.rstrip('/')}/{settings.bucket}" + (f"/{settings.prefix}" if settings.prefix else "")
    if settings.kind == "webdav":
        return settings.url.rstrip("/") + (f"/{settings.folder}" if settings.folder else "")
    return str(settings.path)


def _state(
    side: FarSide, *, now: datetime, left_s: float, pause: Pause | None, contact: Contacts | None, waiting: int, refused: int
) -> tuple[str, str, str]:
    """A word, a sentence, and what to do."""
    failed_last = contact is not None and contact.failed_utc is not None and contact.failed_utc > (contact.reached_utc or "")
    if pause is not None:
        return "paused", "nothing goes while it is paused", ""
    if side.at_work is not None:
        return "sending", "a bundle is on its way", ""
    if not side.windows.is_open(now):
        return "closed", f"not used at this hour; the next window opens {side.windows.next_open(now):%a %d %b %H:%M} UTC", ""
    if side.is_away:
        return "away", "the medium is out, or it is another one than was set up", "Put it in; what waits goes by itself then."
    if isinstance(side.trouble, EdgeError):
        return "trouble", str(side.trouble), side.trouble.advice()
    if failed_last and contact is not None and (waiting or refused):
        return ("waits" if left_s > 0 else "trouble"), f"the last attempt failed: {contact.words}", ""
    if refused:
        return "refused", "it refused bundles", "Look at the reasons below, correct them, then try again."
    if contact is None or contact.reached_utc is None:
        return "new", "was not reached yet", ""
    return "good", "took what it was last sent", ""


def _estimate(settings: SinkSettings, size_bytes: int | None, rate_bytes_per_s: float | None) -> tuple[float | None, str]:
    """About how long so many bytes take, and by what that was reckoned."""
    if not size_bytes:
        return (None if size_bytes is None else 0.0), ""
    set_rate = settings.rate_kbps * 1000 / 8
    rate = min(one for one in (rate_bytes_per_s, set_rate or None, float("inf")) if one)
    told = "at the rate of the settings" if rate == set_rate else "at the rate of the last bundles"
    about_s = None if rate == float("inf") else size_bytes / rate
    budgets = [
        (size_bytes / (limit_mb * MB) * of_s, f"by the budget of a {name}")
        for name, limit_mb, of_s in (("day", settings.daily_mb, _S_OF_DAY), ("month", settings.monthly_mb, 30 * _S_OF_DAY))
        if limit_mb and size_bytes > limit_mb * MB
    ]
    if budgets and (about_s is None or max(budgets)[0] > about_s):
        return max(budgets)
    return about_s, "" if about_s is None else told
