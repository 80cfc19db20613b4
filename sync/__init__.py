"""What goes ashore and what comes aboard: bundles of results, the links that carry them, and signed updates of models."""
