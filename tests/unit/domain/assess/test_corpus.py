"""Answers as the service gives them, against their specs.

Sources: docs/internals/azure-facts.md#properties-and-defaults,
docs/internals/azure-facts.md#how-answers-differ-from-requests and the form of the public API examples.
None is drift for the spec that made it, and every single change of a declared field is exactly one entry.
"""

import copy
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from secure_redis.api.resource import SecureRedisCache, parse
from secure_redis.azure.governance.reads import patch_window
from secure_redis.azure.redis.convert import cache_facts, firewall_rule_facts
from secure_redis.domain.assess import redis
from secure_redis.domain.assess.disruption import _EFFECTS
from secure_redis.domain.assess.drift import MOST_ENTRIES, Drift
from secure_redis.domain.assess.services import COMPARED
from secure_redis.domain.observe.firewall import FirewallRuleFacts
from secure_redis.domain.observe.unknown import NOT_READ
from tests.builders.world import drift

CORPUS = sorted((Path(__file__).parent / "corpus").glob("*.json"))
Json = dict[str, Any]


@dataclass(frozen=True)
class World:
    """One recorded form of an answer."""

    spec: Json
    answer: Json
    rules: list[Json] | None
    schedule: list[Json] | None = None

    def resource(self) -> SecureRedisCache:
        meta = {"namespace": "shop", "name": "orders", "uid": "u", "generation": 1, "resourceVersion": "1"}
        parsed = parse({"metadata": meta, "spec": self.spec})
        assert isinstance(parsed, SecureRedisCache), parsed
        return parsed

    def drift(self) -> tuple[Drift, ...]:
        """Through the same conversion as the operator's, from the wire."""
        facts = cache_facts(self.answer)
        name = facts.resource_id.name
        rules = NOT_READ if self.rules is None else tuple(firewall_rule_facts(rule, name) for rule in self.rules)
        windows = NOT_READ if self.schedule is None else tuple(patch_window(one) for one in self.schedule)
        return drift(self.resource(), facts, rules, windows)


def load(path: Path) -> World:
    found = json.loads(path.read_text())
    return World(found["spec"], found["answer"], found["firewallRules"], found.get("scheduleEntries"))


def ids(path: Path) -> str:
    return path.stem


@pytest.mark.parametrize("path", CORPUS, ids=ids)
def test_an_answer_is_no_drift_for_the_spec_that_made_it(path: Path) -> None:
    assert load(path).drift() == ()


# --- one changed field ------------------------------------------------------------------------------------------------

Change = tuple[str, Callable[[World], None]]


def set_at(*way: str, value: Any) -> Callable[[World], None]:
    """Puts a value into the answer; `None` takes the member out, as the service leaves out what is not set."""

    def change(world: World) -> None:
        at: Any = world.answer
        for step in way[:-1]:
            at = at.setdefault(step, {})
        if value is None:
            at.pop(way[-1], None)
        else:
            at[way[-1]] = value

    return change


def changes(world: World) -> Iterator[Change]:
    """Every single change of a declared field, with the path that it must be reported under."""
    spec = world.spec
    redis, provision = spec["provision"]["redis"], spec["provision"]
    value: Any
    named: Json
    for value in (True, "True", None, "soon"):
        yield "transport.nonTLSPort", set_at("properties", "enableNonSslPort", value=value)
    for value in ("1.0", "1.1", "TLS1_0", None, "", "?"):
        yield "transport.minimumTLSVersion", set_at("properties", "minimumTlsVersion", value=value)
    if "subnetId" not in world.answer["properties"]:  # a virtual network has no public address to compare
        yield from public_access_changes(spec["network"]["publicAccess"])
    for value in ("Brazil South", "brazilsouth", None):
        yield "provision.location", set_at("location", value=value)
    for value in {"Basic", "Standard", "Premium", "Ultra"} - {redis["sku"]["name"]}:
        yield "provision.redis.sku.name", set_at("properties", "sku", "name", value=value)
    for value in {0, 1, 2, 3, 4, 5, 6} - {redis["sku"]["capacity"]}:
        yield "provision.redis.sku.capacity", set_at("properties", "sku", "capacity", value=value)
    if "redisVersion" in redis:
        for value in ("4.0", "4.0.14", "7.2", None, "next"):
            yield "provision.redis.redisVersion", set_at("properties", "redisVersion", value=value)
    if "zones" in redis:
        for zones in (["1"], ["1", "2"], [], None):
            yield "provision.redis.zones", set_at("zones", value=zones)
    if "replicas" in redis:
        for value in {1, 2, 3} - {redis["replicas"]}:
            yield "provision.redis.replicas", set_at("properties", "replicasPerPrimary", value=value)
    if "shards" in redis:
        for value in {None, 1, 2, 3} - {redis["shards"] or None}:
            yield "provision.redis.shards", set_at("properties", "shardCount", value=value)
    yield from memory_changes(redis)
    yield from schedule_changes(world)
    for tag in provision.get("tags", {}):
        exact = next(name for name in world.answer["tags"] if name.lower() == tag.lower())
        for value in ("other", None, provision["tags"][tag].upper()):
            yield f"provision.tags[{tag}]", set_at("tags", exact, value=value)
    declared = provision.get("identity", {}).get("type")
    if declared is not None:
        for value in {"SystemAssigned", "UserAssigned", "SystemAssigned, UserAssigned"} - {declared}:
            yield "provision.identity.type", set_at("identity", "type", value=value)
    if "UserAssigned" in (declared or ""):
        for named in ({}, {"/subscriptions/s/resourceGroups/g/providers/x/y/z": {}}):
            yield "provision.identity.userAssignedIDs", set_at("identity", "userAssignedIdentities", value=named)
    yield from rule_changes(world)
    if "persistence" in spec:
        yield from persistence_changes(world)


