"""One object segmented anew with the lines that stand, measured and drawn; the rest of its scan is not looked at."""

from __future__ import annotations

import errno
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from edge.errors import DiskFullError, InputError, Reason
from edge.store.durable import sync_folder
from edge.store.reads.zooscan_objects import FamilyMember, pack_outline
from edge.store.zooscan.runs import NewObject
from edge.values import Int32Array
from edge.zooscan.desk.engine import Cut, CutTask
from edge.zooscan.measure.table import measure_particles
from edge.zooscan.particle import Particle
from edge.zooscan.process.clean_file import CLEAN_NAME, open_clean
from edge.zooscan.process.flow import member_of
from edge.zooscan.process.folder import VignetteArchive
from edge.zooscan.process.keys import Box, part_key_of
from edge.zooscan.process.resegment import filled_of, resegment
from edge.zooscan.process.vignette import vignette_png
from edge.zooscan.segment import SegmentSettings


def recut(task: CutTask) -> Cut:
    """See `ScanEngine.cut`."""
    settings = segment_settings(task.settings)
    clean = open_clean(task.folder / CLEAN_NAME)
    pieces = resegment(clean, _box(task.whole), task.whole.outline, task.line_pixels, settings)
    known = {_place(one.x_px, one.y_px, one.outline.astype(np.int32)): key for key, one in task.family.items()}
    standing: list[str] = []
    fresh: list[tuple[str, Particle]] = []
    for piece in pieces:
        key = known.get(_place(piece.x_px, piece.y_px, piece.chain))
        if key is None:
            key = part_key_of(piece)
            fresh.append((key, piece))
        standing.append(key)
    if not fresh:
        return Cut(standing=tuple(standing), new=(), archive=None)
    archive = _new_archive(task.folder)
    cut = {key: one for key, one in task.family.items() if key not in standing and not one.is_retired} or {task.whole.key: task.whole}
    table = measure_particles([piece for _, piece in fresh], settings.pixel_mm)
    _write(archive, {member_of(key): vignette_png(piece.alone, settings.resolution_dpi) for key, piece in fresh})
    new = tuple(
        NewObject(
            key=key,
            x_px=piece.x_px,
            y_px=piece.y_px,
            width_px=piece.width_px,
            height_px=piece.height_px,
            measures={name: float(values[number]) for name, values in table.items()},
            outline=pack_outline(piece.chain.astype(np.uint16)),
            multiple_score=None,
            cut_from=_cut_from(piece, cut, task.whole.key),
            vignettes=f"{archive.name}/{member_of(key)}",
        )
        for number, (key, piece) in enumerate(fresh)
    )
    return Cut(standing=tuple(standing), new=new, archive=archive)


def clip(member: FamilyMember, pixels: Int32Array) -> Int32Array:
    """See `ScanEngine.clip`."""
    x, y = pixels[:, 0] - member.x_px, pixels[:, 1] - member.y_px
    here = (x >= 0) & (x < member.width_px) & (y >= 0) & (y < member.height_px)
    if not here.any():
        return pixels[:0]
    filled = filled_of(_box(member), member.outline)
    here[here] = filled[y[here], x[here]]
    return pixels[here]


def segment_settings(settings: Mapping[str, Any]) -> SegmentSettings:
    """What was an object when a run was made."""
    return SegmentSettings(**settings.get("segment", {}))


def _box(member: FamilyMember) -> Box:
    return Box(x_px=member.x_px, y_px=member.y_px, width_px=member.width_px, height_px=member.height_px)


def _place(x_px: int, y_px: int, outline: Int32Array) -> tuple[int, int, bytes]:
    return x_px, y_px, np.ascontiguousarray(outline, np.int32).tobytes()


def _cut_from(piece: Particle, cut: Mapping[str, FamilyMember], whole: str) -> str:
    """The object that stood before and that a part's first pixel belonged to."""
    first = np.array([[piece.x_px + int(piece.chain[0, 0]), piece.y_px + int(piece.chain[0, 1])]], np.int32)
    return next((key for key, one in cut.items() if len(clip(one, first))), whole)


def _new_archive(folder: Path) -> Path:
    """The next name that no archive of vignettes of this run has."""
    number = 1
    while (archive := folder / f"vignettes-{number}.zip").exists():
        number += 1
    return archive


def _write(archive: Path, pictures: Mapping[str, bytes]) -> None:
    try:
        with VignetteArchive(archive) as kept:
            for member, picture in pictures.items():
                kept.add(member, picture)
        sync_folder(archive.parent)
    except OSError as error:
        archive.unlink(missing_ok=True)
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise DiskFullError("there is no room for the vignettes of the parts") from error
        raise InputError(Reason.UNREADABLE_FILE, f"{archive.name} could not be written: {error.strerror}") from error
