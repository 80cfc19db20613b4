"""Wires the desk of tows to what looks at pixels, which it may not import itself."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from edge.footage import FootageFrame
from edge.recipes import RECIPES
from edge.recipes.burrows import COUNTING_ROW
from edge.store.reads.footage import path_of_image
from edge.store.seal import Seal
from edge.survey.tow_desk import TowDesk

if TYPE_CHECKING:
    from edge.service import Service


def open_tow_desk(service: Service, seal: Seal, *, wanted: threading.Event) -> TowDesk:
    """The desk of tows of a service; `wanted` is set when something was written."""

    def watch(stills: Sequence[tuple[Path | None, float]], stopping: Callable[[], bool]) -> Sequence[FootageFrame | None] | None:
        from edge.pipeline.watch_stills import WatchPlan, watch_stills

        settings = service.settings
        plan = WatchPlan(
            stills=tuple(stills),
            masks=RECIPES["burrows"].detect(settings).masks,
            line_height=COUNTING_ROW,
            max_pixels=settings.max_pixels,
            max_file_bytes=settings.max_file_bytes,
        )
        return watch_stills(plan, stopping)

    return TowDesk(service.writer, service.reader, seal, watch=watch, path_of=path_of_image, wanted=wanted)
