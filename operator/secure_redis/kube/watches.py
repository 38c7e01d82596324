"""Watch the labelled Secrets and workloads, so that changes are noticed in seconds where watching is allowed."""

import asyncio
import logging
import random
from collections import Counter
from collections.abc import Callable, Mapping, Set
from enum import StrEnum
from sys import intern
from typing import Any, Final

from secure_redis.api import names
from secure_redis.api.resource import Key, key_of
from secure_redis.api.spec.spec import WorkloadKind
from secure_redis.kube import paths
from secure_redis.kube.client import ApiFailure, KubeClient
from secure_redis.kube.history import version_of
from secure_redis.kube.resource_bodies import secret_names
from secure_redis.kube.secret_facts import facts, owner_of
from secure_redis.kube.secret_store import Place, SecretStore
from secure_redis.kube.secrets import BY_TYPE, SELECTOR
from secure_redis.kube.workloads import convert
from secure_redis.kube.workloads.client import CONSENTING
from secure_redis.kube.workloads.injections import Injections
from secure_redis.kube.workloads.managed_fields import managers

_log = logging.getLogger(__name__)

# Of a namespace that are compared with their next event. Others wake their resources at each event.
MOST_WORKLOADS: Final = 1000
_Place = tuple[str, str, str]  # of a workload: kind, namespace and name
_QUERY: Final = {"labelSelector": SELECTOR, "fieldSelector": BY_TYPE}


class WatchMode(StrEnum):
    """The configuration `secrets.watch`. `NONE`: Secrets are only read in each pass."""

    NAMESPACE = "Namespace"
    NONE = "None"


