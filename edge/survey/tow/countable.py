"""Seconds of a tow in which nothing can be counted, proposed from what was measured of the view; people decide.

The limits were set on rendered clouds, whose share of the frame is known, and looked at on real footage. Stills of 2023 in which silt
hides 20 to 35 % of the view are still counted at sea, so the limit lies at the upper end of that. Of the clips of remotely operated
vehicles, one that is black but for a patch of seabed (86 % dark) and one that shows water with marine snow above a strip of seabed
(35 % dark, 4 to 31 % silt) are proposed as not countable; clear mud, coral in front of deep water, rock in weak light, and burrows under
heavy text are not. That agrees with what a person says who looks at them. The second is the nearest to the limit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from edge.footage import Visibility


@dataclass(frozen=True, slots=True, kw_only=True)
class CountableSettings:
    """When a second is proposed as not countable.

    Attributes:
        hidden_share: of the frame, by silt and darkness together, from which a frame is bad.
        clear_share: below which it is good again: a cloud at the edge of the limit does not flicker.
        least_contrast: grey levels of the evened frame below which it is bad.
        bad_share: of the frames of a second that must be bad.
    """

    hidden_share: float = 0.35
    clear_share: float = 0.25
    least_contrast: float = 0.6
    bad_share: float = 0.5


def propose_not_countable(at_s: Sequence[float], seen: Sequence[Visibility | None], settings: CountableSettings) -> list[int]:
    """Whole seconds (floor of `at_s`) proposed as not countable, ascending; frames that were not measured say nothing."""
    bad, by_second = False, dict[int, list[bool]]()
    for time_s, visibility in zip(at_s, seen, strict=True):
        if visibility is None:
            continue
        hidden = visibility.silt_fraction + visibility.dark_fraction
        limit = settings.clear_share if bad else settings.hidden_share
        bad = hidden >= limit or visibility.contrast < settings.least_contrast
        by_second.setdefault(int(np.floor(time_s)), []).append(bad)
    return sorted(second for second, frames in by_second.items() if sum(frames) >= settings.bad_share * len(frames))
