"""A scan as EcoTaxa's table: one row for each object. Values in, cells out; whether EcoTaxa would take them is looked at elsewhere."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from edge.export.zooscan.columns import (
    DERIVED,
    FROM_FRACTION,
    FROM_LOG,
    FROM_SAMPLE,
    FROM_SCANNER,
    MEASURES,
    WHOLE_IN_LEGACY,
    ZERO_IN_LEGACY,
    Stated,
)
from edge.export.zooscan.values import ExportLabel, ExportObject, ExportScan

_UNSAFE = re.compile(r"[^A-Za-z0-9._+-]+")
_NAME_LETTERS = 180


@dataclass(frozen=True, slots=True, kw_only=True)
class EcoTaxaTable:
    """A table as it will be written.

    Attributes:
        columns: names, lower case; types: `f` or `t` of each.
        rows: cells, all of them text, "" for what is not known.
        names: of the objects, row by row, for telling what is wrong with one.
    """

    columns: tuple[str, ...]
    types: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    names: tuple[str, ...]


def file_stem(name: str) -> str:
    """A scan's name as every disk and unpacker takes it: what is no ASCII letter, digit or one of `._+-` becomes `_`."""
    return _UNSAFE.sub("_", name)[:_NAME_LETTERS].lstrip(".") or "scan"


def table_name(name: str) -> str:
    """Of the table: EcoTaxa looks for `ecotaxa` in lower case."""
    return f"ecotaxa_{file_stem(name).lower()}.tsv"


def picture_name(scan: ExportScan, one: ExportObject, *, numbered: bool = False) -> str:
    """Of an object's picture: by its key, or as Zooprocess names it by its number."""
    return f"{file_stem(scan.name)}_{one.number}.jpg" if numbered else f"{file_stem(scan.name)}_{one.key}.png"


def ecotaxa_table(scan: ExportScan, *, numbered: bool = False) -> EcoTaxaTable:
    """The table of a scan.

    Args:
        scan: with its objects.
        numbered: pictures are JPEGs with the numbers of Zooprocess's work folder; ids are the same.
    """
    place, behind = _place(scan), [*_process(scan), *_acquisition(scan), *_sample(scan)]
    is_labelled = any(one.label for one in scan.objects)

    def cells_of(one: ExportObject) -> _Cells:
        return [*_own(scan, one, numbered=numbered), *place, *_measured(scan, one), *_said(one, is_labelled=is_labelled)]

    first = (*cells_of(scan.objects[0] if scan.objects else _NO_OBJECT), *behind)
    last = tuple(text for _, _, text in behind)
    return EcoTaxaTable(
        columns=tuple(column for column, _, _ in first),
        types=tuple(kind for _, kind, _ in first),
        rows=tuple((*(text for _, _, text in cells_of(one)), *last) for one in scan.objects),
        names=tuple(scan.object_id(one.key) for one in scan.objects),
    )


_Cells = list[tuple[str, str, str]]
# The columns are the same when nothing was found.
_NO_OBJECT = ExportObject(
    key="",
    number=0,
    x_px=0,
    y_px=0,
    width_px=0,
    height_px=0,
    measures={},
    derived={},
    measures_mm={},
    multiple_score=None,
    decision="",
    decided_by="",
    cut_from=None,
    label=None,
    vignette=(Path(), ""),
)


def _own(scan: ExportScan, one: ExportObject, *, numbered: bool) -> _Cells:
    return [
        ("img_file_name", "t", picture_name(scan, one, numbered=numbered)),
        ("img_rank", "f", "0"),
        ("object_id", "t", scan.object_id(one.key)),
    ]


def _place(scan: ExportScan) -> _Cells:
    """Where and when the net was hauled; the depths are the haul's, not those of the sea there."""
    at = scan.at_utc
    return [
        ("object_link", "t", ""),
        ("object_lat", "f", number_text(scan.latitude_deg, 5)),
        ("object_lon", "f", number_text(scan.longitude_deg, 5)),
        ("object_date", "t", f"{at:%Y%m%d}" if at else ""),
        ("object_time", "t", _time(at)),
        ("object_depth_min", "f", number_text(scan.depth_min_m)),
        ("object_depth_max", "f", number_text(scan.depth_max_m)),
        ("object_lat_end", "f", number_text(scan.latitude_end_deg, 5)),
        ("object_lon_end", "f", number_text(scan.longitude_end_deg, 5)),
    ]


