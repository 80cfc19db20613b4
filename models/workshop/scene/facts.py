"""Facts of real UWTV stills that the renderer imitates.

Measured on 95 Marine Institute stills (May to June 2023) and on the box statistics published for the full set of 350.
Only these figures were taken over; no pixel of a real still enters a render.
"""

from __future__ import annotations

STILL_WIDTH_PX = 1229
STILL_HEIGHT_PX = 691
OVERLAY_HEIGHT_PX = 22
STILLS_PER_S = 12.5
SEABED_SPEED_PX_PER_S = (500.0, 700.0)

OPENINGS_PER_STILL = (8, 52)
OPENINGS_PER_STILL_MEAN = 28.8
BOX_SIDE_MEDIAN_PX = 44.0
BOX_SIDE_LOG_SIGMA = 0.54
BOX_SIDE_RANGE_PX = (11.0, 150.0)

# Grey level of the mean still below the overlay: mean, and means of the centre and of the left and right edge strips.
GREY_MEAN_RANGE = (72.0, 109.0)
GREY_STD_RANGE = (21.0, 29.0)
GREY_CENTRE_RANGE = (100.0, 128.0)
GREY_EDGE_RANGE = (33.0, 74.0)
# Standard deviation of the difference of Gaussians at sigma 1-2, 4-8 and 16-32 px: texture of mud at three scales.
BAND_STD_RANGES = {(1, 2): (0.42, 1.45), (4, 8): (0.57, 1.31), (16, 32): (0.91, 2.09)}

# Dark flecks strewn over mud: with them, marks outside boxes are as many as counted on real stills (see tests/unit/test_synthetic.py).
FLECKS_PER_STILL = 800.0

LASER_GAP_PX = (602.0, 830.0)
