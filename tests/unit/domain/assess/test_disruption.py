"""The effect of a correction is known for every path, and grave corrections are never made without a request."""

from typing import Any

import pytest

from secure_redis.api import names
from secure_redis.domain.assess.disruption import (
    SENTENCES,
    Effect,
    allowed,
    effect,
)
from secure_redis.domain.observe.firewall import FirewallRuleFacts
from secure_redis.domain.observe.redis import PersistenceFacts
from secure_redis.domain.observe.tier import Scaling, Size, next_size, scaling
from secure_redis.domain.observe.unknown import NOT_READ
from tests.builders.world import PROVISION, cache, drift, provisioning, resource

TOLD: list[tuple[dict[str, Any], Effect]] = [
    ({"plaintext_open": True}, Effect.DROPS_CONNECTIONS),
    ({"minimum_tls_version": "1.0"}, Effect.DROPS_CONNECTIONS),
    ({"minimum_tls_version": None}, Effect.DROPS_CONNECTIONS),
    ({"public_network_access": "Enabled"}, Effect.DROPS_CONNECTIONS),
    ({"public_network_access": "Enabled", "private_endpoints": ()}, Effect.DISCONNECTS),
    ({"location": "North Europe"}, Effect.NEEDS_REPLACEMENT),
    ({"sku_name": "Standard"}, Effect.RESTARTS),
    ({"sku_name": "Basic"}, Effect.NEEDS_REPLACEMENT),  # Basic to Premium directly is refused
    ({"sku_name": "Standard", "sku_capacity": 3}, Effect.RESTARTS),  # C3 and P1 have the same memory
    ({"sku_name": "Standard", "sku_capacity": 4}, Effect.LOSES_DATA),
    ({"sku_capacity": 2}, Effect.LOSES_DATA),
    ({"redis_version": "4.0"}, Effect.RESTARTS),
    ({"zones": ("3",)}, Effect.NEEDS_REPLACEMENT),
    ({"replicas": 3}, Effect.NEEDS_REPLACEMENT),
    ({"shards": 2}, Effect.NEEDS_REPLACEMENT),  # clustering cannot be switched off
    ({"tags": {}}, Effect.NONE),
    ({"identity_type": "SystemAssigned"}, Effect.NONE),
    ({"identity_type": "SystemAssigned", "persistence": PersistenceFacts(rdb=True)}, Effect.LOSES_DATA),
]


@pytest.mark.parametrize(("changes", "expected"), TOLD)
def test_each_difference_states_the_effect_of_its_correction(changes: dict[str, Any], expected: Effect) -> None:
    found = drift(provisioning(), cache(**changes), NOT_READ)
    assert {entry.effect for entry in found} == {expected}
    assert not any(entry.correctable for entry in found if entry.effect is Effect.NEEDS_REPLACEMENT)


def test_a_tier_is_never_lowered_without_another_cache() -> None:
    for declared, observed in (("Standard", "Premium"), ("Basic", "Standard"), ("Basic", "Premium")):
        assert scaling(Size(observed, 1), Size(declared, 1)) is Scaling.REFUSED
    assert scaling(Size("Basic", 1), Size("Standard", 1)) is Scaling.LOSES_DATA
    assert scaling(Size("Standard", 1), Size("Premium", 0)) is Scaling.REFUSED
    assert scaling(Size("Ultra", 1), Size("Premium", 1)) is Scaling.REFUSED
    assert next_size(Size("basic", 1), Size("Standard", 4)) == Size("Standard", 1), "one step at a time"


def test_scaling_a_basic_cache_loses_its_data() -> None:
    assert scaling(Size("Basic", 1), Size("Basic", 2)) is Scaling.LOSES_DATA
    assert scaling(Size("Standard", 1), Size("Standard", 0)) is Scaling.REFUSED
    assert scaling(Size("Standard", 1), Size("Standard", 2)) is Scaling.RESTARTS
    assert scaling(Size("Standard", 2), Size("Standard", 1)) is Scaling.LOSES_DATA


def test_persistence_off_and_access_keys_off_ask_first() -> None:
    assert effect("persistence.type", "None", "RDB", cache()) is Effect.LOSES_DATA
    assert effect("persistence.type", "RDB", "None", cache()) is Effect.NONE
    assert effect("persistence.storage.accountID", "shopdata", "elsewhere", cache()) is Effect.NONE
    assert effect("authentication.accessKeys", "Disabled", "Enabled", cache()).needs_request


def test_a_missing_rule_is_added_quietly_and_a_changed_one_drops_connections() -> None:
    declared = resource({"network": {"firewallRules": [{"name": "a", "startIP": "10.0.0.1", "endIP": "10.0.0.2"}]}})
    (missing,) = (d for d in drift(declared, cache(), ()) if d.path.startswith("network.firewall"))
    wider = (FirewallRuleFacts("a", "10.0.0.0", "10.0.0.9"),)
    (changed,) = (d for d in drift(declared, cache(), wider) if d.path.startswith("network.firewall"))
    assert (missing.effect, changed.effect) == (Effect.NONE, Effect.DROPS_CONNECTIONS)


def test_every_effect_has_a_sentence_and_the_grave_ones_ask() -> None:
    assert set(SENTENCES) == set(Effect)
    assert {e for e in Effect if not e.needs_request} == {Effect.NONE, Effect.DROPS_CONNECTIONS}


@pytest.mark.parametrize(
    ("value", "leave"),
    [
        ("network.publicAccess", True),
        ("transport.nonTLSPort, network.publicAccess", True),
        ("*", False),
        ("network", False),
        ("true", False),
        ("", False),
    ],
)
def test_leave_is_given_by_whole_paths_only(value: str, leave: bool) -> None:
    requesting = resource({"mode": "Provision", "provision": PROVISION}, annotations={names.ALLOW_DISRUPTION: value})
    assert allowed(requesting, "network.publicAccess") is leave
