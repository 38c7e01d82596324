"""Mode Provision: created once, adopted when asked, corrected as allowed, never made again, never cut off."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from sandbox.azure.seeds import seeds
from sandbox.waiting import PATIENCE, wait_for
from sandbox.world import World
from tests.integration.operator.support import RULE, Case, provision

OTHER = {"name": "there", "startIP": "203.0.113.1", "endIP": "203.0.113.9"}
HERE = seeds.FirewallRule(name="here", start="127.0.0.1", end="127.0.0.1")
CORRECT = {"drift": {"correct": ["Security", "Availability"]}}


def owner(case: Case) -> str:
    """The ownership tag's value: unique over clusters and over re-created resources."""
    system = case.world.api.get("/api/v1/namespaces/kube-system").must()["metadata"]["uid"]
    return f"{system}.{case.uid}"


def properties(case: Case) -> dict[str, Any]:
    """The cache's properties in Azure."""
    found = case.control.redis.get(case.cache)
    assert found is not None
    return dict(found["properties"])


def tags(case: Case) -> dict[str, str]:
    """The cache's tags in Azure."""
    return dict((case.control.redis.get(case.cache) or {})["tags"])


def rules(case: Case) -> set[str]:
    """The names of the cache's firewall rules, as the effects of writes leave them."""
    there: set[str] = set()
    for effect in case.control.log.effects():
        if f"/redis/{case.cache}/firewallRules/" in effect.target:
            name = effect.target.rsplit("/", 1)[-1]
            (there.add if effect.kind == "firewallRule.set" else there.discard)(name)
    return there


def created(case: Case, **spec: Any) -> Case:
    """A cache that the resource has made."""
    case.apply(**provision(case, **spec))
    case.until("Ready", "True")
    case.until("DriftDetected", "False", "NoDrift")
    # The next pass ends the creation. Until then, a changed setting is one that the creation still requires.
    wait_for(lambda: "pending" not in case.status, PATIENCE, "the creation to end")
    return case


# --- create ---------------------------------------------------------------------------------------------------------


def test_created_once_with_every_security_setting_explicit(build: Case) -> None:
    build.apply(**provision(build, provision={**provision(build)["provision"], "tags": {"cost": "shop"}}))
    build.until("Ready", "True", "Ready")
    creations = [w for w in build.control.log.writes(build.mark) if w.method == "PUT" and w.path.endswith(build.cache)]
    assert len(creations) == 1
    assert {
        "location",
        "tags",
        "tags.secureredis-owner",
        "properties.enableNonSslPort",
        "properties.minimumTlsVersion",
        "properties.publicNetworkAccess",
        "properties.sku.name",
    } <= set(creations[0].body_keys)
    assert "properties.redisConfiguration" not in creations[0].body_keys  # nothing that was not asked for
    made = properties(build)
    assert (made["enableNonSslPort"], made["minimumTlsVersion"]) == (False, "1.2")
    ended = {"cost": "shop", "secureredis-owner": owner(build)}
    wait_for(lambda: tags(build) == ended, PATIENCE, "the tag of the creation to be removed")
    build.until("DriftDetected", "False", "NoDrift")
    assert made["publicNetworkAccess"] == "Enabled" or properties(build)["publicNetworkAccess"] == "Enabled"
    assert rules(build) == {"here"}


def test_a_created_cache_without_a_route_is_reported(build: Case) -> None:
    """The operator never creates private endpoints; the platform team's makes the cache available."""
    build.apply(**provision(build, network={"publicAccess": "Disabled"}))
    build.until("CacheAvailable", "False", "NoRoute")
    assert "create a private endpoint" in build.until("Ready", "False", "NoRoute")
    assert properties(build)["publicNetworkAccess"] == "Disabled"
    build.control.redis.set_private_endpoint(build.cache, "shop", "Approved")
    build.heal()
    assert [kind for kind, _ in build.effects()] == ["cache.create"]


def test_a_name_is_asked_for_before_it_is_used(build: Case) -> None:
    created(build)
    mine = [r for r in build.control.log.requests(build.mark) if r.principal == build.team.object_id]
    asked = next(i for i, r in enumerate(mine) if "checknameavailability" in r.path.lower())
    put = next(i for i, r in enumerate(mine) if r.method == "PUT")
    reads = [r for r in mine[:put] if r.method == "GET" and r.path.endswith(build.cache)]
    assert asked < put
    assert len(reads) >= 2  # one 404 is not believed
    assert all(r.status == 404 for r in reads)


def test_the_operator_dies_while_azure_creates(world: World, build: Case) -> None:
    with build.control.settings.during(create_seconds=4.0):
        build.apply(**provision(build))
        build.until("CacheAvailable", "False", "Creating")
    world.stop_operator(kill=True)
    world.start_operator()
    build.until("Ready", "True")
    assert [kind for kind, _ in build.effects()].count("cache.create") == 1


