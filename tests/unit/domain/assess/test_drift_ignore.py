"""`spec.drift.ignore`: which differences it hides, and which are reported nevertheless."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from secure_redis.api.spec.spec import DriftClass
from secure_redis.domain.assess import redis
from secure_redis.domain.assess.assessment import Assessment, assess
from secure_redis.domain.assess.drift import MOST_ENTRIES, below, ignoring
from secure_redis.domain.assess.services import COMPARED
from secure_redis.domain.observe.firewall import FirewallRuleFacts
from secure_redis.domain.observe.governance import PatchWindow
from secure_redis.domain.observe.redis import Redis
from tests.builders.storage import persisting, spec
from tests.builders.world import NOW, PROVISION, cache, differences, observation, provisioning

RULES = [{"name": "office", "startIP": "203.0.113.1", "endIP": "203.0.113.9"}]
DRIFTED: dict[str, Any] = {
    "location": "North Europe",
    "sku_name": "Standard",
    "sku_capacity": 3,
    "redis_version": "4.0",
    "zones": ("3",),
    "replicas": 2,
    "shards": 4,
    "eviction_policy": "allkeys-lru",
    "memory_reserved_mb": 1,
    "update_channel": "Preview",
    "identity_type": "SystemAssigned",
    "tags": {"team": "others"},
    "plaintext_open": True,
    "minimum_tls_version": "1.0",
    "public_network_access": "Enabled",
}
OTHER_IDENTITY = {"identity": {"type": "UserAssigned", "userAssignedIDs": ["/subscriptions/s/a"]}}


WINDOW = {"day": "Sunday", "startHourUTC": 2, "durationHours": 6}
SETTINGS = {
    "evictionPolicy": "NoEviction",
    "memoryReservedMB": 700,
    "updateChannel": "Stable",
    "maintenanceWindows": [WINDOW],
}
TUNED = {**PROVISION, "redis": {**PROVISION["redis"], **SETTINGS}}


def assess_ignoring(ignore: list[str], facts: Redis | None = None, firewall: Any = ()) -> Assessment:
    of = provisioning(network={"firewallRules": RULES}, drift={"ignore": ignore}, provision=TUNED)
    windows = (PatchWindow("Everyday", 2),)
    there = observation(cache=facts or cache(**DRIFTED), firewall_rules=firewall, patch_schedule=windows, now=NOW)
    return assess(of, there, cluster_uid="cluster", ca=None)


def paths(of: Assessment) -> set[str]:
    return {entry.path for entry in of.drift or ()}


def notes(of: Assessment) -> tuple[str, ...]:
    return of.compliance.notes if of.compliance is not None else ()


EVERYTHING = paths(assess_ignoring([]))


def test_every_difference_is_of_a_field_that_is_named_as_compared() -> None:
    identity = provisioning(provision={**PROVISION, **OTHER_IDENTITY})
    others = differences(identity, cache(identity_type="UserAssigned"), ())
    persisted = provisioning(persistence=spec())
    other = persisting(rdb_frequency_minutes=15, account="elsewhere", authentication="SAS")
    others += differences(persisted, other, ()) + differences(persisted, cache(), ())
    found = EVERYTHING | {entry.path for entry in others}
    # `test_managed_corpus` shows the same of a cluster.
    assert {field for field in COMPARED if any(below(path, field) for path in found)} == set(redis.COMPARED)
    assert [path for path in found if not any(below(path, field) for field in COMPARED)] == []


@pytest.mark.parametrize(
    ("ignore", "gone"),
    [
        ("provision.tags", {"provision.tags[team]"}),
        ("provision.tags[team]", {"provision.tags[team]"}),
        ("provision.tags[tea]", set()),
        ("provision.redis.sku", {"provision.redis.sku.name", "provision.redis.sku.capacity"}),
        ("provision.redis.zones", {"provision.redis.zones"}),
        ("provision.redis.zone", set()),
        ("provision", {path for path in EVERYTHING if path.startswith("provision.")}),
    ],
)
def test_a_path_or_what_is_above_it_is_left_out(ignore: str, gone: set[str]) -> None:
    assert EVERYTHING - paths(assess_ignoring([ignore])) == gone


@given(st.lists(st.sampled_from([*COMPARED, "provision", "transport", "network", "spec", "network.firewallRules[x]"])))
def test_nothing_of_class_security_is_ever_left_out_and_nothing_unasked(ignore: list[str]) -> None:
    there = cache(**{**DRIFTED, "sku_name": "Basic"})
    extra = (FirewallRuleFacts("x", "8.8.8.8", "8.8.8.8"),)
    all_of, left = assess_ignoring([], there, extra), assess_ignoring(ignore, there, extra)
    gone = [entry for entry in all_of.drift or () if entry not in (left.drift or ())]
    assert all(entry.drift_class is not DriftClass.SECURITY for entry in gone)
    assert all(any(below(entry.path, path) for path in ignore) for entry in gone)
    assert set(left.drift or ()) <= set(all_of.drift or ())


def test_an_ignored_security_path_is_reported_with_the_reason() -> None:
    found = assess_ignoring(["transport.minimumTLSVersion"])
    assert "transport.minimumTLSVersion" in paths(found)
    assert any("transport.minimumTLSVersion is not ignored" in note for note in notes(found))


def test_a_path_that_can_never_match_is_reported_and_one_without_a_match_now_is_not() -> None:
    found = assess_ignoring(["provision.colour", "provision.tags[absent]", "provision.redis"], cache())
    assert len(notes(found)) == 1
    assert "'provision.colour' names no field" in notes(found)[0]


def test_ignored_entries_do_not_count_in_a_long_list() -> None:
    many = tuple(FirewallRuleFacts(f"r{n}", "8.8.8.8", "8.8.8.8") for n in range(MOST_ENTRIES + 9))
    kept = assess_ignoring(["provision"], firewall=many)
    assert len(kept.drift or ()) == MOST_ENTRIES
    assert not any(entry.path.startswith("provision") for entry in kept.drift or ())
    found = differences(provisioning(), replace(cache(), tags={}), ())
    assert ignoring(found, (), COMPARED) == (found, ())
