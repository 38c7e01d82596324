"""Report what a probe found at an endpoint, and read it back from the status after a restart. Pure."""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Any, Final

from secure_redis.api.reasons.reason import ConditionType, Reason
from secure_redis.api.status import (
    CertificateStatus,
    EndpointAddress,
    EndpointStatus,
    Status,
    UnseenStatus,
    VerificationStatus,
)
from secure_redis.api.times import rfc3339
from secure_redis.domain.observe.cache import Cache, CacheAbsent
from secure_redis.domain.observe.endpoint import (
    AddressScope,
    CertificateFacts,
    EndpointFacts,
    Offer,
    PlaintextPort,
    ResolvedAddress,
    Verification,
)
from secure_redis.domain.observe.observation import Observation
from secure_redis.domain.observe.probe_target import Endpoint
from secure_redis.domain.observe.unknown import Unknown

MOST_ADDRESSES: Final = 16  # as the schema bounds them
_TEXT: Final = 256
_VERSIONS: Final = (("1.0", "tls_1_0"), ("1.1", "tls_1_1"), ("1.2", "tls_1_2"), ("1.3", "tls_1_3"))
# Every part of EndpointFacts that is reported, and its word in status.endpoint.unknown.
_PARTS: Final = {
    "addresses": "addresses",
    "connection": "reached",
    "chain": "chain",
    "name": "name",
    **{f"TLS {version}": field for version, field in _VERSIONS},
    "certificate": "certificate",
    "nonTLSPort": "plaintext",
}
_NOT_KEPT: Final = Unknown(Reason.UNKNOWN, "not kept from an earlier probe")


def to_status(facts: EndpointFacts) -> EndpointStatus:
    """Report what was found, without the time: the status changes only when the endpoint does."""
    chain, name, certificate = facts.chain, facts.name, facts.certificate
    verified = isinstance(chain, Verification) and chain.verified
    offers = {version: getattr(facts, field) for version, field in _VERSIONS}
    return EndpointStatus(
        addresses=()
        if isinstance(facts.addresses, Unknown)
        else tuple(EndpointAddress(address=one.address, scope=one.scope) for one in facts.addresses[:MOST_ADDRESSES]),
        tls_versions=tuple(version for version, offer in offers.items() if offer is Offer.ACCEPTED),
        chain=None if isinstance(chain, Unknown) else _verification(chain),
        name=None if isinstance(name, Unknown) else _verification(name),
        certificate=None
        if isinstance(certificate, Unknown)
        else CertificateStatus(
            # The server alone claims it while the chain is not verified.
            issuer=(certificate.issuer[:_TEXT] or None) if verified else None,
            not_after=rfc3339(certificate.not_after),
        ),
        non_tls_port=None if isinstance(facts.plaintext, Unknown) else facts.plaintext,
        unknown=tuple(_unknown_parts(facts)),
    )


def _verification(found: Verification) -> VerificationStatus:
    return VerificationStatus(verified=found.verified, message=found.why[:_TEXT] or None)


def _unknown_parts(facts: EndpointFacts) -> Iterator[UnseenStatus]:
    groups: dict[tuple[str, str], list[str]] = {}
    for word, field in _PARTS.items():
        part = getattr(facts, field)
        if isinstance(part, Unknown):
            groups.setdefault((part.reason, part.message[:_TEXT]), []).append(word)
    for (reason, message), words in groups.items():
        yield UnseenStatus(parts=tuple(words), reason=reason, message=message)


def recalled(status: Status, endpoint: Endpoint) -> EndpointFacts | None:
    """Recall what an earlier process found at this endpoint, so that a restart changes no finding; None: nothing."""
    cache, before = status.cache, status.endpoint
    if before is None or cache is None or cache.host_name is None:
        return None
    if (cache.host_name.lower(), cache.port) != (endpoint.host, endpoint.port):
        return None
    try:
        return _facts(before, endpoint)
    except (ValueError, KeyError):  # edited by hand, or by another version: probed again
        return None


