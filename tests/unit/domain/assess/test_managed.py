"""Managed Redis in the pure corridor: what is offered, each condition, the status, drift and where it is probed."""

from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest

from secure_redis.api.azure_ids import Service
from secure_redis.api.reasons.catalogue import reasons_on
from secure_redis.api.reasons.reason import ConditionType, Reason
from secure_redis.domain.assess.rules import RULES
from secure_redis.domain.assess.rules.rule import Result, Rule
from secure_redis.domain.observe import probe_target
from secure_redis.domain.observe.cache import CacheAbsent
from secure_redis.domain.observe.managed_redis import ManagedRedis
from secure_redis.domain.observe.observation import Observation
from secure_redis.domain.observe.storage import EncryptionKeyFacts, KeyAbsent
from secure_redis.domain.observe.unknown import NOT_READ, Unknown
from secure_redis.domain.plan.cache.managed_redis import unsupported
from secure_redis.domain.plan.cache.services import SERVICES
from secure_redis.domain.plan.types import Plan
from secure_redis.domain.report.conditions import managed_redis
from tests.builders import passes
from tests.builders.governance import role_assignment
from tests.builders.managed_redis import MANAGED_ID, database, managed
from tests.builders.passes import PROVISION, judged, reported
from tests.builders.storage import ACCOUNT, key_vault, protected_key
from tests.builders.world import IDENTITY, NOW

DENIED = Unknown(Reason.AZURE_DENIED, "no right", permission="Microsoft.Cache/redisEnterprise/databases/read")
HOST = "orders.westeurope.redis.azure.net"
DAY = timedelta(days=1)


def cluster(**changes: Any) -> ManagedRedis:
    of = changes.pop("database", database(port=10000, redis_version="7.4"))
    return managed(**{"host_name": HOST, "key_url": None, "database": of, **changes})


def observation(**changes: Any) -> Observation:
    well = Observation(now=NOW, identity=IDENTITY, cache=cluster(), cache_fresh=True)
    return replace(well, **changes)


def conditions(obs: Observation, **spec: Any) -> dict[str, tuple[str, str]]:
    report = reported(passes.resource({"resourceID": MANAGED_ID, **spec}), obs)
    for condition in report.status.conditions:
        assert condition.reason in reasons_on(ConditionType(condition.type)), condition
    return {c.type: (c.status, c.reason) for c in report.status.conditions}


AVAILABLE: list[tuple[dict[str, Any], str, Reason]] = [
    ({}, "True", Reason.AVAILABLE),
    ({"provisioning_state": "Updating"}, "True", Reason.AVAILABLE),
    ({"provisioning_state": "Creating"}, "False", Reason.CREATING),
    ({"provisioning_state": "Deleting"}, "False", Reason.DELETING),
    ({"provisioning_state": "Failed"}, "False", Reason.CACHE_FAILED),
    ({"provisioning_state": "Canceled"}, "False", Reason.CACHE_FAILED),
    ({"resource_state": "Disabled"}, "False", Reason.CACHE_DISABLED),
    ({"host_name": None}, "False", Reason.CACHE_FAILED),
    ({"database": None}, "False", Reason.DATABASE_MISSING),
    ({"database": DENIED}, "Unknown", Reason.AZURE_DENIED),
    ({"database": NOT_READ}, "Unknown", Reason.PENDING),
    ({"database": database()}, "False", Reason.CACHE_FAILED),  # no port
    ({"database": database(port=10000, provisioning_state="Failed")}, "False", Reason.CACHE_FAILED),
    ({"database": database(port=10000, resource_state="Disabled")}, "False", Reason.CACHE_DISABLED),
    ({"private_endpoints": ()}, "False", Reason.NO_ROUTE),
    ({"private_endpoints": (), "public_network_access": "Enabled"}, "True", Reason.AVAILABLE),
    ({"private_endpoints": (), "public_network_access": None}, "True", Reason.AVAILABLE),
]


