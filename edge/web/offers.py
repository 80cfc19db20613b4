"""What a page offers: only the buttons that whoever looks may press, and in each form the token that its write needs."""

from __future__ import annotations

import re

from jinja2.ext import Extension

from edge.survey.people import Role
from edge.web.access import need_of
from edge.web.callers import Caller

_FORM = re.compile(r'<form\b[^>]*\bmethod="post"[^>]*>', re.IGNORECASE)


class CsrfFields(Extension):
    """Puts `{{ csrf_field() }}` behind the opening tag of every form that posts, so that none can be forgotten."""

    def preprocess(self, source: str, name: str | None, filename: str | None = None) -> str:
        """The template's source with the fields. A value that the template puts in comes later and is never looked at."""
        return _FORM.sub(lambda tag: f"{tag.group()}{{{{ csrf_field() }}}}", source)


def may_call(caller: Caller, line: str) -> bool:
    """Whether a caller may do what a method and an address stand for, such as "POST /actions/retry"."""
    method, _, path = line.partition(" ")
    need = need_of(method, path)
    if need is None:
        return False
    return caller.is_free or (caller.person is not None and caller.person.may(need if isinstance(need, Role) else Role.VIEW))
