"""Which results of the outbox tell of what people count blind: those stay aboard until they do not any more.

A run's own row is sealed with it and opened with it (`edge.store.outbox`). Of everything else it is asked when it is put into a bundle.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from edge.store.blindness import BLIND_TOWS, image_is_blind
from edge.store.reads.ashore_counts import TOW_UUID
from edge.store.reads.ashore_footage import analysis_is_shown
from edge.store.sqlite import Connection

# By kind, a query for a row where the subject may be told. A decision that is sealed is in no table.
_TOLD = {
    "counts": f"SELECT 1 FROM tows AS t WHERE t.uuid = substr({{subject}}, 1, {TOW_UUID}) AND t.id NOT IN ({BLIND_TOWS})",
    "reading": f"SELECT 1 FROM readings AS r WHERE r.uuid = {{subject}} AND NOT {image_is_blind('r.image_id')}",
    "tow_analysis": f"SELECT 1 FROM tow_analyses AS a WHERE a.uuid = {{subject}} AND {analysis_is_shown('a')}",
    "review_action": "SELECT 1 FROM review_actions AS w JOIN tow_analyses AS a ON a.id = w.analysis_id "
    f"WHERE w.uuid = {{subject}} AND {analysis_is_shown('a')}",
    "miss_check": "SELECT 1 FROM miss_checks AS k JOIN tow_analyses AS a ON a.id = k.analysis_id "
    f"WHERE k.uuid = {{subject}} AND {analysis_is_shown('a')}",
    "object_decision": "SELECT 1 FROM object_decisions AS d JOIN runs AS r ON r.id = d.run_id "
    f"WHERE d.uuid = {{subject}} AND r.object_count IS NOT NULL AND NOT {image_is_blind('d.image_id')}",
}
_CASES = " ".join(
    f"WHEN '{kind}' THEN EXISTS ({query.format(subject='substr(x.dedup_key, length(x.kind) + 2)')})" for kind, query in _TOLD.items()
)
_MAY_BE_TOLD = f"CASE x.kind {_CASES} ELSE 1 END"
_KINDS = ", ".join(f"'{kind}'" for kind in _TOLD)


def blind_among(connection: Connection, outbox_ids: Sequence[int]) -> list[int]:
    """Those of these rows that must not leave now."""
    rows = connection.execute(
        f"SELECT x.id FROM outbox AS x WHERE x.id IN (SELECT value FROM json_each(?)) AND NOT {_MAY_BE_TOLD}",
        (json.dumps(list(outbox_ids)),),
    )
    return [int(row[0]) for row in rows]


def shown_again(connection: Connection) -> list[int]:
    """Rows that were held back, and may leave by now."""
    rows = connection.execute(f"SELECT x.id FROM outbox AS x WHERE x.state = 'sealed' AND x.kind IN ({_KINDS}) AND {_MAY_BE_TOLD}")
    return [int(row[0]) for row in rows]
