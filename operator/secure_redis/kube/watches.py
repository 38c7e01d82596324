"""Streams of Secrets with our label: tampering is seen in seconds where Secrets may be watched."""

import asyncio
import logging
import random
from collections.abc import Callable
from enum import StrEnum
from typing import Any

from secure_redis.api import names
from secure_redis.api.resource import Key
from secure_redis.kube import paths, secrets
from secure_redis.kube.client import ApiFailure, KubeClient
from secure_redis.kube.store import SecretStore

_log = logging.getLogger(__name__)

SELECTOR = f"{names.MANAGED_BY}={names.MANAGER}"


class WatchMode(StrEnum):
    """Configuration `secrets.watch`. `NONE`: Secrets are looked at in each pass only."""

    NAMESPACE = "Namespace"
    NONE = "None"


class SecretWatches:
    """One stream for the cluster where that is allowed, else one per namespace with resources that allows it.

    `wake(key)` is called for the resource a changed Secret's label names; not for our own writes. Where watching is
    not allowed, the store stays silent for that namespace and each pass reads; the right is asked for again every
    `denied_retry` seconds.
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
        self._wanted: set[str] = set()
        self._listed: set[str | None] = set()
        self._streams: dict[str, asyncio.Task[None]] = {}
        self._cluster: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Find out whether one stream serves the cluster, and start what is wanted."""
        if self._mode is WatchMode.NONE:
            return
        if self._try_cluster and await self._allowed(None):
            self._cluster = asyncio.create_task(self._follow(None), name="watch Secrets")
            return
        self._cluster = None
        self._try_cluster = False
        self._reconcile()

    def set_namespaces(self, namespaces: set[str]) -> None:
        """The namespaces that have resources: streams start and stop with them."""
        self._wanted = set(namespaces)
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
        for namespace in self._wanted - self._streams.keys():
            task = asyncio.create_task(self._follow(namespace), name=f"watch Secrets in {namespace}")
            self._streams[namespace] = task
        for namespace in self._streams.keys() - self._wanted:
            self._streams.pop(namespace).cancel()
            self._store.end(namespace)

    async def _allowed(self, namespace: str | None) -> bool:
        for verb in ("list", "watch"):
            attributes = {"resource": "secrets", "verb": verb, "namespace": namespace or ""}
            body = {
                "apiVersion": "authorization.k8s.io/v1",
                "kind": "SelfSubjectAccessReview",
                "spec": {"resourceAttributes": attributes},
            }
            try:
                review = await self._client.create(paths.access_reviews(), body, fenced=False)
            except ApiFailure:
                return False
            if not (review.get("status") or {}).get("allowed"):
                return False
        return True

    async def _follow(self, namespace: str | None) -> None:
        """List, then watch from there, for ever. Out of step (or not allowed), passes read for themselves."""
        pause = 1.0
        version = ""
        while True:
            try:
                if not version:
                    version = await self._relist(namespace)
                async for kind, body in self._client.watch(
                    paths.secrets(namespace), {"labelSelector": SELECTOR}, resource_version=version
                ):
                    version = body["metadata"]["resourceVersion"]
                    pause = 1.0
                    self._take(kind, body)
            except ApiFailure as failure:
                self._store.end(namespace)
                version = ""
                if failure.status in (403, 404):
                    level = logging.DEBUG if namespace else logging.INFO
                    _log.log(level, "Secrets cannot be watched", extra={"where": namespace, "why": failure.message})
                    if namespace is None:  # the right was taken away: from now on one stream per namespace
                        self._try_cluster = False
                        self._reconcile()
                        return
                    await asyncio.sleep(self._jitter(self._denied_retry))
                else:
                    await asyncio.sleep(self._jitter(max(pause, failure.retry_after or 0.0)))
                    pause = min(pause * 2, 60.0)

    async def _relist(self, namespace: str | None) -> str:
        listed = await self._client.list(paths.secrets(namespace), {"labelSelector": SELECTOR})
        found = [(item["metadata"]["namespace"], secrets.facts(item)) for item in listed.items]
        touched = self._store.begin(namespace, found, listed.resource_version)
        if namespace in self._listed:  # at the first list every resource has a pass of its own coming
            for key in touched:
                self._wake(key)
        self._listed.add(namespace)
        return listed.resource_version

    def _take(self, kind: str, body: dict[str, Any]) -> None:
        if kind not in ("ADDED", "MODIFIED", "DELETED"):
            return
        secret = secrets.facts(body)
        namespace = body["metadata"]["namespace"]
        if kind == "DELETED":
            known = self._store.drop(namespace, secret.name, secret.resource_version)
            if known is None:
                return
        elif self._store.wrote(namespace, secret.name, secret.resource_version) or not self._store.put(
            namespace, secret
        ):
            return
        if label := secret.labels.get(names.CACHE_LABEL):
            self._wake(Key(namespace, label))
