"""The kubelet stand-in under a real API server, scheduler and controller manager."""

import asyncio
import base64
import json
import os
import shutil
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from sandbox.cluster import Cluster, ClusterError
from sandbox.controlplane import ControlPlane
from sandbox.names import HostsFile
from sandbox.pods.images import Image, default_images
from sandbox.pods.node import PodRunner
from sandbox.waiting import PATIENCE, wait_for_async

Object = dict[str, Any]
# A test may run what it likes; the short list that users get is tested below.
SHELL = Image((shutil.which("sh") or "sh", "-c"), honours_args=True, honours_command=True)


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with ControlPlane(tmp_path_factory.mktemp("plane"), audit=False) as plane:
        yield plane.cluster


class Kube:
    """Requests in one namespace, without blocking the loop in which the stand-in runs."""

    def __init__(self, cluster: Cluster, namespace: str) -> None:
        self.cluster = cluster
        self.namespace = namespace

    async def call(self, method: str, path: str, body: object = None) -> Object:
        return await asyncio.to_thread(self.cluster.request, method, path, body)

    async def create(self, kind: str, name: str, group: str = "api/v1", **rest: Any) -> Object:
        plural = kind.lower() + "s"
        version = group.removeprefix("apis/").removeprefix("api/")
        body = {"apiVersion": version, "kind": kind, "metadata": {"name": name}, **rest}
        return await self.call("POST", f"/{group}/namespaces/{self.namespace}/{plural}", body)

    async def secret(self, name: str, **values: str) -> None:
        body = {key: base64.b64encode(value.encode()).decode() for key, value in values.items()}
        await self.create("Secret", name, data=body)

    async def change_secret(self, name: str, **values: str) -> None:
        path = f"/api/v1/namespaces/{self.namespace}/secrets/{name}"
        found = await self.call("GET", path)
        found["data"] = {key: base64.b64encode(value.encode()).decode() for key, value in values.items()}
        await self.call("PUT", path, found)

    async def pod(self, name: str) -> Object:
        return await self.call("GET", f"/api/v1/namespaces/{self.namespace}/pods/{name}")

    async def until(self, name: str, holds: Callable[[Object], Any], what: str) -> Object:
        async def holding() -> Object | None:
            pod = await self.pod(name)
            return pod if holds(pod) else None

        return await wait_for_async(holding, PATIENCE, f"pod {name}: {what}")

    async def until_gone(self, name: str) -> None:
        async def gone() -> bool:
            try:
                await self.pod(name)
            except ClusterError as error:
                return ": 404 " in str(error)
            return False

        await wait_for_async(gone, PATIENCE, f"pod {name} to be gone")

    async def log(self, name: str, container: str = "main") -> str:
        path = f"/api/v1/namespaces/{self.namespace}/pods/{name}/log?container={container}"
        status, text = await asyncio.to_thread(self.cluster.raw_request, "GET", path)
        assert status in (200, 204), text  # 204: it is not assigned to a node yet
        return text

    async def until_log(self, name: str, holds: Callable[[str], Any]) -> str:
        async def holding() -> str | None:
            text = await self.log(name)
            return text if holds(text) else None

        return await wait_for_async(holding, PATIENCE, f"the log of pod {name}")

    async def events(self, name: str) -> list[Object]:
        found = await self.call("GET", f"/api/v1/namespaces/{self.namespace}/events")
        return [one for one in found["items"] if one["involvedObject"]["name"] == name]


@pytest.fixture
async def kube(cluster: Cluster, tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[Kube]:
    namespace = f"t{abs(hash(request.node.name)) % 10**9}"
    body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}
    await asyncio.to_thread(cluster.request, "POST", "/api/v1/namespaces", body)
    kube = Kube(cluster, namespace)

    async def account() -> bool:
        try:
            await kube.call("GET", f"/api/v1/namespaces/{namespace}/serviceaccounts/default")
        except ClusterError:
            return False
        return True

    await wait_for_async(account, PATIENCE, "the default ServiceAccount")
    images = {**default_images(), "sandbox.test/shell": SHELL}
    hosts = HostsFile(tmp_path / "hosts")
    async with PodRunner(cluster.kubeconfig, tmp_path / "pods", hosts.path, images=images, backoff_seconds=0.1):
        yield kube


