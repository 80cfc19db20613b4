"""The desk of tows: as soon as the footage of a tow is read, its openings are followed and counted; again when anything about it changes.

What it makes of a tow that people count blind is sealed at once. It works in a thread of its own, one tow after the other.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import structlog

from edge.errors import EdgeError
from edge.footage import FootageFrame
from edge.store import audit
from edge.store.analyses import NewAnalysis, record_analysis
from edge.store.reads import footage as reads
from edge.store.reads.footage import TowClipRow, TowStillRow
from edge.store.reads.surveys import TowRow, protocol_in_force, tow
from edge.store.reads.tow_media import cameras
from edge.store.seal import Seal
from edge.store.sealed_runs import FoundObject, counted_objects, holds_blind_files
from edge.store.sqlite import Connection
from edge.store.writer import Writes
from edge.survey.tow.tracks import TrackSettings
from edge.survey.tow_analysis import analyse, made_from, refused
from edge.survey.tow_clips import places_on_clock
from edge.survey.tow_footage import TowFootage, frames_of_clips, frames_of_stills
from edge.values import Detections

log = structlog.get_logger()

LINE_HEIGHT = 0.83  # of a tow without a protocol: where counters of the field click
AGAIN_S = 30.0
COALESCE_S = 2.0
LOOK_SHARE = 20  # looking over 2,000,000 stills takes seconds: it may cost a twentieth of the time

Watch = Callable[[Sequence[tuple[Path | None, float]], Callable[[], bool]], Sequence[FootageFrame | None] | None]
"""How the seabed moved along stills, each with its seconds; None if it was told to stop."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Due:
    """A tow that is to be analysed, and everything that it is to be made from."""

    tow: TowRow
    clips: tuple[TowClipRow, ...]
    stills: tuple[TowStillRow, ...]
    line_height: float
    sources: dict[str, Any]
    laser_gap_m: float | None


class TowDesk:
    """Analyses tows. `step` does what is due; the thread calls it whenever something was written."""

    def __init__(
        self,
        writer: Writes,
        reader: Callable[[], AbstractContextManager[Connection]],
        seal: Seal,
        *,
        watch: Watch,
        path_of: Callable[[Connection, int], Path | None],
        wanted: threading.Event | None = None,
    ) -> None:
        """`path_of` says where the bytes of an image lie now, None if nowhere; `wanted` is set when a tow may be due."""
        self._writer = writer
        self._reader = reader
        self._seal = seal
        self._watch = watch
        self._path_of = path_of
        self._settings = TrackSettings()
        self._looked_at: dict[int, tuple[int, ...]] = {}
        self._rules = 0
        self._look_cost_s = 0.0
        self._one_at_a_time = threading.Lock()
        self._wanted = wanted or threading.Event()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="tows", daemon=True)
        self.at_work: str | None = None

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """Put down what is in hand; it is begun anew at the next start."""
        self._stopping.set()
        self._wanted.set()
        if self._thread.is_alive():
            self._thread.join()

    def kick(self) -> None:
        """Something was written: a tow may be due."""
        self._wanted.set()

    def step(self) -> int:
        """Analyse every tow whose footage is read and has changed since it was looked at. Returns how many were."""
        with self._one_at_a_time:
            return self._step()

    def _step(self) -> int:
        begun_s = time.monotonic()
        with self._reader() as connection:
            rules = reads.newest_protocol(connection)
            if rules != self._rules:  # the counting row may be another one
                self._looked_at, self._rules = {}, rules
            tow_ids = [tow_id for tow_id, state in reads.footage_states(connection).items() if self._looked_at.get(tow_id) != state]
        self._look_cost_s = time.monotonic() - begun_s
        done = 0
        for tow_id in tow_ids:
            if self._stopping.is_set():
                break
            done += self._look_at(tow_id)
        return done

    def _look_at(self, tow_id: int) -> bool:
        """Analyse a tow if its footage is read and differs from what it was analysed from. Returns whether it was."""
        with self._reader() as connection:
            state = reads.footage_states(connection, tow_id).get(tow_id, ())
            due = self._due(connection, tow_id)
        if due is None:
            self._looked_at[tow_id] = state
            return False
        self.at_work = due.tow.station
        try:
            made = self._analyse(due)
        except EdgeError:
            raise
        except Exception as error:  # a fault of ours on one tow: told on its page, and no hindrance to the others
            log.exception("tow_not_analysed", station=due.tow.station)
            made = refused(due.sources, line_height=due.line_height, settings=self._settings, state="failed", reason=repr(error))
        finally:
            self.at_work = None
        if made is None:
            return False
        self._writer.call(lambda connection: self._record(connection, tow_id, made))
        self._looked_at[tow_id] = state
        log.info("tow_analysed", station=due.tow.station, state=made.state, frames=made.frames, reason=made.reason)
        return True

    def _due(self, connection: Connection, tow_id: int) -> _Due | None:
        of = tow(connection, tow_id)
        if of is None or reads.unfinished_of_tow(connection, tow_id):
            return None
        clips, stills = reads.clips_of_tow(connection, tow_id), reads.stills_of_tow(connection, tow_id)
        if not clips and not stills:
            return None
        rules = None if of.survey_id is None else protocol_in_force(connection, of.survey_id)
        line_height = LINE_HEIGHT if rules is None else rules.line_height
        laser_gap_m = _laser_gap_m(connection, of, clips, stills)
        sources = {**sources_of(of, clips, stills), "laser_gap_m": laser_gap_m}
        _, sha256 = made_from(sources, line_height=line_height, settings=self._settings)
        last = reads.analysis_of_tow(connection, tow_id)
        if last is not None and last.made_from_sha256 == sha256:
            return None
        return _Due(tow=of, clips=clips, stills=stills, line_height=line_height, sources=sources, laser_gap_m=laser_gap_m)

    def _analyse(self, due: _Due) -> NewAnalysis | None:
        footage = self._footage(due)
        if footage is None:
            return None
        return analyse(footage, due.sources, line_height=due.line_height, settings=self._settings, laser_gap_m=due.laser_gap_m)

    def _footage(self, due: _Due) -> TowFootage | None:
        """The frames of a tow; None if it was told to stop."""
        with self._reader() as connection:
            if due.clips:
                return frames_of_clips(connection, self._seal, due.tow, due.clips)
            run_ids = [still.run_id for still in due.stills if still.run_id is not None]
            found = counted_objects(connection, self._seal, run_ids)
            labels = reads.label_indexes(connection)
            paths = {still.image_id: self._path_of(connection, still.image_id) for still in due.stills}
        is_stopped = False

        def watch(timed: Sequence[tuple[int, float]]) -> Sequence[FootageFrame | None]:
            nonlocal is_stopped
            seen = self._watch([(paths[image_id], at_s) for image_id, at_s in timed], self._stopping.is_set)
            is_stopped = seen is None
            return [None] * len(timed) if seen is None else seen

        def detections(still: TowStillRow) -> Detections | None:
            return None if still.run_id is None else _detections(found[still.run_id], labels)

        footage = frames_of_stills(due.stills, due.tow, detections, watch)
        return None if is_stopped else footage

    def _record(self, connection: Connection, tow_id: int, made: NewAnalysis) -> int:
        sealed = holds_blind_files(connection, tow_id)  # also where files came here from a tow that is counted
        analysis_id = record_analysis(connection, self._seal, tow_id, made, is_sealed=sealed)
        audit.append(connection, "appliance", "tow_analysed", f"tow/{tow_id}", {"state": made.state, "reason": made.reason})
        return analysis_id

    def _run(self) -> None:
        while not self._stopping.is_set():
            self._wanted.wait(AGAIN_S)
            self._wanted.clear()
            if self._stopping.wait(max(COALESCE_S, LOOK_SHARE * self._look_cost_s)):
                return
            try:
                self.step()
            except Exception:  # the thread's border: a full disk, a seal whose key is away: tried again at the next look
                log.exception("tow_failed")
                self._stopping.wait(AGAIN_S)


