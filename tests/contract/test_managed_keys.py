"""Access keys of Managed Redis: listed, regenerated, switched off, and what a real server then takes."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from azure.core.exceptions import HttpResponseError
from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import AuthenticationError, RedisError
from redis.retry import Retry

from sandbox.azure.control.client import Control
from sandbox.azure.seeds import seeds
from sandbox.azure.simulator import AzureSimulator
from sandbox.names import HostsFile
from tests.contract.conftest import GROUP, Sdk
from tests.contract.managed_support import (
    AT_ONCE,
    CLUSTER,
    DATABASE,
    NAME,
    NEVER,
    SCOPE,
    SLOW,
    client_of,
    creation,
    refused,
    seed,
    send,
)

PRIMARY = {"keyType": "Primary"}
ON = {"accessKeysAuthentication": "Enabled"}
OFF = {"accessKeysAuthentication": "Disabled"}


@pytest.fixture(scope="module")
def simulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AzureSimulator]:
    """One with real servers, in the place of the session's."""
    with AzureSimulator(tmp_path_factory.mktemp("azure-managed"), redis=True) as running:
        yield running


async def test_both_keys_are_listed(sdk: Sdk, control: Control) -> None:
    control.seed(seed(primary_key="first", secondary_key="second"))
    async with client_of(sdk) as client:
        keys = await client.databases.list_keys(GROUP, NAME, "default")
    assert (keys.primary_key, keys.secondary_key) == ("first", "second")
    assert control.managed_redis.keys(NAME) == {"Primary": "first", "Secondary": "second"}
    assert control.log.writes() == []
    control.managed_redis.delete_database(NAME)
    await refused(sdk, "POST", f"{DATABASE}/listKeys", expect=404)


async def test_keys_that_are_off(sdk: Sdk, control: Control) -> None:
    control.seed(seed(database=OFF, primary_key="first"))
    assert "disabled" in await refused(sdk, "POST", f"{DATABASE}/listKeys")
    control.settings.change(managed_list_keys_when_disabled="empty")
    _, answer = await send(sdk, "POST", f"{DATABASE}/listKeys", expect=200)
    assert answer == {"primaryKey": None, "secondaryKey": None}
    assert "disabled" in await refused(sdk, "POST", f"{DATABASE}/regenerateKey", PRIMARY)


async def test_a_lock_stops_both(sdk: Sdk, control: Control) -> None:
    control.seed(seed(), seeds.Lock(scope=SCOPE, name="l", level="ReadOnly"))
    for call in ("listKeys", "regenerateKey"):
        assert "ScopeLocked" in await refused(sdk, "POST", f"{DATABASE}/{call}", PRIMARY, expect=409)


async def test_an_operation_without_keys(sdk: Sdk, control: Control) -> None:
    control.seed(seed(primary_key="first", secondary_key="second"))
    control.settings.change(**SLOW)
    headers, answer = await send(sdk, "POST", f"{DATABASE}/regenerateKey", PRIMARY, expect=202)
    assert answer is None
    assert "conflicting state" in await refused(sdk, "POST", f"{DATABASE}/regenerateKey", PRIMARY, expect=409)
    assert control.managed_redis.keys(NAME)["Primary"] == "first"
    control.clock.advance(NEVER + 1)
    keys = control.managed_redis.keys(NAME)
    assert (keys["Primary"] != "first", keys["Secondary"]) == (True, "second")
    for url in (headers["Azure-AsyncOperation"], headers["Location"]):
        _, ended = await send(sdk, "GET", url, expect=200)
        assert ended["status"] == "Succeeded"
        assert not any(key in str(ended) for key in keys.values())
    [effect] = control.log.effects()
    assert (effect.kind, effect.fields) == ("managedKey.regenerate", ("Primary",))


async def test_regenerated_by_the_sdk(sdk: Sdk, control: Control) -> None:
    control.seed(seed(primary_key="first", secondary_key="second"))
    async with client_of(sdk) as client:
        body = {"keyType": "Secondary"}
        answer = await (await client.databases.begin_regenerate_key(GROUP, NAME, "default", body)).result()
        keys = await client.databases.list_keys(GROUP, NAME, "default")
    assert (answer.primary_key, answer.secondary_key) == (None, None)
    assert (keys.primary_key, keys.secondary_key != "second") == ("first", True)


async def test_regenerated_at_once(sdk: Sdk, control: Control) -> None:
    control.seed(seed(primary_key="first", secondary_key="second"))
    control.settings.change(managed_regenerate_by_operation=False)
    _, answer = await send(sdk, "POST", f"{DATABASE}/regenerateKey", PRIMARY, expect=200)
    assert answer == {"primaryKey": control.managed_redis.keys(NAME)["Primary"], "secondaryKey": "second"}
    assert answer["primaryKey"] != "first"
    await refused(sdk, "POST", f"{DATABASE}/regenerateKey", {"keyType": "Third"})


async def test_a_regeneration_that_fails(sdk: Sdk, control: Control) -> None:
    control.seed(seed(primary_key="first"))
    control.settings.change(operation_outcome="Failed")
    async with client_of(sdk) as client:
        with pytest.raises(HttpResponseError, match="An error occurred"):
            await (await client.databases.begin_regenerate_key(GROUP, NAME, "default", PRIMARY)).result()
    assert control.managed_redis.keys(NAME)["Primary"] == "first"
    assert control.log.effects() == []


