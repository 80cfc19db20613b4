"""CVAT through its own package, where it is installed and fits the server (same major and minor version).

The package is no dependency of the appliance: it brings several megabytes of generated code, and one version of it fits one version of
the server. What it adds is that requests and answers are checked against that version's own description. Files go by `tus` all the same:
the package's uploads begin anew after a cut.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Sequence
from importlib import metadata
from typing import Any, Literal

from annotator_bridge.cvat import wire
from annotator_bridge.cvat.link import ANSWER_S, CONNECT_S, Carrier, Reply, Wait, refusal
from annotator_bridge.cvat.login import Login
from annotator_bridge.cvat.rest import NOT_FOUND, RestServer
from annotator_bridge.cvat.server import Document, RemoteJob, RemoteLabel, RemoteTask, ServerAbout, TaskMeta, generation_of
from annotator_bridge.functions.function import Label
from edge.errors import LinkDownError, ServerFailedError, ServerRefusedError

_PAGE = 500
_TIMES_S = (CONNECT_S, ANSWER_S)


def sdk_generation() -> tuple[int, int] | None:
    """(major, minor) of the package; None if it is not installed."""
    try:
        return generation_of(metadata.version("cvat-sdk"))
    except metadata.PackageNotFoundError:
        return None


class SdkServer(RestServer):
    """See `CvatServer`. What the package has no call for goes over REST."""

    how: Literal["rest", "sdk"] = "sdk"

    def __init__(self, login: Login, carrier: Carrier, *, wait: Wait) -> None:
        """Loads the package; `close` it."""
        super().__init__(carrier, wait=wait)
        from cvat_sdk.api_client import ApiClient, Configuration

        configuration = Configuration(host=login.server)
        if login.scheme == "Bearer":
            configuration.access_token = login.token
        else:
            configuration.api_key["tokenAuth"] = login.token
            configuration.api_key_prefix["tokenAuth"] = "Token"
        self._server = login.server
        self._api = ApiClient(configuration)
        pool = self._api.rest_client.pool_manager
        pool.request = functools.partial(pool.request, redirect=False, retries=False)  # a token goes nowhere else

    def close(self) -> None:
        """Let the connections go."""
        self._api.rest_client.pool_manager.clear()
        self._api.close()

    def about(self) -> ServerAbout:
        """Checks all that the server says of itself: another version's answer does not pass."""
        return wire.read_about(self._asked(self._api.server_api.retrieve_about))

    def who(self) -> str:
        """See `RestServer`."""
        return wire.one_line(self._asked(self._api.users_api.retrieve_self)["username"])

    def find_task(self, suffix: str) -> RemoteTask | None:
        """See `RestServer`."""
        wanted = "".join(letter for letter in suffix if letter.isalnum())
        found = [wire.read_task(one, self._server) for one in self._all(self._api.tasks_api.list, search=wanted)]
        return min((task for task in found if task.name.endswith(suffix)), key=lambda task: task.id, default=None)

    def task(self, task_id: int) -> RemoteTask | None:
        """See `RestServer`."""
        try:
            return wire.read_task(self._asked(self._api.tasks_api.retrieve, id=task_id), self._server)
        except ServerRefusedError as error:
            if error.status == NOT_FOUND:
                return None
            raise

    def create_task(self, name: str, labels: Sequence[Label], segment_size: int) -> int:
        """See `RestServer`."""
        from cvat_sdk.api_client import models

        body = {"name": name, "labels": wire.labels_json(labels), "segment_size": segment_size, "overlap": 0}
        request = self._made(models.TaskWriteRequest, body)
        return wire.read_task(self._asked(self._api.tasks_api.create, task_write_request=request), self._server).id

    def meta(self, task_id: int) -> TaskMeta:
        """See `RestServer`."""
        return wire.read_meta(self._asked(self._api.tasks_api.retrieve_data_meta, id=task_id))

    def jobs(self, task_id: int) -> tuple[RemoteJob, ...]:
        """See `RestServer`."""
        found = [wire.read_job(one) for one in self._all(self._api.jobs_api.list, task_id=task_id)]
        return tuple(sorted((job for job in found if job.task_id == task_id), key=lambda job: (job.first_frame, job.id)))

    def labels(self, task_id: int) -> tuple[RemoteLabel, ...]:
        """See `RestServer`."""
        return tuple(wire.read_label(one) for one in self._all(self._api.labels_api.list, task_id=task_id))

    def job_annotations(self, job_id: int) -> Document:
        """See `RestServer`."""
        return wire.read_document(self._asked(self._api.jobs_api.retrieve_annotations, id=job_id))

    def task_annotations(self, task_id: int) -> Document:
        """See `RestServer`."""
        return wire.read_document(self._asked(self._api.tasks_api.retrieve_annotations, id=task_id))

    def add_annotations(self, task_id: int, document: Document) -> None:
        """See `RestServer`."""
        from cvat_sdk.api_client import models

        request = self._made(models.PatchedLabeledDataRequest, document)
        self._asked(self._api.tasks_api.partial_update_annotations, action="create", id=task_id, patched_labeled_data_request=request)

    def _made(self, model: Any, value: dict[str, Any]) -> Any:
        """A request of the package's own kind, checked by it."""
        from cvat_sdk.api_client.exceptions import OpenApiException

        try:
            return model._from_openapi_data(**value, _configuration=self._api.configuration)  # noqa: SLF001 (the way in from JSON)
        except OpenApiException as error:
            raise ServerRefusedError(f"cvat-sdk does not take the request: {wire.one_line(error)}") from error

    def _all(self, call: Callable[..., Any], **params: Any) -> list[Any]:
        found: list[Any] = []
        page = 1
        while True:
            answer = self._asked(call, **params, page=page, page_size=_PAGE)
            found += answer["results"]
            if not answer["next"]:
                return found
            page += 1

    def _asked(self, call: Callable[..., Any], **params: Any) -> Any:
        """The JSON of an answer that the package found to be as it should."""
        import urllib3
        from cvat_sdk.api_client.exceptions import ApiException, OpenApiException

        try:
            _, response = call(**params, _request_timeout=_TIMES_S)
        except ApiException as error:
            if not error.status:
                raise LinkDownError(f"{self._server} cannot be reached: {wire.one_line(error.reason)}") from error
            content = error.body if isinstance(error.body, bytes) else str(error.body or "").encode()
            headers = {str(name).lower(): str(value) for name, value in (error.headers or {}).items()}
            raise refusal(self._server, Reply(status=error.status, headers=headers, content=content)) from error
        except (
            OpenApiException,
            TypeError,
            ValueError,
            KeyError,
            AttributeError,
        ) as error:  # its own code stumbles over what lacks a field
            raise ServerFailedError(f"the answer of {self._server} is not what cvat-sdk expects: {wire.one_line(error)}") from error
        except urllib3.exceptions.HTTPError as error:
            raise LinkDownError(f"{self._server} cannot be reached: {wire.one_line(error)}") from error
        try:
            return json.loads(response.data) if response.data else None
        except ValueError as error:
            raise ServerFailedError(f"{self._server} answers with a page instead of an answer") from error
