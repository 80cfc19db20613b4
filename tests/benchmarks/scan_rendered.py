"""The rendered scan that the benchmarks of ZooScan share: made once in a run, and cleaned once."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path

from edge.zooscan.project.config import read_settings
from edge.zooscan.project.files import look_at_project
from edge.zooscan.raw import open_raw
from edge.zooscan.scan import CleanScan, clean_scan
from tests.benchmarks.appliance import PROGRAM

OBJECTS, QUICK_OBJECTS = 1700, 30
_QUICK_SIZE = ("--width-px", "2500", "--height-px", "1500")
SETTINGS = read_settings(None, None)


@dataclass(frozen=True, slots=True, kw_only=True)
class RenderedScan:
    """A project on disk.

    Attributes:
        project: its folder.
        objects: on the glass.
    """

    project: Path
    objects: int


def rendered_scan(workspace: Path, *, quick: bool) -> RenderedScan:
    """A full scan of 1,700 objects (750 MB), or a small one; rendered by the installed command where it is not there yet."""
    objects = QUICK_OBJECTS if quick else OBJECTS
    out = workspace / "rendered_scan"
    project = out / "Zooscan_render_sn033"
    if not project.is_dir():
        size = _QUICK_SIZE if quick else ()
        command = [PROGRAM, "zooscan", "render", "--objects", str(objects), "--seed", "1", "--out", str(out), *size, "--json"]
        told = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()[-1])
        project = Path(told["project"])
    return RenderedScan(project=project, objects=objects)


def cleaned(scan: RenderedScan) -> CleanScan:
    """The rendered scan without its background."""
    project = look_at_project(scan.project)
    (files,), (background,) = project.scans, project.backgrounds
    if files.raw is None:
        raise RuntimeError(f"{scan.project} has no raw scan")
    with open_raw(files.raw) as raw, open_raw(background.first) as first, open_raw(background.second) as second:
        return clean_scan(raw, (first, second), SETTINGS, threads=2)
