"""The texts of a rendered project, in the form in which Zooprocess leaves them: LOG, META, configuration, header tables."""

from __future__ import annotations

from collections.abc import Mapping

PROJECT = "Zooscan_render_sn033"
SCANNED_AT, BACKGROUND_AT = "20260614_1541", "20260614_0946"

LUT = "0\n65536\n1\nbefore\nyes\n1.8\n1.15\n3000\n0.07\nno\n1\n2400\n"

CONFIG = """background_process= last
enhance_thumbnail= no
jpeg= 100
zip= 0
greycor= 4
resolution= 2400
greytaux= 0.9
yminref= 0
method= neutral
upper= 243
greyref= 174
voxelunit= pixel
backval= 100.0
minsizeesd_mm= 0.3
maxsizeesd_mm= 100
longline_mm= 1.0
contrast_pourcent= 1.3
doubloonxy_inch= 0.05
doubloonarea_pourcent= 0.1
greylimit= 10
frame= both
"""

# Which of the keys stand in which header table.
_SCAN_KEYS = frozenset(
    ("Scanop", "FracId", "Fracmin", "Fracsup", "Fracnb", "Observation", "Code", "SubMethod", "CellPart", "Replicates", "VolIni", "VolPrec")
)


def sample_of(seed: int) -> str:
    """The sample's id."""
    return f"render_{seed}"


def meta_values(seed: int) -> dict[str, str]:
    """What is said of the sample and of the part that was scanned. Positions are degrees.minutes, west positive, as in the field."""
    return {
        "SampleId": sample_of(seed),
        "Scanop": "rendered",
        "Ship": "none",
        "Scientificprog": "render",
        "StationId": "1",
        "Date": "20260602-2251",
        "Latitude": "43.4100",
        "Longitude": "-7.1900",
        "Depth": "99999",
        "CTDref": "none",
        "Otherref": "none",
        "Townb": "1",
        "Towtype": "1",
        "Nettype": "wp2",
        "Netmesh": "200",
        "Netsurf": "0.25",
        "Zmax": "75",
        "Zmin": "0",
        "Vol": "18.7",
        "FracId": "tot",
        "Fracmin": "200",
        "Fracsup": "999999",
        "Fracnb": "8",
        "Observation": "rendered_nothing_was_caught",
        "Code": "1",
        "SubMethod": "motoda",
        "CellPart": "1",
        "Replicates": "1",
        "VolIni": "1",
        "VolPrec": "1",
        "Sample_comment": "rendered_nothing_was_caught",
        "vol_qc": "1",
        "depth_qc": "1",
        "sample_qc": "1111",
        "barcode": f"render{seed:09d}",
        "latitude_end": "43.4140",
        "longitude_end": "-7.1910",
        "net_duration": "3",
        "ship_speed_knots": "0",
        "cable_length": "75",
        "cable_angle": "5",
        "cable_speed": "0.5",
        "nb_jar": "1",
    }


def meta_text(values: Mapping[str, str]) -> str:
    """A META: one key a line."""
    return "".join(f"{key}= {value}\n" for key, value in values.items())


def sample_table(values: Mapping[str, str]) -> str:
    """`zooscan_sample_header_table.csv`."""
    return _table({key: value for key, value in values.items() if key not in _SCAN_KEYS})


def scan_table(values: Mapping[str, str], scan: str) -> str:
    """`zooscan_scan_header_table.csv`."""
    return _table({"ScanId": scan, "SampleId": values["SampleId"]} | {key: value for key, value in values.items() if key in _SCAN_KEYS})


def scan_log(stem: str) -> str:
    """The LOG that the scanning program leaves beside a raw scan."""
    folder = rf"Y:\\{PROJECT}\\Zooscan_scan"
    return f"""PID
[Image]
Scanning_date= {SCANNED_AT}
Scanning_area= large
Vuescan_version= 9.7.67
[VueScan]
[Input]
Source=PerfectionV700
Options=2
DefaultFolder={folder}
RawFileName={folder}\\\\_raw\\\\{stem}=.tif
[Input-PerfectionV700-Flatbed]
Media=1
BitsPerPixel=3
MakeGrayFrom=2
PreviewResolution=8
ScanResolution=3
Rotation=3
Mirror=1
FileType=2
[Crop-PerfectionV700-Flatbed]
CropSize=0
XSize=30000
YSize=50000
[Output-PerfectionV700-Flatbed]
RawFile=1
RawCompression=0

[LUT]
Color_Balance=  keep
"""


def background_log(medians: tuple[float, float]) -> str:
    """The LOG of a pair of backgrounds."""
    return f"""Vuescan_Config_File =  vuescan_zooscan_2400dpi_frame2_large.ini
[VueScan]
[Input]
Source=PerfectionV700
[Input-PerfectionV700-Flatbed]
BitsPerPixel=3
ScanResolution=4
Rotation=3
Mirror=1
[Output]
RawSizeReduction=4

[LUT]
Color_Balance=  manual
Gamma=  1
Order=  before
Grey_mode_auto=  no
OD_range=  1.8
Ratio=  1.15
Frame= 0   Median= {medians[0]:.1f}
Frame= 1   Median= {medians[1]:.1f}
Median_filter= no
Background= initialprocess
"""


def _table(row: Mapping[str, str]) -> str:
    """A table of one row, with semicolons."""
    return ";".join(key.lower() for key in row) + "\n" + ";".join(row.values()) + "\n"


README = """RENDERED SCAN: nothing here was caught at sea

A ZooScan project that a program drew, for trying and testing. What lies on this glass is known exactly.
Made by: imagine-edge zooscan render --objects {objects} --seed {seed} --out DIR --width-px {width_px} --height-px {height_px} \
--touching {touching}

truth.csv     one row per object, in the order of their boxes' rows: its class (several joined by + where they touch), how many it is made
              of, its box in the clean scan, its pixels with holes (area_px) and without (area_exc_px), its centre. An object's pixels are
              those with a grey of 243 or less. The scan's noise moves an edge by a pixel here and there.
parts.csv     one row per part of an object: its class, its box, the pixels in which it is what one sees.

Pixels count from the upper left corner of the clean scan (upright, 8 bits, background taken away).
{specks} specks of dust lie on the glass besides, each smaller than an object.
"""
