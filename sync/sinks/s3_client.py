"""A client of S3 that makes and signs requests as botocore does, and sends them over a `Wire`.

Real servers beside Amazon's enforce two things only: Content-MD5, and the hash of the body in the signature. So both always go along, and
the newer checksums, which some of those servers refuse, do not. Tries are counted by whoever delivers, not in here.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import Any

from edge.errors import LoginNeededError, ServerFailedError, TransportError
from edge.sink_settings import SinkSettings
from sync.link.answers import LOGIN_ADVICE, Answer, clock_of, no_answer, refusal
from sync.link.errors import ClockWrongError
from sync.link.sockets import STALL_S
from sync.link.wire import CONNECT_S, Wire
from sync.sinks.secrets import Secret
from sync.sinks.sink import NotConfirmedError, SinkFullError

_UNKNOWN = {"InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken", "InvalidToken", "TokenRefreshRequired"}
_CLOCK = {"RequestTimeTooSkewed", "RequestExpired"}
_FULL = {
    "QuotaExceeded",
    "InsufficientStorage",
    "StorageFull",
    "XMinioStorageFull",
    "XMinioAdminBucketQuotaExceeded",
    "ServiceQuotaExceeded",
}
_DAMAGED = {"BadDigest", "XAmzContentSHA256Mismatch", "IncompleteBody", "InvalidDigest", "XAmzContentChecksumMismatch"}
_LATER = {
    "SlowDown",
    "RequestTimeout",
    "InternalError",
    "ServiceUnavailable",
    "OperationAborted",
    "ThrottlingException",
    "NoSuchUpload",
    "InvalidPart",
}


def make_client(settings: SinkSettings, secret: Secret, wire: Wire) -> Any:
    """A client of `settings.url` for the calls of one thread. Nothing of ~/.aws and of AWS_* variables is read."""
    from botocore.config import Config

    client = _session().create_client(
        "s3",
        endpoint_url=settings.url.rstrip("/"),
        region_name=settings.region,
        aws_access_key_id=secret.name,
        aws_secret_access_key=secret.word,
        config=Config(
            signature_version="s3v4",
            s3={"addressing_style": "path", "payload_signing_enabled": True},
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
            use_fips_endpoint=False,
            use_dualstack_endpoint=False,
            retries={"total_max_attempts": 1, "mode": "standard"},
            connect_timeout=CONNECT_S,
            read_timeout=STALL_S,
        ),
    )
    client.meta.events.register("before-send.s3", _sender(wire))
    return client


@cache
def _session() -> Any:
    """What describes S3, read once (0.2 s). Its variables have no names in the environment and no files."""
    import botocore.session

    nowhere = {"profile": None, "config_file": os.devnull, "credentials_file": os.devnull}
    return botocore.session.Session(session_vars={name: (None, None, default, None) for name, default in nowhere.items()})


def _sender(wire: Wire) -> Callable[..., Any]:
    """What botocore calls instead of its own connections: its answer is taken as the server's."""
    from botocore.awsrequest import AWSResponse

    def send(request: Any, **_: Any) -> Any:
        body = _content(request.body)
        headers = {name: _text(value) for name, value in request.headers.items()}
        # It would cost a round trip; what is refused is refused all the same. Lengths are the wire's.
        headers = {name: value for name, value in headers.items() if name.lower() not in {"expect", "content-length", "user-agent", "host"}}
        answer = wire.ask(request.method, request.url, headers=headers, body=(body,), size_bytes=len(body))
        _is_of_s3(wire.server, request.method, answer)
        return AWSResponse(request.url, answer.status, answer.headers, _Raw(answer.content))

    return send


def _content(body: Any) -> bytes:
    """A body that was signed; it is a part at most."""
    if hasattr(body, "read"):
        body.seek(0)
        body = body.read()
    return bytes(body or b"")


class _Raw:
    """A body as botocore reads it."""

    def __init__(self, content: bytes) -> None:
        self._content = content

    def stream(self, **_: Any) -> Iterator[bytes]:
        yield self._content


def _text(value: str | bytes) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else value


def _is_of_s3(server: str, method: str, answer: Answer) -> None:
    """Refuse what a sign-in page of a network says in the server's stead: 200 with a page for people above all."""
    if answer.is_page:
        raise no_answer(server, "a page instead of what a bucket says")
    if answer.status == 200 and not ("etag" in answer.headers if method in {"HEAD", "PUT"} else answer.content):
        raise no_answer(server, "a success that names no content")
    if 300 <= answer.status < 400 and b"<Code>" not in answer.content and answer.status != 304:
        raise no_answer(server, f"a redirect ({answer.status})")


def told(server: str, error: Exception) -> Exception:
    """What botocore raises, as an error of ours; any other as it is."""
    from botocore.exceptions import BotoCoreError, ClientError
    from botocore.parsers import ResponseParserError

    if isinstance(error, ClientError):
        return _refused(server, error.response)
    if isinstance(error, ResponseParserError):
        return no_answer(server, "something that is no answer of a bucket")
    if isinstance(error, BotoCoreError):
        return ServerFailedError(f"{server} could not be asked: {error}")
    return error


def _refused(server: str, response: Mapping[str, Any]) -> TransportError:
    code, words = response.get("Error", {}).get("Code", ""), response.get("Error", {}).get("Message", "")
    about = response.get("ResponseMetadata", {})
    headers = {name.lower(): str(value) for name, value in about.get("HTTPHeaders", {}).items()}
    status = int(about.get("HTTPStatusCode") or 500)
    line = f"{code}: {words}" if words else code
    if code in _CLOCK:
        theirs = clock_of(headers)
        return ClockWrongError(f"{server} does not believe this machine's clock{f': its own says {theirs}' if theirs else ''} ({code})")
    if code in _UNKNOWN:
        return LoginNeededError(f"{server} does not know these keys ({line})", advice=LOGIN_ADVICE)
    if code in _FULL:
        return SinkFullError(f"{server} has no room ({line})")
    if code in _DAMAGED:
        return NotConfirmedError(f"{server} got something else than was sent ({line})")
    if code in _LATER:
        status = 503
    refused = refusal(server, status, told=line, headers=headers)
    if code == "AccessDenied":
        refused = type(refused)(str(refused), advice="The keys need s3:PutObject, s3:GetObject, s3:ListBucket and s3:AbortMultipartUpload.")
    return refused
