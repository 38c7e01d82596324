"""Attempts to fill the operator's memory with objects that somebody creates in a namespace of his own (R02, A12)."""

import asyncio
import base64
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from benchmarks.process import resident
from sandbox.api import Api, Document
from sandbox.chart.install import OPERATOR
from sandbox.chart.render import RELEASE_NAMESPACE
from sandbox.cluster import Cluster
from sandbox.controlplane import ControlPlane
from sandbox.processes import Child
from sandbox.waiting import PATIENCE, wait_for
from sandbox.world import Team, World
from secure_redis.api import names
from secure_redis.api.resource import Key
from secure_redis.domain.observe.secret import SecretFacts
from secure_redis.kube.client import KubeClient, connect
from secure_redis.kube.secret_store import NAMESPACE_BYTES, RESOURCE_BYTES
from secure_redis.kube.secrets import Secrets
from secure_redis.kube.watches import SecretWatches
from tests.abuse.conftest import SHOP
from tests.controlplane import install_crds
from tests.kube import Kube

MIB = 1024 * 1024
MANY = 6  # of each form
MARGIN = 48.0  # MiB; the objects of the slow test have 100 MiB, and a list of them had several times as much
PUBLIC = {names.MANAGED_BY: names.MANAGER}
LARGE = base64.b64encode(os.urandom(MIB - 8192)).decode()
LABELS = {f"example.com/{'l' * 50}-{number:05}": "v" * 60 for number in range(7000)}

Form = Callable[[str, str], Document]  # the resource's name and uid -> metadata, type and data


def _secret(labels: Document, annotations: Document, data: Document | None = None, **more: Any) -> Document:
    metadata = {"labels": labels, "annotations": annotations, **more}
    return {"metadata": metadata, "type": names.SECRET_TYPE, "data": {"password": LARGE} if data is None else data}


def _owner(name: str, uid: str) -> Document:
    return {"apiVersion": names.API_VERSION, "kind": names.KIND, "name": name, "uid": uid, "controller": True}


# Everything that a Secret of the operator's has, and that anyone may write.
FORMS: dict[str, Form] = {
    "the label": lambda name, uid: _secret(PUBLIC, {}),
    "the label and an ordinary type": lambda name, uid: {**_secret(PUBLIC, {}), "type": "Opaque"},
    "the labels": lambda name, uid: _secret({**PUBLIC, names.CACHE_LABEL: name}, {}),
    "the name in the annotation": lambda name, uid: _secret(PUBLIC, {names.SECRET_RESOURCE: name}),
    "a uid of nobody": lambda name, uid: _secret(PUBLIC, {names.SECRET_UID: "nobody"}),
    "the uid": lambda name, uid: _secret({**PUBLIC, names.CACHE_LABEL: name}, {names.SECRET_UID: uid}),
    "an owner reference": lambda name, uid: _secret(PUBLIC, {}, ownerReferences=[_owner(name, uid)]),
    "many entries": lambda name, uid: _secret(
        PUBLIC, {names.SECRET_UID: uid}, {f"a{number:05}": "" for number in range(5000)}
    ),
    "large annotations": lambda name, uid: _secret(
        PUBLIC, {names.SECRET_UID: uid, names.SECRET_ENTRIES: "e" * 200_000}, {}
    ),
    "many labels": lambda name, uid: _secret({**PUBLIC, **LABELS}, {names.SECRET_UID: uid}, {}),
}


