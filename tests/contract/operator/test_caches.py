"""Reads and writes of caches as the simulator answers them."""

import asyncio
from typing import Any

import pytest

from sandbox.azure.seeds import seeds
from sandbox.azure.state.faults import Fault
from secure_redis.api.reasons.reason import Reason
from secure_redis.azure.core.failures import Missing, NotFound
from secure_redis.azure.core.policies import correlation
from secure_redis.azure.core.resource_manager import ResourceManager
from secure_redis.azure.governance.reads import READ_SCHEDULE, Governance
from secure_redis.domain.observe.cache import CacheAbsent, OperationFacts
from secure_redis.domain.observe.firewall import FirewallRuleFacts
from secure_redis.domain.observe.governance import PatchWindow
from secure_redis.domain.observe.keys import ListedKeys
from secure_redis.domain.observe.redis import Redis
from secure_redis.domain.observe.unknown import Unknown
from secure_redis.domain.plan.cache import creation
from secure_redis.domain.plan.write_failure import WriteFailure
from tests.builders.world import resource

from .conftest import OTHER_TENANT, READ, Site

ALL = "Microsoft.Cache/redis/*"
BODY: dict[str, Any] = {
    "location": "westeurope",
    "tags": {"secureredis-owner": "a.b"},
    "properties": {
        "sku": {"name": "Standard", "family": "C", "capacity": 1},
        "enableNonSslPort": False,
        "minimumTlsVersion": "1.2",
        "publicNetworkAccess": "Enabled",
    },
}


@pytest.fixture
def owner(site: Site) -> Site:
    site.allow("Microsoft.Cache/*")
    return site


async def finish(site: Site) -> OperationFacts:
    """Follow the operation to its end, the clock put forward as far as it takes."""
    for _ in range(50):
        facts = await site.caches.operation(site.identity, site.cache)
        assert facts is not None
        if facts.status != "InProgress":
            return facts
        site.control.clock.advance(10)
    raise AssertionError("the operation does not end")


async def test_the_life_of_a_cache(owner: Site) -> None:
    site = owner
    missing = await site.caches.read(site.identity, site.cache)
    assert isinstance(missing, NotFound)
    assert missing.what is Missing.RESOURCE
    assert await site.caches.name_available(site.identity, site.cache) is True
    site.control.settings.change(create_seconds=100, update_seconds=100, delete_seconds=100)

    assert await site.caches.create(site.identity, site.cache, BODY) is None
    first = await site.caches.operation(site.identity, site.cache)
    assert first == OperationFacts("InProgress")
    creating = await site.caches.read(site.identity, site.cache)
    assert isinstance(creating, Redis)
    assert creating.provisioning_state == "Creating"
    assert (await finish(site)).status == "Succeeded"
    created = await site.caches.read(site.identity, site.cache)
    assert isinstance(created, Redis)
    assert (created.provisioning_state, created.plaintext_open) == ("Succeeded", False)
    assert created.tags == {"secureredis-owner": "a.b"}
    assert created.host_name is not None
    assert site.transport.cloud.allows_redis_host(created.host_name)
    assert await site.caches.name_available(site.identity, site.cache) is False

    closing = {"properties": {"publicNetworkAccess": "Disabled"}}
    assert await site.caches.update(site.identity, site.cache, closing) is None
    busy = await site.caches.update(site.identity, site.cache, {"properties": {"enableNonSslPort": False}})
    assert isinstance(busy, WriteFailure)
    assert busy.reason is Reason.BUSY
    site.control.clock.advance(200)
    updated = await site.caches.read(site.identity, site.cache)
    assert isinstance(updated, Redis)
    assert updated.public_network_access == "Disabled"
    assert updated.plaintext_open is False  # nothing that was not asked for
    assert await site.caches.update(site.identity, site.cache, {"properties": {"enableNonSslPort": True}}) is None
    assert await site.caches.operation(site.identity, site.cache) in (None, OperationFacts("Succeeded"))  # done already
    opened = await site.caches.read(site.identity, site.cache)
    assert isinstance(opened, Redis)
    assert (opened.provisioning_state, opened.plaintext_open) == ("Succeeded", True)

    assert await site.caches.delete(site.identity, site.cache) is None
    assert (await finish(site)).status == "Succeeded"
    assert isinstance(await site.caches.read(site.identity, site.cache), NotFound)
    assert await site.caches.delete(site.identity, site.cache) is None
    writes = [(request.method, request.status) for request in site.control.log.writes(site.mark)]
    assert writes == [
        ("PUT", 201),
        ("PATCH", 202),
        ("PATCH", 409),
        ("PATCH", 200),
        ("DELETE", 202),
        ("DELETE", 204),
    ]


