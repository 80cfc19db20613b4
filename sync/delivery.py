"""One bundle to one far side: asked first whether it is there, brought, asked again, and only then called sent."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, Literal

import structlog

from edge.errors import ServerFailedError, ServerRefusedError, TransportError
from edge.store import bundles
from edge.store.clock import utc_text
from edge.store.reads.ashore import OpenDelivery
from edge.store.sqlite import Connection
from edge.store.writer import Writes
from sync.bundle.files import SUFFIX
from sync.link.errors import NotNowError
from sync.sinks.sink import NotConfirmedError, Sink, Spend, Upload

log = structlog.get_logger()

FIRST_WAIT_S = 15.0
LONGEST_WAIT_S = 3600.0

Outcome = Literal["confirmed", "failed", "not_now", "refused", "lost"]


def key_of(delivery: OpenDelivery, vessel_uuid: str) -> str:
    """The key of a bundle at every far side: by ship and day, named by its content, so that the same again is the same place."""
    year, month, day = delivery.made_utc[:10].split("-")
    return f"v1/{vessel_uuid}/{year}/{month}/{day}/{delivery.sha256}{SUFFIX}"


def deliver(
    delivery: OpenDelivery,
    path: Path,
    sink: Sink,
    spend: Spend,
    *,
    vessel_uuid: str,
    writer: Writes,
    jitter: float,
    on_error: Callable[[TransportError], object] = lambda _: None,
) -> Outcome:
    """Bring a bundle to a far side.

    Args:
        delivery: the bundle, and how often it was tried.
        path: its file aboard.
        sink: the far side.
        spend: what it may cost.
        vessel_uuid: whose it is.
        writer: writes down how it went.
        jitter: from 0 to 1, by chance: how much of the wait before the next attempt is waited.
        on_error: is told why it did not arrive.

    Returns:
        confirmed: the far side has it, with its size and its hash, as it says itself.
        failed: it is tried again later; the reason stands with the delivery.
        not_now: the link is not used for a while; the far side was not at fault, and is none the wiser.
        refused: it will be refused again until a person has looked.
        lost: its file aboard is gone or damaged; its results wait for another bundle.
    """
    if not _is_whole(path, delivery.sha256):
        log.error("bundle_lost", sha256=delivery.sha256, path=str(path))
        writer.call(partial(bundles.take_back, bundle_id=delivery.bundle_id))
        return "lost"
    notes = _Notes(writer, delivery.bundle_id, sink.name)
    notes.attempt()
    try:
        _bring(delivery, path, sink, spend, key=key_of(delivery, vessel_uuid), notes=notes)
    except NotNowError as error:
        on_error(error)
        notes.put_back(error)
        return "not_now"
    except TransportError as error:
        on_error(error)
        is_refused = isinstance(error, ServerRefusedError)
        wait_s = _wait_s(error, delivery.attempts, jitter)
        notes.failure(error, None if is_refused else utc_text(datetime.now(UTC) + timedelta(seconds=wait_s)))
        return "refused" if is_refused else "failed"
    notes.confirmed()
    return "confirmed"


def _bring(delivery: OpenDelivery, path: Path, sink: Sink, spend: Spend, *, key: str, notes: _Notes) -> None:
    def is_there() -> bool:
        return sink.holds(key, size_bytes=delivery.size_bytes, sha256=delivery.sha256)

    if is_there():
        return
    sink.put(key, path, sha256=delivery.sha256, upload=Upload(state=delivery.upload, keep=notes.upload), spend=spend)
    if not is_there():
        raise NotConfirmedError(f"{sink.name} took the bundle {delivery.sha256[:12]} and does not have it as it was sent")


class _Notes:
    """Writes down how the delivery of one bundle to one far side goes."""

    def __init__(self, writer: Writes, bundle_id: int, sink: str) -> None:
        self._writer, self._bundle_id, self._sink = writer, bundle_id, sink

    def attempt(self) -> None:
        self._writer.call(lambda connection: bundles.note_attempt(connection, self._bundle_id, self._sink))

    def upload(self, state: Mapping[str, Any] | None) -> None:
        self._writer.call(lambda connection: bundles.note_upload(connection, self._bundle_id, self._sink, state))

    def confirmed(self) -> None:
        def work(connection: Connection) -> None:
            bundles.confirm(connection, self._bundle_id, self._sink)
            bundles.note_contact(connection, self._sink, is_reached=True)

        self._writer.call(work)

    def put_back(self, error: NotNowError) -> None:
        """It waits for the link, and for nothing else: the far side was not tried."""
        until_utc = utc_text(datetime.now(UTC) + timedelta(seconds=error.after_s))
        note = partial(bundles.note_failure, code=error.code, words=str(error), next_try_utc=until_utc)
        self._writer.call(lambda connection: note(connection, self._bundle_id, self._sink))

    def failure(self, error: TransportError, next_try_utc: str | None) -> None:
        """Without a next time it was refused."""
        code, words = error.code, str(error)
        log.warning("delivery_failed", bundle_id=self._bundle_id, sink=self._sink, code=code, error=words, next_try_utc=next_try_utc)

        def work(connection: Connection) -> None:
            bundles.note_failure(
                connection,
                self._bundle_id,
                self._sink,
                code=code,
                words=words,
                next_try_utc=next_try_utc,
                is_refused=next_try_utc is None,
            )
            bundles.note_contact(connection, self._sink, is_reached=False, code=code, words=words)

        self._writer.call(work)


def _wait_s(error: TransportError, attempts: int, jitter: float) -> float:
    """Doubling with full jitter: a fleet that comes back into coverage does not call all at once.

    https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/
    """
    longest_s = min(LONGEST_WAIT_S, FIRST_WAIT_S * 2.0 ** min(attempts, 20))
    asked_s = error.after_s if isinstance(error, ServerFailedError) and error.after_s else 0.0
    return max(asked_s, longest_s * jitter)


def _is_whole(path: Path, sha256: str) -> bool:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest() == sha256
    except OSError:
        return False