def may_create_secrets(admin: Api, namespace: str, user: str) -> Api:
    """Return a user who may create Secrets in one namespace, and nothing else."""
    rbac = "rbac.authorization.k8s.io"
    rules = [{"apiGroups": [""], "resources": ["secrets"], "verbs": ["create"]}]
    metadata = {"name": user, "namespace": namespace}
    admin.apply({"apiVersion": f"{rbac}/v1", "kind": "Role", "metadata": metadata, "rules": rules}).must()
    binding = {
        "apiVersion": f"{rbac}/v1",
        "kind": "RoleBinding",
        "metadata": metadata,
        "roleRef": {"apiGroup": rbac, "kind": "Role", "name": user},
        "subjects": [{"apiGroup": rbac, "kind": "User", "name": user}],
    }
    admin.apply(binding).must()
    mallory = admin.named(user)
    assert mallory.get(f"/api/v1/namespaces/{namespace}/secrets").status == 403
    return mallory


def flood(mallory: Api, namespace: str, form: Form, prefix: str, owner: Key, uid: str) -> None:
    """Create the objects. A field manager is a name that the client chooses."""
    for number in range(MANY):
        document = {"apiVersion": "v1", "kind": "Secret", **form(owner.name, uid)}
        document["metadata"] |= {"name": f"{prefix}-{number}", "namespace": namespace}
        path = f"/api/v1/namespaces/{namespace}/secrets?fieldManager={names.FIELD_MANAGER}"
        mallory.call("POST", path, document).must()


@pytest.fixture
def owner(admin: Api) -> Iterator[Document]:
    """A resource with its Secret, as the operator publishes it."""
    metadata = {"name": "foreign", "namespace": SHOP}
    group = "/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/shop"
    spec = {"resourceID": f"{group}/providers/Microsoft.Cache/redis/foreign"}
    body = {"apiVersion": names.API_VERSION, "kind": names.KIND, "metadata": metadata, "spec": spec}
    made = admin.apply(body).must()
    own = _secret({**PUBLIC, names.CACHE_LABEL: "foreign"}, {names.SECRET_UID: made["metadata"]["uid"]}, {})
    own["metadata"] |= metadata
    admin.apply({"apiVersion": "v1", "kind": "Secret", **own}).must()
    yield made
    for document in admin.get(f"/api/v1/namespaces/{SHOP}/secrets?limit=100").must()["items"]:
        if document["metadata"]["name"].startswith(("before-", "after-", "foreign")):
            admin.call("DELETE", f"/api/v1/namespaces/{SHOP}/secrets/{document['metadata']['name']}").must()
    admin.delete(body).must()


@pytest.mark.parametrize("form", FORMS, ids=str)
async def test_secrets_of_others_are_not_kept(admin: Api, control_plane: Cluster, owner: Document, form: str) -> None:
    """A12: neither those that were there before the operator, nor those that come while it watches."""
    uid, key = owner["metadata"]["uid"], Key(SHOP, "foreign")
    mallory = may_create_secrets(admin, SHOP, "mallory")
    await asyncio.to_thread(flood, mallory, SHOP, FORMS[form], "before", key, uid)
    kubeconfig = control_plane.service_account_kubeconfig(RELEASE_NAMESPACE, OPERATOR)
    client = KubeClient(await connect(kubeconfig))
    secrets, woken = Secrets(client), asyncio.Event()

    def wake(one: Key) -> None:
        if one == key:
            woken.set()

    watches = SecretWatches(client, secrets.store, wake, cluster_wide=False)
    try:
        watches.serve(owner)
        await watches.start()
        watches.set_namespaces({SHOP})
        async with asyncio.timeout(PATIENCE):
            while not secrets.store.synced(SHOP):  # noqa: ASYNC110 - the store has no event to wait for
                await asyncio.sleep(0.02)
        await asyncio.to_thread(flood, mallory, SHOP, FORMS[form], "after", key, uid)
        woken.clear()
        document = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "foreign", "namespace": SHOP}}
        await asyncio.to_thread(admin.merge, document, {"metadata": {"labels": {"tampered": "1"}}})
        async with asyncio.timeout(PATIENCE):
            await woken.wait()
        assert secrets.store.bytes <= NAMESPACE_BYTES + RESOURCE_BYTES
        assert len(secrets.store.versions(None)) <= 2 * MANY + 1
        assert isinstance(await secrets.read(SHOP, "foreign"), SecretFacts)
    finally:
        await watches.stop()
        await client.close()


