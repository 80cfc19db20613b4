"""Tables of footage: clips, readings, what tows came to, and what people decided about that."""

from __future__ import annotations

from sync.bundle.columns import Scaled, Text, Time, Whole
from sync.bundle.table import Table, px, score, sha256_of, thousandths, uuid_of

CLIPS = Table(
    name="clips",
    key=("image_uuid",),
    columns=(
        uuid_of("image_uuid"),
        Text("container"),
        Text("codec"),
        thousandths("first_pts_s"),
        thousandths("duration_s"),
        thousandths("frame_rate_hz"),
        Whole("is_interlaced"),
        Whole("is_variable_rate"),
        Text("start_utc"),
        Text("start_local"),
        Text("faults_json"),
    ),
)

READINGS = Table(
    name="readings",
    key=("reading_uuid",),
    columns=(
        uuid_of("reading_uuid"),
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
        thousandths("rate_hz"),
        Whole("frames"),
        thousandths("read_to_s"),
        Time("began_utc"),
        Time("finished_utc"),
        Whole("is_current"),
    ),
)

TOW_ANALYSES = Table(
    name="tow_analyses",
    key=("analysis_uuid",),
    columns=(
        uuid_of("analysis_uuid"),
        uuid_of("tow_uuid"),
        Text("model"),
        Text("model_version"),
        sha256_of("made_from_sha256"),
        Text("tracker"),
        Text("software_version"),
        Text("state"),
        Text("reason"),
        Whole("frames"),
        thousandths("seen_s"),
        thousandths("openings"),
        thousandths("openings_sd"),
        thousandths("systems"),
        thousandths("systems_sd"),
        Time("made_utc"),
        Whole("is_current"),
    ),
)

TOW_OPENINGS = Table(
    name="tow_openings",
    key=("analysis_uuid", "ordinal"),
    columns=(
        uuid_of("analysis_uuid"),
        Whole("ordinal"),
        Whole("system"),
        thousandths("first_s"),
        thousandths("last_s"),
        thousandths("crossing_s"),
        px("along_px"),
        px("across_px"),
        px("along_sd_px"),
        thousandths("along_m"),
        thousandths("across_m"),
        score("score"),
        score("confidence"),
        Whole("frames"),
        Whole("missed"),
        Whole("is_extrapolated"),
        Text("label"),
    ),
)

TOW_SYSTEMS = Table(
    name="tow_systems",
    key=("analysis_uuid", "ordinal"),
    columns=(uuid_of("analysis_uuid"), Whole("ordinal"), thousandths("crossing_s"), Whole("openings"), score("confidence")),
)

TOW_MINUTES = Table(
    name="tow_minutes",
    key=("analysis_uuid", "minute"),
    columns=(
        uuid_of("analysis_uuid"),
        Whole("minute"),
        thousandths("openings"),
        thousandths("openings_sd"),
        thousandths("systems"),
        thousandths("systems_sd"),
        thousandths("hidden_s"),
    ),
)

TOW_SECONDS = Table(
    name="tow_seconds",
    key=("analysis_uuid", "second"),
    columns=(
        uuid_of("analysis_uuid"),
        Whole("second"),
        Whole("frames"),
        px("speed_px_per_s"),
        thousandths("width_m"),
        thousandths("width_sd_m"),
        Scaled("mean_luminance", 10),
        Scaled("contrast", 10),
        Scaled("sharpness", 10),
        thousandths("silt_fraction"),
        thousandths("dark_fraction"),
        Whole("not_countable"),
    ),
)

REVIEW_ACTIONS = Table(
    name="review_actions",
    key=("action_uuid",),
    columns=(
        uuid_of("action_uuid"),
        uuid_of("analysis_uuid"),
        Whole("place"),
        Text("what"),
        uuid_of("undoes_uuid"),
        Text("done_by"),
        Time("done_utc"),
    ),
)

OPENING_DECISIONS = Table(
    name="opening_decisions",
    key=("action_uuid", "opening"),
    columns=(uuid_of("action_uuid"), Whole("opening"), Text("decision"), Text("decided_by"), Time("decided_utc")),
)

OPENING_GROUPS = Table(
    name="opening_groups",
    key=("action_uuid", "opening"),
    columns=(uuid_of("action_uuid"), Whole("opening"), Whole("system_number"), Text("grouped_by"), Time("grouped_utc")),
)

MISS_CHECKS = Table(
    name="miss_checks",
    key=("check_uuid",),
    columns=(
        uuid_of("check_uuid"),
        uuid_of("tow_uuid"),
        uuid_of("analysis_uuid"),
        sha256_of("footage_sha256"),
        Text("seed"),
        Text("pool_json"),
        Text("minutes_json"),
        score("line_height"),
        Text("state"),
        Text("reason"),
        Text("content_json"),
        Text("counter"),
        Time("drawn_utc"),
        Time("ended_utc"),
    ),
)

OF_FOOTAGE = (
    *(CLIPS, READINGS, TOW_ANALYSES, TOW_OPENINGS, TOW_SYSTEMS, TOW_MINUTES, TOW_SECONDS),
    *(REVIEW_ACTIONS, OPENING_DECISIONS, OPENING_GROUPS, MISS_CHECKS),
)
