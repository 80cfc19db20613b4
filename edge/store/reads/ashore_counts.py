"""What goes ashore of counts: those of a tow that everybody may read, minute by minute.

The subject is the tow's UUID and more after a slash. Clicks stay aboard: exports have them.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from edge.store.blindness import BLIND_TOWS
from edge.store.reads.ashore import Queries
from edge.store.reads.ashore_places import places_of_tows
from edge.store.sqlite import Connection

TOW_UUID = 36
"""So many letters of a subject name the tow."""

_TOWS = f"""
    SELECT id FROM tows WHERE uuid IN (SELECT substr(value, 1, {TOW_UUID}) FROM json_each(?1)) AND id NOT IN ({BLIND_TOWS})
"""
_SHOWN = f"c.tow_id IN ({_TOWS}) AND c.revealed_utc IS NOT NULL"

COUNTS: Queries = {
    **places_of_tows(_TOWS),
    "protocols": f"""
    SELECT p.uuid AS protocol_uuid, v.uuid AS survey_uuid, p.version, p.first_minute, p.last_minute, p.minute_rule, p.line_height,
           p.edge_rule, p.counters, p.min_mean_per_minute, p.ccc_limit, p.correction_factor, p.correction_source, p.reason, p.made_utc,
           p.locked_utc
    FROM protocols AS p JOIN surveys AS v ON v.id = p.survey_id
    WHERE p.id IN (SELECT c.protocol_id FROM counts AS c WHERE {_SHOWN}) ORDER BY p.id
    """,
    "counts": f"""
    SELECT c.uuid AS count_uuid, t.uuid AS tow_uuid, p.uuid AS protocol_uuid, c.counter, c.ordinal, c.state, c.origin,
           c.set_aside_reason, c.not_blind, c.operator, c.opened_utc, c.signed_utc, c.revealed_utc
    FROM counts AS c JOIN tows AS t ON t.id = c.tow_id JOIN protocols AS p ON p.id = c.protocol_id WHERE {_SHOWN} ORDER BY c.id
    """,
    "count_minutes": f"""
    SELECT c.uuid AS count_uuid, m.minute, m.systems, m.lost_s, m.nephrops_in, m.nephrops_out, m.note, m.stopped_s, m.went_on_s,
           m.unusable
    FROM count_minutes AS m JOIN counts AS c ON c.id = m.count_id WHERE {_SHOWN} ORDER BY c.id, m.minute
    """,
}


def counted_tows(connection: Connection, subjects: Sequence[str]) -> list[tuple[int, str]]:
    """Number and UUID of the tows that subjects name, without those that are counted blind."""
    rows = connection.execute(f"SELECT id, uuid FROM tows WHERE id IN ({_TOWS}) ORDER BY id", (json.dumps(list(subjects)),))
    return [(int(row[0]), str(row[1])) for row in rows]
