"""Builds the facts of a probe that found no problem."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from secure_redis.domain.observe.endpoint import (
    AddressScope,
    CertificateFacts,
    EndpointFacts,
    Negotiated,
    Offer,
    PlaintextPort,
    ResolvedAddress,
    Verification,
)
from tests.builders.world import NOW

HOST = "orders.redis.cache.windows.net"


def certificate(host: str = HOST, now: datetime = NOW) -> CertificateFacts:
    """Return a certificate for `host` that is valid at `now`."""
    return CertificateFacts(now - timedelta(days=30), now + timedelta(days=150), "Microsoft", (host,))


def endpoint(**changes: Any) -> EndpointFacts:
    """Return the facts of an endpoint that serves TLS 1.2 and 1.3 only, with a valid certificate."""
    safe = EndpointFacts(
        host=HOST,
        port=6380,
        plaintext_port=6379,
        at=NOW,
        addresses=(ResolvedAddress("10.0.0.4", AddressScope.PRIVATE),),
        reached="10.0.0.4",
        chain=Verification(verified=True),
        name=Verification(verified=True),
        negotiated=Negotiated("1.3", "TLS_AES_256_GCM_SHA384"),
        tls_1_0=Offer.REFUSED,
        tls_1_1=Offer.REFUSED,
        tls_1_2=Offer.ACCEPTED,
        tls_1_3=Offer.ACCEPTED,
        certificate=certificate(),
        plaintext=PlaintextPort.NOT_ANSWERING,
    )
    return replace(safe, **changes)