# --- adopt ----------------------------------------------------------------------------------------------------------


def test_an_existing_cache_is_shown_and_not_touched(build: Case) -> None:
    build.exists(properties={"enableNonSslPort": True, "publicNetworkAccess": "Enabled"}, tags={"made": "by hand"})
    build.apply(**provision(build, **CORRECT))
    message = build.until("DriftDetected", "True", "AdoptionRequired")
    assert f"secureredis.io/adopt: {build.cache}" in message
    assert "transport.nonTLSPort" in {entry["path"] for entry in build.status["drift"]}
    build.annotate(adopt="yes")
    build.poke()
    build.until("DriftDetected", "True", "AdoptionRequired")
    assert build.writes() == []
    build.annotate(adopt=build.cache)
    build.until("DriftDetected", "False", "NoDrift")
    assert tags(build) == {"made": "by hand", "secureredis-owner": owner(build)}
    assert build.effects()[0] == ("cache.update", ("tags",))
    assert properties(build)["enableNonSslPort"] is False


def test_a_foreign_owner_cannot_be_adopted_away(build: Case) -> None:
    build.exists(tags={"SecureRedis-Owner": "another.cluster"})
    build.apply(annotations={"secureredis.io/adopt": build.cache}, **provision(build, **CORRECT))
    build.until("Ready", "False", "OwnedByAnother")
    build.poke()
    assert build.writes() == []


# --- correct --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Drifting:
    """A user changes the cache directly in Azure; `effect`: the one write that corrects it."""

    name: str
    change: Callable[[Case], object]
    path: str
    effect: tuple[str, tuple[str, ...]]
    network: dict[str, Any] = field(default_factory=dict)


DRIFTING = (
    Drifting(
        "nonTLSPort",
        lambda c: c.update({"enableNonSslPort": True}),
        "transport.nonTLSPort",
        ("cache.update", ("properties.enableNonSslPort",)),
    ),
    Drifting(
        "minimumTLSVersion",
        lambda c: c.update({"minimumTlsVersion": "1.0"}),
        "transport.minimumTLSVersion",
        ("cache.update", ("properties.minimumTlsVersion",)),
    ),
    Drifting(
        "minimumTLSVersion absent",
        lambda c: c.update(absent=("minimumTlsVersion",)),
        "transport.minimumTLSVersion",
        ("cache.update", ("properties.minimumTlsVersion",)),
    ),
    Drifting(
        "publicAccess",
        lambda c: c.update({"publicNetworkAccess": "Disabled"}),
        "network.publicAccess",
        ("cache.update", ("properties.publicNetworkAccess",)),
    ),
    Drifting(
        "rule widened",
        lambda c: c.update(firewall_rules=(seeds.FirewallRule(name="here", start="1.0.0.0", end="223.255.255.255"),)),
        "network.firewallRules[here]",
        ("firewallRule.set", ("startIP", "endIP")),
    ),
    Drifting(
        "rule missing",
        lambda c: c.update(firewall_rules=()),
        "network.firewallRules[here]",
        ("firewallRule.set", ("startIP", "endIP")),
    ),
    Drifting(
        "rule too many",
        lambda c: c.update(firewall_rules=(HERE, seeds.FirewallRule(name="all", start="1.0.0.0", end="1.1.1.1"))),
        "network.firewallRules[all]",
        ("firewallRule.delete", ()),
    ),
)


@pytest.mark.parametrize("drifting", DRIFTING, ids=lambda one: one.name)
def test_each_field_is_corrected_by_one_write_of_that_field(build: Case, drifting: Drifting) -> None:
    created(build, **CORRECT)
    before = len(build.effects())
    drifting.change(build)
    build.poke()
    build.until("DriftDetected", "False", "NoDrift")
    assert build.effects()[before:] == [drifting.effect]


@pytest.mark.parametrize("drifting", DRIFTING, ids=lambda one: one.name)
def test_without_leave_each_is_only_reported(build: Case, drifting: Drifting) -> None:
    created(build)
    # The operator completes a creation without permission to correct: only later differences are by others.
    wait_for(lambda: "pending" not in build.status, PATIENCE, "the creation to be complete")
    before = len(build.writes())
    drifting.change(build)
    build.poke()
    message = build.until("DriftDetected", "True", "Drifted")
    assert drifting.path in message
    assert drifting.path in {entry["path"] for entry in build.status["drift"]}
    build.poke()
    assert build.condition("Ready")[0] == build.condition("CacheAvailable")[0]  # drift alone does not change Ready
    assert len(build.writes()) == before


