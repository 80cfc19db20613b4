"""The tables that bundles carry: the public contract between ships and shore, versioned as a whole.

A later version may add tables and columns; a reader keeps what it does not know. What a column means is what docs/schema.md says of the
column of that name; names carry their unit. Rows name each other by UUID, never by the numbers of one database.
"""

from __future__ import annotations

from sync.bundle.table import Table
from sync.bundle.tables_footage import OF_FOOTAGE
from sync.bundle.tables_images import OF_IMAGES
from sync.bundle.tables_reports import OF_REPORTS
from sync.bundle.tables_surveys import OF_SURVEYS
from sync.bundle.tables_zooscan import OF_ZOOSCAN

__all__ = ["SCHEMA_VERSION", "TABLES", "Table"]

SCHEMA_VERSION = 1

TABLES: dict[str, Table] = {table.name: table for table in (*OF_IMAGES, *OF_SURVEYS, *OF_FOOTAGE, *OF_ZOOSCAN, *OF_REPORTS)}
