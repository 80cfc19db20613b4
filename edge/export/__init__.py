"""Rows in, files out: exports in formats that other tools read."""

from edge.export.run import ExportFormat, ExportSummary, export

__all__ = ["ExportFormat", "ExportSummary", "export"]
