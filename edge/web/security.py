"""What every answer forbids the browser to do, and which requests may change anything.

Nothing is loaded from elsewhere, no script or style stands in a page, no page may be framed. A write must come from
our own page, or from a program that sends neither `Origin` nor `Sec-Fetch-Site` (such as curl).
"""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from edge.units import mib_to_bytes

MAX_BODY_BYTES = 256 * 1024
UPLOAD_PATH = "/api/models/upload"
MAX_UPLOAD_BYTES = mib_to_bytes(2048)
SHEET_PATH = "/api/sheet/import"
MAX_SHEET_BYTES = mib_to_bytes(24)  # 16 MiB as base64
TRACK_PATH = re.compile(r"/api/tows/\d{1,18}/tracks/upload")
TABLE_PATH = re.compile(r"/api/surveys/\d{1,18}/tables")
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}


class SecurityHeaders:
    """Adds the headers above to every answer, and keeps pages with data out of caches."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on; complete the answer's headers."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
                headers.setdefault("cache-control", "no-store")
            await send(message)

        await self._app(scope, receive, send_with_headers)


class WriteGuard:
    """Refuses writes that another site began, and bodies that are too large or of unknown length."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or answer why not."""
        if scope["type"] == "http":
            refusal = _refuse(scope["method"], scope["path"], Headers(scope=scope))
            if refusal is not None:
                await refusal(scope, receive, send)
                return
        await self._app(scope, receive, send)


def _refuse(method: str, path: str, headers: Headers) -> JSONResponse | None:
    takes_file = path == UPLOAD_PATH or any(pattern.fullmatch(path) for pattern in (TRACK_PATH, TABLE_PATH))
    limit_bytes = MAX_UPLOAD_BYTES if takes_file else MAX_SHEET_BYTES if path == SHEET_PATH else MAX_BODY_BYTES
    length = headers.get("content-length", "0")
    if "transfer-encoding" in headers:
        return _refusal(411, "length_required", "the length of the body is not stated", "Send the body with Content-Length.")
    if not length.isdecimal() or int(length) > limit_bytes:
        advice = "Give it as a path on the machine instead." if takes_file else "Send fewer files in one request."
        return _refusal(413, "too_large", f"a body may have {limit_bytes} bytes", advice)
    if method not in SAFE_METHODS and not _from_our_page(headers):
        advice = "Use the appliance's own pages, or a program that is no browser."
        return _refusal(403, "foreign_origin", "this change was asked for by another site", advice)
    return None


def _from_our_page(headers: Headers) -> bool:
    site, origin = headers.get("sec-fetch-site"), headers.get("origin")
    if site is not None and site not in {"same-origin", "none"}:
        return False
    return origin is None or urlsplit(origin).netloc.lower() == headers.get("host", "").lower()


def _refusal(status: int, code: str, message: str, advice: str) -> JSONResponse:
    return JSONResponse({"code": code, "message": message, "advice": advice}, status_code=status)
