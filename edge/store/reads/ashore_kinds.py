"""Every kind of result that the outbox names, with what reads it."""

from __future__ import annotations

from collections.abc import Mapping

from edge.store.reads.ashore import Queries
from edge.store.reads.ashore_counts import COUNTS
from edge.store.reads.ashore_footage import MISS_CHECK, READING, REVIEW_ACTION, TOW_ANALYSIS
from edge.store.reads.ashore_images import OBJECT_DECISION, RUN
from edge.store.reads.ashore_reports import HEALTH, HEARTBEAT, MODELS
from edge.store.reads.ashore_zooscan import ZOOSCAN_ACTION, ZOOSCAN_LABELS, ZOOSCAN_RUN, ZOOSCAN_SIGNATURE

QUERIES: Mapping[str, Queries] = {
    "run": RUN,
    "object_decision": OBJECT_DECISION,
    "counts": COUNTS,
    "reading": READING,
    "tow_analysis": TOW_ANALYSIS,
    "review_action": REVIEW_ACTION,
    "miss_check": MISS_CHECK,
    "zooscan_run": ZOOSCAN_RUN,
    "zooscan_action": ZOOSCAN_ACTION,
    "zooscan_undo": ZOOSCAN_ACTION,
    "zooscan_signature": ZOOSCAN_SIGNATURE,
    "zooscan_withdrawal": ZOOSCAN_SIGNATURE,
    "zooscan_labels": ZOOSCAN_LABELS,
    "heartbeat": HEARTBEAT,
    "health": HEALTH,
    "models": MODELS,
}
