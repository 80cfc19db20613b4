"""`survey protocol`: the rules that a survey counts by, shown or stated."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from edge.commands.common import JsonOption, answer, home_of, make_table, or_running, out, reading, say, told
from edge.commands.holding import held_store
from edge.errors import BusyError, SettingsError
from edge.store.reads import surveys as reads
from edge.store.reads.survey_status import protocol_uses
from edge.store.reads.surveys import ProtocolRow
from edge.store.seal import open_seal
from edge.survey.protocol import FIELDS, PRESETS, effect_of_change, find_preset, read_protocol
from edge.survey.sheet_desk import SheetDesk

ACTOR = "cli"
_KEYS = ", ".join(field.key for field in FIELDS)
_PRESETS = ", ".join(preset.key for preset in PRESETS)


def protocol_command(
    context: typer.Context,
    survey: Annotated[str, typer.Argument(metavar="NAME", help="The survey.")],
    preset: Annotated[
        str | None, typer.Option(metavar="KEY", help=f"Published rules to begin from: {_PRESETS}. What they leave open has to be stated.")
    ] = None,
    rule: Annotated[list[str] | None, typer.Option("--rule", metavar="KEY=VALUE", help=f"A rule; may be repeated. Rules: {_KEYS}.")] = None,
    reason: Annotated[str, typer.Option(help="Why these rules hold, such as the name of the manual.")] = "",
    as_json: JsonOption = False,
) -> None:
    """Show the rules that a survey counts by, or state them; a change is a new version with a reason."""
    home = home_of(context)
    with told(as_json=as_json):
        effect = _state(home, survey, _texts(preset, rule or []), reason) if preset or rule else ""
        with reading(home) as connection:
            protocol = reads.protocol_in_force(connection, _survey_id(home, survey))
    if as_json:
        answer(None if protocol is None else {**protocol._asdict(), "effect": effect})
    else:
        _print(survey, protocol)
        if effect:
            say(effect)


def _texts(preset: str | None, rules: list[str]) -> dict[str, str]:
    texts: dict[str, str] = {}
    if preset is not None:
        found = find_preset(preset)
        if found is None:
            raise SettingsError(f"there is no preset {preset}", advice=f"The presets are {_PRESETS}.")
        texts |= found.values
    known = {field.key for field in FIELDS}
    for one in rules:
        key, mark, value = one.partition("=")
        if not mark or key.strip() not in known:
            raise SettingsError(f"{one!r} is no rule", advice=f"Write KEY=VALUE; the rules are {_KEYS}.")
        texts[key.strip()] = value.strip()
    return texts


def _state(home: Path, survey: str, texts: dict[str, str], reason: str) -> str:
    """State rules; what that does to the counts under those before, "" where there were none."""
    rules = read_protocol(texts)  # told here, before anything is asked of anybody
    if not reason.strip():
        raise SettingsError("a protocol needs a reason", advice="Say with --reason why these rules hold, such as the name of the manual.")
    survey_id = _survey_id(home, survey)
    with reading(home) as connection:
        before, uses = reads.protocol_in_force(connection, survey_id), protocol_uses(connection, survey_id)
    try:
        with _desk(home) as desk:
            desk.set_protocol(survey_id, texts, reason=reason, actor=ACTOR)
    except BusyError as error:
        or_running(error, home, "POST", f"/api/surveys/{survey_id}/protocol", {**asdict(rules), "reason": reason})
    use = uses.get(before.id) if before is not None else None
    return "" if before is None else effect_of_change(use.counts if use else 0, use.tows if use else 0, before.version)


def _survey_id(home: Path, name: str) -> int:
    with reading(home) as connection:
        found = reads.find_survey(connection, name)
    if found is None:
        raise SettingsError(f"there is no survey {name}", advice=f"Make it first: imagine-edge survey create {name}")
    return found.id


@contextmanager
def _desk(home: Path) -> Iterator[SheetDesk]:
    """What a running appliance would do, without its workers: this process holds the home folder for as long as it takes."""
    with held_store(home) as writer:
        yield SheetDesk(writer, lambda: reading(home), open_seal(home))


def _print(survey: str, protocol: ProtocolRow | None) -> None:
    if protocol is None:
        say(f"{survey} has no protocol yet: nothing can be counted. State it with --preset and --rule.")
        return
    locked = f"locked since {protocol.locked_utc}" if protocol.locked_utc else "not locked: nothing was counted under it yet"
    say(f"{survey}, protocol version {protocol.version} by {protocol.made_by}, {locked}")
    say(f"reason: {protocol.reason}")
    table = make_table("rule", "value", "key")
    values = protocol._asdict()
    for field in FIELDS:
        value = values[field.key]
        table.add_row(field.label, "-" if value in {None, ""} else str(value), field.key)
    out.print(table)
