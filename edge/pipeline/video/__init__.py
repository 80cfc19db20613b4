"""Clips: what a file says of itself, its frames by their presentation time, and what was wrong with it."""

from edge.pipeline.video.exact import ClipFrames, ExactFrame
from edge.pipeline.video.faults import ClipEnd
from edge.pipeline.video.probe import probe_clip
from edge.pipeline.video.sampling import ClipReader, SampledFrame, sampled_frames
from edge.pipeline.video.splits import Recording, SplitFile, order_splits

__all__ = [
    "ClipEnd",
    "ClipFrames",
    "ClipReader",
    "ExactFrame",
    "Recording",
    "SampledFrame",
    "SplitFile",
    "order_splits",
    "probe_clip",
    "sampled_frames",
]
