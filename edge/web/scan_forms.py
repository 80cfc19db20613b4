"""The sample and scan form of a scan as pages and JSON API show it: the META's own value, and what was typed over it by whom."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from edge.export.zooscan.rules import MAX_TEXT
from edge.store.reads import zooscan as reads
from edge.store.reads.zooscan import EntryRow
from edge.store.sqlite import Connection
from edge.zooscan.form_fields import BY_KEY, FIELDS, GROUPS, OTHER, FormField
from edge.zooscan.project.texts import NOT_KNOWN
from edge.zooscan.standing import standing_meta, what_stands

_NOTHING_KNOWN = frozenset(value for value in NOT_KNOWN if value)


@dataclass(frozen=True, slots=True, kw_only=True)
class FormFieldAnswer:
    """A field of the form.

    Attributes:
        field: the META's key, or one of three more (`position_format`, `volume_filtered_m3`, `volume_is`).
        own: what the META says; null if it does not have the key.
        typed: what was typed over it and holds; null: the META's own holds.
        typed_by, typed_utc: who and when; of giving it back to the META too.
        not_known: what holds is one of the field's ways to say that nobody knew, such as 99999.
        own_not_known: the META's own value says so.
        problem: what is wrong with it, in words; empty if nothing is.
    """

    field: str
    label: str
    group: str
    hint: str
    choices: tuple[tuple[str, str], ...]
    own: str | None
    typed: str | None
    typed_by: str | None
    typed_utc: str | None
    not_known: bool
    own_not_known: bool
    problem: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FormAnswer:
    """The form of a scan.

    Attributes:
        latitude_deg, longitude_deg: decimal, north and east positive; null where they cannot be read.
        problems: what is wrong with it as a whole, in words.
    """

    scan_id: int
    latitude_deg: float | None
    longitude_deg: float | None
    fields: tuple[FormFieldAnswer, ...]
    problems: tuple[str, ...]

    @property
    def groups(self) -> tuple[tuple[str, tuple[FormFieldAnswer, ...]], ...]:
        """Fields by heading, without headings that have none."""
        found = ((group, tuple(one for one in self.fields if one.group == group)) for group in GROUPS)
        return tuple((group, fields) for group, fields in found if fields)


def told_form(connection: Connection, scan_id: int) -> FormAnswer:
    """The form of a scan as it is now."""
    texts = reads.scan_texts(connection, scan_id)
    standing = what_stands(texts.meta, texts.log, reads.entries_standing(connection, scan_id))
    own = {key.casefold(): (key, value) for key, value in standing_meta(texts.meta, {}).sections[""].items()}
    typed = {one.field.casefold(): one for one in reads.entries_of(connection, scan_id)}  # the last one of a field stands
    more = [
        FormField(key=key, label=key, group=OTHER)
        for key in dict.fromkeys([*(name for name, _ in own.values()), *(one.field for one in typed.values())])
        if key.casefold() not in BY_KEY
    ]
    problems = (*standing.sample.problems, *standing.problems)
    return FormAnswer(
        scan_id=scan_id,
        latitude_deg=standing.sample.latitude_deg,
        longitude_deg=standing.sample.longitude_deg,
        fields=tuple(_field(field, own, typed, problems) for field in (*FIELDS, *more)),
        problems=problems,
    )


def _field(
    field: FormField,
    own: Mapping[str, tuple[str, str]],
    typed: Mapping[str, EntryRow],
    problems: tuple[str, ...],
) -> FormFieldAnswer:
    name, stated = own.get(field.key.casefold(), (field.key, None))
    entry = typed.get(field.key.casefold())
    holds = entry.value if entry is not None and entry.value is not None else stated
    return FormFieldAnswer(
        field=name,
        label=field.label,
        group=field.group,
        hint=field.hint,
        choices=field.choices,
        own=stated,
        typed=None if entry is None else entry.value,
        typed_by=None if entry is None else entry.actor,
        typed_utc=None if entry is None else entry.entered_utc,
        not_known=_says_nothing(field, holds),
        own_not_known=_says_nothing(field, stated),
        problem="; ".join(
            (*(problem for problem in problems if problem.split(" ")[0].casefold() == field.key.casefold()), *_too_long(holds))
        ),
    )


def _too_long(value: str | None) -> tuple[str, ...]:
    length = len(value or "")
    return (f"it has {length} letters; EcoTaxa takes {MAX_TEXT}: shorten it",) if length > MAX_TEXT else ()


def _says_nothing(field: FormField, value: str | None) -> bool:
    """Whether a value is one of the field's ways to say that nobody knew; a number there says of Fracsup that no coarser sieve was used."""
    if field.key == "Fracsup" and value is not None and value.strip().isdecimal():
        return False
    return value is not None and value.strip().casefold() in _NOTHING_KNOWN
