"""Directories of tagged values, as TIFF files and EXIF data have them (TIFF 6.0 section 2; BigTIFF; EXIF 2.32 section 4.6.2).

Read by ourselves, because it must be bounded: Pillow copies every value that a directory announces, and a file of two
megabytes can announce the same megabyte 65,000 times. Here nothing is copied that nobody asks for, and no value may be
larger than the file.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from edge.errors import InputError, Reason

_NUMBER_BYTES = {1: 1, 3: 2, 4: 4, 13: 4, 16: 8, 18: 8}  # BYTE, SHORT, LONG, IFD, LONG8, IFD8
VALUE_BYTES = {**_NUMBER_BYTES, 2: 1, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 17: 8}
_ASCII = 2
_MAX_TEXT_BYTES = 256
_MAX_ENTRIES = 4096  # raw files of cameras have about 150
_MAX_NUMBERS = 2_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One entry: the kind and number of its values, and where they and the entry itself begin."""

    kind: int
    count: int
    value_offset: int
    entry_offset: int

    @property
    def is_void(self) -> bool:
        """Whether it has no value, or one of a kind that does not exist."""
        return self.count == 0 or self.kind not in VALUE_BYTES


@dataclass(frozen=True, slots=True, kw_only=True)
class Directory:
    """Entries by tag, and the offset of the next directory, 0 for none."""

    fields: dict[int, Field]
    next_offset: int


class Directories:
    """The directories in a TIFF file, or in the TIFF structure of EXIF data.

    Raises:
        InputError: TRUNCATED or CORRUPT, from here and from every method.
    """

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.order: Literal["little", "big"] = "big" if data[:2] == b"MM" else "little"
        self.is_big = data[2:4] in (b"\x2b\0", b"\0\x2b")
        if data[:4] not in (b"II*\0", b"MM\0*", b"II\x2b\0", b"MM\0\x2b"):
            raise InputError(Reason.CORRUPT, "the data do not begin like a TIFF")
        self.entry_bytes = 20 if self.is_big else 12
        self._offset_bytes = 8 if self.is_big else 4
        self.first_offset = self._number(8 if self.is_big else 4, self._offset_bytes)

    def read(self, offset: int) -> Directory:
        """The directory that begins there."""
        count_bytes = 8 if self.is_big else 2
        begin = offset + count_bytes
        count = self._number(offset, count_bytes)
        end = begin + count * self.entry_bytes
        if count > _MAX_ENTRIES:
            raise InputError(Reason.CORRUPT, f"the directory at byte {offset} says that it has {count} entries")
        if offset < 8 or end + self._offset_bytes > len(self.data):
            raise InputError(Reason.TRUNCATED, f"the file ends inside its directory at byte {offset}")
        fields: dict[int, Field] = {}
        for entry in range(begin, end, self.entry_bytes):
            fields.setdefault(self._number(entry, 2), self._field(entry))
        return Directory(fields=fields, next_offset=self._number(end, self._offset_bytes))

    def numbers(self, field: Field | None) -> list[int]:
        """Unsigned whole numbers; none for a field that is missing or holds something else."""
        if field is None or field.kind not in _NUMBER_BYTES or field.count == 0:
            return []
        if field.count > _MAX_NUMBERS:
            raise InputError(Reason.CORRUPT, f"the directory lists {field.count} numbers in one entry")
        kind = np.dtype(f"{'>' if self.order == 'big' else '<'}u{_NUMBER_BYTES[field.kind]}")
        self._check_inside(field)
        values: list[int] = np.frombuffer(self.data, kind, field.count, field.value_offset).tolist()
        return values

    def number(self, field: Field | None, default: int) -> int:
        """The first number of a field, or what the standard says where there is none."""
        values = self.numbers(None if field is None else replace(field, count=min(field.count, 1)))
        return values[0] if values else default

    def text(self, field: Field | None) -> str | None:
        """A short ASCII text without its padding; None where there is none."""
        if field is None or field.kind != _ASCII or field.count > _MAX_TEXT_BYTES:
            return None
        return self.raw(field).decode("ascii", "replace").split("\0")[0].strip() or None

    def raw(self, field: Field) -> bytes:
        """The bytes of a field's values."""
        self._check_inside(field)
        return self.data[field.value_offset : field.value_offset + field.count * VALUE_BYTES.get(field.kind, 1)]

    def _field(self, entry: int) -> Field:
        kind, count = self._number(entry + 2, 2), self._number(entry + 4, self._offset_bytes)
        value_offset = entry + 4 + self._offset_bytes
        if count * VALUE_BYTES.get(kind, 1) > self._offset_bytes:
            value_offset = self._number(value_offset, self._offset_bytes)
        return Field(kind=kind, count=count, value_offset=value_offset, entry_offset=entry)

    def _check_inside(self, field: Field) -> None:
        if field.value_offset + field.count * VALUE_BYTES.get(field.kind, 1) > len(self.data):
            raise InputError(Reason.TRUNCATED, "the file ends before the values of its directory")

    def _number(self, offset: int, size_bytes: int) -> int:
        if offset + size_bytes > len(self.data):
            raise InputError(Reason.TRUNCATED, f"the file ends before byte {offset + size_bytes}, to which it points")
        return int.from_bytes(self.data[offset : offset + size_bytes], self.order)
