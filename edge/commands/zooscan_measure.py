"""`zooscan measure`: the legacy table of a prepared picture."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edge.commands.common import JsonOption, answer, say, told

if TYPE_CHECKING:
    from edge.values import UInt8Array

_MAX_BYTES = 2 * 1024**3
_MAX_PIXELS = 400_000_000


def measure_command(
    image: Annotated[Path, typer.Argument(help="A scan whose background was taken away: 8-bit grey, dark objects on white.")],
    table: Annotated[Path, typer.Option("--out", help="The table to write, tab-separated.")],
    resolution: Annotated[float, typer.Option(min=1.0, help="Pixels per inch of the scan.")] = 2400.0,
    as_json: JsonOption = False,
) -> None:
    """Measure every object of a prepared picture, under the names and in the form of Zooprocess's own table.

    Objects that touch the edge of the picture are measured too: it may be cut to one object.
    """
    from edge.zooscan.legacy_table import legacy_lines
    from edge.zooscan.measure.table import measure_particles
    from edge.zooscan.segment import SegmentSettings, find_particles

    with told(as_json=as_json):
        settings = SegmentSettings(resolution_dpi=resolution, whole_only=False)
        found = list(find_particles(_grey_picture(image), settings))
        lines = legacy_lines(image.stem, measure_particles(found, settings.pixel_mm))
        _write(table, "".join(lines))
    if as_json:
        answer({"image": str(image), "objects": len(found), "table": str(table)})
    else:
        say(f"{len(found)} objects of {image.name} measured: {table}")


def _grey_picture(path: Path) -> UInt8Array:
    """A whole 8-bit grey image.

    Raises:
        InputError: it cannot be read, is damaged, or has other pixels.
    """
    import numpy as np

    from edge.errors import InputError, Reason
    from edge.pipeline.decode import read_bytes
    from edge.pipeline.facts import check_pixels, read_facts
    from edge.pipeline.whole import check_whole
    from models.runtime.vision import cv2

    data = read_bytes(path, max_file_bytes=_MAX_BYTES)
    facts = read_facts(data, path.name)
    check_pixels(facts, _MAX_PIXELS)
    check_whole(data, facts)
    if (facts.bits_per_channel, facts.channels) != (8, 1):
        seen = f"{facts.bits_per_channel} bits, {facts.channels} channels"
        raise InputError(Reason.UNSUPPORTED_PIXELS, f"{path.name} has {seen}; measured is 8-bit grey, background taken away")
    pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if pixels is None or pixels.ndim != 2 or pixels.dtype != np.uint8:
        raise InputError(Reason.CORRUPT, f"{path.name} could not be decoded as 8-bit grey")
    return np.asarray(pixels, np.uint8)


def _write(path: Path, text: str) -> None:
    """Write a file that is there whole or not at all.

    Raises:
        SettingsError: it cannot be written there.
    """
    from edge.errors import SettingsError

    unfinished = path.with_name(f".{path.name}.unfinished")
    try:
        with unfinished.open("w", encoding="utf-8", newline="") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(path)
    except OSError as error:
        unfinished.unlink(missing_ok=True)
        raise SettingsError(
            f"{path} cannot be written: {error.strerror}", advice="Name a file in a folder that exists and has room."
        ) from error