@pytest.mark.parametrize(("changes", "status", "reason"), AVAILABLE)
def test_available(changes: dict[str, Any], status: str, reason: Reason) -> None:
    found = managed_redis.available(cluster(**changes), Plan())
    assert (found.status, found.reason) == (status, reason)
    assert conditions(observation(cache=cluster(**changes)))["CacheAvailable"] == (status, reason)


TRANSPORT: list[tuple[dict[str, Any], str, Reason]] = [
    ({}, "True", Reason.SECURED),
    ({"database": database(port=1, client_protocol="Plaintext")}, "False", Reason.PLAINTEXT_PROTOCOL),
    ({"database": database(port=1, client_protocol=None)}, "Unknown", Reason.UNKNOWN),
    ({"minimum_tls_version": "1.0"}, "False", Reason.MINIMUM_TLS_TOO_LOW),
    ({"minimum_tls_version": None}, "Unknown", Reason.MINIMUM_TLS_UNSET),
    ({"database": DENIED, "minimum_tls_version": "1.1"}, "False", Reason.MINIMUM_TLS_TOO_LOW),
    ({"database": DENIED}, "Unknown", Reason.NOT_READY),
    ({"database": None}, "Unknown", Reason.NOT_READY),
]


@pytest.mark.parametrize(("changes", "status", "reason"), TRANSPORT)
def test_transport(changes: dict[str, Any], status: str, reason: Reason) -> None:
    assert conditions(observation(cache=cluster(**changes)))["TransportSecured"] == (status, reason)


RDB = database(port=10000, rdb_enabled=True, rdb_frequency="12h")
OWN = {"database": RDB, "key_url": "https://shop.vault.azure.net/keys/cmk/v"}
PERSISTENCE: list[tuple[dict[str, Any], Any, tuple[str, Reason] | None]] = [
    ({}, NOT_READ, None),
    ({"database": None}, NOT_READ, None),
    ({"database": database(rdb_enabled=False, aof_enabled=False)}, NOT_READ, None),
    ({"database": DENIED}, NOT_READ, ("Unknown", Reason.AZURE_DENIED)),
    ({"database": RDB}, NOT_READ, ("True", Reason.PERSISTENCE_ENCRYPTED)),
    ({"database": database(aof_enabled=True)}, NOT_READ, ("True", Reason.PERSISTENCE_ENCRYPTED)),
    (OWN, protected_key(), ("True", Reason.PERSISTENCE_ENCRYPTED)),
    (OWN, NOT_READ, ("Unknown", Reason.PENDING)),
    (OWN, EncryptionKeyFacts(DENIED, DENIED), ("Unknown", Reason.AZURE_DENIED)),
    (OWN, EncryptionKeyFacts(DENIED, protected_key().key), ("Unknown", Reason.AZURE_DENIED)),
    (OWN, EncryptionKeyFacts(key_vault(), KeyAbsent("none")), ("False", Reason.ENCRYPTION_KEY_UNUSABLE)),
    (OWN, protected_key(enabled=False), ("False", Reason.ENCRYPTION_KEY_UNUSABLE)),
    (OWN, protected_key(enabled=None), ("Unknown", Reason.UNKNOWN)),
    (OWN, protected_key(expires=NOW), ("False", Reason.ENCRYPTION_KEY_UNUSABLE)),
    (OWN, protected_key(not_before=NOW + DAY), ("False", Reason.ENCRYPTION_KEY_UNUSABLE)),
]


@pytest.mark.parametrize(("changes", "known", "expected"), PERSISTENCE)
def test_persistence(changes: dict[str, Any], known: Any, expected: tuple[str, Reason] | None) -> None:
    found = conditions(observation(cache=cluster(**changes), encryption_key=known))
    assert found.get("PersistenceEncrypted") == expected


