"""What people did about a scan, as far as it tells the next run what to do."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from edge.store.reads.zooscan_objects import decisions_standing, erased_machine_lines, pack_pixels, standing_lines, whole_of, wholes
from edge.store.sqlite import Connection
from edge.store.zooscan.runs import NewLine
from edge.values import Int32Array


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PeoplesWork:
    """What the next run is told; see `edge.zooscan.desk.engine.ScanTask`.

    Attributes:
        pixels: (N, 2) int32, of people's lines and of those of `kept`, x and y in the clean scan.
        kept: lines of the separator that stay as they are.
        spared, wanted: keys of what is left whole, and of what the separator is asked about.
    """

    pixels: Int32Array = field(repr=False)
    kept: tuple[NewLine, ...]
    spared: tuple[str, ...]
    wanted: tuple[str, ...]


def what_people_did(connection: Connection, scan_id: int) -> PeoplesWork:
    """What people decided and drew, and the separator's lines that they went on from.

    A person who draws on a part that the separator cut, or says what it is, has accepted that cut: without it the part would not be there.
    So all of the separator's lines on that object are handed on. A line that was erased is never drawn again, whatever was decided.
    """
    lines = standing_lines(connection, scan_id)
    decided = decisions_standing(connection, scan_id)
    erased = {line.object_key for line in erased_machine_lines(connection, scan_id)}
    cut_from = wholes(connection, scan_id)
    worked_on = {whole_of(key, cut_from) for key in decided if key in cut_from}
    worked_on |= {whole_of(line.object_key, cut_from) for line in lines if line.is_human}
    kept = [line for line in lines if not line.is_human and whole_of(line.object_key, cut_from) in worked_on]
    drawn = [line for line in lines if line.is_human]
    return PeoplesWork(
        pixels=np.concatenate([np.zeros((0, 2), np.int32), *(line.pixels for line in (*drawn, *kept))]),
        kept=tuple(
            NewLine(object_key=one.object_key, pixels=pack_pixels(one.pixels), score=one.score, made_by=one.made_by) for one in kept
        ),
        spared=(*sorted(erased), *(key for key, decision in decided.items() if decision == "single" and key not in erased)),
        wanted=tuple(key for key, decision in decided.items() if decision == "multiple" and key not in erased),
    )
