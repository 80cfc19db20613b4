"""The text files of a project: `Key= value` lines, under [headings] in a log, and tables with semicolons.

They were written by a macro on Windows and edited by hand for twenty years: any of two encodings, blanks anywhere, keys of any case. What
is read is only looked at; the files themselves are kept as they are.
"""

from __future__ import annotations

import codecs
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

# Numbers that mean that nobody knew (domain: Zooprocess, section g).
NOT_KNOWN = frozenset(("9999", "99999", "999999", "nan", ""))


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyedText:
    """Keys and values of a text, in the order of their lines.

    Attributes:
        sections: by heading ("" before the first) the values by key, both as written but for blanks around them; a key that is
            there twice has its first value.
        repeated: keys with two values in one section that are not the same, as "heading/key".
    """

    sections: Mapping[str, Mapping[str, str]]
    repeated: tuple[str, ...]

    def value(self, key: str, section: str | None = None) -> str | None:
        """The value of a key, whatever its case; None if there is no such key, or nothing behind it.

        Args:
            key: such as `Vol`.
            section: the heading it stands under; None for the first that has it.
        """
        for heading, values in self.sections.items():
            if section is not None and heading.casefold() != section.casefold():
                continue
            for name, value in values.items():
                if name.casefold() == key.casefold():
                    return value or None
        return None

    def known(self, key: str, section: str | None = None) -> str | None:
        """The same, but None where the value says that nobody knew."""
        value = self.value(key, section)
        return None if value is None or value.casefold() in NOT_KNOWN else value


def decode_text(data: bytes) -> str:
    """A text of the project: UTF-8, with or without a mark, UTF-16 with one, or that of a western Windows; nothing is refused."""
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return data.decode("utf-16", errors="replace")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("cp1252", errors="replace")


def read_keyed_text(text: str) -> KeyedText:
    """Headings, keys and values; lines without an equals sign say nothing."""
    sections: dict[str, dict[str, str]] = {"": {}}
    repeated: list[str] = []
    heading = ""
    for line in text.splitlines():
        stripped = line.strip()
        if stripped.startswith("[") and stripped.endswith("]"):
            heading = stripped[1:-1].strip()
            sections.setdefault(heading, {})
            continue
        key, equals, value = (part.strip() for part in stripped.partition("="))
        if not equals or not key:
            continue
        first = sections[heading].setdefault(key, value)
        if first != value:
            repeated.append(f"{heading}/{key}" if heading else key)
    return KeyedText(
        sections=MappingProxyType({name: MappingProxyType(values) for name, values in sections.items()}), repeated=tuple(repeated)
    )


def read_table(text: str) -> Iterator[dict[str, str]]:
    """Rows of a header table, keys in lower case, blanks stripped; a row with fewer cells lacks its last keys."""
    lines = [line for line in text.splitlines() if line.strip()]
    if not lines:
        return
    heading = [cell.strip().casefold() for cell in lines[0].split(";")]
    for line in lines[1:]:
        yield dict(zip(heading, (cell.strip() for cell in line.split(";")), strict=False))
