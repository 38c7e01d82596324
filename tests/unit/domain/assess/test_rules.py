import re
from collections import Counter
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretBytes, SecretStr

from secure_redis.api.reasons.reason import Reason
from secure_redis.api.spec.spec import Profile
from secure_redis.domain.assess.rules import RULES, Compliance, evaluate
from secure_redis.domain.assess.rules.rule import (
    Result,
    Rule,
    Severity,
    Verdict,
)
from secure_redis.domain.observe.cache import CacheAbsent, PrivateEndpoint
from secure_redis.domain.observe.firewall import FirewallRuleFacts
from secure_redis.domain.observe.identity import OperatorIdentity
from secure_redis.domain.observe.keys import (
    AuthenticationResult,
    Proven,
    ProvenBy,
    Slot,
    VaultSecretAbsent,
)
from secure_redis.domain.observe.unknown import NOT_READ, Unknown
from tests.builders.complete import complete
from tests.builders.storage import BY_IDENTITY
from tests.builders.world import KEYS, NOW, PRIMARY, SECONDARY, built, cache, observation, published, resource, vault

PASS, FAIL, UNKNOWN, NA = Result.PASS, Result.FAIL, Result.UNKNOWN, Result.NOT_APPLICABLE
ADVICE = Result.ADVICE
BLIND = Unknown(Reason.AZURE_DENIED, "no right to read it")
DAY = timedelta(days=1)
ZERO = "0.0.0.0"


def verdict(rule: str, of: Any = None, **changes: Any) -> Verdict:
    return evaluate(of or resource(), observation(**changes)).results[rule]


CACHE_RULES: list[tuple[str, dict[str, Any], Result]] = [
    ("T1", {"plaintext_open": False}, PASS),
    ("T1", {"plaintext_open": True}, FAIL),
    ("T1", {"plaintext_open": None}, UNKNOWN),
    ("T2", {"minimum_tls_version": "1.2"}, PASS),
    ("T2", {"minimum_tls_version": "1.3"}, PASS),
    ("T2", {"minimum_tls_version": "1.0"}, FAIL),
    ("T2", {"minimum_tls_version": "1.1"}, FAIL),
    ("T2", {"minimum_tls_version": None}, UNKNOWN),
    ("T2", {"minimum_tls_version": "Default"}, UNKNOWN),
    ("A1", {"access_keys_enabled": False}, PASS),
    ("A1", {"access_keys_enabled": True}, FAIL),
    ("A1", {"access_keys_enabled": None}, UNKNOWN),
    ("A2", {"entra_enabled": True}, PASS),
    ("A2", {"entra_enabled": False}, FAIL),
    ("A2", {"entra_enabled": None}, UNKNOWN),
    ("A5", {"authentication_disabled": False}, PASS),
    ("A5", {"authentication_disabled": None}, NA),
    ("A5", {"authentication_disabled": True}, FAIL),
    ("A5", {"authentication_disabled": None, "subnet_id": "/s"}, UNKNOWN),
    ("A5", {"authentication_disabled": False, "subnet_id": "/s"}, PASS),
    ("N1", {"public_network_access": "Disabled"}, PASS),
    ("N1", {"public_network_access": "Enabled"}, FAIL),
    ("N1", {"public_network_access": None}, UNKNOWN),
    ("N1", {"public_network_access": "Enabled", "subnet_id": "/s"}, NA),
    ("N2", {}, PASS),
    ("N2", {"private_endpoints": ()}, FAIL),
    ("N2", {"private_endpoints": (PrivateEndpoint("pe", "Pending"),)}, FAIL),
    ("N2", {"private_endpoints": (), "subnet_id": "/s"}, NA),
    ("N3", {}, PASS),
    ("N3", {"private_endpoints": (PrivateEndpoint("a", "Approved"), PrivateEndpoint("b", "Rejected"))}, FAIL),
    ("N3", {"private_endpoints": (PrivateEndpoint("a", ""),)}, FAIL),
    ("N3", {"private_endpoints": ()}, NA),
    ("N6", {}, NA),
    ("N6", {"subnet_id": "/s"}, FAIL),
    ("R1", {"sku_name": "Premium"}, PASS),
    ("R1", {"sku_name": "standard", "sku_capacity": 1}, PASS),
    ("R1", {"sku_name": "Standard", "sku_capacity": 0}, FAIL),
    ("R1", {"sku_name": "Basic", "sku_capacity": 6}, FAIL),
    ("R1", {"sku_name": "Enterprise"}, UNKNOWN),
    ("R2", {}, PASS),
    ("R2", {"zones": ("1",)}, FAIL),
    ("R2", {"zones": ("1", "1")}, FAIL),
    ("R2", {"zones": ()}, UNKNOWN),
    ("R2", {"zones": (), "zonal_allocation": "Automatic"}, UNKNOWN),
    ("R2", {"zones": (), "zonal_allocation": "NoZones"}, FAIL),
    ("R2", {"zones": (), "zonal_allocation": "Automatic", "instance_zones": ("1", "2")}, PASS),
    ("R2", {"zones": (), "zonal_allocation": "Automatic", "instance_zones": ("1", "1")}, FAIL),
    ("R2", {"zones": (), "zonal_allocation": "Automatic", "instance_zones": ("1", "2", None)}, UNKNOWN),
    ("R2", {"sku_name": "Standard", "zones": ()}, NA),
    ("O3", {"redis_version": "6.0.14"}, PASS),
    ("O3", {"redis_version": "latest"}, PASS),
    ("O3", {"redis_version": "10.0"}, PASS),
    ("O3", {"redis_version": "4.0.14"}, FAIL),
    ("O3", {"redis_version": None}, UNKNOWN),
    ("O7", {"provisioning_state": "Succeeded"}, PASS),
    ("O7", {"provisioning_state": "Failed"}, FAIL),
    ("O7", {"provisioning_state": "Disabled"}, FAIL),
    ("O7", {"provisioning_state": "Scaling"}, NA),
    ("L1", {}, FAIL),
]


