"""Answers of Microsoft.Cache/redisEnterprise as the service gives them, against their specs.

Sources: docs/internals/azure-facts.md#cluster-and-database and the form of the public API examples.
None is drift for the spec that made it, and every single change of a declared field is exactly one entry.
"""

import copy
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from secure_redis.api.resource import SecureRedisCache, parse
from secure_redis.azure.managed_redis.convert import cluster_facts, database_facts
from secure_redis.domain.assess.drift import Drift
from secure_redis.domain.assess.managed_redis import COMPARED, differences
from secure_redis.domain.observe.observation import Observation
from tests.builders.world import NOW

CORPUS = sorted((Path(__file__).parent / "managed_corpus").glob("*.json"))
Json = dict[str, Any]


@dataclass(frozen=True)
class World:
    """A spec and the answers that belong to it, with the interface version of both."""

    spec: Json
    version: str
    cluster: Json
    database: Json

    def drift(self) -> tuple[Drift, ...]:
        """Through the same conversion as the operator's, from the wire."""
        meta = {"namespace": "shop", "name": "orders", "uid": "u", "generation": 1, "resourceVersion": "1"}
        parsed = parse({"metadata": meta, "spec": self.spec})
        assert isinstance(parsed, SecureRedisCache), parsed
        facts = replace(cluster_facts(self.cluster, self.version), database=database_facts(self.database))
        return differences(facts, parsed, Observation(now=NOW, cache=facts))


def load(path: Path) -> World:
    found = json.loads(path.read_text())
    return World(found["spec"], found["version"], found["cluster"], found["database"])


def ids(path: Path) -> str:
    return path.stem


Change = tuple[str, Callable[[World], None]]


def at(part: str, *way: str, value: Any) -> Callable[[World], None]:
    """Put a value into an answer; None takes the member out, as the service leaves out what is not set."""

    def change(world: World) -> None:
        found: Any = getattr(world, part)
        for step in way[:-1]:
            found = found.setdefault(step, {})
        if value is None:
            found.pop(way[-1], None)
        else:
            found[way[-1]] = value

    return change


def of_cluster(name: str, value: Any) -> Callable[[World], None]:
    return at("cluster", "properties", name, value=value)


def of_database(name: str, value: Any) -> Callable[[World], None]:
    return at("database", "properties", name, value=value)


def changes(world: World) -> Iterator[Change]:
    """Every single change of a declared field, with the path that it must be reported under."""
    yield from (("transport.minimumTLSVersion", of_cluster("minimumTlsVersion", v)) for v in ("1.0", "1.1", None, "?"))
    yield from (("transport.clientProtocol", of_database("clientProtocol", v)) for v in ("Plaintext", None, "Soon"))
    other = "Enabled" if world.spec["network"]["publicAccess"] == "Disabled" else "Disabled"
    for value in (other, "SecuredByPerimeter", *((None,) if other == "Enabled" else ())):
        yield "network.publicAccess", of_cluster("publicNetworkAccess", value)
    if "authentication" in world.spec:
        yield from (
            ("authentication.accessKeys", of_database("accessKeysAuthentication", v)) for v in ("Disabled", None)
        )
    yield from provisioned(world, world.spec["provision"])
    if "persistence" in world.spec:
        yield from persisted(world.spec["persistence"])


def provisioned(world: World, provision: Json) -> Iterator[Change]:
    path, managed = "provision.managedRedis", provision["managedRedis"]
    yield from (("provision.location", at("cluster", "location", value=v)) for v in ("Brazil South", None))
    for tag in provision["tags"]:
        yield from ((f"provision.tags[{tag}]", at("cluster", "tags", tag, value=v)) for v in ("other", None))
    yield f"{path}.sku", at("cluster", "sku", "name", value="Balanced_B250")
    away = "Disabled" if managed.get("highAvailability", "Enabled") == "Enabled" else "Enabled"
    yield from ((f"{path}.highAvailability", of_cluster("highAvailability", v)) for v in (away, None))
    for value in {"NoCluster", "EnterpriseCluster", "OSSCluster"} - {managed["clusteringPolicy"]} | {None}:
        yield f"{path}.clusteringPolicy", of_database("clusteringPolicy", value)
    if "evictionPolicy" in managed:
        yield from ((f"{path}.evictionPolicy", of_database("evictionPolicy", v)) for v in ("VolatileTTL", None))
    for modules in ([{"name": "RedisBloom"}], None if managed.get("modules") else [{"name": "RedisJSON"}]):
        yield f"{path}.modules", of_database("modules", modules)
    if "maintenanceWindows" in managed:
        windows = world.cluster["properties"]["maintenanceConfiguration"]["maintenanceWindows"]
        later = [{**windows[0], "startHourUtc": 3}, windows[1]]
        for found in (later, windows[:1], [], None):
            yield (
                f"{path}.maintenanceWindows",
                at("cluster", "properties", "maintenanceConfiguration", "maintenanceWindows", value=found),
            )
    if "identity" in provision:
        yield "provision.identity.type", at("cluster", "identity", "type", value="SystemAssigned, UserAssigned")
        yield (
            "provision.identity.userAssignedIDs",
            at("cluster", "identity", "userAssignedIdentities", value={"/x": {}}),
        )


