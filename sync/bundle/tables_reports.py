"""Tables of what a ship tells of itself: that it lives, what needs a person, which models it has."""

from __future__ import annotations

from sync.bundle.columns import Scaled, Text, Time, Whole
from sync.bundle.table import Table, sha256_of, uuid_of

HEARTBEATS = Table(
    name="heartbeats",
    key=("heartbeat_uuid",),
    columns=(
        uuid_of("heartbeat_uuid"),
        Time("at_utc"),
        Whole("files_waiting"),
        Whole("files_done"),
        Whole("files_failed"),
        Time("newest_result_utc"),
        Whole("results_waiting"),
        Whole("bundles_waiting"),
        Whole("bundle_bytes_waiting"),
        Whole("open_issues"),
        Whole("open_errors"),
    ),
)

ISSUES = Table(
    name="issues",
    key=("code", "reference", "first_seen_utc"),
    columns=(
        Text("code"),
        Text("reference"),
        Time("first_seen_utc"),
        Text("severity"),
        Text("message"),
        Text("advice"),
        Time("last_seen_utc"),
        Time("resolved_utc"),
    ),
)

ACTIVE_MODELS = Table(
    name="active_models",
    key=("recipe",),
    columns=(
        Text("recipe"),
        Text("model"),
        Text("model_version"),
        Text("previous_model"),
        Text("previous_model_version"),
        Time("since_utc"),
    ),
)

MODEL_VARIANTS = Table(
    name="model_variants",
    key=("model", "model_version", "variant", "machine"),
    columns=(
        Text("model"),
        Text("model_version"),
        Text("variant"),
        Text("machine"),
        Text("runtime"),
        Text("precision"),
        sha256_of("weights_sha256"),
        Text("device"),
        Whole("is_offered"),
        Text("reason"),
        Scaled("latency_ms", 100),
        Scaled("images_per_s", 100),
        Time("checked_utc"),
    ),
)

OF_REPORTS = (HEARTBEATS, ISSUES, ACTIVE_MODELS, MODEL_VARIANTS)