@pytest.mark.parametrize(("rule", "changes", "result"), CACHE_RULES)
def test_rules_on_the_cache(rule: str, changes: dict[str, Any], result: Result) -> None:
    assert verdict(rule, cache=cache(**changes)).result is result


@pytest.mark.parametrize("rule", sorted({row[0] for row in CACHE_RULES} | {"N4"}))
@pytest.mark.parametrize("there", [BLIND, NOT_READ, CacheAbsent(confirmed=True, message="404")])
def test_a_cache_that_was_not_read_is_unknown(rule: str, there: Any) -> None:
    assert verdict(rule, cache=there).result is UNKNOWN


def rules(*ranges: tuple[str, str]) -> tuple[FirewallRuleFacts, ...]:
    return tuple(FirewallRuleFacts(f"rule{number}", *ends) for number, ends in enumerate(ranges))


@pytest.mark.parametrize(
    ("firewall", "result"),
    [
        (rules(("203.0.113.1", "203.0.113.1")), PASS),
        (rules(("8.8.8.0", "8.8.8.9")), PASS),
        (rules(("8.8.8.0", "8.8.8.10")), FAIL),
        (rules(("8.8.8.0", "8.8.8.5"), ("9.9.9.0", "9.9.9.5")), FAIL),
        (rules(("10.0.0.0", "10.255.255.255")), PASS),
        (rules(), FAIL),
        (rules((ZERO, ZERO)), FAIL),
        (rules(("8.8.8.8", "8.8.8.8"), (ZERO, "255.255.255.255")), FAIL),
        (rules(*(("10.0.0.1", "10.0.0.1"),) * 10), PASS),
        (rules(*(("10.0.0.1", "10.0.0.1"),) * 11), FAIL),
        (rules(("Any", "Any")), UNKNOWN),
        (BLIND, UNKNOWN),
        (NOT_READ, UNKNOWN),
    ],
)
def test_n4_firewall_rules_while_public_access_is_on(firewall: Any, result: Result) -> None:
    for public in ("Enabled", None):
        there = cache(public_network_access=public)
        assert verdict("N4", cache=there, firewall_rules=firewall).result is result
    assert verdict("N4", firewall_rules=firewall).result is NA
    injected = cache(public_network_access="Enabled", subnet_id="/s")
    assert verdict("N4", cache=injected, firewall_rules=firewall).result is NA


BARE = replace(resource(), spec=resource().spec.model_copy(update={"authentication": None}))

