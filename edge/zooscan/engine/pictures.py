"""Pictures of a scan for the pages: its vignettes, one object enlarged, tiles of the whole; and what a line would cut.

Kept in memory is only where each vignette lies in its archive. For any thread.
"""

from __future__ import annotations

import threading
import zipfile
import zlib
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import numpy as np

from edge.errors import InputError, Reason
from edge.store.reads.zooscan import run_by_id
from edge.store.reads.zooscan_check import CheckRun, ObjectPlace
from edge.store.reads.zooscan_objects import standing_lines, unpack_outline
from edge.store.sqlite import Connection
from edge.values import Int32Array, UInt8Array
from edge.zooscan.check_values import CutPart, CutPreview, crop_place
from edge.zooscan.engine.recut import segment_settings
from edge.zooscan.line_pixels import check_points, line_pixels
from edge.zooscan.particle import Particle
from edge.zooscan.process.clean_file import CLEAN_NAME, open_clean
from edge.zooscan.process.keys import Box
from edge.zooscan.process.pictures import OVERVIEW_LEVEL, CleanPictures
from edge.zooscan.process.resegment import filled_of, resegment
from edge.zooscan.segment import SegmentSettings
from edge.zooscan.separate import Separator, watershed_of

TILE_PX = 512
_KEPT_ARCHIVES = 16
_LOCAL_HEADER_BYTES = 30
_NAME_AND_EXTRA = slice(26, 30)


class ScanPictures:
    """The pictures of the scans of one home folder; see `edge.zooscan.check_values.CheckPictures`."""

    def __init__(
        self,
        home: Path,
        reader: Callable[[], AbstractContextManager[Connection]],
        *,
        separator: Callable[[SegmentSettings], Separator] = watershed_of,
    ) -> None:
        """Take the home folder, what opens readers, and what makes the separator that proposes lines on a run's objects."""
        self._home = home
        self._reader = reader
        self._separator = separator
        self._archives: dict[Path, dict[str, tuple[int, int, int]]] = {}
        self._lock = threading.Lock()
        self._reducing = threading.Lock()

    # Pictures ----------------------------------------------------------------------------------------------------

    def vignette(self, run: CheckRun, member: str) -> bytes:
        """See `CheckPictures.vignette`."""
        archive, _, name = member.partition("/")
        path = self._home / run.folder / archive
        try:
            return _read_stored(path, *self._place(path, name))
        except FileNotFoundError as error:
            raise InputError(Reason.VANISHED, f"{archive} is not there") from error
        except OSError as error:
            raise InputError(Reason.UNREADABLE_FILE, f"{archive} could not be read: {error.strerror}") from error
        except (zipfile.BadZipFile, KeyError, ValueError) as error:
            raise InputError(Reason.CORRUPT, f"{archive} holds no sound {name}") from error

    def crop(self, run: CheckRun, place: ObjectPlace) -> bytes:
        """See `CheckPictures.crop`."""
        part = crop_place(run, place)
        with CleanPictures(self._home / run.folder) as pictures:
            return pictures.crop(part.x_px, part.y_px, part.width_px, part.height_px)

    def tile(self, run: CheckRun, level: int, column: int, row: int) -> bytes | None:
        """See `CheckPictures.tile`."""
        side = TILE_PX << level
        if column * side >= run.width_px or row * side >= run.height_px:
            return None
        # One coarse tile at a time: the first of a scan without an overview makes it.
        with self._reducing if level >= OVERVIEW_LEVEL else nullcontext(), CleanPictures(self._home / run.folder) as pictures:
            return pictures.tile(level, column, row, side_px=TILE_PX)

    # Cutting -----------------------------------------------------------------------------------------------------

    def preview(self, run: CheckRun, place: ObjectPlace, points: Sequence[tuple[int, int]]) -> CutPreview:
        """See `CheckPictures.preview`."""
        box = _box(place)
        check_points(points, (box.x_px, box.y_px, box.width_px, box.height_px))
        pixels = line_pixels(points)
        x, y = pixels[:, 0] - box.x_px, pixels[:, 1] - box.y_px
        pixels = pixels[(x >= 0) & (y >= 0) & (x < box.width_px) & (y < box.height_px)]
        filled = filled_of(box, unpack_outline(place.outline))
        pixels = pixels[filled[pixels[:, 1] - box.y_px, pixels[:, 0] - box.x_px]]
        return self._cut(run, place, pixels)

    def propose(self, run: CheckRun, place: ObjectPlace) -> CutPreview:
        """See `CheckPictures.propose`."""
        box, outline = _box(place), unpack_outline(place.outline)
        seen = self._clean(run)[box.y_px : box.y_px + box.height_px, box.x_px : box.x_px + box.width_px]
        settings = self._settings(run)
        whole = Particle(
            x_px=box.x_px,
            y_px=box.y_px,
            grey=np.ascontiguousarray(seen),
            filled=filled_of(box, outline),
            chain=outline.astype(np.int32),
            upper_grey=settings.upper_grey,
        )
        found = self._separator(settings).lines(whole.alone, whole.filled)
        return self._cut(run, place, found.pixels + np.array((box.x_px, box.y_px), np.int32))

    def _cut(self, run: CheckRun, place: ObjectPlace, pixels: Int32Array) -> CutPreview:
        with self._reader() as connection:
            lines = [one.pixels for one in standing_lines(connection, run.scan_id)]
        every = np.concatenate([pixels, *lines])
        found = resegment(self._clean(run), _box(place), unpack_outline(place.outline), every, self._settings(run))
        return CutPreview(pixels=pixels, parts=tuple(_part(one) for one in found))

    def _settings(self, run: CheckRun) -> SegmentSettings:
        """What an object is on this run."""
        with self._reader() as connection:
            return segment_settings(run_by_id(connection, run.id).settings)

    # Files -------------------------------------------------------------------------------------------------------

    def _clean(self, run: CheckRun) -> UInt8Array:
        return open_clean(self._home / run.folder / CLEAN_NAME)

    def _place(self, path: Path, name: str) -> tuple[int, int, int]:
        """Where a member begins in its archive, its bytes, and their checksum."""
        with self._lock:
            members = self._archives.get(path)
        if members is None:  # archives are written once, whole; later vignettes stand in archives of their own
            with zipfile.ZipFile(path) as archive:
                members = {one.filename: (one.header_offset, one.file_size, one.CRC) for one in archive.infolist() if not one.compress_type}
            with self._lock:
                self._archives[path] = members
                while len(self._archives) > _KEPT_ARCHIVES:
                    del self._archives[next(iter(self._archives))]
        return members[name]


def _box(place: ObjectPlace) -> Box:
    return Box(x_px=place.x_px, y_px=place.y_px, width_px=place.width_px, height_px=place.height_px)


def _part(one: Particle) -> CutPart:
    return CutPart(
        x_px=one.x_px,
        y_px=one.y_px,
        width_px=one.width_px,
        height_px=one.height_px,
        area_px2=int(np.count_nonzero(one.filled)),
        outline=one.chain,
    )


def _read_stored(path: Path, offset: int, size_bytes: int, checksum: int) -> bytes:
    """A member that is stored as it is.

    Raises:
        ValueError: it is not what was written.
    """
    with path.open("rb") as file:
        file.seek(offset)
        lengths = file.read(_LOCAL_HEADER_BYTES)[_NAME_AND_EXTRA]
        file.seek(int.from_bytes(lengths[:2], "little") + int.from_bytes(lengths[2:], "little"), 1)
        content = file.read(size_bytes)
    if zlib.crc32(content) != checksum:
        raise ValueError("the checksum differs")
    return content
