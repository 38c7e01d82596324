from dataclasses import replace
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from secure_redis.api.names import OWNER_TAG
from secure_redis.api.reasons.reason import Reason
from secure_redis.api.spec.spec import DriftClass
from secure_redis.domain.assess.drift import MOST_ENTRIES, Drift
from secure_redis.domain.observe.firewall import FirewallRuleFacts
from secure_redis.domain.observe.unknown import NOT_READ, Unknown
from tests.builders.world import PROVISION, cache, drift, provisioning, resource

SECURITY, AVAILABILITY, COSMETIC = DriftClass.SECURITY, DriftClass.AVAILABILITY, DriftClass.COSMETIC
OFFICE = {"name": "office", "startIP": "203.0.113.1", "endIP": "203.0.113.9"}
OFFICE_SEEN = FirewallRuleFacts("orders/Office", "203.0.113.1", "203.0.113.9")
ID = "/subscriptions/s/resourceGroups/g/providers/Microsoft.ManagedIdentity/userAssignedIdentities/orders"


def only(found: tuple[Drift, ...]) -> Drift:
    assert len(found) == 1, found
    return found[0]


# Every way in which Azure answers the same thing differently.
EQUAL: list[dict[str, Any]] = [
    {},
    {"location": "westeurope"},
    {"location": "WESTEUROPE"},
    {"sku_name": "Premium"},
    {"sku_family": "p"},
    {"redis_version": "6.0"},
    {"redis_version": "6"},
    {"redis_version": "latest"},
    {"minimum_tls_version": "TLS1_2"},
    {"minimum_tls_version": "1.3"},
    {"subnet_id": "/s", "public_network_access": None},
    {"subnet_id": "/s", "public_network_access": "Enabled"},
    {"zones": (), "instance_zones": ("2", "1")},
    {"public_network_access": "disabled"},
    {"tags": {"TEAM": "orders", "other": "x"}},
    {"tags": {"team": "orders", OWNER_TAG: "somebody.else"}},
    {"zones": ("1", "2")},
    {"replicas": 1},
    {"shards": 0},
    {"identity_type": None},
    {"identity_type": "none"},
    {"provisioning_state": "Updating"},
    {"access_keys_enabled": False},
]


@pytest.mark.parametrize("changes", EQUAL)
def test_equal_answers_are_no_drift(changes: dict[str, Any]) -> None:
    assert drift(provisioning(), cache(**changes), NOT_READ) == ()
    assert drift(resource(), cache(**changes), NOT_READ) == ()


# One field changed behind our back: exactly one difference, by its path.
MUTATIONS: list[tuple[dict[str, Any], str, str, DriftClass, bool]] = [
    ({"plaintext_open": True}, "transport.nonTLSPort", "Enabled", SECURITY, True),
    ({"plaintext_open": None}, "transport.nonTLSPort", "not set", SECURITY, True),
    ({"minimum_tls_version": "1.0"}, "transport.minimumTLSVersion", "1.0", SECURITY, True),
    ({"minimum_tls_version": "1.1"}, "transport.minimumTLSVersion", "1.1", SECURITY, True),
    ({"minimum_tls_version": None}, "transport.minimumTLSVersion", "not set", SECURITY, True),
    ({"minimum_tls_version": "soon"}, "transport.minimumTLSVersion", "soon", SECURITY, True),
    ({"public_network_access": "Enabled"}, "network.publicAccess", "Enabled", SECURITY, True),
    (
        {"public_network_access": None},
        "network.publicAccess",
        "not set (Azure's default is Enabled)",
        SECURITY,
        True,
    ),
]
PROVISION_MUTATIONS: list[tuple[dict[str, Any], str, str, DriftClass, bool]] = [
    ({"location": "North Europe"}, "provision.location", "North Europe", AVAILABILITY, False),
    ({"sku_name": "Standard"}, "provision.redis.sku.name", "Standard", AVAILABILITY, True),
    ({"sku_name": "Basic"}, "provision.redis.sku.name", "Basic", SECURITY, False),
    ({"sku_name": "Ultra"}, "provision.redis.sku.name", "Ultra", SECURITY, False),
    ({"sku_capacity": 2}, "provision.redis.sku.capacity", "2", AVAILABILITY, True),
    ({"sku_capacity": 2, "geo_linked": ("/o",)}, "provision.redis.sku.capacity", "2", AVAILABILITY, False),
    ({"redis_version": "4.0"}, "provision.redis.redisVersion", "4.0", AVAILABILITY, True),
    ({"redis_version": "7.2"}, "provision.redis.redisVersion", "7.2", AVAILABILITY, False),
    ({"redis_version": None}, "provision.redis.redisVersion", "not set", AVAILABILITY, False),
    ({"zones": ("1",)}, "provision.redis.zones", "1", AVAILABILITY, False),
    ({"zones": ()}, "provision.redis.zones", "not reported", AVAILABILITY, False),
    ({"zones": (), "zonal_allocation": "NoZones"}, "provision.redis.zones", "none", AVAILABILITY, False),
    ({"zones": (), "instance_zones": ("3", "3")}, "provision.redis.zones", "3", AVAILABILITY, False),
    ({"replicas": 2}, "provision.redis.replicas", "2", AVAILABILITY, False),
    ({"shards": 1}, "provision.redis.shards", "1", AVAILABILITY, False),
    ({"tags": {}}, "provision.tags[team]", "not set", COSMETIC, True),
    ({"tags": {"team": "Orders"}}, "provision.tags[team]", "Orders", COSMETIC, True),
    ({"identity_type": "SystemAssigned"}, "provision.identity.type", "SystemAssigned", AVAILABILITY, True),
    ({"user_assigned_ids": (ID,)}, "provision.identity.userAssignedIDs", ID, AVAILABILITY, True),
]


