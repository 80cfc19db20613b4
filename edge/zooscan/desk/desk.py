"""The desk of scans: the one thing that pages, commands and the service ask about ZooScan."""

from __future__ import annotations

from edge.zooscan.desk.editing import Editing
from edge.zooscan.desk.queueing import Queueing


class ScanDesk(Queueing, Editing):
    """Everything that may be done with scans. For any thread."""
