"""Wires the desk of ZooScan scans to what looks at pixels, and to the model that serves its recipe."""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog

from edge.errors import ModelError
from edge.recipes.zooscan import ZOOSCAN
from edge.zooscan.desk.desk import ScanDesk
from edge.zooscan.engine.engine import PixelEngine, ServingClassifier

if TYPE_CHECKING:
    from edge.service import Service

log = structlog.get_logger()


def open_scan_desk(service: Service) -> ScanDesk:
    """The desk of scans of a service."""
    return ScanDesk(service.home, service.writer, service.reader, PixelEngine(service.home, classifier=lambda: serving_classifier(service)))


def serving_classifier(service: Service) -> ServingClassifier | None:
    """What tells multiples at the moment, proven on this machine; None where no pack serves, and nothing then has a score."""
    from edge.zooscan.multiples import ClassifierSpec

    keeper = service.keeper
    keeper.install_bundled()
    try:
        row = keeper.active(ZOOSCAN.name, ZOOSCAN.starter_pack)
    except ModelError as error:
        log.warning("no_classifier_of_multiples", error=str(error))
        return None
    verdict = keeper.choose(row)
    spec = ClassifierSpec(pack_path=row.pack_path, variant=verdict.name, device=verdict.device.split(" ")[0], cache_dir=keeper.driver_cache)
    return ServingClassifier(model_id=row.model_id, spec=spec)
