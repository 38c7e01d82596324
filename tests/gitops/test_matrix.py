"""GitOps tools against the operator's injection: each way of syncing, each change in Git.

It repeats the last row of docs/internals/kubernetes-facts.md#injection-under-gitops.
Git's side is the real thing: `kubectl apply` (three-way merge with last-applied), or server-side apply with force as
another manager, which is what Argo CD and Flux do. After each sync the operator's rules and room are asked again, until
they have nothing to do. The generation shows whether anything flaps: a sync and a check that change nothing leave it.

`make test` takes each change with a Deployment, and all changes together with every kind. `make test-all` takes
each with all.
"""

import copy
import json
import subprocess
from collections.abc import Callable
from typing import Any

import pytest

from sandbox.cluster import Cluster
from sandbox.toolchain import kubectl
from secure_redis.api import names
from secure_redis.api.resource import SecureRedisCache
from secure_redis.api.spec.spec import Workload
from secure_redis.domain.observe.unknown import Unknown
from secure_redis.domain.plan.actions import InjectWorkload
from secure_redis.domain.plan.rollout import injection
from secure_redis.kube.client import KubeClient
from secure_redis.kube.workloads.client import Workloads
from tests.kube import Kube

Document = dict[str, Any]
KINDS = ("Deployment", "StatefulSet", "DaemonSet", "CronJob")
SYNCS = ("client-side", "server-side")
FORM = {"env": [{"name": "REDIS_URI", "key": "uri"}], "mountPath": "/keys"}


def manifest(kind: str, namespace: str, resource: str) -> Document:
    env = [{"name": "A", "value": "a"}, {"name": "B", "value": "b"}, {"name": "C", "value": "$(A)$(B)"}]
    mounts = [{"name": "scratch", "mountPath": "/scratch"}]
    spec: Document = {
        "containers": [
            {"name": "main", "image": "shop.test/app:1", "env": env, "volumeMounts": mounts},
            {"name": "side", "image": "shop.test/side:1"},
        ],
        "volumes": [{"name": "scratch", "emptyDir": {}}],
    }
    pods = {"metadata": {"labels": {"app": "x"}}, "spec": spec}
    metadata = {
        "name": kind.lower(),
        "namespace": namespace,
        "labels": {names.INJECT: "true"},
        "annotations": {names.RESOURCES: resource},
    }
    if kind == "CronJob":
        spec["restartPolicy"] = "Never"
        body: Document = {"schedule": "0 3 1 1 *", "jobTemplate": {"spec": {"template": pods}}}
        return {"apiVersion": "batch/v1", "kind": kind, "metadata": metadata, "spec": body}
    body = {"selector": {"matchLabels": {"app": "x"}}, "template": pods}
    if kind != "DaemonSet":
        body["replicas"] = 0
    if kind == "StatefulSet":
        body["serviceName"] = "x"
    return {"apiVersion": "apps/v1", "kind": kind, "metadata": metadata, "spec": body}


def pod_spec(document: Document) -> Document:
    spec: Document = document["spec"]
    pods = spec["jobTemplate"]["spec"]["template"] if document["kind"] == "CronJob" else spec["template"]
    found: Document = pods["spec"]
    return found


