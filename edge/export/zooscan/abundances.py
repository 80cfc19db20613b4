"""Abundances and size spectra as tables. Rows in, files out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from edge.cells import Cell, CsvFile

CLASS_COLUMNS: Mapping[str, str] = {
    "sample_id": "Of the META.",
    "fractions": "Those that the figures are made of, such as d1+d2; scans: their names.",
    "scans": "The scans of these fractions.",
    "category": "The class; `all objects`, and `not classified` for those of which nobody said what they are.",
    "hierarchy": "Where the class stands, as EcoTaxa has it.",
    "category_id": "EcoTaxa's number of the class, by which two of one name are told apart; empty: it never came.",
    "status": "Of what was said: validated, or each status by itself.",
    "objects": "Found on the scans. Empty: nobody looked for it on every object; 0: none was there.",
    "multiples": "Of these, outlines that hold several animals that were not separated; each counts as one.",
    "abundance_m3": "Individuals per m3: objects of a fraction x Fracnb / Vol, added up over the fractions.",
    "ellipsoid_mm3_m3": "Biovolume, mm3 per m3, of ellipsoids 4/3 pi (major/2) (minor/2)^2.",
    "sphere_mm3_m3": "Biovolume, mm3 per m3, of spheres 4/3 pi (ESD/2)^3.",
    "is_complete": "1: of every object of the sample somebody said what it is, or all are counted; 0: the figures are lower bounds.",
    "not_classified": "Objects of the sample of which nobody did.",
    "volume_m3": "Vol as stated, which the figures are made with.",
    "volume_filtered_m3": "What the net filtered, where it was stated beside Vol; nothing is made with it.",
    "volume_is": "What Vol was said to be: filtered, fractioned; empty: nobody said.",
    "is_signed": "1: the checks of all its scans are signed.",
}
SIZE_COLUMNS: Mapping[str, str] = {
    "sample_id": "Of the META.",
    "category": "As in the table of classes.",
    "hierarchy": "As in the table of classes.",
    "category_id": "As in the table of classes.",
    "status": "As in the table of classes.",
    "body": "What a biovolume is made of: ellipsoid or sphere.",
    "size_class": "Its number; the class 0 begins at 1 mm3.",
    "lower_mm3": "The smallest biovolume in the class.",
    "upper_mm3": "The smallest biovolume above it.",
    "width_mm3": "upper_mm3 - lower_mm3.",
    "objects": "Found on the scans.",
    "abundance_m3": "Individuals per m3.",
    "biovolume_mm3_m3": "mm3 per m3.",
    "nbss_m3": "biovolume_mm3_m3 / width_mm3: the normalised biovolume size spectrum, mm3 m-3 mm-3.",
    "is_cut": "1: the smallest objects that are taken lie in this class: it has too few.",
}


def write_rows(path: Path, columns: Mapping[str, str], rows: Iterable[Mapping[str, Cell]]) -> int:
    """Write rows under columns; returns how many."""
    with CsvFile(path, tuple(columns)) as table:
        for row in rows:
            table.write(_told(row[column]) for column in columns)
        return table.rows


def _told(value: Cell) -> Cell:
    """A number with ten significant digits: a biovolume may be a millionth of a mm3."""
    return float(f"{value:.10g}") if isinstance(value, float) else value


def described(columns: Mapping[str, str]) -> list[dict[str, str]]:
    """The columns as a sidecar tells them."""
    return [{"name": name, "description": description} for name, description in columns.items()]