def shell(script: str, **rest: Any) -> Object:
    return {"name": "main", "image": "sandbox.test/shell", "args": [script], **rest}


def spec(*containers: Object, **rest: Any) -> Object:
    return {"containers": list(containers), "automountServiceAccountToken": False, **rest}


def running(pod: Object) -> bool:
    return any(c["type"] == "Ready" and c["status"] == "True" for c in pod["status"].get("conditions", []))


def main_of(pod: Object) -> Object:
    statuses = pod["status"].get("containerStatuses") or [{"state": {}, "restartCount": 0}]
    found: Object = statuses[0]
    return found


def state(pod: Object) -> Object:
    found: Object = main_of(pod)["state"]
    return found


async def test_a_deployment_becomes_ready_and_its_pods_have_addresses_of_their_own(kube: Kube) -> None:
    labels = {"app": "three"}
    template = {"metadata": {"labels": labels}, "spec": spec({"name": "main", "image": "sandbox.test/sleep:1"})}
    body = {"replicas": 3, "selector": {"matchLabels": labels}, "template": template}
    await kube.create("Deployment", "three", "apis/apps/v1", spec=body)
    path = f"/apis/apps/v1/namespaces/{kube.namespace}/deployments/three"

    async def ready() -> bool:
        found = await kube.call("GET", path)
        return bool(found["status"].get("readyReplicas") == 3)

    await wait_for_async(ready, PATIENCE, "three replicas to be ready")
    pods = (await kube.call("GET", f"/api/v1/namespaces/{kube.namespace}/pods"))["items"]
    addresses = {pod["status"]["podIP"] for pod in pods}
    assert len(addresses) == 3
    assert all(address.startswith("127.") and address != "127.0.0.1" for address in addresses)


