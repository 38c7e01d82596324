"""The chart's whole life, with the real Helm and the operator in pods: install, use, upgrade, roll back, uninstall.

`previous/` holds the chart of the release before, packed as a user has it: a shallow clone knows no earlier commit. Its
CRD is replaced by today's: the operator in the pods is today's, and waits under an older one (see tests/faults).
"""

import base64
import json
import os
import shutil
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from sandbox.api import Document, path_of
from sandbox.azure.seeds import seeds
from sandbox.chart.render import CHART, RELEASE_NAMESPACE, ROOT
from sandbox.cli.supervisor import start_pods
from sandbox.controlplane import ControlPlane
from sandbox.helm import helm
from sandbox.names import allowed
from sandbox.waiting import PATIENCE, wait_for
from sandbox.world import SUBSCRIPTION, TENANT, Team, World
from secure_redis.api import names

RELEASE = "secure-redis"
PREVIOUS = next((Path(__file__).parent / "previous").glob("*.tgz"))
CRD = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/securerediscaches.secureredis.io"
DEPLOYMENT = f"/apis/apps/v1/namespaces/{RELEASE_NAMESPACE}/deployments/secure-redis-operator"
TIMEOUT = "150s"
MORE = {
    "extraArgs": ["--context=unused"],
    "extraEnv": [{"name": "MORE", "value": "x"}],
    "extraVolumes": [{"name": "more", "emptyDir": {}}],
    "extraVolumeMounts": [{"name": "more", "mountPath": "/srv/more"}],
    "extraInitContainers": [{"name": "first", "image": "sandbox.test/operator", "args": ["--help"]}],
    "extraContainers": [{"name": "beside", "image": "sandbox.test/sleep"}],
}


class Life:
    """A cluster with pods, a simulated Azure, and Helm."""

    def __init__(self, world: World, team: Team, directory: Path) -> None:
        self.world = world
        self.team = team
        self.values: dict[str, Any] = {
            "image": {"repository": "sandbox.test/operator"},
            "replicas": 2,  # the previous chart's default is one
            "namespaces": [team.namespace],
            "config": {"cloud": world.configuration()["cloud"]},
        }
        self._file = directory / "values.json"
        self._environment = {**os.environ, "HOME": str(directory), "KUBECONFIG": str(world.cluster.kubeconfig)}
        for name in ("CACHE", "CONFIG", "DATA"):
            self._environment[f"HELM_{name}_HOME"] = str(directory / name.lower())

    def helm(self, verb: str, *arguments: str, values: bool = False) -> str:
        done = self.run(verb, *arguments, values=values)
        assert done.returncode == 0, f"{done.stdout}\n{done.stderr}\n{self.pods()}"
        return done.stdout + done.stderr

    def run(self, verb: str, *arguments: str, values: bool = False) -> "subprocess.CompletedProcess[str]":
        self._file.write_text(json.dumps(self.values))
        command = [str(helm()), verb, RELEASE, *arguments, "--namespace", RELEASE_NAMESPACE, "--timeout", TIMEOUT]
        command += ["--values", str(self._file)] if values else []
        return subprocess.run(command, env=self._environment, capture_output=True, text=True, check=False, timeout=240)

    def pods(self) -> str:
        """Return the statuses of the release's pods and the ends of their logs, to explain a failure."""
        items = self.world.api.get(f"/api/v1/namespaces/{RELEASE_NAMESPACE}/pods").must()["items"]
        logs = sorted((self.world.directory / "pods").glob("*/operator.log"))
        ends = ["\n".join(log.read_text(errors="replace").splitlines()[-5:]) for log in logs]
        return "\n".join([*(json.dumps(one.get("status")) for one in items), *ends])

    def ready_replicas(self) -> int:
        status = self.world.api.get(DEPLOYMENT).must().get("status") or {}
        return int(status.get("readyReplicas") or 0)

    def operators(self) -> list[Document]:
        """The pods of the operator, without those that are ending. There is at least one."""
        path = f"/api/v1/namespaces/{RELEASE_NAMESPACE}/pods?labelSelector=app.kubernetes.io/name=secure-redis-operator"
        items = self.world.api.get(path).must()["items"]
        found = [one for one in items if "deletionTimestamp" not in one["metadata"]]
        assert found
        return found

    def secret(self) -> Document:
        found = self.world.secret(self.team.namespace, "orders")
        assert found is not None, "the Secret is gone"
        return found

    def works(self, resource: Document) -> None:
        """A tampered Secret is repaired: an operator leads, and has its permissions."""
        good = self.secret()["data"]["password"]
        spoilt = {"data": {"password": base64.b64encode(b"spoilt").decode()}}
        self.world.api.merge(self.secret(), spoilt).must()
        wait_for(
            lambda: self.secret()["data"]["password"] == good, PATIENCE, f"the Secret to be repaired; {self.pods()}"
        )
        self.world.await_condition(resource, "Ready", "True")


