"""TLS for the pages on the ship's network: the appliance's own certificate, or the ship's.

No authority on land vouches for a machine at sea, so whoever opens the pages for the first time compares the certificate's
SHA-256 with what the machine itself shows. The key is P-256 (every browser takes it), the certificate is for a server and
for nothing else, names every name and address of the machine, and lasts 825 days, the longest that browsers accept of one
that was put among the trusted by hand. It is made anew 30 days before its end, or when the machine has got a new address.
"""

from __future__ import annotations

import socket
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import psutil
import structlog
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from edge.errors import SettingsError
from edge.store.clock import utc_text
from edge.store.keys import write_private

log = structlog.get_logger()

CERTIFICATE_NAME = "keys/tls.crt"
KEY_NAME = "keys/tls.key"
LASTS = timedelta(days=825)
RENEWED_BEFORE = timedelta(days=30)
_BACKDATED = timedelta(days=1)  # a laptop's clock may be behind
_MAX_NAMES = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """What the pages are served with. `sha256` is the fingerprint as people compare it, pairs of digits with colons."""

    certificate_path: Path
    key_path: Path
    sha256: str
    until: datetime
    is_new: bool = False

    @property
    def until_utc(self) -> str:
        """Until when it holds."""
        return utc_text(self.until)


def is_loopback(host: str) -> bool:
    """Whether an address to serve on is reached from this machine only."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def is_any(host: str) -> bool:
    """Whether an address to serve on stands for all of the machine's."""
    try:
        return ip_address(host).is_unspecified
    except ValueError:
        return host == ""


def own_names() -> tuple[str, ...]:
    """Names and addresses under which this machine may be called, as they stand in a certificate. Asks no name server."""
    host = socket.gethostname().lower()
    names = ["localhost", host, *([f"{host}.local"] if "." not in host else [])]
    addresses = ["127.0.0.1", "::1"]
    for ones in psutil.net_if_addrs().values():
        addresses += [one.address for one in ones if one.family in {socket.AF_INET, socket.AF_INET6} and "%" not in one.address]
    return tuple(dict.fromkeys([*(name for name in names if _is_name(name)), *addresses]))[:_MAX_NAMES]


def url_host(name: str) -> str:
    """A name or address as it stands in a URL and in a Host header: IPv6 in brackets."""
    return f"[{name}]" if ":" in name else name


def own_certificate(home: Path, names: Sequence[str], *, now: datetime | None = None) -> Certificate:
    """The appliance's own certificate; made, or made anew, where it must be. The key stays the same unless it is gone.

    Args:
        home: the home folder; the key lies in `keys`, readable for its owner only.
        names: names and addresses that it must cover; a new IPv6 address alone is no reason to make it anew.
        now: the time; the clock's if None.

    Raises:
        SettingsError: the files cannot be read or written.
    """
    now = now or datetime.now(UTC)
    certificate_path, key_path = home / CERTIFICATE_NAME, home / KEY_NAME
    try:
        key = _read_key(key_path)
        present = _read_own(certificate_path)
        if key is None or present is None or present.public_key() != key.public_key():
            why = "there is none"
        else:
            why = _why_renew(present, names, now)
        if not why:
            assert present is not None
            return _told(present, certificate_path, key_path)
        key = key or _make_key(key_path)
        covered = list(dict.fromkeys([*names, *(() if present is None else _names_in(present))]))[:_MAX_NAMES]
        made = _sign(key, covered, now)
        write_private(certificate_path, made.public_bytes(serialization.Encoding.PEM), mode=0o644)
    except OSError as error:
        advice = "Check the permissions of the folder keys in the home folder."
        raise SettingsError(f"{error.filename or home} cannot be used: {error.strerror}", advice=advice) from error
    log.info("certificate_made", why=why, names=covered, sha256=fingerprint(made))
    return _told(made, certificate_path, key_path, is_new=True)


