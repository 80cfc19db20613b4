"""Let schemathesis call each operation of an API description a few times, and say what does not hold."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

import jsonschema_rs
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from schemathesis.checks import not_a_server_error
from schemathesis.core.errors import InvalidSchema
from schemathesis.specs.openapi.checks import content_type_conformance, response_schema_conformance, status_code_conformance

CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance]
Change = Callable[[Any], None]


@dataclass(slots=True)
class Outcome:
    """What came of it: answers by status, and what each operation did that its description does not say."""

    statuses: dict[int, int] = field(default_factory=dict)
    operations: int = 0
    faults: dict[str, str] = field(default_factory=dict)


def fuzz(
    document: dict[str, Any],
    base_url: str,
    *,
    examples: int,
    headers: Mapping[str, str] | None = None,
    leave_out: Collection[str] = (),
    change: Change = lambda _case: None,
) -> Outcome:
    """Call every operation so often.

    Args:
        document: OpenAPI 3.1 or Swagger 2.0.
        base_url: where it is served.
        leave_out: paths that are not called.
        change: may change a case before it is sent, such as to let its ids be some that there are.
    """
    outcome = Outcome()
    with requests.Session() as session:
        session.trust_env = False
        session.headers.update(headers or {})
        operations: list[Any] = [result.ok() for result in _results(document)]
        for operation in operations:
            if operation.path not in leave_out:
                outcome.operations += 1
                _call(operation, document, base_url, session, outcome, examples, change)
    return outcome


def _results(document: dict[str, Any]) -> Any:
    return schemathesis.openapi.from_dict(document).get_all_operations()


def _call(
    operation: Any, document: dict[str, Any], base_url: str, session: requests.Session, outcome: Outcome, examples: int, change: Change
) -> None:
    @seed(0)
    @settings(max_examples=examples, database=None, deadline=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
    @given(case=operation.as_strategy())
    def run(case: Any) -> None:
        change(case)
        answer = case.call(base_url=base_url, session=session, timeout=60)
        outcome.statuses[answer.status_code] = outcome.statuses.get(answer.status_code, 0) + 1
        try:
            told = operation.definition.raw.get("responses", {})
            checks = CHECKS if str(answer.status_code) not in told else CHECKS[1:]  # a 503 that is told is no bug
            case.validate_response(answer, checks=checks)
            _check_document(case, answer, told, document)
        except BaseExceptionGroup as faults:
            outcome.faults.setdefault(operation.label, "\n".join(str(fault) for fault in faults.exceptions))
        except AssertionError as fault:
            outcome.faults.setdefault(operation.label, str(fault))

    run()


def _check_document(case: Any, answer: Any, told: dict[str, Any], document: dict[str, Any]) -> None:
    try:
        case.validate_response(answer, checks=[response_schema_conformance])
    except InvalidSchema:
        # schemathesis 4.32 turns the `prefixItems` of a tuple into a list of `items`, which it then refuses.
        schema = told[str(answer.status_code)]["content"]["application/json"]["schema"]
        validator = jsonschema_rs.Draft202012Validator({**schema, "components": document["components"]})
        wrong = [error.message for error in validator.iter_errors(answer.json())]
        assert not wrong, wrong[0]
