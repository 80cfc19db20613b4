"""Renders stills of a muddy seabed as a towed UWTV camera sees it, with the true boxes of its burrow openings."""
