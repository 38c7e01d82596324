"""Requests to ARM change the real listeners: keys, the non-TLS port, public access, the end of a cache."""

import socket
import ssl
from collections.abc import Iterator

import pytest

from sandbox.azure.control.client import Control
from sandbox.azure.seeds import seeds
from sandbox.azure.simulator import AzureSimulator
from sandbox.names import HostsFile
from tests.contract.conftest import GROUP, SUBSCRIPTION, TENANT, cache_seed

HOST = "orders.redis.sandbox.test"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AzureSimulator]:
    with AzureSimulator(tmp_path_factory.mktemp("azure-redis"), redis=True) as simulator:
        yield simulator


@pytest.fixture
def redis(running: AzureSimulator) -> Control:
    control = running.control
    control.reset()
    control.seed(seeds.Tenant(id=TENANT), seeds.Subscription(id=SUBSCRIPTION, tenant=TENANT))
    control.seed(cache_seed(primary_key="first", secondary_key="second"))
    return control


class Connection:
    """A TLS connection that speaks as much Redis as these tests need."""

    def __init__(self, control: Control, host: str = HOST) -> None:
        address = HostsFile(control.endpoints.hosts_file).addresses()[host]
        context = ssl.create_default_context(cafile=str(control.endpoints.ca_file))
        raw = socket.create_connection((address, 6380), timeout=10)
        try:
            self._socket = context.wrap_socket(raw, server_hostname=host)
        except BaseException:
            raw.close()
            raise

    def send(self, *words: str) -> str:
        command = f"*{len(words)}\r\n" + "".join(f"${len(word)}\r\n{word}\r\n" for word in words)
        self._socket.sendall(command.encode())
        return self._socket.recv(1000).decode()

    def __enter__(self) -> "Connection":
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()


def auth(control: Control, key: str) -> str:
    with Connection(control) as connection:
        return connection.send("AUTH", key)


def plaintext_open(control: Control) -> bool:
    address = HostsFile(control.endpoints.hosts_file).addresses()[HOST]
    try:
        socket.create_connection((address, 6379), timeout=5).close()
    except OSError:
        return False
    return True


def test_exactly_the_live_keys_work(redis: Control) -> None:
    assert auth(redis, "first") == auth(redis, "second") == "+OK\r\n"
    assert auth(redis, "third").startswith("-WRONGPASS")
    new = redis.redis.regenerate("orders", "Primary")
    assert auth(redis, "first").startswith("-WRONGPASS")
    assert auth(redis, "second") == auth(redis, new) == "+OK\r\n"
    redis.redis.update("orders", {"disableAccessKeyAuthentication": True})
    assert auth(redis, new) != "+OK\r\n"


@pytest.mark.parametrize("cuts", [False, True])
def test_regenerating_cuts_old_connections_or_not(redis: Control, cuts: bool) -> None:
    redis.settings.change(regenerate_cuts_connections=cuts)
    with Connection(redis) as old:
        assert old.send("AUTH", "first") == "+OK\r\n"
        redis.redis.regenerate("orders", "Primary")
        if cuts:
            with pytest.raises((OSError, AssertionError)):
                assert old.send("PING")
        else:
            assert old.send("PING") == "+PONG\r\n"


def test_new_keys_can_be_accepted_late_and_old_ones_refused_late(redis: Control) -> None:
    redis.settings.change(new_key_accepted_after_seconds=600, old_key_refused_after_seconds=1200)
    new = redis.redis.regenerate("orders", "Primary")
    assert redis.redis.keys("orders")["Primary"] == new
    assert auth(redis, new).startswith("-WRONGPASS")
    assert auth(redis, "first") == "+OK\r\n"
    redis.clock.advance(601)
    assert auth(redis, new) == auth(redis, "first") == "+OK\r\n"
    redis.clock.advance(600)
    assert auth(redis, "first").startswith("-WRONGPASS")


def test_the_plaintext_port_and_public_access(redis: Control) -> None:
    assert not plaintext_open(redis)
    redis.redis.update("orders", {"enableNonSslPort": True})
    assert plaintext_open(redis)
    redis.redis.update("orders", {"enableNonSslPort": False, "publicNetworkAccess": "Disabled"})
    assert not plaintext_open(redis)
    with pytest.raises((OSError, ssl.SSLError)):
        auth(redis, "first")
    redis.redis.set_private_endpoint("orders", "pe", "Pending")
    with pytest.raises((OSError, ssl.SSLError)):
        auth(redis, "first")
    redis.redis.set_private_endpoint("orders", "pe", "Approved")
    assert auth(redis, "first") == "+OK\r\n"


def test_firewall_rules(redis: Control) -> None:
    elsewhere = seeds.FirewallRule(name="elsewhere", start="192.0.2.1", end="192.0.2.9")
    redis.redis.update("orders", {}, firewall_rules=[elsewhere])
    with pytest.raises((OSError, ssl.SSLError)):
        auth(redis, "first")
    here = seeds.FirewallRule(name="here", start="203.0.113.0", end="203.0.113.255")
    redis.redis.update("orders", {}, firewall_rules=[elsewhere, here])
    assert auth(redis, "first") == "+OK\r\n"


def test_a_cache_listens_from_the_end_of_its_creation_to_its_deletion(redis: Control) -> None:
    hosts = HostsFile(redis.endpoints.hosts_file)
    assert GROUP
    redis.redis.update("orders", {"provisioningState": "Creating"})
    assert HOST not in hosts.addresses()
    redis.redis.update("orders", {"provisioningState": "Succeeded"})
    assert auth(redis, "first") == "+OK\r\n"
    redis.redis.listener_fault("orders", "wrong-certificate")
    with pytest.raises(ssl.SSLCertVerificationError):
        auth(redis, "first")
    redis.redis.listener_fault("orders", None)
    assert auth(redis, "first") == "+OK\r\n"
    redis.redis.delete("orders")
    assert HOST not in hosts.addresses()