class Stage:
    """One workload between Git and us."""

    def __init__(
        self, kube: Kube, kubeconfig: str, room: Workloads, owner: SecureRedisCache, kind: str, how: str
    ) -> None:
        self.kube, self.kubeconfig, self.room, self.owner, self.how = kube, kubeconfig, room, owner, how
        self.git = manifest(kind, owner.key.namespace, owner.key.name)
        self.entry = Workload.model_validate({"id": "one", "kind": kind, "name": kind.lower(), **FORM})

    def sync(self) -> None:
        """Bring the state in Git into the cluster; must succeed."""
        if self.how == "server-side":
            self.kube.apply(self.git, field_manager="argocd-controller", force=True)
            return
        command = [str(kubectl()), "--kubeconfig", self.kubeconfig, "apply", "-f", "-"]
        done = subprocess.run(command, input=json.dumps(self.git), capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr

    def differs(self) -> bool:
        """Whether Git's tool sees a difference: a sync would change the object."""
        before = self.now()
        if self.how == "server-side":
            after = self.kube.apply(self.git, field_manager="argocd-controller", force=True, dry_run=True)
            return bool(after["spec"] != before["spec"])
        command = [str(kubectl()), "--kubeconfig", self.kubeconfig, "diff", "-f", "-"]
        done = subprocess.run(command, input=json.dumps(self.git), capture_output=True, text=True, check=False)
        assert done.returncode in (0, 1), done.stderr
        return done.returncode == 1

    async def look(self, version: str = "v1") -> int:
        """Run the operator's passes until nothing is left to do. Returns how many wrote."""
        for written in range(3):
            found = await self.room.find(self.owner, (), [(str(self.entry.kind), str(self.entry.name))])
            assert not isinstance(found, Unknown), found
            action = injection.inject(self.owner, self.entry, found[0], "orders", version)
            if action is None:
                return written
            assert isinstance(action, InjectWorkload), action
            assert await self.room.inject(self.owner, action) is None
        raise AssertionError("there is always something left to do: it flaps")

    def now(self) -> Document:
        meta = self.git["metadata"]
        found = self.kube.get(self.git["kind"], meta["name"], meta["namespace"], self.git["apiVersion"])
        assert found is not None
        return found

    def generation(self) -> int:
        return int(self.now()["metadata"]["generation"])

    def injected(self, *containers: str) -> None:
        """The injection is in these containers, and the workload has no others."""
        spec = pod_spec(self.now())
        assert [one["name"] for one in spec["containers"]] == list(containers)
        volume = names.volume_name(self.owner.key.name)
        for one in spec["containers"]:
            env = {entry["name"]: entry for entry in one["env"]}
            assert env["REDIS_URI"]["valueFrom"] == {"secretKeyRef": {"name": "orders", "key": "uri"}}
            assert len(env) == len(one["env"]), "no name twice"
            assert [m["mountPath"] for m in one["volumeMounts"] if m["name"] == volume] == ["/keys"]
        assert [one["secret"]["secretName"] for one in spec["volumes"] if one["name"] == volume] == ["orders"]

    async def at_rest(self) -> None:
        """Git sees no difference, and three rounds of syncs and looks change nothing."""
        assert not self.differs()
        before = self.generation()
        for _ in range(3):
            self.sync()
            assert await self.look() == 0
        assert self.generation() == before, "the generation flaps"


@pytest.fixture(params=[KINDS[0], *(pytest.param(kind, marks=pytest.mark.slow) for kind in KINDS[1:])])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(params=SYNCS)
async def stage(
    request: pytest.FixtureRequest,
    kind: str,
    kube: Kube,
    control_plane: Cluster,
    client: KubeClient,
    make: Callable[..., SecureRedisCache],
) -> Stage:
    made = Stage(kube, str(control_plane.kubeconfig), Workloads(client), make("orders"), kind, str(request.param))
    made.sync()
    assert await made.look() == 1
    made.injected("main", "side")
    return made


async def test_nothing_changes_in_git(stage: Stage) -> None:
    await stage.at_rest()


async def test_git_bumps_the_image(stage: Stage) -> None:
    pod_spec(stage.git)["containers"][0]["image"] = "shop.test/app:2"
    stage.sync()
    assert pod_spec(stage.now())["containers"][0]["image"] == "shop.test/app:2"
    stage.injected("main", "side")
    assert await stage.look() == 0, "nothing of ours was lost"
    await stage.at_rest()


async def test_git_drops_an_env_entry(stage: Stage) -> None:
    env = pod_spec(stage.git)["containers"][0]["env"]
    del env[1]
    stage.sync()
    left = [one["name"] for one in pod_spec(stage.now())["containers"][0]["env"] if one["name"] != "REDIS_URI"]
    assert left == ["A", "C"], "what Git drops is gone, in Git's order"
    stage.injected("main", "side")
    assert await stage.look() == 0
    await stage.at_rest()


async def test_git_renames_a_container(stage: Stage) -> None:
    pod_spec(stage.git)["containers"][0]["name"] = "renamed"
    stage.sync()
    assert await stage.look() == 1, "the new container is injected"
    stage.injected("renamed", "side")
    await stage.at_rest()


async def test_git_drops_a_container(stage: Stage) -> None:
    del pod_spec(stage.git)["containers"][1]
    stage.sync()
    assert await stage.look() == 0
    stage.injected("main")
    await stage.at_rest()


async def test_a_new_key_and_then_git(stage: Stage) -> None:
    before = stage.generation()
    assert await stage.look("v2") == 1
    assert stage.generation() == before + 1
    stage.sync()
    assert await stage.look("v2") == 0
    assert stage.generation() == before + 1
    assert not stage.differs()


@pytest.mark.parametrize("kind", KINDS)
async def test_git_changes_many_things_at_once(stage: Stage) -> None:
    spec = pod_spec(stage.git)
    spec["containers"][0] |= {"image": "shop.test/app:3", "env": [{"name": "NEW", "value": "n"}]}
    spec["containers"].append({"name": "third", "image": "shop.test/third:1"})
    spec["initContainers"] = [{"name": "first", "image": "shop.test/first:1"}]
    spec["volumes"].append({"name": "more", "emptyDir": {}})
    stage.sync()
    assert await stage.look() == 1
    stage.injected("main", "side", "third")
    await stage.at_rest()


async def test_released_while_git_syncs(stage: Stage) -> None:
    found = await stage.room.find(stage.owner, (), [(str(stage.entry.kind), str(stage.entry.name))])
    assert not isinstance(found, Unknown)
    action = injection.release(stage.owner, found[0])
    assert action is not None
    assert await stage.room.release(stage.owner, action) is None
    plain = copy.deepcopy(pod_spec(stage.now()))
    text = json.dumps(plain)
    assert names.volume_name(stage.owner.key.name) not in text
    assert "REDIS_URI" not in text
    assert not stage.differs()
    before = stage.generation()
    stage.sync()
    assert stage.generation() == before