async def test_a_failed_operation_explains_why(owner: Site) -> None:
    owner.control.settings.change(
        operation_outcome="Failed",
        operation_error_code="InsufficientCapacity",
        operation_error_message="No capacity. RequestID=0f8fad5b-d9cb-469f-a165-70867728950e",
    )
    assert await owner.caches.create(owner.identity, owner.cache, BODY) is None
    assert await finish(owner) == OperationFacts("Failed", "InsufficientCapacity", "No capacity")
    assert await owner.caches.operation(owner.identity, owner.cache) is None


async def test_keys(owner: Site) -> None:
    owner.add_cache(primary_key="canary-one", secondary_key="canary-two")
    keys = await owner.caches.list_keys(owner.identity, owner.cache)
    assert isinstance(keys, ListedKeys)
    assert (keys.primary.get_secret_value(), keys.secondary.get_secret_value()) == ("canary-one", "canary-two")
    owner.control.redis.update(owner.name, {"disableAccessKeyAuthentication": True})
    assert isinstance(await owner.caches.list_keys(owner.identity, owner.cache), ListedKeys)
    with owner.control.settings.during(list_keys_refused_when_disabled=True):
        disabled = await owner.caches.list_keys(owner.identity, owner.cache)
    assert isinstance(disabled, Unknown)
    assert disabled.reason is Reason.ACCESS_KEYS_DISABLED
    assert owner.control.log.writes(owner.mark) == []


async def test_firewall_rules(owner: Site) -> None:
    site = owner
    rules = tuple(seeds.FirewallRule(name=f"rule{n:03}", start="10.0.0.1", end="10.0.0.9") for n in range(7))
    site.add_cache(firewall_rules=rules)
    site.control.settings.change(page_size=3)
    found = await site.caches.firewall_rules(site.identity, site.cache)
    assert isinstance(found, tuple)
    assert [rule.name for rule in found] == [rule.name for rule in rules]
    office = FirewallRuleFacts("office", "10.1.0.1", "10.1.0.2")
    assert await site.caches.put_firewall_rule(site.identity, site.cache, office) is None
    assert await site.caches.delete_firewall_rule(site.identity, site.cache, "rule000") is None
    assert await site.caches.delete_firewall_rule(site.identity, site.cache, "rule000") is None
    found = await site.caches.firewall_rules(site.identity, site.cache)
    assert isinstance(found, tuple)
    assert office in found
    assert len(found) == 7


async def test_maintenance_windows(owner: Site) -> None:
    site = owner
    site.add_cache()
    site.allow(READ_SCHEDULE, "Microsoft.Cache/redis/patchSchedules/write")
    governance = Governance(ResourceManager(site.transport, site.credentials))
    assert await governance.patch_schedule(site.identity, site.cache) == ()
    for windows in ((PatchWindow("Sunday", 2, 300), PatchWindow("Monday", 22, 360)), (PatchWindow("Friday", 0, 1440),)):
        assert await site.caches.put_patch_schedule(site.identity, site.cache, windows) is None
        assert await governance.patch_schedule(site.identity, site.cache) == windows
    refused = await site.caches.put_patch_schedule(site.identity, site.cache, (PatchWindow("Sunday", 2, 240),))
    assert isinstance(refused, WriteFailure)
    assert not refused.maybe_done
    assert await governance.patch_schedule(site.identity, site.cache) == (PatchWindow("Friday", 0, 1440),)


async def test_a_thousand_caches_are_one_walk(site: Site) -> None:
    site.allow(READ)
    names = [f"{site.name}-{number}" for number in range(1000)]
    site.control.seed(*(seeds.Cache(subscription=site.subscription, group=site.group, name=name) for name in names))
    facts = await asyncio.gather(*(site.inventory.cache(site.identity, site.id_of(name), max_age=60) for name in names))
    assert {fact.resource_id.name for fact in facts if isinstance(fact, Redis)} == set(names)
    assert site.requests() == 10  # pages of 100


