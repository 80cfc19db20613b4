"""Make a pack smaller and faster without losing accuracy: what is tried, how it is judged, what is kept and why."""
