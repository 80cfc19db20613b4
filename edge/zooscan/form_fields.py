"""The sample and scan form: which keys a META has, what they mean, and in which order a person is asked for them.

What is typed stands over the META under the same key; nothing here knows what was typed (`edge.zooscan.standing`).
"""

from __future__ import annotations

from dataclasses import dataclass

from edge.zooscan.standing import POSITION_FORMAT, VOLUME_FILTERED, VOLUME_IS


@dataclass(frozen=True, slots=True, kw_only=True)
class FormField:
    """A field of the form.

    Attributes:
        key: of the META, or of what a META cannot say.
        label: for people; with the unit.
        group: heading that it stands under.
        hint: how it is written.
        choices: values that may be chosen, with their words; empty for free text.
    """

    key: str
    label: str
    group: str
    hint: str = ""
    choices: tuple[tuple[str, str], ...] = ()


SAMPLE, POSITION, NET, FRACTION, SCAN, OTHER = (
    "Sample",
    "Position",
    "Net and volume",
    "Fraction",
    "Scan and quality",
    "Other keys of the META",
)
GROUPS = (SAMPLE, POSITION, NET, FRACTION, SCAN, OTHER)

FIELDS = (
    FormField(key="SampleId", label="Sample id", group=SAMPLE, hint="apero2023_tha_bioness_017_st66_d_n1"),
    FormField(key="Scientificprog", label="Programme", group=SAMPLE),
    FormField(key="Ship", label="Ship", group=SAMPLE),
    FormField(key="StationId", label="Station", group=SAMPLE),
    FormField(key="Date", label="Date and time", group=SAMPLE, hint="YYYYMMDD-HHMM"),
    FormField(key="Depth", label="Depth of the sea, m", group=SAMPLE),
    FormField(key="CTDref", label="CTD", group=SAMPLE),
    FormField(key="Otherref", label="Other reference", group=SAMPLE),
    FormField(key="barcode", label="Barcode", group=SAMPLE),
    FormField(key="nb_jar", label="Jars", group=SAMPLE),
    FormField(
        key=POSITION_FORMAT,
        label="Positions are written in",
        group=POSITION,
        choices=(("degrees.minutes", "degrees.minutes: 51.5293 is 51° 52.93 minutes"), ("decimal", "decimal degrees: 51.8822")),
    ),
    FormField(key="Latitude", label="Latitude, north positive", group=POSITION, hint="51.5293"),
    FormField(key="Longitude", label="Longitude, west positive", group=POSITION, hint="19.2159"),
    FormField(key="latitude_end", label="Latitude at the end", group=POSITION),
    FormField(key="longitude_end", label="Longitude at the end", group=POSITION),
    FormField(key="Nettype", label="Net", group=NET),
    FormField(key="Netmesh", label="Mesh, µm", group=NET),
    FormField(key="Netsurf", label="Mouth of the net, m²", group=NET),
    FormField(key="Townb", label="Tows", group=NET),
    FormField(key="Towtype", label="Kind of tow", group=NET),
    FormField(key="Zmin", label="Shallowest, m", group=NET),
    FormField(key="Zmax", label="Deepest, m", group=NET),
    FormField(key="Vol", label="Volume, m³", group=NET),
    FormField(
        key=VOLUME_IS,
        label="This volume is",
        group=NET,
        choices=(("filtered", "what the net filtered"), ("fractioned", "less: fractioning on board is in it")),
    ),
    FormField(key=VOLUME_FILTERED, label="Volume filtered, m³", group=NET, hint="where the volume above is less"),
    FormField(key="net_duration", label="Duration, min", group=NET),
    FormField(key="ship_speed_knots", label="Speed, kn", group=NET),
    FormField(key="cable_length", label="Cable, m", group=NET),
    FormField(key="cable_angle", label="Angle of the cable, °", group=NET),
    FormField(key="cable_speed", label="Speed of the cable, m/s", group=NET),
    FormField(key="FracId", label="Fraction", group=FRACTION, hint="d1, d2_1_sur_2 or tot"),
    FormField(key="SubMethod", label="Split by", group=FRACTION, hint="motoda"),
    FormField(key="Fracnb", label="Scanned is one of", group=FRACTION, hint="a Motoda box halves: 1, 2, 4, 8"),
    FormField(key="Fracmin", label="Sieve from, µm", group=FRACTION),
    FormField(key="Fracsup", label="Sieve to, µm", group=FRACTION),
    FormField(key="CellPart", label="Part of the cell", group=FRACTION),
    FormField(key="Replicates", label="Replicates", group=FRACTION),
    FormField(key="VolIni", label="Volume before", group=FRACTION),
    FormField(key="VolPrec", label="Volume taken", group=FRACTION),
    FormField(key="Scanop", label="Operator", group=SCAN),
    FormField(key="Observation", label="Observation", group=SCAN),
    FormField(key="Code", label="Code", group=SCAN),
    FormField(key="Sample_comment", label="Comment", group=SCAN),
    FormField(key="vol_qc", label="Volume is sound", group=SCAN),
    FormField(key="depth_qc", label="Depth is sound", group=SCAN),
    FormField(key="sample_qc", label="Sample is sound", group=SCAN),
)
BY_KEY = {field.key.casefold(): field for field in FIELDS}
