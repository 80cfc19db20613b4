"""The main path of a sampled frame: reduced once, then looked at for lasers, motion and visibility."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from edge.footage import Float64Array, LaserPair, Motion, Visibility
from edge.pipeline.plan import Mask
from edge.pipeline.seabed.ground import BoolArray, Light, Texture, cloudy_cells
from edge.pipeline.seabed.lasers import CHANNEL, LOOK_WIDTH_PX, LaserColour, find_dots, pair_of
from edge.pipeline.seabed.plane import homography_of
from edge.pipeline.seabed.plate import Plate, PlateMaker
from edge.pipeline.seabed.register import STILL_PX, Expected, Registrar, Registration
from edge.pipeline.seabed.visibility import hidden_cells, measure
from edge.values import UInt8Array
from models.runtime.vision import cv2

LONGEST_GAP_S = 1.5  # between frames: nothing of the frame before is in view any more
LONGEST_CARRY_S = 4.0  # of guessed motion in a row: further than this it says nothing
FRESH_S = 0.6  # a motion carried on for less still bounds the next one: a sledge needs this long to stop
# The fit takes the errors of corners for independent. What neighbours share (a lens that bends lines, mud that is no plane) does not
# average out: a share of the residual. Both measured on rendered tows with straight and with bent lines.
FIT_FACTOR = 1.0
SHARED_RESIDUAL = 0.3
DOUBT_FACTOR = 5.0  # at the fringe of a cloud some corners are the cloud's: with all of the frame doubtful the sd is six times as large
LEAST_SD = 0.00004  # of the frame's width
# Of the frame's width, per sixth of a second: what a carried motion is off by as a sledge surges. After k sixths it is
# CARRIED_SD (1 - exp(-k / CARRIED_STEPS)): 8, 23 and 38 px of 1229 after 1, 3 and 6 in simulated swell, and a third more to be safe.
CARRIED_SD = 0.06
CARRIED_STEPS = 6.0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Seen:
    """What one sampled frame told.

    Attributes:
        motion: of the seabed from the observed frame before; None for the first one, after a break and after a gap.
        lasers: None where no pair was found.
    """

    motion: Motion | None
    lasers: LaserPair | None
    visibility: Visibility


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Carry:
    """The motion to carry on: the plane's parameters, per second of it, and how long nothing was registered."""

    values: Float64Array
    per_s: float
    since_s: float
    matched: float


