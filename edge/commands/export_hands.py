"""Hands for the commands that export; see `edge.recipes.footage_hands`, where the service has them from too."""

from __future__ import annotations

from edge.recipes.footage_hands import Hands, footage_hands

__all__ = ["Hands", "footage_hands"]
