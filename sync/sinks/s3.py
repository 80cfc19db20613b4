"""A bucket of S3 as a far side: Ceph, MinIO, RustFS, Garage, Amazon, and the storage of an OSCAR cluster.

A key appears once and whole: a PUT is atomic, and so is the end of an upload in parts; nothing temporary is ever under the prefix. A bundle
is one PUT. Only what is larger than 5 MiB, such as an original, goes in parts, whose upload id is kept so that none goes twice.
"""

from __future__ import annotations

import hashlib
import re
from base64 import b64encode
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from edge.errors import LinkDownError, ServerRefusedError
from edge.sink_settings import SinkSettings
from sync.link.counter import Meter
from sync.link.sockets import STALL_S
from sync.link.wire import Wire
from sync.sinks.s3_client import make_client, told
from sync.sinks.s3_parts import PartsPlan, parts_plan
from sync.sinks.secrets import Secret
from sync.sinks.sink import NotConfirmedError, Spend, Upload

PART_BYTES = 5 * 1024**2  # the least that a part may have
OLD_UPLOAD = timedelta(days=30)
_PLAIN_ETAG = re.compile(r"[0-9a-f]{32}(-\d+)?")
_MISSING = frozenset({"404", "NoSuchKey", "NotFound"})
_NO_UPLOAD = frozenset({"404", "NoSuchUpload"})


