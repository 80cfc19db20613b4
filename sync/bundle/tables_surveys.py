"""Tables of surveys: surveys, grounds, protocols, stations, tows and their images, revealed counts, densities."""

from __future__ import annotations

from sync.bundle.columns import Scaled, Text, Time, Whole
from sync.bundle.table import Table, degrees, score, thousandths, uuid_of

_PER_M2 = 1_000_000


def _per_m2(name: str) -> Scaled:
    return Scaled(name, _PER_M2)


SURVEYS = Table(
    name="surveys",
    key=("survey_uuid",),
    columns=(
        uuid_of("survey_uuid"),
        Text("survey"),
        Text("kind"),
        Text("title"),
        Text("functional_unit"),
        Text("survey_vessel"),
        Whole("year"),
        Time("created_utc"),
    ),
)

GROUNDS = Table(
    name="grounds",
    key=("survey_uuid", "ground"),
    columns=(uuid_of("survey_uuid"), Text("ground"), thousandths("area_km2"), Text("area_source"), Whole("stations_planned")),
)

PROTOCOLS = Table(
    name="protocols",
    key=("protocol_uuid",),
    columns=(
        uuid_of("protocol_uuid"),
        uuid_of("survey_uuid"),
        Whole("version"),
        Whole("first_minute"),
        Whole("last_minute"),
        Text("minute_rule"),
        score("line_height"),
        Text("edge_rule"),
        Whole("counters"),
        thousandths("min_mean_per_minute"),
        score("ccc_limit"),
        score("correction_factor"),
        Text("correction_source"),
        Text("reason"),
        Time("made_utc"),
        Time("locked_utc"),
    ),
)

STATIONS = Table(
    name="stations",
    key=("station_uuid",),
    columns=(
        uuid_of("station_uuid"),
        uuid_of("survey_uuid"),
        Text("station"),
        Text("ground"),
        Whole("is_draft"),
        degrees("planned_latitude_deg"),
        degrees("planned_longitude_deg"),
    ),
)

TOWS = Table(
    name="tows",
    key=("tow_uuid",),
    columns=(
        uuid_of("tow_uuid"),
        uuid_of("station_uuid"),
        Whole("ordinal"),
        Text("line_name"),
        Text("start_utc"),
        Text("end_utc"),
        degrees("start_latitude_deg"),
        degrees("start_longitude_deg"),
        degrees("end_latitude_deg"),
        degrees("end_longitude_deg"),
        thousandths("start_depth_m"),
        thousandths("end_depth_m"),
        thousandths("cable_out_m"),
        Text("visibility"),
        Text("speed"),
        Text("ground_type"),
        Text("usbl"),
        Text("marine_litter"),
        Text("comments"),
        Whole("is_valid"),
        Whole("in_analysis"),
    ),
)

TOW_IMAGES = Table(
    name="tow_images",
    key=("image_uuid",),
    columns=(uuid_of("image_uuid"), uuid_of("tow_uuid"), Text("how"), thousandths("at_s")),
)

COUNTS = Table(
    name="counts",
    key=("count_uuid",),
    columns=(
        uuid_of("count_uuid"),
        uuid_of("tow_uuid"),
        uuid_of("protocol_uuid"),
        Text("counter"),
        Whole("ordinal"),
        Text("state"),
        Text("origin"),
        Text("set_aside_reason"),
        Text("not_blind"),
        Text("operator"),
        Time("opened_utc"),
        Text("signed_utc"),
        Time("revealed_utc"),
    ),
)

COUNT_MINUTES = Table(
    name="count_minutes",
    key=("count_uuid", "minute"),
    columns=(
        uuid_of("count_uuid"),
        Whole("minute"),
        thousandths("systems"),
        thousandths("lost_s"),
        Whole("nephrops_in"),
        Whole("nephrops_out"),
        Text("note"),
        thousandths("stopped_s"),
        thousandths("went_on_s"),
        Whole("unusable"),
    ),
)

DENSITIES = Table(
    name="densities",
    key=("tow_uuid",),
    columns=(
        uuid_of("tow_uuid"),
        Text("state"),
        uuid_of("protocol_uuid"),
        Text("counters"),
        thousandths("systems"),
        Whole("minutes"),
        thousandths("distance_m"),
        Text("distance_source"),
        Text("distance_method"),
        thousandths("width_m"),
        Text("width_method"),
        thousandths("area_m2"),
        thousandths("area_sd_m2"),
        _per_m2("density_raw_per_m2"),
        _per_m2("density_raw_sd_per_m2"),
        _per_m2("density_adjusted_per_m2"),
        _per_m2("density_adjusted_sd_per_m2"),
        score("correction_factor"),
        Text("correction_source"),
        Text("reasons_json"),
        Text("flags_json"),
    ),
)

OF_SURVEYS = (SURVEYS, GROUNDS, PROTOCOLS, STATIONS, TOWS, TOW_IMAGES, COUNTS, COUNT_MINUTES, DENSITIES)
