"""Files go to a task by TUS 1.0.0 (https://tus.io/protocols/resumable-upload) between two messages of CVAT's own.

Read in cvat/apps/engine/mixins.py (UploadMixin) and tus.py, 2.15 and newer. Each file is an upload of its own, although CVAT would take
many at once: what is sent at once is appended to a file of that name that is there already, so that an answer that was lost would spoil
it, while an upload of a name that is there whole is answered with 409. So a file goes there once, whatever is cut off.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from annotator_bridge.cvat.link import Carrier, ask, refusal
from annotator_bridge.cvat.server import Sent, UploadFile
from edge.errors import ServerFailedError, ServerRefusedError

PIECE_BYTES = 8 * 1024**2
IMAGE_QUALITY = 95  # of what CVAT shows to people; what functions get are the originals
_TUS = {"Tus-Resumable": "1.0.0"}
_CONFLICT, _NO_CONTENT, _CREATED, _OK = 409, 204, 201, 200
_LOST = (404, 410, 500)  # of an upload that the server does not have: the newer one ends in an error then
_MOST_TURNS = 3

Keep = Callable[[dict[str, Any]], None]


class Upload:
    """The files of one task."""

    def __init__(self, carrier: Carrier, task_id: int, *, kept: Mapping[str, Any], keep: Keep, sent: Sent) -> None:
        """`kept`, `keep` and `sent` are those of `CvatServer.upload`."""
        self._carrier = carrier
        self._path = f"/api/tasks/{task_id}/data/"
        self._done: set[str] = set(kept.get("done", ()))
        self._open: dict[str, str] = dict(kept.get("open", {}))
        self._keep = keep
        self._sent = sent

    def send(self, files: Sequence[UploadFile]) -> str | None:
        """Send what is not there, and finish. Returns the server's name of the work that follows.

        Raises:
            TransportError: it cannot go on now.
            OSError: a file cannot be read.
        """
        total = sum(file.size_bytes for file in files)
        there = sum(file.size_bytes for file in files if file.name in self._done)
        ask(self._carrier, "POST", self._path, headers={"Upload-Start": "true"})
        for file in files:
            if file.name in self._done:
                continue
            self._send_file(file, there, total)
            there += file.size_bytes
            self._done.add(file.name)
            self._open.pop(file.name, None)
            self._note()
            self._sent(there, total)
        return self._finish(files)

    def _send_file(self, file: UploadFile, there: int, total: int) -> None:
        for _turn in range(_MOST_TURNS):
            path, offset = self._place(file)
            if path is None or self._send_from(file, path, offset, there, total):
                return
            self._open.pop(file.name, None)
        raise ServerFailedError(f"{self._carrier.server} takes no upload of {file.name} to its end")

    def _place(self, file: UploadFile) -> tuple[str | None, int]:
        """Where the rest of a file goes, and from where on; None: it is there whole."""
        path = self._open.get(file.name)
        if path is not None:
            reply = self._carrier.carry("HEAD", path, headers=_TUS)
            offset = reply.headers.get("upload-offset", "")
            if reply.status == _OK and offset.isdecimal() and int(offset) <= file.size_bytes:
                return path, int(offset)
            if reply.status not in (_OK, *_LOST):
                raise refusal(self._carrier.server, reply)
        name = base64.b64encode(file.name.encode()).decode()
        headers = {**_TUS, "Upload-Length": str(file.size_bytes), "Upload-Metadata": f"filename {name}"}
        reply = self._carrier.carry("POST", self._path, headers=headers)
        if reply.status == _CONFLICT:
            return None, 0
        if reply.status != _CREATED:
            raise refusal(self._carrier.server, reply)
        path = self._own_path(reply.headers.get("location", ""))
        self._open[file.name] = path
        if file.size_bytes > PIECE_BYTES:  # of a smaller one there is nothing to go on with
            self._note()
        return path, 0

    def _own_path(self, location: str) -> str:
        """The path of an upload; its host is not looked at: behind a proxy it is whatever the proxy said."""
        path = urlsplit(location).path
        if not path.startswith(self._path) or len(path) == len(self._path):
            raise ServerFailedError(f"{self._carrier.server} does not say where an upload goes")
        return path

    def _send_from(self, file: UploadFile, path: str, offset: int, there: int, total: int) -> bool:
        """Send the rest of a file. Returns False if the server does not have the upload (any more)."""
        with file.path.open("rb") as source:
            while offset < file.size_bytes:
                source.seek(offset)
                piece = source.read(min(PIECE_BYTES, file.size_bytes - offset))
                if not piece:
                    raise OSError(f"{file.path} is shorter than it was")
                headers = {**_TUS, "Upload-Offset": str(offset), "Content-Type": "application/offset+octet-stream"}
                reply = self._carrier.carry("PATCH", path, headers=headers, body=piece)
                if reply.status in (_CONFLICT, 404, 410):
                    return False
                if reply.status != _NO_CONTENT:
                    raise refusal(self._carrier.server, reply)
                offset += len(piece)
                self._sent(there + offset, total)
        return True

    def _finish(self, files: Sequence[UploadFile]) -> str | None:
        """The names of the files are in the order of the frames, which is that of their names too."""
        body = {
            "image_quality": IMAGE_QUALITY,
            "use_cache": True,
            "use_zip_chunks": True,
            "sorting_method": "predefined",
            "upload_file_order": [file.name for file in files],
        }
        try:
            found = ask(self._carrier, "POST", self._path, headers={"Upload-Finish": "true"}, body=body)
        except ServerRefusedError as error:
            if error.status == _CONFLICT:  # it was told before, and nobody heard the answer
                return None
            raise
        return str(found["rq_id"]) if isinstance(found, dict) and found.get("rq_id") else None

    def _note(self) -> None:
        self._keep({"done": sorted(self._done), "open": dict(self._open)})
