import asyncio
from typing import Any

import pytest
from aiohttp import web

from secure_redis.api.reasons.reason import Reason
from secure_redis.azure.inventory import Inventory
from secure_redis.domain.observe.cache import CacheAbsent
from secure_redis.domain.observe.redis import Redis
from secure_redis.domain.observe.unknown import Unknown

from .conftest import IDENTITY, OTHER, SUBSCRIPTION, World, cache_body, cache_id, path_of, says

ALL = f"/subscriptions/{SUBSCRIPTION}/providers/Microsoft.Cache/redis"
SHOP = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/shop/providers/Microsoft.Cache/redis"
DENIED = says(
    {
        "error": {
            "code": "AuthorizationFailed",
            "message": f"no authorization to perform action 'Microsoft.Cache/redis/read' over scope '{ALL}'",
        }
    },
    403,
)
MISSING = says({"error": {"code": "ResourceNotFound", "message": "not found"}}, 404)


@pytest.fixture
def inventory(world: World) -> Inventory[Redis]:
    return Inventory(world.caches, world.clock)


async def test_one_walk_serves_a_thousand(world: World, inventory: Inventory[Redis]) -> None:
    names = [f"c{number}" for number in range(1000)]
    link = f"https://arm.azure.test:{world.script.port}{ALL}/2"
    world.script.on("GET", ALL, says({"value": [cache_body(n) for n in names[:500]], "nextLink": link}))
    world.script.on("GET", f"{ALL}/2", says({"value": [cache_body(n) for n in names[500:]]}))
    found = await asyncio.gather(*(inventory.cache(IDENTITY, cache_id(n), max_age=60) for n in names))
    assert [f.resource_id.name for f in found if isinstance(f, Redis)] == names
    assert len(world.script.calls("GET")) == 2
    assert len(world.script.calls("POST", "token")) == 1


async def test_a_list_is_read_again_when_it_is_too_old(world: World, inventory: Inventory[Redis]) -> None:
    world.script.on("GET", ALL, says({"value": [cache_body()]}), says({"value": [cache_body(redisVersion="7")]}))
    await inventory.cache(IDENTITY, cache_id(), max_age=60)
    world.clock.now += 60
    await inventory.cache(IDENTITY, cache_id(), max_age=60)
    assert len(world.script.calls("GET")) == 1
    world.clock.now += 1
    facts = await inventory.cache(IDENTITY, cache_id(), max_age=60)
    assert isinstance(facts, Redis)
    assert facts.redis_version == "7"


async def test_a_newer_list_replaces_only_what_changed(world: World, inventory: Inventory[Redis]) -> None:
    both = {name: cache_body(name) for name in ("orders", "sessions")}
    newer = [both["orders"], cache_body("sessions", redisVersion="7")]
    world.script.on("GET", ALL, says({"value": list(both.values())}), says({"value": newer}))
    before = [await inventory.cache(IDENTITY, cache_id(name), max_age=60) for name in both]
    world.clock.now += 61
    after = [await inventory.cache(IDENTITY, cache_id(name), max_age=60) for name in both]
    assert len(world.script.calls("GET")) == 2
    assert after[0] is before[0], "resources at rest keep it too"
    assert after[1] != before[1]


async def test_one_identitys_list_never_serves_another(world: World, inventory: Inventory[Redis]) -> None:
    world.script.on("GET", ALL, says({"value": [cache_body()]}), DENIED)
    world.script.on("GET", SHOP, DENIED)
    single = says({"error": {"code": "AuthorizationFailed", "message": "no"}}, 403)
    world.script.on("GET", path_of(cache_id()), single)
    assert isinstance(await inventory.cache(IDENTITY, cache_id(), max_age=60), Redis)
    other = await inventory.cache(OTHER, cache_id(), max_age=60)
    assert isinstance(other, Unknown)
    assert other.reason is Reason.AZURE_DENIED