def _measured(scan: ExportScan, one: ExportObject) -> _Cells:
    """Zooprocess fills nine columns with nothing but 0: in its way of counting they have it here too, otherwise they are empty."""
    cells: _Cells = []
    for name, decimals in MEASURES:
        never = decimals is None or (scan.is_legacy and name == ZERO_IN_LEGACY)
        told = 0 if scan.is_legacy and name in WHOLE_IN_LEGACY else decimals
        text = ("0" if scan.is_legacy else "") if never else number_text(_measure(one, name), told)
        cells.append((f"object_{name}", "f", text))
    cells.append(("object_tag", "f", "1"))
    cells += [(f"object_{name}", "f", number_text(one.derived.get(name))) for name in DERIVED]
    return [
        *cells,
        ("object_multiple_score", "f", number_text(one.multiple_score, 4)),
        ("object_multiple", "t", one.decision),
        ("object_multiple_by", "t", one.decided_by),
        ("object_cut_from", "t", scan.object_id(one.cut_from) if one.cut_from else ""),
    ]


def _measure(one: ExportObject, name: str) -> float | None:
    boxes = {"bx": one.x_px, "by": one.y_px, "width": one.width_px, "height": one.height_px}
    return float(boxes[name]) if name in boxes else one.measures.get(name)


def _said(one: ExportObject, *, is_labelled: bool) -> _Cells:
    """What the object is; these columns are there if it is known of at least one object."""
    if not is_labelled:
        return []
    label = one.label or ExportLabel(category="", category_id=None, hierarchy=None, status="", labelled_by=None, labelled_at=None)
    by, at = label.labelled_by or "", _moment(label.labelled_at)
    is_address = "@" in by
    values = {
        "status": label.status,
        "category": label.category,
        "category_id": label.category_id or "",
        "hierarchy": label.hierarchy or "",
        "person_name": "" if is_address else by,
        "person_email": by if is_address else "",
        "date": f"{at:%Y%m%d}" if at else "",
        "time": _time(at),
    }
    return [(f"object_annotation_{name}", "f" if name == "category_id" else "t", one_line(text)) for name, text in values.items()]


def _process(scan: ExportScan) -> _Cells:
    run = scan.run
    version = f"imagine-edge_{run.software_version}"
    threshold = number_text(run.threshold, 3)
    texts: list[tuple[str, str, str]] = [
        ("id", "t", f"imagine-edge_{scan.acquisition_id}" if scan.acquisition_id else ""),
        ("date", "t", f"{run.finished_at:%Y%m%d}"),
        ("time", "t", _time(run.finished_at)),
        ("img_software_version", "t", version),
        ("img_resolution", "f", number_text(run.resolution_dpi)),
        ("img_od_grey", "f", ""),
        ("img_od_std", "f", ""),
        ("img_background_img", "t", run.background),
        ("particle_version", "t", version),
        ("particle_threshold", "f", str(run.upper_grey)),
        ("particle_pixel_size_mm", "f", f"{run.pixel_mm:.4f}"),
        ("particle_min_size_mm", "f", number_text(run.min_esd_mm)),
        ("particle_max_size_mm", "f", number_text(run.max_esd_mm)),
        ("particle_sep_mask", "t", "include"),
        ("particle_bw_ratio", "f", number_text(run.black_share, 4)),
        ("software", "t", version),
        ("pixel_mm", "f", number_text(run.pixel_mm, 6)),
        ("run_uuid", "t", run.uuid),
        ("raw_sha256", "t", run.raw_sha256),
        ("settings_sha256", "t", run.settings_sha256),
        ("multiple_model", "t", run.model),
        ("multiple_model_sha256", "t", run.model_sha256),
        ("multiple_threshold", "f", threshold),
        ("separator", "t", run.separator),
        ("checked_by", "t", run.signed_by or "nobody: not signed"),
        ("checked_at", "t", f"{run.signed_at:%Y-%m-%dT%H:%M:%SZ}" if run.signed_at else ""),
        ("derived_figures", "t", "zooprocess 8 (whole numbers)" if scan.is_legacy else "unrounded"),
    ]
    return [(f"process_{name}", kind, one_line(text)) for name, kind, text in texts]


