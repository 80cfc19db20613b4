"""Wires the desk of annotation: to the CVAT server of the settings, and to what is known of the models that CVAT calls."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from annotator_bridge.cvat.address import checked_address
from annotator_bridge.cvat.desk import AnnotationDesk
from annotator_bridge.cvat.shown import FacadeFailure, FacadeFunction, FacadeStatus
from annotator_bridge.facade.record import read_record
from annotator_bridge.functions.catalogue import list_functions
from edge.errors import EdgeError
from edge.settings import Settings

if TYPE_CHECKING:
    from edge.service import Service
    from edge.store.sqlite import Connection
    from edge.store.writer import Writes


def open_annotation_desk(service: Service) -> AnnotationDesk:
    """The desk of annotation of a service.

    Raises:
        SettingsError: the address of the CVAT server cannot be used.
    """
    return annotation_desk(service.home, service.settings, service.writer, service.reader)


def annotation_desk(
    home: Path, settings: Settings, writer: Writes, reader: Callable[[], AbstractContextManager[Connection]]
) -> AnnotationDesk:
    """The desk of annotation of a home folder.

    Raises:
        SettingsError: the address of the CVAT server cannot be used.
    """
    from edge.recipes.footage_hands import footage_hands

    server = checked_address(settings.cvat_url, plain_allowed=settings.cvat_plain_http) if settings.cvat_url.strip() else ""
    return AnnotationDesk(
        home,
        writer,
        reader,
        settings=settings,
        server=server,
        facade=partial(facade_status, home, settings),
        hands=partial(footage_hands, settings),
    )


def facade_status(home: Path, settings: Settings) -> FacadeStatus:
    """What is known of the models that CVAT may call, from their record in the home folder; loads no model."""
    try:
        functions, trouble = list_functions(home), ""
    except EdgeError as error:
        functions, trouble = (), f"{error}. {error.advice()}"
    record = read_record(home)
    if record is None:
        told = tuple(FacadeFunction(id=one.id, kind=one.kind, title=one.title, pack=one.pack) for one in functions)
        return FacadeStatus(is_on=settings.cvat_bridge, functions=told, trouble=trouble)
    calls = record.functions
    told = tuple(
        FacadeFunction(id=one.id, kind=one.kind, title=one.title, pack=one.pack, calls=calls[one.id].calls, p95_ms=calls[one.id].p95_ms)
        if one.id in calls
        else FacadeFunction(id=one.id, kind=one.kind, title=one.title, pack=one.pack)
        for one in functions
    )
    left_out = tuple(f"{name} is left out: {reason}" for name, reason in record.left_out)
    return FacadeStatus(
        is_on=settings.cvat_bridge,
        is_running=record.is_serving,
        url=record.url if record.is_serving else "",
        since_utc=record.since_utc,
        calls=record.calls,
        failed=record.failed,
        p95_ms=record.p95_ms,
        functions=told,
        failures=tuple(
            FacadeFailure(at_utc=one.at_utc, function=one.function, status=one.status, code=one.code, reason=one.reason)
            for one in record.failures
        ),
        trouble="; ".join(filter(None, (record.fault, trouble, *left_out))),
    )
