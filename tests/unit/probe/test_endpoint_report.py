"""How a probe is written to the status and read back, and what it shows of the transport."""

import itertools
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from secure_redis.api.reasons.reason import ConditionType, Reason
from secure_redis.api.status import CacheStatus, Condition, EndpointStatus, Status
from secure_redis.domain.assess.rules import RULES
from secure_redis.domain.assess.rules.rule import PASS, Result
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
from secure_redis.domain.observe.probe_target import Endpoint, settings_of, target
from secure_redis.domain.observe.redis import Redis
from secure_redis.domain.observe.unknown import NOT_READ, Unknown
from secure_redis.domain.report.endpoint_status import (
    MOST_ADDRESSES,
    all_well,
    outcome,
    recalled,
    to_status,
    wrong,
)
from tests.builders.endpoint import HOST, endpoint
from tests.builders.passes import cache, observation, reported, resource
from tests.builders.world import NOW

BLIND = Unknown(Reason.NO_ROUTE, "it did not answer in time; is there a route to it?")
ODD = Unknown(Reason.UNKNOWN, "it does not speak TLS")
ON_IT = Endpoint(HOST, 6380, 6379)
EXPIRED = CertificateFacts(NOW - timedelta(days=90), NOW - timedelta(days=1), "Microsoft", (HOST,))
# Each part with values that it can have.
VALUES: dict[str, tuple[Any, ...]] = {
    "addresses": (
        BLIND,
        (ResolvedAddress("20.0.0.1", AddressScope.PUBLIC), ResolvedAddress("::1", AddressScope.LOOPBACK)),
    ),
    "reached": (BLIND,),
    "chain": (ODD, Verification(False, "self-signed certificate"), Verification(False)),
    "name": (ODD, Verification(False, f"the certificate is not for {HOST}")),
    "tls_1_0": (Offer.ACCEPTED, BLIND),
    "tls_1_1": (Offer.ACCEPTED, ODD),
    "tls_1_2": (Offer.REFUSED, BLIND),
    "tls_1_3": (Offer.REFUSED, ODD),
    "certificate": (EXPIRED, ODD, CertificateFacts(NOW, NOW + timedelta(days=3), "", ())),
    "plaintext": (PlaintextPort.OPEN, PlaintextPort.CLOSED, BLIND),
}
SINGLES = [endpoint(**{part: value}) for part, values in VALUES.items() for value in values]
PAIRS = [
    endpoint(**{one: first, other: second})
    for one, other in itertools.combinations(VALUES, 2)
    for first in VALUES[one]
    for second in VALUES[other]
]
LOOKS = [endpoint(), endpoint(**dict.fromkeys(VALUES, BLIND)), *SINGLES, *PAIRS]


def stored(facts: EndpointFacts) -> Status:
    """As the API server gives it back."""
    written = Status(cache=CacheStatus(host_name=facts.host, port=facts.port), endpoint=to_status(facts))
    return Status.model_validate(written.document())


def judged(facts: EndpointFacts, world: Observation) -> dict[str, Any]:
    rules = {rule.id: rule for rule in RULES if rule.id in {"T4", "T5", "N5"}}
    found = {name: rule.check(resource(), replace(world, endpoint=facts)) for name, rule in rules.items()}
    # A rule that passes only by a recalled probe keeps its reported result: here it passed.
    return {name: PASS if verdict.pending else verdict for name, verdict in found.items()}


@pytest.mark.parametrize("public", ["Enabled", "Disabled"])
def test_a_restart_changes_neither_status_nor_findings(public: str) -> None:
    """The next process reports of what it reads back the same as this one of what it found."""
    world = observation(cache=cache(public_network_access=public))
    assert len(LOOKS) > 200
    for facts in LOOKS:
        again = recalled(stored(facts), ON_IT)
        assert again is not None
        assert to_status(again) == to_status(facts)
        assert judged(again, world) == judged(facts, world), facts
        assert list(wrong(again, NOW)) == list(wrong(facts, NOW))