VAULT_RULES: list[tuple[str, dict[str, Any], Result]] = [
    ("K1", {}, PASS),
    ("K1", {"expires": None}, FAIL),
    ("K2", {"expires": NOW + 31 * DAY}, PASS),
    ("K2", {"expires": NOW + 30 * DAY}, FAIL),
    ("K2", {"expires": NOW + 29 * DAY}, FAIL),
    ("K2", {"expires": NOW}, FAIL),
    ("K2", {"expires": None}, NA),
    ("K3", {}, PASS),
    ("K3", {"enabled": False, "value": None}, FAIL),
    ("K4", {}, PASS),
    ("K4", {"latest": False}, FAIL),
    ("K6", {"tags": {"CredentialId": "Primary"}}, PASS),
    ("K6", {"tags": {"CredentialId": "Secondary"}}, FAIL),
    ("K6", {"tags": {}}, NA),
    ("A7", {}, PASS),
    ("A7", {"value": SecretStr(SECONDARY)}, PASS),
    ("A7", {"value": SecretStr("old")}, FAIL),
    ("A7", {"value": SecretStr("")}, UNKNOWN),
]


@pytest.mark.parametrize(("rule", "changes", "result"), VAULT_RULES)
def test_rules_on_the_vault(rule: str, changes: dict[str, Any], result: Result) -> None:
    assert verdict(rule, vault=vault(**changes)).result is result
    assert verdict(rule, BARE, vault=NOT_READ).result is NA


@pytest.mark.parametrize("rule", sorted({row[0] for row in VAULT_RULES}))
@pytest.mark.parametrize("there", [BLIND, NOT_READ, VaultSecretAbsent("none")])
def test_a_vault_that_was_not_read_is_unknown(rule: str, there: Any) -> None:
    assert verdict(rule, vault=there).result is UNKNOWN


def test_a7_follows_the_proof() -> None:
    assert verdict("A7", keys=BLIND, authentication=AuthenticationResult.ACCEPTED).result is PASS
    assert verdict("A7", keys=BLIND, authentication=AuthenticationResult.REFUSED).result is FAIL
    assert verdict("A7", keys=BLIND, authentication=BLIND).result is UNKNOWN
    assert verdict("A7", keys=NOT_READ, proven=Proven(ProvenBy.LISTED, Slot.PRIMARY)).result is PASS
    assert verdict("A7", identity=BLIND).result is UNKNOWN
    assert verdict("A7", identity=OperatorIdentity()).result is UNKNOWN


@pytest.mark.parametrize("claimed", ["Primary", "Secondary"])
def test_an_earlier_proof_gives_the_same_results_as_the_pass_that_proved(claimed: str) -> None:
    there = vault(tags={"CredentialId": claimed})
    proving = evaluate(resource(), observation(vault=there))
    later = evaluate(resource(), observation(vault=there, keys=NOT_READ, proven=Proven(ProvenBy.LISTED, Slot.PRIMARY)))
    assert proving == later


@pytest.mark.parametrize(
    ("name", "value", "result"),
    [
        ("uri", b"redis://:x@orders.redis.cache.windows.net:6380/0", FAIL),
        ("REDIS_URL", b"REDIS://h:6380", FAIL),
        ("REDIS_URL", b"rediss://h:6379", FAIL),
        ("REDIS_URL", b"rediss://h:6380", PASS),
        ("addr", b"orders:6379", FAIL),
        ("addr", b"orders:63790", PASS),
        ("port", b"6379", FAIL),
        ("port", b"6380", PASS),
        ("ssl", b"false", FAIL),
        ("ssl", b"", FAIL),
        ("stackexchange", b"h:6380,password=x,ssl=False", FAIL),
        ("stackexchange", b"h:6380,password=x,ssl=True", PASS),
        ("OPTIONS", b"useSsl: no", FAIL),
    ],
)
def test_t6_the_published_secret_contains_tls_only(name: str, value: bytes, result: Result) -> None:
    there = published(built())
    tampered = replace(there, data={**there.data, name: SecretBytes(value)})
    found = verdict("T6", secret=tampered)
    assert found.result is result
    assert (name in found.message) is (result is FAIL)


@given(password=st.text("".join(map(chr, range(33, 127))).replace(",", ""), min_size=32, max_size=80))
def test_t6_takes_no_offence_at_a_key(password: str) -> None:
    data = built(
        resource({"connection": {"keys": {"REDIS_PASSWORD": "password"}}}), f"redis://ssl=false:6379{password}"
    )
    assert verdict("T6", secret=published(data)).result is PASS