class SeabedObserver:
    """Observes the frames of one clip in their order. Keeps what it needs of the frame before, never more: memory is flat.

    Args:
        width_px, height_px: size of the full frame; all that is returned is in its pixels.
        masks: where burnt-in text and the like stand, pixels of the full upright frame.
        line_height: the counting row as a part of the frame's height.
        rate_hz: how many frames a second are going to be observed.
        laser_colour: of the pair at the sides.
    """

    def __init__(
        self,
        width_px: int,
        height_px: int,
        *,
        masks: Sequence[Mask],
        line_height: float,
        rate_hz: float,
        laser_colour: LaserColour = "red",
    ) -> None:
        self._width_px, self._height_px = width_px, height_px
        self._masks, self._colour, self._rate_hz = tuple(masks), laser_colour, rate_hz
        # A red dot hardly shows in green, nor a green one in red.
        self._plates = PlateMaker(width_px, height_px, masks, channel=1 if CHANNEL[laser_colour] != 1 else 2)
        line_point = np.array([0.0, (line_height - 0.5) * height_px / (width_px / 2)])
        self._registrar = Registrar(self._plates.size, self._plates.to_pixels, line_point)
        self._light, self._texture = Light(), Texture()
        self._before: tuple[Plate, float] | None = None
        self._doubtful_before = 0.0
        self._carry: _Carry | None = None
        half = width_px / 2
        self._to_pixels = np.array([[half, 0, half], [0, half, height_px / 2], [0, 0, 1.0]])
        self._to_centred = np.linalg.inv(self._to_pixels)

    def observe(self, image: UInt8Array, at_s: float) -> Seen:
        """Look at the next frame.

        Args:
            image: (h, w, 3) uint8 BGR, the whole frame at full or reduced size.
            at_s: its presentation time, seconds; after the frame before.
        """
        if self._before is not None and not 0 < at_s - self._before[1] <= LONGEST_GAP_S:
            self.break_()
        look = self._reduced(image)
        dots = find_dots(look, self._width_px, self._masks, self._colour)
        plate = self._plates.make(look, [(dot.x_px, dot.y_px) for dot in dots])
        off_light = self._light.off(plate.grey)
        cloudy = cloudy_cells(off_light, self._texture.share(plate.texture))
        plate = _without(plate, cloudy)
        motion, following = None, None
        if self._before is not None:
            # A cloud in either frame is one too many.
            doubtful = max(float(np.mean(cloudy)), self._doubtful_before)
            found = self._register(plate, at_s, doubtful)
            motion = self._motion(found, at_s, doubtful)
            following = None if found is None else found.cells
        self._before, self._doubtful_before = (plate, at_s), float(np.mean(cloudy))
        hidden = hidden_cells(lit=self._light.lit, off_light=off_light, cloudy=cloudy, following=following)
        self._light.learn(hidden)
        self._texture.learn(hidden)
        return Seen(motion=motion, lasers=pair_of(dots, self._width_px), visibility=measure(plate, hidden))

    def break_(self) -> None:
        """What comes next does not follow what was: another clip, or frames were lost."""
        self._before, self._carry = None, None

    def _reduced(self, image: UInt8Array) -> UInt8Array:
        if image.shape[1] <= LOOK_WIDTH_PX:
            return image
        size = (LOOK_WIDTH_PX, round(image.shape[0] * LOOK_WIDTH_PX / image.shape[1]))
        return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)

    def _register(self, plate: Plate, at_s: float, doubtful: float) -> Registration | None:
        assert self._before is not None
        before, before_s = self._before
        found = self._registrar.register(before, plate, self._expected(before_s, at_s), doubtful=doubtful)
        if found is not None:
            self._carry = _Carry(values=found.fit.values, per_s=1 / (at_s - before_s), since_s=at_s, matched=found.matched)
            if np.hypot(*found.fit.values[:2]) * self._plates.size[0] / 2 > STILL_PX:
                self._plates.learn(plate)
        return found

    def _expected(self, before_s: float, at_s: float) -> Expected | None:
        values = self._guess(at_s - before_s)
        if values is None or self._carry is None:
            return None
        return Expected(
            values=values,
            matched=self._carry.matched,
            fresh=before_s - self._carry.since_s < FRESH_S,
            steps=max(0.5, 6 * (at_s - before_s)),
        )

    def _guess(self, elapsed_s: float) -> Float64Array | None:
        """The motion before, carried on over another span of time."""
        if self._carry is None:
            return None
        values = self._carry.values.copy()
        values[:8] *= self._carry.per_s * elapsed_s
        return values

    def _motion(self, found: Registration | None, at_s: float, doubtful: float) -> Motion | None:
        """In pixels of the full frame; carried where nothing was registered, None where there is nothing to carry."""
        if found is not None:
            sd = np.hypot(FIT_FACTOR * found.sd, SHARED_RESIDUAL * found.fit.residual)
            sd_px = max(float(sd) * (1 + DOUBT_FACTOR * doubtful) * self._width_px / 2, LEAST_SD * self._width_px)
            return Motion(homography=self._in_pixels(found.fit.values), sd_px=sd_px, source="registered")
        assert self._before is not None
        elapsed_s = at_s - self._before[1]
        guess = self._guess(elapsed_s)
        if guess is None or self._carry is None or at_s - self._carry.since_s > LONGEST_CARRY_S:
            return None
        steps = 6 * elapsed_s
        grown = 1 - float(np.exp(-6 * (at_s - self._carry.since_s) / CARRIED_STEPS))
        sd_px = CARRIED_SD * self._width_px * steps * grown
        return Motion(homography=self._in_pixels(guess), sd_px=sd_px, source="carried")

    def _in_pixels(self, values: Float64Array) -> Float64Array:
        whole = self._to_pixels @ homography_of(values) @ self._to_centred
        return np.asarray(whole / whole[2, 2], np.float64)


def _without(plate: Plate, cloudy: BoolArray) -> Plate:
    """The plate, less the cells that show a cloud: its billows move too, and not as the seabed does."""
    shows = cv2.resize((~cloudy).astype(np.uint8), (plate.usable.shape[1], plate.usable.shape[0]), interpolation=cv2.INTER_NEAREST)
    return replace(plate, usable=np.asarray(plate.usable * shows, np.uint8))
