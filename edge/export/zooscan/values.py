"""What an export of a scan is made from. Who gathers it has read the database and the project's texts; nothing here reads either."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportLabel:
    """What EcoTaxa or a person said that an object is.

    Attributes:
        category: such as `Calanoida`; category_id: EcoTaxa's number of it; hierarchy: as `living>Crustacea>Calanoida`.
        status: predicted, validated or dubious.
        labelled_by: a name or an e-mail address; labelled_at: when, ISO.
    """

    category: str
    category_id: str | None
    hierarchy: str | None
    status: str
    labelled_by: str | None
    labelled_at: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportObject:
    """An object of a scan.

    Attributes:
        key: from its place, see docs/schema.md; number: in the scan's order, from 1, as Zooprocess counts.
        x_px, y_px, width_px, height_px: its box in the scan.
        measures: by the legacy name in lower case (`perim.`, `%area`), in pixels and greys; NaN where one is not defined.
        derived: what is computed of them (`esd`, `cv`), in the way that was asked for.
        measures_mm: lengths in mm and areas in mm2, by column.
        multiple_score: what the classifier gave; None without one.
        decision: single, multiple, or "" where neither a model nor a person said.
        decided_by: "model", a person's name, or "".
        cut_from: the key of the object that it was a part of.
        label: what it is; None: nobody said.
        vignette: the zip that holds its picture, and the name in it.
    """

    key: str
    number: int
    x_px: int
    y_px: int
    width_px: int
    height_px: int
    measures: Mapping[str, float]
    derived: Mapping[str, float]
    measures_mm: Mapping[str, float]
    multiple_score: float | None
    decision: str
    decided_by: str
    cut_from: str | None
    label: ExportLabel | None
    vignette: tuple[Path, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportRun:
    """How a scan was processed.

    Attributes:
        uuid, raw_sha256, settings_sha256: which run, of which bytes, with which settings.
        software_version: of this appliance.
        width_px, height_px: of the clean scan.
        resolution_dpi, pixel_mm: of the scan, side of a pixel.
        upper_grey: the largest grey of an object's pixel.
        min_esd_mm, max_esd_mm: the sizes that are objects.
        grey_min, grey_max: the ends of the window of 16-bit greys; grey_median: of the glass, None where it was not kept.
        od_range, ratio: how greys were spread.
        background: the name of the background.
        black_share: pixels of objects over the others.
        model, model_sha256: the classifier of multiples; threshold: its.
        separator: what separated.
        finished_at: UTC.
        signed_by, signed_at: who signed, UTC; None: nobody.
    """

    uuid: str
    raw_sha256: str
    settings_sha256: str
    software_version: str
    width_px: int
    height_px: int
    resolution_dpi: float
    pixel_mm: float
    upper_grey: int
    min_esd_mm: float
    max_esd_mm: float
    grey_min: int
    grey_max: int
    grey_median: float | None
    od_range: float
    ratio: float
    background: str
    black_share: float
    model: str
    model_sha256: str
    threshold: float | None
    separator: str
    finished_at: datetime
    signed_by: str | None
    signed_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportScan:
    """A scan with its objects.

    Attributes:
        name: such as `apero2023_tha_bioness_017_st66_d_n1_d3_1`.
        project, instrument: `apero_tha_bioness`, `zooscan_sn033`.
        stated: what stands about sample and fraction, by META key in lower case, after corrections; a key whose value says that nobody
            knew (9999, nan) is not there.
        log: values of the scanner's log by key in lower case, without the table of greys.
        latitude_deg, longitude_deg, latitude_end_deg, longitude_end_deg: decimal, north and east positive.
        at_utc: when the net was hauled.
        depth_min_m, depth_max_m: of the haul.
        scanned_at: by the scanner's computer.
        volume_filtered_m3, volume_is: what the net filtered, where it was stated beside `Vol`, and which of both `Vol` is.
        run: how it was processed; objects: what was found, none of them retired.
        is_legacy: whether the figures of `derived` are Zooprocess's.
    """

    name: str
    project: str
    instrument: str
    stated: Mapping[str, str]
    log: Mapping[str, str]
    latitude_deg: float | None
    longitude_deg: float | None
    latitude_end_deg: float | None
    longitude_end_deg: float | None
    at_utc: datetime | None
    depth_min_m: float | None
    depth_max_m: float | None
    scanned_at: datetime | None
    run: ExportRun
    objects: tuple[ExportObject, ...]
    is_legacy: bool = False
    volume_filtered_m3: float | None = None
    volume_is: str = ""

    @property
    def sample_id(self) -> str:
        """Of the sample; "" if nobody said."""
        return self.stated.get("sampleid", "")

    @property
    def acquisition_id(self) -> str:
        """Of the fraction of the sample, as Zooprocess names it; "" if something of it is not known."""
        fraction = self.stated.get("fracid", "")
        return f"{fraction}_{self.sample_id}" if fraction and self.sample_id else ""

    def object_id(self, key: str) -> str:
        """EcoTaxa's `object_id`."""
        return f"{self.name}_{key}"


@dataclass(frozen=True, slots=True, kw_only=True)
class RetiredObject:
    """An object that there was, and that is not exported any more.

    Attributes:
        key: its.
        retired_utc: since when.
        why: `separated`, or `processed again`.
        became: the keys of the objects that it was cut into.
    """

    key: str
    retired_utc: str
    why: str
    became: tuple[str, ...]
