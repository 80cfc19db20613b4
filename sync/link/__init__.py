"""Manners on a link that costs: when it may be used, how fast, and for how many bytes. Nothing here ever probes a link to measure it."""
