"""`survey`: the survey's own work, from tables to agreement and density."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import typer

from edge.commands.lazy import LazyGroup


class _SurveyCommands(LazyGroup):
    where: ClassVar[Mapping[str, str]] = {
        "agreement": "edge.commands.survey_agreement:agreement_command",
        "create": "edge.commands.survey_sheet:create_command",
        "import": "edge.commands.survey_sheet:import_command",
        "status": "edge.commands.survey_sheet:status_command",
        "copy-raw": "edge.commands.survey_copy:copy_raw_command",
        "verify-copy": "edge.commands.survey_copy:verify_copy_command",
        "protocol": "edge.commands.survey_protocol:protocol_command",
        "count": "edge.commands.survey_count:count_command",
        "model": "edge.commands.survey_model:model_command",
        "track": "edge.commands.survey_count:track_command",
        "export": "edge.commands.survey_tables:export_table_command",
        "import-table": "edge.commands.survey_tables:import_table_command",
    }


survey_app = typer.Typer(
    cls=_SurveyCommands, help="The survey's own work: stations, sheets, counts, density, tables.", no_args_is_help=True
)


@survey_app.callback()
def _group() -> None:
    pass
