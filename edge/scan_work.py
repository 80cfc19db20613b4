"""Wires the desks of ZooScan: that of scans to what looks at pixels and to the model of its recipe, that of EcoTaxa to the export."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import structlog

from edge.errors import ModelError, SettingsError
from edge.health.disk import DiskGuard, DiskLevel
from edge.pipeline.keeper import ModelKeeper
from edge.recipes.zooscan import ZOOSCAN
from edge.settings import Settings
from edge.store import files
from edge.store.connection import DATABASE_NAME, open_reader
from edge.store.sqlite import Connection
from edge.store.writer import Writer
from edge.zooscan.desk.desk import ScanDesk
from edge.zooscan.desk.queueing import DeskSettings
from edge.zooscan.ecotaxa.address import checked_server
from edge.zooscan.ecotaxa.desk import EcotaxaDesk
from edge.zooscan.engine.engine import PixelEngine, ServingClassifier

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from edge.service import Service
    from edge.settings import Settings
    from edge.store.sqlite import Connection
    from edge.store.writer import Writes

log = structlog.get_logger()

INBOX_FOLDER = "inbox"


def open_scan_desk(service: Service) -> ScanDesk:
    """The desk of scans of a service; it looks at no folder yet."""
    return ScanDesk(
        service.home,
        service.writer,
        service.reader,
        _engine(service.home, service.settings, lambda: service.keeper),
        settings=_desk_settings(service.settings),
        may_begin=service.may_take,
        may_work=service.may_work,
    )


@contextmanager
def scan_desk_alone(home: Path, settings: Settings, writer: Writer) -> Iterator[ScanDesk]:
    """The desk of scans without a service, for a command that holds the home folder; it looks at nothing by itself."""

    @contextmanager
    def reader() -> Iterator[Connection]:
        connection = open_reader(home / DATABASE_NAME)
        try:
            yield connection
        finally:
            connection.close()

    keeper = ModelKeeper(home, writer)
    disk = DiskGuard.for_home(home, settings)
    desk = ScanDesk(
        home,
        writer,
        reader,
        _engine(home, settings, lambda: keeper),
        settings=_desk_settings(settings),
        may_begin=lambda: disk.look() is DiskLevel.OK,
        may_work=lambda: disk.look() is not DiskLevel.FULL,
    )
    desk.reclaim()
    yield desk


def _engine(home: Path, settings: Settings, keeper: Callable[[], ModelKeeper]) -> PixelEngine:
    return PixelEngine(
        home,
        classifier=lambda: serving_classifier(keeper()),
        threshold=settings.zooscan_multiple_score,
        separate=settings.zooscan_separate,
    )


def _desk_settings(settings: Settings) -> DeskSettings:
    return DeskSettings(rescan_s=settings.rescan_s, settle_s=settings.settle_s, attempts=settings.worker_attempts)


def watch_projects(service: Service) -> None:
    """Let the desk look at the inbox for projects, and at the folders of the settings that hold them.

    Raises:
        SettingsError: such a folder lies where files are taken from, or its files are to be copied.
    """
    inbox = service.home / INBOX_FOLDER / ZOOSCAN.name
    inbox.mkdir(parents=True, exist_ok=True)
    wanted = [watched for watched in service.settings.watched if watched.recipe == ZOOSCAN.name]
    for watched in wanted:
        if watched.intake == "copy":
            advice = "Leave `intake` out: projects are read where they are."
            raise SettingsError(f"the ZooScan projects of {watched.path} cannot be copied into the home folder", advice=advice)
        for root in service.writer.call(files.list_roots):
            if watched.path.absolute().is_relative_to(root.path):
                raise SettingsError(f"{watched.path} lies in {root.path}, which is watched with the recipe {root.recipe}")
    service.scans.folders = (inbox, *(watched.path.absolute() for watched in wanted))


def open_ecotaxa_desk(service: Service) -> EcotaxaDesk:
    """The desk of EcoTaxa of a service.

    Raises:
        SettingsError: the address of the server cannot be used.
    """
    return ecotaxa_desk(service.home, service.settings, service.writer, service.reader)


def ecotaxa_desk(home: Path, settings: Settings, writer: Writes, reader: Callable[[], AbstractContextManager[Connection]]) -> EcotaxaDesk:
    """The desk of EcoTaxa of a home folder.

    Raises:
        SettingsError: the address of the server cannot be used.
    """

    def archive(scan_id: int, folder: Path) -> Path:
        from edge.recipes.scan_export import make_archive

        with reader() as connection:
            return make_archive(connection, home, scan_id, folder)

    return EcotaxaDesk(
        home,
        writer,
        reader,
        server=checked_server(settings.ecotaxa_url, plain_allowed=settings.ecotaxa_plain_http),
        project_id=settings.ecotaxa_project,
        make_archive=archive,
    )


def serving_classifier(keeper: ModelKeeper) -> ServingClassifier | None:
    """What tells multiples at the moment; None where no pack serves, and nothing then has a score.

    A pack whose variants were never measured here is not measured now, which takes seconds: the first variant whose goldens hold serves,
    and they are looked at whenever it is loaded. `models prove` and activating a pack measure them all.

    Raises:
        ModelError: variants were measured here, and none works.
    """
    from edge.zooscan.multiples import ClassifierSpec

    keeper.install_bundled()
    try:
        row = keeper.active(ZOOSCAN.name, ZOOSCAN.starter_pack)
    except ModelError as error:
        log.warning("no_classifier_of_multiples", error=str(error))
        return None
    if not keeper.verdicts(row):
        return ServingClassifier(model_id=row.model_id, spec=ClassifierSpec(pack_path=row.pack_path))
    verdict = keeper.choose(row)
    spec = ClassifierSpec(pack_path=row.pack_path, variant=verdict.name, device=verdict.device.split(" ")[0], cache_dir=keeper.driver_cache)
    return ServingClassifier(model_id=row.model_id, spec=spec)
