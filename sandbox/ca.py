"""The sandbox's own certificate authority. It replaces Azure's public one."""

import dataclasses
import datetime
import hashlib
from pathlib import Path
from typing import Self

import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from sandbox.cache import locked

_CERTIFICATE = "ca.crt"
_KEY = "ca.key"


@dataclasses.dataclass(frozen=True)
class IssuedCertificate:
    """PEM files: the certificate (with its chain) and its private key, the latter readable by us alone."""

    cert_file: Path
    key_file: Path


class CertificateAuthority:
    """Issues server certificates and keeps them in a directory. Several processes may use the same directory."""

    def __init__(self, directory: Path, authority: trustme.CA) -> None:
        self._directory = directory
        self._authority = authority

    @classmethod
    def create_or_load(cls, directory: Path) -> Self:
        """Load the authority in `directory`, or create it there. The directory becomes private."""
        directory = directory.absolute()
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        certificate, key = directory / _CERTIFICATE, directory / _KEY
        with locked(directory / ".lock"):
            if certificate.exists() and key.exists():
                return cls(directory, trustme.CA.from_pem(certificate.read_bytes(), key.read_bytes()))
            authority = trustme.CA(organization_name="secure-redis sandbox")
            _write(key, authority.private_key_pem.bytes(), 0o600)
            _write(certificate, authority.cert_pem.bytes(), 0o644)  # last: its presence means complete
            return cls(directory, authority)

    @property
    def ca_file(self) -> Path:
        """Return the authority's certificate (PEM): what a client must trust."""
        return self._directory / _CERTIFICATE

    def issue(self, *names: str, expired: bool = False) -> IssuedCertificate:
        """Issue a server certificate for these DNS names (`*.x.test` too) or IP addresses; the same one each time.

        `expired` gives one that ended yesterday, for the case where a server's owner forgot it.
        """
        if not names:
            raise ValueError("a certificate needs at least one name")
        tag = hashlib.sha256("\n".join([*names, "expired" if expired else ""]).encode()).hexdigest()[:24]
        issued = IssuedCertificate(self._directory / f"{tag}.crt", self._directory / f"{tag}.key")
        with locked(self._directory / ".lock"):
            if not issued.cert_file.exists():
                today = datetime.datetime.now(datetime.UTC)
                leaf = self._authority.issue_cert(
                    *names,
                    not_before=today - datetime.timedelta(days=30),
                    not_after=today + datetime.timedelta(days=-1 if expired else 365),
                )
                _write(issued.key_file, leaf.private_key_pem.bytes(), 0o600)
                _write(issued.cert_file, b"".join(pem.bytes() for pem in leaf.cert_chain_pems), 0o644)
        return issued

    def self_signed(self, name: str) -> IssuedCertificate:
        """Create a self-signed certificate for this DNS name."""
        tag = hashlib.sha256(f"{name}\nself-signed".encode()).hexdigest()[:24]
        issued = IssuedCertificate(self._directory / f"{tag}.crt", self._directory / f"{tag}.key")
        with locked(self._directory / ".lock"):
            if not issued.cert_file.exists():
                _write_self_signed(issued, name)
        return issued


def _write_self_signed(issued: IssuedCertificate, name: str) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    today = datetime.datetime.now(datetime.UTC)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    certificate = (
        x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number())
        .not_valid_before(today - datetime.timedelta(days=30))
        .not_valid_after(today + datetime.timedelta(days=365))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    _write(issued.key_file, private, 0o600)
    _write(issued.cert_file, certificate.public_bytes(pem), 0o644)


def _write(path: Path, content: bytes, mode: int) -> None:
    scratch = path.with_name(f".{path.name}.new")
    scratch.unlink(missing_ok=True)
    scratch.touch(mode=mode)
    scratch.write_bytes(content)
    scratch.replace(path)
