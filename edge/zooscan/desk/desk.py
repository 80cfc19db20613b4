"""The desk of scans: the one thing that pages, commands and the service ask about ZooScan."""

from __future__ import annotations

from edge.zooscan.desk.editing import Editing
from edge.zooscan.desk.lighting import Lighting
from edge.zooscan.desk.queueing import Queueing
from edge.zooscan.desk.typed import Typing


class ScanDesk(Queueing, Lighting, Editing, Typing):
    """Everything that may be done with scans. For any thread."""