def test_the_status_of_a_cluster() -> None:
    report = reported(
        passes.resource({"resourceID": MANAGED_ID}), observation(cache=cluster(sku_name="Enterprise_E10"))
    )
    shown = report.status.cache
    assert shown is not None
    assert (shown.host_name, shown.port, shown.service, shown.sku) == (HOST, 10000, "ManagedRedis", "Enterprise_E10")
    assert (shown.provisioning_state, shown.redis_version, shown.retires_on) == ("Succeeded", "7.4", "2027-03-31")
    assert not report.failed
    found = {c.type: c.status for c in report.status.conditions}
    assert found["Ready"] == "True"
    assert ConditionType.STALLED not in found


@pytest.mark.parametrize(
    ("sku", "day"),
    [
        *((sku, date(2027, 3, 31)) for sku in ("Enterprise_E1", "EnterpriseFlash_F300", "enterprise_e10")),
        *((sku, None) for sku in ("Balanced_B0", "MemoryOptimized_M10", "ComputeOptimized_X3", "FlashOptimized_A250")),
    ],
)
def test_which_tiers_retire(sku: str, day: date | None) -> None:
    found = cluster(sku_name=sku).retirement
    assert (None if found is None else found.on) == day


@pytest.mark.parametrize(
    ("spec", "word"),
    [
        ({"mode": "Provision", "provision": PROVISION}, "spec.provision without managedRedis"),
        ({"connection": {"database": 1}}, "spec.connection.database"),
        (
            {"persistence": {"type": "AOF", "storage": {"accountID": ACCOUNT}}},
            "spec.persistence.storage",
        ),
        (
            {"network": {"firewallRules": [{"name": "x", "startIP": "10.0.0.1", "endIP": "10.0.0.1"}]}},
            "spec.network.firewallRules",
        ),
    ],
)
def test_an_unsupported_field_is_refused_and_named(spec: dict[str, Any], word: str) -> None:
    """Of an object that was stored before the schema refused it."""
    resource = passes.resource({"resourceID": MANAGED_ID, **spec})
    why = unsupported(resource)
    assert why is not None
    assert word in why.message
    report = reported(resource, Observation(now=NOW, cache=why))
    found = {c.type: (c.status, c.reason) for c in report.status.conditions}
    refused = Reason.SERVICE_NOT_SUPPORTED_YET
    assert found["CacheAvailable"] == ("Unknown", refused)
    assert found["Stalled"] == ("True", refused)
    assert found["Ready"][0] != "True"
    assert report.status.cache is None
    assert SERVICES[Service.REDIS].unsupported(passes.resource(spec)) is None


def test_an_auditor_is_not_refused() -> None:
    spec = {"profile": "Strict", "network": {"publicAccess": "Enabled"}, "drift": {"ignore": []}, "waivers": []}
    assert unsupported(passes.resource({"resourceID": MANAGED_ID, **spec})) is None


def test_public_access_that_azure_does_not_report_is_not_corrected() -> None:
    obs = observation(cache=cluster(minimum_tls_version="1.0", public_network_access=None))
    assessed = judged(passes.resource({"resourceID": MANAGED_ID}), obs)
    assert assessed.drift is not None
    assert {one.path: one.observed for one in assessed.drift} == {
        "transport.minimumTLSVersion": "1.0",
        "network.publicAccess": "not set (a cluster made with an old interface has no such setting)",
    }
    assert {one.path: one.correctable for one in assessed.drift} == {
        "transport.minimumTLSVersion": True,
        "network.publicAccess": False,
    }


def test_a_cluster_that_is_gone() -> None:
    absent = CacheAbsent(confirmed=True, message="it is not there")
    found = conditions(observation(cache=absent))
    assert found["CacheAvailable"] == ("False", Reason.CACHE_NOT_FOUND)


def test_a_cluster_that_could_not_be_read_is_looked_at_again() -> None:
    report = reported(
        passes.resource({"resourceID": MANAGED_ID}),
        observation(cache=Unknown(Reason.AZURE_THROTTLED, "slow down", retry_after=7.0)),
    )
    assert report.failed
    assert report.retry_after == 7.0


