"""The group `models`: bring models in, make them small, measure them, let them serve.

One module per command or small family of commands; each adds itself to `models_app`.
"""

from __future__ import annotations

from edge.commands.models import benchmark, bring_in, compare, evaluate, installed, publish, quantise, train, upkeep
from edge.commands.models.group import models_app

__all__ = ["benchmark", "bring_in", "compare", "evaluate", "installed", "models_app", "publish", "quantise", "train", "upkeep"]