@pytest.mark.parametrize(("before", "now"), [("False", "Unknown"), ("Unknown", "Unknown"), ("True", "True")])
def test_a_status_alone_never_makes_the_transport_secured(before: str, now: str) -> None:
    """A user who may write the status could have written the probe's result as well."""
    held = {"type": "TransportSecured", "status": before, "reason": "Secured", "message": "x"}
    condition = {**held, "observedGeneration": 1, "lastTransitionTime": "2026-11-24T12:00:00Z"}
    told_before = resource(status={"observedGeneration": 1, "conditions": [condition]})
    for at, wanted in ((None, now), (NOW, "True")):
        status = reported(told_before, observation(endpoint=endpoint(at=at))).status
        found = status.condition(ConditionType.TRANSPORT_SECURED)
        assert found is not None
        assert found.status == wanted


def test_every_part_is_reported() -> None:
    """Else a change of it would wake no resource, and a restart would lose it."""
    well = to_status(endpoint())
    for facts in SINGLES:
        assert to_status(facts) != well, facts


def test_values_that_change_by_themselves_are_not_reported() -> None:
    later = endpoint(at=NOW + timedelta(hours=1), reached="10.0.0.9")
    assert to_status(later) == to_status(endpoint())


def test_an_unverified_issuer_is_not_repeated() -> None:
    foreign = to_status(endpoint(chain=Verification(False, "self-signed certificate")))
    assert foreign.certificate is not None
    assert foreign.certificate.issuer is None
    certificate = to_status(endpoint()).certificate
    assert certificate is not None
    assert certificate.issuer == "Microsoft"


def test_unknown_findings_are_grouped_by_reason() -> None:
    unreached = to_status(endpoint(**dict.fromkeys(VALUES, BLIND)))
    assert len(unreached.unknown) == 1
    assert len(unreached.unknown[0].parts) == len(VALUES)


def test_many_addresses_are_bounded() -> None:
    many = tuple(ResolvedAddress(f"10.0.0.{n}", AddressScope.PRIVATE) for n in range(100))
    assert len(to_status(endpoint(addresses=many)).addresses) == MOST_ADDRESSES


@pytest.mark.parametrize(
    "status",
    [
        Status(),
        Status(endpoint=to_status(endpoint())),
        Status(cache=CacheStatus(host_name="other.redis.cache.windows.net", port=6380), endpoint=to_status(endpoint())),
        Status(cache=CacheStatus(host_name=HOST, port=10000), endpoint=to_status(endpoint())),
        Status(
            cache=CacheStatus(host_name=HOST, port=6380),
            endpoint=EndpointStatus.model_validate({"unknown": [{"parts": ["x"], "reason": "y", "message": "z"}]}),
        ),
    ],
    ids=["empty", "no-cache", "other-host", "other-port", "edited"],
)
def test_a_status_of_another_endpoint_or_an_unreadable_one_is_not_recalled(status: Status) -> None:
    assert recalled(status, ON_IT) is None


def test_fields_missing_from_a_handwritten_status_are_unknown_not_safe() -> None:
    """A status with missing parts makes no rule pass."""
    emptied = Status(cache=CacheStatus(host_name=HOST, port=6380), endpoint=EndpointStatus())
    facts = recalled(emptied, ON_IT)
    assert facts is not None
    assert {verdict.result for verdict in judged(facts, observation()).values()} <= {
        Result.UNKNOWN,
        Result.NOT_APPLICABLE,
    }


# --- the condition --------------------------------------------------------------------------------------------------


def transport(facts: Any, status: dict[str, Any] | None = None, **of_cache: Any) -> Condition:
    found = reported(
        resource(status=status or {}), observation(cache=cache(**of_cache), endpoint=facts)
    ).status.condition(ConditionType.TRANSPORT_SECURED)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"plaintext": PlaintextPort.OPEN}, "NonTLSPortOpen"),
        ({"tls_1_0": Offer.ACCEPTED}, "TLSTooOldAccepted"),
        ({"tls_1_1": Offer.ACCEPTED}, "TLSTooOldAccepted"),
        ({"chain": Verification(False, "self-signed certificate")}, "CertificateNotTrusted"),
        ({"name": Verification(False, "it is for another")}, "CertificateNameMismatch"),
        ({"certificate": EXPIRED, "chain": Verification(False, "certificate has expired")}, "CertificateExpired"),
        ({"certificate": EXPIRED}, "CertificateExpired"),  # since the probe
    ],
)
def test_the_probe_result_outweighs_azures_report(changes: dict[str, Any], reason: str) -> None:
    facts = endpoint(**changes)
    found = transport(facts)
    assert (found.status, found.reason) == ("False", reason)
    assert not all_well(facts, NOW)


