"""ImageJ as an oracle: its particle analyser over a picture, run without a screen by a macro of our own.

Debian: apt-get install imagej xvfb. It is version 1.53t; the legacy software ran on 1.41o, whose perimeter and skeleton differ.
"""

from __future__ import annotations

import csv
import shutil
import subprocess
import tempfile
from pathlib import Path

from edge.zooscan.segment import SegmentSettings

_JAR = Path("/usr/share/java/ij.jar")
_MEMORY = "-Xmx2500m"
_LIMIT_S = 900
_MACRO = """
args = split(getArgument(), "|");
setBatchMode(true);
open(args[0]);
run("Set Scale...", "distance=0 known=0 pixel=1 unit=pixel");
setThreshold(0, parseInt(args[2]));
run("Set Measurements...", "area mean standard modal min centroid perimeter bounding fit shape feret's integrated median skewness kurtosis"
  + " area_fraction redirect=None decimal=6");
run("Analyze Particles...", "size=" + args[3] + " pixel circularity=0.00-1.00 show=Nothing display exclude clear include record");
saveAs("Results", args[1]);
run("Quit");
"""


def missing() -> str | None:
    """Why ImageJ cannot be asked here; None if it can."""
    lacking = [name for name in ("java", "xvfb-run") if shutil.which(name) is None]
    if not _JAR.is_file():
        lacking.append(str(_JAR))
    return f"{', '.join(lacking)} not found (apt-get install imagej xvfb)" if lacking else None


def particles(image: Path, settings: SegmentSettings) -> list[dict[str, float]]:
    """The objects of an 8-bit picture as ImageJ sees them: threshold, 8-connected, holes included, none that touches the edge.

    Lines are left out as the legacy macro leaves them out.

    Raises:
        RuntimeError: ImageJ failed.
    """
    with tempfile.TemporaryDirectory() as folder:
        macro, table = Path(folder) / "particles.ijm", Path(folder) / "particles.csv"
        macro.write_text(_MACRO, encoding="ascii")
        words = f"{image}|{table}|{settings.upper_grey}|{settings.min_area_px}-{settings.max_area_px}"
        command = ["xvfb-run", "-a", "java", _MEMORY, "-cp", str(_JAR), "ij.ImageJ", "-batch", str(macro), words]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=_LIMIT_S)
        if not table.is_file():
            raise RuntimeError(f"ImageJ ended with {done.returncode} and no table: {(done.stdout + done.stderr)[-500:]}")
        with table.open(encoding="utf-8", newline="") as file:
            rows = [{name: float(cell) for name, cell in row.items() if name.strip()} for row in csv.DictReader(file)]
    return [row for row in rows if row["Width"] < settings.longest_line * row["Height"]]
