import asyncio
from typing import Any

import pytest
from aiohttp import web

from secure_redis.api.reasons.reason import Reason
from secure_redis.azure.core.failures import Missing, NotFound
from secure_redis.domain.observe.cache import OperationFacts
from secure_redis.domain.observe.firewall import FirewallRuleFacts
from secure_redis.domain.observe.keys import ListedKeys, Slot
from secure_redis.domain.observe.redis import Redis
from secure_redis.domain.observe.unknown import Unknown
from secure_redis.domain.plan.write_failure import WriteFailure
from tests.unit.azure.conftest import (
    IDENTITY,
    NotLeading,
    World,
    as_json,
    cache_body,
    cache_id,
    path_of,
    says,
)

CACHE = cache_id()
PATH = path_of(CACHE)
OPERATION = f"/subscriptions/{CACHE.subscription}/providers/Microsoft.Cache/locations/we/asyncOperations/1"
KEY_ONE, KEY_TWO = "canary-key-one", "canary-key-two"


async def test_a_read_gives_facts_and_leaves_absent_things_absent(world: World) -> None:
    world.script.on("GET", PATH, says(cache_body()))
    facts = await world.caches.read(IDENTITY, CACHE)
    assert isinstance(facts, Redis)
    assert facts.resource_id.key == CACHE.key
    assert (facts.sku_name, facts.sku_family, facts.sku_capacity) == ("Premium", "P", 1)
    assert facts.plaintext_open is False
    assert facts.minimum_tls_version is None
    assert facts.public_network_access is None
    assert facts.access_keys_enabled is None
    assert (facts.tls_port, facts.plaintext_port) == (6380, 6379)
    assert ("arm", "GET redis", 200) in world.requests


async def test_every_field_of_the_answer_is_read(world: World) -> None:
    world.script.on(
        "GET",
        PATH,
        says(
            cache_body(
                enableNonSslPort=True,
                minimumTlsVersion="1.0",
                publicNetworkAccess="Disabled",
                disableAccessKeyAuthentication=True,
                redisConfiguration={
                    "authnotrequired": "true",
                    "aad-enabled": "False",
                    "rdb-storage-connection-string": "AccountKey=canary",
                    "new-setting": "x",
                },
                replicasPerMaster=2,
                shardCount=3,
                subnetId="/subnets/a",
                accessKeys={"primaryKey": KEY_ONE, "secondaryKey": KEY_TWO},
                privateEndpointConnections=[
                    {
                        "name": "pe",
                        "properties": {"privateLinkServiceConnectionState": {"status": "Approved"}},
                    },
                    {"name": "odd", "properties": {}},
                ],
            )
        ),
    )
    facts = await world.caches.read(IDENTITY, CACHE)
    assert isinstance(facts, Redis)
    assert facts.plaintext_open is True
    assert facts.minimum_tls_version == "1.0"
    assert facts.public_network_access == "Disabled"
    assert facts.access_keys_enabled is False
    assert facts.authentication_disabled is True
    assert facts.entra_enabled is False
    assert (facts.replicas, facts.shards, facts.subnet_id) == (2, 3, "/subnets/a")
    assert facts.has_approved_private_endpoint
    assert [endpoint.status for endpoint in facts.private_endpoints] == ["Approved", "Unknown"]
    assert "canary" not in repr(facts)


@pytest.mark.parametrize(
    "answer",
    [
        says("<html>Sign in to the network</html>"),
        says({}),
        says([]),
        says({"id": "/subscriptions/x"}),
        says(cache_body(sku=None)),
        says(cache_body(provisioningState=None)),
        says('{"id": "/subscriptions'),
    ],
)
async def test_an_answer_that_is_no_cache_is_unknown(world: World, answer: Any) -> None:
    world.script.on("GET", PATH, answer)
    outcome = await world.caches.read(IDENTITY, CACHE)
    assert isinstance(outcome, Unknown)
    assert outcome.reason is Reason.AZURE_ERROR


