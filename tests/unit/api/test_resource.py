import json
from typing import Any

import pytest

from secure_redis.api import names
from secure_redis.api.reasons.reason import Reason
from secure_redis.api.resource import (
    Key,
    SecureRedisCache,
    Unreadable,
    key_of,
    parse,
)
from secure_redis.api.spec.spec import (
    Access,
    DeletionPolicy,
    DriftClass,
    FirewallRule,
    Mode,
    Sku,
)

ID = "/subscriptions/11111111-2222-3333-4444-555555555555/resourceGroups/shop/providers/Microsoft.Cache/redis/orders"


def body(spec: Any = None, **meta: Any) -> dict[str, Any]:
    return {
        "metadata": {"namespace": "shop", "name": "orders", "uid": "u", "resourceVersion": "7", **meta},
        "spec": {"resourceID": ID} if spec is None else spec,
    }


def parsed(spec: Any = None, **meta: Any) -> SecureRedisCache:
    found = parse(body(spec, **meta))
    assert isinstance(found, SecureRedisCache), found
    return found


def test_every_default_is_the_safe_one() -> None:
    found = parsed()
    assert found.spec.mode is Mode.VALIDATE
    assert found.spec.transport.minimum_tls_version == "1.2"
    assert found.spec.network.public_access == "Disabled"
    assert found.spec.network.firewall_rules == ()
    assert found.spec.drift.correct == ()
    assert found.spec.deletion_policy is DeletionPolicy.RETAIN
    assert found.spec.connection.deletion_policy is DeletionPolicy.RETAIN
    assert found.spec.authentication is None
    assert found.secret_name == "orders"
    assert (found.paused, found.has_finalizer, found.deleting) == (False, False, False)


def test_the_spec_as_users_write_it() -> None:
    found = parsed(
        {
            "resourceID": ID,
            "mode": "Provision",
            "identity": {"serviceAccountName": "azure"},
            "provision": {
                "location": "westeurope",
                "tags": {"team": "orders"},
                "identity": {"type": "UserAssigned", "userAssignedIDs": ["/x"]},
                "redis": {
                    "sku": {"name": "Premium", "capacity": 1},
                    "redisVersion": "6",
                    "zones": ["1"],
                    "replicas": 2,
                },
            },
            "transport": {"minimumTLSVersion": "1.3"},
            "network": {
                "publicAccess": "Enabled",
                "firewallRules": [{"name": "office", "startIP": "203.0.113.1", "endIP": "203.0.113.9"}],
            },
            "authentication": {
                "keyVault": {"uri": "https://v.test", "secretName": "k", "access": "ReadWrite", "version": "f" * 32}
            },
            "connection": {"secretName": "redis", "database": 3, "keys": {"A": "uri"}, "deletionPolicy": "Delete"},
            "drift": {"correct": ["Security"], "intervalSeconds": 60},
            "deletionPolicy": "Delete",
        }
    )
    spec = found.spec
    assert spec.identity.service_account_name == "azure"
    assert spec.transport.minimum_tls_version == "1.3"
    assert spec.network.firewall_rules == (FirewallRule(name="office", start_ip="203.0.113.1", end_ip="203.0.113.9"),)
    assert spec.authentication is not None
    assert spec.authentication.key_vault.access is Access.READ_WRITE
    assert spec.authentication.key_vault.version == "f" * 32
    assert spec.provision is not None
    assert spec.provision.identity is not None
    assert spec.provision.identity.user_assigned_ids == ("/x",)
    assert spec.provision.redis is not None
    assert spec.provision.redis.replicas == 2
    assert spec.drift.correct == (DriftClass.SECURITY,)
    assert found.secret_name == "redis"


@pytest.mark.parametrize(("name", "family"), [("Basic", "C"), ("Standard", "C"), ("Premium", "P")])
def test_the_family_follows_from_the_tier(name: str, family: str) -> None:
    assert Sku(name=name, capacity=1).family == family