@pytest.mark.parametrize(
    ("changes", "path", "observed", "drift_class", "correctable"), [*MUTATIONS, *PROVISION_MUTATIONS]
)
def test_one_changed_field_is_one_drift(
    changes: dict[str, Any], path: str, observed: str, drift_class: DriftClass, correctable: bool
) -> None:
    found = only(drift(provisioning(), cache(**changes), NOT_READ))
    assert (found.path, found.observed, found.drift_class, found.correctable) == (
        path,
        observed,
        drift_class,
        correctable,
    )
    assert found.declared


@pytest.mark.parametrize("changes", [mutation[0] for mutation in PROVISION_MUTATIONS])
def test_validate_compares_transport_and_network_only(changes: dict[str, Any]) -> None:
    assert drift(resource(), cache(**changes), NOT_READ) == ()


def test_closing_what_was_declared_open_endangers_availability_only() -> None:
    declared = resource({"network": {"publicAccess": "Enabled"}})
    assert only(drift(declared, cache(), NOT_READ)).drift_class is AVAILABILITY
    assert drift(declared, cache(public_network_access="Enabled"), NOT_READ) == ()
    # Absent is the API's own default, which is what was declared.
    assert drift(declared, cache(public_network_access=None), NOT_READ) == ()


def with_rules(*rules: dict[str, str]) -> Any:
    return resource({"network": {"firewallRules": list(rules)}})


@pytest.mark.parametrize(
    ("declared", "observed", "path", "drift_class"),
    [
        ([OFFICE], [], "network.firewallRules[office]", AVAILABILITY),  # no address connects: public access is off
        (
            [OFFICE],
            [FirewallRuleFacts("x", "203.0.113.1", "203.0.113.9")],
            "network.firewallRules[office]",
            AVAILABILITY,
        ),
        ([OFFICE], [replace(OFFICE_SEEN, end_ip="203.0.113.10")], "network.firewallRules[office]", SECURITY),
        ([OFFICE], [replace(OFFICE_SEEN, end_ip="203.0.113.8")], "network.firewallRules[office]", AVAILABILITY),
        ([OFFICE], [replace(OFFICE_SEEN, start_ip="203.0.113.2")], "network.firewallRules[office]", AVAILABILITY),
        ([OFFICE], [replace(OFFICE_SEEN, start_ip="any")], "network.firewallRules[office]", SECURITY),
        (
            [OFFICE],
            [OFFICE_SEEN, FirewallRuleFacts("o/all", "9.0.0.0", "9.9.9.9")],
            "network.firewallRules[all]",
            SECURITY,
        ),
    ],
)
def test_firewall_rules(
    declared: list[dict[str, str]], observed: list[FirewallRuleFacts], path: str, drift_class: DriftClass
) -> None:
    found = {entry.path: entry for entry in drift(with_rules(*declared), cache(), tuple(observed))}
    assert found[path].drift_class is drift_class
    assert all(entry.correctable for entry in found.values())


