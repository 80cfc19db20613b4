"""The group `models`: bring models in, make them small, measure them, let them serve; a module per command or small family."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import typer

from edge.commands.lazy import LazyGroup


class _ModelsCommands(LazyGroup):
    where: ClassVar[Mapping[str, str]] = {
        "benchmark": "edge.commands.models.benchmark:benchmark_model",
        "import": "edge.commands.models.bring_in:import_file",
        "compare": "edge.commands.models.compare:compare_models",
        "evaluate": "edge.commands.models.evaluate:evaluate_model",
        "list": "edge.commands.models.installed:list_models",
        "show": "edge.commands.models.installed:show_model",
        "activate": "edge.commands.models.installed:activate_model",
        "rollback": "edge.commands.models.installed:roll_back_model",
        "publish": "edge.commands.models.publish:publish_model",
        "quantise": "edge.commands.models.quantise:quantise_model",
        "train": "edge.commands.models.train:train_model",
        "install": "edge.commands.models.upkeep:install_model",
        "prove": "edge.commands.models.upkeep:prove_model",
        "remove": "edge.commands.models.upkeep:remove_model",
    }


models_app = typer.Typer(
    cls=_ModelsCommands, help="Model packs: bring in, make, measure, install, activate, roll back.", no_args_is_help=True
)


@models_app.callback()
def _group() -> None:
    pass