class S3Sink:
    """See `Sink`. What it costs is counted at its own socket, by the meter that it is made with."""

    def __init__(
        self, settings: SinkSettings, secret: Secret, meter: Meter, *, part_bytes: int = PART_BYTES, stall_s: float = STALL_S
    ) -> None:
        """`settings`: of kind `s3`; nothing is contacted yet. `stall_s`: how long nothing may come or go."""
        self._settings, self._part_bytes = settings, part_bytes
        self._wire = Wire(settings.url, meter, stall_s=stall_s)
        self._client = make_client(settings, secret, self._wire)

    @property
    def name(self) -> str:
        """See `Sink`."""
        return self._settings.name

    def holds(self, key: str, *, size_bytes: int, sha256: str) -> bool:
        """See `Sink`. The far side's word: its size, the SHA-256 it was given, and the MD5 that it made of what it stored."""
        found = self._head(key)
        if found is None or found["ContentLength"] != size_bytes or found["Metadata"].get("sha256") != sha256:
            return False
        etag, wanted = found["ETag"].strip('"'), found["Metadata"].get("etag", "")
        is_of_content = _PLAIN_ETAG.fullmatch(etag) and found.get("ServerSideEncryption", "AES256") == "AES256"
        return not (wanted and is_of_content and "SSECustomerAlgorithm" not in found) or etag == wanted

    def put(self, key: str, path: Path, *, sha256: str, upload: Upload, spend: Spend) -> None:
        """See `Sink`. `spend` is not asked: the socket's own meter is."""
        try:
            size_bytes = path.stat().st_size
            if size_bytes <= self._part_bytes:
                self._put_whole(key, path.read_bytes(), sha256)
            else:
                self._put_parts(key, parts_plan(path, sha256=sha256, least_bytes=self._part_bytes), upload)
        except OSError as error:
            raise LinkDownError(f"{path} cannot be read: {error.strerror}") from error

    def abort_old(self, prefix: str, *, now: datetime | None = None) -> int:
        """End uploads in parts below a prefix of ours that nobody goes on with: they take room there that no listing shows.

        Returns:
            How many.
        """
        oldest, count = (now or datetime.now(UTC)) - OLD_UPLOAD, 0
        for one in self._open_uploads(self._key(prefix)):
            if one["Initiated"] < oldest:
                self._call("abort_multipart_upload", Key=one["Key"], UploadId=one["UploadId"])
                count += 1
        return count

    def close(self) -> None:
        """See `Sink`."""
        self._client.close()
        self._wire.close()

    def _put_whole(self, key: str, content: bytes, sha256: str) -> None:
        digest = hashlib.md5(content, usedforsecurity=False)
        answer = self._call(
            "put_object",
            Key=self._key(key),
            Body=content,
            ContentMD5=b64encode(digest.digest()).decode(),
            ContentType="application/zstd",
            Metadata={"sha256": sha256, "etag": digest.hexdigest()},
        )
        etag = answer["ETag"].strip('"')
        if _PLAIN_ETAG.fullmatch(etag) and "ServerSideEncryption" not in answer and etag != digest.hexdigest():
            raise NotConfirmedError(f"{self._settings.url} stored something else than was sent")

    def _put_parts(self, key: str, plan: PartsPlan, upload: Upload) -> None:
        """Bring what the far side has not got yet, then let it appear."""
        upload_id = self._upload_id(key, plan, upload)
        there = self._parts(key, upload_id)
        if there is None:
            upload.keep(None)
            upload_id = self._begin(key, plan, upload)
            there = {}
        done = []
        for part in plan.parts:
            if there.get(part.number) != (part.size_bytes, part.md5):
                content = plan.read(part)
                answer = self._call(
                    "upload_part",
                    Key=self._key(key),
                    UploadId=upload_id,
                    PartNumber=part.number,
                    Body=content,
                    ContentMD5=b64encode(bytes.fromhex(part.md5)).decode(),
                )
                there[part.number] = (part.size_bytes, answer["ETag"].strip('"'))
            done.append({"PartNumber": part.number, "ETag": f'"{there[part.number][1]}"'})
        self._call("complete_multipart_upload", Key=self._key(key), UploadId=upload_id, MultipartUpload={"Parts": done})
        upload.keep(None)

    def _upload_id(self, key: str, plan: PartsPlan, upload: Upload) -> str:
        """The upload that is under way, also where its id was lost; else a new one."""
        kept = upload.state or {}
        if kept.get("key") == self._key(key) and kept.get("part_bytes") == plan.part_bytes:
            return str(kept["upload_id"])
        with suppress(ServerRefusedError):  # not every account may list
            for one in self._open_uploads(self._key(key)):
                self._call("abort_multipart_upload", Key=one["Key"], UploadId=one["UploadId"])
        return self._begin(key, plan, upload)

    def _begin(self, key: str, plan: PartsPlan, upload: Upload) -> str:
        answer = self._call(
            "create_multipart_upload",
            Key=self._key(key),
            ContentType="application/octet-stream",
            Metadata={"sha256": plan.sha256, "etag": plan.etag},
        )
        state = {"key": self._key(key), "upload_id": answer["UploadId"], "part_bytes": plan.part_bytes}
        upload.keep(state)
        return str(answer["UploadId"])

    def _parts(self, key: str, upload_id: str) -> dict[int, tuple[int, str]] | None:
        """Size and MD5 of the parts that are there, by number. None: the far side knows nothing of this upload."""
        found: dict[int, tuple[int, str]] = {}
        marker = 0
        while True:
            answer = self._ask("list_parts", _NO_UPLOAD, Key=self._key(key), UploadId=upload_id, PartNumberMarker=marker)
            if answer is None:
                return None
            found |= {one["PartNumber"]: (one["Size"], one["ETag"].strip('"')) for one in answer.get("Parts", [])}
            if not answer.get("IsTruncated"):
                return found
            marker = answer["NextPartNumberMarker"]

    def _open_uploads(self, prefix: str) -> Iterator[Mapping[str, Any]]:
        markers: dict[str, str] = {}
        while True:
            answer = self._call("list_multipart_uploads", Prefix=prefix, **markers)
            yield from answer.get("Uploads", [])
            if not answer.get("IsTruncated"):
                return
            markers = {"KeyMarker": answer["NextKeyMarker"], "UploadIdMarker": answer["NextUploadIdMarker"]}

    def _head(self, key: str) -> dict[str, Any] | None:
        try:
            return self._ask("head_object", _MISSING, Key=self._key(key))
        except ServerRefusedError:
            # A refused HEAD has no body that would say why; a GET of one byte has.
            if self._ask("get_object", _MISSING, Key=self._key(key), Range="bytes=0-0") is None:
                return None
            raise

    def _ask(self, call: str, missing: frozenset[str], **about: Any) -> dict[str, Any] | None:
        """A call, or None where the far side says that there is no such thing."""
        from botocore.exceptions import ClientError

        with self._telling():
            try:
                answer: dict[str, Any] = getattr(self._client, call)(Bucket=self._settings.bucket, **about)
                return answer
            except ClientError as error:
                if error.response["Error"]["Code"] in missing:
                    return None
                raise

    def _call(self, call: str, **about: Any) -> dict[str, Any]:
        answer = self._ask(call, frozenset(), **about)
        assert answer is not None
        return answer

    @contextmanager
    def _telling(self) -> Iterator[None]:
        try:
            yield
        except Exception as error:
            ours = told(self._settings.url, error)
            if ours is error:
                raise
            raise ours from error

    def _key(self, key: str) -> str:
        return f"{self._settings.prefix}/{key}" if self._settings.prefix else key