def _laser_gap_m(connection: Connection, of: TowRow, clips: Sequence[TowClipRow], stills: Sequence[TowStillRow]) -> float | None:
    """The gap between the lasers of the camera that most files are from; of the survey's only camera where no file names one."""
    if of.survey_id is None:
        return None
    gaps = {one.id: one.laser_gap_m for one in cameras(connection, of.survey_id)}
    used = Counter(one.camera_id for one in clips or stills)
    camera_id = used.most_common(1)[0][0] if used else None
    if camera_id is None:
        return next(iter(gaps.values())) if len(gaps) == 1 else None
    return gaps.get(camera_id)


def sources_of(of: TowRow, clips: Sequence[TowClipRow], stills: Sequence[TowStillRow]) -> dict[str, Any]:
    """What an analysis is made from besides its settings: files with their times, and what was read of them.

    Of each its SHA-256, reading or run, `at_s` and time; of a clip its name too, by which parts of a recording are told. `places` are
    where those parts came to lie: of each clip its camera, the number of the recording that it may be of, and when it begins.
    """
    return {
        "start_utc": of.start_utc,
        "end_utc": of.end_utc,
        "clips": [[clip.sha256, clip.reading_uuid, clip.at_s, clip.capture_time_utc, clip.name] for clip in clips],
        "places": [[clip.camera_id, *place] for clip, place in zip(clips, places_on_clock(clips, of), strict=True)],
        "stills": [] if clips else [[still.sha256, still.run_id, still.at_s, still.capture_time_utc] for still in stills],
    }


def _detections(objects: Sequence[FoundObject], labels: Mapping[int, int]) -> Detections:
    if not objects:
        return Detections.empty()
    rows = np.array([one[3:] for one in objects], np.float64)
    label_index = np.array([labels[one[2]] for one in objects], np.int32)
    return Detections(xyxy=rows[:, 1:5].astype(np.float32), score=rows[:, 0].astype(np.float32), label_index=label_index)
