"""A folder of Nextcloud, or of another WebDAV server, as a far side.

A bundle is one PUT under a temporary name and a MOVE: what has its final name is whole. Nextcloud's chunks are not used: an upload in
chunks is thrown away after a day without news, and a ship is often longer without a link.

The server's own word on the content is the header X-Hash-SHA256, which Nextcloud makes of what it received where X-Hash asks for it
(apps/dav/lib/Connector/Sabre/File.php). The checksum that OC-Checksum leaves with the file is the sender's own, and proves only that it
was the same upload. A server that says neither has its small files read back; of it no large ones can be confirmed.
"""

from __future__ import annotations

import hashlib
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote, urlsplit
from xml.etree import ElementTree as ET

from edge.errors import LinkDownError, ServerRefusedError
from edge.sink_settings import SinkSettings
from sync.link.answers import Answer, no_answer, refusal
from sync.link.counter import Meter
from sync.link.sockets import STALL_S
from sync.link.wire import Wire
from sync.sinks.secrets import Secret
from sync.sinks.sink import NotConfirmedError, Spend, Upload

READ_BACK_BYTES = 1024**2
"""Reading back costs what sending did: no more than this is."""

_PIECE_BYTES = 64 * 1024
_DAV, _OC = "{DAV:}", "{http://owncloud.org/ns}"
_ASKED = (
    b'<?xml version="1.0"?><d:propfind xmlns:d="DAV:" xmlns:oc="http://owncloud.org/ns">'
    b"<d:prop><d:getcontentlength/><oc:checksums/></d:prop></d:propfind>"
)


class _Found(NamedTuple):
    """What a server says of a file; the hash is None where it says none."""

    size_bytes: int
    sha256: str | None


