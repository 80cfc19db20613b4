"""The desk of scans: the one thing that pages, commands and the service ask about ZooScan."""

from __future__ import annotations

from edge.zooscan.desk.editing import Editing
from edge.zooscan.desk.lighting import Lighting
from edge.zooscan.desk.taking import Taking
from edge.zooscan.desk.typed import Typing


class ScanDesk(Taking, Lighting, Editing, Typing):
    """Everything that may be done with scans. For any thread."""