@pytest.mark.parametrize("changes", [{"public_network_access": "Enabled"}, {"subnet_id": "/s"}])
def test_without_any_rule_every_address_that_reaches_the_cache_connects(changes: dict[str, Any]) -> None:
    found = {entry.path: entry for entry in drift(with_rules(OFFICE), cache(**changes), ())}
    assert found["network.firewallRules[office]"].drift_class is SECURITY


@pytest.mark.parametrize("declared", [{"type": "SystemAssigned, UserAssigned", "userAssignedIDs": [ID]}, None])
def test_a_cache_with_both_kinds_of_identity_can_be_declared(declared: dict[str, Any] | None) -> None:
    both = cache(identity_type="UserAssigned,SystemAssigned", user_assigned_ids=(ID,))
    of = provisioning(provision={**PROVISION, "identity": declared})
    assert drift(of, both, NOT_READ) == ()


def test_firewall_rules_that_are_as_declared_or_not_declared_or_not_read() -> None:
    assert drift(with_rules(OFFICE), cache(), (OFFICE_SEEN,)) == ()
    assert drift(with_rules(), cache(), ()) == ()
    assert drift(with_rules(), cache(), (OFFICE_SEEN,)) == (), "an empty list is the same as an absent one"
    assert drift(resource(), cache(), (OFFICE_SEEN,)) == ()
    assert drift(with_rules(OFFICE), cache(), NOT_READ) == ()
    assert drift(with_rules(OFFICE), cache(), Unknown(Reason.AZURE_DENIED, "no right")) == ()


@given(count=st.integers(0, 120), bad=st.booleans())
@example(count=MOST_ENTRIES, bad=False)
@example(count=MOST_ENTRIES, bad=True)
def test_the_list_is_bounded_and_its_last_entry_counts_the_omitted_ones(count: int, bad: bool) -> None:
    tags = {f"tag{number}": "declared" for number in range(count)}
    declared = provisioning(provision={**PROVISION, "tags": tags})
    found = drift(declared, cache(plaintext_open=bad), NOT_READ)
    total = count + bad
    assert len(found) == min(total, MOST_ENTRIES)
    # The most dangerous difference is first, so that it is never among those that are only counted.
    assert [entry.path for entry in found[:1]] == (["transport.nonTLSPort"] if bad else [e.path for e in found[:1]])
    if total > MOST_ENTRIES:
        assert found[-1].observed == f"{total - MOST_ENTRIES + 1} more differences"
        assert not found[-1].correctable


def test_values_that_just_fit_are_whole() -> None:
    name, value = "n" * (256 - len("provision.tags[]")), "v" * 256
    found = only(drift(provisioning(provision={**PROVISION, "tags": {name: value}}), cache(tags={}), NOT_READ))
    assert (found.path, found.declared) == (f"provision.tags[{name}]", value)


def test_long_values_are_cut() -> None:
    name, value = "n" * 512, "v" * 256
    declared = provisioning(provision={**PROVISION, "tags": {name: value}})
    found = only(drift(declared, cache(tags={name: "o" * 5000}), NOT_READ))
    assert len(found.path) <= 256
    assert len(found.declared) <= 256
    assert len(found.observed) <= 256


rule_names = st.lists(st.text("abcXYZ_019", min_size=1, max_size=8), unique_by=str.lower, max_size=6)


@given(data=st.data(), rule_names=rule_names)
def test_rules_are_compared_whatever_their_order_prefix_and_case(data: st.DataObject, rule_names: list[str]) -> None:
    address = st.ip_addresses(v=4).map(str)
    declared = [{"name": name, "startIP": data.draw(address), "endIP": data.draw(address)} for name in rule_names]
    observed = [
        FirewallRuleFacts(f"Orders/{rule['name'].swapcase()}", rule["startIP"], rule["endIP"]) for rule in declared
    ]
    shuffled = data.draw(st.permutations(observed))
    assert drift(with_rules(*declared), cache(), tuple(shuffled)) == ()
    if len(declared) > 1:
        gone = only(drift(with_rules(*declared), cache(), tuple(observed[1:])))
        assert (gone.path, gone.observed) == (f"network.firewallRules[{rule_names[0]}]", "missing")
        extra = only(drift(with_rules(*declared[1:]), cache(), tuple(observed)))
        assert (extra.declared, extra.drift_class) == ("none", SECURITY)
