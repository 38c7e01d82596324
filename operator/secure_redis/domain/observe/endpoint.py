"""The result of a probe of a live endpoint: per check a value, or Unknown with the reason."""

import ipaddress
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from secure_redis.domain.observe.unknown import Unknown

# RFC 1918, and the unique local addresses of RFC 4193. `is_private` also contains documentation ranges and others.
_PRIVATE: Final = tuple(
    ipaddress.ip_network(text) for text in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7")
)
_NAT64: Final = ipaddress.IPv6Network("64:ff9b::/96")  # RFC 6052: an IPv4 address in its last 32 bits


class AddressScope(StrEnum):
    """The kind of an address. SHARED is RFC 6598 (100.64.0.0/10); OTHER is link-local, reserved and the like."""

    PRIVATE = "Private"
    PUBLIC = "Public"
    LOOPBACK = "Loopback"
    SHARED = "Shared"
    OTHER = "Other"


@dataclass(frozen=True, slots=True)
class ResolvedAddress:
    """An address that the cluster's DNS gave for the host."""

    address: str
    scope: AddressScope


class Offer(StrEnum):
    """The server's answer to an offer of one TLS version alone (1.3: together with 1.2)."""

    ACCEPTED = "Accepted"
    REFUSED = "Refused"


class PlaintextPort(StrEnum):
    """The state of the non-TLS port, as the operator reaches it.

    CLOSED: the connection was refused. NOT_ANSWERING: there was no connection, or it was closed without an answer. Of a
    port that speaks TLS itself (Managed Redis has no other): it did not answer Redis without TLS.
    OPEN: it speaks Redis without TLS, with or without a password.
    """

    CLOSED = "Closed"
    NOT_ANSWERING = "NotAnswering"
    OPEN = "Open"


@dataclass(frozen=True, slots=True)
class Verification:
    """The result of a verification; `why` explains a failure."""

    verified: bool
    why: str = ""


@dataclass(frozen=True, slots=True)
class Negotiated:
    """The result of a handshake that offers TLS 1.2 and 1.3: `version` is "1.2" or "1.3", `cipher` OpenSSL's name."""

    version: str
    cipher: str


@dataclass(frozen=True, slots=True)
class CertificateFacts:
    """The server's certificate, all of it public. Its content is proven only if `chain` is verified.

    `names`: DNS names and addresses, the first of them if there are many. `issuer`: the common name, else the
    organisation; may be empty.
    """

    not_before: datetime
    not_after: datetime
    issuer: str
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class EndpointFacts:
    """One probe of an endpoint at the time `at`; None: by an earlier process, as the status reports it.

    `addresses`: all that DNS returned, sorted, so that a resolver that rotates them is no change.
    `reached`: the address that accepted the connection on the TLS port; all further connections went there.
    `name`: whether the certificate is for the host, from any issuer. Only `chain` and `name` together prove the
    server's identity.
    """

    host: str
    port: int
    plaintext_port: int
    at: datetime | None
    addresses: tuple[ResolvedAddress, ...] | Unknown
    reached: str | Unknown
    chain: Verification | Unknown
    name: Verification | Unknown
    negotiated: Negotiated | Unknown
    tls_1_0: Offer | Unknown
    tls_1_1: Offer | Unknown
    tls_1_2: Offer | Unknown
    tls_1_3: Offer | Unknown
    certificate: CertificateFacts | Unknown
    plaintext: PlaintextPort | Unknown

    @property
    def reachable(self) -> bool:
        """Whether the TLS port accepted a connection."""
        return not isinstance(self.reached, Unknown)

    @property
    def verified(self) -> bool:
        """Whether chain and name were verified."""
        return all(isinstance(one, Verification) and one.verified for one in (self.chain, self.name))


def scope_of(address: str) -> AddressScope:
    """Return the kind of an address; IPv4 inside IPv6 (mapped, NAT64) counts as IPv4. Raises ValueError for others."""
    ip: ipaddress.IPv4Address | ipaddress.IPv6Address = ipaddress.ip_address(address)
    if isinstance(ip, ipaddress.IPv6Address):
        if ip.ipv4_mapped is not None:
            ip = ip.ipv4_mapped
        elif ip in _NAT64:
            ip = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
    if ip.is_loopback:
        return AddressScope.LOOPBACK
    if any(ip in network for network in _PRIVATE):
        return AddressScope.PRIVATE
    if ip in ipaddress.IPv4Network("100.64.0.0/10"):
        return AddressScope.SHARED
    return AddressScope.PUBLIC if ip.is_global and not ip.is_multicast else AddressScope.OTHER
