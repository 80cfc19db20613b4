"""What people type over the META of a scan: kept to the letter, row after row; the META itself is never changed."""

from __future__ import annotations

from collections.abc import Mapping

from edge.errors import ScanRefusedError
from edge.store.reads.zooscan import entries_standing, scan_by_uuid
from edge.store.sqlite import Connection
from edge.store.zooscan.entries import add_entries
from edge.zooscan.desk.core import DeskCore

_MOST_CHARACTERS = 2000


class Typing(DeskCore):
    """The sample and scan form."""

    def type_in(self, scan_uuid: str, values: Mapping[str, str | None], *, actor: str) -> int:
        """Keep what was typed; what holds already is not kept again. Returns how many fields hold something else now.

        A scan need not have a result yet: what is known of a sample is known before it is scanned.

        Args:
            scan_uuid: of the scan.
            values: by field, as the META spells it; None lets the META's own value hold again.
            actor: who typed it.

        Raises:
            ScanRefusedError: there is no such scan, its check is signed, or a field or value could not stand in a META.
        """
        for field, value in values.items():
            _check(field, value)

        def work(connection: Connection) -> int:
            scan = scan_by_uuid(connection, scan_uuid)
            if scan is None:
                raise ScanRefusedError(f"there is no scan {scan_uuid}", advice="The list of scans names those that there are.")
            if scan.signed_by is not None:
                raise ScanRefusedError(
                    f"the check of {scan.name} was signed by {scan.signed_by}, and what was stated about its sample with it",
                    advice="Withdraw the signature with a reason; what was typed meanwhile stays in this browser and is kept then.",
                )
            held = entries_standing(connection, scan.id)
            news = {field: value for field, value in values.items() if held.get(field) != value}
            if news:
                add_entries(connection, scan.id, news, actor=actor)
            return len(news)

        return self.writer.call(work)


def _check(field: str, value: str | None) -> None:
    if not field.strip() or field != field.strip() or "=" in field or not field.isprintable():
        raise ScanRefusedError(f"a META has no key {field!r}", advice="A key has no blanks around it, no equals sign and no line end.")
    if value is not None and (len(value) > _MOST_CHARACTERS or "\n" in value or "\r" in value):
        raise ScanRefusedError(f"what was typed for {field} cannot stand in a META", advice="Write one line of at most 2000 characters.")