def test_one_update_at_a_time(build: Case) -> None:
    """Four differences together: four writes, each after the end of the one before (Azure would refuse a second)."""
    created(build, **CORRECT)
    mark = build.control.log.position()
    build.update({"enableNonSslPort": True, "minimumTlsVersion": "1.0"}, firewall_rules=())
    build.poke()
    build.until("DriftDetected", "False", "NoDrift")
    writes = [w for w in build.control.log.writes(mark) if w.principal == build.team.object_id]
    assert [w.status for w in writes if w.status >= 400] == []
    patches = [w for w in writes if w.method == "PATCH"]
    assert [len([key for key in w.body_keys if key.startswith("properties.")]) for w in patches] == [1, 1]


def test_only_the_named_classes_are_corrected(build: Case) -> None:
    created(build, drift={"correct": ["Security"]})
    before = len(build.effects())
    build.update({"enableNonSslPort": True, "publicNetworkAccess": "Disabled"})  # the second is Availability
    build.control.redis.set_private_endpoint(build.cache, "shop", "Approved")
    build.poke()
    build.until("TransportSecured", "True")
    build.until("DriftDetected", "True")
    assert {entry["path"] for entry in build.status["drift"]} == {"network.publicAccess"}
    assert build.effects()[before:] == [("cache.update", ("properties.enableNonSslPort",))]


def test_size_and_version_are_reported_and_never_changed(build: Case) -> None:
    created(build, **CORRECT)
    before = len(build.writes())
    build.update({"sku": {"name": "Premium", "family": "P", "capacity": 1}, "redisVersion": "4.0"})
    build.poke()
    build.until("DriftDetected", "True")
    build.poke()
    assert "provision.redis.sku.name" in {entry["path"] for entry in build.status["drift"]}
    assert len(build.writes()) == before


def test_tags_are_corrected_and_the_size_on_request(build: Case) -> None:
    created(build, drift={"correct": ["Security", "Availability", "Cosmetic"]})

    def shown() -> Any:
        return build.control.redis.get(build.cache)

    build.control.redis.update(build.cache, tags={**shown()["tags"], "cost": "7"})
    build.change(provision={"tags": {"team": "orders"}, "redis": {"sku": {"capacity": 2}}})
    build.until("DriftDetected", "True", "DisruptionNotAllowed")
    wait_for(lambda: shown()["tags"].get("team") == "orders", PATIENCE, "the tags")
    assert shown()["tags"]["cost"] == "7", "tags of others stay"
    assert shown()["properties"]["sku"]["capacity"] == 1
    build.annotate(allow_disruption="provision.redis.sku.capacity")
    wait_for(lambda: shown()["properties"]["sku"]["capacity"] == 2, PATIENCE, "the size")
    build.until("DriftDetected", "False", "NoDrift")


TUNED = {
    "sku": {"name": "Standard", "capacity": 1},
    "evictionPolicy": "VolatileTTL",
    "memoryReservedMB": 200,
    "updateChannel": "Preview",
    "maintenanceWindows": [{"day": "Sunday", "startHourUTC": 2, "durationHours": 6}],
}
SUNDAY = [{"dayOfWeek": "Sunday", "startHourUtc": 2, "maintenanceWindow": "PT6H"}]


def test_settings_and_maintenance_windows_are_created_and_corrected(build: Case) -> None:
    place = provision(build)["provision"]
    created(build, provision={**place, "redis": TUNED})  # its creation needs no permission to correct
    wait_for(lambda: "pending" not in build.status, PATIENCE, "the creation to be complete")
    settings = properties(build)["redisConfiguration"]
    assert (settings["maxmemory-policy"], settings["maxmemory-reserved"]) == ("volatile-ttl", "200")
    assert properties(build)["updateChannel"] == "Preview"
    assert build.control.redis.patch_schedule(build.cache) == SUNDAY
    build.change(drift={"correct": ["Availability"]})
    build.control.redis.set_patch_schedule(build.cache, [{**SUNDAY[0], "dayOfWeek": "Everyday"}])
    build.update({"updateChannel": "Stable", "redisConfiguration": {**settings, "maxmemory-policy": "allkeys-lru"}})
    build.poke()
    build.until("DriftDetected", "False", "NoDrift")
    assert build.control.redis.patch_schedule(build.cache) == SUNDAY
    assert properties(build)["updateChannel"] == "Preview"
    assert properties(build)["redisConfiguration"]["maxmemory-policy"] == "volatile-ttl"
    kinds = [kind for kind, _ in build.effects()]
    assert kinds.count("patchSchedule.set") == 2


