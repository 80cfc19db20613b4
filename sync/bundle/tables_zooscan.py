"""Tables of ZooScan: projects, scans, runs, objects with their measures, and what people and EcoTaxa say of them."""

from __future__ import annotations

from edge.store.zooscan_tables import FEATURE_COLUMNS
from sync.bundle.columns import Scaled, Text, Time, Whole
from sync.bundle.table import Table, score, sha256_of, thousandths, uuid_of

# Zooprocess itself writes these without decimals, and all others with three.
_WHOLE = {
    *("area", "mode", "min", "max", "intden", "median", "xstart", "ystart", "area_exc", "skelarea"),
    *("histcum1", "histcum2", "histcum3", "nb1", "nb2", "nb3", "convperim", "convarea"),
}
_MEASURES = tuple(Scaled(column, 1 if legacy in _WHOLE else 1000) for legacy, column in FEATURE_COLUMNS.items())

ZOOSCAN_PROJECTS = Table(
    name="zooscan_projects",
    key=("project_uuid",),
    columns=(uuid_of("project_uuid"), Text("project"), Text("serial")),
)

ZOOSCAN_SCANS = Table(
    name="zooscan_scans",
    key=("scan_uuid",),
    columns=(uuid_of("scan_uuid"), uuid_of("project_uuid"), Text("scan"), Text("scanned_local")),
)

ZOOSCAN_RUNS = Table(
    name="zooscan_runs",
    key=("run_uuid",),
    columns=(
        uuid_of("run_uuid"),
        uuid_of("scan_uuid"),
        sha256_of("raw_sha256"),
        Text("background"),
        Text("software_version"),
        sha256_of("settings_sha256"),
        Whole("width_px"),
        Whole("height_px"),
        Scaled("pixel_mm", 10_000_000),
        Whole("grey_min"),
        Whole("grey_max"),
        thousandths("grey_median"),
        score("black_share"),
        Text("concerns_json"),
        Text("model"),
        Text("model_version"),
        score("multiple_threshold"),
        Text("separator"),
        Time("finished_utc"),
        Whole("is_current"),
    ),
)

ZOOSCAN_OBJECTS = Table(
    name="zooscan_objects",
    key=("run_uuid", "object_key"),
    columns=(
        uuid_of("run_uuid"),
        Text("object_key"),
        Whole("x_px"),
        Whole("y_px"),
        Whole("width_px"),
        Whole("height_px"),
        *_MEASURES,
        score("multiple_score"),
        Text("cut_from"),
        Time("retired_utc"),
    ),
)

ZOOSCAN_ACTIONS = Table(
    name="zooscan_actions",
    key=("action_uuid",),
    columns=(
        Text("action_uuid"),
        uuid_of("scan_uuid"),
        Whole("place"),
        Text("what"),
        Text("object_key"),
        Text("actor"),
        Time("done_utc"),
        Text("undone_by"),
        Time("undone_utc"),
    ),
)

ZOOSCAN_DECISIONS = Table(
    name="zooscan_decisions",
    key=("decision_uuid",),
    columns=(
        uuid_of("decision_uuid"),
        Text("action_uuid"),
        uuid_of("scan_uuid"),
        Text("object_key"),
        Text("decision"),
        Text("actor"),
        Time("made_utc"),
        Text("undone_by"),
        Time("undone_utc"),
    ),
)

ZOOSCAN_SIGNATURES = Table(
    name="zooscan_signatures",
    key=("signature_uuid",),
    columns=(
        uuid_of("signature_uuid"),
        uuid_of("scan_uuid"),
        uuid_of("run_uuid"),
        Whole("objects"),
        Whole("multiples"),
        sha256_of("content_sha256"),
        Text("actor"),
        Time("signed_utc"),
        Text("withdrawn_by"),
        Time("withdrawn_utc"),
        Text("withdrawn_reason"),
    ),
)

ZOOSCAN_LABELS = Table(
    name="zooscan_labels",
    key=("scan_uuid", "object_key"),
    columns=(
        uuid_of("scan_uuid"),
        Text("object_key"),
        Text("category"),
        Text("category_id"),
        Text("hierarchy"),
        Text("status"),
        Text("labelled_at"),
        Text("source"),
        Time("pulled_utc"),
    ),
)

OF_ZOOSCAN = (
    *(ZOOSCAN_PROJECTS, ZOOSCAN_SCANS, ZOOSCAN_RUNS, ZOOSCAN_OBJECTS),
    *(ZOOSCAN_ACTIONS, ZOOSCAN_DECISIONS, ZOOSCAN_SIGNATURES, ZOOSCAN_LABELS),
)