async def test_a_narrow_identity_lists_its_own_scope_and_wider_ones_slowly(
    world: World, inventory: Inventory[Redis]
) -> None:
    world.script.on("GET", ALL, DENIED)
    world.script.on("GET", SHOP, says({"value": [cache_body(), cache_body("sessions")]}))
    for found in await asyncio.gather(
        *(inventory.cache(IDENTITY, cache_id(name), max_age=60) for name in ("orders", "sessions") * 5)
    ):
        assert isinstance(found, Redis)
    assert (len(world.script.calls("GET", ALL)), len(world.script.calls("GET", SHOP))) == (1, 1)
    world.clock.now += 61
    await inventory.cache(IDENTITY, cache_id(), max_age=60)
    assert (len(world.script.calls("GET", ALL)), len(world.script.calls("GET", SHOP))) == (1, 2)
    world.clock.now += 3600
    await inventory.cache(IDENTITY, cache_id(), max_age=60)
    assert (len(world.script.calls("GET", ALL)), len(world.script.calls("GET", SHOP))) == (2, 3)


async def test_the_narrowest_identity_reads_single_caches(world: World, inventory: Inventory[Redis]) -> None:
    world.script.on("GET", ALL, DENIED)
    world.script.on("GET", SHOP, DENIED)
    world.script.on("GET", path_of(cache_id()), says(cache_body()))
    for _ in range(3):
        assert isinstance(await inventory.cache(IDENTITY, cache_id(), max_age=60), Redis)
    assert [len(world.script.calls("GET", path)) for path in (ALL, SHOP)] == [1, 2]  # SHOP is a part of the single's
    world.clock.now += 61
    await inventory.cache(IDENTITY, cache_id(), max_age=60)
    assert len(world.script.calls("GET")) == 4


async def test_a_cache_missing_from_a_list_is_read_directly(world: World, inventory: Inventory[Redis]) -> None:
    world.script.on("GET", ALL, says({"value": []}))
    world.script.on("GET", path_of(cache_id()), says(cache_body()))
    assert isinstance(await inventory.cache(IDENTITY, cache_id(), max_age=60), Redis)
    assert isinstance(await inventory.cache(IDENTITY, cache_id(), max_age=60), Redis)
    assert len(world.script.calls("GET")) == 2


async def test_a_404_is_believed_after_two_reads_a_minute_apart(world: World, inventory: Inventory[Redis]) -> None:
    world.script.on("GET", ALL, says({"value": []}))
    world.script.on("GET", path_of(cache_id()), MISSING)
    confirmed = []
    for _ in range(4):
        outcome = await inventory.cache(IDENTITY, cache_id(), max_age=300)
        assert isinstance(outcome, CacheAbsent)
        confirmed.append(outcome.confirmed)
        world.clock.now += 20
    assert confirmed == [False, False, False, True]
    assert len(world.script.calls("GET", path_of(cache_id()))) == 2  # not more often than it can matter


async def test_fresh_404s_in_a_row_prove_nothing_before_their_time(world: World, inventory: Inventory[Redis]) -> None:
    world.script.on("GET", path_of(cache_id()), MISSING)
    for wait, confirmed in ((0, False), (10, False), (49.9, False), (0.1, True)):
        world.clock.now += wait
        outcome = await inventory.fresh(IDENTITY, cache_id())
        assert isinstance(outcome, CacheAbsent)
        assert outcome.confirmed is confirmed


async def test_a_cache_found_again_resets_the_count(world: World, inventory: Inventory[Redis]) -> None:
    world.script.on("GET", path_of(cache_id()), MISSING, says(cache_body()), MISSING)
    await inventory.fresh(IDENTITY, cache_id())
    world.clock.now += 61
    assert isinstance(await inventory.fresh(IDENTITY, cache_id()), Redis)
    world.clock.now += 61
    outcome = await inventory.fresh(IDENTITY, cache_id())
    assert isinstance(outcome, CacheAbsent)
    assert not outcome.confirmed


async def test_an_unknown_between_two_404s_proves_nothing_either_way(world: World, inventory: Inventory[Redis]) -> None:
    world.script.on("GET", path_of(cache_id()), MISSING, says({"error": {"code": "x"}}, 500), MISSING)
    await inventory.fresh(IDENTITY, cache_id())
    world.clock.now += 61
    assert isinstance(await inventory.fresh(IDENTITY, cache_id()), Unknown)
    outcome = await inventory.fresh(IDENTITY, cache_id())
    assert isinstance(outcome, CacheAbsent)
    assert outcome.confirmed


