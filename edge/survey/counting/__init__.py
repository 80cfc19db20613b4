"""Blind counting: what a counter marks, sealed until enough counters have signed; then agreement, comparison and reference sets."""
