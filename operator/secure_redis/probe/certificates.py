"""Read a server's certificate, clean it for a text, and match it with a host."""

import ipaddress
import re
from datetime import UTC
from typing import Final

from cryptography import x509
from cryptography.x509.oid import NameOID

from secure_redis.api.reasons.reason import Reason
from secure_redis.domain.observe.endpoint import CertificateFacts
from secure_redis.domain.observe.unknown import Unknown

_NAMES_KEPT: Final = 20
_ISSUER_KEPT: Final = 64  # characters; RFC 5280's bound of a common name
_LABEL: Final = r"[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
_NAME: Final = re.compile(rf"(\*\.)?{_LABEL}(\.{_LABEL})*")
_LONGEST_NAME: Final = 253


def read(der: bytes) -> tuple[CertificateFacts, tuple[str, ...]] | Unknown:
    """Read a certificate: its facts, and all names that it is for (subjectAltName only, as RFC 9525 demands)."""
    try:
        certificate = x509.load_der_x509_certificate(der)
        names = _names(certificate)
        return (
            CertificateFacts(
                certificate.not_valid_before_utc.astimezone(UTC),
                certificate.not_valid_after_utc.astimezone(UTC),
                _issuer(certificate.issuer),
                names[:_NAMES_KEPT],
            ),
            names,
        )
    except (ValueError, TypeError, x509.DuplicateExtension, x509.UnsupportedGeneralNameType):
        # Not the error's own text: it may show what the certificate holds.
        return Unknown(Reason.UNKNOWN, "the server's certificate cannot be read")


def is_for(names: tuple[str, ...], host: str) -> bool:
    """Whether a certificate for `names` is one for `host`: the same name, the same address, or `*.` and one label."""
    address = _address(host)
    if address is not None:
        return any(_address(name) == address for name in names)
    expected = host.lower()
    _, _, parent = expected.partition(".")
    # As OpenSSL does, a wildcard needs two labels below it: *.net matches nothing.
    wildcard = f"*.{parent}" if "." in parent else None
    return any(name.lower() in (expected, wildcard) for name in names)


def is_host(text: str) -> bool:
    """Whether `text` is a DNS name or an address that can be connected to."""
    return _address(text) is not None or (
        len(text) <= _LONGEST_NAME and not text.startswith("*") and _NAME.fullmatch(text) is not None
    )


def _names(certificate: x509.Certificate) -> tuple[str, ...]:
    try:
        alternative = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return ()
    dns = alternative.get_values_for_type(x509.DNSName)
    addresses = alternative.get_values_for_type(x509.IPAddress)
    return (
        *(name for name in dns if len(name) <= _LONGEST_NAME and _NAME.fullmatch(name)),
        *(str(address) for address in addresses if isinstance(address, ipaddress.IPv4Address | ipaddress.IPv6Address)),
    )


def _issuer(issuer: x509.Name) -> str:
    found = issuer.get_attributes_for_oid(NameOID.COMMON_NAME) or issuer.get_attributes_for_oid(
        NameOID.ORGANIZATION_NAME
    )
    text = found[0].value if found else ""
    return "".join(one for one in str(text)[:_ISSUER_KEPT] if one.isprintable()) if isinstance(text, str) else ""


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None
