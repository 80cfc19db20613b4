"""What is kept of openings that are out of view, so that an hour's tow needs little more memory than ten minutes'.

A weak detector sees a hundred things once for each opening that it sees again and again. They are judged on the way, as all will be at
the end, and of those that are hopeless no more is kept than what tells how such things look and how often they come (`ONCE`), which the
confidences of the others depend on.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge.survey.tow.alive import ROW, SIGHT, Rows
from edge.survey.tow.confidence import confidences
from edge.survey.tow.tracks import Float64Array

HOPELESS = 1e-7  # confidence on the way; a thousandth of what would be told at the end, for the rest of the tow may tell more
JUDGED_EVERY = 40_000  # detections

ONCE = np.dtype([("chances", np.float32), ("before", np.float32), ("score", np.float32)])
"""Of something hopeless: frames from its only detection on and before it in which it should have been detected, and its score."""


class Kept:
    """The openings of a tow that ended, and the detections of all."""

    def __init__(self, detection_rate: float) -> None:
        """`detection_rate` is what the detector is taken to find until the tow tells."""
        self._detection_rate = detection_rate
        self._rows: list[Rows] = []
        self._sights: list[Rows] = []
        self._once: list[NDArray[Any]] = []
        self._new_sights = 0

    def note(self, sights: Rows) -> None:
        """Detections of openings, `SIGHT`."""
        self._sights.append(sights)
        self._new_sights += len(sights)

    def end(self, rows: Rows) -> None:
        """Openings that nobody follows any more, `ROW`; their detections were noted."""
        self._rows.append(rows)
        if self._new_sights > JUDGED_EVERY:
            self._forget_hopeless()

    def judged(self) -> tuple[Rows, Rows, Float64Array]:
        """The openings that ended, in order of their ids, their detections in order of ids and frames, and their confidences."""
        rows, sights = np.concatenate([np.zeros(0, ROW), *self._rows]), np.concatenate([np.zeros(0, SIGHT), *self._sights])
        once = np.concatenate([np.zeros(0, ONCE), *self._once])
        rows = rows[np.argsort(rows["id"])]
        sights = sights[np.isin(sights["id"], rows["id"])]
        sights = sights[np.lexsort((sights["frame"], sights["id"]))]
        confidence = confidences(
            np.concatenate([rows["hits"], np.ones(len(once))]),
            np.concatenate([rows["chances"], once["chances"]]),
            np.concatenate([rows["before"], once["before"]]),
            scores=np.concatenate([sights["score"], once["score"]]),
            owner=np.concatenate([np.searchsorted(rows["id"], sights["id"]), len(rows) + np.arange(len(once))]),
            detection_rate=self._detection_rate,
        )
        return rows, sights, confidence[: len(rows)]

    def _forget_hopeless(self) -> None:
        rows, sights, confidence = self.judged()
        is_hopeless = (rows["hits"] == 1) & (confidence < HOPELESS)
        gone = rows[is_hopeless]
        once = np.zeros(len(gone), ONCE)
        once["chances"], once["before"] = gone["chances"], gone["before"]
        once["score"] = sights["score"][np.searchsorted(sights["id"], gone["id"])]
        noted = np.concatenate(self._sights)
        self._once.append(once)
        self._rows, self._sights = [rows[~is_hopeless]], [noted[~np.isin(noted["id"], gone["id"])]]
        self._new_sights = 0
