"""A file and its path as the body of a form, piece by piece from the disk: memory does not grow with the file."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from pathlib import Path

PIECE_BYTES = 128 * 1024

Sent = Callable[[int, int], None]
"""Told how many bytes of how many went out; raises what shall end the sending."""


class FormBody:
    """The multipart body (RFC 7578) of one file under the name `file`, with texts before it."""

    def __init__(self, file: Path, *, name: str, fields: dict[str, str], sent: Sent) -> None:
        """The file is sent under a name of plain letters; it must not change until the body is sent: its length is told first."""
        self._file = file
        self._sent = sent
        boundary = secrets.token_hex(16)
        texts = "".join(f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{text}\r\n' for name, text in fields.items())
        about = f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\nContent-Type: application/zip\r\n\r\n'
        self._head = (texts + about).encode()
        self._tail = f"\r\n--{boundary}--\r\n".encode()
        self._size = file.stat().st_size
        self.headers = {
            "Content-Type": f"multipart/form-data; boundary={boundary}",
            "Content-Length": str(len(self._head) + self._size + len(self._tail)),
        }

    def pieces(self) -> Iterator[bytes]:
        """The body. Raises OSError where the file cannot be read, and whatever `sent` raises."""
        yield self._head
        out = 0
        with self._file.open("rb") as file:
            while piece := file.read(PIECE_BYTES):
                yield piece
                out += len(piece)
                self._sent(out, self._size)
        yield self._tail