def memory_changes(redis: Json) -> Iterator[Change]:
    if "evictionPolicy" in redis:
        for value in ("allkeys-lru", "volatile-lfu", "noeviction", None, "?"):
            yield "provision.redis.evictionPolicy", _configured({"maxmemory-policy": value})
    if "memoryReservedMB" in redis:
        for value in ("642", "0", None, "some"):
            yield "provision.redis.memoryReservedMB", _configured({"maxmemory-reserved": value})
    if "updateChannel" in redis:
        for value in ("Stable", "Fast", None):
            yield "provision.redis.updateChannel", set_at("properties", "updateChannel", value=value)


def schedule_changes(world: World) -> Iterator[Change]:
    path, there = "provision.redis.maintenanceWindows", world.schedule or []
    other: Json = {"dayOfWeek": "Tuesday", "startHourUtc": 2, "maintenanceWindow": "PT6H"}
    for index, _ in enumerate(there):
        yield path, lambda w, i=index: w.schedule.pop(i)  # type: ignore[misc]
        for change in ({"dayOfWeek": "Everyday"}, {"startHourUtc": 3}, {"maintenanceWindow": "PT7H2M"}):
            yield path, lambda w, i=index, c=change: w.schedule[i].update(c)  # type: ignore[misc]
    if there:
        yield path, lambda w: w.schedule.append(other)  # type: ignore[union-attr]
        yield path, lambda w: w.schedule.clear()  # type: ignore[union-attr]


def public_access_changes(declared: str) -> Iterator[Change]:
    other = "Disabled" if declared == "Enabled" else "Enabled"
    values = (other, other.lower(), "SecuredByPerimeter", *((None,) if other == "Enabled" else ()))
    for value in values:
        yield "network.publicAccess", set_at("properties", "publicNetworkAccess", value=value)


def persistence_changes(world: World) -> Iterator[Change]:
    declared = world.spec["persistence"]
    kind, other = ("rdb", "aof") if declared["type"] == "RDB" else ("aof", "rdb")
    value: Any
    for value in ("false", False, None, "soon"):
        yield "persistence.type", _configured({f"{kind}-backup-enabled": value})
    yield "persistence.type", _configured({f"{kind}-backup-enabled": "False", f"{other}-backup-enabled": "True"})
    if kind == "rdb":
        for value in ("15", "720", None, "often"):
            yield "persistence.frequencyMinutes", _configured({"rdb-backup-frequency": value})
    string = "rdb-storage-connection-string" if kind == "rdb" else "aof-storage-connection-string-0"
    masked = "DefaultEndpointsProtocol=https;AccountName=elsewhere;AccountKey=[key hidden]"
    for value in (masked, "https://elsewhere.blob.core.windows.net"):
        yield "persistence.storage.accountID", _configured({string: value})
    by_identity = declared["storage"]["authentication"] == "ManagedIdentity"
    for value in ("SAS", "sas", None) if by_identity else ("ManagedIdentity", "managedidentity"):
        yield "persistence.storage.authentication", _configured({"preferred-data-persistence-auth-method": value})


def _configured(settings: Json) -> Callable[[World], None]:
    def change(world: World) -> None:
        for name, value in settings.items():
            set_at("properties", "redisConfiguration", name, value=value)(world)

    return change


