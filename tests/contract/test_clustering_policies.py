"""The answers that redis-py's clients get from Managed Redis databases of each clustering policy."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from sandbox.azure.control.client import Control
from sandbox.azure.seeds import seeds
from sandbox.azure.seeds.managed_redis import ManagedCluster
from sandbox.azure.simulator import AzureSimulator
from sandbox.names import HostsFile, wrap
from tests.contract.conftest import GROUP, SUBSCRIPTION, TENANT

KEY = "first/+="
SHARDED, WHOLE, PROXIED = "sharded", "whole", "proxied"
POLICIES = {SHARDED: "OSSCluster", WHOLE: "NoCluster", PROXIED: "EnterpriseCluster"}
PORT = 10000
NODES = (8500, 8501, 8502)
OWNERS = {"b": 8500, "c": 8501, "a": 8502}  # a key of each node
_CLIENT_SECONDS = 120


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AzureSimulator]:
    with AzureSimulator(tmp_path_factory.mktemp("azure-policies"), redis=True) as simulator:
        yield simulator


@pytest.fixture
def control(running: AzureSimulator) -> Control:
    control = running.control
    control.reset()
    control.seed(seeds.Tenant(id=TENANT), seeds.Subscription(id=SUBSCRIPTION, tenant=TENANT))
    for name, policy in POLICIES.items():
        database = {"clusteringPolicy": policy}
        control.seed(
            ManagedCluster(subscription=SUBSCRIPTION, group=GROUP, name=name, database=database, primary_key=KEY)
        )
    return control


def host(control: Control, name: str) -> str:
    return f"{name}.westeurope.managedredis.{control.endpoints.domain}"


def address(control: Control, name: str) -> str:
    return HostsFile(control.endpoints.hosts_file).addresses()[host(control, name)]


def ask(
    control: Control,
    name: str,
    *commands: str,
    cluster: bool = False,
    remap: bool = False,
    check: bool = True,
    ports: tuple[int, ...] = (PORT,),
) -> list[Any]:
    """Return the answers to commands that a client gave, and from a cluster client last the nodes that it knows."""
    given = {
        "host": host(control, name),
        "ports": ports,
        "key": KEY,
        "ca": str(control.endpoints.ca_file),
        "cluster": cluster,
        "remap": remap,
        "check": check,
        "commands": [command.split() for command in commands],
    }
    done = subprocess.run(
        wrap([sys.executable, "-m", "tests.contract.redis_clients"], control.endpoints.hosts_file),
        input=json.dumps(given),
        capture_output=True,
        text=True,
        check=False,
        timeout=_CLIENT_SECONDS,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert done.returncode == 0, done.stderr
    answers: list[Any] = json.loads(done.stdout)
    return answers


def writes() -> list[str]:
    return [f"SET {key} 1" for key in OWNERS]


def test_a_plain_client_of_an_oss_cluster_is_sent_away_for_the_keys_of_other_nodes(control: Control) -> None:
    at = address(control, SHARDED)
    assert ask(control, SHARDED, *writes(), "MSET a 1 b 2") == [
        True,
        f"MOVED {at}:8501",
        f"MOVED {at}:8502",
        "ClusterCrossSlotError: Keys in request don't hash to the same slot",
    ]


def test_a_cluster_client_fails_the_certificate_check_by_address(control: Control) -> None:
    at = address(control, SHARDED)
    answers = ask(control, SHARDED, *writes(), cluster=True)
    for answer in answers[: len(OWNERS)]:
        assert f"IP address mismatch, certificate is not valid for '{at}'" in answer


@pytest.mark.parametrize("by_name", [True, False])
def test_a_cluster_client_works_by_the_certificates_name_or_without_the_check(control: Control, by_name: bool) -> None:
    where = host(control, SHARDED) if by_name else address(control, SHARDED)
    reads = [f"GET {key}" for key in OWNERS]
    *answers, nodes = ask(control, SHARDED, *writes(), *reads, cluster=True, remap=by_name, check=by_name)
    assert answers == [True, True, True, "1", "1", "1"]
    assert nodes == [f"{where}:{port}" for port in NODES]
    assert ask(control, SHARDED, "KEYS *", ports=NODES) == [[key] for key in OWNERS]


@pytest.mark.parametrize("name", [WHOLE, PROXIED])
def test_the_other_policies_are_one_server_without_cluster_commands(control: Control, name: str) -> None:
    answers = ask(control, name, *writes(), "MGET a b c", "CLUSTER SLOTS", "CLUSTER INFO")
    assert answers[:4] == [True, True, True, ["1", "1", "1"]]
    for refused in answers[4:]:
        assert "cluster support disabled" in refused
    (refused,) = ask(control, name, *writes(), cluster=True, remap=True)
    assert "Cluster mode is not enabled on this node" in refused


def test_a_database_that_becomes_an_oss_cluster_has_new_servers(control: Control) -> None:
    assert ask(control, WHOLE, *writes()) == [True, True, True]
    control.managed_redis.update(WHOLE, database={"clusteringPolicy": "OSSCluster"})
    at = address(control, WHOLE)
    assert ask(control, WHOLE, "GET b", "GET c") == [None, f"MOVED {at}:8501"]


def test_access_keys_and_the_network_apply_to_the_nodes(control: Control) -> None:
    ports = (PORT, *NODES)
    assert ask(control, SHARDED, "PING", ports=ports) == [True] * 4
    control.managed_redis.update(SHARDED, database={"accessKeysAuthentication": "Disabled"})
    answers = ask(control, SHARDED, "PING", ports=ports)
    assert [answer.split(":")[0] for answer in answers] == ["AuthenticationError"] * 4
    control.managed_redis.update(
        SHARDED, {"publicNetworkAccess": "Disabled"}, database={"accessKeysAuthentication": "Enabled"}
    )
    answers = ask(control, SHARDED, "PING", ports=ports)
    assert [answer.split(":")[0] for answer in answers] == ["ConnectionError"] * 4