async def test_an_identity_of_one_cache_reads_just_that(site: Site) -> None:
    site.add_cache()
    site.add_cache(f"{site.name}-x")
    site.allow(READ, scope=site.cache.text)
    assert isinstance(await site.inventory.cache(site.identity, site.cache, max_age=60), Redis)
    other = await site.inventory.cache(site.identity, site.id_of(f"{site.name}-x"), max_age=60)
    assert isinstance(other, Unknown)
    assert other.reason is Reason.AZURE_DENIED
    assert site.requests() == 4  # two lists refused once, two single reads


async def test_a_list_that_shows_only_what_one_may_read_proves_nothing(site: Site) -> None:
    site.control.settings.change(list_needs_scope_right=False)
    site.add_cache()
    site.allow(READ, scope=site.cache.text)
    assert isinstance(await site.inventory.cache(site.identity, site.cache, max_age=60), Redis)
    gone = await site.inventory.cache(site.identity, site.id_of(f"{site.name}-x"), max_age=60)
    assert isinstance(gone, CacheAbsent | Unknown)


async def test_gone_behind_our_back(site: Site) -> None:
    site.add_cache()
    site.allow(READ)
    await site.inventory.cache(site.identity, site.cache, max_age=60)
    site.control.redis.delete(site.name)
    confirmed = []
    for _ in range(2):
        site.clock.now += 61
        outcome = await site.inventory.cache(site.identity, site.cache, max_age=60)
        assert isinstance(outcome, CacheAbsent)
        confirmed.append(outcome.confirmed)
    assert confirmed == [False, True]


async def test_subscription_and_group_that_are_not_there(site: Site) -> None:
    site.allow(READ)
    outcome = await site.caches.read(site.identity, type(site.cache).parse(site.cache.text.replace("shop", "none")))
    assert isinstance(outcome, NotFound | Unknown)
    if isinstance(outcome, NotFound):
        assert outcome.what is Missing.GROUP
    site.control.seed(seeds.Subscription(id=site.subscription, tenant=OTHER_TENANT, state="Disabled"))
    refused = await site.caches.create(site.identity, site.cache, BODY)
    assert isinstance(refused, WriteFailure)


async def test_refusals_of_a_create(owner: Site) -> None:
    site = owner
    scope = seeds.group_scope(site.subscription, site.group)

    async def refused(body: dict[str, Any] = BODY) -> WriteFailure:
        outcome = await site.caches.create(site.identity, site.cache, body)
        assert isinstance(outcome, WriteFailure)
        return outcome

    policy, lock = f"p-{site.name}", f"l-{site.name}"
    site.control.seed(seeds.Policy(scope=scope, name=policy, field="properties.publicNetworkAccess", value="Enabled"))
    denied = await refused()
    assert denied.reason is Reason.DENIED_BY_POLICY
    assert policy in denied.message
    site.control.access.delete_policy(policy)

    site.control.seed(seeds.Lock(scope=scope, name=lock, level="ReadOnly"))
    assert (await refused()).reason is Reason.LOCKED
    site.control.access.delete_lock(lock)

    site.control.redis.take_name(site.name)
    assert (await refused()).reason is Reason.NAME_TAKEN
    assert await site.caches.name_available(site.identity, site.cache) is False

    odd = {**BODY, "properties": {**BODY["properties"], "sku": {"name": "Gigantic", "family": "X", "capacity": 99}}}
    outcome = await refused(odd)
    assert (outcome.reason, outcome.permanent) == (Reason.REQUEST_REFUSED, True)

    site.control.seed(
        seeds.Subscription(id=site.subscription, tenant="99999999-8888-7777-6666-555555555555", registered=False)
    )
    assert (await refused()).reason is Reason.SUBSCRIPTION_UNAVAILABLE
    assert not any("register" in request.path for request in site.control.log.requests(site.mark))


