"""The tracker on simulated tows of known truth: how well it counts, and what an hour of footage costs it."""

from __future__ import annotations

import resource
import time
from dataclasses import replace
from typing import Any

import numpy as np

from edge.footage import FootageFrame
from edge.survey.tow.count import count_line
from edge.survey.tow.systems import SystemSettings, group_systems
from edge.survey.tow.tracker import SeabedTracker
from edge.survey.tow.tracks import TrackSettings
from tests.simulators.tow import CLEAN, FALSE, LINE_HEIGHT, NOISY, RATE_HZ, Noise, Sea, SimulatedTow, simulate, with_silt
from tests.simulators.trackers import followed_openings, id_switches

TOW_S = 120.0
HOUR_S = 3600.0
MOST_ERROR = {"clean": 0.01, "noisy": 0.05}
MOST_SWITCHES = 0.02
MOST_HOUR_S = 60.0


def tracking(workspace: object, *, quick: bool) -> dict[str, Any]:
    """Twenty seeds of two minutes, clean and noisy with 2 s of silt in each; then an hour. Nothing is written to the workspace."""
    seeds = range(3 if quick else 20)
    figures: dict[str, Any] = {"limits": {"count_error": MOST_ERROR, "id_switches": MOST_SWITCHES, "hour_cpu_s": MOST_HOUR_S}}
    for in_view in (28.8,) if quick else (28.8, 12.0, 3.0):
        for name, noise in (("clean", CLEAN), ("noisy", NOISY)):
            figures[f"{name}_{in_view:g}_in_view"] = _accuracy(seeds, noise, Sea(openings_in_view=in_view))
    figures["hour"] = hour(seconds=HOUR_S / 10 if quick else HOUR_S)
    return figures


def _accuracy(seeds: range, noise: Noise, sea: Sea) -> dict[str, Any]:
    rows = [_one(seed, noise, sea) for seed in seeds]
    figures: dict[str, Any] = {"tows": len(rows), "openings": sum(row["openings"] for row in rows)}
    for name in ("count_error", "id_switches", "systems_error_grouping_known", "systems_error_proposed"):
        values = np.array([row[name] for row in rows])
        figures[name] = {"bias": round(float(values.mean()), 5), "mean": round(float(np.abs(values).mean()), 5)}
        figures[name]["worst"] = round(float(np.abs(values).max()), 5)
    within = [abs(row["systems"] - row["true_systems"]) <= 2 * row["systems_sd"] for row in rows]
    figures["systems_within_two_sd"] = round(float(np.mean(within)), 3)
    return figures


def _one(seed: int, noise: Noise, sea: Sea) -> dict[str, float]:
    if noise is not CLEAN:
        begin = float(np.random.default_rng([seed, 9]).uniform(5, TOW_S - 8))
        noise = with_silt(noise, (begin, begin + 2.0))
    tow = simulate(seed, TOW_S, noise=noise, sea=sea)
    found = SeabedTracker().track(tow.frames, line_height=LINE_HEIGHT, settings=TrackSettings())
    count = count_line(found, group_systems(found, SystemSettings()))
    known = _systems_if_grouping_were_known(followed_openings(found, tow), {one.id for one in found.counted}, tow)
    return {
        "openings": len(tow.crossings),
        "count_error": count.openings / len(tow.crossings) - 1,
        "id_switches": id_switches(found, tow),
        "true_systems": tow.n_systems,
        "systems": count.systems,
        "systems_sd": count.systems_sd,
        "systems_error_grouping_known": known / tow.n_systems - 1,
        "systems_error_proposed": count.systems / tow.n_systems - 1,
    }


def _systems_if_grouping_were_known(owner: dict[int, int], counted: set[int], tow: SimulatedTow) -> int:
    """What is counted as an opening and is none is a system of its own."""
    return len({tow.systems[owner[one]] if owner[one] != FALSE else -1 - one for one in counted})


def hour(seconds: float = HOUR_S) -> dict[str, Any]:
    """Processor seconds and memory of tracking and grouping an hour at 6 Hz with 30 detections a frame: noisy tows one after the other."""
    once = simulate(0, TOW_S, noise=NOISY).frames
    last_s = once[-1].at_s + 1 / RATE_HZ
    frames: list[FootageFrame] = [
        replace(frame, at_s=frame.at_s + again * last_s) for again in range(round(seconds / TOW_S)) for frame in once
    ]
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    begun_s = time.process_time()
    found = SeabedTracker().track(frames, line_height=LINE_HEIGHT, settings=TrackSettings())
    tracked_s = time.process_time()
    grouped = group_systems(found, SystemSettings())
    done_s = time.process_time()
    return {
        "frames": len(frames),
        "detections_per_frame": round(float(np.mean([len(frame.detections) for frame in once])), 1),
        "tracks": len(found.tracks),
        "systems": len(grouped.systems),
        "tracking_cpu_s": round(tracked_s - begun_s, 1),
        "grouping_cpu_s": round(done_s - tracked_s, 1),
        "of_the_footage": round((done_s - begun_s) / seconds, 5),
        "peak_memory_grew_mib": round((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024, 1),
    }