# The message of these explains it; a new rule need not be named here.
CLASSIC = (
    *("T1", "A1", "A2", "A5", "N4", "N6", "P2", "P3", "P4", "P5", "P6", "P7"),
    *("R1", "R4", "O5", "O6"),
)


def test_every_rule_of_the_other_service_does_not_apply() -> None:
    assessed = judged(passes.resource({"resourceID": MANAGED_ID}), observation())
    assert assessed.compliance is not None
    for rule in CLASSIC:
        found = assessed.compliance.results[rule]
        assert found.result is Result.NOT_APPLICABLE, rule
        assert found.message, rule
    classic = judged(passes.resource(), passes.observation())
    assert classic.compliance is not None
    for rule in ("T3", "A4", "P8", "P12", "P13", "O9"):
        assert classic.compliance.results[rule].result is Result.NOT_APPLICABLE
        assert classic.compliance.results[rule].message


def needing_only(service: str) -> list[Rule]:
    """Return the rules whose permissions name this type of cache and not the other one."""
    both = ("redis", "redisEnterprise")
    named = {rule.id: {one for one in both for need in rule.needs if f".Cache/{one}/" in need} for rule in RULES}
    return [rule for rule in RULES if named[rule.id] == {service}]


@pytest.mark.parametrize("rule", needing_only("redis"), ids=lambda rule: rule.id)
def test_a_rule_that_needs_only_rights_on_caches_does_not_apply_to_clusters(rule: Rule) -> None:
    assert rule.check(passes.resource({"resourceID": MANAGED_ID}), observation()).result is Result.NOT_APPLICABLE


@pytest.mark.parametrize("rule", needing_only("redisEnterprise"), ids=lambda rule: rule.id)
def test_a_rule_that_needs_only_rights_on_clusters_does_not_apply_to_caches(rule: Rule) -> None:
    assert rule.check(passes.resource(), passes.observation()).result is Result.NOT_APPLICABLE


def test_rights_name_either_service() -> None:
    """Else the two tests above check nothing."""
    assert len(needing_only("redis")) > 10
    assert [rule.id for rule in needing_only("redisEnterprise")] == ["T3", "A4", "P8", "P12", "P13", "O9"]


def test_the_probe_target_of_a_cluster() -> None:
    assert probe_target.target(cluster()) == probe_target.Endpoint(HOST, 10000, 10000)
    for changes in (
        {"database": None},
        {"database": DENIED},
        {"database": database()},
        {"host_name": None},
        {"provisioning_state": "Failed"},
        {"provisioning_state": "Creating"},
        {"database": database(port=10000, provisioning_state="Deleting")},
        {"private_endpoints": ()},
    ):
        assert isinstance(probe_target.target(cluster(**changes)), Unknown), changes


def test_a_changed_database_is_probed_again() -> None:
    before = probe_target.settings_of(cluster())
    assert probe_target.settings_of(cluster()) == before
    for changed in (
        cluster(database=database(port=10000, client_protocol="Plaintext")),
        cluster(minimum_tls_version="1.1"),
        cluster(public_network_access="Enabled"),
        cluster(private_endpoints=()),
    ):
        assert probe_target.settings_of(changed) != before


def test_who_may_list_the_keys_of_a_cluster() -> None:
    """By the action of this service: a role on Microsoft.Cache/redis gives nothing here."""
    resource = passes.resource({"resourceID": MANAGED_ID})

    def result(action: str) -> Result:
        holders = tuple(role_assignment(str(number), action) for number in range(6))
        assessed = judged(resource, observation(role_assignments=holders))
        assert assessed.compliance is not None
        return assessed.compliance.results["A9"].result

    assert result("Microsoft.Cache/redisEnterprise/*") is Result.FAIL
    assert result("Microsoft.Cache/redis/*") is Result.PASS
