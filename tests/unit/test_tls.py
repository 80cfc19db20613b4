"""The certificate of the pages: what it says, when it is made anew, and who may read its key."""

from __future__ import annotations

import hashlib
import os
import ssl
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import anyio
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID

from edge.commands.serving import allowed_hosts, renewal
from edge.errors import SettingsError
from edge.settings import Settings, load_settings
from edge.web.tls import is_any, is_loopback, own_certificate, own_names, ships_certificate, url_host

NAMES = ("localhost", "edge-box", "192.168.7.2", "fd00::7")
NOW = datetime(2026, 6, 3, 12, 0, tzinfo=UTC)


def read(path: Path) -> x509.Certificate:
    return x509.load_pem_x509_certificate(path.read_bytes())


def test_it_is_for_a_server_of_these_names_and_nothing_else(tmp_path: Path) -> None:
    made = own_certificate(tmp_path, NAMES, now=NOW)
    found = read(made.certificate_path)
    key = found.public_key()
    assert isinstance(key, ec.EllipticCurvePublicKey)
    assert isinstance(key.curve, ec.SECP256R1)
    names = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["localhost", "edge-box"]
    assert names.get_values_for_type(x509.IPAddress) == [ip_address("192.168.7.2"), ip_address("fd00::7")]
    assert not found.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    assert not found.extensions.get_extension_for_class(x509.KeyUsage).value.key_cert_sign
    assert list(found.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value) == [ExtendedKeyUsageOID.SERVER_AUTH]
    assert found.not_valid_after_utc - found.not_valid_before_utc <= timedelta(days=825)
    assert found.not_valid_before_utc < NOW < found.not_valid_after_utc


def test_its_fingerprint_is_the_one_that_browsers_show(tmp_path: Path) -> None:
    made = own_certificate(tmp_path, NAMES)
    der = ssl.PEM_cert_to_DER_cert(made.certificate_path.read_text())
    assert made.sha256 == ":".join(f"{byte:02X}" for byte in hashlib.sha256(der).digest())


def test_a_server_can_use_it(tmp_path: Path) -> None:
    made = own_certificate(tmp_path, NAMES)
    ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(made.certificate_path, made.key_path)


@pytest.mark.skipif(os.name == "nt", reason="permissions of Windows are others")
def test_nobody_else_reads_the_key(tmp_path: Path) -> None:
    previous = os.umask(0)
    try:
        made = own_certificate(tmp_path, NAMES)
    finally:
        os.umask(previous)
    assert made.key_path.stat().st_mode & 0o777 == 0o600
    assert made.key_path.parent.stat().st_mode & 0o777 == 0o700
    assert sorted(path.name for path in made.key_path.parent.iterdir()) == ["tls.crt", "tls.key"]


def test_it_stays_as_long_as_it_does(tmp_path: Path) -> None:
    first = own_certificate(tmp_path, NAMES, now=NOW)
    assert first.is_new
    later = own_certificate(tmp_path, NAMES[:2], now=NOW + timedelta(days=790))
    assert (later.sha256, later.is_new) == (first.sha256, False)


@pytest.mark.parametrize(
    ("names", "days"),
    [(NAMES, 800), (NAMES, 4000), (NAMES, -10), ((*NAMES, "192.168.7.9"), 0), ((*NAMES, "another-name"), 0)],
    ids=["ends soon", "ended long ago", "the clock was set back", "a new address", "a new name"],
)
def test_it_is_made_anew_when_it_must(tmp_path: Path, names: tuple[str, ...], days: int) -> None:
    first = own_certificate(tmp_path, NAMES, now=NOW)
    key = first.key_path.read_bytes()
    second = own_certificate(tmp_path, names, now=NOW + timedelta(days=days))
    assert second.is_new
    assert second.sha256 != first.sha256
    assert second.key_path.read_bytes() == key
    assert read(second.certificate_path).not_valid_after_utc > NOW + timedelta(days=days + 700)


def test_addresses_that_it_had_stay_in_it_and_new_ipv6_ones_alone_do_not_change_it(tmp_path: Path) -> None:
    own_certificate(tmp_path, NAMES, now=NOW)
    second = own_certificate(tmp_path, ("localhost", "10.0.0.1"), now=NOW)
    found = read(second.certificate_path).extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert ip_address("192.168.7.2") in found.get_values_for_type(x509.IPAddress)
    third = own_certificate(tmp_path, ("localhost", "10.0.0.1", "fd00::1234"), now=NOW)
    assert third.sha256 == second.sha256