def persisted(declared: Json) -> Iterator[Change]:
    kinds: dict[str, Json] = {
        "RDB": {"rdbEnabled": True, "rdbFrequency": "1h", "aofEnabled": False},
        "AOF": {"aofEnabled": True, "aofFrequency": "1s", "rdbEnabled": False},
        "None": {"aofEnabled": False, "rdbEnabled": False},
    }
    yield from (("persistence.type", of_database("persistence", v)) for k, v in kinds.items() if k != declared["type"])
    if declared["type"] == "RDB":
        for value in ("12h", None, "often"):
            yield (
                "persistence.frequencyMinutes",
                at("database", "properties", "persistence", "rdbFrequency", value=value),
            )
    source = declared.get("encryption", {}).get("keySource")
    way = ("cluster", "properties", "encryption", "customerManagedKeyEncryption")
    if source == "CustomerManaged":
        empty: Json = {}
        for key in (empty, None):
            yield "persistence.encryption.keySource", at(*way, value=key)
        yield "persistence.encryption.keySource", at(*way, "keyEncryptionKeyUrl", value="")
        url = declared["encryption"]["keyURL"]
        for value in (url.rpartition("/")[0], url[:-1] + "0", url.replace("disks", "other")):
            yield "persistence.encryption.keyURL", at(*way, "keyEncryptionKeyUrl", value=value)
        for value in ("/x", None):
            identity = at(*way, "keyEncryptionKeyIdentity", "userAssignedIdentityResourceId", value=value)
            yield "persistence.encryption.identityID", identity
    elif source == "MicrosoftManaged":
        yield "persistence.encryption.keySource", at(*way, "keyEncryptionKeyUrl", value="https://v.test/keys/k/1")


def mutated(world: World, change: Callable[[World], None]) -> World:
    fresh = World(world.spec, world.version, copy.deepcopy(world.cluster), copy.deepcopy(world.database))
    change(fresh)
    return fresh


@pytest.mark.parametrize("path", CORPUS, ids=ids)
def test_an_answer_is_no_drift_for_the_spec_that_made_it(path: Path) -> None:
    assert load(path).drift() == ()


@pytest.mark.parametrize("path", CORPUS, ids=ids)
def test_each_change_of_a_declared_field_is_exactly_one_entry(path: Path) -> None:
    world = load(path)
    for reported, change in changes(world):
        assert [entry.path for entry in mutated(world, change).drift()] == [reported], reported


def test_the_changes_reach_every_field_that_is_compared() -> None:
    reached = {reported.partition("[")[0] for path in CORPUS for reported, _ in changes(load(path))}
    assert reached == set(COMPARED)


# Fields that the service adds or changes by itself.
UNDECLARED = [
    at("cluster", "properties", "hostName", value="elsewhere.westeurope.redis.azure.net"),
    at("cluster", "properties", "redundancyMode", value="LR"),
    at("cluster", "properties", "redisVersion", value="8.0"),
    at("cluster", "properties", "resourceState", value="Scaling"),
    at("cluster", "properties", "a-member-of-tomorrow", value={"a": [1]}),
    at("cluster", "zones", value=["1", "2"]),
    at("cluster", "tags", "secureredis-owner", value="x"),
    at("cluster", "systemData", value={"createdBy": "x"}),
    at("database", "properties", "redisVersion", value="8.0"),
    at("database", "properties", "deferUpgrade", value="Deferred"),
    at("database", "properties", "notifyKeyspaceEvents", value="KEA"),
    at("database", "properties", "a-member-of-tomorrow", value=True),
]


@pytest.mark.parametrize("path", CORPUS, ids=ids)
def test_an_undeclared_value_is_no_drift(path: Path) -> None:
    for change in UNDECLARED:
        assert mutated(load(path), change).drift() == ()


@pytest.mark.parametrize("path", CORPUS, ids=ids)
def test_an_older_interface_version_hides_windows_and_nothing_else(path: Path) -> None:
    """A region that does not serve the version that shows windows cannot have them corrected."""
    world = load(path)
    found = World(world.spec, "2025-07-01", world.cluster, world.database).drift()
    declares = bool(world.spec["provision"]["managedRedis"].get("maintenanceWindows"))
    assert [entry.path for entry in found] == (["provision.managedRedis.maintenanceWindows"] if declares else [])
    assert not any(entry.correctable for entry in found)