async def test_a_linked_resource_that_may_not_be_used(site: Site) -> None:
    site.allow("Microsoft.Cache/*")
    identity = (
        f"{seeds.group_scope(site.subscription, 'ids')}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/a"
    )
    body = {**BODY, "identity": {"type": "UserAssigned", "userAssignedIdentities": {identity: {}}}}
    outcome = await site.caches.create(site.identity, site.cache, body)
    assert isinstance(outcome, WriteFailure)
    assert outcome.reason is Reason.AZURE_DENIED


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (Fault(kind="html"), Reason.AZURE_ERROR),
        (Fault(kind="truncated"), Reason.AZURE_ERROR),
        (Fault(kind="reset"), Reason.AZURE_UNREACHABLE),
        (Fault(kind="hang"), Reason.AZURE_UNREACHABLE),
        (Fault(status=500), Reason.AZURE_ERROR),
        (Fault(status=503), Reason.AZURE_ERROR),
        (Fault(status=429, headers={"Retry-After": "11"}), Reason.AZURE_THROTTLED),
        (Fault(status=200, body={"surprise": True}), Reason.AZURE_ERROR),
    ],
    ids=lambda value: value.kind + str(value.status) if isinstance(value, Fault) else str(value),
)
async def test_arm_in_trouble_is_an_unknown_and_asked_once(site: Site, fault: Fault, reason: Reason) -> None:
    site.add_cache()
    site.allow(READ)
    with site.control.faults.during(fault.model_copy(update={"service": "arm", "times": None})):
        outcome = await site.caches.read(site.identity, site.cache)
    assert isinstance(outcome, Unknown)
    assert outcome.reason is reason
    assert not outcome.permanent
    if fault.status == 429:
        assert outcome.retry_after == 11
        assert isinstance(await site.caches.read(site.identity, site.cache), Unknown)  # left alone
        site.clock.now += 12
    assert isinstance(await site.caches.read(site.identity, site.cache), Redis)
    assert site.requests(site.name) == (3 if fault.kind == "reset" else 2)  # aiohttp repeats a GET once


async def test_a_write_whose_answer_is_lost_is_not_repeated(owner: Site) -> None:
    with owner.control.faults.during(Fault(service="arm", method="PUT", kind="reset", when="after")):
        outcome = await owner.caches.create(owner.identity, owner.cache, BODY)
    assert isinstance(outcome, WriteFailure)
    assert isinstance(await owner.caches.read(owner.identity, owner.cache), Redis)
    assert [request.method for request in owner.control.log.writes(owner.mark)] == ["PUT"]


async def test_a_passes_correlation_id_is_in_azures_log(owner: Site) -> None:
    token = correlation.set("pass-17")
    try:
        await owner.caches.read(owner.identity, owner.cache)
        await owner.vaults.current(owner.identity, owner.vault, "key", max_age=0)
    finally:
        correlation.reset(token)
    observed = owner.control.log.requests(owner.mark)
    assert {request.client_request_id for request in observed if request.service in ("arm", "vault")} == {"pass-17"}


async def test_lists_that_lag_behind_our_write_are_not_believed(owner: Site) -> None:
    owner.add_cache()
    owner.control.settings.change(stale_list_seconds=30, update_seconds=0.1)
    owner.control.clock.advance(60)  # so that the readers who are behind see it too
    before = await owner.inventory.cache(owner.identity, owner.cache, max_age=60)
    assert isinstance(before, Redis)
    owner.clock.now += 61
    assert await owner.caches.update(owner.identity, owner.cache, {"properties": {"enableNonSslPort": True}}) is None
    owner.inventory.invalidate(owner.cache)
    owner.control.clock.advance(1)
    owner.clock.now += 1
    facts = await owner.inventory.cache(owner.identity, owner.cache, max_age=60)
    assert isinstance(facts, Redis)
    assert facts.plaintext_open is True


async def test_a_creation_that_meets_a_cache_does_not_open_it(owner: Site) -> None:
    """A PUT that leaves publicNetworkAccess out opens a closed cache: the operator's body always names it."""
    declared = {
        "mode": "Provision",
        "provision": {"location": "westeurope", "redis": {"sku": {"name": "Standard", "family": "C", "capacity": 1}}},
    }
    closed = resource({**declared, "network": {"publicAccess": "Disabled"}})
    limited = resource(
        {**declared, "network": {"firewallRules": [{"name": "office", "startIP": "10.0.0.1", "endIP": "10.0.0.9"}]}}
    )
    for one in (closed, limited):
        owner.add_cache(properties={"publicNetworkAccess": "Disabled"}, absent=("minimumTlsVersion",))
        assert await owner.caches.create(owner.identity, owner.cache, creation.body(one, "a.b")) is None
        owner.control.clock.advance(60)
        found = await owner.caches.read(owner.identity, owner.cache)
        assert isinstance(found, Redis)
        assert (found.provisioning_state, found.public_network_access) == ("Succeeded", "Disabled")
        assert found.minimum_tls_version == "1.2"  # the PUT did change it
