"""A small zip as EcoTaxa takes it: a scan's objects with their pictures, and how to spoil it."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from PIL import Image

SCAN = "apero_st66_d_n1_d3_1"
SAMPLE = "apero_st66_d_n1"
KEYS = ("x3A0y1F4w5Ch77", "x10y20w30h40", "xFFy1w2Ah2Bp9260B143")


def picture(grey: int = 200) -> bytes:
    """A PNG of a few pixels."""
    out = io.BytesIO()
    Image.new("L", (12, 9), grey).save(out, "PNG")
    return out.getvalue()


def rows_of(scan: str = SCAN, keys: Sequence[str] = KEYS, sample: str = SAMPLE) -> list[dict[str, str]]:
    """A row for each object, by column."""
    return [
        {
            "img_file_name": f"{scan}_{key}.png",
            "img_rank": "0",
            "object_id": f"{scan}_{key}",
            "object_lat": "51.88217",
            "object_lon": "-14.2",
            "object_date": "20230614",
            "object_time": "2210",
            "object_depth_min": "0",
            "object_depth_max": "200",
            "object_area": str(700 + index),
            "object_feret": "54.2",
            "process_id": f"process_{scan}",
            "acq_id": f"acq_{scan}",
            "acq_instrument": "zooscan_sn033",
            "sample_id": sample,
            "sample_tot_vol": "357",
        }
        for index, key in enumerate(keys)
    ]


FREE_NUMBERS = ("object_area", "object_feret")
NUMBERS = ("object_lat", "object_lon", "object_depth_min", "object_depth_max", "img_rank", *FREE_NUMBERS)


def table(rows: Sequence[Mapping[str, str]], *, types: bool = True, bom: bool = False) -> bytes:
    """The rows as a TSV."""
    names = list(rows[0])
    lines = ["\t".join(names)]
    if types:
        lines.append("\t".join("[f]" if name in NUMBERS else "[t]" for name in names))
    lines += ["\t".join(row[name] for name in names) for row in rows]
    text = "\n".join(lines) + "\n"
    return b"\xef\xbb\xbf" + text.encode() if bom else text.encode("latin-1")


def write_zip(path: Path, files: Mapping[str, bytes]) -> Path:
    """A zip of these members."""
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def good_files(scan: str = SCAN, keys: Sequence[str] = KEYS, sample: str = SAMPLE) -> dict[str, bytes]:
    """The members of a zip that goes in."""
    rows = rows_of(scan, keys, sample)
    return {f"ecotaxa_{scan}.tsv": table(rows, bom=True)} | {row["img_file_name"]: picture() for row in rows}


def make_zip(folder: Path, scan: str = SCAN, keys: Sequence[str] = KEYS, sample: str = SAMPLE) -> Path:
    """A zip that goes in."""
    folder.mkdir(parents=True, exist_ok=True)
    return write_zip(folder / f"ecotaxa_{scan}.zip", good_files(scan, keys, sample))
