"""Can a CVAT nearby call the models, and do its calls end well? CVAT tells its users a number at most; the reason is told here."""

from __future__ import annotations

from datetime import datetime, timedelta

from annotator_bridge.facade.record import BridgeRecord, Failure, read_record
from edge.health.context import HealthContext
from edge.health.issue import Issue, IssueCode, Severity

TITLE = "A CVAT nearby can call the models"
CODES = frozenset(
    {
        IssueCode.BRIDGE_CALLS_FAILED,
        IssueCode.BRIDGE_CALLERS_REFUSED,
        IssueCode.BRIDGE_NOT_SERVING,
        IssueCode.BRIDGE_PACK_LEFT_OUT,
    }
)
_LATELY = timedelta(hours=1)
_REFUSED = {"caller_refused", "token_refused"}
_HARMLESS = {"caller_gone", "unknown_path"}  # somebody closed a page, or opened the address in a browser


def run_check(context: HealthContext) -> list[Issue]:
    """Issues of the last hour's calls, of an address that is not served, and of packs that give no function."""
    record = read_record(context.home)
    if record is None:
        return []
    lately = [failure for failure in record.failures if _is_late(failure, context.now_utc)]
    refused = [failure for failure in lately if failure.code in _REFUSED]
    failed = [failure for failure in lately if failure.code not in _REFUSED | _HARMLESS]
    return [*_not_serving(record), *_failed(failed), *_refused(refused), *_left_out(record)]


def _is_late(failure: Failure, now_utc: datetime) -> bool:
    try:
        return now_utc - datetime.fromisoformat(failure.at_utc) <= _LATELY
    except (ValueError, TypeError):
        return False


def _not_serving(record: BridgeRecord) -> list[Issue]:
    if not record.fault or not record.is_running:
        return []
    advice = (
        "Correct the setting that it names; of a taken port, end what has it, or give `cvat_port` another and CVAT_NUCLIO_PORT the same. "
        "It is tried again by itself; after a change of the settings start the appliance anew."
    )
    return [Issue(code=IssueCode.BRIDGE_NOT_SERVING, severity=Severity.WARNING, message=record.fault, advice=advice)]


def _failed(failed: list[Failure]) -> list[Issue]:
    if not failed:
        return []
    newest = failed[0]
    named = f"of {newest.function} " if newest.function else ""
    times = "1 call" if len(failed) == 1 else f"{len(failed)} calls"
    message = f"{times} from CVAT failed within an hour, the last {named}with {newest.status} ({newest.code}): {newest.reason}"
    advice = "The Annotate page lists the last calls that failed; CVAT itself shows the number only. Correct what it names and call again."
    return [Issue(code=IssueCode.BRIDGE_CALLS_FAILED, severity=Severity.WARNING, message=message, advice=advice)]


def _refused(refused: list[Failure]) -> list[Issue]:
    if not refused:
        return []
    callers = ", ".join(sorted({failure.caller for failure in refused})[:5])
    message = f"Calls of the models from {callers} were refused within an hour: {refused[0].reason}"
    advice = "If that is your CVAT, add its network to `cvat_allowed_from`, or give it the token (docs/cvat.md)."
    return [Issue(code=IssueCode.BRIDGE_CALLERS_REFUSED, severity=Severity.WARNING, message=message, advice=advice)]


def _left_out(record: BridgeRecord) -> list[Issue]:
    advice = "Install the pack again from its source, or remove its folder. All others are offered to CVAT."
    return [
        Issue(
            code=IssueCode.BRIDGE_PACK_LEFT_OUT,
            severity=Severity.NOTICE,
            reference=name,
            message=f"The pack {name} is not offered to CVAT: {reason}",
            advice=advice,
        )
        for name, reason in record.left_out
    ]
