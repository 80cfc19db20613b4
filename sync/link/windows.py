"""When a link may be used. It is read with the settings, so it stands with them."""

from edge.link_windows import DAYS, Window, Windows, read_windows

__all__ = ["DAYS", "Window", "Windows", "read_windows"]