@pytest.mark.parametrize("name", ["tls.crt", "tls.key"])
@pytest.mark.parametrize("content", [b"", b"no PEM", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"])
def test_a_damaged_file_is_made_anew(tmp_path: Path, name: str, content: bytes) -> None:
    own_certificate(tmp_path, NAMES)
    (tmp_path / "keys" / name).write_bytes(content)
    made = own_certificate(tmp_path, NAMES)
    assert made.is_new
    ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(made.certificate_path, made.key_path)


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "keys").write_text("a file in its place")
    with pytest.raises(SettingsError, match="cannot be used"):
        own_certificate(tmp_path, NAMES)


def test_the_ships_own_is_taken_as_it_is(tmp_path: Path) -> None:
    made = own_certificate(tmp_path, NAMES)
    ships = ships_certificate(made.certificate_path, made.key_path)
    assert (ships.sha256, ships.until) == (made.sha256, made.until)


def test_a_ships_certificate_that_cannot_serve_is_refused(tmp_path: Path) -> None:
    made = own_certificate(tmp_path, NAMES)
    other = own_certificate(tmp_path / "other", NAMES)
    nonsense = tmp_path / "nonsense.pem"
    nonsense.write_text("nothing")
    with pytest.raises(SettingsError, match="`tls_key` is not"):
        ships_certificate(made.certificate_path, None)
    with pytest.raises(SettingsError, match="cannot be read"):
        ships_certificate(tmp_path / "missing.pem", made.key_path)
    with pytest.raises(SettingsError, match="cannot be used"):
        ships_certificate(nonsense, made.key_path)
    with pytest.raises(SettingsError, match="cannot be used"):
        ships_certificate(made.certificate_path, nonsense)
    with pytest.raises(SettingsError, match="is not the key of"):
        ships_certificate(made.certificate_path, other.key_path)
    with pytest.raises(SettingsError, match="ended at"):
        ships_certificate(made.certificate_path, made.key_path, now=datetime.now(UTC) + timedelta(days=900))


def test_addresses_by_what_reaches_them() -> None:
    assert [host for host in ("127.0.0.1", "127.8.9.1", "::1", "localhost", "LOCALHOST") if not is_loopback(host)] == []
    assert [host for host in ("0.0.0.0", "::", "", "192.168.7.2", "edge-box", "localhost.evil.example") if is_loopback(host)] == []  # noqa: S104
    assert [host for host in ("0.0.0.0", "::", "") if not is_any(host)] == []  # noqa: S104
    assert not is_any("192.168.7.2")
    assert (url_host("::1"), url_host("10.0.0.1")) == ("[::1]", "10.0.0.1")


def test_the_machine_knows_its_names() -> None:
    names = own_names()
    assert {"localhost", "127.0.0.1", "::1"} <= set(names)
    assert len(set(names)) == len(names) <= 64
    assert not any("%" in name for name in names)


def settings_of(tmp_path: Path, **options: object) -> Settings:
    return load_settings(tmp_path, **options)


def test_browsers_may_use_the_machines_names_when_others_reach_it(tmp_path: Path) -> None:
    near = allowed_hosts(settings_of(tmp_path))
    assert set(near) == {"127.0.0.1", "localhost", "[::1]"}
    far = allowed_hosts(settings_of(tmp_path, host="0.0.0.0"))  # noqa: S104
    assert {url_host(name) for name in own_names()} <= set(far)
    assert "0.0.0.0" not in far  # noqa: S104
    assert not any("*" in name for name in far)
    assert "edge-box" in allowed_hosts(settings_of(tmp_path, host="edge-box"))


def test_names_that_were_set_are_the_only_ones(tmp_path: Path) -> None:
    (tmp_path / "settings.toml").write_text('host = "0.0.0.0"\nallowed_hosts = ["edge.ship.example"]\n')
    assert allowed_hosts(settings_of(tmp_path)) == ("edge.ship.example",)


def test_a_new_certificate_serves_without_a_restart(tmp_path: Path) -> None:
    """From the next connection on; a file that cannot be used leaves the present one in place."""
    first = own_certificate(tmp_path, NAMES, now=datetime.now(UTC) - timedelta(days=800))
    serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    serving.load_cert_chain(first.certificate_path, first.key_path)
    look = renewal(tmp_path, settings_of(tmp_path), first, lambda: serving)
    assert shown_by(serving) == first.sha256
    anyio.run(look)
    second = own_certificate(tmp_path, NAMES)
    assert second.sha256 != first.sha256
    assert shown_by(serving) == second.sha256
    (tmp_path / "settings.toml").write_text('tls_certificate = "missing.pem"\ntls_key = "missing.pem"\n')
    anyio.run(renewal(tmp_path, settings_of(tmp_path), second, lambda: serving))
    assert shown_by(serving) == second.sha256


def shown_by(serving: ssl.SSLContext) -> str:
    """The fingerprint of the certificate that whoever connects gets, without any network."""
    asking = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    asking.check_hostname, asking.verify_mode = False, ssl.CERT_NONE
    to_client, to_server = ssl.MemoryBIO(), ssl.MemoryBIO()
    client, server = asking.wrap_bio(to_client, to_server), serving.wrap_bio(to_server, to_client, server_side=True)
    for _ in range(4):
        for side in (client, server):
            with suppress(ssl.SSLWantReadError):
                side.do_handshake()
    der = client.getpeercert(binary_form=True)
    assert der is not None
    return hashlib.sha256(der).digest().hex(":").upper()
