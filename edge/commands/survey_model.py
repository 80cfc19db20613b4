"""`survey model`: the model's counts of a survey beside those that people signed."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from edge.commands.common import JsonOption, answer, home_of, make_table, out, reading, say, told
from edge.errors import SettingsError
from edge.store.reads import surveys as reads
from edge.survey.model_compared import ModelCompared, compare_with_people
from edge.survey.tow.compare import Closeness, Comparison


def model_command(
    context: typer.Context,
    survey: Annotated[str, typer.Argument(metavar="NAME", help="The survey.")],
    as_json: JsonOption = False,
) -> None:
    """The model's systems beside people's, as it counted and after review; judged by how well people agree."""
    with told(as_json=as_json), reading(home_of(context)) as connection:
        found = next((one for one in reads.surveys(connection) if one.name == survey), None)
        if found is None:
            raise SettingsError(f"there is no survey {survey}", advice="`imagine-edge survey status` lists them.")
        compared = compare_with_people(connection, found.id)
    if as_json:
        answer(_as_json(compared))
    else:
        _print(compared)


def _as_json(compared: ModelCompared) -> dict[str, object]:
    rows = [{**asdict(one), "tally": None if one.tally is None else one.tally._asdict()} for one in compared.stations]
    return {"stations": rows, "as_made": asdict(compared.as_made), "reviewed": asdict(compared.reviewed)}


def _print(compared: ModelCompared) -> None:
    table = make_table("station", "model", "after review", "people", "not compared", numbers=("model", "after review", "people"))
    people = {one.station: one.people_total for one in compared.as_made.stations}
    for one in compared.stations:
        table.add_row(one.station, _figure(one.model_systems), _figure(one.reviewed_systems), _figure(people.get(one.station)), one.words)
    out.print(table)
    _say("as it counted", compared.as_made, compared.as_made.totals)
    _say("after review", compared.reviewed, compared.reviewed.totals)
    _say("counter against counter", compared.as_made, compared.as_made.people_totals)


def _say(what: str, compared: Comparison, totals: Closeness | None) -> None:
    if totals is None:
        say(f"{what}: no station to compare.")
        return
    ccc = "no CCC" if totals.ccc is None else f"CCC {totals.ccc:.3f}"
    say(f"{what}: {totals.n} stations, bias {totals.bias:+.2f} systems, mean difference {totals.mae:.2f}, {ccc}; {compared.verdict}.")


def _figure(value: float | None) -> str:
    return "" if value is None else f"{value:g}"
