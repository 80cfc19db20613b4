"""Following the openings of a tow, frame after frame: moved with the seabed, laid on what is seen, watched at the line.

An opening's place is known by what it was seen at and by the motion since. What the motion is off by, all share (`_shared_sd`): it is
taken out by the openings that are seen again, so that those which are not seen go with them. A frame in which hardly any of the openings
that ought to be there is found says nothing about the others: silt hid it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from edge.footage import FootageFrame, Motion
from edge.survey.tow.alive import NOT_YET, SIGHT, UNSEEN, born, none_alive
from edge.survey.tow.assign import Index, assigned, pairs_within
from edge.survey.tow.boxes import Sightings, sightings
from edge.survey.tow.kept import Kept
from edge.survey.tow.line import Line, note_crossings
from edge.survey.tow.plane import inverse, moved, row_scale, scale_at, scale_of_rows, step_past, stretched
from edge.survey.tow.register import LEAST_SUPPORT, common_displacement
from edge.survey.tow.tracks import Float64Array, TrackSettings

BEYOND = 0.35  # of the frame: so far outside an opening is still kept, for a sledge that goes back or yaws
_NEAR_JITTERS = 4.0
_GATE_SD = 4.0
_SIZE_SD = 0.4  # of the logarithm of a side, from frame to frame
_BACK_FRAMES = 12
_CAMERA_STEPS = 31  # newest steps from which the camera's tilt is taken
_CARRIED_SD = 0.5  # of the step: what a motion is off by that we carry on ourselves
_LEAST_SD = 0.0004  # of the width: no motion is known better
_WARP_SD = 0.3  # of a motion's sd: what differs from place to place
_LOST = 0.15  # of the width: an opening whose place is known no better is not recognised by it
_LOWEST = 2.5  # heights: further down a plane that is seen obliquely is below the camera
_CLEAR = 0.5  # share of the usual rate of detection, from which on a frame shows what there is


class Follower:
    """The state between two frames. `step` takes the next one; `finish` ends all tracks."""

    def __init__(self, width_px: int, height_px: int, line_px: float, settings: TrackSettings) -> None:
        self._settings = settings
        self._size = (float(width_px), float(height_px))
        self.line = Line(width_px=width_px, line_px=line_px)
        self._middle = np.array([width_px / 2, line_px])
        self._near_px = _NEAR_JITTERS * settings.jitter_width * width_px
        self._rows = none_alive()
        self._shared_sd = 0.0
        self._stretch = np.zeros(0)
        self._last: tuple[Float64Array, float] | None = None  # newest registered motion, seconds that it took
        self._past: deque[tuple[Float64Array, float]] = deque(maxlen=_BACK_FRAMES)
        self._carried: list[int] = []  # frames since the seabed was last seen to move
        self._next_id = 1
        self._found, self._expected = settings.detection_rate * 30, 30.0
        self._per_frame = 1.0
        self.at_s: list[float] = []
        self.along: list[float] = []
        self.drift: list[float] = []
        self.step_sd: list[float] = []
        self.is_carried: list[bool] = []
        self.row_scales: list[float] = []
        self._row_scale = 0.0
        self.kept = Kept(settings.detection_rate)

    def step(self, frame: FootageFrame) -> None:
        """Take the next frame."""
        number = len(self.at_s)
        seen = sightings(frame, self._settings)
        self._go_on(frame)
        self._find_seabed(seen)
        i, j = self._matched(seen)
        self._settle(i, j, seen)
        was_sure = self._rows["hits"] >= 2
        self._update(number, i, j, seen)
        visible = self._miss(i, frame, was_sure)
        self._note(number)
        self._bear(number, j, seen)
        self._let_go()
        self._past.append((self._back, visible))

    def finish(self) -> None:
        """End the tracks that are still alive."""
        self.kept.end(self._rows)
        self._rows = none_alive()

    # -- the motion ----------------------------------------------------------------------------------------------------------

    def _go_on(self, frame: FootageFrame) -> None:
        """Move every opening with the seabed into this frame; over too long a gap they end."""
        self._start_xy = self._rows["xy"].copy()
        self._back: Float64Array = np.eye(3)
        if not self.at_s:
            self._travel(frame.at_s, 0.0, 0.0, sd=0.0, carried=False)
            return
        lasted = frame.at_s - self.at_s[-1]
        if frame.motion is None and lasted > self._settings.longest_gap_s:
            self._bridge(frame.at_s)
            return
        motion = frame.motion or self._guess(lasted)
        carried = motion.source == "carried"
        if not carried:
            self._last = (motion.homography, lasted)
        right, down = self._move(motion)
        self._travel(frame.at_s, self.along[-1] + down, self.drift[-1] + right, sd=motion.sd_px, carried=carried)

    def _learn_camera(self, homography: Float64Array) -> None:
        scale = row_scale(homography, self._back, self._size, self.line.line_px)
        if scale is not None:
            self.row_scales.append(scale)
            self._row_scale = float(np.median(self.row_scales[-_CAMERA_STEPS:]))

    def _move(self, motion: Motion) -> tuple[float, float]:
        """Take all openings along; (right, down) that the seabed moved at the line."""
        homography, rows = motion.homography, self._rows
        self._back = inverse(homography)
        right, down = step_past(homography, self._back, self._middle)
        if motion.source == "registered":
            self._learn_camera(homography)
        there = moved(homography, rows["xy"])
        self._stretch = np.clip(scale_of_rows(there[:, 1], self.line.line_px, self._row_scale) ** 2, 0.2, 4.0)
        scale = scale_at(homography, rows["xy"])[:, None]
        warp = _WARP_SD * motion.sd_px if motion.source == "registered" else 0.1 * motion.sd_px
        rows["var"] = rows["var"] * scale**2 + warp**2 + (_LEAST_SD * self._size[0]) ** 2
        rows["wh"] *= scale
        rows["xy"] = there
        if motion.source == "carried":  # guesses in a row are off to the same side
            self._shared_sd += motion.sd_px
        else:
            self._shared_sd = float(np.hypot(self._shared_sd, motion.sd_px))
        return right, down

    def _guess(self, lasted: float) -> Motion:
        """The last motion that was seen, carried on."""
        if self._last is None:
            return Motion(homography=np.eye(3), sd_px=0.1 * self._size[0], source="carried")
        homography = stretched(self._last[0], lasted / self._last[1])
        way = float(np.hypot(*step_past(homography, inverse(homography), self._middle)))
        return Motion(homography=homography, sd_px=_CARRIED_SD * way + self._near_px, source="carried")

    def _bridge(self, at_s: float) -> None:
        """A gap that is too long to recognise anything after it: what was on its way to the line goes on to it, and all end."""
        begin, along, drift = self.at_s[-1], self.along[-1], self.drift[-1]
        number, usual = len(self.at_s), self._last[1] if self._last else at_s - begin
        steps = int((at_s - begin) / usual) if len(self._rows) else 0
        right = down = 0.0
        for k in range(min(steps, 60)):
            start = self._rows["xy"].copy()
            right, down = self._move(self._guess(usual))
            moment = begin + k * usual
            times = (moment, moment + usual)
            note_crossings(
                self._rows, self.line, number, start, times, along=(along, down), drift=(drift, right), shared_sd=self._shared_sd
            )
            self._rows["last_before"][self._rows["crossed"] == number] = UNSEEN
            along, drift = along + down, drift + right
            self._let_go()
        left = (at_s - begin) / usual - min(steps, 60)
        self._travel(at_s, along + left * down, drift + left * right, sd=self._shared_sd, carried=True)
        self.kept.end(self._rows)
        self._rows, self._start_xy, self._stretch, self._shared_sd = none_alive(), np.zeros((0, 2)), np.zeros(0), 0.0
        self._past.clear()
        self._carried.clear()

    def _travel(self, at_s: float, along: float, drift: float, *, sd: float, carried: bool) -> None:
        if carried:
            self._carried.append(len(self.at_s))
        self.at_s.append(at_s)
        self.along.append(along)
        self.drift.append(drift)
        self.step_sd.append(sd)
        self.is_carried.append(carried)

    def _put_right(self, shift: Float64Array) -> None:
        """The seabed at the line is elsewhere than the motion said: the way until here, and what was carried on before it."""
        since = self._carried or [len(self.at_s) - 1]
        for k, number in enumerate(since, start=1):
            self.drift[number] += float(shift[0]) * k / len(since)
            self.along[number] += float(shift[1]) * k / len(since)
        for number in range(since[-1] + 1, len(self.at_s)):
            self.drift[number] += float(shift[0])
            self.along[number] += float(shift[1])
        self._carried.clear()

    def _find_seabed(self, seen: Sightings) -> None:
        """Where the motion was guessed: look for the pattern of the openings that were followed before."""
        rows = self._rows
        if self._shared_sd > self._near_px and len(seen.xy):
            rows["lost_sd"] = np.hypot(rows["lost_sd"], self._shared_sd)
            self._shared_sd = 0.0
        lost = rows["lost_sd"] > 0
        sure = lost & (rows["hits"] >= 2)
        sure = sure if sure.sum() >= LEAST_SUPPORT else lost
        if not sure.any():
            return
        sd_px = float(rows["lost_sd"][sure].max())
        whole = seen.xy[~seen.is_cut]
        found = common_displacement(
            rows["xy"][sure], self._stretch[sure], whole, sd_px=sd_px, near_px=2 * self._near_px, frame_px=self._size
        )
        if found is not None:
            rows["xy"][lost] += rows["xy"][lost] @ found[:, :2].T + found[:, 2]
            self._put_right(found[:, :2] @ self._middle + found[:, 2])
            rows["lost_sd"][lost] = 0.0
            rows["var"][lost] += self._near_px**2
        elif lost.sum() < LEAST_SUPPORT:  # too few for a pattern: each on its own
            rows["var"][lost] += (rows["lost_sd"][lost, None] * self._stretch[lost, None]) ** 2
            rows["lost_sd"][lost] = 0.0

    # -- what is seen --------------------------------------------------------------------------------------------------------

    def _matched(self, seen: Sightings) -> tuple[Index, Index]:
        """Which opening is which sighting. A pair must be likelier than an opening that nobody saw before being there by chance."""
        rows = self._rows
        self._per_frame += 0.05 * (max(len(seen.xy), 0.5) - self._per_frame)
        rarity = float(np.log(self._per_frame / (self._size[0] * self._size[1])))
        var = rows["var"] + (self._shared_sd * self._stretch[:, None]) ** 2
        widest = seen.var.max(initial=0.0) if len(seen.xy) else 0.0
        reach = _GATE_SD * np.sqrt(var.max(axis=1, initial=0.0) + widest) if len(rows) else np.zeros(0)
        i, j = pairs_within(rows["xy"], seen.xy, np.where(rows["lost_sd"] > 0, -1.0, reach))  # lost: the pattern tells
        total = var[i] + seen.var[j]
        cost = 0.5 * ((seen.xy[j] - rows["xy"][i]) ** 2 / total + np.log(total)).sum(axis=1) + np.log(2 * np.pi) + rarity
        whole = rows["whole"][i] & ~seen.is_cut[j]
        size = np.log(np.maximum(rows["wh"][i], 1.0) / seen.wh[j]) / _SIZE_SD
        cost += np.where(whole, 0.5 * (size**2).sum(axis=1), 0.0)
        return assigned(i, j, cost)

    def _settle(self, i: Index, j: Index, seen: Sightings) -> None:
        """Take out what all matched openings are off by together."""
        rows = self._rows
        whole = ~seen.is_cut[j]
        i, j = i[whole], j[whole]
        if len(i):
            stretch = self._stretch[i, None]
            off = (seen.xy[j] - rows["xy"][i]) / stretch
            var = (rows["var"][i] + seen.var[j]) / stretch**2
            weight = 1 / var
            off_by = np.median(off, axis=0) if len(i) >= 5 else (off * weight).sum(axis=0) / weight.sum(axis=0)
            its_var = 1.4 / weight.sum(axis=0)
            gain = self._shared_sd**2 / (self._shared_sd**2 + its_var)
            here = rows["lost_sd"] == 0
            rows["xy"][here] += off_by * gain * self._stretch[here, None]
            self._put_right(off_by * gain)
            self._shared_sd = float(np.sqrt((gain * its_var).max()))

    def _update(self, number: int, i: Index, j: Index, seen: Sightings) -> None:
        """Put the matched openings where they were seen, as far as that is the better knowledge."""
        rows = self._rows
        gain = rows["var"][i] / (rows["var"][i] + seen.var[j])
        rows["xy"][i] += gain * (seen.xy[j] - rows["xy"][i])
        rows["var"][i] *= 1 - gain
        whole = ~seen.is_cut[j]
        share = np.where(rows["whole"][i[whole]], 0.3, 1.0)[:, None]
        rows["wh"][i[whole]] += share * (seen.wh[j[whole]] - rows["wh"][i[whole]])
        rows["whole"][i[whole]] = True
        rows["hits"][i] += 1
        rows["chances"][i] += 1
        rows["last"][i] = number
        rows["seen_xy"][i], rows["seen_sd"][i] = rows["xy"][i], np.hypot(np.sqrt(rows["var"][i, 1]), self._shared_sd)
        again = i[(rows["crossed"][i] != NOT_YET) & (rows["first_after"][i] == NOT_YET)]
        rows["first_after"][again] = number
        self._keep(number, rows["id"][i], seen, j)

    def _miss(self, i: Index, frame: FootageFrame, was_sure: NDArray[np.bool_]) -> float:
        """How well this frame shows what there is, 0..1; openings that it should have shown and did not have missed a chance."""
        rows = self._rows
        matched = np.zeros(len(rows), np.bool_)
        matched[i] = True
        clear = self._in_clear_view(rows["xy"], rows["wh"]) & (rows["lost_sd"] == 0)
        there = int((was_sure & (clear | matched)).sum())
        found = int((was_sure & matched).sum())
        rate = self._found / self._expected
        hidden = 0.0 if frame.visibility is None else max(frame.visibility.silt_fraction, frame.visibility.dark_fraction)
        prior = rate * (1 - hidden) * (0.5 if self.is_carried[-1] else 1.0)
        visible = float(np.clip((found + 2 * prior) / (there + 2) / rate, 0.0, 1.0))
        if visible > _CLEAR and there >= 3:
            self._found, self._expected = 0.98 * self._found + found, 0.98 * self._expected + there
        missed = clear & ~matched
        rows["chances"][missed] += visible
        if visible > _CLEAR:
            rows["missed"][missed] += 1
        return visible

    def _in_clear_view(self, xy: Float64Array, wh: Float64Array) -> NDArray[np.bool_]:
        """(N,) bool: the whole box lies inside the frame."""
        half = wh / 2
        return np.asarray(((xy >= half) & (xy <= np.array(self._size) - half)).all(axis=1))

    # -- the line, births and ends -------------------------------------------------------------------------------------------

    def _note(self, number: int) -> None:
        if number == 0:
            return
        times = (self.at_s[-2], self.at_s[-1])
        along = (self.along[-2], self.along[-1] - self.along[-2])
        drift = (self.drift[-2], self.drift[-1] - self.drift[-2])
        note_crossings(self._rows, self.line, number, self._start_xy, times, along=along, drift=drift, shared_sd=self._shared_sd)

    def _bear(self, number: int, j: Index, seen: Sightings) -> None:
        """Every sighting that continues nothing is a new opening, until it is not seen again where it should be."""
        new = np.ones(len(seen.xy), np.bool_)
        new[j] = False
        count = int(new.sum())
        if not count:
            return
        rows = born(count)
        rows["id"] = np.arange(self._next_id, self._next_id + count)
        rows["xy"], rows["wh"], rows["var"], rows["whole"] = seen.xy[new], seen.wh[new], seen.var[new], ~seen.is_cut[new]
        rows["seen_xy"], rows["seen_sd"] = rows["xy"], np.sqrt(rows["var"][:, 1])
        rows["hits"] = rows["chances"] = 1
        rows["first"] = rows["last"] = number
        rows["above"] = rows["xy"][:, 1] < self.line.line_px
        rows["before"] = self._chances_before(rows["xy"], rows["wh"])
        self._next_id += count
        self._keep(number, rows["id"], seen, np.flatnonzero(new))
        self._rows = np.concatenate([self._rows, rows])

    def _keep(self, number: int, ids: NDArray[np.int64], seen: Sightings, j: Index) -> None:
        """Remember which detections are whose."""
        sights = np.zeros(len(ids), SIGHT)
        sights["id"], sights["frame"], sights["place"] = ids, number, seen.place[j]
        sights["box"], sights["score"] = seen.box[j], seen.score[j]
        self.kept.note(sights)

    def _chances_before(self, xy: Float64Array, wh: Float64Array) -> Float64Array:
        """(N,) in how many frames before this one a place lay in clear view, weighted by what they showed."""
        chances = np.zeros(len(xy))
        place = xy
        back = self._back
        for earlier_back, visible in reversed(self._past):
            place = moved(back, place)
            clear = self._in_clear_view(place, wh)
            if not clear.any():
                break
            chances += visible * clear
            back = earlier_back
        return chances

    def _let_go(self) -> None:
        """End what is too far outside to come back."""
        rows, (width, height) = self._rows, self._size
        x, y = rows["xy"].T
        slack_x, slack_y = (BEYOND * side + 2 * rows["lost_sd"] for side in (width, height))
        away = (x < -slack_x) | (x > width + slack_x) | (y < -slack_y) | (y > np.minimum(height + slack_y, _LOWEST * height))
        away |= rows["var"].max(axis=1, initial=0.0) > (_LOST * width) ** 2
        if away.any():
            self.kept.end(rows[away])
            self._rows = rows[~away]


def follow(frames: Sequence[FootageFrame], line_px: float, settings: TrackSettings) -> Follower:
    """Go through all frames of a tow, once."""
    follower = Follower(frames[0].width_px, frames[0].height_px, line_px, settings)
    for frame in frames:
        follower.step(frame)
    follower.finish()
    return follower