def _acquisition(scan: ExportScan) -> _Cells:
    run, scanned = scan.run, scan.scanned_at
    return [
        ("acq_id", "t", one_line(scan.acquisition_id)),
        *_stated(FROM_FRACTION, scan.stated),
        *_stated(FROM_LOG, scan.log),
        ("acq_scan_date", "t", f"{scanned:%Y%m%d}" if scanned else ""),
        ("acq_scan_time", "t", _time(scanned)),
        *_stated(FROM_SCANNER, scan.log),
        ("acq_lut_color_balance", "t", "manual"),
        ("acq_lut_filter", "t", "no"),
        ("acq_lut_min", "f", str(run.grey_min)),
        ("acq_lut_max", "f", str(run.grey_max)),
        ("acq_lut_odrange", "f", number_text(run.od_range)),
        ("acq_lut_ratio", "f", number_text(run.ratio)),
        ("acq_lut_16b_median", "f", number_text(run.grey_median, 2)),
        ("acq_instrument", "t", scan.instrument),
        ("acq_scan_comment", "t", one_line(scan.stated.get("observation", ""))),
    ]


def _sample(scan: ExportScan) -> _Cells:
    return [
        ("sample_id", "t", one_line(scan.sample_id)),
        *_stated(FROM_SAMPLE, scan.stated),
        ("sample_dataportal_descriptor", "t", ""),
        ("sample_open", "t", ""),
        ("sample_tot_vol_filtered", "f", number_text(scan.volume_filtered_m3)),
        ("sample_tot_vol_is", "t", one_line(scan.volume_is)),
    ]


def _stated(columns: Sequence[Stated], values: Mapping[str, str]) -> Iterator[tuple[str, str, str]]:
    """What was typed, as it was typed; a number with a comma gets its point. A column of numbers with something else in it is text."""
    for one in columns:
        text = one_line(values.get(one.key, ""))
        if not one.is_number:
            yield one.column, "t", text
            continue
        plain = text.replace(",", ".")
        is_number = not plain or _is_finite(plain)
        yield one.column, "f" if is_number else "t", plain if is_number else text


def _is_finite(text: str) -> bool:
    try:
        return text.isascii() and "_" not in text and math.isfinite(float(text))
    except ValueError:
        return False


def one_line(text: str) -> str:
    """A text on one line: tabs and line breaks, which would end a cell or a row, are blanks, and blanks at its ends are left out."""
    return " ".join(part.strip(" \t") for part in text.expandtabs(1).splitlines() if part.strip()).strip()


def number_text(value: float | None, decimals: int | None = None) -> str:
    """A number as ImageJ writes it, without zeros at its end; nothing for what is not defined. An infinite one is told as it is."""
    if value is None or math.isnan(value):
        return ""
    if not math.isfinite(value):
        return str(value)
    text = f"{value:.15g}" if decimals is None else f"{value:.{decimals}f}"
    return _trimmed(text)


def _trimmed(text: str) -> str:
    if "." in text and "e" not in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text in {"-0", ""} else text


def _time(at: datetime | None) -> str:
    return f"{at:%H:%M:%S}.000" if at else ""


def _moment(text: str | None) -> datetime | None:
    """An ISO time in UTC; None where it is none."""
    try:
        found = datetime.fromisoformat(text or "")
    except ValueError:
        return None
    return found.astimezone(UTC) if found.tzinfo else found


def lines_of(table: EcoTaxaTable) -> Iterable[Sequence[str]]:
    """The rows of the file: names, types, objects."""
    yield table.columns
    yield tuple(f"[{kind}]" for kind in table.types)
    yield from table.rows
