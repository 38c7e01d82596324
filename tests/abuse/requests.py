"""The objects that the attempts on workloads start from, and one way to send a change of them."""

from collections.abc import Callable

from sandbox.api import MERGE, Answer, Api, Document, path_of
from sandbox.waiting import PATIENCE, wait_for
from secure_redis.api import names
from tests.abuse.conftest import SHOP

STRATEGIC = "application/strategic-merge-patch+json"
MANAGER = "secureredis.io/orders"
KEY_VAULT = {"keyVault": {"uri": "https://shop.vault.azure.net", "secretName": "orders-redis-key"}}
RESOURCE_ID = (
    "/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/shop/providers/Microsoft.Cache/redis/orders"
)
CONSENT: Document = {"labels": {names.INJECT: "true"}, "annotations": {names.RESOURCES: "orders"}}


def resource(name: str = "orders", space: str = SHOP, **spec: object) -> Document:
    """Return a SecureRedisCache."""
    metadata = {"name": name, "namespace": space}
    body = {"resourceID": RESOURCE_ID, **spec}
    return {"apiVersion": names.API_VERSION, "kind": names.KIND, "metadata": metadata, "spec": body}


def listed(*entries: Document, **connection: object) -> Document:
    """Return the resource `orders`, which publishes a Secret and lists these workloads."""
    return resource(authentication=KEY_VAULT, workloads=list(entries), connection=connection)


def deployment(name: str, *, space: str = SHOP, **metadata: Document) -> Document:
    """Return a Deployment without replicas, with env, volumes and a mount of its own, also from a Secret."""
    own = {"name": "OWN", "valueFrom": {"secretKeyRef": {"name": "victim", "key": "k"}}}
    main = {
        "name": "main",
        "image": "shop.test/app:1",
        "env": [{"name": "MODE", "value": "calm"}, own],
        "volumeMounts": [{"name": "scratch", "mountPath": "/scratch"}],
    }
    volumes = [{"name": "scratch", "emptyDir": {}}, {"name": "own", "secret": {"secretName": "victim"}}]
    spec = {"containers": [main], "initContainers": [{"name": "first", "image": "shop.test/app:1"}], "volumes": volumes}
    template = {"metadata": {"labels": {"app": name}}, "spec": spec}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": space, **metadata},
        "spec": {"replicas": 0, "selector": {"matchLabels": {"app": name}}, "template": template},
    }


def env(name: str, key: str = "uri", secret: str = "orders", container: str = "main") -> Document:  # noqa: S107
    """Return the change that adds one env entry from a Secret."""
    entry = {"name": name, "valueFrom": {"secretKeyRef": {"name": secret, "key": key}}}
    return {"containers": [{"name": container, "env": [entry]}]}


def mount(path: str, volume: Document | None = None, **more: object) -> Document:
    """Return the change that adds the resource's volume, or `volume`, and mounts it."""
    added = volume or {"name": "secureredis-orders", "secret": {"secretName": "orders"}}
    mounts = [{"name": added["name"], "mountPath": path, "readOnly": True, **more}]
    return {"volumes": [added], "containers": [{"name": "main", "volumeMounts": mounts}]}


def init(change: Document) -> Document:
    """Return a change of the container as the same change of the init container."""
    (container,) = change["containers"]
    others = {name: part for name, part in change.items() if name != "containers"}
    return {**others, "initContainers": [{**container, "name": "first"}]}


def send(api: Api, document: Document, pod: Document, manager: str = MANAGER, *, dry_run: bool = True) -> Answer:
    """Patch the pod's spec of a workload as a field manager."""
    query = {"fieldManager": manager, "fieldValidation": "Strict"} | ({"dryRun": "All"} if dry_run else {})
    body = {"spec": {"template": {"spec": pod}}}
    return api.call("PATCH", path_of(document), body, kind=STRATEGIC, query=query)


def dry_merge(api: Api, document: Document, body: Document, subresource: str = "") -> Answer:
    """Merge a change into an object. Nothing is written."""
    path = path_of(document) + (f"/{subresource}" if subresource else "")
    return api.call("PATCH", path, body, kind=MERGE, query={"dryRun": "All", "fieldValidation": "Strict"})


def await_true(condition: Callable[[], bool], what: str) -> None:
    """Wait until the API server has noticed a policy or a parameter of one."""
    wait_for(condition, PATIENCE, what)
