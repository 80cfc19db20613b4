"""The audit trail: who did what, when. Rows are only ever added."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from edge.store.clock import utc_now
from edge.store.sqlite import Connection


def append(connection: Connection, actor: str, action: str, subject: str, detail: Mapping[str, Any]) -> None:
    """Add a row, in the transaction of what it tells of.

    Args:
        connection: the writer's.
        actor: who asked, such as "web 127.0.0.1" or "cli".
        action: a verb, such as "retry" or "model_activate".
        subject: what it was done to, such as "recipe/burrows".
        detail: what JSON can hold; anything else is written as text.
    """
    connection.execute(
        "INSERT INTO audit (at_utc, actor, action, subject, detail_json) VALUES (?, ?, ?, ?, ?)",
        (utc_now(), actor, action, subject, json.dumps(detail, default=str, ensure_ascii=True)),
    )