def test_a_probe_that_saw_nothing_wrong() -> None:
    found = transport(endpoint())
    assert (found.status, found.reason) == ("True", "Secured")
    assert "the probe found the same" in found.message
    assert all_well(endpoint(), NOW)


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        (endpoint(**dict.fromkeys(VALUES, BLIND)), "the probe could not check all: it did not answer"),
        (endpoint(tls_1_1=ODD), "the probe could not check all: it does not speak TLS"),
        (Unknown(Reason.PENDING, "still to come"), "not probed: still to come"),
    ],
    ids=["no-route", "partly", "not-yet"],
)
def test_an_unknown_probe_changes_nothing_and_is_reported(facts: Any, said: str) -> None:
    found = transport(facts)
    assert (found.status, found.reason) == ("True", "Secured")
    assert said in found.message


def test_without_a_probe_none_is_mentioned() -> None:
    assert "probe" not in transport(NOT_READ).message


def test_a_probe_does_not_replace_a_value_missing_from_azure() -> None:
    assert transport(endpoint(), minimum_tls_version=None).status == "Unknown"
    assert transport(endpoint(tls_1_0=Offer.ACCEPTED), minimum_tls_version=None).status == "False"


def test_ready_does_not_ask_what_the_probe_saw() -> None:
    bad = endpoint(plaintext=PlaintextPort.OPEN, chain=Verification(False, "self-signed certificate"))
    for facts in (bad, NOT_READ, Unknown(Reason.NO_ROUTE, "no")):
        ready = reported(resource(), observation(endpoint=facts)).status.condition(ConditionType.READY)
        assert ready is not None
        assert ready.status == reported(resource(), observation()).status.condition(ConditionType.READY).status  # type: ignore[union-attr]


def test_the_last_observation_stays_while_azure_does_not_answer() -> None:
    res = resource(status=stored(endpoint()).document())
    down = Unknown(Reason.AZURE_UNREACHABLE, "no answer")
    assert reported(res, observation(cache=down)).status.endpoint == to_status(endpoint())
    assert reported(res, observation(endpoint=Unknown(Reason.PENDING, "to come"))).status.endpoint == to_status(
        endpoint()
    )
    assert reported(res, observation(endpoint=NOT_READ)).status.endpoint is None  # switched off
    assert reported(res, observation(endpoint=Unknown(Reason.NO_ROUTE, "closed"))).status.endpoint is None


# --- what is probed -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "changes",
    [
        {"provisioning_state": "Creating"},
        {"provisioning_state": "Deleting"},
        {"provisioning_state": "Failed"},
        {"provisioning_state": "Disabled"},
        {"host_name": None},
        {"tls_port": None},
        {"plaintext_port": None},
        {"public_network_access": "Disabled", "private_endpoints": (), "subnet_id": None},
    ],
    ids=lambda changes: "-".join(map(str, changes.values())),
)
def test_an_unreachable_or_inactive_cache_is_not_probed(changes: dict[str, Any]) -> None:
    facts = replace(whole(), **changes)
    assert isinstance(target(facts), Unknown)
    assert target(whole()) == Endpoint(HOST, 6380, 6379)


@pytest.mark.parametrize(
    "changes",
    [
        {"provisioning_state": "Updating"},
        {"minimum_tls_version": "1.0"},
        {"plaintext_open": True},
        {"public_network_access": "Enabled"},
        {"private_endpoints": ()},
        {"subnet_id": "/subnet"},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_a_change_that_affects_the_endpoint_requests_a_new_probe(changes: dict[str, Any]) -> None:
    assert settings_of(replace(whole(), **changes)) != settings_of(whole())
    assert settings_of(replace(whole(), redis_version="7.2", tags={"a": "b"})) == settings_of(whole())


def whole() -> Redis:
    return cache(host_name=HOST, tls_port=6380, plaintext_port=6379)


def test_outcomes() -> None:
    assert outcome(endpoint()) == "complete"
    assert outcome(endpoint(tls_1_0=BLIND)) == "partial"
    assert outcome(endpoint(**dict.fromkeys(VALUES, BLIND))) == "unreachable"