async def test_environment_comes_from_everywhere_it_may(kube: Kube) -> None:
    await kube.secret("keys", uri="rediss://u", extra="e")
    await kube.create("ConfigMap", "settings", data={"mode": "calm"})
    env = [
        {"name": "URI", "valueFrom": {"secretKeyRef": {"name": "keys", "key": "uri"}}},
        {"name": "MODE", "valueFrom": {"configMapKeyRef": {"name": "settings", "key": "mode"}}},
        {"name": "NONE", "valueFrom": {"secretKeyRef": {"name": "no", "key": "no", "optional": True}}},
        {"name": "ME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
        {"name": "IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}},
        {"name": "BOTH", "value": "$(ME) in $(MODE) mode, $$(ME)"},
    ]
    container = shell("env", env=env, envFrom=[{"prefix": "P_", "secretRef": {"name": "keys"}}])
    os.environ["SANDBOX_TEST_CANARY"] = "of the machine"
    await kube.create("Pod", "env", spec=spec(container, restartPolicy="Never"))
    pod = await kube.until("env", lambda p: p["status"]["phase"] == "Succeeded", "to succeed")
    lines = (await kube.log("env")).splitlines()
    wanted = {"URI=rediss://u", "MODE=calm", "ME=env", "P_extra=e", "BOTH=env in calm mode, $(ME)"}
    assert wanted <= set(lines)
    assert f"IP={pod['status']['podIP']}" in lines
    assert not any(line.startswith(("NONE=", "SANDBOX_TEST_CANARY")) for line in lines)


async def test_a_changed_secret_reaches_the_file(kube: Kube) -> None:
    await kube.secret("keys", password="one", host="h")
    script = 'while :; do echo "$(ls /bindings/redis | tr "\\n" " ")$(cat /bindings/redis/password)"; sleep 0.1; done'
    mount = {"name": "redis", "mountPath": "/bindings/redis", "readOnly": True}
    volumes = [{"name": "redis", "secret": {"secretName": "keys"}}]
    await kube.create("Pod", "reader", spec=spec(shell(script, volumeMounts=[mount]), volumes=volumes))
    await kube.until_log("reader", lambda text: "host password one" in text)
    await kube.change_secret("keys", password="two")
    text = await kube.until_log("reader", lambda text: text.endswith("password two\n") and "host" not in text[-20:])
    assert {line.split()[-1] for line in text.splitlines()} == {"one", "two"}  # never nothing in between


async def test_a_missing_secret_is_waited_for(kube: Kube) -> None:
    env = [{"name": "URI", "valueFrom": {"secretKeyRef": {"name": "late", "key": "uri"}}}]
    await kube.create("Pod", "waits", spec=spec(shell("echo $URI; sleep 100", env=env)))
    pod = await kube.until("waits", lambda p: "waiting" in state(p), "to wait")
    pod = await kube.until(
        "waits", lambda p: state(p)["waiting"]["reason"] == "CreateContainerConfigError", "to say so"
    )
    assert state(pod)["waiting"]["message"] == 'secret "late" not found'
    await kube.secret("late", uri="here")
    await kube.until("waits", running, "to run")
    await kube.until_log("waits", lambda text: "here" in text)


async def test_an_unknown_image_is_refused_with_a_message(kube: Kube) -> None:
    await kube.create("Pod", "foreign", spec=spec({"name": "main", "image": "docker.io/library/redis:7"}))
    pod = await kube.until("foreign", lambda p: "waiting" in state(p), "to be refused")
    assert pod["status"]["phase"] == "Pending"
    assert state(pod)["waiting"]["reason"] == "ErrImageNeverPull"
    assert "docker.io/library/redis:7" in state(pod)["waiting"]["message"]

    async def told() -> list[Object]:
        return [one for one in await kube.events("foreign") if one["reason"] == "ErrImageNeverPull"]

    await wait_for_async(told, PATIENCE, "the event")


SLEEP = {"name": "main", "image": "sandbox.test/sleep"}
BIND = {"name": "v", "mountPath": "/usr/bin"}


@pytest.mark.parametrize(
    ("container", "more", "reason"),
    [
        ({**SLEEP, "command": ["sh", "-c", "id"]}, {}, "CommandRefused"),
        ({**SLEEP, "args": ["1"]}, {}, "CommandRefused"),
        ({**SLEEP, "workingDir": "/x"}, {}, "CommandRefused"),
        ({**SLEEP, "env": [{"name": "LD_PRELOAD", "value": "/x/evil.so"}]}, {}, "EnvironmentRefused"),
        ({**SLEEP, "volumeMounts": [BIND]}, {"volumes": [{"name": "v", "emptyDir": {}}]}, "MountRefused"),
        ({**SLEEP, "livenessProbe": {"exec": {"command": ["id"]}}}, {}, "NotSupportedBySandbox"),
        (SLEEP, {"volumes": [{"name": "v", "hostPath": {"path": "/etc"}}]}, "NotSupportedBySandbox"),
        (SLEEP, {"hostNetwork": True}, "NotSupportedBySandbox"),
    ],
)
async def test_fields_that_could_run_or_read_something_else_are_refused(
    kube: Kube, container: Object, more: Object, reason: str
) -> None:
    await kube.create("Pod", "bad", spec=spec(container, **more))
    pod = await kube.until("bad", lambda p: "waiting" in state(p), "to be refused")
    assert state(pod)["waiting"]["reason"] == reason


async def test_init_containers_come_first_and_share_volumes(kube: Kube) -> None:
    mounts = [{"name": "work", "mountPath": "/work-of-pod"}]
    init = {**shell("echo from-init > /work-of-pod/f", volumeMounts=mounts), "name": "init"}
    main = shell("cat /work-of-pod/f; exit 3", volumeMounts=mounts)
    volumes = [{"name": "work", "emptyDir": {}}]
    body = spec(main, initContainers=[init], volumes=volumes, restartPolicy="Never")
    await kube.create("Pod", "init", spec=body)
    pod = await kube.until("init", lambda p: p["status"]["phase"] == "Failed", "to fail")
    assert state(pod)["terminated"]["exitCode"] == 3
    assert pod["status"]["initContainerStatuses"][0]["state"]["terminated"]["exitCode"] == 0
    assert await kube.log("init") == "from-init\n"


async def test_a_failing_container_is_restarted_with_back_off(kube: Kube) -> None:
    await kube.create("Pod", "crash", spec=spec(shell("echo turn; exit 1")))
    pod = await kube.until(
        "crash", lambda p: state(p).get("waiting", {}).get("reason") == "CrashLoopBackOff", "back-off"
    )
    assert pod["status"]["containerStatuses"][0]["lastState"]["terminated"]["exitCode"] == 1
    await kube.until("crash", lambda p: p["status"]["containerStatuses"][0]["restartCount"] >= 2, "restarts")


async def test_readiness_follows_the_probe(kube: Kube) -> None:
    probe = {
        "exec": {"command": ["test", "-e", "/work-of-pod/ready"]},
        "periodSeconds": 1,
        "failureThreshold": 1,
        "timeoutSeconds": 30,
    }
    script = "trap 'rm /work-of-pod/ready' USR1; touch /work-of-pod/ready; while :; do sleep 0.1; done"
    mounts = [{"name": "work", "mountPath": "/work-of-pod"}]
    container = shell(script, readinessProbe=probe, volumeMounts=mounts)
    await kube.create("Pod", "probed", spec=spec(container, volumes=[{"name": "work", "emptyDir": {}}]))
    pod = await kube.until("probed", running, "to be ready")
    pid = int(pod["status"]["containerStatuses"][0]["containerID"].rpartition("-")[2])
    os.kill(pid, 10)
    await kube.until("probed", lambda p: not running(p), "to be unready")


async def test_deletion_gives_time_and_then_none(kube: Kube) -> None:
    polite = shell("trap 'echo goodbye; exit 0' TERM; echo up; while :; do sleep 0.1; done")
    await kube.create("Pod", "polite", spec=spec(polite, terminationGracePeriodSeconds=30))
    stubborn = shell("trap '' TERM; echo up; while :; do sleep 0.1; done")
    await kube.create("Pod", "stubborn", spec=spec(stubborn, terminationGracePeriodSeconds=1))
    for name in ("polite", "stubborn"):
        pod = await kube.until(name, running, "to run")
        pid = pod["status"]["containerStatuses"][0]["containerID"].rpartition("-")[2]
        await kube.until_log(name, lambda text: "up" in text)
        await kube.call("DELETE", f"/api/v1/namespaces/{kube.namespace}/pods/{name}")

        await kube.until_gone(name)
        assert not await asyncio.to_thread(os.path.exists, f"/proc/{pid}")


async def test_a_projected_token_is_the_accounts_own(kube: Kube) -> None:
    token = {"serviceAccountToken": {"path": "token", "audience": "api://AzureADTokenExchange"}}
    volumes = [{"name": "azure", "projected": {"sources": [token]}}]
    mounts = [{"name": "azure", "mountPath": "/var/run/secrets/azure/tokens"}]
    script = "cut -d. -f2 /var/run/secrets/azure/tokens/token"
    body = spec(shell(script, volumeMounts=mounts), volumes=volumes, restartPolicy="Never")
    await kube.create("Pod", "token", spec=body)
    await kube.until("token", lambda p: p["status"]["phase"] == "Succeeded", "to succeed")
    claims = json.loads(base64.urlsafe_b64decode((await kube.log("token")).strip() + "=="))
    assert claims["sub"] == f"system:serviceaccount:{kube.namespace}:default"
    assert claims["aud"] == ["api://AzureADTokenExchange"]


async def test_a_pod_reaches_the_api_server_as_its_account(kube: Kube) -> None:
    program = """
import os, ssl, urllib.request
home = "/var/run/secrets/kubernetes.io/serviceaccount/"
url = "https://{KUBERNETES_SERVICE_HOST}:{KUBERNETES_SERVICE_PORT}/api/v1/namespaces/x/secrets".format(**os.environ)
request = urllib.request.Request(url, headers={"Authorization": "Bearer " + open(home + "token").read()})
try:
    urllib.request.urlopen(request, context=ssl.create_default_context(cafile=home + "ca.crt"))
except urllib.error.HTTPError as error:
    print(error.code, error.read().decode())
"""
    image = {"name": "main", "image": "sandbox.test/shell", "command": [sys.executable, "-c", program]}
    await kube.create("Pod", "inside", spec={"containers": [image], "restartPolicy": "Never"})
    await kube.until("inside", lambda p: p["status"]["phase"] == "Succeeded", "to succeed")
    text = await kube.log("inside")
    assert text.startswith("403 ")
    assert f"system:serviceaccount:{kube.namespace}:default" in text


async def test_the_operators_image_runs_this_repositorys_operator(kube: Kube) -> None:
    container = {"name": "main", "image": "sandbox.test/operator:dev", "args": ["--help"]}
    await kube.create("Pod", "operator", spec=spec(container, restartPolicy="Never"))
    await kube.until("operator", lambda p: p["status"]["phase"] in ("Succeeded", "Failed"), "to end")
    assert "Run the operator" in await kube.log("operator")


async def test_a_pod_that_never_started_is_deleted_at_once(kube: Kube) -> None:
    env = [{"name": "URI", "valueFrom": {"secretKeyRef": {"name": "never", "key": "uri"}}}]
    volumes = [{"name": "v", "secret": {"secretName": "never"}}]
    await kube.create("Pod", "no-env", spec=spec(shell("true", env=env)))
    await kube.create("Pod", "no-volume", spec=spec(shell("true"), volumes=volumes))
    await kube.create("Pod", "no-image", spec=spec({"name": "main", "image": "nginx"}))
    await kube.until("no-env", lambda p: "waiting" in state(p), "to wait")
    await kube.until("no-image", lambda p: "waiting" in state(p), "to wait")

    async def told() -> list[Object]:
        return [one for one in await kube.events("no-volume") if one["reason"] == "FailedMount"]

    assert 'secret "never" not found' in (await wait_for_async(told, PATIENCE, "the event"))[0]["message"]
    for name in ("no-env", "no-volume", "no-image"):
        await kube.call("DELETE", f"/api/v1/namespaces/{kube.namespace}/pods/{name}")
        await kube.until_gone(name)


async def test_a_pod_deleted_by_force_leaves_no_process(kube: Kube) -> None:
    await kube.create("Pod", "forced", spec=spec(shell("trap '' TERM; sleep 1000 & wait; sleep 1000")))
    pod = await kube.until("forced", running, "to run")
    pid = pod["status"]["containerStatuses"][0]["containerID"].rpartition("-")[2]
    options = {"apiVersion": "v1", "kind": "DeleteOptions", "gracePeriodSeconds": 0}
    await kube.call("DELETE", f"/api/v1/namespaces/{kube.namespace}/pods/forced", options)

    async def ended() -> bool:
        return not await asyncio.to_thread(os.path.exists, f"/proc/{pid}")

    await wait_for_async(ended, PATIENCE, "the process to end")


async def test_a_container_that_is_not_alive_is_replaced(kube: Kube) -> None:
    probe = {"exec": {"command": ["false"]}, "periodSeconds": 1, "failureThreshold": 1}
    container = shell("while :; do sleep 0.1; done", livenessProbe=probe)
    await kube.create("Pod", "dead", spec=spec(container, terminationGracePeriodSeconds=1))
    pod = await kube.until("dead", lambda p: main_of(p)["restartCount"] >= 1, "to be replaced")
    assert pod["status"]["containerStatuses"][0]["lastState"]["terminated"]["exitCode"] == 143