async def test_a_truncated_answer_is_unknown(world: World) -> None:
    async def truncated(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Length": "1000", "Content-Type": "application/json"})
        await response.prepare(request)
        await response.write(b'{"id":')
        assert request.transport is not None
        request.transport.abort()
        return response

    world.script.on("GET", PATH, truncated)
    outcome = await world.caches.read(IDENTITY, CACHE)
    assert isinstance(outcome, Unknown)
    assert outcome.reason in (Reason.AZURE_ERROR, Reason.AZURE_UNREACHABLE)


async def test_a_404_names_the_missing_object(world: World) -> None:
    world.script.on("GET", PATH, says({"error": {"code": "ResourceGroupNotFound", "message": "x"}}, 404))
    outcome = await world.caches.read(IDENTITY, CACHE)
    assert isinstance(outcome, NotFound)
    assert outcome.what is Missing.GROUP


async def test_a_failing_read_is_tried_once_and_a_retry_after_stops_the_next(world: World) -> None:
    world.script.on("GET", PATH, says({"error": {"code": "x"}}, 503, {"Retry-After": "30"}))
    first = await world.caches.read(IDENTITY, CACHE)
    second = await world.caches.read(IDENTITY, CACHE)
    assert isinstance(first, Unknown)
    assert isinstance(second, Unknown)
    assert first.retry_after == 30
    assert second.retry_after is not None
    assert second.retry_after <= 30
    assert len(world.script.calls("GET", PATH)) == 1
    world.clock.now += 31
    await world.caches.read(IDENTITY, CACHE)
    assert len(world.script.calls("GET", PATH)) == 2


@pytest.mark.parametrize("location", ["https://evil.example/x", "/elsewhere", "http://arm.azure.test/x"])
async def test_a_redirect_is_not_followed(world: World, location: str) -> None:
    world.script.on("GET", PATH, says("", 307, {"Location": location}))
    outcome = await world.caches.read(IDENTITY, CACHE)
    assert isinstance(outcome, Unknown)
    assert len(world.script.calls("GET")) == 1


async def test_a_page_elsewhere_is_not_read_and_gets_no_token(world: World) -> None:
    listing = f"/subscriptions/{CACHE.subscription}/providers/Microsoft.Cache/redis"
    world.script.on(
        "GET",
        listing,
        says({"value": [cache_body()], "nextLink": f"https://other.azure.test:{world.script.port}/steal"}),
    )
    outcome = await world.caches.walk(IDENTITY, CACHE.subscription)
    assert not isinstance(outcome, tuple)
    assert outcome.reason is Reason.AZURE_ERROR
    assert world.script.calls("GET", "/steal") == []


async def test_keys(world: World) -> None:
    world.script.on("POST", f"{PATH}/listKeys", says({"primaryKey": KEY_ONE, "secondaryKey": KEY_TWO}))
    keys = await world.caches.list_keys(IDENTITY, CACHE)
    assert isinstance(keys, ListedKeys)
    assert keys.primary.get_secret_value() == KEY_ONE
    assert "canary" not in repr(keys)
    world.writes_allowed = False  # reading keys is no write
    assert isinstance(await world.caches.list_keys(IDENTITY, CACHE), ListedKeys)


async def test_firewall_rules_of_all_pages_without_the_caches_name(world: World) -> None:
    rules = f"{PATH}/firewallRules"
    link = f"https://arm.azure.test:{world.script.port}{PATH}/page2"

    def rule(name: str) -> dict[str, Any]:
        return {"name": name, "properties": {"startIP": "10.0.0.1", "endIP": "10.0.0.2"}}

    world.script.on("GET", rules, says({"value": [rule("orders/office")], "nextLink": link}))
    world.script.on("GET", f"{PATH}/page2", says({"value": [rule("Orders/home")]}))
    assert await world.caches.firewall_rules(IDENTITY, CACHE) == (
        FirewallRuleFacts("home", "10.0.0.1", "10.0.0.2"),
        FirewallRuleFacts("office", "10.0.0.1", "10.0.0.2"),
    )


@pytest.mark.parametrize(
    ("answer", "available"),
    [
        (says({}), True),
        (says({"error": {"code": "NameNotAvailable", "message": "taken"}}, 409), False),
        (says({"error": {"code": "AuthorizationFailed", "message": "no"}}, 403), None),
    ],
)
async def test_name_availability(world: World, answer: Any, available: bool | None) -> None:
    path = f"/subscriptions/{CACHE.subscription}/providers/Microsoft.Cache/CheckNameAvailability"
    world.script.on("POST", path, answer)
    outcome = await world.caches.name_available(IDENTITY, CACHE)
    assert isinstance(outcome, Unknown) if available is None else outcome is available


async def test_an_update_sends_exactly_the_body(world: World) -> None:
    world.script.on("PATCH", PATH, says(cache_body(provisioningState="Updating"), 202))
    body = {"properties": {"enableNonSslPort": False}}
    assert await world.caches.update(IDENTITY, CACHE, body) is None
    assert as_json(world.script.calls("PATCH")[0].body) == body


async def test_a_create_is_accepted_and_its_operation_polled_once_each(world: World) -> None:
    script = world.script
    url = f"https://arm.azure.test:{script.port}{OPERATION}?api-version=1&t=canary-signature"
    keys = {"primaryKey": KEY_ONE, "secondaryKey": KEY_TWO}
    script.on(
        "PUT",
        PATH,
        says(cache_body(provisioningState="Creating", accessKeys=keys), 201, {"Azure-AsyncOperation": url}),
    )
    assert await world.caches.operation(IDENTITY, CACHE) is None
    body = {"location": "westeurope", "tags": {"a": "b"}, "properties": {"sku": {"name": "Premium"}}}
    assert await world.caches.create(IDENTITY, CACHE, body) is None
    assert as_json(script.calls("PUT")[0].body) == body
    script.on(
        "GET",
        OPERATION,
        says({"status": "InProgress", "error": None}),
        says({"error": {"code": "x"}}, 500),
        says({"status": "Failed", "error": {"code": "Oops", "message": "bad RequestID=12345678-1234"}}),
    )
    assert await world.caches.operation(IDENTITY, CACHE) == OperationFacts("InProgress")
    assert await world.caches.operation(IDENTITY, CACHE) is None  # cannot be read now
    assert await world.caches.operation(IDENTITY, CACHE) == OperationFacts("Failed", "Oops", "bad")
    assert await world.caches.operation(IDENTITY, CACHE) is None
    assert len(script.calls("GET", OPERATION)) == 3
    assert script.calls("GET", OPERATION)[0].query.endswith("t=canary-signature")


async def test_an_operation_in_the_other_form(world: World) -> None:
    script = world.script
    results = OPERATION.replace("asyncOperations", "operationresults")
    script.on("DELETE", PATH, says("", 202, {"Location": f"https://arm.azure.test:{script.port}{results}"}))
    assert await world.caches.delete(IDENTITY, CACHE) is None
    script.on("GET", results, says("", 202), says({"status": "InProgress"}, 202), says({"status": "Succeeded"}))
    statuses = [await world.caches.operation(IDENTITY, CACHE) for _ in range(4)]
    assert [facts.status if facts else None for facts in statuses] == ["InProgress", "InProgress", "Succeeded", None]


async def test_an_operation_that_azure_has_forgotten(world: World) -> None:
    script = world.script
    url = f"https://arm.azure.test:{script.port}{OPERATION}"
    script.on("PATCH", PATH, says(cache_body(), 202, {"Azure-AsyncOperation": url}))
    script.on("GET", OPERATION, says({"error": {"code": "NotFound", "message": "x"}}, 404))
    await world.caches.update(IDENTITY, CACHE, {})
    assert await world.caches.operation(IDENTITY, CACHE) is None
    assert await world.caches.operation(IDENTITY, CACHE) is None
    assert len(script.calls("GET", OPERATION)) == 1


async def test_an_operation_elsewhere_is_not_followed(world: World) -> None:
    url = f"https://other.azure.test:{world.script.port}/steal"
    world.script.on("PATCH", PATH, says(cache_body(), 202, {"Azure-AsyncOperation": url}))
    assert await world.caches.update(IDENTITY, CACHE, {}) is None
    assert await world.caches.operation(IDENTITY, CACHE) is None
    assert world.script.calls("GET", "/steal") == []


@pytest.mark.parametrize("status", [500, 503, 429, 409])
async def test_a_failing_write_is_sent_once(world: World, status: int) -> None:
    world.script.on("PATCH", PATH, says({"error": {"code": "x", "message": "y"}}, status, {"Retry-After": "0"}))
    assert isinstance(await world.caches.update(IDENTITY, CACHE, {}), WriteFailure)
    assert len(world.script.calls("PATCH")) == 1


async def test_a_missing_registration_registers_nothing(world: World) -> None:
    error = {"error": {"code": "MissingSubscriptionRegistration", "message": "not registered"}}
    world.script.on("POST", f"{PATH}/listKeys", says(error, 409))
    outcome = await world.caches.list_keys(IDENTITY, CACHE)
    assert isinstance(outcome, Unknown)
    assert outcome.reason is Reason.SUBSCRIPTION_UNAVAILABLE
    assert [observed.path.rsplit("/", 1)[1] for observed in world.script.calls("POST")] == ["token", "listKeys"]


async def test_a_replica_that_does_not_lead_writes_nothing(world: World) -> None:
    world.writes_allowed = False
    for write in (
        world.caches.create(IDENTITY, CACHE, {}),
        world.caches.update(IDENTITY, CACHE, {}),
        world.caches.delete(IDENTITY, CACHE),
        world.caches.put_firewall_rule(IDENTITY, CACHE, FirewallRuleFacts("a", "1.1.1.1", "1.1.1.1")),
        world.caches.delete_firewall_rule(IDENTITY, CACHE, "a"),
    ):
        with pytest.raises(NotLeading):
            await write
    assert {observed.method for observed in world.script.observed} <= {"POST"}  # the token


async def test_firewall_writes(world: World) -> None:
    rule = f"{PATH}/firewallRules/office"
    world.script.on("PUT", rule, says({"name": "orders/office", "properties": {}}, 201))
    world.script.on("DELETE", rule, says("", 200), says({"error": {"code": "ResourceNotFound"}}, 404))
    facts = FirewallRuleFacts("office", "10.0.0.1", "10.0.0.9")
    assert await world.caches.put_firewall_rule(IDENTITY, CACHE, facts) is None
    assert as_json(world.script.calls("PUT")[0].body) == {"properties": {"startIP": "10.0.0.1", "endIP": "10.0.0.9"}}
    assert await world.caches.delete_firewall_rule(IDENTITY, CACHE, "office") is None
    assert await world.caches.delete_firewall_rule(IDENTITY, CACHE, "office") is None


async def test_one_token_for_many_calls_and_a_new_one_after_401(world: World) -> None:
    world.script.on("GET", PATH, says(cache_body()))
    await asyncio.gather(*(world.caches.read(IDENTITY, CACHE) for _ in range(10)))
    assert len(world.script.calls("POST", "token")) == 1
    world.script.on("GET", PATH, says({"error": {"code": "InvalidAuthenticationToken"}}, 401), says(cache_body()))
    refused = await world.caches.read(IDENTITY, CACHE)
    assert isinstance(refused, Unknown)
    assert refused.reason is Reason.TOKEN_REFUSED
    assert isinstance(await world.caches.read(IDENTITY, CACHE), Redis)
    assert len(world.script.calls("POST", "token")) == 2
    assert world.assertions == 2


async def test_compressed_answers_are_read_and_an_unchanged_page_is_not_parsed_twice(world: World) -> None:
    listing = f"/subscriptions/{CACHE.subscription}/providers/Microsoft.Cache/redis"
    bodies = [{"value": [cache_body()]}, {"value": [cache_body()]}, {"value": [cache_body(redisVersion="7")]}]

    async def compressed(request: web.Request) -> web.StreamResponse:
        response = web.json_response(bodies.pop(0) if request.path.lower() == listing.lower() else cache_body())
        response.enable_compression(web.ContentCoding.gzip)
        return response

    world.script.on("GET", listing, compressed)
    world.script.on("GET", PATH, compressed)
    assert isinstance(await world.caches.read(IDENTITY, CACHE), Redis)
    first = await world.caches.walk(IDENTITY, CACHE.subscription)
    second = await world.caches.walk(IDENTITY, CACHE.subscription)
    third = await world.caches.walk(IDENTITY, CACHE.subscription)
    assert isinstance(first, tuple)
    assert isinstance(second, tuple)
    assert isinstance(third, tuple)
    assert second[0] is first[0]
    assert third[0].redis_version == "7"


REGENERATE = f"{PATH}/regenerateKey"


@pytest.mark.parametrize(
    "answer",
    [
        says({"primaryKey": KEY_ONE, "secondaryKey": KEY_TWO}),
        says({}),
        # The body is not read, even if it is malformed.
        lambda _: _raw(b'{"primaryKey": "canary'),
    ],
)
async def test_a_regenerated_key_is_not_read(world: World, answer: Any) -> None:
    world.script.on("POST", REGENERATE, answer)
    assert await world.caches.regenerate_key(IDENTITY, CACHE, Slot.SECONDARY) is None
    [sent] = world.script.calls("POST", "regenerateKey")
    assert as_json(sent.body) == {"keyType": "Secondary"}
    assert sent.query == "api-version=2024-11-01"
    assert await world.caches.operation(IDENTITY, CACHE) is None


async def _raw(body: bytes) -> web.StreamResponse:
    return web.Response(body=body, content_type="application/json")


@pytest.mark.parametrize("header", ["Azure-AsyncOperation", "Location"])
async def test_an_accepted_regeneration_can_be_followed(world: World, header: str) -> None:
    where = f"{world.script.cloud.resource_manager}{OPERATION}?t=1"
    world.script.on("POST", REGENERATE, says("", 202, {header: where}))
    assert await world.caches.regenerate_key(IDENTITY, CACHE, Slot.PRIMARY) is None
    world.script.on("GET", OPERATION, says({"status": "InProgress"}))
    assert await world.caches.operation(IDENTITY, CACHE) == OperationFacts("InProgress")
    world.script.on("GET", OPERATION, says({"primaryKey": KEY_ONE, "secondaryKey": KEY_TWO}))  # the result itself
    facts = await world.caches.operation(IDENTITY, CACHE)
    assert facts == OperationFacts("Succeeded")
    assert "canary" not in repr(facts)


async def test_a_resource_that_does_not_lead_regenerates_nothing(world: World) -> None:
    world.writes_allowed = False
    with pytest.raises(NotLeading):
        await world.caches.regenerate_key(IDENTITY, CACHE, Slot.PRIMARY)
    assert world.script.calls("POST", "regenerateKey") == []


@pytest.mark.parametrize(
    ("links", "expected"),
    [
        (None, ()),
        ([], ()),
        ([{"id": "/a/linkedServers/b"}], ("/a/linkedServers/b",)),
        ([{"id": "/a"}, {}], ("/a", "(not named)")),  # a link without an id is a link
    ],
)
async def test_geo_replication_links(world: World, links: Any, expected: tuple[str, ...]) -> None:
    world.script.on("GET", PATH, says(cache_body(linkedServers=links)))
    facts = await world.caches.read(IDENTITY, CACHE)
    assert isinstance(facts, Redis)
    assert facts.geo_linked == expected