def test_t6_without_a_published_secret() -> None:
    assert verdict("T6", secret=None).result is PASS
    assert verdict("T6", BARE, secret=None).result is NA
    assert verdict("T6", secret=published(built(), owner_uid="other")).result is NA
    assert verdict("T6", secret=BLIND).result is UNKNOWN
    assert verdict("T6", BARE, secret=NOT_READ).result is NA


# --- the whole ------------------------------------------------------------------------------------------------------


def test_a_safe_cache_has_only_informational_findings() -> None:
    found = evaluate(resource(), complete(secret=published(built())))
    assert {(f.rule, f.result) for f in found.findings} == {("A1", ADVICE), ("L1", ADVICE)}
    assert (sum(found.failed.values()), found.count(ADVICE), found.count(UNKNOWN), found.compliant) == (0, 2, 0, True)
    assert found.passed > 30
    assert set(found.results) == {rule.id for rule in RULES}


def test_publishing_changes_no_result() -> None:
    assert evaluate(resource(), complete(secret=None)) == evaluate(resource(), complete(secret=published(built())))


def assert_counts_are_those_of_the_list(found: Compliance) -> None:
    listed = Counter((f.severity, f.result) for f in found.findings)
    assert {(severity, FAIL): n for severity, n in found.failed.items() if n} == {
        of: n for of, n in listed.items() if of[1] is FAIL
    }
    for result in (ADVICE, UNKNOWN, Result.WAIVED):
        assert found.count(result) == sum(n for of, n in listed.items() if of[1] is result)
    assert not any(f.result is FAIL and f.severity is Severity.INFO for f in found.findings)


def test_findings_are_worst_first_and_state_the_remedy() -> None:
    unsafe: dict[str, Any] = {"plaintext_open": True, "minimum_tls_version": None, "entra_enabled": None}
    there = cache(public_network_access="Enabled", identity_type="SystemAssigned", persistence=BY_IDENTITY, **unsafe)
    found = evaluate(resource(), complete(cache=there, vault=vault(expires=None)))
    worst_first = ["T1", "N1", "N4", "T2", "K1", "A1", "L1", "A2"]
    assert [f.rule for f in found.findings if f.rule in worst_first] == worst_first
    order = list(Severity)
    assert [f.severity for f in found.findings] == sorted((f.severity for f in found.findings), key=order.index)
    assert found.compliant is False
    assert_counts_are_those_of_the_list(found)
    assert found.count(ADVICE) > 0
    assert "A2" not in {f.rule for f in found.findings if f.severity is not Severity.INFO}
    first = found.findings[0]
    assert first.severity is Severity.CRITICAL
    assert "enableNonSslPort" in first.message
    assert "Checkov CKV_AZURE_91" in first.references


def test_unknown_is_not_compliant() -> None:
    found = evaluate(resource(), complete(cache=cache(minimum_tls_version=None)))
    assert [f.rule for f in found.findings if f.severity is not Severity.INFO] == ["T2"]
    assert found.compliant is None


def test_rules_are_well_formed() -> None:
    assert len({rule.id for rule in RULES}) == len(RULES)
    order = list(Severity)
    for rule in RULES:
        assert order.index(rule.weight(Profile.STRICT)) <= order.index(rule.weight(Profile.BASELINE)), rule.id
        assert rule.why.endswith("."), rule.id
        assert rule.reads, rule.id
        assert rule.needs, rule.id
        assert re.fullmatch(r"[A-Z]\d{1,2}", rule.id)
        assert rule.title[0].isupper()
        assert rule.remedy
        assert not rule.title.endswith(".")


def test_messages_fit_the_schema() -> None:
    noisy = Rule("X1", "Noise", Severity.LOW, lambda _, __: Verdict(FAIL, "x" * 5000), "remedy")
    assert len(evaluate(resource(), observation(), (noisy,)).findings[0].message) == 1024


def test_nothing_shows_the_key() -> None:
    for authentication in (AuthenticationResult.REFUSED, BLIND):
        found = evaluate(resource(), observation(keys=BLIND, authentication=authentication))
        assert PRIMARY not in repr(found)
    assert SECONDARY not in repr(evaluate(resource(), observation(vault=vault(value=SecretStr("x")), keys=KEYS)))