def _previous(directory: Path) -> Path:
    """The earlier chart, unpacked, with today's CRD."""
    with tarfile.open(PREVIOUS) as packed:
        packed.extractall(directory, filter="data")
    crd = next((ROOT / "crds").glob("*.yaml"))
    shutil.copyfile(crd, directory / "secure-redis-operator" / "files" / crd.name)
    return directory / "secure-redis-operator"


@pytest.fixture
def life(tmp_path: Path, hosts: Path, domain: str) -> Iterator[Life]:
    if not allowed():
        pytest.skip("this system lets no process have a mount namespace of its own: there are no pods here")
    with ControlPlane(tmp_path / "plane", audit=False) as plane:
        world = World(tmp_path / "world", plane.cluster, hosts=hosts, domain=domain)
        control = world.azure.start()  # not world.start(): Helm installs the chart here
        pods = None
        try:
            keys = (plane.cluster.service_account_public_key_pem,)
            control.seed(
                seeds.Tenant(id=TENANT, domain="shop.test"),
                seeds.Issuer(issuer=plane.cluster.service_account_issuer, keys=keys),
                seeds.Subscription(id=SUBSCRIPTION, tenant=TENANT),
            )
            restricted = {"pod-security.kubernetes.io/enforce": "restricted"}
            for name, labels in ((RELEASE_NAMESPACE, restricted), ("shop", {})):
                metadata = {"name": name, "labels": labels}
                world.api.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}).must()
            authority = control.endpoints.ca_file.read_text()
            metadata = {"name": "sandbox-ca", "namespace": RELEASE_NAMESPACE}
            body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"ca.crt": authority}}
            world.api.apply(body).must()
            pods = start_pods(world.directory, plane.cluster, hosts, control.endpoints.ca_file)
            yield Life(world, world.team("shop", bound=False), tmp_path)
            pods.check()
        finally:
            if pods is not None:
                pods.terminate()
            world.stop()


def example(life: Life) -> Document:
    """examples/validate-minimal.yaml, with the vault that the sandbox has."""
    document: Document = yaml.safe_load((ROOT / "examples/validate-minimal.yaml").read_text())
    document["spec"]["authentication"]["keyVault"]["uri"] = life.world.control.endpoints.vault_url("shop")
    return document


def _leave_as_an_earlier_version(life: Life, resource: Document, directory: Path) -> None:
    """The operator of the earlier chart ends; the resource has a finalizer, and the Secret only an ownerReference."""
    before = life.values["replicas"]
    life.values["replicas"] = 0
    life.helm("upgrade", str(directory / "secure-redis-operator"), "--wait", values=True)
    wait_for(lambda: life.ready_replicas() == 0, PATIENCE, "the operator to end")
    life.values["replicas"] = before
    life.world.api.merge(resource, {"metadata": {"finalizers": [names.FINALIZER]}}).must()
    owner = {"apiVersion": names.API_VERSION, "kind": names.KIND, "name": resource["metadata"]["name"]}
    owner |= {"uid": (life.world.get(resource) or {})["metadata"]["uid"]}
    metadata = {
        "annotations": {names.SECRET_UID: None},
        "ownerReferences": [{**owner, "controller": True, "blockOwnerDeletion": True}],
    }
    life.world.api.merge(life.secret(), {"metadata": metadata}).must()


def _migrated(life: Life, resource: Document) -> bool:
    found, secret = life.world.get(resource) or {}, life.secret()["metadata"]
    ours = secret["annotations"].get(names.SECRET_UID) == found["metadata"]["uid"]
    return ours and "ownerReferences" not in secret and "finalizers" not in found["metadata"]


