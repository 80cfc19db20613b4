"""Tables of images: models, images, runs, objects, and what people decided about objects."""

from __future__ import annotations

from sync.bundle.columns import Scaled, Text, Time, Whole
from sync.bundle.table import Table, px, score, sha256_of, uuid_of

MODELS = Table(
    name="models",
    key=("model", "model_version"),
    columns=(
        Text("model"),
        Text("model_version"),
        Text("title"),
        Text("task"),
        sha256_of("manifest_sha256"),
        Text("labels_json"),
        Time("installed_utc"),
        Time("removed_utc"),
    ),
)

IMAGES = Table(
    name="images",
    key=("image_uuid",),
    columns=(
        uuid_of("image_uuid"),
        sha256_of("sha256"),
        Whole("size_bytes"),
        Text("format"),
        Whole("width_px"),
        Whole("height_px"),
        Text("capture_time_utc"),
        Text("capture_time_local"),
        Text("capture_time_source"),
        Text("folder"),
        Text("name"),
    ),
)

RUNS = Table(
    name="runs",
    key=("run_uuid",),
    columns=(
        uuid_of("run_uuid"),
        uuid_of("image_uuid"),
        Text("recipe"),
        sha256_of("recipe_sha256"),
        Text("model"),
        Text("model_version"),
        sha256_of("weights_sha256"),
        Text("runtime"),
        Text("precision"),
        Text("software_version"),
        score("score_threshold"),
        Whole("object_count"),
        Whole("candidate_count"),
        Scaled("mean_luminance", 1000),
        Scaled("contrast", 1000),
        Scaled("sharpness", 1000),
        Time("finished_utc"),
        Whole("is_current"),
    ),
)

OBJECTS = Table(
    name="objects",
    key=("run_uuid", "ordinal"),
    columns=(
        uuid_of("run_uuid"),
        Whole("ordinal"),
        Text("label"),
        score("score"),
        px("x_min_px"),
        px("y_min_px"),
        px("width_px"),
        px("height_px"),
    ),
)

OBJECT_DECISIONS = Table(
    name="object_decisions",
    key=("decision_uuid",),
    columns=(
        Text("decision_uuid"),
        uuid_of("image_uuid"),
        uuid_of("run_uuid"),
        Whole("ordinal"),
        Text("added_uuid"),
        Whole("place"),
        Text("decision"),
        Text("label"),
        px("x_min_px"),
        px("y_min_px"),
        px("width_px"),
        px("height_px"),
        Text("decided_by"),
        Time("decided_utc"),
    ),
)

OF_IMAGES = (MODELS, IMAGES, RUNS, OBJECTS, OBJECT_DECISIONS)
