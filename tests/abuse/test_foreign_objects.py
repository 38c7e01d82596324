"""Attempts to fill the operator's memory with objects that a user creates in a namespace of their own (R02, A12)."""

import asyncio
import base64
import os
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from sandbox.api import Api, Document
from sandbox.chart.install import OPERATOR
from sandbox.chart.render import RELEASE_NAMESPACE
from sandbox.cluster import Cluster
from sandbox.waiting import PATIENCE
from secure_redis.api import names
from secure_redis.api.resource import Key
from secure_redis.domain.observe.secret import SecretFacts
from secure_redis.kube.client import KubeClient, connect
from secure_redis.kube.secret_store import NAMESPACE_BYTES, RESOURCE_BYTES
from secure_redis.kube.secrets import Secrets
from secure_redis.kube.watches import SecretWatches
from tests.abuse.conftest import SHOP
from tests.integration.admission.test_authors import give

MIB = 1024 * 1024
MANY = 6  # of each form
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
    give(admin, user, namespace, {"apiGroups": [""], "resources": ["secrets"], "verbs": ["create"]})
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
        watches.all_introduced()
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
