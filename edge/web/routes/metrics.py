"""Figures for a Prometheus on the ship's network, and the answer to "are you well?"."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from fastapi import APIRouter, Request
from fastapi.responses import Response
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from pydantic import BaseModel

from edge.store.reads import condition, overview
from edge.store.reads.files import FileState
from edge.web.appliance import Appliance, Phase
from edge.web.deps import ApplianceHere
from edge.web.errors import Problem, RequestError

router = APIRouter(tags=["read"])


class Health(BaseModel):
    """The appliance is well: the database answers and no worker has failed."""

    status: Literal["ok"] = "ok"
    phase: Phase
    software_version: str


@router.get("/healthz", summary="Is it well?", responses={503: {"model": Problem}})
def healthz(appliance: ApplianceHere) -> Health:
    """200 only when the database answers and no worker, model or part of the appliance has failed; 503 says what is wrong."""
    with appliance.reader() as connection:
        condition.answers(connection)
    live = appliance.live()
    faults = [f"worker of {worker.recipe}: {worker.detail or 'failed'}" for worker in live.workers if worker.state == "failed"]
    faults += [f"model of {model.recipe}: {model.detail or 'failed'}" for model in live.models if model.state == "failed"]
    faults += live.faults
    if faults:
        raise RequestError(503, Problem(code="failing", message="; ".join(faults), advice="The Health page says what to do."))
    return Health(phase=live.phase, software_version=live.software_version)


@router.get("/metrics", summary="Prometheus metrics", response_class=Response)
def metrics(request: Request, appliance: ApplianceHere) -> Response:
    """The text format of Prometheus."""
    registry = CollectorRegistry()
    registry.register(_Figures(appliance, request.app.state.failed_requests))
    return Response(generate_latest(registry), media_type="text/plain; version=0.0.4; charset=utf-8")


class _Figures:
    """Reads everything at the moment of the scrape."""

    def __init__(self, appliance: Appliance, failed_requests: int) -> None:
        self._appliance = appliance
        self._failed_requests = failed_requests

    def collect(self) -> Iterable[Metric]:
        """One family per kind of figure."""
        with self._appliance.reader() as connection:
            totals = overview.totals_by_recipe(connection)
            issues = condition.open_issue_counts(connection)
        yield from _totals(totals, issues)
        yield from _live(self._appliance)
        failed = CounterMetricFamily("imagine_edge_failed_requests", "Pages and API calls that ended in an internal error")
        failed.add_metric([], self._failed_requests)
        yield failed


def _totals(totals: tuple[overview.RecipeTotals, ...], issues: dict[str, int]) -> Iterable[Metric]:
    files = GaugeMetricFamily("imagine_edge_files", "Files by recipe and state", labels=["recipe", "state"])
    objects = GaugeMetricFamily("imagine_edge_objects", "Counted objects of current results that are not sealed", labels=["recipe"])
    sealed = GaugeMetricFamily("imagine_edge_sealed_results", "Results sealed until their counts are signed", labels=["recipe"])
    for one in totals:
        if one.objects is not None:
            objects.add_metric([one.recipe], one.objects)
        sealed.add_metric([one.recipe], one.sealed)
        for state in FileState:
            files.add_metric([one.recipe, state.value], one.in_state(state))
    opened = GaugeMetricFamily("imagine_edge_open_issues", "Open issues by severity", labels=["severity"])
    for severity in ("notice", "warning", "error"):
        opened.add_metric([severity], issues.get(severity, 0))
    yield from (files, objects, sealed, opened)


def _live(appliance: Appliance) -> Iterable[Metric]:
    live = appliance.live()
    phase = GaugeMetricFamily("imagine_edge_phase", "1 for the present phase", labels=["phase"])
    for one in Phase:
        phase.add_metric([one.value], float(one is live.phase))
    yield phase
    yield GaugeMetricFamily("imagine_edge_queue_length", "Jobs that wait", value=live.queue_length)
    yield GaugeMetricFamily("imagine_edge_in_flight", "Files in the workers' hands", value=len(live.in_flight))
    yield GaugeMetricFamily("imagine_edge_images_per_second", "Results per second over a minute", value=live.images_per_s or 0.0)
    yield GaugeMetricFamily("imagine_edge_disk_free_bytes", "Free space of the home folder", value=live.disk.free_bytes)
    yield GaugeMetricFamily("imagine_edge_disk_floor_bytes", "Below this nothing new is taken", value=live.disk.floor_bytes)
    memory = GaugeMetricFamily("imagine_edge_worker_resident_bytes", "Memory of the workers", labels=["recipe"])
    for recipe in dict.fromkeys(worker.recipe for worker in live.workers):
        memory.add_metric([recipe], sum(worker.rss_bytes for worker in live.workers if worker.recipe == recipe))
    yield memory
    reachable = GaugeMetricFamily("imagine_edge_root_reachable", "1 if a watched folder can be read", labels=["path"])
    for root in live.roots:
        reachable.add_metric([root.path], float(root.reachable))
    yield reachable
