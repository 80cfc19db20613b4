"""`survey agreement`: how well counters agree, from a table."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from edge.commands.common import JsonOption, answer, make_table, out, say, told
from edge.survey.agreement import CCC_LIMIT, agreement
from edge.survey.mi.recounts import read_recounts

RecountsOption = Annotated[Path, typer.Option(metavar="FILE", help="A Recounts table (CSV): one row per counter and minute.")]


def agreement_command(recounts: RecountsOption, as_json: JsonOption = False) -> None:
    """Lin's CCC per station, or why there is none, and who needs a third count."""
    with told(as_json=as_json):
        stations = [(counted, agreement(counted.counts, counted.unusable_minutes)) for counted in read_recounts(recounts)]
    if as_json:
        answer(
            [
                {
                    "survey": counted.survey,
                    "station": counted.station,
                    "ccc": found.ccc,
                    "state": found.state,
                    "counters": list(found.counters),
                    "totals": list(found.totals),
                    "minutes": list(found.minutes),
                    "unusable_minutes": list(found.unusable_minutes),
                }
                for counted, found in stations
            ]
        )
        return
    table = make_table("station", "counters", "totals", "minutes", "CCC", "state", numbers=("minutes", "CCC"))
    for counted, found in stations:
        totals = " / ".join(f"{total:g}" for total in found.totals)
        ccc = "" if found.ccc is None else f"{found.ccc:.3f}"
        table.add_row(counted.station, " / ".join(found.counters), totals, str(len(found.minutes)), ccc, found.state)
    out.print(table)
    computed = [found.ccc for _, found in stations if found.ccc is not None]
    below = sum(ccc < CCC_LIMIT for ccc in computed)
    say(f"{len(computed)} of {len(stations)} stations have a coefficient; {below} below {CCC_LIMIT} need a third count.")