# --- a whole operator ---------------------------------------------------------------------------------------------


@pytest.fixture
def world(tmp_path: Path, hosts: Path, domain: str) -> Iterator[World]:
    """A world of its own, because the objects stay at its API server."""
    with ControlPlane(tmp_path / "plane") as plane:
        install_crds(Kube(plane.cluster.kubeconfig))
        made = World(tmp_path / "world", plane.cluster, hosts=hosts, domain=domain)
        made.values = made.settings = {"workloads": {"enabled": True}}
        made.start()
        try:
            yield made
        finally:
            made.stop()


def hostile(namespace: str, resource: str, number: int) -> Iterator[Document]:
    """Yield the largest objects of each kind, except Secrets."""
    metadata = {"name": f"hostile-{number}", "namespace": namespace}
    consent = {
        "labels": {**LABELS, names.INJECT: "true"},
        "annotations": {names.RESOURCES: f"{resource},{'x' * 250}" * 900},
    }
    env = [{"name": f"VARIABLE_{index:05}", "value": "redis://example.com:6379 " * 4} for index in range(4000)]
    pod = {"containers": [{"name": "c", "image": "c", "env": env}]}
    template = {"metadata": {"labels": {"app": "x"}}, "spec": pod}
    spec = {"replicas": 0, "selector": {"matchLabels": {"app": "x"}}, "template": template}
    yield {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {**metadata, **consent}, "spec": spec}
    yield {
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": {**metadata, "labels": LABELS, "annotations": {names.ALLOW: "x," * 120_000}},
    }
    group = "/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/shop"
    identity = {"serviceAccountName": metadata["name"]}
    yield {
        "apiVersion": names.API_VERSION,
        "kind": names.KIND,
        "metadata": {**metadata, "labels": LABELS, "annotations": {names.REFRESH: "r" * 200_000}},
        "spec": {"resourceID": f"{group}/providers/Microsoft.Cache/redis/h-{number}", "identity": identity},
    }


@pytest.mark.slow
def test_an_operator_beside_large_objects_needs_no_more_memory_and_repairs_what_is_its_own(world: World) -> None:
    """A12, with a start: the list of everything is what had the peak."""
    team = world.team()
    world.cache(team, "orders")
    world.store_key(team, "orders")
    document = world.resource(team, "orders", key="orders")
    world.apply(document)
    running = world.start_operator()
    world.await_condition(document, "Ready", "True")
    _tamper(world, team)
    quiet = _peak(running)
    uid = (world.get(document) or {})["metadata"]["uid"]
    mallory = may_create_secrets(world.api, team.namespace, "mallory")
    for index, form in enumerate(FORMS.values()):
        flood(mallory, team.namespace, form, f"hostile-{index}", Key(team.namespace, "orders"), uid)
    for number in range(MANY):
        for one in hostile(team.namespace, "orders", number):
            world.api.create(one).must()
    _tamper(world, team)
    assert _peak(running) < quiet + MARGIN
    world.stop_operator()
    again = world.start_operator()
    _tamper(world, team)
    world.await_condition(document, "Ready", "True")
    assert _peak(again) < quiet + MARGIN
    again.check()


def _tamper(world: World, team: Team) -> None:
    """Change the published Secret, and wait until it is repaired."""
    before = world.secret(team.namespace, "orders")
    assert before is not None
    world.api.merge(before, {"data": {"password": "ZXZpbA=="}}).must()
    wait_for(
        lambda: (world.secret(team.namespace, "orders") or {}).get("data") == before["data"],
        PATIENCE,
        "the Secret to be repaired",
    )


def _peak(operator: Child) -> float:
    """Return the most memory that the operator had so far, in MiB."""
    return resident(operator.pid, "VmHWM")