def test_an_empty_list_is_the_same_as_an_absent_one() -> None:
    empty: dict[str, Any]
    for empty in ({"network": {"firewallRules": []}}, {"connection": {"formats": []}}):
        assert parsed({"resourceID": ID, **empty}).spec == parsed({"resourceID": ID}).spec


@pytest.mark.parametrize(
    ("spec", "reason", "where"),
    [
        ({}, Reason.INVALID_SPEC, "spec.resourceID"),
        ({"resourceID": 5}, Reason.INVALID_SPEC, "spec.resourceID"),
        ({"resourceID": ID, "mode": "Destroy"}, Reason.INVALID_SPEC, "spec.mode"),
        ({"resourceID": ID, "drift": {"correct": ["All"]}}, Reason.INVALID_SPEC, "spec.drift.correct.0"),
        ({"resourceID": ID, "authentication": {}}, Reason.INVALID_SPEC, "spec.authentication.keyVault"),
        ({"resourceID": "/x"}, Reason.INVALID_RESOURCE_ID, "spec.resourceID"),
    ],
)
def test_an_object_that_the_schema_would_refuse_is_unreadable_with_the_field_named(
    spec: dict[str, Any], reason: Reason, where: str
) -> None:
    found = parse(body(spec))
    assert isinstance(found, Unreadable)
    assert found.reason is reason
    assert found.message.startswith(f"{where}: ")
    assert found.envelope.key == Key("shop", "orders")


def test_a_status_of_another_version_does_not_stop_a_pass() -> None:
    found = parse({**body(), "status": {"conditions": "none", "compliance": 7}})
    assert isinstance(found, SecureRedisCache)
    assert found.status.conditions == ()


def test_the_parts_of_a_status_that_can_be_read_are_kept() -> None:
    drift = [{"path": "a", "declared": "b", "observed": "c", "class": "Security", "since": "2026-11-24T12:00:00Z"}]
    found = parse({**body(), "status": {"compliance": {"failed": 5}, "observedGeneration": 3, "drift": drift}})
    assert isinstance(found, SecureRedisCache)
    assert found.status.compliance is None
    assert (found.status.observed_generation, len(found.status.drift)) == (3, 1)


@pytest.mark.parametrize("time", ["tomorrow", "2026-11-24T12:00:00"], ids=["no time", "no zone"])
def test_a_part_of_a_status_whose_time_cannot_be_compared_is_left_out(time: str) -> None:
    found = parse({**body(), "status": {"endpoint": {"certificate": {"notAfter": time}}, "observedGeneration": 3}})
    assert isinstance(found, SecureRedisCache)
    assert (found.status.endpoint, found.status.observed_generation) == (None, 3)


def test_fields_of_a_newer_schema_are_passed_over() -> None:
    assert parsed({"resourceID": ID, "profile": "Strict", "network": {"privateEndpoint": "Required"}}).uid == "u"


def test_only_our_own_annotations_are_kept() -> None:
    found = parsed(
        annotations={names.PAUSED: "True", names.REFRESH: "1", "kubectl.kubernetes.io/last-applied": "{}"},
        finalizers=[names.FINALIZER, "other/x"],
        deletionTimestamp="2026-11-24T12:00:00Z",
        generation=4,
    )
    assert found.requests == {names.PAUSED: "True", names.REFRESH: "1"}
    assert (found.paused, found.has_finalizer, found.deleting, found.generation) == (True, True, True, 4)


@pytest.mark.parametrize("value", ["", "false", "yes", "1"])
def test_only_the_exact_value_pauses(value: str) -> None:
    assert not parsed(annotations={names.PAUSED: value}).paused


def test_keys_read_as_kubectl_writes_them() -> None:
    assert str(key_of(body())) == "shop/orders"
    parsed = [key_of(json.loads(json.dumps(body()))) for _ in range(2)]
    assert parsed[0].name is parsed[1].name, "kept once, however many parts of the operator keep the key"


def test_parsed_objects_are_frozen() -> None:
    with pytest.raises(ValueError, match="frozen"):
        parsed().spec.mode = Mode.PROVISION  # type: ignore[misc]
