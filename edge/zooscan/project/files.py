"""Which files of a project belong together: a scan with its texts, a pair of backgrounds, and what a scan still waits for."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

_RAW_SCAN = re.compile(r"(?P<stem>.+)_raw_(?P<number>\d+)\.tiff?$", re.IGNORECASE)
_RAW_BACKGROUND = re.compile(r"(?P<at>\d{8}_\d{4})_back_(?P<frame>large|narrow)_raw_(?P<number>[12])\.tiff?$", re.IGNORECASE)
_TEXT = re.compile(r"(?P<scan>.+)_(?P<kind>log|meta)\.txt$", re.IGNORECASE)
_PROJECT = re.compile(r"zooscan_(?P<name>.+?)(?:_(?P<serial>sn\d+))?$", re.IGNORECASE)
_TIME = "%Y%m%d_%H%M"


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanFiles:
    """What there is of a scan.

    Attributes:
        name: such as `apero2023_tha_bioness_017_st66_d_n1_d3_1`.
        raw: the 16-bit picture.
        log, meta: its texts.
    """

    name: str
    raw: Path | None = None
    log: Path | None = None
    meta: Path | None = None

    @property
    def lacks(self) -> tuple[str, ...]:
        """What is not there yet, by the names of the files that would be taken."""
        stem, _, number = self.name.rpartition("_")
        missing = []
        if self.raw is None:
            missing.append(f"{stem}_raw_{number}.tif")
        if self.log is None:
            missing.append(f"{self.name}_log.txt")
        if self.meta is None:
            missing.append(f"{self.name}_meta.txt")
        return tuple(missing)


@dataclass(frozen=True, slots=True, kw_only=True)
class Background:
    """Two scans of the empty glass.

    Attributes:
        at_local: when, by the scanner's computer.
        frame: "large" or "narrow"; "given" for two pictures that a person named.
        first, second: the 16-bit pictures.
    """

    at_local: datetime
    frame: str
    first: Path
    second: Path

    @property
    def name(self) -> str:
        """Of the picture that Zooprocess makes of both; of two that a person named, their own names."""
        if self.frame == "given":
            return f"{self.first.name}, {self.second.name}"
        return f"{self.at_local.strftime(_TIME)}_background_{self.frame}_manual.tif"


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """A project folder as it is now.

    Attributes:
        folder: where it is.
        name: without `Zooscan_` and the serial number.
        serial: of the scanner, such as `sn033`; None if the folder's name has none.
        scans: by name.
        backgrounds: by time; only those of which both pictures are there.
    """

    folder: Path
    name: str
    serial: str | None
    scans: tuple[ScanFiles, ...]
    backgrounds: tuple[Background, ...]

    @property
    def instrument(self) -> str:
        """EcoTaxa's `acq_instrument`."""
        return f"zooscan_{self.serial}" if self.serial else "zooscan"


def is_project_name(name: str) -> bool:
    """Whether a folder of this name is a ZooScan project."""
    return _PROJECT.match(name) is not None


def name_and_serial(folder: Path) -> tuple[str, str | None]:
    """What the name of a project folder says: the project's name and the scanner's serial number."""
    named = _PROJECT.match(folder.name)
    return named["name"] if named else folder.name, named["serial"].lower() if named and named["serial"] else None


def look_at_project(folder: Path) -> Project:
    """What lies in a project folder now.

    Raises:
        OSError: a folder of it is there but cannot be read; a folder that is not there is empty.
    """
    name, serial = name_and_serial(folder)
    return Project(
        folder=folder,
        name=name,
        serial=serial,
        scans=_scans(_files(raw_folder(folder))),
        backgrounds=_backgrounds(_files(_child(folder, "Zooscan_back"))),
    )


def look_at_loose(folder: Path) -> Project:
    """Raw scans and backgrounds that lie in a folder beside each other, in no project; a TIFF of any name is a scan.

    Raises:
        OSError: the folder cannot be read.
    """
    paths = _files(folder)
    named = [path for path in paths if not _RAW_BACKGROUND.match(path.name)]
    loose = {path.stem: path for path in named if path.suffix.lower() in (".tif", ".tiff") and not _RAW_SCAN.match(path.name)}
    scans = {scan.name: scan for scan in _scans(named) if scan.raw is not None}
    for stem, path in loose.items():
        texts = next((scan for scan in _scans(named) if scan.name == stem), ScanFiles(name=stem))
        scans.setdefault(stem, replace(texts, raw=path))
    return Project(
        folder=folder,
        name=folder.name,
        serial=None,
        scans=tuple(scans[name] for name in sorted(scans)),
        backgrounds=_backgrounds(paths),
    )


def raw_folder(project: Path) -> Path:
    """Where the scans of a project lie."""
    return _child(_child(project, "Zooscan_scan"), "_raw")


def config_texts(project: Path) -> tuple[bytes | None, bytes | None]:
    """`lut.txt` and `process_install_both_config.txt` of a project; None for one that is not there.

    Raises:
        OSError: one is there and cannot be read.
    """
    folder = _child(project, "Zooscan_config")
    folder = folder if folder.is_dir() else project  # bare scans have them beside them
    paths = (_child(folder, "lut.txt"), _child(folder, "process_install_both_config.txt"))
    first, second = (path.read_bytes() if path.is_file() else None for path in paths)
    return first, second


def background_before(project: Project, at_local: datetime | None, frame: str | None = None) -> Background | None:
    """The last background dated before a scan, of its frame where that is known; the last of all where no time is known."""
    usable = [one for one in project.backgrounds if (at_local is None or one.at_local <= at_local) and frame in (None, one.frame)]
    return usable[-1] if usable else None


def scanned_at(text: str | None) -> datetime | None:
    """A log's `Scanning_date`, the computer's local time; None if it is none."""
    try:
        return datetime.strptime(text or "", _TIME)  # noqa: DTZ007 - the scanner's computer states no zone
    except ValueError:
        return None


def _scans(paths: list[Path]) -> tuple[ScanFiles, ...]:
    found: dict[str, dict[str, Path]] = {}
    for path in paths:
        if raw := _RAW_SCAN.match(path.name):
            found.setdefault(f"{raw['stem']}_{raw['number']}", {})["raw"] = path
        elif text := _TEXT.match(path.name):
            found.setdefault(text["scan"], {})[text["kind"].lower()] = path
    return tuple(ScanFiles(name=name, **files) for name, files in sorted(found.items()))


def _backgrounds(paths: list[Path]) -> tuple[Background, ...]:
    found: dict[tuple[datetime, str], dict[str, Path]] = {}
    for path in paths:
        raw = _RAW_BACKGROUND.match(path.name)
        at_local = scanned_at(raw["at"]) if raw else None
        if raw and at_local is not None:
            found.setdefault((at_local, raw["frame"].lower()), {})[raw["number"]] = path
    return tuple(
        Background(at_local=at_local, frame=frame, first=pair["1"], second=pair["2"])
        for (at_local, frame), pair in sorted(found.items())
        if len(pair) == len("12")
    )


def _child(folder: Path, name: str) -> Path:
    """What a folder holds under a name, in whatever case that is written: projects move between Windows and others."""
    exact = folder / name
    if exact.exists() or not folder.is_dir():
        return exact
    return next((path for path in sorted(folder.iterdir()) if path.name.casefold() == name.casefold()), exact)


def _files(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    with os.scandir(folder) as entries:  # which says of each whether it is a file without a look at it
        return sorted(Path(entry.path) for entry in entries if entry.is_file() and not entry.name.startswith("."))
