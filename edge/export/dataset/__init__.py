"""A training set of what people reviewed, as folders that training programs read."""

from edge.export.dataset.build import BuildRequest, BuildSummary, build_dataset

__all__ = ["BuildRequest", "BuildSummary", "build_dataset"]
