"""Scans of plankton out: EcoTaxa's import zip, Zooprocess's work folder, tables, abundance. Values in, files out."""