@pytest.mark.timeout(600)
def test_install_use_upgrade_roll_back_uninstall(life: Life, tmp_path: Path) -> None:
    world = life.world
    life.helm("install", str(_previous(tmp_path)), "--wait", values=True)
    world.cache(life.team, "orders")
    world.store_key(life.team, "orders", "orders-redis-key")
    resource = example(life)
    world.apply(resource)
    world.await_condition(resource, "Ready", "True")
    first = life.secret()
    _leave_as_an_earlier_version(life, resource, tmp_path)

    # The values of the previous chart, and what only this one has.
    life.values["caBundle"] = {"configMap": "sandbox-ca", "publish": True}
    del life.values["replicas"]
    life.helm("upgrade", str(CHART), "--wait", values=True)
    wait_for(lambda: _migrated(life, resource), PATIENCE, f"the migration; {life.pods()}")
    assert life.ready_replicas() == 2
    wait_for(lambda: "ca.crt" in life.secret()["data"], PATIENCE, f"the CA in the Secret; {life.pods()}")
    assert life.secret()["metadata"]["uid"] == first["metadata"]["uid"], "an upgrade keeps the Secret"
    assert life.secret()["data"]["password"] == first["data"]["password"]
    life.works(resource)
    assert "Succeeded" in life.helm("test")

    # The same once more changes nothing that runs.
    before = world.api.get(DEPLOYMENT).must()["metadata"]["generation"]
    life.helm("upgrade", str(CHART), "--wait", values=True)
    assert world.api.get(DEPLOYMENT).must()["metadata"]["generation"] == before

    life.helm("rollback", "1", "--wait")
    life.works(resource)
    assert life.secret()["metadata"]["uid"] == first["metadata"]["uid"]

    other = {**resource, "metadata": {**resource["metadata"], "name": "other"}}
    world.apply({**other, "spec": {**resource["spec"], "connection": {"secretName": "other"}}})
    world.await_condition(other, "Ready", "True")
    life.helm("uninstall", "--wait")
    assert life.secret()["data"]["password"] == first["data"]["password"], "an uninstallation leaves Secrets"
    foreground = {"kind": "DeleteOptions", "apiVersion": "v1", "propagationPolicy": "Foreground"}
    world.api.call("DELETE", path_of(other), foreground).must()
    world.await_gone(other, timeout=60)
    assert world.secret(life.team.namespace, "other") is not None, "Retain needs no operator"
    assert world.get(resource) is not None
    assert world.api.get(CRD).ok

    # The CRD is to go with the release: refused while a resource needs the operator, and said why.
    life.values["crds"] = {"keep": False}
    life.values["watchNamespaces"] = ["shop"]  # and with permissions in that namespace only
    life.values |= MORE  # the operator works beside other containers, which get none of its tokens
    life.helm("install", str(CHART), "--wait", values=True)
    for pod in life.operators():
        status = pod["status"]
        assert {one["name"]: one["ready"] for one in status["containerStatuses"]} == {"operator": True, "beside": True}
        assert [one["state"]["terminated"]["exitCode"] for one in status["initContainerStatuses"]] == [0]
    elsewhere = f"/apis/secureredis.io/v1alpha1/namespaces/{RELEASE_NAMESPACE}/securerediscaches"
    assert world.api.service_account(RELEASE_NAMESPACE, "secure-redis-operator").get(elsewhere).status == 403
    life.works(resource)
    refused = life.run("uninstall", "--wait")
    assert refused.returncode != 0
    assert "there are SecureRedisCaches: shop/orders" in refused.stdout + refused.stderr
    assert "kubectl delete srcache" in refused.stdout + refused.stderr
    assert life.ready_replicas() == 2, "what was refused must not be half done"
    world.api.delete(resource).must()
    world.await_gone(resource, timeout=60)
    life.helm("uninstall", "--wait")
    wait_for(lambda: world.api.get(CRD).status == 404, PATIENCE, "the CRD to be gone")
    assert life.secret()["data"]["password"] == first["data"]["password"], "Retain: the Secret outlives its resource"