def rule_changes(world: World) -> Iterator[Change]:
    for index, rule in enumerate(world.rules or ()):
        declared = next(
            one["name"]
            for one in world.spec["network"]["firewallRules"]
            if one["name"].lower() == rule["name"].rpartition("/")[2].lower()
        )
        path = f"network.firewallRules[{declared}]"
        yield path, lambda w, i=index: w.rules.pop(i)  # type: ignore[misc]
        for member in ("startIP", "endIP"):
            yield path, lambda w, i=index, m=member: w.rules[i]["properties"].update({m: "192.0.2.77"})  # type: ignore[misc]
    if world.rules is not None:
        new = {"name": "x/any", "properties": {"startIP": "0.0.0.0", "endIP": "255.255.255.255"}}
        yield "network.firewallRules[any]", lambda w: w.rules.append(new)  # type: ignore[union-attr]


def mutated(world: World, change: Callable[[World], Any]) -> World:
    fresh = copy.deepcopy(world)
    change(fresh)
    return fresh


@pytest.mark.parametrize("path", CORPUS, ids=ids)
def test_each_change_of_a_declared_field_is_exactly_one_entry(path: Path) -> None:
    world = load(path)
    for reported, change in changes(world):
        found = [entry.path for entry in mutated(world, change).drift()]
        assert found == [reported] or (reported.endswith("[any]") and len(found) == 1), (reported, found)


def test_the_changes_reach_every_field_that_is_compared() -> None:
    reached = {reported.partition("[")[0] for path in CORPUS for reported, _ in changes(load(path))}
    assert reached == set(redis.COMPARED)
    # Each field of every service has an effect; that of tier and size follows from both.
    assert set(_EFFECTS) | {redis.SKU_NAME, redis.SKU_CAPACITY} == set(COMPARED)


@given(st.data())
def test_changes_of_different_fields_are_reported_by_their_own_paths(data: st.DataObject) -> None:
    world = load(data.draw(st.sampled_from(CORPUS)))
    every: dict[str, list[Callable[[World], None]]] = {}
    for reported, change in changes(world):
        every.setdefault(reported, []).append(change)
    # Without a rule, or with other types, one change would undo or hide another.
    hiding = ("network.firewallRules", "provision.identity", "persistence.type")
    free = sorted(path for path in every if not path.startswith(hiding))
    chosen = data.draw(st.sets(st.sampled_from(free), min_size=1))
    for path in sorted(chosen):
        world = mutated(world, data.draw(st.sampled_from(every[path])))
    assert {entry.path for entry in world.drift()} == chosen


# Fields that the service adds or changes by itself.
UNDECLARED: list[tuple[tuple[str, ...], Any]] = [
    (("properties", "provisioningState"), "Scaling"),
    (("properties", "hostName"), "elsewhere.redis.cache.windows.net"),
    (("properties", "instances"), []),
    (("properties", "accessKeys"), {"primaryKey": "x", "secondaryKey": "y"}),
    (("properties", "redisConfiguration", "maxclients"), "1"),
    (("properties", "redisConfiguration", "zonal-configuration"), "2"),
    (("properties", "redisConfiguration", "a-key-of-tomorrow"), "x"),
    (("properties", "updateChannel"), "Preview"),
    (("properties", "zonalAllocationPolicy"), "Automatic"),
    (("properties", "linkedServers"), [{"id": "/x"}]),
    (("properties", "a-member-of-tomorrow"), {"a": [1]}),
    (("tags", "somebody-elses"), "x"),
    (("tags", "secureredis-owner"), "x"),
    (("type",), "microsoft.cache/redis"),
    (("systemData",), {"createdBy": "x"}),
]


@pytest.mark.parametrize("path", CORPUS, ids=ids)
@pytest.mark.parametrize(("way", "value"), UNDECLARED)
def test_an_undeclared_value_is_no_drift(path: Path, way: tuple[str, ...], value: Any) -> None:
    assert mutated(load(path), set_at(*way, value=value)).drift() == ()


# --- many -------------------------------------------------------------------------------------------------------------


def test_five_thousand_rules_stay_bounded_and_fast() -> None:
    world = load(next(path for path in CORPUS if path.stem == "standard-firewall"))
    facts = cache_facts(world.answer)
    many = tuple(FirewallRuleFacts(f"r{i}", f"10.{i // 250}.{i % 250}.1", "10.255.0.0") for i in range(5_000))
    started = time.process_time()
    found = drift(world.resource(), facts, many)
    assert time.process_time() - started < 1.0
    assert len(found) == MOST_ENTRIES
    assert found[-1].path == "(more)"
    assert found[-1].observed == f"{5_002 - MOST_ENTRIES + 1} more differences"
    assert sum(len(d.path) + len(d.declared) + len(d.observed) for d in found) < 50 * 600