async def test_a_missing_group_is_reported(world: World, inventory: Inventory[Redis]) -> None:
    world.script.on("GET", ALL, DENIED)
    gone = says({"error": {"code": "ResourceGroupNotFound", "message": "no group"}}, 404)
    world.script.on("GET", SHOP, gone)
    world.script.on("GET", path_of(cache_id()), gone)
    outcome = await inventory.cache(IDENTITY, cache_id(), max_age=60)
    assert isinstance(outcome, CacheAbsent)
    assert outcome.group_missing


async def test_after_our_write_nothing_older_is_served(world: World, inventory: Inventory[Redis]) -> None:
    world.script.on("GET", ALL, says({"value": [cache_body(), cache_body("sessions")]}))
    world.script.on("GET", path_of(cache_id()), says(cache_body(redisVersion="7")))
    await inventory.cache(IDENTITY, cache_id(), max_age=60)
    inventory.invalidate(cache_id())
    facts = await inventory.cache(IDENTITY, cache_id(), max_age=60)
    assert isinstance(facts, Redis)
    assert facts.redis_version == "7"
    await inventory.cache(IDENTITY, cache_id("sessions"), max_age=60)
    assert len(world.script.calls("GET")) == 2  # the list still serves the others
    world.clock.now += 61
    await inventory.cache(IDENTITY, cache_id(), max_age=60)
    assert len(world.script.calls("GET", path_of(cache_id()))) == 1  # and a newer list this one too


async def test_a_read_that_our_write_overtook_is_not_believed(world: World, inventory: Inventory[Redis]) -> None:
    async def slow(request: web.Request) -> web.StreamResponse:
        world.clock.now += 1
        inventory.invalidate(cache_id())
        return web.json_response(cache_body())

    world.script.on("GET", path_of(cache_id()), slow)
    assert isinstance(await inventory.fresh(IDENTITY, cache_id()), Unknown)


async def test_fresh_reads_at_once_are_one_request_each_time(world: World, inventory: Inventory[Redis]) -> None:
    world.script.on("GET", path_of(cache_id()), says(cache_body()))
    first = await inventory.fresh(IDENTITY, cache_id())
    world.clock.now += 1
    second = await inventory.fresh(IDENTITY, cache_id())
    assert isinstance(first, Redis)
    assert isinstance(second, Redis)
    assert len(world.script.calls("GET")) == 2


@pytest.mark.parametrize("body", [{"value": [cache_body(), {"id": "x"}]}, "<html>", {"error": {"code": "x"}}])
async def test_a_broken_list_is_unknown_for_all_and_requested_once(
    world: World, inventory: Inventory[Redis], body: Any
) -> None:
    world.script.on("GET", ALL, says(body, 500 if isinstance(body, dict) and "error" in body else 200))
    outcomes = await asyncio.gather(*(inventory.cache(IDENTITY, cache_id(f"c{n}"), max_age=60) for n in range(5)))
    assert all(isinstance(outcome, Unknown) and outcome.reason is Reason.AZURE_ERROR for outcome in outcomes)
    assert len(world.script.calls("GET")) == 1


async def test_an_older_list_does_not_outvote_a_404(world: World, inventory: Inventory[Redis]) -> None:
    world.script.on("GET", ALL, says({"value": [cache_body()]}))
    world.script.on("GET", path_of(cache_id()), MISSING)
    await inventory.cache(IDENTITY, cache_id(), max_age=300)
    world.clock.now += 10
    await inventory.fresh(IDENTITY, cache_id())
    world.clock.now += 61
    outcome = await inventory.cache(IDENTITY, cache_id(), max_age=300)
    assert isinstance(outcome, CacheAbsent)
    assert outcome.confirmed


async def test_a_newer_list_that_contains_it_ends_the_count(world: World, inventory: Inventory[Redis]) -> None:
    world.script.on("GET", ALL, says({"value": [cache_body()]}))
    world.script.on("GET", path_of(cache_id()), MISSING)
    await inventory.fresh(IDENTITY, cache_id())
    world.clock.now += 61
    assert isinstance(await inventory.cache(IDENTITY, cache_id(), max_age=60), Redis)
    outcome = await inventory.fresh(IDENTITY, cache_id())
    assert isinstance(outcome, CacheAbsent)
    assert not outcome.confirmed
