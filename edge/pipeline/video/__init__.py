"""Clips: what a file says of itself, its frames by their presentation time, and what was wrong with it."""

from edge.pipeline.video.exact import ClipFrames, ExactFrame
from edge.pipeline.video.faults import ClipEnd
from edge.pipeline.video.probe import probe_clip
from edge.pipeline.video.sampling import ClipReader, SampledFrame, sampled_frames

__all__ = [
    "ClipEnd",
    "ClipFrames",
    "ClipReader",
    "ExactFrame",
    "SampledFrame",
    "probe_clip",
    "sampled_frames",
]
