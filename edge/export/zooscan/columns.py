"""The columns of EcoTaxa's table as Zooprocess has them, in its order, and where each comes from."""

from __future__ import annotations

from dataclasses import dataclass

# EcoTaxa's own columns that hold numbers, and those that hold names of up to 255 letters; of other texts 250 are kept.
NUMERIC_PREDEFINED = frozenset(
    ("object_lat", "object_lon", "object_depth_min", "object_depth_max", "object_annotation_category_id", "img_rank")
)
TEXT_PREDEFINED = frozenset(
    (
        *("img_file_name", "object_id", "object_link", "object_date", "object_time", "acq_id", "acq_instrument", "process_id", "sample_id"),
        "sample_dataportal_descriptor",
        *(f"object_annotation_{what}" for what in ("status", "category", "date", "time", "person_name", "person_email")),
        "object_annotation_hierarchy",
    )
)
PREDEFINED = NUMERIC_PREDEFINED | TEXT_PREDEFINED

# A measure and with how many decimals it is told; held equal to `edge.zooscan.measure.features` by a test. None here: Zooprocess 8 never
# fills it.
MEASURES: tuple[tuple[str, int | None], ...] = (
    *(("area", 0), ("mean", 2), ("stddev", 3), ("mode", 0), ("min", 0), ("max", 0), ("x", 2), ("y", 2), ("xm", 2), ("ym", 2)),
    *(("perim.", 2), ("bx", 0), ("by", 0), ("width", 0), ("height", 0), ("major", 1), ("minor", 1), ("angle", 1), ("circ.", 3)),
    *(("feret", 1), ("intden", 0), ("median", 0), ("skew", 3), ("kurt", 3), ("%area", 2), ("xstart", 0), ("ystart", 0)),
    *(("area_exc", 0), ("fractal", 3), ("skelarea", 0), ("slope", 3), ("histcum1", 0), ("histcum2", 0), ("histcum3", 0)),
    *(("xmg5", None), ("ymg5", None), ("nb1", 0), ("nb2", 0), ("nb3", 0)),
    *((name, None) for name in ("compentropy", "compmean", "compslope", "compm1", "compm2", "compm3")),
    *(("symetrieh", 3), ("symetriev", 3), ("symetriehc", 3), ("symetrievc", 3), ("convperim", 0), ("convarea", 0)),
    *(("fcons", 3), ("thickr", 3)),
)
DERIVED = (
    *("esd", "elongation", "range", "meanpos", "centroids", "cv", "sr", "perimareaexc", "feretareaexc", "perimferet", "perimmajor"),
    *("circex", "cdexc"),
)
# Of every legacy table nothing but 0, although something is measured.
ZERO_IN_LEGACY = "nb3"
# Zooprocess tells these as whole numbers, although its own table has three decimals.
WHOLE_IN_LEGACY = frozenset(("symetriehc", "symetrievc"))


@dataclass(frozen=True, slots=True)
class Stated:
    """A column that repeats what was typed.

    Attributes:
        column: of the table.
        key: of the META or the log, lower case.
        is_number: whether Zooprocess calls it a number. EcoTaxa keeps all of these as text.
    """

    column: str
    key: str
    is_number: bool = False


FROM_LOG = (
    *(Stated("acq_hardware", "hardware"), Stated("acq_software", "software"), Stated("acq_author", "author")),
    Stated("acq_imgtype", "imagetype"),
)
FROM_SCANNER = (
    *(Stated("acq_quality", "quality"), Stated("acq_bitpixel", "bitsperpixel", True), Stated("acq_greyfrom", "makegrayfrom", True)),
    *(Stated("acq_scan_resolution", "scanresolution", True), Stated("acq_rotation", "rotation", True), Stated("acq_miror", "mirror", True)),
    *(Stated("acq_xsize", "xsize", True), Stated("acq_ysize", "ysize", True), Stated("acq_xoffset", "previewxoffset", True)),
    Stated("acq_yoffset", "previewyoffset", True),
)
FROM_FRACTION = (
    *(Stated("acq_min_mesh", "fracmin", True), Stated("acq_max_mesh", "fracsup", True), Stated("acq_sub_part", "fracnb", True)),
    Stated("acq_sub_method", "submethod"),
)
FROM_SAMPLE = (
    *(Stated("sample_scan_operator", "scanop"), Stated("sample_ship", "ship"), Stated("sample_program", "scientificprog")),
    *(Stated("sample_stationid", "stationid"), Stated("sample_bottomdepth", "depth", True)),
    *(Stated("sample_ctdrosettefilename", "ctdref"), Stated("sample_other_ref", "otherref"), Stated("sample_tow_nb", "townb", True)),
    *(Stated("sample_tow_type", "towtype"), Stated("sample_net_type", "nettype"), Stated("sample_net_mesh", "netmesh", True)),
    *(Stated("sample_net_surf", "netsurf", True), Stated("sample_zmax", "zmax", True), Stated("sample_zmin", "zmin", True)),
    *(Stated("sample_tot_vol", "vol", True), Stated("sample_comment", "sample_comment"), Stated("sample_tot_vol_qc", "vol_qc", True)),
    *(Stated("sample_depth_qc", "depth_qc", True), Stated("sample_sample_qc", "sample_qc", True), Stated("sample_barcode", "barcode")),
    *(Stated("sample_duration", "net_duration", True), Stated("sample_ship_speed", "ship_speed_knots", True)),
    *(Stated("sample_cable_length", "cable_length", True), Stated("sample_cable_angle", "cable_angle", True)),
    *(Stated("sample_cable_speed", "cable_speed", True), Stated("sample_nb_jar", "nb_jar", True)),
)
