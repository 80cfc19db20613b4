"""The log of Zooprocess's work folder: the scanner's log with the sections that processing adds to it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from edge.recipes.scan_gather import Gathered
from edge.zooscan.project.texts import decode_text

_SAMPLE = (
    *("SampleId", "Scanop", "Ship", "Scientificprog", "StationId", "Date", "Latitude", "Longitude", "Depth", "CTDref", "Otherref"),
    *("Townb", "Towtype", "Nettype", "Netmesh", "Netsurf", "Zmax", "Zmin", "Vol", "Sample_comment", "vol_qc", "depth_qc", "sample_qc"),
    *("barcode", "latitude_end", "longitude_end", "net_duration", "ship_speed_knots", "cable_length", "cable_angle", "cable_speed"),
    "nb_jar",
)
_FRACTION = (("Code", "Code"), ("FracId", "FracId"), ("Min", "Fracmin"), ("Max", "Fracsup"))
_SUBSAMPLE = (
    *(("SubPart", "Fracnb"), ("SubMethod", "SubMethod"), ("CellPart", "CellPart"), ("Replicates", "Replicates")),
    *(("VolIni", "VolIni"), ("VolPrec", "VolPrec"), ("Observation", "Observation")),
)
# What a log of the work folder has behind the scanner's own sections.
_ADDED = frozenset(("lut", "info", "sample", "fraction", "subsample", "process", "image_process", "particules_process", "data"))


def log_header(gathered: Gathered, log: bytes | None, lines: int) -> str:
    """The log, section by section, up to where a PID's data begin.

    Args:
        gathered: the scan.
        log: the scanner's, as it was read.
        lines: how many separation lines stand.
    """
    told: list[str] = ["PID", *_scanners_own(decode_text(log or b"")), " "]
    for heading, values in _sections(gathered, lines):
        told += [f"[{heading}]", *(f"{key}= {value}" for key, value in values), " "]
    return "\n".join(told) + "\n"


def _scanners_own(text: str) -> Iterator[str]:
    """The lines before the first section that processing adds."""
    for line in text.splitlines():
        stripped = line.strip()
        if stripped.startswith("[") and stripped[1:-1].strip().casefold() in _ADDED:
            return
        if stripped and stripped != "PID":
            yield line.rstrip()


def _sections(gathered: Gathered, lines: int) -> Iterator[tuple[str, Sequence[tuple[str, object]]]]:
    scan, run, frame = gathered.scan, gathered.scan.run, gathered.run.frame
    meta = gathered.standing.meta
    version = f"imagine-edge_{run.software_version}"
    at = f"{run.finished_at:%Y%m%d_%H%M}"

    def stated(pairs: Sequence[tuple[str, str]]) -> list[tuple[str, object]]:
        return [(key, " ".join((meta.value(other) or "").split())) for key, other in pairs if meta.value(other) is not None]

    yield "LUT", [*_lut(run.grey_min, run.grey_max, run.od_range, run.ratio)]
    yield "Info", [*_info(scan.log), ("Resolution", f"{run.resolution_dpi:g}"), ("Author", scan.log.get("author", ""))]
    yield "Sample", stated([(key, key) for key in _SAMPLE])
    yield "Fraction", stated(_FRACTION)
    yield "Subsample", stated(_SUBSAMPLE)
    yield "Process", [("Version", version), ("Date", at)]
    limits = [(f"{side.capitalize()}_limit", frame[side]) for side in ("right", "left", "top", "bottom") if side in frame]
    yield (
        "Image_Process",
        [
            *(("Date", at), ("Version", version), ("Resolution", f"{run.resolution_dpi:g}")),
            ("Background_correct_using", run.background),
            *limits,
        ],
    )
    yield (
        "Particules_Process",
        [
            *(("Particule_Process_Date", at), ("Version", version), ("Resolution", f"{run.resolution_dpi:g}")),
            *(("Threshold", run.upper_grey), ("PixSize", f"{run.pixel_mm:.4f}"), ("MinSize", f"{run.min_esd_mm:g}")),
            *(("MaxSize", f"{run.max_esd_mm:g}"), ("Measures_unit", "pixel"), ("Separation_Mask", "INCLUDE"), ("Separation_lines", lines)),
            *(("B/W_ratio", f"{run.black_share:.4f}"), ("Analysed_Objects", len(scan.objects)), ("Date", at)),
        ],
    )


def _lut(grey_min: int, grey_max: int, od_range: float, ratio: float) -> list[tuple[str, object]]:
    return [
        *(("Image_split", "NO"), ("Color_Balance", "manual"), ("Filter", "no"), ("Min", grey_min), ("Max", grey_max), ("Gamma", 1)),
        *(("Order", "before"), ("Grey_mode_auto", "yes"), ("OD_range", f"{od_range:g}"), ("Ratio", f"{ratio:g}")),
    ]


def _info(log: Mapping[str, str]) -> list[tuple[str, object]]:
    return [("Hardware", log.get("hardware", "")), ("Software", log.get("software", "")), ("ImageType", log.get("imagetype", ""))]
