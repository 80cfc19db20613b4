"""One object followed from the picture before into this one.

    predict   the seabed's motion takes the box along; where none is found, that of the step before
    look      the object with its surroundings, as given and as last seen, is searched for near there (normalised correlation)
    decide    seen: there it is. Not seen: where the seabed took it, for some steps; then lost
    remember  what the next step needs (tracker_state.py)

The search is narrow on purpose. A field of burrows is full of openings that look alike, and the next one is two boxes away: an
object that is not where the seabed took it is told lost rather than found again in its neighbour.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from annotator_bridge.functions.checked import Box
from annotator_bridge.functions.geometry import share_inside, sides_of
from annotator_bridge.functions.ground import GroundMotion, carried, ground_motion, thumbnail
from annotator_bridge.functions.tracker_state import Form, TrackState
from annotator_bridge.functions.views import SURROUNDINGS, best_place, look_box, view, view_size
from edge.footage import Float64Array
from edge.values import UInt8Array
from models.runtime.vision import cv2

SEEN = 0.55  # correlation from which on it is the object
SEEN_IN_DOUBT = 0.95  # where the seabed's motion is not known and the search is wide, and of what was lost already
REACH_WIDTH, REACH_SIDE = 0.002, 0.04  # standard deviation of the search, of the picture's width and of the box's side
REACH_WITHOUT_MOTION = 0.02
REACH_SDS = 2.5
MOST_REACH_PX = 40  # of a view
MOST_WIDENED = 5  # steps unseen over which the search grows
CARRIED_STEPS = 12  # unseen, but the seabed is: it is where the seabed took it
LOOKED_FOR_STEPS = 20  # then nothing is looked for any more
LEAST_INSIDE = 0.25  # of the box: with less of it in the picture it has left
LEAST_LOOK_INSIDE = 0.8  # of the surroundings: with less nothing can be compared


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Step:
    """An object after a step. `box` is where it is or would be, not clipped; `is_lost`: it is not in the picture, or hidden for long."""

    state: TrackState
    box: Box
    is_lost: bool


class Scene:
    """A picture that came with a call, and what its objects have in common.

    Args:
        image: (H, W, 3) uint8 BGR.
    """

    def __init__(self, image: UInt8Array) -> None:
        self.height_px, self.width_px = image.shape[:2]
        self.grey = np.asarray(cv2.extractChannel(image, 1), np.uint8)
        self.thumb = thumbnail(image)
        self._motions: dict[bytes, GroundMotion | None] = {}

    def motion_since(self, state: TrackState) -> GroundMotion | None:
        """The seabed's motion since the state's picture; objects that were in one picture share it."""
        key = state.thumb.tobytes()
        if key not in self._motions:
            self._motions[key] = ground_motion(state.thumb, self.thumb, state.hint)
        return self._motions[key]


def begin(scene: Scene, box: Box, form: Form) -> TrackState:
    """An object as somebody drew it; `box` lies in the picture, at least in part."""
    seen = view(scene.grey, box, view_size(box), (0, 0))
    whole = share_inside(look_box(box), scene.width_px, scene.height_px) >= 1
    return TrackState(
        form=form,
        width_px=scene.width_px,
        height_px=scene.height_px,
        box=box,
        unseen=0,
        gone=False,
        hint=None,
        thumb=scene.thumb,
        first=seen,
        latest=seen,
        whole=whole,
    )


def follow(scene: Scene, given: TrackState) -> Step:
    """The object in the next picture, which may be of another size."""
    state = _at_size(given, scene.width_px, scene.height_px)
    if state.gone:
        return Step(state=replace(state, thumb=scene.thumb), box=state.box, is_lost=True)
    motion = scene.motion_since(given)
    box = _moved(state, motion)
    if share_inside(box, scene.width_px, scene.height_px) < LEAST_INSIDE:
        return Step(state=replace(state, box=box, thumb=scene.thumb, gone=True), box=box, is_lost=True)
    found = _look(scene, state, box, motion)
    if found is None:  # at the edge of the picture, where it cannot be compared, the seabed's word is taken
        unseen = state.unseen + (state.unseen > 0)
    else:
        box, unseen = found.box, 0 if found.is_seen else state.unseen + 1
    if motion is None and (found is None or not found.is_seen):
        unseen = max(unseen + 1, CARRIED_STEPS + 1)  # nothing tells where it is now
    kept = replace(
        state,
        box=box,
        unseen=unseen,
        gone=unseen > LOOKED_FOR_STEPS,
        hint=state.hint if motion is None else motion.hint(),
        thumb=scene.thumb,
    )
    if motion is not None and unseen == 0:
        kept = _remembered(scene, kept)
    return Step(state=kept, box=box, is_lost=unseen > CARRIED_STEPS)


def _remembered(scene: Scene, state: TrackState) -> TrackState:
    """The state with what the object looks like now."""
    inside = share_inside(look_box(state.box), scene.width_px, scene.height_px)
    if inside < LEAST_LOOK_INSIDE:
        return state
    latest = view(scene.grey, state.box, (state.first.shape[1], state.first.shape[0]), (0, 0))
    if state.whole or inside < 1:
        return replace(state, latest=latest)
    # It was drawn at the edge of the picture; what its surroundings look like is seen only now.
    return replace(state, first=latest, latest=latest, whole=True)


def _at_size(state: TrackState, width_px: int, height_px: int) -> TrackState:
    """The state in pixels of a picture of another size: the same scene at another scale."""
    if (state.width_px, state.height_px) == (width_px, height_px):
        return state
    across, down = width_px / state.width_px, height_px / state.height_px
    box = (state.box[0] * across, state.box[1] * down, state.box[2] * across, state.box[3] * down)
    return replace(state, width_px=width_px, height_px=height_px, box=box)


def _moved(state: TrackState, motion: GroundMotion | None) -> Box:
    """Where the seabed takes the box; by the motion of the step before where there is none."""
    if motion is None and state.hint is None:
        return state.box
    values = motion.values if motion is not None else state.hint.values if state.hint is not None else None
    return state.box if values is None else carried(state.box, values, state.width_px, state.height_px)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    """Where an object is taken to be, and whether it was seen there."""

    box: Box
    is_seen: bool


def _look(scene: Scene, state: TrackState, box: Box, motion: GroundMotion | None) -> _Found | None:
    """The object near `box`; None where too little of its surroundings is in the picture to tell, or was when it was drawn."""
    region = look_box(box)
    if not state.whole or share_inside(region, scene.width_px, scene.height_px) < LEAST_LOOK_INSIDE:
        return None
    size = (state.first.shape[1], state.first.shape[0])
    scale = np.array([region[2] - region[0], region[3] - region[1]]) / size
    side = float(np.sqrt(np.prod(sides_of(box))))
    width = REACH_WITHOUT_MOTION if motion is None else max(REACH_WIDTH, min(motion.sd, REACH_WITHOUT_MOTION))
    spread = np.hypot(width * scene.width_px, REACH_SIDE * side) * np.sqrt(1 + min(state.unseen, MOST_WIDENED)) / scale
    reach = np.clip(np.ceil(REACH_SDS * spread), 2, MOST_REACH_PX).astype(int)
    area = view(scene.grey, box, size, (int(reach[0]), int(reach[1])))
    in_doubt = motion is None or state.unseen > CARRIED_STEPS
    offset, score = best_place(area, state.first, spread)
    if score >= (SEEN_IN_DOUBT if in_doubt else SEEN):
        shift = (offset - reach) * scale
        return _Found(box=(box[0] + shift[0], box[1] + shift[1], box[2] + shift[0], box[3] + shift[1]), is_seen=True)
    if in_doubt:
        return _Found(box=box, is_seen=False)
    # What it looked like a step ago, or it alone where its surroundings changed (burnt-in text goes not with the seabed), says that it is
    # still there, and never where: a view was cut out where it was taken to be.
    return _Found(
        box=box, is_seen=_is_there(area, state.latest, spread) or _is_there(_inner(area, size), _inner(state.first, size), spread)
    )


def _is_there(area: UInt8Array, known: UInt8Array, spread: Float64Array) -> bool:
    return best_place(area, known, spread)[1] >= SEEN


def _inner(seen: UInt8Array, size: tuple[int, int]) -> UInt8Array:
    """A view, or the area around one, without the surroundings of a view of this size."""
    left, top = (round(side * (1 - 1 / SURROUNDINGS) / 2) for side in size)
    return np.ascontiguousarray(seen[top : seen.shape[0] - top, left : seen.shape[1] - left])
