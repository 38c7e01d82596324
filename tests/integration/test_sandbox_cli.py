"""`./sandbox.sh` as a user runs it: up, a client pod that uses a cache, trouble, down."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sandbox.api import Api, Document
from sandbox.azure.control.client import Control
from sandbox.azure.seeds import seeds
from sandbox.cli.state import Facts, Sandbox
from sandbox.cluster import Cluster
from sandbox.waiting import PATIENCE, wait_for
from sandbox.world import SUBSCRIPTION

NAME = f"test-{os.getpid()}"
ROOT = Path(__file__).resolve().parents[2]


def sandbox(*arguments: str, timeout: float = 240) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [ROOT / "sandbox.sh", "--name", NAME, *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=timeout,
        cwd=ROOT,
    )


@pytest.fixture(scope="module")
def facts() -> Iterator[Facts]:
    done = sandbox("up", "--no-operator")
    try:
        assert done.returncode == 0, done.stderr
        yield Sandbox(NAME).must()
    finally:
        sandbox("down")
        shutil.rmtree(Sandbox(NAME).directory)


@pytest.fixture(scope="module")
def control(facts: Facts) -> Control:
    control = Control.of(Path(facts.azure))
    control.seed(
        seeds.Group(subscription=SUBSCRIPTION, name="shop"),
        seeds.Cache(
            subscription=SUBSCRIPTION,
            group="shop",
            name="orders",
            properties={"minimumTlsVersion": "1.2", "publicNetworkAccess": "Disabled", "enableNonSslPort": False},
            private_endpoints=(seeds.PrivateEndpoint(name="shop"),),
        ),
    )
    return control


@pytest.fixture(scope="module")
def api(facts: Facts) -> Api:
    return Api(Cluster.load(Path(facts.kubeconfig).parent))


def log_of(api: Api, pod: str) -> str:
    facts = Sandbox(NAME).must()
    cluster = Cluster.load(Path(facts.kubeconfig).parent)
    return cluster.raw_request("GET", f"/api/v1/namespaces/default/pods/{pod}/log")[1]


def until_log(api: Api, pod: str, holds: Callable[[str], bool]) -> str:
    def holding() -> str | None:
        text = log_of(api, pod)
        return text if holds(text) else None

    return wait_for(holding, PATIENCE, f"the log of pod {pod}")


def client(name: str, secret: str) -> Document:
    reference = {"secretKeyRef": {"name": secret, "key": "uri"}}
    container = {
        "name": "client",
        "image": "sandbox.test/redis-client",
        "env": [
            {"name": "REDIS_URL", "valueFrom": reference},
            {"name": "INTERVAL_SECONDS", "value": "0.2"},
        ],
    }
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {"automountServiceAccountToken": False, "containers": [container]},
    }


def secret(name: str, key: str, host: str) -> Document:
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name, "namespace": "default"},
        "stringData": {"uri": f"rediss://:{key}@{host}:6380/0"},
    }


def test_up_serves_the_resource_and_names_and_a_second_up_changes_nothing(facts: Facts, api: Api) -> None:
    assert api.get("/apis/secureredis.io/v1alpha1/securerediscaches").ok
    again = sandbox("up")
    assert again.returncode == 0
    assert again.stdout.strip() == f"KUBECONFIG={facts.kubeconfig}"
    assert Sandbox(NAME).must() == facts
    status = sandbox("status")
    assert status.returncode == 0
    assert facts.kubeconfig in status.stdout
    assert "management.sandbox.test" in status.stdout
    bare = sandbox("up", "--bare")
    assert bare.returncode == 1
    assert "runs already, with the objects of the chart: end it with `" in bare.stderr


def test_the_shell_knows_cluster_and_names(facts: Facts) -> None:
    done = sandbox("shell", "--", "sh", "-c", "getent hosts login.sandbox.test && kubectl get nodes -o name")
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["127.0.0.1", "login.sandbox.test", "node/sandbox"]
    assert sandbox("shell", "sh", "-c", "exit 7").returncode == 7
    assert sandbox("shell", "printenv", "PYTHONPATH").stdout == ""  # that of sandbox.sh is no one else's
    assert sandbox("shell", "--help").stdout.startswith("Usage: ")


def test_helm_works_on_this_cluster_with_its_own_options(facts: Facts) -> None:
    listed = sandbox("helm", "list", "--all-namespaces", "-o", "json")
    assert (listed.returncode, listed.stdout) == (0, "[]\n"), listed.stderr
    assert sandbox("helm", "--", "list", "-A", "-q").returncode == 0
    assert "helm [command]" in sandbox("helm", "--help").stdout
    assert sandbox("helm", "nonsense").returncode == 1


def test_a_pod_uses_a_cache_over_verified_tls_with_the_secrets_data(control: Control, api: Api) -> None:
    host = control.endpoints.redis_host("orders")
    key = control.redis.keys("orders")["Primary"]
    api.apply(secret("orders", key.replace("=", "%3D").replace("+", "%2B").replace("/", "%2F"), host)).must()
    api.apply(client("orders-client", "orders")).must()
    text = until_log(api, "orders-client", lambda text: "OK 3 " in text)
    assert f"{host} TLSv1.3" in text
    assert "FAIL" not in text
    assert key not in text
    api.apply(secret("wrong", "not-a-key", host)).must()
    api.apply(client("wrong-client", "wrong")).must()
    text = until_log(api, "wrong-client", lambda text: "FAIL" in text)
    assert "AuthenticationError" in text
    assert "not-a-key" not in text


def test_a_change_behind_the_operators_back_reaches_the_real_listener(control: Control) -> None:
    host = control.endpoints.redis_host("orders")
    check = f"import socket; socket.create_connection(({host!r}, 6379), 5)"
    shut = sandbox("shell", "--", sys.executable, "-c", check)
    assert "ConnectionRefusedError" in shut.stderr
    assert sandbox("fault", "change", "orders", "enableNonSslPort=true").stdout == (
        "orders: enableNonSslPort is now true\n"
    )
    assert sandbox("shell", "--", sys.executable, "-c", check).returncode == 0
    assert sandbox("fault", "change", "orders", "enableNonSslPort").stderr == (
        "sandbox: 'enableNonSslPort': write NAME=VALUE\n"
    )


def test_faults_are_added_counted_and_lifted(control: Control) -> None:
    added = sandbox("fault", "add", "status", "--service", "arm", "--status", "429", "--header", "Retry-After=7")
    identifier = added.stdout.strip()
    assert identifier in control.faults.hits()
    assert added.stderr == "sandbox: arm answers with status once; `fault list` counts it\n"
    assert sandbox("fault", "list").stdout.split("\t")[0] == identifier
    assert sandbox("fault", "remove", identifier).returncode == 0
    assert identifier not in control.faults.hits()
    assert "no" in sandbox("fault", "change", "nothing", "a=b").stderr


def test_the_operator_can_be_stopped_and_started_while_the_world_runs_on(facts: Facts, api: Api) -> None:
    assert operators(facts.pid) == set()
    assert sandbox("operator", "start").stdout == "operator: started\n"
    first = operators(facts.pid)
    assert first
    assert sandbox("operator", "start").stdout == "operator: started\n"
    assert operators(facts.pid) == first
    assert sandbox("operator", "restart").stdout == "operator: started\n"
    second = operators(facts.pid)
    assert second
    assert not second & first
    assert sandbox("operator", "stop").stdout == "operator: stopped\n"
    assert operators(facts.pid) == set()
    assert api.get("/apis/secureredis.io/v1alpha1/securerediscaches").ok
    assert "not started" in sandbox("status").stdout


def test_env_lets_any_shell_use_the_cluster(facts: Facts) -> None:
    given = sandbox("env").stdout
    assert f"export KUBECONFIG={facts.kubeconfig}\n" in given
    done = subprocess.run(
        ["bash", "-c", 'eval "$1" && kubectl get nodes -o name', "bash", given],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "node/sandbox\n"


def test_down_ends_every_process_and_a_killed_supervisor_too(facts: Facts, control: Control) -> None:
    pids = descendants(facts.pid)
    assert len(pids) > 6
    done = sandbox("down")
    assert done.stdout == f"{NAME}: ended\n", done.stderr
    assert not alive(pids)
    assert sandbox("status").returncode == 1
    assert sandbox("down").stdout == f"{NAME}: was not running\n"
    assert sandbox("up", "--no-operator").returncode == 0
    supervisor = Sandbox(NAME).must().pid
    pids = descendants(supervisor)
    os.kill(supervisor, 9)
    wait_for(lambda: not alive(pids), PATIENCE, "everything to end with its supervisor")
    assert sandbox("status").stdout == f"{NAME}: not running\n"


def descendants(pid: int) -> set[int]:
    children = Path(f"/proc/{pid}/task").glob("*/children")
    direct = {int(child) for file in children for child in file.read_text().split()}
    return direct.union(*(descendants(child) for child in direct))


def operators(supervisor: int) -> set[int]:
    def command(pid: int) -> str:
        try:
            return Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")
        except (FileNotFoundError, ProcessLookupError):
            return ""

    return {pid for pid in descendants(supervisor) if " -m secure_redis run " in command(pid)}


def alive(pids: set[int]) -> set[int]:
    def runs(pid: int) -> bool:
        try:
            return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
        except (FileNotFoundError, ProcessLookupError):
            return False

    return {pid for pid in pids if runs(pid)}


def test_an_impossible_name_is_refused() -> None:
    done = subprocess.run(
        [ROOT / "sandbox.sh", "--name", "../x", "status"],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
    )
    assert done.returncode == 1
    assert "no name for a sandbox" in done.stderr