def test_public_access_stays_until_an_endpoint_is_approved(build: Case) -> None:
    created(build, **CORRECT)
    before = len(build.effects())
    build.change(network={"publicAccess": "Disabled", "firewallRules": None})
    message = build.until("DriftDetected", "True", "WouldDisconnect")
    assert "create and approve one first" in message
    build.control.redis.set_private_endpoint(build.cache, "shop", "Pending")
    build.poke()
    build.until("DriftDetected", "True", "WouldDisconnect")
    assert len(build.effects()) == before
    build.control.redis.set_private_endpoint(build.cache, "shop", "Approved")
    build.poke()
    build.until("DriftDetected", "False", "NoDrift")
    assert build.effects()[before:] == [("cache.update", ("properties.publicNetworkAccess",))]


@pytest.mark.parametrize("empty", [[], None])
def test_rules_stay_when_no_rule_is_declared_any_more(build: Case, empty: list[str] | None) -> None:
    """No rule at all means open to everyone."""
    created(build, **CORRECT)
    before = len(build.effects())
    build.change(network={"firewallRules": empty})
    build.poke()
    build.poke()
    assert build.condition("DriftDetected")[:2] == ("False", "NoDrift")
    assert len(build.effects()) == before
    assert rules(build) == {"here"}


def test_a_missing_rule_is_added_before_another_is_removed(build: Case) -> None:
    created(build, **CORRECT)
    before = len(build.effects())
    build.change(network={"firewallRules": [OTHER]})
    build.until("DriftDetected", "False", "NoDrift")
    assert [kind for kind, _ in build.effects()[before:]] == ["firewallRule.set", "firewallRule.delete"]
    assert rules(build) == {"there"}


def test_paused_corrects_nothing(build: Case) -> None:
    created(build, **CORRECT)
    before = len(build.writes())
    build.annotate(paused="true")
    build.update({"enableNonSslPort": True})
    build.poke()
    build.until("TransportSecured", "False", "NonTLSPortOpen")
    build.poke()
    assert len(build.writes()) == before
    build.annotate(paused=None)
    build.until("TransportSecured", "True")


def test_an_unreadable_vault_blocks_no_correction(build: Case) -> None:
    build.exists(properties={"publicNetworkAccess": "Enabled"}, firewall_rules=(HERE,))
    build.store()
    build.apply(annotations={"secureredis.io/adopt": build.cache}, **provision(build, key=True, **CORRECT))
    build.until("Ready", "True")
    build.fault(service="vault", status=503, body={"error": {"code": "Busy", "message": "busy"}})
    for _ in range(5):
        build.poke()  # the back-off grows to a minute
    build.update({"enableNonSslPort": True})
    build.poke()
    build.until("TransportSecured", "True")


# --- gone -----------------------------------------------------------------------------------------------------------


def test_a_once_observed_cache_is_not_created_again(world: World, build: Case) -> None:
    created(build)
    build.control.redis.delete(build.cache)
    build.heal("CacheAvailable", "False", "CacheGone")
    message = build.until("Stalled", "True", "CacheGone")
    assert "re-create this resource" in message
    build.change(transport={"minimumTLSVersion": "1.2"}, connection={"database": 1})
    build.until("CacheAvailable", "False", "CacheGone")
    world.stop_operator()
    world.start_operator()
    build.heal("CacheAvailable", "False", "CacheGone")
    assert [kind for kind, _ in build.effects()].count("cache.create") == 1
    # The steps in the message work.
    build.delete()
    world.await_gone(build.document)
    build.world.apply(build.document)
    build.until("Ready", "True")
    assert [kind for kind, _ in build.effects()].count("cache.create") == 2


def test_one_404_is_not_believed(build: Case) -> None:
    created(build)
    build.fault(
        service="arm",
        path=f"/redis/{build.cache}$",
        method="GET",
        status=404,
        times=1,
        body={"error": {"code": "ResourceNotFound", "message": "was not found"}},
    )
    build.fault(service="arm", path="/providers/Microsoft.Cache/redis$", status=200, body={"value": []}, times=None)
    build.poke()
    wait_for(lambda: build.control.faults.hits()[build.faults[0]], PATIENCE, "the 404")
    build.until("CacheAvailable", "True")
    assert not build.has("Stalled")
    assert [kind for kind, _ in build.effects()].count("cache.create") == 1


def test_edited_while_it_is_created(build: Case) -> None:
    """The later generation is what counts in the end."""
    with build.control.settings.during(create_seconds=1.5):
        build.apply(**provision(build, **CORRECT))
        build.until("CacheAvailable", "False", "Creating")
        build.change(network={"firewallRules": [RULE, OTHER]})
    build.until("Ready", "True")
    build.until("DriftDetected", "False", "NoDrift")
    assert rules(build) == {"here", "there"}
    assert [kind for kind, _ in build.effects()].count("cache.create") == 1