class SecretWatches:
    """Runs one stream for the cluster where that is allowed, else one per namespace with resources that allows it.

    `wake(key)` is called for the resources whose Secret changed (`SecretStore.resources_of`); not for the operator's
    own writes. Secrets of no resource are not kept and wake none. Where watching is not allowed, the store has no
    answers for that namespace and each pass reads; it is tried again every `denied_retry` seconds.
    No stream begins before `all_introduced`, so that the first list shows whose Secrets are kept.
    """

    def __init__(
        self,
        client: KubeClient,
        store: SecretStore,
        wake: Callable[[Key], None],
        *,
        mode: WatchMode = WatchMode.NAMESPACE,
        cluster_wide: bool = True,
        denied_retry: float = 60.0,
        jitter: Callable[[float], float] = lambda seconds: seconds * random.uniform(0.5, 1.5),  # noqa: S311
    ) -> None:
        self._client = client
        self._store = store
        self._wake = wake
        self._mode = mode
        self._try_cluster = cluster_wide
        self._denied_retry = denied_retry
        self._jitter = jitter
        self._namespaces: set[str] = set()
        self._introduced = asyncio.Event()
        self._listed: set[str | None] = set()
        self._streams: dict[str, asyncio.Task[None]] = {}
        self._cluster: asyncio.Task[None] | None = None

    def introduce(self, body: Mapping[str, Any]) -> None:
        """Keep the Secrets that carry this resource's uid, until `serve` gives its whole body."""
        self._store.introduce(key_of(body), body["metadata"]["uid"])

    def all_introduced(self) -> None:
        """Every resource that exists now was introduced: the streams may begin."""
        self._introduced.set()

    def serve(self, body: Mapping[str, Any]) -> None:
        """Keep the Secrets of this resource from now on."""
        self._store.serve(key_of(body), body["metadata"]["uid"], secret_names(body))

    def unserve(self, key: Key) -> None:
        """Forget a resource that is gone."""
        self._store.unserve(key)

    async def start(self) -> None:
        """Find out whether one stream serves the cluster, and start the streams."""
        if self._mode is WatchMode.NONE:
            return
        if self._try_cluster and await _allowed(self._client, "", "secrets", None):
            self._cluster = asyncio.create_task(self._follow(None), name="watch Secrets")
            return
        self._cluster = None
        self._try_cluster = False
        self._reconcile()

    def set_namespaces(self, namespaces: set[str]) -> None:
        """Set the namespaces that have resources: streams start and stop with them."""
        self._namespaces = set(namespaces)
        if self._mode is not WatchMode.NONE and not self._try_cluster:
            self._reconcile()

    async def stop(self) -> None:
        """End all streams."""
        tasks = [*self._streams.values(), *([self._cluster] if self._cluster else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._streams.clear()
        self._cluster = None

    def _reconcile(self) -> None:
        for namespace in self._namespaces - self._streams.keys():
            task = asyncio.create_task(self._follow(namespace), name=f"watch Secrets in {namespace}")
            self._streams[namespace] = task
        for namespace in self._streams.keys() - self._namespaces:
            self._streams.pop(namespace).cancel()
            self._client.streams.forget(paths.secrets(namespace))
            self._store.end(namespace)

    async def _follow(self, namespace: str | None) -> None:
        """List, then watch from there, for ever. While out of step (or not allowed), each pass reads."""
        await self._introduced.wait()
        pause, version, path = 1.0, "", paths.secrets(namespace)
        self._client.streams.expect(path, "Secrets", namespace)
        while True:
            try:
                if not version:
                    version = await self._relist(namespace)
                    self._client.streams.expect(path, "Secrets", namespace)
                async for kind, body in self._client.watch(path, _QUERY, resource_version=version):
                    version = body["metadata"]["resourceVersion"]
                    pause = 1.0
                    self._take(kind, body)
            except ApiFailure as failure:
                self._store.end(namespace)
                version = ""
                if failure.status in (403, 404):
                    self._client.streams.forget(path)  # each pass reads there instead
                    level = logging.DEBUG if namespace else logging.INFO
                    _log.log(level, "Secrets cannot be watched", extra={"where": namespace, "why": failure.message})
                    if namespace is None:  # the permission was taken away: from now on one stream per namespace
                        self._try_cluster = False
                        self._reconcile()
                        return
                    await asyncio.sleep(self._jitter(self._denied_retry))
                else:
                    await asyncio.sleep(self._jitter(max(pause, failure.retry_after or 0.0)))
                    pause = min(pause * 2, 60.0)

    async def _relist(self, namespace: str | None) -> str:
        """List the Secrets page by page."""
        known = self._store.versions(namespace)
        self._store.relist(namespace)
        path, version, present = paths.secrets(namespace), "", set[Place]()
        touched: set[Key] = set()
        async for page in self._client.pages(path, _QUERY):
            version = version or page.resource_version
            self._client.history.compare(path, known, map(version_of, page.items))
            for item in page.items:
                if self._store.wants(item["metadata"]):
                    place = (item["metadata"]["namespace"], item["metadata"]["name"])
                    present.add(place)
                    touched |= self._store.listed(place[0], facts(item))
        touched |= self._store.begin(namespace, present, version)
        if namespace in self._listed:  # after the first list every resource has a pass anyway
            for key in touched:
                self._wake(key)
        self._listed.add(namespace)
        return version

    def _take(self, kind: str, body: dict[str, Any]) -> None:
        meta = body["metadata"]
        if kind not in ("ADDED", "MODIFIED", "DELETED"):
            return
        namespace, name, version = meta["namespace"], meta["name"], meta["resourceVersion"]
        # With the resource that it carried before.
        touched = self._store.resources_of(namespace, name, owner_of(meta).get("uid"))
        if kind == "DELETED":
            changed = self._store.drop(namespace, name, version)
        elif not touched:
            return  # no resource's
        else:
            changed = not self._store.wrote(namespace, name, version) and self._store.put(namespace, facts(body))
        if changed:
            for key in sorted(touched):
                self._wake(key)


class WorkloadWatches:
    """Runs a stream of consenting workloads per kind; for the cluster where allowed, else per namespace.

    `wake(key)` is called for the resources that a changed workload names, or named before, or that own fields in it.
    A change that does not matter (replicas that come and go) wakes no resource. Where watching is not allowed, each
    pass reads. `injections` collects who owns fields in which workload.
    """

    def __init__(
        self,
        client: KubeClient,
        wake: Callable[[Key], None],
        injections: Injections | None = None,
        *,
        enabled: bool = True,
        cluster_wide: bool = True,
        denied_retry: float = 300.0,
        jitter: Callable[[float], float] = lambda seconds: seconds * random.uniform(0.5, 1.5),  # noqa: S311
    ) -> None:
        self._client = client
        self._wake = wake
        self._injections = injections or Injections()
        self._enabled = enabled
        self._cluster = cluster_wide
        self._started = False
        self._denied_retry = denied_retry
        self._jitter = jitter
        self._namespaces: set[str] = set()
        self._streams: dict[tuple[WorkloadKind, str | None], asyncio.Task[None]] = {}
        self._known: dict[_Place, tuple[int, frozenset[str]]] = {}  # a digest, and the resources that it names
        self._counts: Counter[str] = Counter()  # of those, by namespace

    async def start(self) -> None:
        """Find out whether one stream of each kind serves the cluster, and start the streams."""
        if not self._enabled:
            return
        self._cluster = self._cluster and await self._everywhere()
        self._started = True
        self._reconcile()

    def set_namespaces(self, namespaces: set[str]) -> None:
        """Set the namespaces that have resources: streams start and stop with them."""
        self._namespaces = set(namespaces)
        if self._started:
            self._reconcile()

    @property
    def everywhere(self) -> bool:
        """Whether the streams serve the whole cluster."""
        return self._cluster

    async def stop(self) -> None:
        """End all streams."""
        tasks = list(self._streams.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._streams.clear()

    async def _everywhere(self) -> bool:
        for kind in WorkloadKind:
            group = "batch" if kind is WorkloadKind.CRON_JOB else "apps"
            if not await _allowed(self._client, group, f"{kind.lower()}s", None):
                return False
        return True

    def _reconcile(self) -> None:
        spaces: set[str | None] = {None} if self._cluster else {*self._namespaces}
        required = {(kind, space) for kind in WorkloadKind for space in spaces}
        for kind, space in required - self._streams.keys():
            where = f"{kind}s in {space or 'all namespaces'}"
            self._streams[kind, space] = asyncio.create_task(self._follow(kind, space), name=f"watch {where}")
        for place in self._streams.keys() - required:
            self._streams.pop(place).cancel()
            self._client.streams.forget(paths.workloads(*place))
            self._injections.out_of_step(*place)

    async def _follow(self, kind: WorkloadKind, namespace: str | None) -> None:
        pause, version = 1.0, ""
        path, query = paths.workloads(kind, namespace), {"labelSelector": CONSENTING}
        self._client.streams.expect(path, f"{kind}s", namespace)
        while True:
            try:
                if not version:
                    version = await self._relist(kind, namespace)
                    self._client.streams.expect(path, f"{kind}s", namespace)
                    self._injections.in_step(kind, namespace)
                async for event, body in self._client.watch(path, query, resource_version=version):
                    version = body["metadata"]["resourceVersion"]
                    pause = 1.0
                    if event in ("ADDED", "MODIFIED"):
                        self._take(body)
                    elif event == "DELETED":
                        self._drop((kind, body["metadata"]["namespace"], body["metadata"]["name"]))
            except ApiFailure as failure:
                version = ""
                self._injections.out_of_step(kind, namespace)
                if failure.status in (403, 404):
                    self._client.streams.forget(path)  # each pass reads there instead
                    why = {"kind": str(kind), "where": namespace, "why": failure.message}
                    _log.debug("workloads cannot be watched", extra=why)
                    if namespace is None:  # the permission was taken away: from now on one stream per namespace
                        self._cluster = False
                        asyncio.get_running_loop().call_soon(self._reconcile)  # which ends this very task
                    await asyncio.sleep(self._jitter(self._denied_retry))
                else:
                    await asyncio.sleep(self._jitter(max(pause, failure.retry_after or 0.0)))
                    pause = min(pause * 2, 60.0)

    async def _relist(self, kind: WorkloadKind, namespace: str | None) -> str:
        version, present = "", set[_Place]()
        async for page in self._client.pages(paths.workloads(kind, namespace), {"labelSelector": CONSENTING}):
            version = version or page.resource_version
            for item in page.items:
                present.add((kind, item["metadata"]["namespace"], item["metadata"]["name"]))
                self._take(item)
        for place in [one for one in self._known if one[0] == kind and namespace in (None, one[1])]:
            if place not in present:
                self._drop(place)
        return version

    def _take(self, body: dict[str, Any]) -> None:
        """Wake the resources of a workload if it changed. Of the workload itself only a digest is kept."""
        kind, meta = str(body["kind"]), body["metadata"]
        place = (kind, meta["namespace"], meta["name"])
        owning = managers(body, kind)
        self._injections.add(meta["namespace"], (kind, meta["name"]), owning)
        named = convert.resources_named(meta) | {one.removeprefix(names.MANAGER_PREFIX) for one in owning}
        digest = hash((meta["uid"], convert.progress(body), *sorted(named)))
        before, earlier = self._known.get(place, (None, frozenset[str]()))
        if place in self._known or self._counts[place[1]] < MOST_WORKLOADS:
            self._counts[place[1]] += place not in self._known
            self._known[place] = (digest, frozenset(map(intern, named)))
        if digest != before:
            self._wake_all(place[1], named | earlier)

    def _drop(self, place: _Place) -> None:
        known = self._known.pop(place, None)
        if known is not None:
            self._counts[place[1]] -= 1
            self._wake_all(place[1], known[1])

    def _wake_all(self, namespace: str, resources: Set[str]) -> None:
        for name in sorted(resources):
            self._wake(Key(namespace, name))


async def _allowed(client: KubeClient, group: str, resource: str, namespace: str | None) -> bool:
    """Whether this kind may be listed and watched in the namespace (None: everywhere)."""
    for verb in ("list", "watch"):
        attributes = {"group": group, "resource": resource, "verb": verb, "namespace": namespace or ""}
        body = {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SelfSubjectAccessReview",
            "spec": {"resourceAttributes": attributes},
        }
        try:
            review = await client.create(paths.access_reviews(), body, fenced=False)
        except ApiFailure:
            return False
        if not (review.get("status") or {}).get("allowed"):
            return False
    return True
