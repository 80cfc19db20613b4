"""Rendered ZooScan scans of known truth: plankton drawn as what it lets through, on a glass with its light, its frame and its dust.

Start with `models.workshop.scan.render` (a project folder) or `models.workshop.scan.drawing` (one animal, for training).
"""
