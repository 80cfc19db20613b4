"""By which rules, and by whom, a figure was counted: a file holds one such method, unless somebody asks for all of them by name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from edge.errors import SettingsError
from edge.survey.exchange.gather import Gathered, GatheredCount, GatheredStation, LeftOut
from edge.survey.method import CHOICES, Method, method_of_result, origin_of_count

COUNT_FORMATS = frozenset({"mi-recounts", "mi-clicks", "minutes", "ccc-plot", "minutes-plot"})
BOTH_FORMATS = frozenset({"workbook"})


class SeveralMethodsError(SettingsError):
    """A file would hold figures of several methods, and nobody said which is meant."""

    code = "several_methods"


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """Which methods a file shall hold. Nothing chosen: the only one there is.

    Attributes:
        protocol: only what was counted under this version.
        origin: only what was counted here (`own`), or what came from tables (`imported`; of that only rows of stations: `table`).
        every: all of them, each named in the file's name and in its sidecar.
    """

    protocol: int | None = None
    origin: str | None = None
    every: bool = False

    @property
    def is_open(self) -> bool:
        """Whether nothing is chosen."""
        return self.protocol is None and self.origin is None and not self.every

    def fits(self, method: Method) -> bool:
        """Whether a method is among those that are meant."""
        if self.every:
            return True
        of_origin = self.origin in {None, method.origin} or (self.origin == "imported" and method.origin == "table")
        return of_origin and self.protocol in {None, method.version}


ANY = Choice()


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """What a file is made from. `methods`: those that it holds; `is_named`: somebody chose them, so its name says which."""

    gathered: Gathered
    methods: tuple[Method, ...]
    is_named: bool

    @property
    def slug(self) -> str:
        """The methods as a part of the file's name; "" where nobody chose."""
        return "+".join(one.slug for one in self.methods) if self.is_named else ""


def choice_of(protocol: int | None, origin: str | None, *, every: bool) -> Choice:
    """What somebody asked for.

    Raises:
        SettingsError: there is no such origin, or both one method and all are asked for.
    """
    if origin is not None and origin not in CHOICES:
        raise SettingsError(f"there is no origin {origin}", advice=f"The origins are {', '.join(CHOICES)}.")
    if every and (protocol is not None or origin is not None):
        raise SettingsError("all methods and one of them are asked for at once", advice="Leave out one of the two.")
    return Choice(protocol=protocol, origin=origin, every=every)


def choose(gathered: Gathered, format_name: str, choice: Choice) -> Chosen:
    """What a file of that format shall hold of a survey.

    Raises:
        SeveralMethodsError: several methods are there that fit, and not all are asked for.
        SettingsError: nothing there fits, or the survey has no such protocol.
    """
    _check_protocol(gathered, choice)
    there = methods_of(gathered, format_name)
    fitting = [one for one in there if choice.fits(one)] or [one for one in _beside(gathered, format_name) if choice.fits(one)]
    if there and not fitting:
        asked = " and ".join(_asked(choice))
        raise SettingsError(f"nothing in {gathered.survey.name} is {asked}", advice=f"There are: {_listed(there)}.")
    if len(fitting) > 1 and not choice.every:
        raise SeveralMethodsError(
            f"{gathered.survey.name} holds several methods, which are never mixed in one table: {_listed(fitting)}",
            advice="Choose one with --protocol N and --origin own|imported; --all-methods puts all in one file and names them.",
        )
    if choice.every or not fitting:
        return Chosen(gathered=gathered, methods=tuple(fitting), is_named=not choice.is_open)
    return Chosen(gathered=_only(gathered, fitting[0]), methods=(fitting[0],), is_named=not choice.is_open)


def methods_of(gathered: Gathered, format_name: str) -> tuple[Method, ...]:
    """The methods that a file of that format would hold, if nobody chose."""
    found: set[Method] = set()
    if format_name in COUNT_FORMATS | BOTH_FORMATS:
        found |= {method_of_count(one) for one in gathered.counts}
    if format_name not in COUNT_FORMATS:
        found |= {method for one in gathered.stations if (method := method_of_station(one)) is not None}
    return tuple(sorted(found, key=lambda one: (CHOICES.index(one.origin), one.version or 0)))


def method_of_count(one: GatheredCount) -> Method:
    """How a count was made."""
    return Method(origin_of_count(one.count), one.protocol.version if one.protocol else None)


def method_of_station(one: GatheredStation) -> Method | None:
    """How the figures of a station were come by; None where it has none."""
    if one.absence:
        return Method("table", None) if one.has_usable_rows else None
    return method_of_result(one.result)


def _beside(gathered: Gathered, format_name: str) -> tuple[Method, ...]:
    """What stands behind figures of our own, and comes out only if it is asked for."""
    is_there = format_name not in COUNT_FORMATS and any(one.has_usable_rows for one in gathered.stations)
    return (Method("table", None),) if is_there else ()


def _only(gathered: Gathered, method: Method) -> Gathered:
    """What is of one method; the rest is left out with the reason."""
    counts = tuple(one for one in gathered.counts if method_of_count(one) == method)
    others = [one for one in gathered.counts if method_of_count(one) != method]
    left_out = [LeftOut(one.tow.station, one.count.counter, _another(method_of_count(one))) for one in others]
    return replace(
        gathered,
        counts=counts,
        stations=tuple(_station_of(one, method) for one in gathered.stations),
        left_out=(*gathered.left_out, *left_out),
        holds_references=gathered.holds_references and method.origin != "own",
    )


def _station_of(one: GatheredStation, method: Method) -> GatheredStation:
    own = method_of_station(one)
    if method.origin == "table" and one.has_usable_rows:
        return replace(one, absence=one.absence or _another(own or method))  # what others say of it stands behind its own result
    if own == method:
        return replace(one, rows={})
    return replace(one, rows={}, absence=one.absence if own is None or own.origin == "table" else _another(own))


def _another(method: Method) -> str:
    return f"of another method than this file: {method.words}"


def _check_protocol(gathered: Gathered, choice: Choice) -> None:
    versions = sorted(one.version for one in gathered.protocols)
    if choice.protocol is not None and choice.protocol not in versions:
        there = f"Its versions are {', '.join(map(str, versions))}." if versions else "It has none yet."
        raise SettingsError(f"{gathered.survey.name} has no version {choice.protocol} of its protocol", advice=there)


def _asked(choice: Choice) -> list[str]:
    asked = [f"of the origin {choice.origin}"] if choice.origin else []
    return [*asked, f"counted under protocol {choice.protocol}"] if choice.protocol is not None else asked


def _listed(methods: Sequence[Method]) -> str:
    return "; ".join(one.words for one in methods)
