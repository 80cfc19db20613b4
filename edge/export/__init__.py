"""Rows in, files out: exports in formats that other tools read."""