def ships_certificate(certificate_path: Path, key_path: Path | None, *, now: datetime | None = None) -> Certificate:
    """A certificate that the settings name.

    Raises:
        SettingsError: a file is missing or not PEM, the two do not belong together, or its time is over.
    """
    if key_path is None:
        raise SettingsError("`tls_certificate` is set and `tls_key` is not", advice="Name the private key in `tls_key`.")
    try:
        found = x509.load_pem_x509_certificates(certificate_path.read_bytes())[0]
        key = serialization.load_pem_private_key(key_path.read_bytes(), password=None)
    except OSError as error:
        raise SettingsError(f"{error.filename} cannot be read: {error.strerror}") from error
    except (ValueError, TypeError) as error:
        advice = "Both are PEM files; the key has no password."
        raise SettingsError(f"{certificate_path} or {key_path} cannot be used: {error}", advice=advice) from error
    if key.public_key() != found.public_key():
        raise SettingsError(f"{key_path} is not the key of {certificate_path}", advice="Name the two files that belong together.")
    if found.not_valid_after_utc <= (now or datetime.now(UTC)):
        advice = "Get a new one, or take `tls_certificate` out of the settings: the appliance then makes its own."
        raise SettingsError(f"{certificate_path} ended at {utc_text(found.not_valid_after_utc)}", advice=advice)
    return _told(found, certificate_path, key_path)


def fingerprint(certificate: x509.Certificate) -> str:
    """SHA-256 of the certificate, in pairs of capital digits with colons, as browsers show it."""
    return certificate.fingerprint(hashes.SHA256()).hex(":").upper()


def _told(certificate: x509.Certificate, certificate_path: Path, key_path: Path, *, is_new: bool = False) -> Certificate:
    return Certificate(
        certificate_path=certificate_path,
        key_path=key_path,
        sha256=fingerprint(certificate),
        until=certificate.not_valid_after_utc,
        is_new=is_new,
    )


def _why_renew(present: x509.Certificate, names: Sequence[str], now: datetime) -> str:
    if present.not_valid_after_utc - now < RENEWED_BEFORE:
        return "it ends soon"
    if present.not_valid_before_utc > now:
        return "it begins in the future: the clock was set back"
    covered = _names_in(present)
    missing = [name for name in names if name not in covered and ":" not in name]  # temporary IPv6 addresses come and go daily
    return f"it lacks {', '.join(missing)}" if missing else ""


def _names_in(certificate: x509.Certificate) -> tuple[str, ...]:
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return ()
    return (*names.get_values_for_type(x509.DNSName), *(str(one) for one in names.get_values_for_type(x509.IPAddress)))


def _sign(key: ec.EllipticCurvePrivateKey, names: Sequence[str], now: datetime) -> x509.Certificate:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"iMagine Edge on {socket.gethostname()}"[:64])])
    usage = x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=False,  # it can vouch for nothing else, whoever gets the key
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _BACKDATED)
        .not_valid_after(now - _BACKDATED + LASTS)
        .add_extension(x509.SubjectAlternativeName([_general(name) for name in names]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .sign(key, hashes.SHA256())
    )


def _general(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _is_name(name: str) -> bool:
    return name.isascii() and 0 < len(name) <= 253 and all(letter.isalnum() or letter in "-." for letter in name)


def _read_key(path: Path) -> ec.EllipticCurvePrivateKey | None:
    if not path.exists():
        return None
    try:
        key = serialization.load_pem_private_key(path.read_bytes(), password=None)
    except (ValueError, TypeError):
        log.warning("tls_key_damaged", path=str(path))
        return None
    return key if isinstance(key, ec.EllipticCurvePrivateKey) else None


def _read_own(path: Path) -> x509.Certificate | None:
    if not path.exists():
        return None
    try:
        return x509.load_pem_x509_certificate(path.read_bytes())
    except ValueError:
        log.warning("certificate_damaged", path=str(path))
        return None


def _make_key(path: Path) -> ec.EllipticCurvePrivateKey:
    key = ec.generate_private_key(ec.SECP256R1())
    text = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    write_private(path, text, mode=0o600)
    return key