async def test_a_fault_of_one_regeneration(sdk: Sdk, control: Control) -> None:
    control.seed(seed(primary_key="first"))
    control.faults.add_regeneration(NAME, "denied")
    text = await refused(sdk, "POST", f"{DATABASE}/regenerateKey", PRIMARY, expect=403)
    assert "redisEnterprise/databases/regenerateKey/action" in text
    await send(sdk, "POST", f"{DATABASE}/regenerateKey", PRIMARY, expect=202)


async def test_listed_late(sdk: Sdk, control: Control) -> None:
    control.seed(seed(primary_key="first"))
    control.settings.change(new_key_listed_after_seconds=NEVER)
    new = control.managed_redis.regenerate(NAME, "Primary")
    async with client_of(sdk) as client:
        assert (await client.databases.list_keys(GROUP, NAME, "default")).primary_key == "first"
        control.clock.advance(NEVER + 1)
        assert (await client.databases.list_keys(GROUP, NAME, "default")).primary_key == new


# With the real server behind the cluster


def host(control: Control) -> str:
    return f"{NAME}.westeurope.{control.endpoints.managed_redis_suffix}"


def listens(control: Control) -> bool:
    return host(control) in HostsFile(control.endpoints.hosts_file).addresses()


@contextmanager
def connection(control: Control, key: str) -> Iterator[Redis]:
    """A client with one connection, which logs in by this key."""
    client = Redis(
        HostsFile(control.endpoints.hosts_file).addresses()[host(control)],
        10000,
        password=key,
        ssl=True,
        ssl_ca_certs=str(control.endpoints.ca_file),
        ssl_check_hostname=False,
        single_connection_client=True,
        retry=Retry(NoBackoff(), 0),
        socket_timeout=30,
    )
    try:
        yield client
    finally:
        client.close()


def accepted(control: Control, *keys: str) -> list[bool]:
    """Whether the server takes each key."""

    def one(key: str) -> bool:
        try:
            with connection(control, key) as client:
                return bool(client.ping())
        except AuthenticationError:
            return False

    return [one(key) for key in keys]


async def test_a_server_from_the_moment_that_the_database_runs(sdk: Sdk, control: Control) -> None:
    control.settings.change(**AT_ONCE)
    await send(sdk, "PUT", CLUSTER, creation(properties={"publicNetworkAccess": "Enabled"}), expect=201)
    control.settings.change(managed_state_lag_seconds=NEVER)
    await send(sdk, "PUT", DATABASE, {"properties": ON}, expect=201)
    await send(sdk, "GET", DATABASE, expect=200)
    assert not listens(control)
    control.clock.advance(NEVER + 1)
    assert accepted(control, *control.managed_redis.keys(NAME).values()) == [True, True]
    await send(sdk, "DELETE", DATABASE, expect=202)
    await send(sdk, "GET", CLUSTER, expect=200)
    assert not listens(control)


async def test_exactly_the_live_keys_work(sdk: Sdk, control: Control) -> None:
    control.seed(seed(database=ON, primary_key="first", secondary_key="second"))
    control.settings.change(**AT_ONCE)
    assert accepted(control, "first", "second", "third") == [True, True, False]
    await send(sdk, "POST", f"{DATABASE}/regenerateKey", PRIMARY, expect=202)
    await send(sdk, "GET", DATABASE, expect=200)
    new = control.managed_redis.keys(NAME)["Primary"]
    assert accepted(control, "first", "second", new) == [False, True, True]


def test_accepted_late_and_refused_late(control: Control) -> None:
    control.seed(seed(database=ON, primary_key="first", secondary_key="second"))
    control.settings.change(new_key_accepted_after_seconds=NEVER, old_key_refused_after_seconds=2 * NEVER)
    new = control.managed_redis.regenerate(NAME, "Secondary")
    assert accepted(control, "second", new) == [True, False]
    control.clock.advance(NEVER + 1)
    assert accepted(control, "second", new) == [True, True]
    control.clock.advance(NEVER)
    assert accepted(control, "second", new) == [False, True]


@pytest.mark.parametrize("cuts", [False, True])
def test_regenerating_cuts_connections_or_not(control: Control, *, cuts: bool) -> None:
    control.seed(seed(database=ON, primary_key="first"))
    control.settings.change(regenerate_cuts_connections=cuts)
    with connection(control, "first") as client:
        assert client.ping()
        control.managed_redis.regenerate(NAME, "Primary")
        if cuts:
            with pytest.raises(RedisError):
                client.ping()
        else:
            assert client.ping()


async def test_switching_keys_cuts_every_connection(sdk: Sdk, control: Control) -> None:
    control.seed(seed(database=ON, primary_key="first", secondary_key="second"))
    control.settings.change(**AT_ONCE)
    with connection(control, "first") as client:
        assert client.ping()
        await send(sdk, "PUT", DATABASE, {"properties": {**ON, "evictionPolicy": "NoEviction"}}, expect=200)
        await send(sdk, "GET", DATABASE, expect=200)
        assert client.ping()  # another change cuts nothing
        await send(sdk, "PUT", DATABASE, {"properties": OFF}, expect=200)
        await send(sdk, "GET", DATABASE, expect=200)
        with pytest.raises(RedisError):
            client.ping()
    assert accepted(control, "first", "second") == [False, False]
    await send(sdk, "PUT", DATABASE, {"properties": ON}, expect=200)
    await send(sdk, "GET", DATABASE, expect=200)
    assert accepted(control, "first", "second") == [True, True]