class WebDavSink:
    """See `Sink`. What it costs is counted at its own socket, by the meter that it is made with."""

    def __init__(self, settings: SinkSettings, secret: Secret, meter: Meter, *, stall_s: float = STALL_S) -> None:
        """`settings`: of kind `webdav`; nothing is contacted yet. `stall_s`: how long nothing may come or go."""
        self._settings = settings
        self._base = settings.url.rstrip("/")
        self._wire = Wire(self._base, meter, stall_s=stall_s)
        self._authorization = "Basic " + b64encode(f"{secret.name}:{secret.word}".encode()).decode()
        self._folders: set[str] = set()
        self._proven: set[str] = set()

    @property
    def name(self) -> str:
        """See `Sink`."""
        return self._settings.name

    def holds(self, key: str, *, size_bytes: int, sha256: str) -> bool:
        """See `Sink`. What has its final name was proven before it got it; still it is asked for its size and checksum, or read back."""
        found = self._find(self._path(key))
        if found is None or found.size_bytes != size_bytes:
            return False
        if found.sha256 is not None:
            return found.sha256 == sha256
        return key in self._proven or self._reads_back(self._path(key), size_bytes, sha256)

    def put(self, key: str, path: Path, *, sha256: str, upload: Upload, spend: Spend) -> None:
        """See `Sink`. `spend` is not asked: the socket's own meter is."""
        final = self._path(key)
        folder, _, name = final.rpartition("/")
        temporary = f"{folder}/.{name}.incoming"  # Nextcloud takes no names that end in .part
        self._make(folder)
        try:
            size_bytes = path.stat().st_size
            self._bring(temporary, path, size_bytes=size_bytes, sha256=sha256)
        except OSError as error:
            raise LinkDownError(f"{path} cannot be read: {error.strerror}") from error
        moved = self._ask("MOVE", temporary, headers={"Destination": self._url(final), "Overwrite": "T"})
        self._expect(moved, 201, 204)
        self._proven.add(key)

    def close(self) -> None:
        """See `Sink`."""
        self._wire.close()

    def _bring(self, temporary: str, path: Path, *, size_bytes: int, sha256: str) -> None:
        """Put it under its temporary name, and have the server prove that it has it."""
        headers = {"Content-Type": "application/octet-stream", "OC-Checksum": f"SHA256:{sha256}", "X-Hash": "sha256"}
        answer = self._ask("PUT", temporary, headers=headers, body=_pieces(path), size_bytes=size_bytes)
        if answer.status in {404, 409}:
            self._folders.clear()  # somebody removed the folder: it is made anew at the next attempt
        self._expect(answer, 201, 204)
        theirs = answer.headers.get("x-hash-sha256")
        if theirs is None and size_bytes > READ_BACK_BYTES:
            self._ask("DELETE", temporary)
            raise ServerRefusedError(
                f"{self._base} does not say what it received, and {size_bytes} bytes are too many to read back",
                advice="Nextcloud says it; send originals to a bucket (S3) or to a folder instead.",
            )
        if theirs.lower() != sha256 if theirs else not self._reads_back(temporary, size_bytes, sha256):
            self._ask("DELETE", temporary)
            raise NotConfirmedError(f"{self._base} received something else than was sent")

    def _reads_back(self, path: str, size_bytes: int, sha256: str) -> bool:
        if size_bytes > READ_BACK_BYTES:
            return False
        answer = self._ask("GET", path, limit_bytes=READ_BACK_BYTES + _PIECE_BYTES)
        if answer.status == 404:
            return False
        self._expect(answer, 200)
        return hashlib.sha256(answer.content).hexdigest() == sha256

    def _find(self, path: str) -> _Found | None:
        answer = self._ask(
            "PROPFIND", path, headers={"Depth": "0", "Content-Type": "application/xml"}, body=(_ASKED,), size_bytes=len(_ASKED)
        )
        if answer.status == 404:
            return None
        self._expect(answer, 207)
        if b"<!DOCTYPE" in answer.content or b"<!ENTITY" in answer.content:
            raise no_answer(self._base, "something that is no answer of WebDAV")
        try:
            tree = ET.fromstring(answer.content)  # noqa: S314 (without entities; of a few MB at most)
        except ET.ParseError as error:
            raise no_answer(self._base, "something that is no answer of WebDAV") from error
        size = tree.findtext(f".//{_DAV}getcontentlength")
        if size is None or not size.isdecimal():
            return None  # a folder
        sums = " ".join(one.text or "" for one in tree.iter(f"{_OC}checksum")).split()
        told = dict(one.upper().split(":", 1) for one in sums if ":" in one)
        return _Found(int(size), told["SHA256"].lower() if "SHA256" in told else None)

    def _make(self, folder: str) -> None:
        """Make folders from the top down; what is there is not asked for again."""
        if folder in self._folders or not folder:
            return
        self._make(folder.rpartition("/")[0])
        answer = self._ask("MKCOL", folder)
        if answer.status != 405:  # it is there
            self._expect(answer, 201)
        self._folders.add(folder)

    def _ask(
        self,
        method: str,
        path: str,
        *,
        headers: dict[str, str] | None = None,
        body: Iterator[bytes] | tuple[bytes, ...] = (),
        size_bytes: int = 0,
        limit_bytes: int = READ_BACK_BYTES,
    ) -> Answer:
        every = {"Authorization": self._authorization, **(headers or {})}
        return self._wire.ask(method, self._url(path), headers=every, body=body, size_bytes=size_bytes, limit_bytes=limit_bytes)

    def _expect(self, answer: Answer, *statuses: int) -> None:
        if answer.status in statuses:
            return
        if 200 <= answer.status < 300:
            raise no_answer(self._base, f"a success that is none of WebDAV ({answer.status})")
        told = "" if answer.is_page else _message(answer.content)
        if answer.status in {404, 409}:  # a folder that somebody removed meanwhile
            raise LinkDownError(f"a folder of {self._base} is gone, or was changed meanwhile ({answer.status}); it is made again")
        raise refusal(self._base, answer.status, told=told, headers=answer.headers)

    def _path(self, key: str) -> str:
        return f"/{self._settings.folder}/{key}" if self._settings.folder else f"/{key}"

    def _url(self, path: str) -> str:
        parts = urlsplit(self._base)
        return f"{parts.scheme}://{parts.netloc}{parts.path}{quote(path)}"


def _pieces(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while piece := file.read(_PIECE_BYTES):
            yield piece


def _message(content: bytes) -> str:
    """What sabre/dav says in its XML of an error."""
    try:
        if b"<!DOCTYPE" in content:
            return ""
        return ET.fromstring(content).findtext("{http://sabredav.org/ns}message") or ""  # noqa: S314 (without entities)
    except ET.ParseError:
        return ""
