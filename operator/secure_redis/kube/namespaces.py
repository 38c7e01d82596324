"""Read what a pass needs of namespaces: whether one is being deleted, and the cluster's identity."""

from collections.abc import Callable

from secure_redis.kube import paths
from secure_redis.kube.client import ApiFailure, KubeClient


class Namespaces:
    """Keeps answers for `ttl` seconds: the API server refuses the writes of a pass with an older answer anyway.

    A resource that is deleted, as all are with their namespace, has it read again.
    """

    def __init__(self, client: KubeClient, clock: Callable[[], float], ttl: float = 60.0) -> None:
        self._client = client
        self._clock = clock
        self._ttl = ttl
        self._known: dict[str, tuple[float, bool]] = {}
        self._cluster_uid = ""

    async def terminating(self, namespace: str, *, fresh: bool = False) -> bool:
        """Whether the namespace is being deleted (or gone). Without the permission to read namespaces: False.

        `fresh`: read now, before an action that cannot be undone.

        Raises:
            ApiFailure: the namespace could not be read.

        """
        until, answer = self._known.get(namespace, (float("-inf"), False))
        if not fresh and self._clock() < until:
            return answer
        try:
            body = await self._client.get(paths.namespace(namespace))
            answer = "deletionTimestamp" in body["metadata"]
        except ApiFailure as failure:
            if failure.status not in (403, 404):
                raise
            # Writes into a namespace that is being deleted are refused with their own cause, so not knowing is safe.
            answer = failure.status == 404
        self._known[namespace] = (self._clock() + self._ttl, answer)
        return answer

    async def cluster_uid(self) -> str:
        """Read the uid of kube-system (once), which names this cluster in ownership tags in Azure.

        Raises:
            ApiFailure: it could not be read; without it nothing is created, and nothing counts as owned.

        """
        if not self._cluster_uid:
            self._cluster_uid = str((await self._client.get(paths.namespace("kube-system")))["metadata"]["uid"])
        return self._cluster_uid
