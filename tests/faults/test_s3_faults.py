"""A bucket holds what was sent, once and whole, whatever the link and the far side do; and what it says is told in words."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable, Iterator
from datetime import timedelta
from pathlib import Path
from wsgiref.types import StartResponse, WSGIEnvironment

import pytest

from edge.errors import LinkDownError, LoginNeededError, ServerFailedError, ServerRefusedError, TransportError
from edge.sink_settings import SinkSettings
from sync.link.errors import ClockWrongError
from sync.sinks.s3 import OLD_UPLOAD, S3Sink
from sync.sinks.secrets import Secret
from sync.sinks.sink import NotConfirmedError, SinkFullError
from tests.helpers.ashore import Cargo, Meter, cargo
from tests.simulators.bucket import NAME, Bucket, bucket
from tests.simulators.chaos import EMPTY_SUCCESS, PORTAL, Trouble, chaos

PREFIX = "svc/input"
KB = 1000
SECRET = Secret(name="AKIDEXAMPLE", word="a-secret-of-nobody")
MakeSink = Callable[..., S3Sink]


@pytest.fixture(scope="module")
def server() -> Iterator[Bucket]:
    with bucket() as running:
        yield running


@pytest.fixture
def far_side(server: Bucket) -> Bucket:
    server.reset()
    return server


@pytest.fixture
def make_sink() -> Iterator[MakeSink]:
    made = []

    def make(url: str, *, meter: Meter | None = None, stall_s: float = 5.0, part_bytes: int = 5 * 1024**2) -> S3Sink:
        settings = SinkSettings(name="institute", kind="s3", url=url, bucket=NAME, prefix=PREFIX, profile="oscar")
        made.append(S3Sink(settings, SECRET, meter or Meter(), stall_s=stall_s, part_bytes=part_bytes))
        return made[-1]

    yield make
    for sink in made:
        sink.close()


def until_held(sink: S3Sink, sent: Cargo, *, most: int = 12) -> list[str]:
    """Ask, bring, ask, as a delivery does, until it is there. Returns what went wrong on the way."""
    troubles: list[str] = []
    for _ in range(most):
        try:
            if sent.is_held(sink):
                return troubles
            sent.put(sink)
        except TransportError as error:
            if isinstance(error, ServerRefusedError):
                raise
            troubles.append(error.code)
    raise AssertionError(troubles)


def test_a_bundle_is_one_put_under_its_key(far_side: Bucket, make_sink: MakeSink, tmp_path: Path) -> None:
    meter = Meter()
    sink, sent = make_sink(far_side.url, meter=meter), cargo(tmp_path, 200 * KB)
    assert not sent.is_held(sink)
    sent.put(sink)
    assert sent.is_held(sink)
    assert far_side.contents() == {f"{PREFIX}/{sent.key}": sent.content}
    assert [line.split()[0] for line in far_side.asked] == ["HEAD", "PUT", "HEAD"]
    assert sent.kept == []
    assert 200 * KB < meter.up_bytes < 204 * KB, "less than 4 kB of requests"


def test_every_put_is_signed_with_its_content_and_its_md5(far_side: Bucket, make_sink: MakeSink, tmp_path: Path) -> None:
    """The two things that servers beside Amazon's check; and none of the checksums that some of them refuse."""
    seen = {}
    inner = far_side.app

    def look(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        seen.update({name: value for name, value in environ.items() if name.startswith("HTTP_")})
        return inner(environ, start_response)

    far_side.app = look
    try:
        sent = cargo(tmp_path, 1 * KB)
        sent.put(make_sink(far_side.url))
    finally:
        far_side.app = inner
    assert seen["HTTP_X_AMZ_CONTENT_SHA256"] == sent.sha256
    assert "content-md5" in seen["HTTP_AUTHORIZATION"]
    assert "HTTP_EXPECT" not in seen
    assert not [name for name in seen if "CHECKSUM" in name or "TRAILER" in name]


@pytest.mark.parametrize("profile", ["PUT", "HEAD"])
def test_a_cut_at_any_byte_leaves_nothing_broken(far_side: Bucket, make_sink: MakeSink, tmp_path: Path, profile: str) -> None:
    sent = cargo(tmp_path, 60 * KB, seed=3)
    with chaos(far_side.port) as proxy:
        sink = make_sink(proxy.url)
        ups, downs = (0, 700, 1500, 30_000, 61_000, 62_500), (0, 1, 300, 600)
        for number in ups if profile == "PUT" else downs:
            far_side.reset()
            trouble = Trouble(cut_up_bytes=number) if profile == "PUT" else Trouble(cut_down_bytes=number)
            sink.close()
            sink = make_sink(proxy.url)
            proxy.plan(trouble)
            troubles = until_held(sink, sent)
            assert set(troubles) <= {"link_down", "server_failed"}
            assert far_side.contents() == {f"{PREFIX}/{sent.key}": sent.content}


def test_a_stalled_connection_is_given_up(far_side: Bucket, make_sink: MakeSink, tmp_path: Path) -> None:
    sent = cargo(tmp_path, 60 * KB)
    with chaos(far_side.port) as proxy:
        proxy.plan(Trouble(stall_up_bytes=20_000))
        sink = make_sink(proxy.url, stall_s=0.3)
        with pytest.raises(LinkDownError, match="in time"):
            sent.put(sink)
        assert until_held(sink, sent) == []


def test_slow_and_doubled_links_bring_it_once(far_side: Bucket, make_sink: MakeSink, tmp_path: Path) -> None:
    sent = cargo(tmp_path, 40 * KB)
    with chaos(far_side.port) as proxy:
        proxy.always = Trouble(slow_s=0.005, twice=True)
        assert until_held(make_sink(proxy.url), sent) == []
    assert far_side.contents() == {f"{PREFIX}/{sent.key}": sent.content}


@pytest.mark.parametrize(
    "lie",
    [
        PORTAL,
        EMPTY_SUCCESS,
        PORTAL.replace(b"200 OK", b"511 Network Authentication Required"),
        PORTAL.replace(b"200 OK", b"302 Found\r\nLocation: http://127.0.0.1:9/"),
    ],
)
def test_a_sign_in_page_is_no_success(far_side: Bucket, make_sink: MakeSink, tmp_path: Path, lie: bytes) -> None:
    sent, large = cargo(tmp_path, 2 * KB), cargo(tmp_path, 30 * KB, seed=2)
    with chaos(far_side.port) as proxy:
        proxy.always = Trouble(lie=lie)
        sink = make_sink(proxy.url, part_bytes=10 * KB)
        for call in (lambda: sent.is_held(sink), lambda: sent.put(sink), lambda: large.put(sink)):
            with pytest.raises(ServerFailedError) as told:
                call()
            assert "sign-in page" in told.value.advice()
    assert far_side.contents() == {}
    assert large.state is None


def test_a_lost_answer_brings_nothing_twice(far_side: Bucket, make_sink: MakeSink, tmp_path: Path) -> None:
    """Under OSCAR's prefix each new key starts a job."""
    sent = cargo(tmp_path, 20 * KB)
    far_side.breaks("^PUT", "lose_answer")
    assert until_held(make_sink(far_side.url), sent) == ["server_failed"]
    assert far_side.count("^PUT") == 1


def test_a_bucket_that_swallows_or_damages_is_not_believed(far_side: Bucket, make_sink: MakeSink, tmp_path: Path) -> None:
    sent, sink = cargo(tmp_path, 20 * KB), make_sink(far_side.url)
    far_side.breaks("^PUT", "swallow")
    sent.put(sink)
    assert not sent.is_held(sink), "it said 200, and has nothing"
    far_side.breaks("^PUT", "damage")
    with pytest.raises(NotConfirmedError):
        sent.put(sink)
    assert not sent.is_held(sink), "the size is right, the content is not"
    sent.put(sink)
    assert sent.is_held(sink)
    other = far_side.store.keys[f"{PREFIX}/{sent.key}"]
    other.value = sent.content[:-1]
    assert not sent.is_held(sink), "it was cut since"


def test_content_that_changed_on_its_way_is_refused_there(far_side: Bucket, make_sink: MakeSink, tmp_path: Path) -> None:
    sent, sink = cargo(tmp_path, 20 * KB), make_sink(far_side.url)
    far_side.breaks("^PUT", status=400, code="BadDigest")
    with pytest.raises(NotConfirmedError, match="something else than was sent"):
        sent.put(sink)


@pytest.mark.parametrize(
    ("status", "code", "kind", "named"),
    [
        (403, "QuotaExceeded", SinkFullError, "no room"),
        (507, "XMinioStorageFull", SinkFullError, "no room"),
        (403, "RequestTimeTooSkewed", ClockWrongError, "2026-11-22 08:00"),
        (403, "InvalidAccessKeyId", LoginNeededError, "does not know these keys"),
        (403, "SignatureDoesNotMatch", LoginNeededError, "does not know these keys"),
        (403, "AccessDenied", ServerRefusedError, "AccessDenied"),
        (404, "NoSuchBucket", ServerRefusedError, "NoSuchBucket"),
        (503, "SlowDown", ServerFailedError, "cannot do it now"),
        (500, "InternalError", ServerFailedError, "cannot do it now"),
        (413, "EntityTooLarge", ServerRefusedError, "413"),
    ],
)
def test_what_a_bucket_refuses_is_told(
    far_side: Bucket, make_sink: MakeSink, tmp_path: Path, status: int, code: str, kind: type[TransportError], named: str
) -> None:
    sent, sink = cargo(tmp_path, 1 * KB), make_sink(far_side.url)
    far_side.breaks(".", times=99, status=status, code=code)
    with pytest.raises(kind, match=named) as told:
        sent.put(sink)
    assert type(told.value) is kind
    assert SECRET.word not in str(told.value) + told.value.advice()
    if code not in {"NoSuchBucket", "InternalError", "SlowDown"}:
        with pytest.raises(kind):
            sent.is_held(sink)
    assert far_side.contents() == {}


def test_a_wrong_clock_says_what_to_do(far_side: Bucket, make_sink: MakeSink, tmp_path: Path) -> None:
    far_side.breaks(".", status=403, code="RequestTimeTooSkewed")
    with pytest.raises(ClockWrongError) as told:
        cargo(tmp_path, 1 * KB).put(make_sink(far_side.url))
    assert "clock" in told.value.advice()


def test_parts_go_on_where_they_stood(far_side: Bucket, make_sink: MakeSink, tmp_path: Path) -> None:
    """After a kill, which leaves nothing but the state that was kept: no part goes twice."""
    sent = cargo(tmp_path, 11 * 1024**2)
    far_side.breaks("partNumber=3", times=1, status=500)
    with pytest.raises(ServerFailedError):
        sent.put(make_sink(far_side.url))
    assert sent.kept[-1] == sent.state != None  # noqa: E711 (it is kept before a part goes)
    assert far_side.contents() == {}, "nothing is seen before it is whole"
    meter = Meter()
    again = make_sink(far_side.url, meter=meter)
    assert not sent.is_held(again)
    sent.put(again)
    assert meter.up_bytes < 2 * 1024**2, "parts 1 and 2 are there already"
    assert sent.is_held(again)
    assert sent.kept[-1] is None
    assert far_side.contents() == {f"{PREFIX}/{sent.key}": sent.content}
    assert far_side.count("partNumber=1 ?") == 1
    assert len(far_side.store.multiparts) == 0


def test_parts_of_another_life_are_begun_anew(far_side: Bucket, make_sink: MakeSink, tmp_path: Path) -> None:
    sent = cargo(tmp_path, 6 * 1024**2)
    sent.state = {"key": f"{PREFIX}/{sent.key}", "upload_id": "gone", "part_bytes": 5 * 1024**2}
    sink = make_sink(far_side.url)
    sent.put(sink)
    assert sent.is_held(sink)
    far_side.reset()
    far_side.breaks("partNumber=2", times=1, status=500)
    with pytest.raises(ServerFailedError):
        sent.put(sink)
    sent.state = None  # it was lost with the home
    sent.put(sink)
    assert sent.is_held(sink)
    assert len(far_side.store.multiparts) == 0, "what was begun before takes no room any more"


def test_a_file_that_changes_while_it_goes_is_not_completed(far_side: Bucket, make_sink: MakeSink, tmp_path: Path) -> None:
    sent = cargo(tmp_path, 6 * 1024**2)
    far_side.breaks("partNumber=2", times=1, status=500)
    sink = make_sink(far_side.url)
    with pytest.raises(ServerFailedError):
        sent.put(sink)
    sent.path.write_bytes(sent.content[:-1] + b"?")
    sent.put(sink)
    assert not sent.is_held(sink)


def test_old_uploads_of_ours_are_ended(far_side: Bucket, make_sink: MakeSink, tmp_path: Path) -> None:
    sent, sink = cargo(tmp_path, 6 * 1024**2), make_sink(far_side.url)
    far_side.breaks("partNumber=2", times=1, status=500)
    with pytest.raises(ServerFailedError):
        sent.put(sink)
    (begun,) = [one["Initiated"] for one in sink._open_uploads("")]
    late = begun + OLD_UPLOAD + timedelta(days=1)
    assert sink.abort_old("v1/", now=begun + timedelta(days=1)) == 0
    assert sink.abort_old("v1/another", now=late) == 0
    assert sink.abort_old("v1/", now=late) == 1
    assert len(far_side.store.multiparts) == 0


def test_two_uploads_at_once_leave_one_whole_object(far_side: Bucket, make_sink: MakeSink, tmp_path: Path) -> None:
    sent = cargo(tmp_path, 300 * KB)
    sinks = [make_sink(far_side.url) for _ in range(2)]
    threads = [threading.Thread(target=sent.put, args=(sink,)) for sink in sinks]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sent.is_held(sinks[0])
    assert far_side.contents() == {f"{PREFIX}/{sent.key}": sent.content}


@pytest.mark.skipif(
    "IMAGINE_EDGE_TEST_S3" not in os.environ,
    reason="a real server is opt-in: IMAGINE_EDGE_TEST_S3='URL BUCKET ACCESS_KEY SECRET_KEY', such as of a Ceph RGW",
)
def test_a_real_server_takes_bundles_and_parts(tmp_path: Path) -> None:
    url, name, access_key, secret_key = os.environ["IMAGINE_EDGE_TEST_S3"].split()
    settings = SinkSettings(name="real", kind="s3", url=url, bucket=name, prefix="imagine-edge-test", plain_http=True)
    sink = S3Sink(settings, Secret(name=access_key, word=secret_key), Meter())
    for seed, size_bytes in enumerate((200 * KB, 11 * 1024**2)):
        sent = cargo(tmp_path, size_bytes, seed=seed)
        assert until_held(sink, sent) == []
    sink.close()
    wrong = S3Sink(settings, Secret(name=access_key, word="wrong"), Meter())
    with pytest.raises(LoginNeededError):
        sent.is_held(wrong)
    wrong.close()


def test_nobody_there_is_a_link_that_is_down(make_sink: MakeSink, tmp_path: Path) -> None:
    with pytest.raises(LinkDownError):
        cargo(tmp_path, 1 * KB).is_held(make_sink("http://127.0.0.1:9"))


def test_nothing_of_the_account_of_whoever_starts_it_is_used(
    far_side: Bucket, make_sink: MakeSink, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "config").write_text("[default]\nregion = mars\n[profile broken", encoding="utf-8")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    sent = cargo(tmp_path, 1 * KB)
    assert until_held(make_sink(far_side.url), sent) == []
