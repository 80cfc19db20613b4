"""What is kept of openings that are out of view, so that an hour's tow needs little more memory than ten minutes'.

A weak detector sees a hundred things once for each opening that it sees again and again. They are judged on the way, as all will be at
the end, and of those that are hopeless no more is kept than what the confidences of the others depend on (`SetAside`).
"""

from __future__ import annotations

import numpy as np

from edge.survey.tow.alive import ROW, SIGHT, Rows
from edge.survey.tow.confidence import SetAside, confidences
from edge.survey.tow.tracks import Float64Array

HOPELESS = 1e-7  # confidence on the way; a thousandth of what would be told at the end, for the rest of the tow may tell more
JUDGED_EVERY = 40_000  # detections


class Kept:
    """The openings of a tow that ended, and the detections of all."""

    def __init__(self, detection_rate: float) -> None:
        """`detection_rate` is what the detector is taken to find until the tow tells."""
        self._detection_rate = detection_rate
        self._rows: list[Rows] = []
        self._sights: list[Rows] = []
        self._aside = SetAside()
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
        rows = rows[np.argsort(rows["id"])]
        sights = sights[np.isin(sights["id"], rows["id"])]
        sights = sights[np.lexsort((sights["frame"], sights["id"]))]
        confidence = confidences(
            rows["hits"].astype(np.float64),
            rows["chances"],
            rows["before"],
            scores=sights["score"],
            owner=np.searchsorted(rows["id"], sights["id"]),
            detection_rate=self._detection_rate,
            aside=self._aside,
        )
        return rows, sights, confidence

    def _forget_hopeless(self) -> None:
        rows, sights, confidence = self.judged()
        is_hopeless = (rows["hits"] == 1) & (confidence < HOPELESS)
        gone = rows[is_hopeless]
        scores = sights["score"][np.searchsorted(sights["id"], gone["id"])]
        missed = float(np.maximum(gone["chances"] - 1, 0.0).sum())
        self._aside = SetAside(scores=np.concatenate([self._aside.scores, scores]), missed=self._aside.missed + missed)
        noted = np.concatenate(self._sights)
        self._rows, self._sights = [rows[~is_hopeless]], [noted[~np.isin(noted["id"], gone["id"])]]
        self._new_sights = 0
