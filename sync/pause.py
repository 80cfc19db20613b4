"""Whether somebody paused what goes ashore: a fact of the home folder, so that it outlives the program."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from datetime import datetime

from edge.store.clock import utc_text
from edge.store.facts import get_fact, put_fact
from edge.store.sqlite import Connection

_FACT = "sync_paused"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pause:
    """Who paused it, since when, and until when; None: until somebody resumes it."""

    by: str
    since_utc: str
    until_utc: str | None


def read_pause(connection: Connection, now: datetime) -> Pause | None:
    """The pause that holds at a moment (aware), or None."""
    text = get_fact(connection, _FACT)
    if not text:
        return None
    pause = Pause(**json.loads(text))
    return None if pause.until_utc is not None and pause.until_utc <= utc_text(now) else pause


def put_pause(connection: Connection, pause: Pause | None) -> None:
    """Pause; None: let it go on."""
    put_fact(connection, _FACT, "" if pause is None else json.dumps(asdict(pause)))