def _facts(before: EndpointStatus, endpoint: Endpoint) -> EndpointFacts:
    not_probed: dict[str, Unknown] = {}
    for group in before.unknown:
        not_probed |= {_PARTS[word]: Unknown(Reason(group.reason), group.message) for word in group.parts}

    def part(field: str, value: Any) -> Any:
        return not_probed.get(field, _NOT_KEPT if value is None else value)

    certificate = before.certificate and CertificateFacts(
        not_before=datetime.min.replace(tzinfo=UTC),
        not_after=datetime.fromisoformat(before.certificate.not_after),
        issuer=before.certificate.issuer or "",
        names=(),
    )
    offers = {
        field: part(field, Offer.ACCEPTED if version in before.tls_versions else Offer.REFUSED)
        for version, field in _VERSIONS
    }
    addresses = tuple(ResolvedAddress(one.address, AddressScope(one.scope)) for one in before.addresses)
    return EndpointFacts(
        host=endpoint.host,
        port=endpoint.port,
        plaintext_port=endpoint.plaintext_port,
        at=None,
        addresses=part("addresses", addresses or None),
        reached=part("reached", addresses[0].address if addresses else ""),
        chain=part("chain", before.chain and Verification(before.chain.verified, before.chain.message or "")),
        name=part("name", before.name and Verification(before.name.verified, before.name.message or "")),
        negotiated=_NOT_KEPT,
        **offers,
        certificate=part("certificate", certificate),
        plaintext=part("plaintext", before.non_tls_port and PlaintextPort(before.non_tls_port)),
    )


def status_of(observed: Observation, before: EndpointStatus | None) -> EndpointStatus | None:
    """`status.endpoint`: its values stay until the cache and its endpoint can be judged again."""
    if isinstance(observed.endpoint, EndpointFacts):
        return to_status(observed.endpoint)
    waits = isinstance(observed.endpoint, Unknown) and observed.endpoint.reason is Reason.PENDING
    judged = isinstance(observed.cache, Cache | CacheAbsent)
    return None if judged and not waits else before


def outcome(facts: EndpointFacts) -> str:
    """Classify for the metrics how much a probe found: complete, partial or unreachable."""
    if not facts.reachable:
        return "unreachable"
    return "partial" if any(True for _ in _unknown_parts(facts)) else "complete"


def not_probed(endpoint: Endpoint, why: Unknown, at: datetime) -> EndpointFacts:
    """Build the facts of an endpoint that was not probed."""
    parts: dict[str, Any] = dict.fromkeys(_PARTS.values(), why)
    return EndpointFacts(endpoint.host, endpoint.port, endpoint.plaintext_port, at, negotiated=why, **parts)


def all_well(facts: EndpointFacts, now: datetime) -> bool:
    """Whether every part was found and nothing is wrong."""
    return not any(True for _ in _unknown_parts(facts)) and next(wrong(facts, now), None) is None


def wrong(facts: EndpointFacts, now: datetime) -> Iterator[tuple[Reason, str]]:
    """Find what makes the transport unsafe, the worst first. Unknown parts are left out."""
    where = f"{facts.host}:{facts.port}"
    if facts.plaintext is PlaintextPort.OPEN:
        yield Reason.NON_TLS_PORT_OPEN, f"{facts.host}:{facts.plaintext_port} was found to speak Redis without TLS"
    old = [f"TLS {version}" for version, field in _VERSIONS[:2] if getattr(facts, field) is Offer.ACCEPTED]
    if old:
        yield Reason.TLS_TOO_OLD_ACCEPTED, f"{where} was found to accept {' and '.join(old)}"
    certificate = facts.certificate
    expired = not isinstance(certificate, Unknown) and certificate.not_after <= now
    if expired and not isinstance(certificate, Unknown):
        yield Reason.CERTIFICATE_EXPIRED, f"the certificate of {where} expired on {certificate.not_after:%Y-%m-%d}"
    if isinstance(facts.name, Verification) and not facts.name.verified:
        yield Reason.CERTIFICATE_NAME_MISMATCH, f"{where}: {facts.name.why}"
    if isinstance(facts.chain, Verification) and not facts.chain.verified and not expired:
        yield Reason.CERTIFICATE_NOT_TRUSTED, f"the certificate of {where} is not trusted: {facts.chain.why}"


def only_recalled(status: Status, observed: Observation) -> bool:
    """Whether only the status reports that nothing is wrong, and TransportSecured was not True before."""
    return isinstance(observed.endpoint, EndpointFacts) and observed.endpoint.at is None and awaited(status)


def awaited(status: Status) -> bool:
    """Whether an earlier process's probe cannot settle TransportSecured, so that this process has to probe."""
    before = status.condition(ConditionType.TRANSPORT_SECURED)
    return before is None or before.status != "True"


def aside(observed: Observation) -> str:
    """Name the unknown parts of the endpoint, as the end of a sentence; empty where all is known or none is read."""
    endpoint = observed.endpoint
    if isinstance(endpoint, Unknown):
        return f"; the endpoint was not probed: {endpoint.message}"
    if isinstance(endpoint, EndpointFacts):
        blind = _first_unknown(getattr(endpoint, field) for field in _PARTS.values())
        return "; the probe found the same" if blind is None else f"; the probe could not check all: {blind.message}"
    return ""


def _first_unknown(parts: Iterable[Any]) -> Unknown | None:
    return next((part for part in parts if isinstance(part, Unknown)), None)
