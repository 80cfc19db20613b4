"""What a far side answers over HTTP, and what an answer that is none of its own means."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime

from edge.errors import LoginNeededError, ServerFailedError, ServerRefusedError, TransportError
from sync.sinks.sink import SinkFullError

LONGEST_WAIT_S = 3600.0
_SHOWN = 200

LOGIN_ADVICE = "Run `imagine-edge sync login SINK` and give the keys or the password again; what waits goes on by itself."
_PORTAL_ADVICE = "Is the address right, and has the ship's network a sign-in page in between? It is tried again by itself."


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """An answer that was read whole. `headers`: by lower-case name."""

    status: int
    headers: Mapping[str, str]
    content: bytes

    @property
    def is_page(self) -> bool:
        """Whether it is a page for people to read."""
        is_html = self.headers.get("content-type", "").lower().startswith("text/html")
        return is_html and self.content.lstrip()[:1] == b"<"


def no_answer(server: str, what: str) -> ServerFailedError:
    """What came back is not what this kind of server answers: a captive portal, a proxy, another server."""
    return ServerFailedError(f"{server} answers with {what}", advice=_PORTAL_ADVICE)


def refusal(server: str, status: int, *, told: str = "", headers: Mapping[str, str] | None = None) -> TransportError:
    """An answer that is no success, as an error of ours. `told`: what the server says about it."""
    headers = headers or {}
    line = "".join(letter if letter.isprintable() else " " for letter in told)[:_SHOWN]
    words = f"{status}, {line}" if line else str(status)
    if status == 511 or status < 400:
        return no_answer(server, f"a redirect ({status})" if status < 400 else "a request to sign in at the network (511)")
    if status == 401:
        return LoginNeededError(f"{server} does not know this sign-in (any more) ({words})", advice=LOGIN_ADVICE)
    if status == 407:
        return ServerFailedError(f"the proxy before {server} wants a sign-in of its own ({words})", advice="Ask the ship's IT.")
    if status == 507:
        return SinkFullError(f"{server} has no room ({words})")
    if status in {408, 423, 425, 429} or status >= 500:
        asked = headers.get("retry-after", "")
        after_s = min(LONGEST_WAIT_S, float(asked)) if asked.isdecimal() else None
        return ServerFailedError(f"{server} cannot do it now ({words})", after_s=after_s)
    return ServerRefusedError(f"{server} refuses it ({words})", status=status)


def clock_of(headers: Mapping[str, str]) -> str:
    """The server's clock, as it says it itself; empty if it does not."""
    try:
        return f"{parsedate_to_datetime(headers.get('date', '')):%Y-%m-%d %H:%M} UTC"
    except (ValueError, TypeError):
        return ""
